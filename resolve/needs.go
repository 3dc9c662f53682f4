package resolve

import (
	"cmp"
	"slices"
)

// A need is one clause that a package, or a want, must have satisfied.
type need struct {
	clause Clause
	offers []int32 // packages that satisfy it, best first
	soft   bool    // Recommends: only if possible
	elided bool    // an elided name satisfies it
}

// candidates gives the packages that satisfy a clause, best first. of is the
// package that needs it, or -1 for a want.
func (s *solver) candidates(c Clause, of int32) []int32 {
	if len(c) == 1 {
		return s.matching(c[0], of)
	}
	var out []int32
	for _, a := range c {
		for _, p := range s.matching(a, of) {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	if len(s.prefer) > 0 { // a preferred name goes before earlier alternatives
		slices.SortStableFunc(out, func(a, b int32) int { return s.preferred(a) - s.preferred(b) })
	}
	return s.oldLast(out)
}

// matching gives the packages that an atom allows, best first.
func (s *solver) matching(a Atom, of int32) []int32 {
	var found []offer
	for _, o := range s.index.of(a.Name) {
		if s.allows(a, o) && s.serves(a, o.pkg) && !slices.ContainsFunc(found, func(f offer) bool { return f.pkg == o.pkg }) {
			found = append(found, o)
		}
	}
	if len(found) > 1 {
		slices.SortFunc(found, func(x, y offer) int { return s.compare(x, y) })
	}
	out := make([]int32, len(found))
	for i, o := range found {
		out[i] = o.pkg
	}
	if len(out) > 1 {
		return s.oldLast(out)
	}
	return out
}

// allows reports whether the offer is one that the atom asks for.
func (s *solver) allows(a Atom, o offer) bool {
	p := &s.u.Packages[o.pkg]
	switch a.Arch {
	case "":
	case "any":
		if p.Fields.MultiArch != "allowed" {
			return false
		}
	default:
		if p.Arch != a.Arch && a.Arch != s.u.Arch {
			return false
		}
	}
	if a.Op == "" {
		return true
	}
	if o.version == "" {
		return s.manners.Bare && a.Op[0] == '<'
	}
	return s.syntax.Satisfies(o.version, a.Op, a.Version)
}

// serves reports whether the package's repository may serve the atom.
func (s *solver) serves(a Atom, pkg int32) bool {
	return a.Pin == "" || s.u.Repositories[s.u.Packages[pkg].Repository].Pin == a.Pin
}

// compare is negative where x is the better offer for one atom.
func (s *solver) compare(x, y offer) int {
	return cmp.Or(s.rank(x, y), s.index.tie(x.pkg, y.pkg))
}

// rank is what tells two offers for one atom apart but for their names.
func (s *solver) rank(x, y offer) int {
	p, q := &s.u.Packages[x.pkg], &s.u.Packages[y.pkg]
	if c := s.preferred(x.pkg) - s.preferred(y.pkg); c != 0 {
		return c
	}
	if c := s.kept(y.pkg) - s.kept(x.pkg); c != 0 {
		return c
	}
	if c := s.pinned(x.pkg) - s.pinned(y.pkg); c != 0 {
		return c
	}
	if s.manners.ByProvided {
		if (x.version == "") != (y.version == "") {
			return less(x.version != "")
		}
		if x.version != "" {
			if c := s.syntax.Compare(y.version, x.version); c != 0 {
				return c
			}
		}
	}
	if x.own != y.own {
		return less(x.own)
	}
	if p.Name == q.Name {
		if c := s.syntax.Compare(q.Version, p.Version); c != 0 {
			return c
		}
	}
	if p.Essential != q.Essential {
		return less(p.Essential)
	}
	if p.Fields.Important != q.Fields.Important {
		return less(p.Fields.Important)
	}
	if c := importance(p) - importance(q); c != 0 {
		return c
	}
	return q.Priority - p.Priority
}

func less(first bool) int {
	if first {
		return -1
	}
	return 1
}

// importance is the distribution's own importance of a package (deb's Priority).
func importance(p *Package) int {
	switch p.Fields.Priority {
	case "required":
		return 1
	case "important":
		return 2
	case "standard":
		return 3
	case "optional", "":
		return 4
	}
	return 5
}

// preferred is the package's place in Options.Prefer.
func (s *solver) preferred(pkg int32) int {
	if len(s.prefer) == 0 {
		return 0
	}
	if n, ok := s.prefer[s.u.Packages[pkg].Name]; ok {
		return n
	}
	return len(s.prefer)
}

func (s *solver) kept(pkg int32) int {
	p := &s.u.Packages[pkg]
	if v, ok := s.options.Keep[p.Name]; ok && v == p.Version {
		return 1
	}
	return 0
}

func (s *solver) pinned(pkg int32) int {
	if s.u.Repositories[s.u.Packages[pkg].Repository].Pin != "" {
		return 1
	}
	return 0
}

// oldLast moves packages that are not the newest of their name, or the one
// to keep, behind all that are: an old version is chosen only when nothing
// else can be.
func (s *solver) oldLast(list []int32) []int32 {
	var old []int32
	out := list[:0]
	for _, p := range list {
		if s.isOld(p) {
			old = append(old, p)
		} else {
			out = append(out, p)
		}
	}
	return append(out, old...)
}

func (s *solver) isOld(pkg int32) bool {
	p := &s.u.Packages[pkg]
	if s.kept(pkg) > 0 {
		return false
	}
	for _, o := range s.index.of(p.Name) {
		if !o.own || o.pkg == pkg {
			continue
		}
		if s.kept(o.pkg) > 0 {
			return true
		}
		if s.pinned(o.pkg) == 0 && s.syntax.Compare(s.u.Packages[o.pkg].Version, p.Version) > 0 {
			return true
		}
	}
	return false
}
