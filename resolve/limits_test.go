package resolve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"compose/internal/fault"
)

// pigeons is a universe without a solution that no known search of this kind
// refutes quickly: n+1 packages each need one of n holes, and no two may
// share one.
func pigeons(n int) (*Universe, []Want) {
	u := &Universe{Syntax: toy{}, Arch: "x", Repositories: []Repository{{Name: "main"}}}
	var wants []string
	for p := range n + 1 {
		var holes []string
		for h := range n {
			name := fmt.Sprintf("p%d-in-%d", p, h)
			holes = append(holes, name)
			u.Packages = append(u.Packages, toyPackage(name, "1", fmt.Sprintf("provides hole%d, conflicts hole%d", h, h)))
		}
		name := fmt.Sprintf("pigeon%d", p)
		u.Packages = append(u.Packages, toyPackage(name, "1", strings.Join(holes, " | ")))
		wants = append(wants, name)
	}
	return u, toyWants(strings.Join(wants, ", "))
}

// A universe that is built to explode stops at the step budget, and says
// where (threats.md K-09).
func TestK09(t *testing.T) {
	u, wants := pigeons(30)
	start := time.Now()
	_, err := Solve(u, wants, Options{Steps: 200_000})
	var why *Unsatisfied
	if !errors.As(err, &why) || why.Kind != KindGaveUp || fault.Of(err) != fault.NoSolution {
		t.Fatalf("got %v, want a %s that is %s", err, KindGaveUp, fault.NoSolution)
	}
	if !strings.Contains(err.Error(), "gave up after 200000 steps at ") {
		t.Errorf("%q does not tell the steps and the place", err)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("200000 steps took %v", d)
	}
}

// Cycles of provides, dependencies and When end.
func TestK09Cycles(t *testing.T) {
	u := &Universe{Syntax: toy{likeApk}, Arch: "x", Repositories: []Repository{{Name: "main"}}}
	const n = 2000
	for i := range n {
		u.Packages = append(u.Packages, toyPackage(fmt.Sprintf("p%d", i), "1", fmt.Sprintf("p%d, provides v%d, v%d", (i+1)%n, i, (i+7)%n)))
		u.Packages = append(u.Packages, toyPackage(fmt.Sprintf("w%d", i), "1", fmt.Sprintf("when p%d w%d", i, (i+n-1)%n)))
	}
	u.Packages = append(u.Packages, toyPackage("start", "1", "w0"))
	c, err := Solve(u, toyWants("p0, start"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Packages) != 2*n+1 {
		t.Errorf("%d packages, want %d", len(c.Packages), 2*n+1)
	}
}

// A small universe without a solution is refuted, not given up on.
func TestSmallRefuted(t *testing.T) {
	u, wants := pigeons(5)
	_, err := Solve(u, wants, Options{})
	var why *Unsatisfied
	if !errors.As(err, &why) || why.Kind != KindConflict {
		t.Fatalf("got %v, want a %s", err, KindConflict)
	}
	if len(why.Against) != 5 {
		t.Errorf("%d wants stand against the first, want 5", len(why.Against))
	}
}

// One version in two repositories with different contents, and no key that
// signs both, is refused (threats.md T-21).
func TestT21(t *testing.T) {
	build := func(keyA, keyB string, sumB byte) *Universe {
		u := &Universe{Syntax: toy{}, Arch: "x", Repositories: []Repository{
			{Name: "ours", Indexes: []IndexFile{{Key: keyA}}},
			{Name: "theirs", Indexes: []IndexFile{{Key: keyB}}},
		}}
		a, b := toyPackage("lib", "1", ""), toyPackage("lib", "1", "")
		b.Repository, b.Check.SHA256[0] = 1, sumB
		u.Packages = []Package{a, b}
		return u
	}
	for _, tt := range []struct {
		rule string
		u    *Universe
		want string
	}{
		{"different contents, different keys", build("k1", "k2", 7), `error: package "lib": two repositories that share no key have version 1, with different contents
  lib 1 is in ours
  lib 1 is in theirs
hint: give one of the repositories a name, and take the package from it: lib@NAME`},
		{"different contents, one key: the first repository by name", build("k1", "k1", 7), "lib 1"},
		{"the same contents", build("k1", "k2", 0), "lib 1"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			c, err := Solve(tt.u, toyWants("lib"), Options{})
			if got := answer(c, err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if err == nil && tt.u.Repositories[c.Packages[0].Repository].Name != "ours" {
				t.Errorf("taken from %s", tt.u.Repositories[c.Packages[0].Repository].Name)
			}
		})
	}
}

// A relation that the syntax cannot read is an error, never ignored.
func TestUnreadable(t *testing.T) {
	u := &Universe{Syntax: toy{}, Arch: "x", Repositories: []Repository{{Name: "main"}}, Packages: []Package{toyPackage("a", "1", "b?")}}
	if _, err := Solve(u, toyWants("a"), Options{}); fault.Of(err) != fault.FormatInvalid {
		t.Errorf("got %v, want %s", err, fault.FormatInvalid)
	}
}
