package main

import (
	"context"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"compose/internal/sign"
)

func (a *app) signCommand() *cobra.Command {
	var keyFile, reference string
	var fd int
	c := &cobra.Command{
		Use:   "sign IMAGE --key cosign.key",
		Short: "Sign an image, as cosign does",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			key, err := sign.LoadKey(keyFile, a.password(keyFile, fd))
			if err != nil {
				return err
			}
			place, err := openPlace(ctx, args[0])
			if err != nil {
				return err
			}
			defer place.Close()
			img, err := place.Image(ctx)
			if err != nil {
				return err
			}
			if reference == "" {
				reference = args[0]
			}
			artifact, err := key.Sign(ctx, img, reference)
			if err != nil {
				return err
			}
			return place.Attach(ctx, img, artifact)
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", "private `FILE` that compose keygen or cosign made")
	c.Flags().StringVar(&reference, "reference", "", "name to write into the signature (default: IMAGE)")
	passwordFlag(c, &fd)
	if err := c.MarkFlagRequired("key"); err != nil {
		panic(err)
	}
	return c
}

// openPlace finds IMAGE: a layout folder, an archive, or a reference to a
// registry.
func openPlace(ctx context.Context, image string) (sign.Place, error) {
	return sign.Open(image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
}
