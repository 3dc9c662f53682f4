package resolve

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var rounds = flag.Int("rounds", 3000, "random universes for each test that takes them")

// randomUniverse makes a few packages that need, provide and hate each other.
func randomUniverse(r *rand.Rand, m Manners) *Universe {
	u := &Universe{Syntax: toy{m}, Arch: "x", Repositories: []Repository{{Name: "one"}, {Name: "two"}}}
	name := func() string { return string(rune('a' + r.IntN(6))) }
	atom := func() string {
		a := name()
		if r.IntN(6) == 0 {
			a = "v" + string(rune('0'+r.IntN(2)))
		}
		if r.IntN(4) == 0 {
			a += []string{"=", "<", ">", ">=", "<="}[r.IntN(5)] + fmt.Sprint(1+r.IntN(2))
		}
		return a
	}
	for range 5 + r.IntN(6) {
		n, v := name(), fmt.Sprint(1+r.IntN(2))
		var parts []string
		for range r.IntN(3) {
			clause := atom()
			for r.IntN(3) == 0 {
				clause += " | " + atom()
			}
			parts = append(parts, clause)
		}
		if r.IntN(3) == 0 {
			parts = append(parts, "conflicts "+atom())
		}
		if r.IntN(3) == 0 {
			p := "provides v" + string(rune('0'+r.IntN(2)))
			if r.IntN(2) == 0 {
				p += "=" + fmt.Sprint(1+r.IntN(2))
			}
			parts = append(parts, p)
		}
		if r.IntN(6) == 0 {
			parts = append(parts, "when "+name()+" "+name())
		}
		if r.IntN(4) == 0 {
			parts = append(parts, "recommends "+atom())
		}
		p := toyPackage(n, v, strings.Join(parts, ", "))
		p.Repository = r.IntN(2)
		p.Priority = r.IntN(3)
		if !slices.ContainsFunc(u.Packages, func(q Package) bool { return q.Path == p.Path && q.Repository == p.Repository }) {
			u.Packages = append(u.Packages, p)
		}
	}
	return u
}

func randomWants(r *rand.Rand) []Want {
	var texts []string
	for range 1 + r.IntN(3) {
		text := string(rune('a' + r.IntN(6)))
		switch r.IntN(8) {
		case 0:
			text = "!" + text
		case 1:
			text += ">" + fmt.Sprint(r.IntN(2))
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return toyWants(strings.Join(texts, ", "))
}

// fitsAtom says again, in other words than Solve's, whether p is what a asks
// for.
func fitsAtom(u *Universe, p *Package, a Atom) bool {
	y := u.Syntax.(toy)
	if p.Name == a.Name && (a.Op == "" || y.Satisfies(p.Version, a.Op, a.Version)) {
		return true
	}
	return slices.ContainsFunc(p.Provides, func(v Atom) bool {
		if v.Name != a.Name {
			return false
		}
		if a.Op == "" || v.Version == "" {
			return a.Op == "" || y.manners.Bare && (a.Op == "<" || a.Op == "<=")
		}
		return y.Satisfies(v.Version, a.Op, a.Version)
	})
}

// wrong says what is wrong with a set of packages as an answer; "" if nothing
// is.
func wrong(u *Universe, wants []Want, set []*Package) string {
	y := u.Syntax.(toy)
	has := func(c Clause, named bool) bool {
		return slices.ContainsFunc(set, func(p *Package) bool {
			return slices.ContainsFunc(c, func(a Atom) bool { return fitsAtom(u, p, a) && (!named || p.Name == a.Name) })
		})
	}
	for _, w := range wants {
		named := y.manners.Named && slices.ContainsFunc(u.Packages, func(p Package) bool {
			return p.Name == w.Clause[0].Name && fitsAtom(u, &p, w.Clause[0])
		})
		if has(w.Clause, named && !w.Exclude) == w.Exclude {
			return "want " + w.Text
		}
	}
	for i, p := range set {
		r, _ := y.Relations(p)
		for _, c := range r.Depends {
			if !has(c, false) {
				return p.Name + " needs " + clauseText(c)
			}
		}
		for _, q := range set[i+1:] {
			if p.Name == q.Name {
				return "twice " + p.Name
			}
			if y.manners.Exclusive && exclusive(p, q) {
				return p.Name + " and " + q.Name + " provide one name"
			}
		}
		for _, a := range r.Conflicts {
			for _, q := range set {
				if q != p && fitsAtom(u, q, a) {
					return p.Name + " conflicts with " + q.Name
				}
			}
		}
	}
	return ""
}

func exclusive(p, q *Package) bool {
	names := func(p *Package) []Atom { return append([]Atom{{Name: p.Name, Version: p.Version}}, p.Provides...) }
	for _, a := range names(p) {
		for _, b := range names(q) {
			if a.Name == b.Name && (a.Version != "" || b.Version != "") {
				return true
			}
		}
	}
	return false
}

// brute tries every set of packages.
func brute(u *Universe, wants []Want) bool {
	for bits := range 1 << len(u.Packages) {
		var set []*Package
		for i := range u.Packages {
			if bits>>i&1 == 1 {
				set = append(set, &u.Packages[i])
			}
		}
		if wrong(u, wants, set) == "" {
			return true
		}
	}
	return false
}

func members(c *Closure) []*Package {
	var out []*Package
	for _, p := range c.Packages {
		out = append(out, p.Package)
	}
	return out
}

func show(u *Universe, wants []Want) string {
	var b strings.Builder
	for _, p := range u.Packages {
		fmt.Fprintf(&b, "%s %s: %+v provides %v when %v\n", p.Name, p.Version, p.Fields, p.Provides, p.When)
	}
	fmt.Fprintf(&b, "want %+v", wants)
	return b.String()
}

// TestRandom holds Solve against trying everything: it finds a closure where
// there is one, what it finds is sound, nothing in it is there without being
// needed, and no order of the input changes it.
func TestRandom(t *testing.T) {
	for name, m := range map[string]Manners{"nobody": {}, "apt": likeApt, "apk": likeApk} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, uint64(len(name))))
			solved := 0
			for round := range *rounds {
				u, wants := randomUniverse(r, m), randomWants(r)
				o := Options{Recommends: round%2 == 0}
				c, err := Solve(u, wants, o)
				var why *Unsatisfied
				if errors.As(err, &why) && why.Kind == KindAmbiguous {
					continue
				}
				if possible := brute(u, wants); (err == nil) != possible {
					t.Fatalf("round %d: a closure exists: %v; Solve: %v\n%s", round, possible, answer(c, err), show(u, wants))
				}
				for range 4 {
					mixed := slices.Clone(wants)
					r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
					if a, b := answer(c, err), answer(Solve(shuffled(u, r), mixed, o)); a != b {
						t.Fatalf("round %d: the order matters:\n%s\n%s\n%s", round, a, b, show(u, wants))
					}
				}
				if err != nil {
					continue
				}
				solved++
				if w := wrong(u, wants, members(c)); w != "" {
					t.Fatalf("round %d: %s: %s\n%s", round, answer(c, nil), w, show(u, wants))
				}
				for _, p := range c.Packages {
					if len(p.Why) == 0 {
						t.Fatalf("round %d: %s: nothing needs %s\n%s", round, answer(c, nil), p.Name, show(u, wants))
					}
				}
			}
			if solved < *rounds/4 {
				t.Errorf("only %d of %d universes have a closure: too few to tell", solved, *rounds)
			}
		})
	}
}
