package script

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// An expandedField is a word while it is being expanded: its text, and the same as a
// pattern in which what was quoted stands for itself.
type expandedField struct {
	text, pattern strings.Builder
	there         bool // also if it is empty: it had quotes
}

func (f *expandedField) add(text string, quoted bool) {
	text = showBytes(text)
	f.text.WriteString(text)
	if quoted {
		text = quoteMeta(text)
	}
	f.pattern.WriteString(text)
	if text != "" {
		f.there = true
	}
}

// Where a part of a word stands.
type quoting int

const (
	bare   quoting = iota // backslashes quote
	double                // "", or the word of ${x-word} within
	here                  // a here-document
)

// An expansion makes fields of words.
type expansion struct {
	s      *shell
	split  bool // results are split at IFS, and "$@" gives several fields
	assign bool // a tilde counts after a colon too
	fields []*expandedField
	cur    *expandedField
	blank  bool // the last field ended at white space of IFS
}

// fields expands words as those of a command: POSIX.1 "Word Expansions".
func (s *shell) fields(words ...*syntax.Word) ([]string, error) {
	var list []string
	for _, w := range words {
		if lit := w.Lit(); lit != "" && !strings.ContainsAny(lit, `\~*?[`) {
			list = append(list, showBytes(lit))
			continue
		}
		x := &expansion{s: s, split: true, cur: &expandedField{}}
		if err := x.parts(w.Parts, bare); err != nil {
			return nil, err
		}
		x.end()
		for _, f := range x.fields {
			if !s.opts['f'] && hasMeta(f.pattern.String()) {
				if names := s.glob(f.pattern.String()); len(names) > 0 {
					list = append(list, names...)
					continue
				}
			}
			list = append(list, f.text.String())
		}
	}
	size := 0
	for _, w := range list {
		size += len(w) + 8
	}
	if size > maxValue {
		return nil, s.unknown("more than %d bytes of words", maxValue)
	}
	return list, nil
}

// literal expands a word to one text, as that of an assignment.
func (s *shell) literal(w *syntax.Word) (string, error) {
	f, err := s.single(w, bare, true)
	return f.text.String(), err
}

// pattern expands a word to a pattern.
func (s *shell) pattern(w *syntax.Word) (string, error) {
	f, err := s.single(w, bare, false)
	return f.pattern.String(), err
}

// document expands the body of a here-document.
func (s *shell) document(w *syntax.Word) (string, error) {
	f, err := s.single(w, here, false)
	return f.text.String(), err
}

func (s *shell) single(w *syntax.Word, q quoting, assign bool) (*expandedField, error) {
	x := &expansion{s: s, assign: assign, cur: &expandedField{}}
	if w == nil {
		return x.cur, nil
	}
	err := x.parts(w.Parts, q)
	return x.cur, err
}

// end closes the current field.
func (x *expansion) end() {
	if x.cur.there {
		x.fields = append(x.fields, x.cur)
		x.cur = &expandedField{}
	}
}

func (x *expansion) parts(parts []syntax.WordPart, q quoting) error {
	for i, part := range parts {
		if err := x.part(part, q, i == 0); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) part(part syntax.WordPart, q quoting, first bool) error {
	switch part := part.(type) {
	case *syntax.Lit:
		return x.lit(part.Value, q, first)
	case *syntax.SglQuoted:
		if part.Dollar {
			return x.s.unknown("a word in $'...'")
		}
		x.cur.add(part.Value, true)
		x.cur.there = true
	case *syntax.DblQuoted:
		if part.Dollar {
			return x.s.unknown(`a word in $"..."`)
		}
		alone := len(part.Parts) == 1 && isAt(part.Parts[0])
		x.cur.there = x.cur.there || !alone
		return x.parts(part.Parts, double)
	case *syntax.ParamExp:
		return x.param(part, q)
	case *syntax.CmdSubst:
		text, err := x.s.substitute(part)
		if err != nil {
			return err
		}
		return x.result(text, q)
	case *syntax.ArithmExp:
		n, err := x.s.arithm(part.X)
		if err != nil {
			return err
		}
		return x.result(strconv.FormatInt(n, 10), q)
	default:
		return x.s.unknown("a word that is not of POSIX")
	}
	return nil
}

// isAt reports whether a part is $@.
func isAt(part syntax.WordPart) bool {
	p, ok := part.(*syntax.ParamExp)
	return ok && p.Param != nil && p.Param.Value == "@" && p.Exp == nil && !p.Length
}

// lit adds literal text, and takes out its backslashes.
func (x *expansion) lit(text string, q quoting, first bool) error {
	if q == bare {
		if first && strings.HasPrefix(text, "~") {
			home, rest, err := x.s.home(text)
			if err != nil {
				return err
			}
			x.cur.add(home, true)
			text = rest
		}
		if x.assign {
			return x.tildes(text)
		}
	}
	x.unescape(text, q)
	return nil
}

// tildes adds the literal text of an assignment, in which a tilde behind a
// colon is that of a home directory.
func (x *expansion) tildes(text string) error {
	for {
		i := strings.Index(text, ":~")
		if i < 0 {
			break
		}
		x.unescape(text[:i+1], bare)
		home, rest, err := x.s.home(text[i+1:])
		if err != nil {
			return err
		}
		x.cur.add(home, true)
		text = rest
	}
	x.unescape(text, bare)
	return nil
}

func (x *expansion) unescape(text string, q quoting) {
	special := "$`\\"
	if q == double {
		special += `"`
	}
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			x.cur.add(text, q != bare)
			return
		}
		x.cur.add(text[:i], q != bare)
		switch next := text[i+1 : i+2]; {
		case next == "\n":
		case q == bare || strings.Contains(special, next):
			x.cur.add(next, true)
			x.cur.there = true
		default:
			x.cur.add(text[i:i+2], true)
		}
		text = text[i+2:]
	}
}

// home replaces a tilde and the name behind it, up to a slash or colon, by
// what the tree's /etc/passwd says.
func (s *shell) home(text string) (home, rest string, err error) {
	end := strings.IndexAny(text, "/:")
	if end < 0 {
		end = len(text)
	}
	name, rest := text[1:end], text[end:]
	if name == "" {
		if home, ok := s.vars["HOME"]; ok {
			return home.value, rest, nil
		}
		return "~", rest, nil
	}
	data, err := s.run.fs.ReadFile("/etc/passwd")
	if err != nil {
		return "~" + name, rest, nil
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 5 && f[0] == name {
			return f[5], rest, nil
		}
	}
	return "~" + name, rest, nil
}

// result adds what an expansion gave.
func (x *expansion) result(text string, q quoting) error {
	if q != bare || !x.split {
		x.cur.add(text, q != bare)
		return nil
	}
	ifs := x.s.ifs()
	for text != "" {
		i := strings.IndexAny(text, ifs)
		if i < 0 || ifs == "" {
			x.cur.add(text, false)
			x.blank = false
			return nil
		}
		if i > 0 {
			x.cur.add(text[:i], false)
			x.blank = false
		}
		x.delimit(text[i])
		text = text[i+1:]
	}
	return nil
}

// delimit ends a field at a character of IFS. White space in a row, with at
// most one other character among it, is one delimiter.
func (x *expansion) delimit(c byte) {
	white := c == ' ' || c == '\t' || c == '\n'
	switch {
	case x.cur.there:
		x.end()
		x.blank = white
	case white:
	case x.blank:
		x.blank = false
	default:
		x.fields = append(x.fields, &expandedField{there: true})
	}
}

// ifs is the characters at which fields are split; only those of ASCII count.
func (s *shell) ifs() string {
	if v, ok := s.vars["IFS"]; ok {
		return v.value
	}
	return " \t\n"
}

// params adds $@ or $*.
func (x *expansion) params(name string, list []string, q quoting) error {
	if !x.split || name == "*" && q != bare {
		sep := " "
		if name == "*" {
			if sep = x.s.ifs(); len(sep) > 1 {
				sep = sep[:1]
			}
		}
		return x.result(strings.Join(list, sep), q)
	}
	for i, p := range list {
		if i > 0 {
			x.end()
		}
		if q == bare {
			if err := x.result(p, q); err != nil {
				return err
			}
			continue
		}
		x.cur.add(p, true)
		x.cur.there = true
	}
	return nil
}

// param adds a parameter expansion.
func (x *expansion) param(p *syntax.ParamExp, q quoting) error {
	s := x.s
	if p.Param == nil || p.Excl || p.Width || p.Index != nil || p.Names != 0 || p.Flags != nil || p.NestedParam != nil || p.IsSet {
		return s.unknown("a parameter expansion that is not of POSIX")
	}
	if p.Slice != nil || p.Repl != nil {
		return x.bashParam(p, q)
	}
	name := p.Param.Value
	value, set := s.param(name)
	if err := s.run.whyErr(); err != nil {
		return err
	}
	if p.Length {
		if !set && s.opts['u'] {
			return s.unset(name)
		}
		if name == "@" || name == "*" {
			return s.unknown("${#%s}", name)
		}
		return x.result(strconv.Itoa(len([]rune(value))), q)
	}
	if p.Exp == nil {
		if name == "@" || name == "*" {
			return x.params(name, s.params, q)
		}
		if !set && s.opts['u'] {
			return s.unset(name)
		}
		return x.result(value, q)
	}
	if name == "@" || name == "*" {
		return x.paramsOr(p, q)
	}
	return x.operator(p, name, value, set, q)
}

// paramsOr adds ${@-word} and its like.
func (x *expansion) paramsOr(p *syntax.ParamExp, q quoting) error {
	list := x.s.params
	null := len(list) == 0 || len(list) == 1 && list[0] == ""
	switch p.Exp.Op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if len(list) == 0 || null && p.Exp.Op == syntax.AlternateUnsetOrNull {
			return nil
		}
		return x.word(p.Exp.Word, q)
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if len(list) == 0 || null && p.Exp.Op == syntax.DefaultUnsetOrNull {
			return x.word(p.Exp.Word, q)
		}
		return x.params(p.Param.Value, list, q)
	}
	return x.s.unknown("an operator on $%s", p.Param.Value)
}

// word adds the word of ${x-word}.
func (x *expansion) word(w *syntax.Word, q quoting) error {
	if w == nil {
		return nil
	}
	if q != bare || !x.split {
		return x.parts(w.Parts, q)
	}
	// What stands unquoted in the word is split, like a result.
	for i, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok && !strings.ContainsAny(lit.Value, `\~`) {
			if err := x.result(lit.Value, q); err != nil {
				return err
			}
			continue
		}
		if err := x.part(part, q, i == 0); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) operator(p *syntax.ParamExp, name, value string, set bool, q quoting) error {
	s := x.s
	null := !set || value == ""
	switch op := p.Exp.Op; op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if !set || null && op == syntax.AlternateUnsetOrNull {
			return nil
		}
		return x.word(p.Exp.Word, q)
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if !set || null && op == syntax.DefaultUnsetOrNull {
			return x.word(p.Exp.Word, q)
		}
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if !set || null && op == syntax.AssignUnsetOrNull {
			f, err := s.single(p.Exp.Word, q, false)
			if err != nil {
				return err
			}
			value = f.text.String()
			if err := s.set(name, value, false); err != nil {
				return err
			}
		}
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if !set || null && op == syntax.ErrorUnsetOrNull {
			f, err := s.single(p.Exp.Word, q, false)
			if err != nil {
				return err
			}
			message := f.text.String()
			if message == "" {
				message = "parameter not set"
			}
			return s.fatal(name + ": " + message)
		}
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		if !set && s.opts['u'] {
			return s.unset(name)
		}
		pattern, err := s.pattern(p.Exp.Word)
		if err != nil {
			return err
		}
		value = trim(value, pattern, op)
	default:
		return s.unknown("a parameter expansion that is not of POSIX")
	}
	return x.result(value, q)
}

// trim takes the shortest or longest prefix or suffix that matches off value.
func trim(value, pattern string, op syntax.ParExpOperator) string {
	switch op {
	case syntax.RemSmallPrefix:
		for i := 0; i <= len(value); i++ {
			if match(pattern, value[:i]) {
				return value[i:]
			}
		}
	case syntax.RemLargePrefix:
		for i := len(value); i >= 0; i-- {
			if match(pattern, value[:i]) {
				return value[i:]
			}
		}
	case syntax.RemSmallSuffix:
		for i := len(value); i >= 0; i-- {
			if match(pattern, value[i:]) {
				return value[:i]
			}
		}
	case syntax.RemLargeSuffix:
		for i := 0; i <= len(value); i++ {
			if match(pattern, value[i:]) {
				return value[:i]
			}
		}
	}
	return value
}

// bashParam adds ${x:offset:length} and ${x/pattern/text}, which bash has.
func (x *expansion) bashParam(p *syntax.ParamExp, q quoting) error {
	s := x.s
	value, set := s.param(p.Param.Value)
	if !set && s.opts['u'] {
		return s.unset(p.Param.Value)
	}
	if p.Repl != nil {
		return x.replace(p, value, q)
	}
	from, err := s.arithm(p.Slice.Offset)
	if err != nil {
		return err
	}
	runes := []rune(value)
	size := int64(len(runes))
	if from < 0 {
		from = max(0, from+size)
	}
	from = min(from, size)
	to := size
	if p.Slice.Length != nil {
		n, err := s.arithm(p.Slice.Length)
		if err != nil {
			return err
		}
		if to = from + n; n < 0 {
			to = size + n
		}
		to = min(max(to, from), size)
	}
	return x.result(string(runes[from:to]), q)
}

func (x *expansion) replace(p *syntax.ParamExp, value string, q quoting) error {
	pattern, err := x.s.pattern(p.Repl.Orig)
	if err != nil {
		return err
	}
	with := ""
	if p.Repl.With != nil {
		if with, err = x.s.literal(p.Repl.With); err != nil {
			return err
		}
	}
	if pattern == "" || pattern[0] == '#' || pattern[0] == '%' || len(value) > 4096 {
		return x.s.unknown("a replacement in a parameter")
	}
	var b strings.Builder
	for i := 0; i < len(value); {
		n := longest(pattern, value[i:])
		if n == 0 {
			b.WriteByte(value[i])
			i++
			continue
		}
		b.WriteString(with)
		i += n
		if !p.Repl.All {
			b.WriteString(value[i:])
			break
		}
	}
	return x.result(b.String(), q)
}

// longest is the length of the longest beginning of text that matches.
func longest(pattern, text string) int {
	for n := len(text); n > 0; n-- {
		if match(pattern, text[:n]) {
			return n
		}
	}
	return 0
}

// The parser takes UTF-8 only. While it reads, bytes that are none stand as
// characters of a private plane that no script has.
const hidden = 0x10ff00

func hideBytes(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			r = hidden + rune(text[i])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

func showBytes(text string) string {
	if !strings.Contains(text, "\xf4\x8f\xbe") && !strings.Contains(text, "\xf4\x8f\xbf") {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r >= hidden+0x80 && r <= hidden+0xff {
			b.WriteByte(byte(r - hidden))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
