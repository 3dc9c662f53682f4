package resolve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"compose/internal/fault"
	"compose/internal/near"
)

// An Unsatisfied tells why no closure satisfies the wants: the smallest set
// of wants and relations that cannot hold together. Its text is for people;
// encoding/json gives the same as data.
type Unsatisfied struct {
	Kind    string     `json:"kind"`
	Want    string     `json:"want"` // the want it is about, as written
	Ref     int        `json:"ref"`  // its Want.Ref: the line of the manifest
	Against []WantText `json:"against,omitempty"`
	// Chain leads from the want to Need: packages with their versions, each
	// needing the next.
	Chain    []string  `json:"chain,omitempty"`
	Need     string    `json:"need,omitempty"`     // what the last of the chain, or the want, cannot have
	Versions []string  `json:"versions,omitempty"` // of the needed name that do exist, newest first
	Near     []string  `json:"near,omitempty"`     // names that may have been meant
	Refused  []Refusal `json:"refused,omitempty"`  // packages that would satisfy the need
	Facts    []string  `json:"facts,omitempty"`    // the relations that cannot hold together, in words
	Hints    []string  `json:"hints,omitempty"`    // ways out, each tried before it is told
}

// A WantText is a want of the manifest.
type WantText struct {
	Text string `json:"text"`
	Ref  int    `json:"ref"`
}

// A Refusal is a package that would satisfy a need, and why it cannot be
// taken.
type Refusal struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// The kinds of Unsatisfied.
const (
	KindUnknown   = "unknown"   // no repository has the name
	KindVersion   = "version"   // the name exists, but not in that version
	KindAmbiguous = "ambiguous" // packages provide it, and none is called so
	KindExcluded  = "excluded"  // another want excludes it
	KindConflict  = "conflict"  // packages that are needed shut each other out
	KindSource    = "source"    // repositories of different signers have it, with different contents
	KindGaveUp    = "gave-up"   // too many steps
)

// Error is the explanation: the subject, a colon and the root cause; a line
// for each fact; the ways out.
func (e *Unsatisfied) Error() string {
	var b strings.Builder
	if len(e.Against) > 0 && e.Kind == KindConflict {
		fmt.Fprintf(&b, "packages %q", e.Want)
		for i, w := range e.Against {
			if i == len(e.Against)-1 {
				fmt.Fprintf(&b, " and %q", w.Text)
			} else {
				fmt.Fprintf(&b, ", %q", w.Text)
			}
		}
		b.WriteString(": ")
	} else {
		fmt.Fprintf(&b, "package %q: ", e.Want)
	}
	b.WriteString(e.cause())
	for _, f := range e.Facts {
		b.WriteString("\n  " + f)
	}
	for _, r := range e.Refused {
		fmt.Fprintf(&b, "\n  %s %s %s", r.Name, r.Version, r.Reason)
	}
	for _, h := range e.Hints {
		b.WriteString("\nhint: " + h)
	}
	return b.String()
}

// cause is the root cause in a few words.
func (e *Unsatisfied) cause() string {
	who := ""
	if n := len(e.Chain); n > 0 {
		who = e.Chain[n-1] + " needs " + e.Need + ", "
	}
	switch e.Kind {
	case KindUnknown:
		if who == "" {
			return "no repository has it"
		}
		return who + "which no repository has"
	case KindVersion:
		if who == "" {
			return "no repository has that version; there is " + strings.Join(e.Versions, ", ")
		}
		return who + "but there is only " + strings.Join(e.Versions, ", ")
	case KindAmbiguous:
		if who != "" {
			return who + "which packages only provide"
		}
		return "packages provide it, and none is called so"
	case KindExcluded:
		if who == "" {
			return fmt.Sprintf("%q excludes it", e.Against[0].Text)
		}
		return who + fmt.Sprintf("which %q excludes", e.Against[0].Text)
	case KindSource:
		return "two repositories that share no key have version " + e.Versions[0] + ", with different contents"
	case KindGaveUp:
		return e.Need
	}
	if len(e.Against) > 0 {
		return "cannot be installed together"
	}
	return "needs packages that cannot be installed together"
}

// refuse makes the error of e: exit code 3.
func refuse(e *Unsatisfied) error { return fault.New(fault.NoSolution, "%w", e) }

// ambiguous refuses a want, or what the last of a chain needs, that packages
// merely provide.
func (s *solver) ambiguous(w Want, chain []string, offers []int32) error {
	e := &Unsatisfied{Kind: KindAmbiguous, Want: w.Text, Ref: w.Ref, Chain: chain, Need: clauseText(w.Clause)}
	for _, p := range offers {
		k := &s.u.Packages[p]
		if !slices.ContainsFunc(e.Refused, func(r Refusal) bool { return r.Name == k.Name }) {
			e.Refused = append(e.Refused, Refusal{k.Name, k.Version, "provides it"})
		}
	}
	slices.SortFunc(e.Refused, func(a, b Refusal) int { return strings.Compare(a.Name, b.Name) })
	e.Hints = []string{fmt.Sprintf("name one of them instead, or write prefer: [%s]", e.Refused[0].Name)}
	return refuse(e)
}

// unnamed refuses a closure with a package that is there only for a name that
// it provides without a version, as Manners.Bare says.
func (s *solver) unnamed() error {
	if !s.manners.Bare {
		return nil
	}
	named := make([]bool, len(s.u.Packages))
	each := func(n *need, f func(offer)) {
		for _, a := range n.clause {
			for _, o := range s.index.of(a.Name) {
				if s.taken[o.pkg] && s.allows(a, o) {
					f(o)
				}
			}
		}
	}
	note := func(o offer) { named[o.pkg] = named[o.pkg] || o.own || o.version != "" }
	for i := range s.roots {
		each(&s.roots[i], note)
	}
	for _, p := range s.order {
		for i := range s.needs[p] {
			each(&s.needs[p][i], note)
		}
		k := &s.u.Packages[p]
		named[p] = named[p] || k.Priority > 0 || s.preferred(p) < len(s.prefer) || len(k.When) > 0 && s.holds(p)
	}
	for i := range s.roots {
		n := &s.roots[i]
		settled := len(n.offers) == 0
		each(n, func(o offer) { settled = settled || named[o.pkg] })
		if !settled {
			return s.ambiguous(s.wants[i], nil, n.offers)
		}
	}
	for _, p := range s.order {
		for i := range s.needs[p] {
			n := &s.needs[p][i]
			settled := n.elided || n.soft
			each(n, func(o offer) { settled = settled || named[o.pkg] })
			if !settled {
				return s.ambiguous(Want{Clause: n.clause, Text: clauseText(n.clause), Ref: -1}, []string{s.title(p)}, n.offers)
			}
		}
	}
	return nil
}

// giveUp tells that the step budget is spent (threats.md K-09).
func (s *solver) giveUp(limit int) error {
	e := &Unsatisfied{Kind: KindGaveUp, Ref: -1}
	for _, w := range s.wants {
		if !w.Exclude {
			e.Want, e.Ref = w.Text, w.Ref
			break
		}
	}
	at := "the first want"
	if n := len(s.order); n > 0 {
		p := &s.u.Packages[s.order[n-1]]
		at = p.Name + " " + p.Version
	}
	e.Need = fmt.Sprintf("gave up after %d steps at %s", limit, at)
	e.Hints = []string{"name versions, or exclude alternatives, so that there is less to choose from"}
	return refuse(e)
}

// trust refuses a package that two repositories have at the same version with
// different contents, where no key signs both: which of them answers must not
// be an accident (threats.md T-21).
func (s *solver) trust() error {
	for _, p := range s.order {
		for _, o := range s.index.of(s.u.Packages[p].Name) {
			a, b := &s.u.Packages[p], &s.u.Packages[o.pkg]
			if !o.own || a.Version != b.Version || a.Repository == b.Repository || s.pinned(p) != s.pinned(o.pkg) || sameFile(a, b) {
				continue
			}
			q, r := &s.u.Repositories[a.Repository], &s.u.Repositories[b.Repository]
			if sameSigner(q, r) {
				continue
			}
			names := []string{q.Name, r.Name}
			slices.Sort(names)
			e := &Unsatisfied{Kind: KindSource, Want: a.Name, Ref: -1, Versions: []string{a.Version}, Need: a.Name + "=" + a.Version}
			for _, n := range names {
				e.Refused = append(e.Refused, Refusal{a.Name, a.Version, "is in " + n})
			}
			e.Hints = []string{fmt.Sprintf("give one of the repositories a name, and take the package from it: %s@NAME", a.Name)}
			return refuse(e)
		}
	}
	return nil
}

func sameFile(a, b *Package) bool {
	return a.Arch == b.Arch && a.Check.SHA256 == b.Check.SHA256 && string(a.Check.Control) == string(b.Check.Control)
}

// sameSigner reports whether one key signs indexes of both.
func sameSigner(a, b *Repository) bool {
	if a.Insecure || b.Insecure {
		return a.Insecure && b.Insecure
	}
	if len(a.Indexes) == 0 && len(b.Indexes) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Indexes, func(x IndexFile) bool {
		return slices.ContainsFunc(b.Indexes, func(y IndexFile) bool { return x.Key == y.Key })
	})
}

// explain tells why there is no solution.
func (s *solver) explain() error {
	x := &explanation{solver: s, core: s.core(), parent: map[int32]int32{}}
	return refuse(x.tell())
}

// An explanation turns a core into words.
type explanation struct {
	*solver
	core   []rule
	parent map[int32]int32 // package -> who needs it, -1-want for a want; the shortest way up
	queue  []int32         // packages in the core, from the wants down
}

func (x *explanation) tell() *Unsatisfied {
	x.descend()
	e := &Unsatisfied{Kind: KindConflict, Ref: -1}
	var wants []Want
	for _, r := range x.core {
		if r.cause.kind == byWant {
			wants = append(wants, x.wants[r.cause.want])
		}
	}
	for _, r := range x.core {
		if r.cause.kind == byExclude && !slices.ContainsFunc(wants, func(w Want) bool { return w.Text == x.wants[r.cause.want].Text }) {
			wants = append(wants, x.wants[r.cause.want])
		}
	}
	slices.SortStableFunc(wants, func(a, b Want) int {
		return cmp.Or(bool2int(a.Exclude)-bool2int(b.Exclude), a.Ref-b.Ref)
	})
	if len(wants) > 0 {
		e.Want, e.Ref = wants[0].Text, wants[0].Ref
		for _, w := range wants[1:] {
			e.Against = append(e.Against, WantText{w.Text, w.Ref})
		}
	}
	x.root(e)
	x.facts(e)
	x.waysOut(e, wants)
	return e
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

// descend walks the core from the wants down, and notes how each package is
// reached.
func (x *explanation) descend() {
	reach := func(offers []int32, from int32) {
		for _, p := range offers {
			if _, ok := x.parent[p]; !ok {
				x.parent[p] = from
				x.queue = append(x.queue, p)
			}
		}
	}
	var ids []int32
	for _, r := range x.core {
		if r.cause.kind == byWant {
			ids = append(ids, r.cause.want)
		}
	}
	slices.Sort(ids)
	for _, w := range ids {
		reach(x.roots[w].offers, -1-w)
	}
	for i := 0; i < len(x.queue); i++ {
		for _, n := range x.needsInCore(x.queue[i]) {
			reach(n.offers, x.queue[i])
		}
	}
	below := map[int32][]int32{}
	for _, p := range x.queue {
		below[x.parent[p]] = append(below[x.parent[p]], p)
	}
	x.queue = x.queue[:0]
	var tell func(p int32) // each chain whole, one after the other
	tell = func(p int32) {
		for _, q := range below[p] {
			x.queue = append(x.queue, q)
			tell(q)
		}
	}
	for _, w := range ids {
		tell(-1 - w)
	}
}

// needsInCore gives the needs of p that the core holds, in their order.
func (x *explanation) needsInCore(p int32) []*need {
	var ids []int32
	for _, r := range x.core {
		if r.cause.kind == byDepends && r.cause.pkg == p {
			ids = append(ids, r.cause.need)
		}
	}
	slices.Sort(ids)
	var out []*need
	for _, id := range ids {
		out = append(out, &x.needs[p][id])
	}
	return out
}

// root finds a single root cause: a need that nothing offers, or that an
// exclusion forbids.
func (x *explanation) root(e *Unsatisfied) {
	excluded := map[int32]bool{}
	for _, r := range x.core {
		if r.cause.kind == byExclude {
			for _, l := range r.lits {
				excluded[l.pkg()] = true
			}
		}
	}
	judge := func(n *need, chain []string) bool {
		switch {
		case len(n.offers) == 0:
			e.Kind, e.Chain = KindUnknown, chain
			x.missing(e, n.clause)
		case all(n.offers, func(p int32) bool { return excluded[p] }):
			e.Kind, e.Chain = KindExcluded, chain
		default:
			return false
		}
		e.Need = clauseText(n.clause)
		return true
	}
	for _, r := range x.core {
		if r.cause.kind == byWant && judge(&x.roots[r.cause.want], nil) {
			return
		}
	}
	for _, p := range x.queue {
		for _, n := range x.needsInCore(p) {
			if judge(n, x.chain(p)) {
				return
			}
		}
	}
	for _, p := range x.queue { // no single cause: the deepest package says most
		e.Chain = x.chain(p)
	}
}

func all(list []int32, f func(int32) bool) bool {
	return !slices.ContainsFunc(list, func(p int32) bool { return !f(p) })
}

// chain is the way from a want down to p.
func (x *explanation) chain(p int32) []string {
	var out []string
	for p >= 0 {
		out = append(out, x.title(p))
		p = x.parent[p]
	}
	slices.Reverse(out)
	return out
}

func (s *solver) title(p int32) string {
	k := &s.u.Packages[p]
	return k.Name + " " + k.Version
}

// missing adds what is known about a clause that nothing satisfies.
func (x *explanation) missing(e *Unsatisfied, c Clause) {
	for _, a := range c {
		for _, p := range x.matching(Atom{Name: a.Name}, -1) {
			k := &x.u.Packages[p]
			text := k.Version
			if k.Name != a.Name || len(c) > 1 {
				text = k.Name + " " + k.Version
			}
			if x.pinned(p) > 0 || a.Pin != "" {
				text += " in " + x.u.Repositories[k.Repository].Name
			}
			e.Kind = KindVersion
			e.Versions = append(e.Versions, text)
		}
	}
	for _, a := range c {
		for i := range x.u.Packages {
			p := &x.u.Packages[i]
			if p.Name == a.Name && x.index.hidden != nil && x.index.hidden(int32(i)) && fits(x.u, p) {
				pin := x.u.Repositories[p.Repository].Pin
				e.Hints = append(e.Hints, fmt.Sprintf("%s %s is in a repository that serves only what names it: want %s@%s", p.Name, p.Version, p.Name, pin))
			}
		}
	}
	slices.Sort(e.Hints)
	if e.Kind == KindUnknown && len(e.Hints) == 0 {
		for _, a := range c {
			e.Near = append(e.Near, x.near(a.Name)...)
		}
	}
}

// near gives names that may have been meant: the nearest by spelling, and up
// to two that the name is the beginning of.
func (x *explanation) near(name string) []string {
	set := make(map[string]bool, len(x.u.Packages))
	for i := range x.u.Packages {
		if p := &x.u.Packages[i]; fits(x.u, p) {
			set[p.Name] = true
		}
	}
	names := sorted(set)
	var out []string
	if n := near.Nearest(name, names); n != "" {
		out = append(out, n)
	}
	at, _ := slices.BinarySearch(names, name)
	for _, n := range names[at:] {
		if len(out) == 3 || len(name) < 3 || !strings.HasPrefix(n, name) {
			break
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// sharedName is the first name that both packages offer.
func (x *explanation) sharedName(p, q int32) string {
	offered := func(p int32) map[string]bool {
		names := map[string]bool{x.u.Packages[p].Name: true}
		for _, a := range x.u.Packages[p].Provides {
			names[a.Name] = true
		}
		return names
	}
	other := offered(q)
	for _, name := range sorted(offered(p)) {
		if other[name] {
			return name
		}
	}
	return ""
}

// facts puts the core into sentences, from the wants down.
func (x *explanation) facts(e *Unsatisfied) {
	say := func(format string, args ...any) {
		if f := fmt.Sprintf(format, args...); !slices.Contains(e.Facts, f) {
			e.Facts = append(e.Facts, f)
		}
	}
	for _, p := range x.queue {
		if from := x.parent[p]; from < 0 {
			if w := x.wants[-1-from]; w.Text != x.u.Packages[p].Name {
				say("%q is %s", w.Text, x.title(p))
			}
		}
		for _, n := range x.needsInCore(p) {
			if text := clauseText(n.clause); len(e.Chain) == 0 || e.Need != text || e.Chain[len(e.Chain)-1] != x.title(p) {
				say("%s needs %s", x.title(p), text)
			}
		}
	}
	for _, p := range x.queue {
		for _, r := range x.core {
			if r.cause.pkg != p {
				continue
			}
			switch other := r.cause.other; r.cause.kind {
			case byConflict:
				say("%s conflicts with %s", x.title(p), x.title(other))
			case bySameName:
				if x.u.Packages[p].Name == x.u.Packages[other].Name {
					if x.index.tie(p, other) < 0 {
						p, other = other, p
					}
					say("only one of %s and %s can be installed", x.title(p), x.title(other))
				} else {
					say("%s and %s both provide %s, so only one can be installed", x.title(p), x.title(other), x.sharedName(p, other))
				}
			}
		}
	}
	if e.Kind != KindExcluded {
		for _, r := range x.core {
			if r.cause.kind == byExclude {
				say("%q excludes %s", x.wants[r.cause.want].Text, x.title(r.lits[0].pkg()))
			}
		}
	}
}

// waysOut tries what a person might try, and tells what works.
func (x *explanation) waysOut(e *Unsatisfied, wants []Want) {
	hint := func(format string, args ...any) { e.Hints = append(e.Hints, fmt.Sprintf(format, args...)) }
	for _, n := range e.Near {
		hint("did you mean %q?", n)
	}
	const most = 4 // tries; each is a solve
	for _, w := range wants[:min(most, len(wants))] {
		if len(w.Clause) != 1 || w.Clause[0].Op == "" || w.Exclude {
			continue
		}
		name := w.Clause[0].Name
		if c := x.without(w, Clause{{Name: name, Pin: w.Clause[0].Pin}}); c != nil {
			if i := slices.IndexFunc(c.Packages, func(p Chosen) bool { return p.Name == name }); i >= 0 {
				hint("%q without its version would be %s", w.Text, c.Packages[i].Version)
			}
		}
	}
	if len(wants) > 1 {
		for _, w := range wants[:min(most, len(wants))] {
			if x.without(w, nil) != nil {
				hint("without %q the rest can be installed", w.Text)
			}
		}
	}
	if e.Kind == KindVersion || e.Kind == KindUnknown && len(e.Hints) == 0 {
		hint("add a repository that has %s", e.Need)
	}
}

// without solves the wants with one of them replaced, or left out.
func (x *explanation) without(gone Want, instead Clause) *Closure {
	var wants []Want
	for _, w := range x.wants {
		if w.Text == gone.Text && w.Exclude == gone.Exclude {
			if instead == nil {
				continue
			}
			w.Clause = instead
		}
		wants = append(wants, w)
	}
	o := x.options
	o.Essential = false // already among the wants
	s := newSolver(x.u, wants, o)
	if s.addWants() != nil {
		return nil
	}
	for s.search.steps < s.limit() && s.broken == nil {
		switch s.attempt() {
		case done:
			return s.closure()
		case stuck:
			return nil
		}
	}
	return nil
}

// clauseText writes a clause as a manifest would.
func clauseText(c Clause) string {
	out := make([]string, len(c))
	for i, a := range c {
		out[i] = a.Name
		if a.Arch != "" {
			out[i] += ":" + a.Arch
		}
		if a.Pin != "" {
			out[i] += "@" + a.Pin
		}
		out[i] += a.Op + a.Version
	}
	return strings.Join(out, " | ")
}
