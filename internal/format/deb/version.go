package deb

import (
	"fmt"
	"strings"
)

// Compare orders two versions as dpkg does (deb-version(7)): by epoch, then
// by upstream version, then by revision.
func (Format) Compare(a, b string) int {
	ae, au, ar := splitVersion(a)
	be, bu, br := splitVersion(b)
	if c := compareNumbers(ae, be); c != 0 {
		return c
	}
	if c := comparePart(au, bu); c != 0 {
		return c
	}
	return comparePart(ar, br)
}

// Satisfies reports whether have is allowed by op and want. The operator ~ is
// ours: want is a prefix of have that ends where a number or a word of have
// ends, and an epoch that want does not name is not looked at.
func (f Format) Satisfies(have, op, want string) bool {
	switch op {
	case "":
		return true
	case "=":
		return f.Compare(have, want) == 0
	case "<":
		return f.Compare(have, want) < 0
	case "<=":
		return f.Compare(have, want) <= 0
	case ">":
		return f.Compare(have, want) > 0
	case ">=":
		return f.Compare(have, want) >= 0
	case "~":
		return hasVersionPrefix(have, want)
	}
	return false
}

func hasVersionPrefix(have, want string) bool {
	if strings.IndexByte(want, ':') < 0 {
		if i := strings.IndexByte(have, ':'); i >= 0 {
			have = have[i+1:]
		}
	}
	rest, ok := strings.CutPrefix(have, want)
	if !ok || rest == "" || want == "" {
		return ok
	}
	last, next := want[len(want)-1], rest[0]
	return !(isDigit(last) && isDigit(next)) && !(isLetter(last) && isLetter(next))
}

// splitVersion cuts [epoch:]upstream[-revision].
func splitVersion(s string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		epoch, s = s[:i], s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// comparePart compares two upstream versions or revisions: by turns a run of
// other characters than digits, where ~ sorts before the end, the end before
// letters and letters before the rest; and a number.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if c := weight(a) - weight(b); c != 0 {
				return c
			}
			if a != "" {
				a = a[1:]
			}
			if b != "" {
				b = b[1:]
			}
		}
		var x, y string
		x, a = number(a)
		y, b = number(b)
		if c := compareNumbers(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// weight is the place in the order of the first character of s.
func weight(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}

// number cuts s behind its leading digits.
func number(s string) (digits, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// compareNumbers compares two runs of digits of any length; none is 0.
func compareNumbers(a, b string) int {
	for a != "" && a[0] == '0' {
		a = a[1:]
	}
	for b != "" && b[0] == '0' {
		b = b[1:]
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// checkVersion refuses what is no version by deb-version(7). A leading letter
// is let through, as dpkg does for what is already in an archive.
func checkVersion(s string) error {
	if len(s) > 255 {
		return fmt.Errorf("version %q is %d bytes long", clip(s), len(s))
	}
	epoch, upstream, revision := splitVersion(s)
	hasEpoch := strings.IndexByte(s, ':') >= 0
	digits, rest := number(epoch)
	switch {
	case hasEpoch && (digits == "" || rest != "" || len(digits) > 9):
		return fmt.Errorf("version %q: epoch %q is no number", s, epoch)
	case upstream == "" || !isAlnum(upstream[0]):
		return fmt.Errorf("version %q does not begin with a digit", s)
	case revision == "" && strings.HasSuffix(s, "-"):
		return fmt.Errorf("version %q has an empty revision", s)
	}
	for _, c := range []byte(upstream) {
		if !isAlnum(c) && strings.IndexByte(".+-~:", c) < 0 {
			return fmt.Errorf("version %q: %q may not stand in it", s, c)
		}
	}
	for _, c := range []byte(revision) {
		if !isAlnum(c) && strings.IndexByte(".+~", c) < 0 {
			return fmt.Errorf("version %q: %q may not stand in it", s, c)
		}
	}
	return nil
}
