package format

import (
	"cmp"
	"slices"
	"strings"

	"compose/resolve"
	"compose/rootfs"
)

// An Inventory is what the package databases of a tree say.
type Inventory struct {
	Packages []resolve.Locked  // sorted by name; only what a database tells is filled in
	Owner    map[string]string // path -> package, of what is no directory
}

// An inventor reads the package database of its format.
type inventor interface {
	resolve.Syntax
	// Installed gives the packages that the tree's database lists, and who
	// brought each path. A tree without one has none. Entries that make no
	// sense are passed over: the tree may be anyone's.
	Installed(t *rootfs.Tree, c rootfs.Contents) ([]resolve.Package, map[string]string, error)
}

// Installed reads the package databases that a tree has, of whatever format.
// A package is needed by those whose dependencies it satisfies, whatever the
// version; one that nobody needs is taken for wanted.
func Installed(t *rootfs.Tree, c rootfs.Contents) (Inventory, error) {
	all := Inventory{Owner: map[string]string{}}
	for _, f := range formats {
		i, ok := f.(inventor)
		if !ok {
			continue
		}
		pkgs, owner, err := i.Installed(t, c)
		if err != nil {
			return all, err
		}
		for path, pkg := range owner {
			all.Owner[path] = pkg
		}
		all.Packages = append(all.Packages, explained(i, pkgs)...)
	}
	slices.SortFunc(all.Packages, func(a, b resolve.Locked) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch))
	})
	return all, nil
}

// explained finds out who needs whom.
func explained(s resolve.Syntax, pkgs []resolve.Package) []resolve.Locked {
	offers := map[string][]string{}
	for i := range pkgs {
		p := &pkgs[i]
		offers[p.Name] = append(offers[p.Name], p.Name)
		for _, o := range p.Provides {
			offers[o.Name] = append(offers[o.Name], p.Name)
		}
	}
	why := map[string][]string{}
	for i := range pkgs {
		p := &pkgs[i]
		r, err := s.Relations(p)
		if err != nil {
			continue
		}
		for _, clause := range r.Depends {
			for _, to := range satisfying(clause, offers) {
				if to != p.Name && !slices.Contains(why[to], p.Name) {
					why[to] = append(why[to], p.Name)
				}
			}
		}
	}
	list := make([]resolve.Locked, len(pkgs))
	for i, p := range pkgs {
		needers := why[p.Name]
		slices.Sort(needers)
		list[i] = resolve.Locked{
			Name: p.Name, Version: p.Version, Arch: p.Arch, InstalledSize: p.InstalledSize, BuildTime: p.BuildTime,
			Source: p.Source, SourceVersion: p.SourceVersion, Licence: p.Licence, Wanted: len(needers) == 0, Why: needers,
		}
	}
	return list
}

// satisfying are the packages that the first alternative comes to which any
// package offers.
func satisfying(clause resolve.Clause, offers map[string][]string) []string {
	for _, a := range clause {
		if by := offers[a.Name]; by != nil {
			return by
		}
	}
	return nil
}
