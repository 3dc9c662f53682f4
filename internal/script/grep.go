package script

import (
	"cmp"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"compose/rootfs"
)

func init() {
	register(map[string]Command{"grep": grep, "egrep": grep, "fgrep": grep, "expr": expr})
}

// repeated takes the options that may be given several times, with a value,
// out of args: "-e x", "-ex".
func repeated(args []string, letters, valued string) (values map[byte][]string, rest []string) {
	values = map[byte][]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return values, append(rest, args[i:]...)
		}
		if len(a) < 2 || a[0] != '-' || a[1] == '-' {
			rest = append(rest, a)
			continue
		}
		for j := 1; j < len(a); j++ {
			if strings.IndexByte(valued, a[j]) >= 0 {
				break // the rest is a value
			}
			if strings.IndexByte(letters, a[j]) < 0 {
				continue
			}
			value := a[j+1:]
			if value == "" && i+1 < len(args) {
				i++
				value = args[i]
			}
			values[a[j]] = append(values[a[j]], value)
			a = a[:j]
		}
		if a != "-" {
			rest = append(rest, a)
		}
	}
	return values, rest
}

// A grepper is one run of grep.
type grepper struct {
	c                                   *Call
	match                               func(line string) [][]int // spans of matches
	invert, quiet, list, listNot, count bool
	number, only, names                 bool
	limit                               int
	found                               bool
}

func grep(c *Call) error {
	values, rest := repeated(c.Args[1:], "ef", "mABC")
	o, args, err := getopt(rest, "E|extended-regexp F|fixed-strings G|basic-regexp i|ignore-case y v|invert-match w|word-regexp x|line-regexp q|quiet|silent s|no-messages l|files-with-matches L|files-without-match c|count n|line-number o|only-matching h|no-filename H|with-filename r|recursive R m|max-count= a|text Z z|null-data A= B= C= include= exclude= color= regexp= file= P")
	if err != nil {
		return err
	}
	for _, name := range []string{"Z", "z", "A", "B", "C", "file"} {
		if o.has(name) {
			return Unknown("option -%s", name)
		}
	}
	patterns := values['e']
	if o.has("regexp") {
		patterns = append(patterns, o["regexp"])
	}
	for _, file := range values['f'] {
		data, status, err := c.readAll([]string{file})
		if err != nil || status != 0 {
			return cmp.Or(err, Exit(2))
		}
		for line := range strings.Lines(string(data)) {
			patterns = append(patterns, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(values['e'])+len(values['f']) == 0 && !o.has("regexp") {
		if len(args) == 0 {
			c.Errorf("usage: grep pattern [file ...]")
			return Exit(2)
		}
		patterns, args = []string{args[0]}, args[1:]
	}
	g := &grepper{
		c: c, invert: o.has("v"), quiet: o.has("q"), list: o.has("l"), listNot: o.has("L"), count: o.has("c"),
		number: o.has("n"), only: o.has("o"), limit: -1,
		names: (len(args) > 1 || o.has("r") || o.has("R") || o.has("H")) && !o.has("h"),
	}
	if o.has("m") {
		if g.limit, err = strconv.Atoi(o["m"]); err != nil {
			return Unknown("number %q", o["m"])
		}
	}
	if g.match, err = matcher(patterns, o, base(c.Args[0])); err != nil {
		return err
	}
	if o.has("r") || o.has("R") {
		if args, err = c.filesBelow(args, o); err != nil {
			return err
		}
		if len(args) == 0 {
			return Exit(1)
		}
	}
	quiet := *c
	if o.has("s") {
		quiet.Stderr = nowhere{}
	}
	status, err := quiet.input(args, g.file)
	switch {
	case err != nil:
		return err
	case g.found && (status == 0 || g.quiet):
		return nil
	case status != 0:
		return Exit(2)
	}
	return Exit(1)
}

// filesBelow gives the regular files at and below the paths, for grep -r.
func (c *Call) filesBelow(paths []string, o options) ([]string, error) {
	if len(paths) == 0 {
		return nil, Unknown("option -r without files")
	}
	var files []string
	for _, p := range paths {
		err := c.walk(c.Path(p), func(full string) error {
			n, err := c.FS.Lstat(full)
			if err != nil || n.Type != rootfs.Regular && n.Type != rootfs.Hardlink {
				return err
			}
			name := path.Base(full)
			if o.has("include") && !match(o["include"], name) || o.has("exclude") && match(o["exclude"], name) {
				return nil
			}
			files = append(files, p+strings.TrimPrefix(full, c.Path(p)))
			return nil
		})
		if err != nil {
			if _, fatal := c.complaint(p, err); fatal != nil {
				return nil, fatal
			}
		}
	}
	return files, nil
}

// matcher finds any of the patterns in a line.
func matcher(patterns []string, o options, name string) (func(string) [][]int, error) {
	extended, fixed := o.has("E") || name == "egrep", o.has("F") || name == "fgrep"
	var split []string
	for _, p := range patterns {
		split = append(split, strings.Split(p, "\n")...)
	}
	var list []*regex
	for _, p := range split {
		if fixed {
			p = quoteRegex(p)
		}
		switch {
		case o.has("x") && extended && !fixed:
			p = "^(" + p + ")$"
		case o.has("x"):
			p = `^\(` + p + `\)$`
		}
		if o.has("P") {
			re, err := perlRegex(p)
			if err != nil {
				return nil, err
			}
			list = append(list, re)
			continue
		}
		re, err := compile(p, extended && !fixed, o.has("i") || o.has("y"))
		if err != nil {
			return nil, err
		}
		list = append(list, re)
	}
	return func(line string) [][]int {
		var spans [][]int
		for _, re := range list {
			for _, m := range re.re.FindAllStringIndex(line, -1) {
				if o.has("w") && !isWord(line, m) {
					continue
				}
				spans = append(spans, m)
			}
		}
		return spans
	}, nil
}

// perlRegex understands what Perl's regular expressions have in common with
// Go's.
func perlRegex(pattern string) (*regex, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, Unknown("regular expression %q", pattern)
	}
	return &regex{re: re}, nil
}

// quoteRegex makes a text stand for itself in a basic regular expression.
func quoteRegex(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(`\.[*^$`, text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// isWord reports whether no letter, digit or underscore stands beside a match.
func isWord(line string, m []int) bool {
	word := func(i int) bool {
		return i >= 0 && i < len(line) && (line[i] == '_' || inClass("alnum", rune(line[i])))
	}
	return !word(m[0]-1) && !word(m[1])
}

// file looks at one file.
func (g *grepper) file(name string, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if name == "-" {
		name = "(standard input)"
	}
	prefix := ""
	if g.names {
		prefix = name + ":"
	}
	n, hits := 0, 0
	for line := range strings.Lines(string(data)) {
		if g.limit >= 0 && hits >= g.limit {
			break
		}
		n++
		line = strings.TrimSuffix(line, "\n")
		spans := g.match(line)
		if (len(spans) > 0) == g.invert {
			continue
		}
		hits++
		if g.found = true; g.quiet {
			return nil
		}
		if g.list || g.listNot {
			break
		}
		if g.count {
			continue
		}
		at := prefix
		if g.number {
			at += strconv.Itoa(n) + ":"
		}
		if err := g.print(at, line, spans); err != nil {
			return err
		}
	}
	switch {
	case g.quiet:
		return nil
	case g.listNot && hits == 0, g.list && hits > 0:
		return g.c.println(name)
	case g.count && !g.list:
		return g.c.println(prefix + strconv.Itoa(hits))
	}
	return nil
}

func (g *grepper) print(at, line string, spans [][]int) error {
	if !g.only {
		return g.c.println(at + line)
	}
	slices.SortFunc(spans, func(a, b []int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(b[1], a[1])) })
	end := 0
	for _, m := range spans {
		if m[0] < end || m[0] == m[1] {
			continue
		}
		end = m[1]
		if err := g.c.println(at + line[m[0]:m[1]]); err != nil {
			return err
		}
	}
	return nil
}

// An evaluator evaluates the words of expr.
type evaluator struct {
	words []string
	err   error
}

func expr(c *Call) error {
	words := c.Args[1:]
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	e := &evaluator{words: words}
	value := e.or()
	if e.err == nil && len(e.words) > 0 {
		e.err = exitStatus(2)
	}
	if e.err == exitStatus(2) {
		c.Errorf("syntax error")
	}
	if e.err != nil {
		return e.err
	}
	if err := c.println(value); err != nil {
		return err
	}
	return Exit(int(truth(isNull(value))))
}

func isNull(v string) bool { return strings.TrimLeft(v, "0") == "" || v == "-0" }

func (e *evaluator) peek() string {
	if len(e.words) == 0 {
		return ""
	}
	return e.words[0]
}

func (e *evaluator) next() string {
	if len(e.words) == 0 {
		if e.err == nil {
			e.err = exitStatus(2)
		}
		return ""
	}
	w := e.words[0]
	e.words = e.words[1:]
	return w
}

func (e *evaluator) or() string {
	left := e.and()
	for e.peek() == "|" {
		e.next()
		if right := e.and(); isNull(left) {
			if left = right; isNull(left) {
				left = "0"
			}
		}
	}
	return left
}

func (e *evaluator) and() string {
	left := e.compare()
	for e.peek() == "&" {
		e.next()
		if right := e.compare(); isNull(left) || isNull(right) {
			left = "0"
		}
	}
	return left
}

func (e *evaluator) compare() string {
	left := e.sum()
	for slices.Contains([]string{"=", "==", "!=", "<", "<=", ">", ">="}, e.peek()) {
		op := e.next()
		right := e.sum()
		d := strings.Compare(left, right)
		a, err1 := strconv.ParseInt(left, 10, 64)
		b, err2 := strconv.ParseInt(right, 10, 64)
		if err1 == nil && err2 == nil {
			d = cmp.Compare(a, b)
		}
		ok := false
		switch op {
		case "=", "==":
			ok = d == 0
		case "!=":
			ok = d != 0
		case "<":
			ok = d < 0
		case "<=":
			ok = d <= 0
		case ">":
			ok = d > 0
		case ">=":
			ok = d >= 0
		}
		left = strconv.FormatInt(truth(ok), 10)
	}
	return left
}

func (e *evaluator) sum() string {
	left := e.product()
	for e.peek() == "+" || e.peek() == "-" {
		left = e.calculate(left, e.next(), e.product())
	}
	return left
}

func (e *evaluator) product() string {
	left := e.matching()
	for e.peek() == "*" || e.peek() == "/" || e.peek() == "%" {
		left = e.calculate(left, e.next(), e.matching())
	}
	return left
}

func (e *evaluator) calculate(left, op, right string) string {
	a, err1 := strconv.ParseInt(left, 10, 32)
	b, err2 := strconv.ParseInt(right, 10, 32)
	if err1 != nil || err2 != nil || b == 0 && (op == "/" || op == "%") {
		if e.err == nil {
			e.err = exitStatus(2)
		}
		return ""
	}
	switch op {
	case "+":
		a += b
	case "-":
		a -= b
	case "*":
		a *= b
	case "/":
		a /= b
	case "%":
		a %= b
	}
	return strconv.FormatInt(a, 10)
}

func (e *evaluator) matching() string {
	left := e.primary()
	for e.peek() == ":" {
		e.next()
		left = e.match(left, e.primary())
	}
	return left
}

// match is the part of text in \( \), or else the number of characters that
// match.
func (e *evaluator) match(text, pattern string) string {
	re, err := compile(pattern, false, false)
	if err != nil {
		e.err = err
		return ""
	}
	m := re.re.FindStringSubmatch(text)
	if at := re.re.FindStringIndex(text); at != nil && at[0] > 0 {
		m = nil
	}
	switch {
	case m == nil && re.groups > 0:
		return ""
	case m == nil:
		return "0"
	case re.groups > 0:
		return m[1]
	}
	return strconv.Itoa(len([]rune(m[0])))
}

func (e *evaluator) primary() string {
	switch w := e.next(); w {
	case "(":
		v := e.or()
		if e.next() != ")" && e.err == nil {
			e.err = exitStatus(2)
		}
		return v
	case "length":
		return strconv.Itoa(len([]rune(e.primary())))
	case "match":
		text := e.primary()
		return e.match(text, e.primary())
	case "index":
		text, chars := e.primary(), e.primary()
		return strconv.Itoa(strings.IndexAny(text, chars) + 1)
	case "substr":
		text := []rune(e.primary())
		from, err1 := strconv.Atoi(e.primary())
		n, err2 := strconv.Atoi(e.primary())
		if err1 != nil || err2 != nil || from < 1 || n < 1 || from > len(text) {
			return ""
		}
		return string(text[from-1 : min(from-1+n, len(text))])
	default:
		return w
	}
}
