package script

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A regex is a POSIX regular expression, as grep, sed, expr and awk have
// them, translated into Go's. The longest of the leftmost matches is taken.
type regex struct {
	re     *regexp.Regexp
	groups int
}

// regexes keeps what has been compiled: scripts use the same ones again and
// again, in loops.
var regexes sync.Map // of regexKey to *regex

type regexKey struct {
	pattern        string
	extended, fold bool
}

// compile understands a basic or extended regular expression (POSIX.1
// "Regular Expressions", with GNU's \+ \? \| \w \s \b and \< \>).
func compile(pattern string, extended, fold bool) (*regex, error) {
	key := regexKey{pattern, extended, fold}
	if re, ok := regexes.Load(key); ok {
		return re.(*regex), nil
	}
	if !utf8.ValidString(pattern) {
		return nil, Unknown("regular expression %q", pattern)
	}
	t := &translation{in: pattern, extended: extended}
	if err := t.run(); err != nil {
		return nil, err
	}
	text := t.out.String()
	flags := "(?s)"
	if fold {
		flags = "(?is)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil {
		return nil, Unknown("regular expression %q", pattern)
	}
	re.Longest()
	r := &regex{re: re, groups: re.NumSubexp()}
	regexes.Store(key, r)
	return r, nil
}

// A translation turns POSIX's syntax into Go's.
type translation struct {
	in       string
	extended bool
	at       int
	out      strings.Builder
	depth    int
	atom     bool // what stands before can be repeated
}

func (t *translation) run() error {
	for t.at < len(t.in) {
		if err := t.next(); err != nil {
			return err
		}
	}
	if t.depth != 0 {
		return Unknown("regular expression %q", t.in)
	}
	return nil
}

// put writes Go's syntax for what can be repeated.
func (t *translation) put(s string) {
	t.out.WriteString(s)
	t.atom = true
}

func (t *translation) next() error {
	c := t.in[t.at]
	t.at++
	switch {
	case c == '\\':
		return t.escape()
	case c == '[':
		return t.class()
	case c == '.':
		t.put(`.`)
	case c == '*':
		if !t.atom {
			t.put(`\*`) // literal at the beginning
			break
		}
		return t.repeat("*")
	case c == '^':
		if t.extended || t.starts() {
			t.out.WriteString(`\A`)
			t.atom = false
			break
		}
		t.put(`\^`)
	case c == '$':
		if t.extended || t.ends() {
			t.out.WriteString(`\z`)
			t.atom = false
			break
		}
		t.put(`\$`)
	case t.extended && strings.IndexByte("+?{|()", c) >= 0:
		return t.operator(c)
	default:
		r, n := utf8.DecodeRuneInString(t.in[t.at-1:])
		t.at += n - 1
		t.put(regexp.QuoteMeta(string(r)))
	}
	return nil
}

// starts reports whether what was just read stands at the beginning of a
// basic expression, or of a part of one.
func (t *translation) starts() bool {
	before := t.in[:t.at-1]
	return before == "" || strings.HasSuffix(before, `\(`) || strings.HasSuffix(before, `\|`)
}

func (t *translation) ends() bool {
	after := t.in[t.at:]
	return after == "" || strings.HasPrefix(after, `\)`) || strings.HasPrefix(after, `\|`)
}

// repeat puts a repetition behind an atom. What follows would say something
// else to Go: only "**" and its like are understood.
func (t *translation) repeat(op string) error {
	t.out.WriteString(op)
	for t.at < len(t.in) {
		c := t.in[t.at]
		again := c == '*' || t.extended && (c == '+' || c == '?')
		if !again {
			break
		}
		if op != "*" {
			return Unknown("regular expression %q", t.in)
		}
		t.at++
	}
	return nil
}

func (t *translation) operator(c byte) error {
	switch c {
	case '(':
		t.depth++
		t.out.WriteByte('(')
		t.atom = false
	case ')':
		if t.depth == 0 {
			t.put(`\)`)
			break
		}
		t.depth--
		t.put(")")
	case '|':
		t.out.WriteByte('|')
		t.atom = false
	case '{':
		if !t.atom || t.at == len(t.in) || t.in[t.at] < '0' || t.in[t.at] > '9' {
			t.put(`\{`)
			break
		}
		return t.interval("}")
	default:
		if !t.atom {
			return Unknown("regular expression %q", t.in)
		}
		return t.repeat(string(c))
	}
	return nil
}

// interval reads "2,3}" and puts it behind an atom.
func (t *translation) interval(end string) error {
	i := strings.Index(t.in[t.at:], end)
	if i < 0 || strings.Trim(t.in[t.at:t.at+i], "0123456789,") != "" {
		return Unknown("regular expression %q", t.in)
	}
	bounds := t.in[t.at : t.at+i]
	if strings.HasPrefix(bounds, ",") {
		bounds = "0" + bounds
	}
	for n := range strings.SplitSeq(bounds, ",") {
		if v, err := strconv.Atoi(n); n != "" && (err != nil || v > 1000) {
			return Unknown("regular expression %q", t.in)
		}
	}
	t.at += i + len(end)
	return t.repeat("{" + bounds + "}")
}

// escape translates what stands behind a backslash.
func (t *translation) escape() error {
	if t.at == len(t.in) {
		return Unknown("regular expression %q", t.in)
	}
	c := t.in[t.at]
	t.at++
	if !t.extended && strings.IndexByte("+?{|()", c) >= 0 {
		if c == '{' {
			if !t.atom {
				return Unknown("regular expression %q", t.in)
			}
			return t.interval(`\}`)
		}
		if (c == '+' || c == '?') && !t.atom {
			t.put(`\` + string(c))
			return nil
		}
		if c == ')' && t.depth == 0 {
			return Unknown("regular expression %q", t.in)
		}
		return t.operator(c)
	}
	switch {
	case c == 'w' || c == 'W':
		t.put(map[byte]string{'w': `[[:word:]]`, 'W': `[[:^word:]]`}[c])
	case c == 's' || c == 'S':
		t.put(map[byte]string{'s': `[\t-\r ]`, 'S': `[^\t-\r ]`}[c])
	case c == 'b' || c == 'B':
		t.out.WriteString(`\` + string(c))
	case c == '<':
		t.out.WriteString(`\b`) // which also matches at the end of a word; what follows decides
	case c == '>':
		t.out.WriteString(`\b`)
	case c == 'n':
		t.put(`\n`)
	case c == 't':
		t.put(`\t`)
	case c == '`':
		t.out.WriteString(`\A`)
	case c == '\'':
		t.out.WriteString(`\z`)
	case '1' <= c && c <= '9':
		return Unknown("regular expression %q, which refers back", t.in)
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return Unknown("\\%c in regular expression %q", c, t.in)
	case c >= 0x80:
		t.at--
		return t.next()
	default:
		t.put(regexp.QuoteMeta(string(c)))
	}
	return nil
}

// class translates a bracket expression, in which a backslash is a character
// like others.
func (t *translation) class() error {
	var b strings.Builder
	b.WriteByte('[')
	i := t.at
	if i < len(t.in) && t.in[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; ; first = false {
		if i >= len(t.in) {
			return Unknown("regular expression %q", t.in)
		}
		c := t.in[i]
		if c == ']' && !first {
			break
		}
		if name, n := className(t.in[i:]); n > 0 {
			b.WriteString("[:" + name + ":]")
			i += n
			continue
		}
		if c == '[' && i+1 < len(t.in) && (t.in[i+1] == '.' || t.in[i+1] == '=') {
			return Unknown("regular expression %q", t.in)
		}
		if c == '-' && !first && i+1 < len(t.in) && t.in[i+1] != ']' {
			b.WriteByte('-') // a range
			i++
			c = t.in[i]
			b.WriteString(classChar(c))
			i++
			continue
		}
		b.WriteString(classChar(c))
		i++
	}
	b.WriteByte(']')
	t.at = i + 1
	t.put(b.String())
	return nil
}

// classChar is a byte within a bracket expression of Go's.
func classChar(c byte) string {
	if strings.IndexByte(`\[]^-&~`, c) >= 0 {
		return `\` + string(c)
	}
	if c >= 0x80 {
		return string([]byte{c}) // part of a character, which stays together
	}
	return string(c)
}
