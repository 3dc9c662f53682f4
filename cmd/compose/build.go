package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"compose/internal/build"
	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
)

// buildFlags are what compose build may be told.
type buildFlags struct {
	output    string
	platforms []string
	locked    bool
	push      string
	sbomFile  string
	keyFile   string
	keyFD     int
}

func (a *app) buildCommand() *cobra.Command {
	var flags buildFlags
	c := &cobra.Command{
		Use:   "build image.yaml",
		Short: "Build the image and print its digest",
		Long: `Build makes the image that the manifest describes and prints its digest.

With image.lock.json beside the manifest it uses exactly what is locked. A
lock that the manifest has outgrown is brought up to date first; with --locked,
the default where CI is set, it is refused instead. Without a lock, the newest
versions are taken and nothing is pinned: compose lock writes one.

-o DIR/ writes an OCI layout, -o FILE.tar an archive that docker load and OCI
tools read, -o FILE.rootfs.tar the bare file tree.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("locked") {
				flags.locked = os.Getenv("CI") != ""
			}
			return a.build(cmd.Context(), args[0], flags, cmd.Flags().Changed("locked"))
		},
	}
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", "", "where to write the image (default ./NAME.oci/)")
	f.StringSliceVar(&flags.platforms, "platform", nil, "build for these `PLATFORMS` instead of the manifest's")
	f.BoolVar(&flags.locked, "locked", false, "refuse to build unless the lock answers for the manifest")
	f.StringVar(&flags.push, "push", "", "push the image to this `REFERENCE` as well")
	f.StringVar(&flags.sbomFile, "sbom", "", "write the SPDX SBOM to this `FILE` as well")
	f.StringVar(&flags.keyFile, "sign", "", "sign the image, its SBOM and provenance with this `KEY`")
	f.IntVar(&flags.keyFD, "password-fd", -1, "read the key's password from this file descriptor")
	return c
}

func (a *app) build(ctx context.Context, path string, flags buildFlags, strict bool) error {
	p, err := a.open(path, flags.platforms)
	if err != nil {
		return err
	}
	defer p.Close()
	key, err := a.signingKey(flags) // asked for before the work, not after it
	if err != nil {
		return err
	}
	env, err := a.env(p)
	if err != nil {
		return err
	}
	lock, err := a.lockFor(ctx, env, p, flags.locked, strict)
	if err != nil {
		return err
	}
	built, err := build.Images(ctx, env, p.image, lock)
	if err != nil {
		return err
	}
	index, err := build.Index(built, p.image)
	if err != nil {
		return err
	}
	evidence, err := build.Evidence(env, p.image, lock, built, "compose-"+releaseVersion())
	if err != nil {
		return err
	}
	if err := a.publish(ctx, env, p, flags, built, index, evidence, key); err != nil {
		return err
	}
	a.summary(p.image, built)
	_, err = fmt.Fprintln(a.stdout, index.Digest())
	return err
}

// lockFor gives the lock to build from: the one beside the manifest, brought
// up to date if it may be, or a fresh one that is not written.
func (a *app) lockFor(ctx context.Context, env build.Env, p *project, locked, strict bool) (*resolve.Lock, error) {
	lock, err := readLock(p.lockPath())
	if err != nil {
		return nil, err
	}
	if lock == nil && locked && strict {
		return nil, fault.New(fault.LockStale, "%s: there is none, and --locked wants one; run compose lock", p.lockPath())
	}
	if lock != nil {
		reason := build.Stale(p.image, lock)
		if reason == "" {
			return lock, nil
		}
		if locked {
			return nil, fault.New(fault.LockStale, "%s: %s; run compose lock", p.lockPath(), reason)
		}
		a.log().Warn(fmt.Sprintf("%s: %s: bringing it up to date", p.lockPath(), reason))
	}
	choices, err := build.Closures(ctx, env, p.image, build.Keep(lock, nil))
	if err != nil {
		return nil, err
	}
	fresh, err := build.Lock(ctx, env, p.image, choices, lock)
	if err != nil || lock == nil || p.chosen {
		return fresh, err // nobody asked for a lock of these platforms
	}
	return fresh, writeLock(p.lockPath(), fresh)
}

// summary tells what was built, and what a reader of the log should know.
func (a *app) summary(img *manifest.Image, built []build.Built) {
	log := a.log()
	for _, b := range built {
		var layers, tar int64
		for _, l := range b.Image.Layers {
			layers += l.Size
			tar += l.TarSize
		}
		log.Info(fmt.Sprintf("%s %s: %d packages, %d files, %s, %s compressed", img.Name, b.Platform, len(b.Packages), b.Tree.Len()-1, bytesText(tar), bytesText(layers)))
		for _, n := range b.Notes {
			log.Warn(printable(n))
		}
		log.Info(b.Ledger.Summary(len(b.Packages)))
		if unknown := b.Ledger.Unknown(); len(unknown) > 0 {
			log.Warn(printable(unknown.List()))
		}
	}
}

// isLayout reports whether -o names a layout folder.
func isLayout(output string) bool { return !strings.HasSuffix(output, ".tar") }
