package resolve

import (
	"fmt"
	"slices"
	"strings"

	"compose/internal/fault"
)

// An Unsatisfied tells why no closure satisfies the wants. Its text is for
// people; encoding/json gives the same as data.
type Unsatisfied struct {
	Kind     string    `json:"kind"`               // unknown, version, ambiguous, conflict
	Want     string    `json:"want"`               // the want it is about, as written
	Ref      int       `json:"ref"`                // its Want.Ref
	Chain    []string  `json:"chain,omitempty"`    // from the want down: packages with versions
	Need     string    `json:"need,omitempty"`     // what the last of the chain needs and cannot have
	Versions []string  `json:"versions,omitempty"` // of the needed name that do exist, newest first
	Near     []string  `json:"near,omitempty"`     // names that may have been meant
	Refused  []Refusal `json:"refused,omitempty"`  // packages that would satisfy the need
	Hints    []string  `json:"hints,omitempty"`    // ways out
}

// A Refusal is a package that would satisfy a need, and why it cannot be
// taken.
type Refusal struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Error is the explanation: the subject, a colon and the fact, then a line
// for each step.
func (e *Unsatisfied) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %q: ", e.Want)
	switch e.Kind {
	case "unknown":
		if len(e.Chain) == 0 {
			b.WriteString("no repository has it")
		} else {
			fmt.Fprintf(&b, "%s needs %s, which no repository has", e.Chain[len(e.Chain)-1], e.Need)
		}
	case "ambiguous":
		b.WriteString("several packages provide it, and none is called so")
	default:
		b.WriteString("cannot be satisfied")
	}
	for i := 1; i < len(e.Chain); i++ {
		fmt.Fprintf(&b, "\n  %s needs %s", e.Chain[i-1], e.Chain[i])
	}
	for _, r := range e.Refused {
		fmt.Fprintf(&b, "\n  %s %s: %s", r.Name, r.Version, r.Reason)
	}
	if len(e.Versions) > 0 {
		fmt.Fprintf(&b, "\n  versions that exist: %s", strings.Join(e.Versions, ", "))
	}
	for _, h := range e.Hints {
		fmt.Fprintf(&b, "\nhint: %s", h)
	}
	return b.String()
}

// refuse makes the error of e: exit code 3.
func refuse(e *Unsatisfied) error { return fault.New(fault.NoSolution, "%w", e) }

// ambiguous refuses a want that several packages merely provide, as apt does,
// unless a preference decides.
func (s *solver) ambiguous(w Want, offers []int32) error {
	e := &Unsatisfied{Kind: "ambiguous", Want: w.Text, Ref: w.Ref, Need: w.Text}
	names := map[string]bool{}
	for _, p := range offers {
		k := &s.u.Packages[p]
		if names[k.Name] {
			continue
		}
		names[k.Name] = true
		e.Refused = append(e.Refused, Refusal{k.Name, k.Version, "provides it"})
	}
	slices.SortFunc(e.Refused, func(a, b Refusal) int { return strings.Compare(a.Name, b.Name) })
	e.Hints = []string{fmt.Sprintf("name one of them, or put one under prefer: [%s]", e.Refused[0].Name)}
	return refuse(e)
}

func (s *solver) explain() error {
	r := s.search.rules[s.search.failed]
	e := &Unsatisfied{Kind: "conflict"}
	if r.cause.kind == byWant {
		w := s.wants[r.cause.want]
		e.Want, e.Ref = w.Text, w.Ref
	}
	return refuse(e)
}
