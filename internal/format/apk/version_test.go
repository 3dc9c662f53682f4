package apk

import (
	"cmp"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	// Each line holds versions in ascending order; those with = between them
	// are equal.
	for _, tt := range []struct{ rule, order string }{
		{"numbers, not text", "1.2 1.10 1.100 2 10"},
		{"more numbers are later", "1 1.0 1.0.0 1.0.1 1.1"},
		{"the first number ignores leading zeros", "01.1=1.1 1.2"},
		{"a later number with a leading zero is compared as text", "1.008 1.0092 1.1 1.2"},
		{"whichever of the two has it", "1.03 1.2 1.10"},
		{"a letter is later than none, and earlier than a number", "1.2 1.2a 1.2b 1.2.0 1.2.1"},
		{"suffixes in their order", "1_alpha 1_beta 1_pre 1_rc 1 1_cvs 1_svn 1_git 1_hg 1_p"},
		{"suffixes have numbers", "1_rc 1_rc1 1_rc2 1_rc10 1 1_p 1_p1 1_p20240101"},
		{"suffixes may be several", "1_alpha_pre2 1_alpha_p1 1_rc1_pre1 1_rc1 1_rc1_p1 1 1_p1_pre1 1_p1 1_p1_git2"},
		{"a hash is later than none, and compared as text", "1 1~0 1~a 1~ab12 1~b"},
		{"the revision comes last", "1-r0 1-r1 1-r2 1-r10 1.1-r0"},
		{"no revision is earlier than any", "1 1-r0"},
		{"a revision is earlier than a further part", "1.2-r9 1.2_p1-r0 1.2a-r0 1.2.1-r0"},
		{"a pre-release is earlier, with or without a revision", "1.2_rc1-r5 1.2-r0"},
		{"numbers of any length", "1.99999999999999999999 1.100000000000000000000"},
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
					if got, want := cmp.Compare((Format{}).Compare(a, b), 0), cmp.Compare(rank[i], rank[j]); got != want {
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

func TestCheckVersion(t *testing.T) {
	for _, v := range []string{
		"", "a", "1.", ".1", "1..2", "1a2", "1ab", "1.2a.3", "1_", "1_foo", "1_RC1", "1_rc.1", "1~", "1~xyz", "1~ab~cd", "1-1", "1-r", "1-r1-r2",
		"1-r1_p1", "1~ab_p1", "1 2", "1A", "1+2", "v1",
	} {
		if checkVersion(v) == nil {
			t.Errorf("%q is taken for a version", v)
		}
	}
}

func TestSatisfies(t *testing.T) {
	for _, tt := range []struct {
		have, op, want string
		ok             bool
	}{
		{"1", "", "", true}, {"1.0-r0", "=", "1.0-r0", true}, {"1.0-r0", "=", "1.0", false},
		{"1", "<", "2", true}, {"2", "<", "2", false}, {"2", "<=", "2", true}, {"3", "<=", "2", false},
		{"3", ">", "2", true}, {"2", ">", "2", false}, {"2", ">=", "2", true}, {"1", ">=", "2", false},
		{"1.2.4-r0", "~", "1.2", true}, {"1.2-r0", "~", "1.2", true}, {"1.20-r0", "~", "1.2", false}, {"1.3", "~", "1.2", false},
		{"1.2a", "~", "1.2", true}, {"1.2_rc1-r0", "~", "1.2", true}, {"1.2", "~", "1.2.4", false}, {"1.2.4-r1", "~", "1.2.4-r1", true},
		{"1.1", "<~", "1.2", true}, {"1.2.9", "<~", "1.2", true}, {"1.3", "<~", "1.2", false},
		{"1.3", ">~", "1.2", true}, {"1.2.9", ">~", "1.2", true}, {"1.2_rc1", ">~", "1.2", true}, {"1.1", ">~", "1.2", false},
		{"", ">=", "2", true}, {"", "=", "2", true}, // provided without a version
		{"1", "><", "1", false}, {"", "><", "1", false}, {"1", "?", "1", false},
	} {
		if got := (Format{}).Satisfies(tt.have, tt.op, tt.want); got != tt.ok {
			t.Errorf("%s %s %s: %v", tt.have, tt.op, tt.want, got)
		}
	}
}

func TestCompareAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		(Format{}).Compare("1.2.4_git20230717-r4", "1.2.4_git20230717-r5")
		(Format{}).Satisfies("1.2.4_git20230717-r4", "~", "1.2")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCompare(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		(Format{}).Compare("1.2.4_git20230717-r4", "1.2.4_git20230717-r5")
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1.0-r1", "1.0_rc1", "1.0a")
	f.Add("1.01", "1.1_p1_pre2", "1~ab-r0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if cmp.Compare(compare(a, b, false), 0) != -cmp.Compare(compare(b, a, false), 0) || compare(a, a, false) != 0 {
			t.Errorf("%q, %q: no order", a, b)
		}
		if checkVersion(a) != nil || checkVersion(b) != nil || checkVersion(c) != nil || strings.Contains(a+b+c, ".0") {
			return // numbers with leading zeros have no consistent order among three
		}
		if compare(a, b, false) <= 0 && compare(b, c, false) <= 0 && compare(a, c, false) > 0 {
			t.Errorf("%q <= %q <= %q, but the last precedes the first", a, b, c)
		}
		if compare(a, b, false) == 0 && compare(a, b, true) != 0 {
			t.Errorf("%q equals %q, but does not begin with it", a, b)
		}
	})
}
