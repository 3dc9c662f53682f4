package resolve

import (
	"fmt"
	"strings"
	"testing"
)

func TestGraph(t *testing.T) {
	s := readStory(t, "testdata/why.txt")
	c, err := Solve(&s.universe, s.asks[0].wants, s.options)
	if err != nil {
		t.Fatal(err)
	}
	g := c.Graph()
	for _, tt := range []struct{ rule, got, want string }{
		{"the shortest chain, from the want", strings.Join(g.Chain("libc"), " < "), `want "tool" < tool < libc`},
		{"a want is its own chain", strings.Join(g.Chain("app"), " < "), `want "app" < app`},
		{"no chain to what is not there", fmt.Sprint(g.Chain("ghost")), "[]"},
		{"all direct parents", fmt.Sprint(g.Parents("libc")), "[libz tool]"},
		{"what pulled a package in is its parent", fmt.Sprint(g.Parents("app-doc")), "[app docs]"},
		{"what leaves with it", fmt.Sprint(g.With("libz")), "[zdata]"},
		{"what others keep stays", fmt.Sprint(g.With("app")), "[app-doc libz zdata]"},
		{"a cycle keeps nothing", fmt.Sprint(g.With("loop")), "[loop1 loop2]"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got  %s\nwant %s", tt.got, tt.want)
			}
		})
	}
}

// A lock tells why as its closure does.
func TestGraphOfLock(t *testing.T) {
	s := readStory(t, "testdata/why.txt")
	c, err := Solve(&s.universe, s.asks[0].wants, s.options)
	if err != nil {
		t.Fatal(err)
	}
	var l LockedPlatform
	for _, p := range c.Packages {
		l.Packages = append(l.Packages, Locked{Name: p.Name, Wanted: p.Wanted, Why: p.Why, Pulled: p.Pulled, InstalledSize: 7})
	}
	g := l.Graph()
	for _, p := range c.Packages {
		if a, b := fmt.Sprint(g.Chain(p.Name), g.With(p.Name)), fmt.Sprint(c.Graph().Chain(p.Name), c.Graph().With(p.Name)); a != b {
			t.Errorf("%s: %s from the lock, %s from the closure", p.Name, a, b)
		}
	}
	if n := g.Size(append(g.With("app"), "app")...); n != 4*7 {
		t.Errorf("app and what leaves with it have %d bytes, want %d", n, 4*7)
	}
}

// A closure tells what was taken as satisfied, and which preferences decided.
func TestDecisions(t *testing.T) {
	s := readStory(t, "testdata/options.txt")
	for _, tt := range []struct{ wants, elided, prefers string }{
		{"app", "[debconf]", "[]"},
		{"app, debconf", "[]", "[]"},
		{"mail", "[]", "[nullmailer]"},
		{"a", "[]", "[c]"},
		{"nullmailer, c", "[]", "[]"}, // both are wanted by name
	} {
		t.Run(tt.wants, func(t *testing.T) {
			c, err := Solve(&s.universe, toyWants(tt.wants), s.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.Elided); got != tt.elided {
				t.Errorf("elided %s, want %s", got, tt.elided)
			}
			if got := fmt.Sprint(c.Prefers); got != tt.prefers {
				t.Errorf("preferences %s, want %s", got, tt.prefers)
			}
		})
	}
}

// Keep holds a version back, where it can be had.
func TestKeep(t *testing.T) {
	u := &Universe{Syntax: toy{likeApt}, Arch: "x", Repositories: []Repository{{Name: "main"}}, Packages: []Package{
		toyPackage("app", "1", "lib"), toyPackage("app2", "1", "lib>=2"), toyPackage("lib", "1", ""), toyPackage("lib", "2", ""),
	}}
	for wants, want := range map[string]string{"app": "app 1, lib 1", "app, app2": "app 1, app2 1, lib 2"} {
		if got := answer(Solve(u, toyWants(wants), Options{Keep: map[string]string{"lib": "1"}})); got != want {
			t.Errorf("%s: got %s, want %s", wants, got, want)
		}
	}
}
