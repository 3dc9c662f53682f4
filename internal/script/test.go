package script

import (
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"compose/rootfs"
)

// A tester evaluates the words of test, by their number as POSIX demands, and
// above four by the grammar of the XSI extension.
type tester struct {
	s    *shell
	args []string
	err  error
}

// test is test and [.
func (s *shell) test(args []string) error {
	words := args[1:]
	if args[0] == "[" {
		if len(words) == 0 || words[len(words)-1] != "]" {
			s.errorf("[: missing ]")
			s.status = 2
			return nil
		}
		words = words[:len(words)-1]
	}
	t := &tester{s: s, args: words}
	ok := t.some(words)
	s.status = int(truth(!ok))
	if t.err != nil {
		if _, isUnknown := t.err.(*unknown); isUnknown {
			return t.err
		}
		s.errorf("test: %v", t.err)
		s.status = 2
	}
	return nil
}

type testError string

func (e testError) Error() string { return string(e) }

// some evaluates words by their number.
func (t *tester) some(words []string) bool {
	switch len(words) {
	case 0:
		return false
	case 1:
		return words[0] != ""
	case 2:
		if words[0] == "!" {
			return words[1] == ""
		}
		if unaryTest[words[0]] != nil {
			return unaryTest[words[0]](t, words[1])
		}
		t.err = testError(words[0] + ": unknown operator")
		return false
	case 3:
		if binaryTest[words[1]] != nil {
			return binaryTest[words[1]](t, words[0], words[2])
		}
		if words[1] == "-a" || words[1] == "-o" {
			break
		}
		if words[0] == "!" {
			return !t.some(words[1:])
		}
		if words[0] == "(" && words[2] == ")" {
			return words[1] != ""
		}
		t.err = testError(words[1] + ": unknown operator")
		return false
	case 4:
		if words[0] == "!" {
			return !t.some(words[1:])
		}
		if words[0] == "(" && words[3] == ")" {
			return t.some(words[1:3])
		}
	}
	t.args = words
	ok := t.or()
	if len(t.args) > 0 && t.err == nil {
		t.err = testError(t.args[0] + ": unexpected operator")
	}
	return ok
}

func (t *tester) or() bool {
	ok := t.and()
	for len(t.args) > 0 && t.args[0] == "-o" {
		t.args = t.args[1:]
		right := t.and()
		ok = ok || right
	}
	return ok
}

func (t *tester) and() bool {
	ok := t.primary()
	for len(t.args) > 0 && t.args[0] == "-a" {
		t.args = t.args[1:]
		right := t.primary()
		ok = ok && right
	}
	return ok
}

func (t *tester) primary() bool {
	a := t.args
	switch {
	case len(a) == 0:
		t.err = testError("argument expected")
		return false
	case len(a) >= 3 && binaryTest[a[1]] != nil:
		t.args = a[3:]
		return binaryTest[a[1]](t, a[0], a[2])
	case a[0] == "!":
		t.args = a[1:]
		return !t.primary()
	case a[0] == "(":
		t.args = a[1:]
		ok := t.or()
		if len(t.args) == 0 || t.args[0] != ")" {
			t.err = testError("closing paren expected")
			return false
		}
		t.args = t.args[1:]
		return ok
	case len(a) >= 2 && unaryTest[a[0]] != nil && a[1] != "-a" && a[1] != "-o":
		t.args = a[2:]
		return unaryTest[a[0]](t, a[1])
	}
	t.args = a[1:]
	return a[0] != ""
}

// stat is the node at a path.
func (t *tester) stat(p string, follow bool) *rootfs.Node {
	if p == "" {
		return nil
	}
	p = absolute(t.s.dir, p)
	if n := device(p); n != nil {
		return n
	}
	find := t.s.run.fs.Lstat
	if follow {
		find = t.s.run.fs.Stat
	}
	n, err := find(p)
	if err != nil {
		return nil
	}
	return n
}

// device is a node for the devices that every container has, whether the
// tree has them or not.
func device(p string) *rootfs.Node {
	minor := uint32(0)
	switch p {
	case "/dev/null":
		minor = 3
	case "/dev/zero":
		minor = 5
	case "/dev/random":
		minor = 8
	case "/dev/urandom":
		minor = 9
	default:
		return nil
	}
	return &rootfs.Node{Path: p[1:], Type: rootfs.Char, Mode: 0o666, Major: 1, Minor: minor}
}

// typeTest tests what kind of file a path leads to.
func typeTest(typ rootfs.Type) func(*tester, string) bool {
	return func(t *tester, p string) bool {
		n := t.stat(p, true)
		return n != nil && n.Type == typ
	}
}

func modeTest(bits uint16) func(*tester, string) bool {
	return func(t *tester, p string) bool {
		n := t.stat(p, true)
		return n != nil && n.Mode&bits != 0
	}
}

func isThere(t *tester, p string) bool { return t.stat(p, true) != nil }
func isLink(t *tester, p string) bool {
	n := t.stat(p, false)
	return n != nil && n.Type == rootfs.Symlink
}
func executable(t *tester, p string) bool {
	n := t.stat(p, true)
	return n != nil && (n.Type == rootfs.Dir || n.Mode&0o111 != 0)
}

var unaryTest map[string]func(*tester, string) bool
var binaryTest map[string]func(*tester, string, string) bool

func init() {
	unaryTest = map[string]func(*tester, string) bool{
		"-n": func(_ *tester, v string) bool { return v != "" },
		"-z": func(_ *tester, v string) bool { return v == "" },
		"-e": isThere, "-r": isThere, "-w": isThere, "-x": executable, // as root
		"-f": typeTest(rootfs.Regular), "-d": typeTest(rootfs.Dir),
		"-b": typeTest(rootfs.Block), "-c": typeTest(rootfs.Char), "-p": typeTest(rootfs.Fifo),
		"-S": func(*tester, string) bool { return false },
		"-h": isLink, "-L": isLink,
		"-u": modeTest(0o4000), "-g": modeTest(0o2000), "-k": modeTest(0o1000),
		"-s": func(t *tester, p string) bool {
			n := t.stat(p, true)
			return n != nil && (n.Type == rootfs.Dir || n.Content.Size > 0)
		},
		"-t": func(*tester, string) bool { return false },
		"-O": func(t *tester, p string) bool { n := t.stat(p, true); return n != nil && n.UID == 0 },
		"-G": func(t *tester, p string) bool { n := t.stat(p, true); return n != nil && n.GID == 0 },
	}
	equal := func(_ *tester, a, b string) bool { return a == b }
	newer := func(t *tester, a, b string) bool {
		x, y := t.stat(a, true), t.stat(b, true)
		if x == nil || y == nil {
			return x != nil
		}
		return x.MTime > y.MTime
	}
	binaryTest = map[string]func(*tester, string, string) bool{
		"=": equal, "==": equal,
		"!=":  func(_ *tester, a, b string) bool { return a != b },
		"<":   func(_ *tester, a, b string) bool { return a < b },
		">":   func(_ *tester, a, b string) bool { return a > b },
		"-nt": newer,
		"-ot": func(t *tester, a, b string) bool { return newer(t, b, a) },
		"-ef": func(t *tester, a, b string) bool { x, y := t.stat(a, true), t.stat(b, true); return x != nil && x == y },
		"-eq": compareTest(func(c int) bool { return c == 0 }),
		"-ne": compareTest(func(c int) bool { return c != 0 }),
		"-lt": compareTest(func(c int) bool { return c < 0 }),
		"-le": compareTest(func(c int) bool { return c <= 0 }),
		"-gt": compareTest(func(c int) bool { return c > 0 }),
		"-ge": compareTest(func(c int) bool { return c >= 0 }),
	}
}

func compareTest(ok func(int) bool) func(*tester, string, string) bool {
	return func(t *tester, a, b string) bool {
		x, y := t.number(a), t.number(b)
		c := 0
		if x < y {
			c = -1
		} else if x > y {
			c = 1
		}
		return ok(c) && t.err == nil
	}
}

func (t *tester) number(v string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil {
		t.err = testError("Illegal number: " + v)
	}
	return n
}

// bashTest evaluates [[ ... ]], as far as it is like test.
func (s *shell) bashTest(x syntax.TestExpr) (bool, error) {
	switch x := x.(type) {
	case *syntax.Word:
		v, err := s.literal(x)
		return v != "", err
	case *syntax.ParenTest:
		return s.bashTest(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			ok, err := s.bashTest(x.X)
			return !ok, err
		}
		w, ok := x.X.(*syntax.Word)
		if !ok || unaryTest[x.Op.String()] == nil {
			return false, s.unknown("[[ %s", x.Op)
		}
		v, err := s.literal(w)
		if err != nil {
			return false, err
		}
		return unaryTest[x.Op.String()](&tester{s: s}, v), nil
	case *syntax.BinaryTest:
		return s.bashBinary(x)
	}
	return false, s.unknown("[[")
}

func (s *shell) bashBinary(x *syntax.BinaryTest) (bool, error) {
	if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
		ok, err := s.bashTest(x.X)
		if err != nil || ok == (x.Op == syntax.OrTest) {
			return ok, err
		}
		return s.bashTest(x.Y)
	}
	left, ok1 := x.X.(*syntax.Word)
	right, ok2 := x.Y.(*syntax.Word)
	if !ok1 || !ok2 {
		return false, s.unknown("[[ %s", x.Op)
	}
	a, err := s.literal(left)
	if err != nil {
		return false, err
	}
	if slices.Contains([]syntax.BinTestOperator{syntax.TsMatch, syntax.TsMatchShort, syntax.TsNoMatch}, x.Op) {
		pattern, err := s.pattern(right)
		return match(pattern, a) == (x.Op != syntax.TsNoMatch), err
	}
	b, err := s.literal(right)
	if err != nil {
		return false, err
	}
	f := binaryTest[x.Op.String()]
	if f == nil {
		return false, s.unknown("[[ %s", x.Op)
	}
	t := &tester{s: s}
	ok := f(t, a, b)
	return ok, t.err
}
