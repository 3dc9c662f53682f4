package format_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"compose/internal/format/apk"
	"compose/internal/format/deb"
	"compose/internal/testrepo"
	"compose/resolve"
)

// An oracle is the answers of a distribution's own tool (shared/oracles).
type oracle struct {
	Cases []oracleCase `json:"cases"`
}

type oracleCase struct {
	Roots      []string `json:"roots"`
	Closure    []string `json:"closure"` // name=version, sorted
	Error      string   `json:"error"`
	Recommends bool     `json:"recommends"`
}

type asker interface {
	resolve.Syntax
	Want(text string) (resolve.Want, error)
}

// parity is one oracle and the level that has been reached over it.
type parity struct {
	oracle   string
	syntax   asker
	arch     string
	universe func(testing.TB) *resolve.Universe
	lost     func(n int) int // how many of a closure of n the oracle lacks
	exact    int             // cases, at least
}

var parities = []parity{
	{"apk-v3.19", apk.Format{}, "x86_64", alpine("v3.19"), padded, 350},
	{"deb-trixie", deb.Format{}, "amd64", debian("trixie"), none, 210},
	{"deb-bookworm", deb.Format{}, "amd64", debian("bookworm"), none, 63},
	{"deb-trixie-hard", deb.Format{}, "amd64", debian("trixie"), none, 42},
}

func none(int) int { return 0 }

// padded is a flaw of the apk oracle: the tool numbers its lines ( 1/12) to
// (12/12), and whoever collected them lost those with a space, the packages
// that are installed first. What is left must be in our closure, which must
// have exactly as many more.
func padded(n int) int {
	lost := 0
	for digits := 10; digits <= n; digits *= 10 {
		lost = digits - 1
	}
	return lost
}

func debian(suite string) func(testing.TB) *resolve.Universe {
	return func(t testing.TB) *resolve.Universe {
		text := gunzip(t, testrepo.Shared(t, "mirrors/debian/dists/"+suite+"/main/binary-amd64/Packages.gz"))
		pkgs, err := deb.ParsePackages("Packages", text, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		return &resolve.Universe{Syntax: deb.Format{}, Arch: "amd64", Packages: pkgs, Repositories: []resolve.Repository{{Name: "debian", Kind: "deb"}}}
	}
}

func alpine(release string) func(testing.TB) *resolve.Universe {
	return func(t testing.TB) *resolve.Universe {
		u := &resolve.Universe{Syntax: apk.Format{}, Arch: "x86_64"}
		for i, repo := range []string{"main", "community"} {
			u.Repositories = append(u.Repositories, resolve.Repository{Name: "alpine-" + repo, Kind: "apk"})
			text := apkindex(t, testrepo.Shared(t, "mirrors/alpine/"+release+"/"+repo+"/x86_64/APKINDEX.tar.gz"))
			pkgs, err := apk.ParseIndex("APKINDEX", text, "x86_64")
			if err != nil {
				t.Fatal(err)
			}
			for j := range pkgs {
				pkgs[j].Repository = i
			}
			u.Packages = append(u.Packages, pkgs...)
		}
		return u
	}
}

func gunzip(t testing.TB, path string) string {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func apkindex(t testing.TB, path string) string {
	r := tar.NewReader(strings.NewReader(gunzip(t, path)))
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "APKINDEX" {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
}

// PARITY_EXTRA names a folder of more oracles, ORACLE.ANYTHING.json, that are
// printed but set no level.
//
// TestParity asks Solve what a distribution's own tool was asked, and
// compares. A closure that differs is printed with both sides.
func TestParity(t *testing.T) {
	fmt.Printf("%-18s %6s %6s %8s %7s %8s %14s %14s %9s\n", "oracle", "cases", "exact", "smaller", "larger", "differs", "wrongly solved", "wrongly refused", "ms/case")
	for _, p := range parities {
		t.Run(p.oracle, func(t *testing.T) { p.run(t) })
	}
}

func (p parity) run(t *testing.T) {
	files := []string{testrepo.Shared(t, "oracles/"+p.oracle+".json")}
	if extra := os.Getenv("PARITY_EXTRA"); extra != "" {
		more, _ := filepath.Glob(filepath.Join(extra, p.oracle+"*.json"))
		files = append(files, more...)
	}
	u := p.universe(t)
	lost := p.lost
	for i, file := range files {
		if exact := p.compare(t, u, file, lost); i == 0 && exact < p.exact {
			t.Errorf("%d cases exact, %d before", exact, p.exact)
		}
		lost = none // files that come from elsewhere are whole
	}
}

func (p parity) compare(t *testing.T, u *resolve.Universe, file string, lost func(int) int) (exact int) {
	o := readOracle(t, file)
	var smaller, larger, differs, solved, refused int
	var list []string
	start := time.Now()
	for _, c := range o.Cases {
		got, err := p.ask(t, u, c)
		missing, extra := diff(c.Closure, got)
		switch {
		case c.Error != "" && err != nil, c.Error == "" && err == nil && len(missing) == 0 && len(extra) == lost(len(got)):
			exact++
			continue
		case c.Error != "":
			solved++
			list = append(list, fmt.Sprintf("%v: solved with %d packages; the tool: %s", c.Roots, len(got), c.Error))
		case err != nil:
			refused++
			list = append(list, fmt.Sprintf("%v: refused: %v", c.Roots, err))
		default:
			switch {
			case len(extra) == 0:
				smaller++
			case len(missing) == 0:
				larger++
			default:
				differs++
			}
			list = append(list, fmt.Sprintf("%v: of %d, not in ours %v, only in ours %v", c.Roots, len(c.Closure), missing, extra))
		}
	}
	ms := float64(time.Since(start).Microseconds()) / 1000 / float64(len(o.Cases))
	fmt.Printf("%-18s %6d %6d %8d %7d %8d %14d %15d %9.1f\n", strings.TrimSuffix(filepath.Base(file), ".json"), len(o.Cases), exact, smaller, larger, differs, solved, refused, ms)
	for _, l := range list {
		fmt.Println("   ", l)
	}
	return exact
}

func (p parity) cases(t *testing.T) []oracleCase {
	return readOracle(t, testrepo.Shared(t, "oracles/"+p.oracle+".json")).Cases
}

func readOracle(t *testing.T, file string) (o oracle) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func (p parity) wants(t *testing.T, c oracleCase) (wants []resolve.Want) {
	for i, r := range c.Roots {
		w, err := p.syntax.Want(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Ref = i
		wants = append(wants, w)
	}
	return wants
}

func (p parity) ask(t *testing.T, u *resolve.Universe, c oracleCase) ([]string, error) {
	closure, err := resolve.Solve(u, p.wants(t, c), resolve.Options{Recommends: c.Recommends})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range closure.Packages {
		out = append(out, k.Name+"="+k.Version)
	}
	slices.Sort(out)
	return out, nil
}

// diff gives what only a has and what only b has; both are sorted.
func diff(a, b []string) (onlyA, onlyB []string) {
	a = slices.Clone(a)
	slices.Sort(a)
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			onlyA = append(onlyA, x)
		}
	}
	for _, x := range b {
		if _, ok := slices.BinarySearch(a, x); !ok {
			onlyB = append(onlyB, x)
		}
	}
	return onlyA, onlyB
}

// matches says whether a name offered at a version is what a asks for. One
// without a version is older than all for apk, and satisfies no constraint for
// deb.
func matches(syntax asker, a resolve.Atom, version string) bool {
	if a.Op == "" {
		return true
	}
	if version == "" {
		return syntax == asker(apk.Format{}) && a.Op[0] == '<'
	}
	return syntax.Satisfies(version, a.Op, a.Version)
}

// BenchmarkSolve is the time from parsed packages to a closure.
func BenchmarkSolve(b *testing.B) {
	for _, bench := range []struct {
		name     string
		universe func(testing.TB) *resolve.Universe
		syntax   asker
		wants    []string
	}{
		{"trixie/python3", debian("trixie"), deb.Format{}, []string{"python3"}},
		{"trixie/desktop", debian("trixie"), deb.Format{}, []string{"cairo-dock-plug-ins", "gnome-shell-extension-drive-menu"}},
		{"alpine/python3", alpine("v3.19"), apk.Format{}, []string{"python3"}},
		{"alpine/desktop", alpine("v3.19"), apk.Format{}, []string{"akonadi-dev"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			u := bench.universe(b)
			var wants []resolve.Want
			for _, text := range bench.wants {
				w, err := bench.syntax.Want(text)
				if err != nil {
					b.Fatal(err)
				}
				wants = append(wants, w)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := resolve.Solve(u, wants, resolve.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestMinimal: every dependency in a closure of the oracles' wants is
// satisfied, and without any one of its packages one would not be. The only
// packages beyond that are those that the tool has as well: taking dependencies
// one by one leaves alternatives behind, lsb-base above all, that a later
// package makes superfluous.
func TestMinimal(t *testing.T) {
	for _, p := range parities {
		t.Run(p.oracle, func(t *testing.T) {
			u := p.universe(t)
			for _, c := range p.cases(t) {
				if c.Error != "" {
					continue
				}
				closure, err := resolve.Solve(u, p.wants(t, c), resolve.Options{Recommends: c.Recommends})
				if err != nil {
					t.Errorf("%v: %v", c.Roots, err)
					continue
				}
				for _, k := range needless(t, p.syntax, closure) {
					if !slices.Contains(c.Closure, k.Name+"="+k.Version) {
						t.Errorf("%v: nothing needs %s %s", c.Roots, k.Name, k.Version)
					}
				}
			}
		})
	}
}

// TestShuffled: the order of packages, repositories and wants changes nothing.
func TestShuffled(t *testing.T) {
	for _, p := range parities {
		t.Run(p.oracle, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			u := p.universe(t)
			v := *u
			v.Repositories = slices.Clone(u.Repositories)
			slices.Reverse(v.Repositories)
			v.Packages = slices.Clone(u.Packages)
			for i := range v.Packages {
				v.Packages[i].Repository = len(v.Repositories) - 1 - v.Packages[i].Repository
			}
			r.Shuffle(len(v.Packages), func(i, j int) { v.Packages[i], v.Packages[j] = v.Packages[j], v.Packages[i] })
			cases := p.cases(t)
			for _, i := range r.Perm(len(cases))[:25] {
				o := resolve.Options{Recommends: cases[i].Recommends}
				wants := p.wants(t, cases[i])
				a, errA := resolve.Solve(u, wants, o)
				r.Shuffle(len(wants), func(i, j int) { wants[i], wants[j] = wants[j], wants[i] })
				b, errB := resolve.Solve(&v, wants, o)
				if x, y := outcome(a, errA), outcome(b, errB); x != y {
					t.Errorf("%v: in order\n%s\nshuffled\n%s", cases[i].Roots, x, y)
				}
			}
		})
	}
}

func outcome(c *resolve.Closure, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, k := range c.Packages {
		fmt.Fprintln(&b, k.Name, k.Version, k.Wanted, k.Pulled, k.Why)
	}
	return b.String()
}

// needless gives the members of a closure that nothing needs alone. It fails
// the test where a dependency is not satisfied at all.
func needless(t *testing.T, syntax asker, c *resolve.Closure) (out []resolve.Chosen) {
	type offer struct {
		name, version string
	}
	offers := map[string][]offer{} // provided name -> member, version
	for _, p := range c.Packages {
		offers[p.Name] = append(offers[p.Name], offer{p.Name, p.Version})
		for _, a := range p.Provides {
			offers[a.Name] = append(offers[a.Name], offer{p.Name, a.Version})
		}
	}
	needed := map[string]bool{}
	for _, p := range c.Packages {
		if p.Wanted || p.Pulled {
			needed[p.Name] = true
		}
		r, err := syntax.Relations(p.Package)
		if err != nil {
			t.Fatal(err)
		}
		for i, clause := range append(r.Depends, r.Recommends...) {
			by := map[string]bool{}
			for _, a := range clause {
				for _, o := range offers[a.Name] {
					if matches(syntax, a, o.version) {
						by[o.name] = true
					}
				}
			}
			if len(by) == 0 && i < len(r.Depends) {
				t.Errorf("%s %s needs %v, and nothing in the closure is it", p.Name, p.Version, clause)
			}
			if len(by) == 1 {
				for name := range by {
					needed[name] = true
				}
			}
		}
	}
	for _, p := range c.Packages {
		r, _ := syntax.Relations(p.Package)
		for _, a := range r.Conflicts {
			for _, o := range offers[a.Name] {
				if o.name != p.Name && matches(syntax, a, o.version) {
					t.Errorf("%s %s conflicts with %s", p.Name, p.Version, o.name)
				}
			}
		}
		if !needed[p.Name] {
			out = append(out, p)
		}
	}
	return out
}
