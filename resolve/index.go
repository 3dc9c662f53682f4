package resolve

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// An offer is a name that a package provides, its own among them.
type offer struct {
	pkg     int32
	version string // at which it provides the name; "": none
	own     bool
}

// An index finds who offers a name, and whom it may pull in. It is made anew
// for each Solve, over all packages of a universe, so building it must be
// cheap: names are hashed and chained, and compared only when asked for.
type index struct {
	u      *Universe
	offers chains
	pulls  chains
	found  map[string][]offer // answers of of
	hidden func(pkg int32) bool
}

// chains is a hash table of places: an atom of a package's Provides or When,
// or the package's own name.
type chains struct {
	seed  maphash.Seed
	mask  uint64
	heads []int32 // by hash; index into links plus one
	links []link
}

type link struct {
	pkg, atom int32 // atom -1: the package's own name
	next      int32
}

func newChains(n int) chains {
	size := 1 << bits.Len(uint(n))
	return chains{maphash.MakeSeed(), uint64(size - 1), make([]int32, size), make([]link, 0, n)}
}

func (c *chains) add(name string, pkg, atom int32) {
	h := maphash.String(c.seed, name) & c.mask
	c.links = append(c.links, link{pkg, atom, c.heads[h]})
	c.heads[h] = int32(len(c.links))
}

func (c *chains) first(name string) int32 { return c.heads[maphash.String(c.seed, name)&c.mask] }

func newIndex(u *Universe) *index {
	names, pulls := 0, 0
	for i := range u.Packages {
		names += 1 + len(u.Packages[i].Provides)
		pulls += len(u.Packages[i].When)
	}
	x := &index{u: u, offers: newChains(names), pulls: newChains(pulls), found: map[string][]offer{}}
	for i := range u.Packages {
		p := &u.Packages[i]
		if !fits(u, p) {
			continue
		}
		x.offers.add(p.Name, int32(i), -1)
		for j := range p.Provides {
			x.offers.add(p.Provides[j].Name, int32(i), int32(j))
		}
		for j := range p.When {
			x.pulls.add(p.When[j].Name, int32(i), int32(j))
		}
	}
	return x
}

// hide makes packages disappear.
func (x *index) hide(hidden func(pkg int32) bool) {
	x.hidden = hidden
	clear(x.found)
}

// of gives the offers of a name, in an order that does not depend on the
// universe's.
func (x *index) of(name string) []offer {
	if found, ok := x.found[name]; ok {
		return found
	}
	var out []offer
	for at := x.offers.first(name); at > 0; {
		l := x.offers.links[at-1]
		p := &x.u.Packages[l.pkg]
		switch {
		case x.hidden != nil && x.hidden(l.pkg):
		case l.atom < 0 && p.Name == name:
			out = append(out, offer{l.pkg, p.Version, true})
		case l.atom >= 0 && p.Provides[l.atom].Name == name:
			out = append(out, offer{l.pkg, p.Provides[l.atom].Version, false})
		}
		at = l.next
	}
	slices.SortFunc(out, func(a, b offer) int {
		if c := x.tie(a.pkg, b.pkg); c != 0 {
			return c
		}
		if a.own != b.own {
			return less(a.own) // some packages provide their own name once more
		}
		return strings.Compare(a.version, b.version)
	})
	x.found[name] = out
	return out
}

// pulled appends to list the packages whose When mentions a name.
func (x *index) pulled(list []int32, name string) []int32 {
	for at := x.pulls.first(name); at > 0; {
		l := x.pulls.links[at-1]
		if x.u.Packages[l.pkg].When[l.atom].Name == name {
			list = append(list, l.pkg)
		}
		at = l.next
	}
	return list
}

// fits reports whether p runs on the universe's architecture: it names that
// one, or is for all of them.
func fits(u *Universe, p *Package) bool {
	return p.Arch == u.Arch || p.Arch == "all" || p.Arch == "noarch" || p.Arch == "" || u.Arch == ""
}

// tie puts packages that nothing else tells apart in one order, whatever
// order the universe has: the last by source package and name first.
func (x *index) tie(a, b int32) int {
	p, q := &x.u.Packages[a], &x.u.Packages[b]
	if c := cmp.Or(strings.Compare(q.Source, p.Source), strings.Compare(q.Name, p.Name)); c != 0 {
		return c
	}
	if c := x.u.Syntax.Compare(q.Version, p.Version); c != 0 {
		return c
	}
	return cmp.Or(
		strings.Compare(x.u.Repositories[p.Repository].Name, x.u.Repositories[q.Repository].Name),
		strings.Compare(q.Version, p.Version),
		strings.Compare(p.Arch, q.Arch),
		strings.Compare(p.Path, q.Path),
		bytes.Compare(p.Check.SHA256[:], q.Check.SHA256[:]),
		bytes.Compare(p.Check.Control, q.Check.Control),
	)
}
