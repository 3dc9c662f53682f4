package resolve

import "slices"

// core gives rules that cannot hold together, as few as can be: without any
// one of them the rest could hold. It starts from the rules that the search
// used to refute everything, and leaves out one after the other.
func (s *solver) core() []rule {
	ids := s.search.used()
	// Wants first, so that as few of them as possible stay; then what
	// shuts packages out, then what needs them.
	slices.SortStableFunc(ids, func(a, b int32) int {
		return coreOrder(s.search.rules[a].cause) - coreOrder(s.search.rules[b].cause)
	})
	rules := make([]rule, len(ids))
	for i, id := range ids {
		rules[i] = s.search.rules[id]
	}
	const tooMany = 2000 // each costs a small search
	if len(rules) > tooMany {
		return rules
	}
	for i := 0; i < len(rules); {
		rest := slices.Delete(slices.Clone(rules), i, i+1)
		if possible(rest) {
			i++
		} else {
			rules = rest
		}
	}
	return rules
}

func coreOrder(c cause) int {
	switch c.kind {
	case byWant, byExclude:
		return 0
	case byConflict, bySameName:
		return 1
	}
	return 2
}

// used gives the rules, learned ones replaced by what they were learned from,
// that make the failed rule false.
func (s *search) used() []int32 {
	var out []int32
	seen := make([]bool, len(s.rules))
	stack := []int32{s.failed}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		if c := &s.rules[id].cause; c.kind == byLearning {
			stack = append(stack, c.from...)
		} else {
			out = append(out, id)
		}
		for _, l := range s.rules[id].lits {
			if p := l.pkg(); s.value[p] != unknown && s.level[p] == 0 && s.reason[p] != noReason {
				stack = append(stack, s.reason[p])
			}
		}
	}
	slices.Sort(out)
	return out
}

// possible reports whether the rules can hold together.
func possible(rules []rule) bool {
	small := map[int32]int32{} // package -> variable
	for _, r := range rules {
		for _, l := range r.lits {
			if _, ok := small[l.pkg()]; !ok {
				small[l.pkg()] = int32(len(small))
			}
		}
	}
	s := newSearch(len(small))
	s.opened = func(int32) {}
	for _, r := range rules {
		lits := make([]lit, len(r.lits))
		for i, l := range r.lits {
			lits[i] = take(small[l.pkg()]) | l&1
		}
		s.add(r.cause, lits...)
	}
	for {
		if bad := s.propagate(); bad != noReason {
			if !s.learn(bad) {
				return false
			}
			continue
		}
		p := slices.Index(s.value, unknown)
		if p < 0 {
			return true
		}
		s.decide(leave(int32(p)))
	}
}
