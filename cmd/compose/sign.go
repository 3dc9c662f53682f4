package main

import (
	"context"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"compose/internal/fault"
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
			place, closePlace, err := openPlace(ctx, args[0])
			if err != nil {
				return err
			}
			defer closePlace()
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
			return attach(ctx, args[0], place, img, artifact)
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

// openPlace finds IMAGE: a layout folder, an archive, or a reference into a
// registry.
func openPlace(ctx context.Context, image string) (sign.Place, func() error, error) {
	nothing := func() error { return nil }
	st, err := os.Stat(image)
	switch {
	case err == nil && st.IsDir():
		l, err := sign.OpenLayout(image)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	case err == nil:
		l, err := sign.OpenArchive(image)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	case strings.HasPrefix(image, ".") || strings.HasPrefix(image, "/") || strings.HasSuffix(image, ".tar"):
		return nil, nil, fault.New(fault.Usage, "image %s: %w", image, cause(err))
	}
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, nil, fault.New(fault.Usage, "image %s: neither a file nor a reference into a registry: %w", image, err)
	}
	return sign.AtRegistry(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)), nothing, nil
}

// attach stores artifacts where the image is.
func attach(ctx context.Context, image string, place sign.Place, img sign.Image, artifacts ...sign.Artifact) error {
	if r, ok := place.(*sign.Registry); ok {
		return r.Attach(ctx, img, artifacts...)
	}
	if st, err := os.Stat(image); err == nil && st.IsDir() {
		return sign.AttachLayout(ctx, image, artifacts...)
	}
	return sign.AttachArchive(ctx, image, artifacts...)
}
