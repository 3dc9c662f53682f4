package deb

import (
	"cmp"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	judge "github.com/knqyf263/go-deb-version"
)

func TestCompare(t *testing.T) {
	// Each line holds versions in ascending order; those with = between them
	// are equal.
	for _, tt := range []struct{ rule, order string }{
		{"numbers, not text", "1.2 1.10 1.100"},
		{"epochs come first", "2 1:1 2:0.1 10:0"},
		{"no epoch is epoch 0", "1=0:1=00:1"},
		{"a tilde precedes everything, even the end", "1~~ 1~~a 1~ 1~rc1 1 1a 1+b 1.1"},
		{"letters precede other characters", "1a 1b 1+ 1."},
		{"leading zeros count for nothing", "1.01=1.1 1.010=1.10"},
		{"the revision comes last", "1 1-1 1-2 1-10 1.1-1"},
		{"no revision is revision 0", "1=1-0=1-00 1-0a"},
		{"the last hyphen begins the revision", "1-2-1 1-2-2 1-10-1"},
		{"numbers of any length", "99999999999999999999 100000000000000000000"},
		{"Debian's own suffixes", "1.0-1~bpo12+1 1.0-1~deb13u1 1.0-1 1.0-1+b1 1.0-1+deb13u1 1.0-1.1 1.0-2"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			var list []string
			var rank []int
			for i, equal := range strings.Fields(tt.order) {
				for _, v := range strings.Split(equal, "=") {
					list, rank = append(list, v), append(rank, i)
				}
			}
			for i, a := range list {
				for j, b := range list {
					if got, want := sign((Format{}).Compare(a, b)), cmp.Compare(rank[i], rank[j]); got != want {
						t.Errorf("%s and %s: %d, want %d", a, b, got, want)
					}
				}
				if err := checkVersion(a); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func sign(n int) int { return cmp.Compare(n, 0) }

func TestSatisfies(t *testing.T) {
	for _, tt := range []struct {
		have, op, want string
		ok             bool
	}{
		{"1", "", "", true}, {"1.0", "=", "1.00", true}, {"1", "=", "2", false},
		{"1", "<", "2", true}, {"2", "<", "2", false}, {"2", "<=", "2", true}, {"3", "<=", "2", false},
		{"3", ">", "2", true}, {"2", ">", "2", false}, {"2", ">=", "2", true}, {"1", ">=", "2", false},
		{"3.5.7-1~deb13u2", "~", "3.5", true}, {"3.50", "~", "3.5", false}, {"3.5", "~", "3.5", true}, {"3.4", "~", "3.5", false},
		{"1:3.5-1", "~", "3.5", true}, {"1:3.5-1", "~", "1:3.5", true}, {"1:3.5-1", "~", "2:3.5", false}, {"3.5rc1", "~", "3.5", true}, {"3.5rcx", "~", "3.5rc", false},
		{"1", "><", "1", false}, {"1", "?", "1", false},
	} {
		if got := (Format{}).Satisfies(tt.have, tt.op, tt.want); got != tt.ok {
			t.Errorf("%s %s %s: %v", tt.have, tt.op, tt.want, got)
		}
	}
}

// realPairs are pairs of versions from Debian's own archives: half of them at
// random, half neighbours, which share long prefixes.
func realPairs(t testing.TB, n int) [][2]string {
	var all []string
	for _, suite := range []string{"trixie", "bookworm"} {
		pkgs, err := ParsePackages(suite, realPackages(t, suite), "amd64")
		if err != nil {
			t.Fatal(err)
		}
		for i := range pkgs {
			all = append(all, pkgs[i].Version)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	r := rand.New(rand.NewPCG(1, 2))
	pairs := make([][2]string, n)
	for i := range pairs {
		a := r.IntN(len(all) - 3)
		b := r.IntN(len(all))
		if i%2 == 0 {
			b = a + 1 + r.IntN(3)
		}
		pairs[i] = [2]string{all[a], all[b]}
	}
	return pairs
}

// The order is the one of another implementation, over real versions.
func TestCompareWithJudge(t *testing.T) {
	for _, p := range realPairs(t, 20_000) {
		a, err := judge.NewVersion(p[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := judge.NewVersion(p[1])
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sign((Format{}).Compare(p[0], p[1])), sign(a.Compare(b)); got != want {
			t.Errorf("%s and %s: %d, want %d", p[0], p[1], got, want)
		}
		if (Format{}).Compare(p[0], p[1]) != -(Format{}).Compare(p[1], p[0]) {
			t.Errorf("%s and %s: not the reverse of each other", p[0], p[1])
		}
	}
}

// The order is dpkg's own, where there is one. DPKG_PAIRS is how many real
// pairs are compared; each costs a process.
func TestCompareWithDpkg(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg on this machine")
	}
	pairs, err := strconv.Atoi(cmp.Or(os.Getenv("DPKG_PAIRS"), "300"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range realPairs(t, pairs) {
		op := []string{"lt", "eq", "gt"}[sign((Format{}).Compare(p[0], p[1]))+1]
		if err := exec.Command(dpkg, "--compare-versions", p[0], op, p[1]).Run(); err != nil {
			t.Errorf("%s %s %s: dpkg says no", p[0], op, p[1])
		}
	}
}

func TestCompareAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		(Format{}).Compare("1:2.41-12+deb13u4", "1:2.41-12+deb13u10")
		(Format{}).Satisfies("1:2.41-12+deb13u4", "~", "2.41")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCompare(b *testing.B) {
	pairs := realPairs(b, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := &pairs[i%len(pairs)]
		(Format{}).Compare(p[0], p[1])
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1.0-1", "1.0-1~", "2")
	f.Add("1:1", "0:1a", "1+b1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if checkVersion(a) != nil || checkVersion(b) != nil || checkVersion(c) != nil {
			return
		}
		x := Format{}
		ab, bc, ac := x.Compare(a, b), x.Compare(b, c), x.Compare(a, c)
		if sign(ab) != -sign(x.Compare(b, a)) || x.Compare(a, a) != 0 {
			t.Errorf("%q, %q: no order", a, b)
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Errorf("%q <= %q <= %q, but the last precedes the first", a, b, c)
		}
	})
}
