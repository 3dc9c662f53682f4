package resolve

import "strings"

// An offer is a name that a package provides, its own among them.
type offer struct {
	pkg     int32
	version string // at which it provides the name; "": none
	own     bool
}

// An index finds who offers a name.
type index struct {
	ids    map[string]int32
	start  []int32 // of each name's offers; one longer than ids
	offers []offer
}

func newIndex(u *Universe) *index {
	x := &index{ids: make(map[string]int32, len(u.Packages)+len(u.Packages)/4)}
	seen := make([]int32, 0, 2*len(u.Packages)) // name of each offer, in the order of the packages
	id := func(name string) {
		n, ok := x.ids[name]
		if !ok {
			n = int32(len(x.ids))
			x.ids[name] = n
		}
		seen = append(seen, n)
	}
	for i := range u.Packages {
		p := &u.Packages[i]
		if !fits(u, p) {
			continue
		}
		id(p.Name)
		for j := range p.Provides {
			id(p.Provides[j].Name)
		}
	}
	x.start = make([]int32, len(x.ids)+1)
	for _, n := range seen {
		x.start[n+1]++
	}
	for n := range len(x.ids) {
		x.start[n+1] += x.start[n]
	}
	x.offers = make([]offer, len(seen))
	next := append([]int32(nil), x.start...)
	k := 0
	put := func(o offer) {
		n := seen[k]
		x.offers[next[n]] = o
		next[n]++
		k++
	}
	for i := range u.Packages {
		p := &u.Packages[i]
		if !fits(u, p) {
			continue
		}
		put(offer{int32(i), p.Version, true})
		for j := range p.Provides {
			put(offer{int32(i), p.Provides[j].Version, false})
		}
	}
	return x
}

// of gives the offers of a name, in no particular order.
func (x *index) of(name string) []offer {
	n, ok := x.ids[name]
	if !ok {
		return nil
	}
	return x.offers[x.start[n]:x.start[n+1]]
}

// fits reports whether p runs on the universe's architecture: it names that
// one, or is for all of them.
func fits(u *Universe, p *Package) bool {
	return p.Arch == u.Arch || p.Arch == "all" || p.Arch == "noarch" || p.Arch == "" || u.Arch == ""
}

// tie puts packages that nothing else tells apart in one order, whatever
// order the universe has.
func (s *solver) tie(a, b int32) int {
	p, q := &s.u.Packages[a], &s.u.Packages[b]
	if c := strings.Compare(q.Source, p.Source); c != 0 {
		return c
	}
	if c := strings.Compare(q.Name, p.Name); c != 0 {
		return c
	}
	if c := s.syntax.Compare(q.Version, p.Version); c != 0 {
		return c
	}
	if c := strings.Compare(s.u.Repositories[p.Repository].Name, s.u.Repositories[q.Repository].Name); c != 0 {
		return c
	}
	if c := strings.Compare(q.Version, p.Version); c != 0 {
		return c
	}
	if c := strings.Compare(p.Arch, q.Arch); c != 0 {
		return c
	}
	return strings.Compare(p.Path, q.Path)
}
