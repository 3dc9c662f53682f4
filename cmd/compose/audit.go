package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"compose/internal/audit"
	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/format"
	"compose/internal/oci"
	"compose/manifest"
	"compose/resolve"
)

type auditFlags struct {
	platforms []string
	policy    string
	sarif     string
	asJSON    bool
	all       bool
}

func (a *app) auditCommand() *cobra.Command {
	var flags auditFlags
	c := &cobra.Command{
		Use:   "audit image.yaml|IMAGE",
		Short: "Say what an image holds: shells, libraries, privileges, packages",
		Long: `Audit says which shells, interpreters and other programs an image has and who
brought them, which libraries are missing and which nothing needs, which files
and users may do more than others, and which packages are there.

It audits what a manifest describes, or any image that is there, whoever made
it. The policy of the manifest, or that of the manifest that --policy names
(a file with policy: alone will do), must hold: else the exit code is 10.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.audit(cmd.Context(), args[0], flags) },
	}
	f := c.Flags()
	f.StringSliceVar(&flags.platforms, "platform", nil, "audit these `PLATFORMS` only")
	f.StringVar(&flags.policy, "policy", "", "the policy of this `FILE` must hold")
	f.StringVar(&flags.sarif, "sarif", "", "write violations of the policy to this `FILE`, as SARIF")
	f.BoolVar(&flags.asJSON, "json", false, "print JSON")
	f.BoolVar(&flags.all, "all", false, "print lists in full")
	return c
}

func (a *app) audit(ctx context.Context, arg string, flags auditFlags) error {
	inputs, policy, err := a.auditInputs(ctx, arg, flags.platforms)
	if err != nil {
		return err
	}
	if flags.policy != "" {
		p, err := a.open(flags.policy, nil)
		if err != nil {
			return err
		}
		p.Close()
		policy = p.image.Policy
	}
	limit := 20
	if flags.all {
		limit = 0
	}
	var reports []*audit.Report
	var broken []audit.Violation
	for i, in := range inputs {
		r, err := audit.Run(ctx, in)
		if err != nil {
			return err
		}
		inputs[i] = audit.Input{} // the trees of several platforms need not be there at once
		reports = append(reports, r)
		broken = append(broken, r.Violations(build.Policy(policy))...)
	}
	if err := a.printReports(reports, flags.asJSON, limit); err != nil {
		return err
	}
	if flags.sarif != "" {
		if err := a.writeSARIF(flags.sarif, policy, broken); err != nil {
			return err
		}
	}
	return build.PolicyError(policy, arg, broken)
}

func (a *app) printReports(reports []*audit.Report, asJSON bool, limit int) error {
	if asJSON {
		return a.printJSON(reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		var text strings.Builder
		if err := r.Text(&text, limit); err != nil {
			return err
		}
		if _, err := fmt.Fprint(a.stdout, printable(text.String())); err != nil {
			return err
		}
	}
	return nil
}

// auditInputs gives what an argument names, for each platform, and the policy
// of a manifest.
func (a *app) auditInputs(ctx context.Context, arg string, platforms []string) ([]audit.Input, manifest.Policy, error) {
	if isManifest(arg) {
		return a.manifestInputs(ctx, arg, platforms)
	}
	inputs, err := a.imageInputs(ctx, arg, platforms)
	return inputs, manifest.Policy{}, err
}

// manifestInputs builds what a manifest describes. Its policy is not applied
// on the way: an audit shows what it is broken by.
func (a *app) manifestInputs(ctx context.Context, arg string, platforms []string) ([]audit.Input, manifest.Policy, error) {
	p, err := a.open(arg, platforms)
	if err != nil {
		return nil, manifest.Policy{}, err
	}
	defer p.Close()
	env, err := a.env(p)
	if err != nil {
		return nil, manifest.Policy{}, err
	}
	lock, err := a.lockFor(ctx, env, p, false, false)
	if err != nil {
		return nil, manifest.Policy{}, err
	}
	policy := p.image.Policy
	img := *p.image
	img.Policy.Forbid, img.Policy.MaxSize = nil, 0
	built, err := build.Images(ctx, env, &img, lock)
	if err != nil {
		return nil, policy, err
	}
	var inputs []audit.Input
	for _, b := range built {
		in := build.AuditInput(env, &img, lock, b)
		in.Now = env.Now
		inputs = append(inputs, in)
	}
	return inputs, policy, nil
}

// imageInputs reads an image that is there. What is known of its packages
// stands in the package databases that it holds.
func (a *app) imageInputs(ctx context.Context, arg string, platforms []string) ([]audit.Input, error) {
	stored, err := openImage(ctx, arg)
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	images, err := chosenImages(stored, platforms)
	if err != nil {
		return nil, err
	}
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	var inputs []audit.Input
	for _, img := range images {
		in, err := imageInput(ctx, store, img)
		if err != nil {
			return nil, err
		}
		in.Image, in.Now, in.Jobs = arg, time.Now(), a.parallel()
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// chosenImages are the images of the named platforms; all if none is named.
func chosenImages(stored *oci.Stored, platforms []string) ([]*oci.StoredImage, error) {
	if len(platforms) == 0 {
		return stored.Images, nil
	}
	wanted, err := manifest.ParsePlatforms(platforms)
	if err != nil {
		return nil, &usageError{err}
	}
	var images []*oci.StoredImage
	for _, w := range wanted {
		img, err := stored.Image(v1.Platform{OS: w.OS, Architecture: w.Arch, Variant: w.Variant})
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return images, nil
}

// imageInput brings the files of an image into the store, to be read there.
func imageInput(ctx context.Context, store cas.Store, img *oci.StoredImage) (audit.Input, error) {
	var in audit.Input
	var layers strings.Builder
	for _, l := range img.Layers {
		fmt.Fprintln(&layers, l.DiffID)
	}
	pack, err := store.NewPack(cas.Sum([]byte("image\n" + layers.String())))
	if err != nil {
		return in, err
	}
	defer pack.Abort()
	tree, err := img.Tree(ctx, pack)
	if err != nil {
		return in, err
	}
	if err := pack.Commit(); err != nil {
		return in, err
	}
	found, err := format.Installed(tree, store)
	if err != nil {
		return in, err
	}
	for n := range tree.All() {
		n.Package = found.Owner[n.Path]
	}
	c := img.Config.Config
	in = audit.Input{
		Platform: oci.PlatformName(img.Platform), Tree: tree, Contents: store, Cache: store,
		Config: audit.Config{User: c.User, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env},
		Graph:  (&resolve.LockedPlatform{Packages: found.Packages}).Graph(),
	}
	for _, p := range found.Packages {
		in.Packages = append(in.Packages, audit.Package{Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, SourceVersion: p.SourceVersion, Licence: p.Licence, Wanted: p.Wanted})
	}
	return in, nil
}

func (a *app) writeSARIF(path string, policy manifest.Policy, broken []audit.Violation) error {
	lines := map[string]int{}
	file := policy.Pos.File
	for _, f := range policy.Forbid {
		lines[f.Text], file = f.Pos.Line, f.Pos.File
	}
	log := audit.NewSARIF(releaseVersion(), build.Policy(policy), broken, file, func(rule string) int { return lines[rule] })
	data, err := json.MarshalIndent(log, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", path, cause(err))
	}
	return nil
}
