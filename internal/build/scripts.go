package build

import (
	"context"

	"compose/internal/format"
	"compose/internal/script"
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
