package sign

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"compose/internal/fault"
)

// A Password gives the password of a key. confirm asks for a new one, which a
// person types twice. The caller wipes the result.
type Password func(confirm bool) ([]byte, error)

// PasswordVariable is the variable of the environment that cosign reads, too.
const PasswordVariable = "COSIGN_PASSWORD"

// passwordLimit is more than anybody types.
const passwordLimit = 4096

// AskPassword gives the password of the key in file from the first source
// that there is: the descriptor fd, up to the end of its first line; the
// value of COSIGN_PASSWORD, which may be empty; the terminal tty, with the
// question on out. Any of the three may be nil.
func AskPassword(file string, fd io.Reader, env *string, tty *os.File, out io.Writer) Password {
	return func(confirm bool) ([]byte, error) {
		switch {
		case fd != nil:
			b, err := io.ReadAll(io.LimitReader(fd, passwordLimit+1))
			if err != nil {
				return nil, fault.New(fault.Usage, "%s: password: %w", file, err)
			}
			if len(b) > passwordLimit {
				return nil, fault.New(fault.Usage, "%s: password: longer than %d bytes", file, passwordLimit)
			}
			line, _, _ := bytes.Cut(b, []byte("\n"))
			return bytes.TrimSuffix(line, []byte("\r")), nil
		case env != nil:
			return []byte(*env), nil
		case tty != nil && term.IsTerminal(int(tty.Fd())):
			return prompt(file, tty, out, confirm)
		}
		return nil, fault.New(fault.Usage, "%s: needs a password, and there is no terminal to ask on; set %s or give a file descriptor", file, PasswordVariable)
	}
}

func prompt(file string, tty *os.File, out io.Writer, confirm bool) ([]byte, error) {
	ask := func(question string) ([]byte, error) {
		fmt.Fprintf(out, "%s: %s: ", file, question)
		defer fmt.Fprintln(out)
		b, err := term.ReadPassword(int(tty.Fd()))
		if err != nil {
			return nil, fault.New(fault.Usage, "%s: password: %w", file, err)
		}
		return b, nil
	}
	first, err := ask("password")
	if err != nil || !confirm {
		return first, err
	}
	second, err := ask("password again")
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !bytes.Equal(first, second) {
		clear(first)
		return nil, fault.New(fault.Usage, "%s: the two passwords differ", file)
	}
	return first, nil
}
