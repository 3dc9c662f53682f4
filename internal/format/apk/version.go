package apk

import (
	"fmt"
	"strings"
)

// A version is, by Alpine's rules (apk-package(5)),
//
//	number{.number}[letter]{_suffix[number]}[~hash][-rnumber]
//
// A cursor walks over its parts. Two versions are compared part by part; where
// one has a part of another kind than the other, the kinds decide.
type cursor struct {
	kind  kind
	value string // of the part; a suffix's rank is in rank
	rank  int
	rest  string // behind the part
}

// A kind is a kind of part. Of two kinds at one place the higher means the
// older version: 1.2 is older than 1.2a, which is older than 1.2.1.
type kind int

const (
	first    kind = iota // the first number
	number               // a number behind a dot
	letter               //
	suffix               // _alpha and its like
	suffixNo             // its number
	hash                 // ~ and a commit
	revision             // -r and a number
	end
	invalid
)

// ranks are the suffixes in their order; those below zero mark a version that
// precedes the one without them.
var ranks = map[string]int{
	"alpha": -4, "beta": -3, "pre": -2, "rc": -1,
	"cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5,
}

// start is a cursor at the first part of s.
func start(s string) cursor {
	c := cursor{kind: first}
	c.value, c.rest = digits(s)
	if c.value == "" {
		c.kind = invalid
	}
	return c
}

// next moves c to the part behind the present one.
func (c *cursor) next() {
	if c.rest == "" {
		c.kind = end
		return
	}
	was, lead, rest := c.kind, c.rest[0], c.rest[1:]
	c.kind = invalid
	switch {
	case isDigit(lead):
		if was == suffix {
			c.kind = suffixNo
			c.value, c.rest = digits(c.rest)
		}
	case lead == '.':
		if c.value, c.rest = digits(rest); was <= number && c.value != "" {
			c.kind = number
		}
	case 'a' <= lead && lead <= 'z':
		if was <= number {
			c.kind = letter
			c.value, c.rest = c.rest[:1], rest
		}
	case lead == '_':
		c.value, c.rest = span(rest, func(b byte) bool { return 'a' <= b && b <= 'z' })
		rank, known := ranks[c.value]
		if was <= suffixNo && known {
			c.kind, c.rank = suffix, rank
		}
	case lead == '~':
		c.value, c.rest = span(rest, func(b byte) bool { return isDigit(b) || 'a' <= b && b <= 'f' })
		if was < hash && c.value != "" {
			c.kind = hash
		}
	case lead == '-' && strings.HasPrefix(rest, "r"):
		if c.value, c.rest = digits(rest[1:]); was < revision && c.value != "" {
			c.kind = revision
		}
	}
}

// compare compares two parts of one kind.
func (c *cursor) compare(d *cursor) int {
	switch c.kind {
	case number:
		if c.value[0] == '0' || d.value[0] == '0' {
			return strings.Compare(c.value, d.value) // 1.08 is older than 1.1, as a fraction would be
		}
		return compareNumbers(c.value, d.value)
	case first, suffixNo, revision:
		return compareNumbers(c.value, d.value)
	case suffix:
		return c.rank - d.rank
	}
	return strings.Compare(c.value, d.value)
}

// compare orders two versions. With prefix, b also equals every version that
// begins with all of its parts.
func compare(a, b string, prefix bool) int {
	c, d := start(a), start(b)
	for c.kind == d.kind && c.kind < end {
		if r := c.compare(&d); r != 0 {
			return r
		}
		c.next()
		d.next()
	}
	switch {
	case c.kind == d.kind, prefix && d.kind == end:
		return 0
	case c.kind == suffix && c.rank < 0: // 1.2_rc1 precedes 1.2
		return -1
	case d.kind == suffix && d.rank < 0:
		return 1
	}
	return int(d.kind - c.kind)
}

// Compare orders two versions as apk-tools 3 does. Version 2 differs where a
// number behind a dot has leading zeros: 1.034 was later than 1.04 for it.
func (Format) Compare(a, b string) int { return compare(a, b, false) }

// Satisfies reports whether have is allowed by op and want. The operators <~
// and >~ are apk's: less, or greater, or of that prefix. What is provided
// without a version (have is "") satisfies every constraint. A package with a
// given checksum (><) is never found by its version.
func (Format) Satisfies(have, op, want string) bool {
	if op == "" || have == "" && op != "><" {
		return true
	}
	switch op {
	case "=":
		return compare(have, want, false) == 0
	case "<":
		return compare(have, want, false) < 0
	case "<=":
		return compare(have, want, false) <= 0
	case ">":
		return compare(have, want, false) > 0
	case ">=":
		return compare(have, want, false) >= 0
	case "~":
		return compare(have, want, true) == 0
	case "<~":
		return compare(have, want, true) <= 0
	case ">~":
		return compare(have, want, true) >= 0
	}
	return false
}

// checkStored refuses what no package may have for a version (threats.md
// K-05). It need not be well-formed: a dozen of Alpine's are not, such as
// 7.4.0p1-r1, and then compare by the parts that are.
func checkStored(s string) error {
	ok := s != "" && len(s) <= 255 && isAlnum(s[0])
	for i := 0; ok && i < len(s); i++ {
		ok = isAlnum(s[i]) || strings.IndexByte("._~+-", s[i]) >= 0
	}
	if !ok {
		return fmt.Errorf("%q is no version", clip(s))
	}
	return nil
}

// checkVersion refuses what is no well-formed version.
func checkVersion(s string) error {
	c := start(s)
	for c.kind < end {
		c.next()
	}
	if c.kind == invalid {
		return fmt.Errorf("%q is no version", clip(s))
	}
	return nil
}

// compareNumbers compares two runs of digits of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func digits(s string) (digits, rest string) { return span(s, isDigit) }

// span cuts s behind the bytes at its beginning that belong to a set.
func span(s string, in func(byte) bool) (prefix, rest string) {
	i := 0
	for i < len(s) && in(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
