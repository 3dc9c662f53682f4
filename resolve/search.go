package resolve

// The search: conflict-driven clause learning over packages as Boolean
// variables. Clauses are added when a package becomes true, so only the
// part of a universe that a closure touches is ever looked at.

// A lit is a package (even) or its absence (odd).
type lit int32

func take(pkg int32) lit  { return lit(pkg << 1) }
func leave(pkg int32) lit { return lit(pkg<<1 | 1) }
func (l lit) pkg() int32  { return int32(l >> 1) }
func (l lit) not() lit    { return l ^ 1 }

const (
	unknown int8 = 0
	yes     int8 = 1
	no      int8 = -1

	noReason int32 = -1
)

// A rule is a clause: one of its literals holds.
type rule struct {
	lits  []lit
	cause cause
}

// A cause says where a rule comes from, for explanations.
type cause struct {
	kind  causeKind
	pkg   int32   // whose relation it is, or the one of two that exclude each other
	other int32   // the other one
	want  int32   // index into the wants
	need  int32   // index into the package's needs
	from  []int32 // learned: the rules it was derived from
}

type causeKind uint8

const (
	byWant causeKind = iota
	byDepends
	byConflict
	bySameName
	byExclude
	byPin
	byLearning
)

type search struct {
	value   []int8  // by package
	level   []int32 // by package, of its assignment
	reason  []int32 // by package: rule that implied it
	watch   [][]int32
	units   []int32 // rules of one literal, which nothing watches
	rules   []rule
	trail   []lit
	limits  []int32 // length of the trail at each decision
	head    int
	steps   int
	failed  int32         // rule that is false at level 0; noReason: none
	opened  func(p int32) // adds the rules of p, once, when p becomes true
	marked  []bool        // scratch of learn
	clash   int32         // a rule added while opening that is false now
	isReady []bool        // by package: its rules have been added
}

func newSearch(n int) *search {
	return &search{
		value: make([]int8, n), level: make([]int32, n), reason: make([]int32, n),
		watch: make([][]int32, 2*n), marked: make([]bool, n), isReady: make([]bool, n),
		failed: noReason, clash: noReason,
	}
}

func (s *search) val(l lit) int8 {
	v := s.value[l.pkg()]
	if l&1 == 1 {
		return -v
	}
	return v
}

func (s *search) assign(l lit, reason int32) {
	p := l.pkg()
	if l&1 == 1 {
		s.value[p] = no
	} else {
		s.value[p] = yes
	}
	s.level[p] = int32(len(s.limits))
	s.reason[p] = reason
	s.trail = append(s.trail, l)
	s.steps++
}

// add takes a new rule. It may already be false or force a literal.
func (s *search) add(c cause, lits ...lit) int32 {
	id := int32(len(s.rules))
	s.rules = append(s.rules, rule{lits, c})
	if len(lits) == 0 {
		s.clash = id
		return id
	}
	for w := 0; w < 2 && w < len(lits); w++ { // the two best literals go first
		for i := w + 1; i < len(lits); i++ {
			if s.better(lits[i], lits[w]) {
				lits[i], lits[w] = lits[w], lits[i]
			}
		}
	}
	if len(lits) > 1 {
		s.watch[lits[0]] = append(s.watch[lits[0]], id)
		s.watch[lits[1]] = append(s.watch[lits[1]], id)
	} else {
		s.units = append(s.units, id)
	}
	s.force(id)
	return id
}

// force draws the conclusion of a rule whose best literals come first.
func (s *search) force(id int32) {
	lits := s.rules[id].lits
	switch {
	case s.val(lits[0]) == no:
		if s.clash == noReason {
			s.clash = id
		}
	case s.val(lits[0]) == unknown && (len(lits) == 1 || s.val(lits[1]) == no):
		s.assign(lits[0], id)
	}
}

// better says whether a is the better literal to watch: true before unknown
// before false, and among false ones the most recent.
func (s *search) better(a, b lit) bool {
	va, vb := s.val(a), s.val(b)
	if va != vb {
		return va > vb
	}
	return va == no && s.level[a.pkg()] > s.level[b.pkg()]
}

// propagate draws every conclusion. It gives a rule that is false, or
// noReason.
func (s *search) propagate() int32 {
	for {
		if s.clash != noReason {
			c := s.clash
			s.clash = noReason
			return c
		}
		if s.head == len(s.trail) {
			return noReason
		}
		l := s.trail[s.head]
		s.head++
		if c := s.visit(l.not()); c != noReason {
			return c
		}
		if l&1 == 0 && !s.isReady[l.pkg()] {
			s.isReady[l.pkg()] = true
			s.opened(l.pkg())
		}
	}
}

// visit looks at the rules that watch f, which has become false.
func (s *search) visit(f lit) int32 {
	ws := s.watch[f]
	keep := ws[:0]
	for i, id := range ws {
		s.steps++
		r := s.rules[id].lits
		if r[0] == f {
			r[0], r[1] = r[1], r[0]
		}
		if s.val(r[0]) == yes {
			keep = append(keep, id)
			continue
		}
		moved := false
		for j := 2; j < len(r); j++ {
			if s.val(r[j]) != no {
				r[1], r[j] = r[j], r[1]
				s.watch[r[1]] = append(s.watch[r[1]], id)
				moved = true
				break
			}
		}
		if moved {
			continue
		}
		keep = append(keep, id)
		if s.val(r[0]) == no {
			keep = append(keep, ws[i+1:]...)
			s.watch[f] = keep
			return id
		}
		s.assign(r[0], id)
	}
	s.watch[f] = keep
	return noReason
}

func (s *search) decide(l lit) {
	s.limits = append(s.limits, int32(len(s.trail)))
	s.assign(l, noReason)
}

// restart forgets every decision, and keeps what was learned.
func (s *search) restart() {
	if len(s.limits) == 0 {
		return
	}
	n := int(s.limits[0])
	for _, l := range s.trail[n:] {
		s.value[l.pkg()] = unknown
	}
	s.trail, s.limits, s.head, s.clash = s.trail[:n], s.limits[:0], n, noReason
	for _, id := range s.units { // those that came after a decision hold without it
		s.force(id)
	}
}

// learn derives from the false rule why the decisions cannot stand together
// (the first unique implication point), goes back, and keeps the rule. It
// reports false when there is no decision left to blame.
func (s *search) learn(bad int32) bool {
	if len(s.limits) == 0 {
		s.failed = bad
		return false
	}
	now := int32(len(s.limits))
	out := []lit{0}
	from := []int32{bad}
	open, at := 0, len(s.trail)
	r := s.rules[bad].lits
	var pivot lit
	for first := true; ; first = false {
		for _, l := range r {
			p := l.pkg()
			if !first && l == pivot || s.marked[p] {
				continue
			}
			if s.level[p] == 0 {
				if s.reason[p] != noReason {
					from = append(from, s.reason[p])
				}
				continue
			}
			s.marked[p] = true
			if s.level[p] == now {
				open++
			} else {
				out = append(out, l)
			}
		}
		for {
			at--
			if s.marked[s.trail[at].pkg()] {
				break
			}
		}
		pivot = s.trail[at]
		s.marked[pivot.pkg()] = false
		open--
		if open == 0 {
			break
		}
		from = append(from, s.reason[pivot.pkg()])
		r = s.rules[s.reason[pivot.pkg()]].lits
	}
	out[0] = pivot.not()
	for _, l := range out[1:] {
		s.marked[l.pkg()] = false
	}
	s.restart()
	s.add(cause{kind: byLearning, from: from}, out...)
	return true
}
