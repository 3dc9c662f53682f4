package build

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

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

// numberAccounts gives the lock the numbers of the accounts that scripts make,
// by name: those that the lock before had, or else the ones that they get
// when the scripts are interpreted now. Later builds keep them.
func numberAccounts(ctx context.Context, env Env, img *manifest.Image, lock, previous *resolve.Lock, f format.Format, arch string, packages []*rootfs.Package) error {
	if f == nil {
		return nil
	}
	rehearsal := *lock
	rehearsal.Users, rehearsal.Groups = merged(previous.Users, lock.Users), merged(previous.Groups, lock.Groups)
	r := recipe(env, img, &rehearsal, arch, packages, nil)
	r.Remove, r.Slim, r.Database = nil, nil, "none"
	var ledger script.Ledger
	run := configure(ctx, env, &rehearsal, f, arch, packages, &ledger)
	r.Configure = func(t *rootfs.Tree) error {
		before, err := numbersIn(t, env)
		if err != nil {
			return err
		}
		if err := run(t); err != nil {
			return err
		}
		after, err := numbersIn(t, env)
		if err != nil {
			return err
		}
		lock.Users = merged(lock.Users, without(after.users, before.users))
		lock.Groups = merged(lock.Groups, without(after.groups, before.groups))
		return nil
	}
	_, _, err := rootfs.Assemble(r, f)
	return err
}

// accountIDs are the numbers of a tree's accounts by name.
type accountIDs struct{ users, groups map[string]int }

func numbersIn(t *rootfs.Tree, env Env) (accountIDs, error) {
	ids := accountIDs{map[string]int{}, map[string]int{}}
	for path, numbers := range map[string]map[string]int{"etc/passwd": ids.users, "etc/group": ids.groups} {
		n := t.Lookup(path)
		if n == nil {
			continue
		}
		text, err := rootfs.Read(env.Store, n.Content)
		if err != nil {
			return ids, fmt.Errorf("/%s: %w", path, err)
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Split(line, ":"); len(fields) > 2 {
				if id, err := strconv.Atoi(fields[2]); err == nil {
					numbers[fields[0]] = id
				}
			}
		}
	}
	return ids, nil
}

// merged has what a and b have; b has the last word.
func merged(a, b map[string]int) map[string]int {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]int{}
	}
	maps.Copy(m, b)
	return m
}

// without has what a has and b has not.
func without(a, b map[string]int) map[string]int {
	m := map[string]int{}
	for name, id := range a {
		if _, ok := b[name]; !ok {
			m[name] = id
		}
	}
	return m
}
