package deb

import (
	"slices"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/resolve"
)

func showRelations(r resolve.Relations) string {
	var s []string
	clauses := func(name string, list []resolve.Clause) {
		for _, c := range list {
			var alternatives []string
			for _, a := range c {
				alternatives = append(alternatives, showAtom(a))
			}
			s = append(s, name+" "+strings.Join(alternatives, "|"))
		}
	}
	clauses("needs", r.Depends)
	clauses("likes", r.Recommends)
	for _, a := range r.Conflicts {
		s = append(s, "bars "+showAtom(a))
	}
	for _, a := range r.Replaces {
		s = append(s, "replaces "+showAtom(a))
	}
	return strings.Join(s, ", ")
}

func TestRelations(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		fields resolve.Fields
		want   string // or "error: " and a part of it
	}{
		{"nothing", resolve.Fields{}, ""},
		{"names", resolve.Fields{Depends: "a, b"}, "needs a, needs b"},
		{"alternatives keep their order", resolve.Fields{Depends: "c | a | b, d"}, "needs c|a|b, needs d"},
		{"versions", resolve.Fields{Depends: "a (>= 1:2.0-3~x), b(<=2), c ( = 1 )"}, "needs a>=1:2.0-3~x, needs b<=2, needs c=1"},
		{"strictly earlier and later", resolve.Fields{Depends: "a (<< 1), a (>> 0)"}, "needs a<1, needs a>0"},
		{"the obsolete < and > mean or equal", resolve.Fields{Depends: "a (< 1), a (> 0)"}, "needs a<=1, needs a>=0"},
		{"architectures", resolve.Fields{Depends: "python3:any (>= 3.11~), gcc:amd64"}, "needs python3:any>=3.11~, needs gcc:amd64"},
		{"pre-dependencies come first", resolve.Fields{Depends: "a", PreDepends: "b"}, "needs b, needs a"},
		{"breaks are conflicts", resolve.Fields{Conflicts: "a", Breaks: "b (<< 2)"}, "bars a, bars b<2"},
		{"the rest", resolve.Fields{Recommends: "a | b", Replaces: "c (<< 1)"}, "likes a|b, replaces c<1"},
		{"white space and folded lines", resolve.Fields{Depends: "a\t|\n b,\n\tc"}, "needs a|b, needs c"},

		{"an unknown operator", resolve.Fields{Depends: "a (~ 1)"}, "error: unknown operator"},
		{"an operator apart", resolve.Fields{Depends: "a (> = 1)"}, `error: version "= 1"`},
		{"no operator", resolve.Fields{Depends: "a (1)"}, "error: unknown operator"},
		{"no version", resolve.Fields{Depends: "a (>= )"}, "error: version"},
		{"an open bracket", resolve.Fields{Depends: "a (>= 1"}, "error: no )"},
		{"an empty place", resolve.Fields{Depends: "a,, b"}, "error: is no package name"},
		{"an empty alternative", resolve.Fields{Depends: "a |"}, "error: is no package name"},
		{"a comma at the end", resolve.Fields{Depends: "a, "}, "error: is no package name"},
		{"two names", resolve.Fields{Depends: "a b"}, "error: is no relation"},
		{"a restriction by architecture", resolve.Fields{Depends: "a [amd64]"}, "error: is no relation"},
		{"a restriction by profile", resolve.Fields{Depends: "a <!nocheck>"}, "error: is no relation"},
		{"alternatives in a conflict", resolve.Fields{Conflicts: "a | b"}, "error: alternatives"},
		{"the field is named", resolve.Fields{Breaks: "!"}, `error: package "p" 1: Breaks`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r, err := (Format{}).Relations(&resolve.Package{Name: "p", Version: "1", Fields: tt.fields})
			if want, ok := strings.CutPrefix(tt.want, "error: "); ok {
				if fault.Of(err) != fault.FormatInvalid || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := showRelations(r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Clauses share memory; whoever appends to one must not reach the next.
func TestRelationsDoNotOverlap(t *testing.T) {
	r, err := (Format{}).Relations(&resolve.Package{Fields: resolve.Fields{Depends: "a | b, c"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = append(r.Depends[0], resolve.Atom{Name: "x"})
	if got := showRelations(r); got != "needs a|b, needs c" {
		t.Errorf("got %s", got)
	}
}

func FuzzRelations(f *testing.F) {
	for _, s := range []string{"a, b (>= 1) | c:any", "a (<< 1:2~3)", "a |", "a ((", "a:b:c (= 1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := (Format{}).Relations(&resolve.Package{Fields: resolve.Fields{Depends: text}})
		if err != nil {
			return
		}
		// What was understood, written again, is understood alike.
		var clauses []string
		for _, c := range r.Depends {
			var alternatives []string
			for _, a := range c {
				s := a.Name
				if a.Arch != "" {
					s += ":" + a.Arch
				}
				if a.Op != "" {
					op := map[string]string{"<": "<<", ">": ">>"}[a.Op]
					if op == "" {
						op = a.Op
					}
					s += " (" + op + " " + a.Version + ")"
				}
				alternatives = append(alternatives, s)
			}
			clauses = append(clauses, strings.Join(alternatives, " | "))
		}
		again, err := (Format{}).Relations(&resolve.Package{Fields: resolve.Fields{Depends: strings.Join(clauses, ", ")}})
		if err != nil || !slices.EqualFunc(again.Depends, r.Depends, func(a, b resolve.Clause) bool { return slices.Equal(a, b) }) {
			t.Errorf("%q: %+v, again: %+v, %v", text, r, again, err)
		}
	})
}
