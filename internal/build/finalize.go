package build

import (
	"context"

	"compose/internal/finalize"
	"compose/internal/format"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// A distribution is a format that knows the name of the distribution which
// repositories belong to.
type distribution interface {
	// OSRelease gives the text of os-release(5); nil where the sources are of
	// no distribution that the format knows.
	OSRelease(sources []resolve.Source) []byte
}

// finish computes what follows from the files of a tree, and keeps in b what
// was done.
func finish(ctx context.Context, env Env, img *manifest.Image, f format.Format, in finalize.Input, b *Built) func(*rootfs.Tree) error {
	return func(tree *rootfs.Tree) error {
		in.Tree, in.Contents, in.Packages = tree, env.Store, b.Packages
		if d, ok := f.(distribution); ok {
			sources, err := sourcesOf(img, f)
			if err != nil {
				return err
			}
			in.OSRelease = d.OSRelease(sources)
		}
		var err error
		b.Finalized, err = finalize.Run(ctx, in)
		return err
	}
}

// passedOver tells of files that finalizers could make nothing of.
func (b *Built) passedOver() (notes []string) {
	for _, n := range b.Finalized {
		for _, odd := range n.Odd {
			notes = append(notes, n.Finalizer+": "+odd)
		}
	}
	return notes
}
