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
