package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"compose/internal/build"
	"compose/rootfs"
)

func (a *app) treeCommand() *cobra.Command {
	var platforms []string
	c := &cobra.Command{
		Use:   "tree image.yaml",
		Short: "Print the files of an image",
		Long: `Tree prints every file of the image that the manifest describes, as ls -l
would: mode, numeric owner, size, the first digits of its SHA-256, path.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trees, err := a.treesOf(cmd, args[0], platforms)
			if err != nil {
				return err
			}
			for _, t := range trees {
				if len(trees) > 1 {
					fmt.Fprintf(a.stdout, "%s:\n", t.platform)
				}
				if _, err := fmt.Fprint(a.stdout, printable(t.tree.Dump())); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&platforms, "platform", nil, "print these `PLATFORMS` instead of the manifest's")
	return c
}

type platformTree struct {
	platform string
	tree     *rootfs.Tree
}

// treesOf gives the trees of an image, one for each platform.
func (a *app) treesOf(cmd *cobra.Command, path string, platforms []string) ([]platformTree, error) {
	p, err := a.open(path, platforms)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	env, err := a.env(p)
	if err != nil {
		return nil, err
	}
	lock, err := a.lockFor(cmd.Context(), env, p, false, false)
	if err != nil {
		return nil, err
	}
	built, err := build.Images(cmd.Context(), env, p.image, lock)
	if err != nil {
		return nil, err
	}
	var trees []platformTree
	for _, b := range built {
		trees = append(trees, platformTree{b.Platform.String(), b.Tree})
	}
	return trees, nil
}
