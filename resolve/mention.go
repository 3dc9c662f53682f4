package resolve

import (
	"cmp"
	"slices"
	"strings"
)

// apt numbers package names as its cache meets them, in an index that is
// sorted by source package, and of providers that nothing else tells apart it
// takes the one with the highest number. The numbers follow from the set of
// packages alone, so Solve can have them too; but looking through all
// relations takes time, so it is done only where a choice hangs on it, and
// only for the names in question. (apt also counts Suggests and Enhances,
// which a Package does not have.)

// A spot is where a name is mentioned first.
type spot struct {
	source, name string // of the package that does
	field, at    int
}

func (a spot) compare(b spot) int {
	return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.name, b.name), cmp.Compare(a.field, b.field), cmp.Compare(a.at, b.at))
}

// lastMentioned gives the package whose name is mentioned last.
func (s *solver) lastMentioned(pkgs []int32) int32 {
	return slices.MaxFunc(pkgs, func(a, b int32) int { return s.mention(a).compare(s.mention(b)) })
}

// mention finds where the name of a package is first mentioned.
func (s *solver) mention(pkg int32) spot {
	p := &s.u.Packages[pkg]
	if at, ok := s.spots[p.Name]; ok {
		return at
	}
	first := spot{p.Source, p.Name, 0, 0}
	for i := range s.u.Packages {
		q := &s.u.Packages[i]
		if c := cmp.Or(strings.Compare(q.Source, first.source), strings.Compare(q.Name, first.name)); c > 0 || !fits(s.u, q) {
			continue
		}
		f := &q.Fields
		for n, text := range [...]string{f.PreDepends, f.Depends, f.Conflicts, f.Breaks, f.Recommends, f.Replaces} {
			if at := findName(text, p.Name); at >= 0 {
				if here := (spot{q.Source, q.Name, n + 1, at}); here.compare(first) < 0 {
					first = here
				}
			}
		}
		for n := range q.Provides {
			if here := (spot{q.Source, q.Name, 7, n}); q.Provides[n].Name == p.Name && here.compare(first) < 0 {
				first = here
			}
		}
	}
	if s.spots == nil {
		s.spots = map[string]spot{}
	}
	s.spots[p.Name] = first
	return first
}

// findName is the place of a name in a relation field, not as a part of
// another name; -1 if it is not there.
func findName(text, name string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return -1
		}
		i += from
		end := i + len(name)
		if (i == 0 || !inName(text[i-1])) && (end == len(text) || !inName(text[end])) {
			return i
		}
		from = i + 1
	}
}

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || strings.IndexByte("+-._", c) >= 0
}

// equals gives the packages that may be taken for n as well as p: that
// satisfy the same atom by what they provide, and rank the same.
func (s *solver) equals(n *need, p int32) []int32 {
	out := []int32{p}
	for _, a := range n.clause {
		var mine *offer
		offers := s.index.of(a.Name)
		for i, o := range offers {
			if o.pkg == p && s.allows(a, o) {
				mine = &offers[i]
				break
			}
		}
		if mine == nil {
			continue
		}
		for _, o := range offers {
			q := o.pkg
			if q != p && !o.own && !mine.own && slices.Contains(n.offers, q) && s.search.value[q] != no &&
				s.allows(a, o) && s.rank(*mine, o) == 0 && s.isOld(p) == s.isOld(q) && s.u.Packages[p].Name != s.u.Packages[q].Name {
				out = append(out, q)
			}
		}
		break
	}
	return out
}
