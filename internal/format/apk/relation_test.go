package apk

import (
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/resolve"
)

func showRelations(r resolve.Relations) string {
	s := ""
	for _, c := range r.Depends {
		s += showAtoms("needs", c)
	}
	return strings.TrimSpace(s + showAtoms("bars", r.Conflicts) + showAtoms("replaces", r.Replaces))
}

func TestRelations(t *testing.T) {
	for _, tt := range []struct {
		rule              string
		depends, replaces string
		want              string // or "error: " and a part of it
	}{
		{"nothing", "", "", ""},
		{"names, and what is provided", "a so:libc.musl-x86_64.so.1 cmd:[ pc:x>=1 /bin/sh", "", "needs a needs so:libc.musl-x86_64.so.1 needs cmd:[ needs pc:x>=1 needs /bin/sh"},
		{"all operators", "a=1 b<1 c<=1 d>1 e>=1 f~1", "", "needs a=1 needs b<1 needs c<=1 needs d>1 needs e>=1 needs f~1"},
		{"the prefix operator in its other spellings", "a=~1 b~=1 c<~1 d>~1", "", "needs a~1 needs b~1 needs c<~1 needs d>~1"},
		{"characters of an operator in the other order", "a=<1 b=>1", "", "needs a<=1 needs b>=1"},
		{"a checksum", "a><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "", "needs a><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		{"conflicts", "a !b !c<2", "", "needs a bars b bars c<2"},
		{"replaces", "", "a b<1", "replaces a replaces b<1"},
		{"spaces may be many", "  a   b ", "", "needs a needs b"},

		{"an unknown operator", "a<=>1", "", "error: unknown operator \"<=>\""},
		{"an operator twice", "a==1", "", "error: unknown operator"},
		{"no version", "a>=", "", "error: is no version"},
		{"a malformed version", "a=7.4.0p1-r1", "", "error: \"7.4.0p1-r1\" is no version"},
		{"no name", "=1", "", "error: is no name"},
		{"nothing but a conflict", "!", "", "error: is no name"},
		{"a repository", "a@edge", "", "error: is no name"},
		{"a checksum that is none", "a><Q2AAAA", "", "error: checksum"},
		{"a conflict in replaces", "", "!a", "error: ! may not stand here"},
		{"the package is named", "a<=>1", "", `error: package "p" 1: dependency "a<=>1"`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r, err := (Format{}).Relations(&resolve.Package{Name: "p", Version: "1", Fields: resolve.Fields{Depends: tt.depends, Replaces: tt.replaces}})
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

func FuzzRelations(f *testing.F) {
	for _, s := range []string{"a b>=1 !c~2", "a><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "so:x=1 !", "a<=>1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := (Format{}).Relations(&resolve.Package{Fields: resolve.Fields{Depends: text}})
		if err != nil {
			return
		}
		// What was understood, written again, is understood alike.
		var words []string
		for _, c := range r.Depends {
			words = append(words, c[0].Name+c[0].Op+c[0].Version)
		}
		for _, a := range r.Conflicts {
			words = append(words, "!"+a.Name+a.Op+a.Version)
		}
		again, err := (Format{}).Relations(&resolve.Package{Fields: resolve.Fields{Depends: strings.Join(words, " ")}})
		if err != nil || showRelations(again) != showRelations(r) {
			t.Errorf("%q: %s, again: %s, %v", text, showRelations(r), showRelations(again), err)
		}
	})
}
