package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"compose/internal/build"
	"compose/internal/oci"
	"compose/internal/oci/registry"
	"compose/manifest"
	"compose/rootfs"
)

func (a *app) treeCommand() *cobra.Command {
	var platforms []string
	var packages bool
	c := &cobra.Command{
		Use:   "tree image.yaml|IMAGE",
		Short: "Print the files or the packages of an image",
		Long: `Tree prints every file of the image that a manifest describes, or that an OCI
layout, an archive (.tar) or a registry has, as ls -l would: mode, numeric
owner, size, the first digits of its SHA-256, path.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if packages {
				return a.printPackages(cmd.Context(), args[0])
			}
			find := a.imageTrees
			if isManifest(args[0]) {
				find = a.manifestTrees
			}
			trees, err := find(cmd.Context(), args[0], platforms)
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
	c.Flags().BoolVar(&packages, "packages", false, "print the packages of a manifest, each below who needs it")
	c.Flags().StringSliceVar(&platforms, "platform", nil, "print these `PLATFORMS` only")
	return c
}

// isManifest reports whether an argument names a manifest rather than an
// image: a YAML file, or a folder that has image.yaml.
func isManifest(arg string) bool {
	if strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") {
		return true
	}
	_, err := os.Stat(filepath.Join(arg, "image.yaml"))
	return err == nil
}

type platformTree struct {
	platform string
	tree     *rootfs.Tree
}

// manifestTrees gives the trees that a manifest and its lock describe.
func (a *app) manifestTrees(ctx context.Context, path string, platforms []string) ([]platformTree, error) {
	p, err := a.open(path, platforms)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	env, err := a.env(p)
	if err != nil {
		return nil, err
	}
	lock, err := a.lockFor(ctx, env, p, false, false)
	if err != nil {
		return nil, err
	}
	built, err := build.Images(ctx, env, p.image, lock)
	if err != nil {
		return nil, err
	}
	var trees []platformTree
	for _, b := range built {
		trees = append(trees, platformTree{b.Platform.String(), b.Tree})
	}
	return trees, nil
}

// imageTrees gives the trees of an image that is there.
func (a *app) imageTrees(ctx context.Context, image string, platforms []string) ([]platformTree, error) {
	stored, err := openImage(ctx, image)
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	images := stored.Images
	if len(platforms) > 0 {
		wanted, err := manifest.ParsePlatforms(platforms)
		if err != nil {
			return nil, &usageError{err}
		}
		images = nil
		for _, w := range wanted {
			img, err := stored.Image(v1.Platform{OS: w.OS, Architecture: w.Arch, Variant: w.Variant})
			if err != nil {
				return nil, err
			}
			images = append(images, img)
		}
	}
	var trees []platformTree
	for _, img := range images {
		tree, err := img.Tree(ctx, nil)
		if err != nil {
			return nil, err
		}
		trees = append(trees, platformTree{oci.PlatformName(img.Platform), tree})
	}
	return trees, nil
}

// openImage finds IMAGE: a layout folder, an archive, or a reference into a
// registry.
func openImage(ctx context.Context, image string) (*oci.Stored, error) {
	_, err := os.Stat(image)
	if err == nil || strings.HasSuffix(image, ".tar") || strings.HasPrefix(image, ".") || strings.HasPrefix(image, "/") {
		return oci.Open(ctx, image)
	}
	return registry.Client{}.Open(ctx, image)
}
