package resolve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"compose/internal/fault"
)

// DefaultSteps is how many steps Solve takes before it gives up: a step is one
// package decided or one rule looked at. The largest real closures need about
// a hundred thousand; the bound is some seconds.
const DefaultSteps = 50_000_000

type solver struct {
	u       *Universe
	syntax  Syntax
	manners Manners
	options Options
	index   *index
	search  *search
	prefer  map[string]int
	elide   map[string]bool
	wants   []Want
	roots   []need   // of the wants, one each
	needs   [][]need // by package, once opened
	broken  error    // a relation that the syntax cannot read

	spots    map[string]spot // where names are mentioned first
	taken    []bool          // members of the closure, as far as it has been walked
	order    []int32         // the same, in the order in which they were taken
	elided   map[string]bool
	late     bool            // nothing is put off any more
	deferred []*need         // of shared names, for which nothing could be taken yet
	decided  map[string]bool // preferences that made a difference
}

// Solve chooses packages so that every want and every dependency of each
// chosen package is satisfied and nothing conflicts, or tells why it cannot,
// as an *Unsatisfied. The answer depends on the sets of packages,
// repositories and wants alone, not on their order.
func Solve(u *Universe, wants []Want, o Options) (*Closure, error) {
	s := newSolver(u, wants, o)
	if err := s.addWants(); err != nil {
		return nil, err
	}
	for {
		result := s.attempt()
		switch {
		case s.broken != nil:
			return nil, s.broken
		case result == stuck:
			return nil, s.explain()
		case result == done:
			if err := cmp.Or(s.trust(), s.unnamed()); err != nil {
				return nil, err
			}
			return s.closure(), nil
		}
		if limit := s.limit(); s.search.steps > limit {
			return nil, s.giveUp(limit)
		}
	}
}

func newSolver(u *Universe, wants []Want, o Options) *solver {
	s := &solver{
		u: u, syntax: u.Syntax, manners: manners(u.Syntax), options: o,
		index: newIndex(u), search: newSearch(len(u.Packages)),
		wants: slices.Clone(wants), needs: make([][]need, len(u.Packages)),
		elide: map[string]bool{}, taken: make([]bool, len(u.Packages)),
	}
	s.search.opened = s.open
	for _, name := range o.Elide {
		s.elide[name] = true
	}
	if len(o.Prefer) > 0 {
		s.prefer = map[string]int{}
		for i, name := range o.Prefer {
			if _, ok := s.prefer[name]; !ok {
				s.prefer[name] = i
			}
		}
	}
	if o.Essential {
		s.wantEssential()
	}
	s.pin()
	slices.SortStableFunc(s.wants, func(a, b Want) int {
		return cmp.Or(s.byRef(a, b), compareClauses(a.Clause, b.Clause), strings.Compare(a.Text, b.Text))
	})
	return s
}

// byRef compares two wants by their places in the manifest, where those count.
func (s *solver) byRef(a, b Want) int {
	if s.manners.DepthFirst {
		return a.Ref - b.Ref
	}
	return 0
}

func (s *solver) limit() int {
	if s.options.Steps > 0 {
		return s.options.Steps
	}
	return DefaultSteps
}

// wantEssential adds a want for each name that has an essential package.
func (s *solver) wantEssential() {
	names := map[string]bool{}
	for i := range s.u.Packages {
		if p := &s.u.Packages[i]; p.Essential && fits(s.u, p) {
			names[p.Name] = true
		}
	}
	for name := range names {
		s.wants = append(s.wants, Want{Clause: Clause{{Name: name}}, Text: name, Ref: -1})
	}
}

// pin hides the packages of repositories that serve only pinned atoms, but
// for those that a want pins, and what such a package may need from its own
// repository.
func (s *solver) pin() {
	if !slices.ContainsFunc(s.u.Repositories, func(r Repository) bool { return r.Pin != "" }) {
		return
	}
	open := make([]bool, len(s.u.Packages))
	var queue []int32
	serve := func(c Clause, pin string) {
		for _, a := range c {
			a.Pin = pin
			for _, p := range s.matching(a, -1) {
				if !open[p] {
					open[p] = true
					queue = append(queue, p)
				}
			}
		}
	}
	for _, w := range s.wants {
		for _, a := range w.Clause {
			if a.Pin != "" {
				serve(Clause{a}, a.Pin)
			}
		}
	}
	for len(queue) > 0 {
		p := &s.u.Packages[queue[0]]
		queue = queue[1:]
		if r, err := s.syntax.Relations(p); err == nil { // an error is told when p is taken
			for _, c := range r.Depends {
				serve(c, s.u.Repositories[p.Repository].Pin)
			}
		}
	}
	s.index.hide(func(p int32) bool { return s.pinned(p) > 0 && !open[p] })
}

func compareClauses(a, b Clause) int {
	return slices.CompareFunc(a, b, func(x, y Atom) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Op, y.Op), strings.Compare(x.Version, y.Version),
			strings.Compare(x.Arch, y.Arch), strings.Compare(x.Pin, y.Pin))
	})
}

// addWants states the wants as rules.
func (s *solver) addWants() error {
	s.roots = make([]need, len(s.wants))
	for i, w := range s.wants {
		c := cause{kind: byWant, want: int32(i)}
		if w.Exclude {
			c.kind = byExclude
			for _, a := range w.Clause {
				for _, p := range s.matching(a, -1) {
					s.search.add(c, leave(p))
				}
			}
			continue
		}
		n := need{clause: w.Clause, offers: s.candidates(w.Clause, -1)}
		if s.manners.Named {
			n.offers = s.named(w.Clause, n.offers)
			if s.undecided(w.Clause, n.offers) {
				return s.ambiguous(w, nil, n.offers)
			}
		}
		s.roots[i] = n
		s.search.add(c, takeAny(n.offers)...)
	}
	return nil
}

// undecided reports whether offers are several packages, none of which is
// named by the want or by a preference.
func (s *solver) undecided(c Clause, offers []int32) bool {
	if len(offers) == 0 || s.preferred(offers[0]) < len(s.prefer) {
		return false
	}
	first := s.u.Packages[offers[0]].Name
	if slices.ContainsFunc(c, func(a Atom) bool { return a.Name == first }) {
		return false
	}
	return slices.ContainsFunc(offers, func(p int32) bool { return s.u.Packages[p].Name != first })
}

// named keeps the packages that are called what the want says, if any are.
func (s *solver) named(c Clause, offers []int32) []int32 {
	var own []int32
	for _, p := range offers {
		if slices.ContainsFunc(c, func(a Atom) bool { return a.Name == s.u.Packages[p].Name }) {
			own = append(own, p)
		}
	}
	if len(own) > 0 {
		return own
	}
	return offers
}

func takeAny(pkgs []int32) []lit {
	out := make([]lit, len(pkgs))
	for i, p := range pkgs {
		out[i] = take(p)
	}
	return out
}

// open states the relations of p as rules.
func (s *solver) open(p int32) {
	pkg := &s.u.Packages[p]
	s.exclude(p, pkg.Name, true)
	if s.manners.Exclusive {
		for _, a := range pkg.Provides {
			s.exclude(p, a.Name, a.Version != "")
		}
	}
	r, err := s.syntax.Relations(pkg)
	if err != nil {
		if s.broken == nil {
			s.broken = fault.New(fault.FormatInvalid, "%s %s: %w", pkg.Name, pkg.Version, err)
		}
		return
	}
	needs := make([]need, 0, len(r.Depends)+len(r.Recommends))
	for _, c := range r.Depends {
		needs = append(needs, s.need(c, p))
		n := &needs[len(needs)-1]
		if n.elided || slices.Contains(n.offers, p) {
			continue
		}
		lits := append(takeAny(n.offers), leave(p))
		s.search.add(cause{kind: byDepends, pkg: p, need: int32(len(needs) - 1)}, lits...)
	}
	for _, a := range r.Conflicts {
		for _, q := range s.matching(a, p) {
			if q != p {
				s.search.add(cause{kind: byConflict, pkg: p, other: q}, leave(p), leave(q))
			}
		}
	}
	if s.options.Recommends {
		for _, c := range r.Recommends {
			n := s.need(c, p)
			n.soft = true
			needs = append(needs, n)
		}
	}
	s.needs[p] = needs
}

func (s *solver) need(c Clause, p int32) need {
	n := need{clause: c}
	for _, a := range c {
		if s.elide[a.Name] {
			n.elided = true
		}
	}
	n.offers = s.candidates(c, p)
	return n
}

// exclude states that p shuts out other packages that provide the name.
func (s *solver) exclude(p int32, name string, versioned bool) {
	for _, o := range s.index.of(name) {
		if o.pkg == p {
			continue
		}
		same := o.own && s.u.Packages[p].Name == name
		if same || s.manners.Exclusive && (versioned || o.version != "") {
			s.search.add(cause{kind: bySameName, pkg: p, other: o.pkg}, leave(p), leave(o.pkg))
		}
	}
}

type outcome int

const (
	done  outcome = iota
	again         // something was learned
	stuck         // there is no solution
)

// attempt walks from the wants down, deciding as it goes.
func (s *solver) attempt() outcome {
	for _, p := range s.order {
		s.taken[p] = false
	}
	s.order, s.deferred = s.order[:0], nil
	s.elided, s.decided = map[string]bool{}, map[string]bool{}
	if !s.settle() {
		return s.fail()
	}
	// The wants are taken before anything below them.
	for i := range s.roots {
		if s.wants[i].Exclude {
			continue
		}
		if _, ok := s.satisfy(&s.roots[i]); !ok {
			return s.fail()
		}
	}
	for from := 0; from < len(s.order); {
		for _, p := range slices.Clone(s.order[from:]) {
			if !s.walk(p) {
				return s.fail()
			}
		}
		last := from
		if !s.catchUp() {
			return s.fail()
		}
		from = len(s.order)
		if !s.triggered(last, false) {
			return s.fail()
		}
		if len(s.order) == from && !s.triggered(0, true) { // Unless is judged when nothing else comes
			return s.fail()
		}
	}
	return done
}

func (s *solver) fail() outcome {
	if s.search.failed != noReason {
		return stuck
	}
	return again
}

// settle draws conclusions; false: something was learned, or nothing can be.
func (s *solver) settle() bool {
	bad := s.search.propagate()
	if bad == noReason {
		return true
	}
	for bad != noReason {
		if !s.search.learn(bad) {
			return false
		}
		bad = s.search.propagate()
	}
	return false
}

// met gives the package that already satisfies n: one that is taken or, where
// it is not for depth to decide, one that must be. But packages that may
// share a name do not stand in for each other before they are taken.
func (s *solver) met(n *need) (pkg int32, ok bool) {
	if n.elided {
		for _, a := range n.clause {
			if s.elide[a.Name] {
				s.elided[a.Name] = true
			}
		}
		return -1, true
	}
	foreseen := !s.manners.DepthFirst && !s.shared(n)
	for _, p := range n.offers {
		if s.taken[p] || foreseen && s.search.value[p] == yes {
			return p, true
		}
	}
	return -1, false
}

// shared reports whether n asks for a name that packages merely provide,
// without a version, where such packages may be installed together.
func (s *solver) shared(n *need) bool {
	if !s.manners.Exclusive {
		return false
	}
	for _, a := range n.clause {
		if slices.ContainsFunc(s.index.of(a.Name), func(o offer) bool { return o.version != "" }) {
			return false
		}
	}
	return true
}

// satisfy takes the best package that can still satisfy n, and gives it; -1
// where none is needed. It reports false when something was learned instead.
func (s *solver) satisfy(n *need) (pkg int32, ok bool) {
	p, ok := s.met(n)
	if !ok {
		if p = s.best(n); p >= 0 && s.manners.Bare && !s.late && s.shared(n) {
			if p = s.bestNamed(n); p < 0 { // something that comes later may be it
				s.deferred = append(s.deferred, n)
			}
		}
	}
	if p < 0 || s.taken[p] {
		return -1, true // nothing to do, or nothing that can be done for a soft need
	}
	if !ok {
		s.notePreference(n, p)
	}
	return p, s.take(p)
}

// take adds p to the closure, and reports false when that taught something
// instead.
func (s *solver) take(p int32) bool {
	if s.search.value[p] == unknown {
		s.search.decide(take(p))
		if !s.settle() {
			return false
		}
	}
	s.taken[p] = true
	s.order = append(s.order, p)
	return true
}

// notePreference notes that a preference made p the best for n, if one did.
func (s *solver) notePreference(n *need, p int32) {
	if s.preferred(p) >= len(s.prefer) {
		return
	}
	prefer := s.prefer
	s.prefer = nil
	plain := need{clause: n.clause, offers: s.candidates(n.clause, -1)}
	if s.best(&plain) != p {
		s.decided[s.u.Packages[p].Name] = true
	}
	s.prefer = prefer
}

// best is the best package that may still be taken for n, or -1.
func (s *solver) best(n *need) int32 {
	for _, p := range n.offers {
		if s.search.value[p] == no {
			continue
		}
		if s.manners.LastMentioned {
			if equals := s.equals(n, p); len(equals) > 1 {
				return s.lastMentioned(equals)
			}
		}
		return p
	}
	return -1
}

// bestNamed is the best package for a shared name of those that may be taken
// for it: what has a Priority, is preferred, or must be taken anyway.
func (s *solver) bestNamed(n *need) int32 {
	for _, p := range n.offers {
		if v := s.search.value[p]; v == yes || v == unknown && (s.u.Packages[p].Priority > 0 || s.preferred(p) < len(s.prefer)) {
			return p
		}
	}
	return -1
}

// walk takes everything that p needs, depth first.
func (s *solver) walk(p int32) bool {
	for i := range s.needs[p] {
		q, ok := s.satisfy(&s.needs[p][i])
		if !ok || q >= 0 && !s.walk(q) {
			return false
		}
	}
	return true
}

// catchUp satisfies the needs that were put off.
func (s *solver) catchUp() bool {
	s.late = true
	defer func() { s.late = false }()
	for len(s.deferred) > 0 {
		n := s.deferred[0]
		s.deferred = s.deferred[1:]
		p, ok := s.satisfy(n)
		if !ok || p >= 0 && !s.walk(p) {
			return false
		}
	}
	return true
}

// triggered takes the packages, those with an Unless or those without, whose
// When holds because of what was taken since from, as far as they can be
// taken. It reports false when something was learned instead.
func (s *solver) triggered(from int, unless bool) bool {
	var found []int32
	for _, p := range s.order[from:] {
		found = s.index.pulled(found, s.u.Packages[p].Name)
		for _, a := range s.u.Packages[p].Provides {
			found = s.index.pulled(found, a.Name)
		}
	}
	slices.Sort(found)
	found = slices.DeleteFunc(slices.Compact(found), func(p int32) bool {
		return s.taken[p] || len(s.u.Packages[p].Unless) > 0 != unless || s.isOld(p) || !s.holds(p)
	})
	slices.SortFunc(found, s.index.tie)
	for _, p := range found {
		if s.taken[p] || s.search.value[p] == no {
			continue
		}
		if !s.take(p) {
			return false
		}
	}
	return true
}

// holds reports whether everything that pulls p in has been taken, and
// nothing that keeps it out.
func (s *solver) holds(p int32) bool {
	for _, a := range s.u.Packages[p].When {
		if !s.has(a) {
			return false
		}
	}
	return !slices.ContainsFunc(s.u.Packages[p].Unless, s.has)
}

// has reports whether something that has been taken matches a.
func (s *solver) has(a Atom) bool {
	return slices.ContainsFunc(s.index.of(a.Name), func(o offer) bool { return s.taken[o.pkg] && s.allows(a, o) })
}

// closure is the answer.
func (s *solver) closure() *Closure {
	c := &Closure{}
	why := map[int32]map[string]bool{}
	blame := func(p int32, who string) {
		if why[p] == nil {
			why[p] = map[string]bool{}
		}
		why[p][who] = true
	}
	wanted := map[int32]bool{}
	for i := range s.roots {
		for _, p := range s.roots[i].offers {
			if s.taken[p] {
				wanted[p] = true
				if s.wants[i].Ref >= 0 {
					blame(p, fmt.Sprintf("want %q", s.wants[i].Text))
				}
				break
			}
		}
	}
	for _, p := range s.order {
		for _, n := range s.needs[p] {
			for _, q := range n.offers {
				if s.taken[q] && q != p {
					blame(q, s.u.Packages[p].Name)
				}
			}
		}
	}
	for _, p := range s.order {
		pulled := why[p] == nil && !wanted[p]
		if pulled { // nothing needs it: its When holds
			for _, a := range s.u.Packages[p].When {
				for _, o := range s.index.of(a.Name) {
					if s.taken[o.pkg] && s.allows(a, o) {
						blame(p, s.u.Packages[o.pkg].Name)
					}
				}
			}
		}
		c.Packages = append(c.Packages, Chosen{Package: &s.u.Packages[p], Wanted: wanted[p], Why: sorted(why[p]), Pulled: pulled})
	}
	slices.SortFunc(c.Packages, func(a, b Chosen) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range s.order { // what is there need not be made believe
		delete(s.elided, s.u.Packages[p].Name)
	}
	c.Elided = sorted(s.elided)
	c.Prefers = sorted(s.decided)
	return c
}

func sorted(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
