package build

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"compose/internal/audit"
	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// AuditInput is what an audit of b sees.
func AuditInput(env Env, img *manifest.Image, lock *resolve.Lock, b Built) audit.Input {
	in := audit.Input{
		Image: img.Name, Platform: b.Platform.String(), Tree: b.Tree, Contents: env.Store, Cache: env.Store, Jobs: env.Jobs,
		Config: audit.Config{User: img.Config.User, Entrypoint: img.Config.Entrypoint, Cmd: img.Config.Cmd},
	}
	for name, value := range img.Config.Env {
		in.Config.Env = append(in.Config.Env, name+"="+value)
	}
	slices.Sort(in.Config.Env)
	if p, ok := lock.Platform(b.Platform.String()); ok {
		in.Graph = p.Graph()
	}
	for _, p := range b.Packages {
		in.Packages = append(in.Packages, audit.Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, Source: cmp.Or(p.Source, p.Name), SourceVersion: cmp.Or(p.SourceVersion, p.Version),
			Licence: p.Licence, Wanted: p.Wanted, Scripts: b.notRun(p),
		})
	}
	return in
}

// notRun are the scripts of a package that would have run when it was
// installed, and of which nobody knows what they would have done.
func (b Built) notRun(p *rootfs.Package) []string { return p.Scripts }

// Policy is the part of a manifest's policy that an audit judges.
func Policy(p manifest.Policy) audit.Policy {
	var out audit.Policy
	for _, f := range p.Forbid {
		out.Forbid = append(out.Forbid, f.Text)
	}
	for _, a := range p.Allow {
		out.Allow = append(out.Allow, a.Item)
	}
	return out
}

// forbiddenIn evaluates the manifest's policy over the finished tree.
func forbiddenIn(ctx context.Context, env Env, img *manifest.Image, lock *resolve.Lock, b Built) error {
	if len(img.Policy.Forbid) == 0 {
		return nil
	}
	r, err := audit.Run(ctx, AuditInput(env, img, lock, b))
	if err != nil {
		return err
	}
	return PolicyError(img.Policy, b.Platform.String(), r.Violations(Policy(img.Policy)))
}

// PolicyError is the refusal of an image for all that breaks its policy: a
// line each with the place of the rule, and the way out. It is nil where
// nothing does.
func PolicyError(p manifest.Policy, image string, broken []audit.Violation) error {
	if len(broken) == 0 {
		return nil
	}
	rules := map[string]manifest.Pos{}
	for _, f := range p.Forbid {
		rules[f.Text] = f.Pos
	}
	var text strings.Builder
	for _, v := range broken {
		fmt.Fprintf(&text, "\n\t%s: forbid %s: %s\n\t\thint: %s", rules[v.Rule], v.Rule, v, v.Hint)
	}
	noun := "things"
	if len(broken) == 1 {
		noun = "thing"
	}
	return fault.New(fault.Policy, "policy: %s has %d %s that it forbids%s", image, len(broken), noun, text.String())
}
