package build

import (
	"context"

	"compose/internal/fault"
	"compose/internal/format"
	"compose/internal/script"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// configure gives the step of a tree's assembly that interprets the scripts
// of packages over it. Accounts that scripts make get the numbers that the
// lock has for their names.
func configure(ctx context.Context, env Env, lock *resolve.Lock, f format.Format, arch string, packages []*rootfs.Package, ledger *script.Ledger) func(*rootfs.Tree) error {
	if f == nil {
		return nil
	}
	return func(t *rootfs.Tree) (err error) {
		facts := script.Facts{UIDs: lock.Users, GIDs: lock.Groups, Packages: map[string]*rootfs.Package{}, Compare: f.Compare}
		for _, p := range packages {
			facts.Packages[p.Name] = p
		}
		in := &script.Interpreter{Tree: t, Contents: env.Store, Epoch: lock.Epoch, Arch: arch}
		in.Tell(facts)
		if *ledger, err = in.RunAll(ctx, f.Scripts(t, packages)); err != nil {
			return err
		}
		for _, p := range packages {
			p.Configured = ledger.Finished(p.Name)
		}
		return nil
	}
}

// permitted refuses an image that the manifest's policy does not allow.
func permitted(img *manifest.Image, b Built) error {
	for _, a := range img.Policy.Forbid {
		if a.Text != "unknown-scripts" {
			continue
		}
		for _, e := range b.Ledger.Unknown() {
			if !allowed(img, e.Package) {
				return &PosError{Pos: a.Pos, Err: fault.New(fault.Policy, "policy: forbid unknown-scripts: %s", e)}
			}
		}
	}
	return nil
}

// allowed reports whether policy.allow names the item.
func allowed(img *manifest.Image, item string) bool {
	for _, a := range img.Policy.Allow {
		if a.Item == item {
			return true
		}
	}
	return false
}
