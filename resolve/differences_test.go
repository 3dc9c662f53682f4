package resolve

import "testing"

// TestDifferences shows each way in which Solve is meant to differ from apt
// or apk-tools, as the package documentation lists them.
func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		rule, story, wants, want string
	}{
		{"no leftovers", "leftovers", "a", "a 1, y 1"},
		{"older versions", "older", "a, b", "a 1, b 1, lib 1"},
		{"an earlier choice undone", "undone", "a, b", "a 1, b 1, d 1, e 1, y 1"},
		{"suggestions do not count", "suggests", "a", "a 1, p-two 1"},
		{"install_if decides nothing", "installif", "fox, icu", "data-en 1, fox 1, icu 1"},
		{"shared names", "shared", "a, b", "a 1, b 1, jit 1, lua 1"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			s := readStory(t, "testdata/differences/"+tt.story+".txt")
			if got := answer(Solve(&s.universe, toyWants(tt.wants), s.options)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
