package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"compose/internal/sign"
)

func (a *app) keygenCommand() *cobra.Command {
	var prefix, algorithm string
	var fd int
	c := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key pair that compose and cosign sign with",
		Long: `Keygen writes cosign.key, encrypted with a password, and cosign.pub. The
password comes from --password-fd, from COSIGN_PASSWORD, or from the terminal.
An existing file is never overwritten.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := sign.Keygen(prefix, sign.Algorithm(algorithm), a.password(prefix+".key", fd))
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s.key\n%s.pub\n", prefix, prefix)
			return nil
		},
	}
	c.Flags().StringVar(&prefix, "output", "cosign", "write `PREFIX`.key and PREFIX.pub")
	c.Flags().StringVar(&algorithm, "algorithm", string(sign.ECDSA), "ecdsa-p256 or ed25519")
	passwordFlag(c, &fd)
	return c
}

func passwordFlag(c *cobra.Command, fd *int) {
	c.Flags().IntVar(fd, "password-fd", -1, "read the key's password from this file descriptor")
}

// password gives the password of a key: from the descriptor fd, if it is not
// below zero, from the environment, or from the terminal.
func (a *app) password(keyFile string, fd int) sign.Password {
	var env *string
	if v, ok := os.LookupEnv(sign.PasswordVariable); ok {
		env = &v
	}
	if fd < 0 {
		return sign.AskPassword(keyFile, nil, env, os.Stdin, a.stderr)
	}
	return sign.AskPassword(keyFile, os.NewFile(uintptr(fd), "password"), nil, nil, nil)
}
