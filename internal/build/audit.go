package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"compose/internal/audit"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
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

// notRun are the scripts of a package that could not be interpreted, each with
// the reason: nobody knows what they would have done.
func (b Built) notRun(p *rootfs.Package) []string {
	var list []string
	for _, e := range b.Ledger.Unknown() {
		if e.Package == p.Name {
			list = append(list, e.Script+" ("+e.Reason+")")
		}
	}
	return list
}

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

// audited looks at the finished tree: it notes what cannot work, and refuses
// what the manifest's policy forbids. That an image passed, and with which
// notes, is kept: an unchanged build need not look again.
func audited(ctx context.Context, env Env, img *manifest.Image, lock *resolve.Lock, b *Built, layers []oci.Layer) error {
	key := auditKey(img, lock, *b, layers)
	var notes []string
	if data, ok := env.Store.Derived("audit", key); ok && json.Unmarshal(data, &notes) == nil {
		b.Notes = append(b.Notes, notes...)
		return nil
	}
	r, err := audit.Run(ctx, AuditInput(env, img, lock, *b))
	if err != nil {
		return err
	}
	if err := PolicyError(img.Policy, b.Platform.String(), r.Violations(Policy(img.Policy))); err != nil {
		return err
	}
	notes = r.Broken()
	b.Notes = append(b.Notes, notes...)
	data, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	return env.Store.PutDerived("audit", key, data)
}

// auditForm changes with what an audit takes for broken or forbidden.
const auditForm = "audit 1"

// auditKey names all that an audit of b follows from: its files, the packages
// that brought them, the manifest, and the scripts that were not run.
func auditKey(img *manifest.Image, lock *resolve.Lock, b Built, layers []oci.Layer) cas.Digest {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", auditForm, b.Platform, img.Canonical(), b.Ledger.Unknown().List())
	for _, l := range layers {
		fmt.Fprintln(h, l.DiffID)
	}
	if p, ok := lock.Platform(b.Platform.String()); ok {
		for _, k := range p.Packages {
			fmt.Fprintln(h, k.Name, k.SHA256)
		}
	}
	return cas.Digest(h.Sum(nil))
}

// A Refusal is all that breaks a policy in an image.
type Refusal struct {
	Image    string // or the platform
	Breaches []Breach
}

// A Breach is a violation, and where the rule stands that it violates.
type Breach struct {
	Pos manifest.Pos
	audit.Violation
}

// Error is a line for each breach, and the way out.
func (r *Refusal) Error() string {
	var text strings.Builder
	noun := "things"
	if len(r.Breaches) == 1 {
		noun = "thing"
	}
	fmt.Fprintf(&text, "policy: %s has %d %s that it forbids", r.Image, len(r.Breaches), noun)
	for _, b := range r.Breaches {
		fmt.Fprintf(&text, "\n%s: forbid %s: %s\n\thint: %s", b.Pos, b.Rule, b.Violation, b.Hint)
	}
	return text.String()
}

// PolicyError is the refusal of an image for what breaks its policy; nil where
// nothing does.
func PolicyError(p manifest.Policy, image string, broken []audit.Violation) error {
	if len(broken) == 0 {
		return nil
	}
	rules := map[string]manifest.Pos{}
	for _, f := range p.Forbid {
		rules[f.Text] = f.Pos
	}
	r := &Refusal{Image: image}
	for _, v := range broken {
		r.Breaches = append(r.Breaches, Breach{rules[v.Rule], v})
	}
	return fault.New(fault.Policy, "%w", r)
}
