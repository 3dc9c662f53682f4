package script

import (
	"io"
	"strconv"
	"strings"
)

func init() { register(map[string]Command{"sed": sed}) }

// A sedCommand is one command of a sed script, with its addresses.
type sedCommand struct {
	from, to *sedAddress
	not      bool
	name     byte
	text     string        // of a, i, c; a label; a file's name
	re       *regex        // of s; nil: the last one used
	with     []sedPart     // of s
	global   bool          // s///g
	nth      int           // s///2
	print    bool          // s///p
	table    map[rune]rune // of y
	block    int           // of {: the index behind its }

	inRange bool
	end     int // line at which the range ends, of an address that counts
}

// A sedAddress chooses lines.
type sedAddress struct {
	line  int
	last  bool
	re    *regex // nil with isRE: the last one used
	isRE  bool
	plus  int // addr,+N
	step  int // first~step
	isRel bool
}

// A sedPart is a piece of what s puts in place of a match.
type sedPart struct {
	text  string
	group int  // -1: text
	fold  byte // U, L, E, u, l, 0: none
}

// A sedProgram runs over the lines of its input.
type sedProgram struct {
	c        *Call
	commands []sedCommand
	labels   map[string]int
	quiet    bool
	extended bool

	lines    []string // what is left of the input
	noEnd    bool     // the last line has no newline
	owed     bool     // a newline, before more is written
	number   int
	pattern  string
	hold     string
	appended []string // to be written at the end of the cycle
	lastRE   *regex
	out      io.Writer
	replaced bool // for t
	status   int
	deleted  bool // of the pattern space: D begins again without reading
}

func sed(c *Call) error {
	args := c.Args[1:]
	inPlace, suffix := false, ""
	var plain []string
	for i, a := range args { // -i's value is optional, and joined
		if a == "--" {
			plain = append(plain, args[i:]...)
			break
		}
		if value, ok := strings.CutPrefix(a, "--in-place"); ok {
			inPlace, suffix = true, strings.TrimPrefix(value, "=")
			continue
		}
		if len(a) > 1 && a[0] == '-' && a[1] != '-' {
			if j := strings.IndexByte(a, 'i'); j > 0 && !strings.ContainsAny(a[:j], "ef") {
				inPlace, suffix = true, a[j+1:]
				if a = a[:j]; a == "-" {
					continue
				}
			}
		}
		plain = append(plain, a)
	}
	values, rest := repeated(plain, "ef", "")
	o, files, err := getopt(rest, "n|quiet|silent E|r|regexp-extended s|separate u|unbuffered z expression= posix follow-symlinks")
	if err != nil {
		return err
	}
	if o.has("z") || suffix != "" && strings.ContainsAny(suffix, "*/") {
		return Unknown("option -z or a suffix with a star")
	}
	p := &sedProgram{c: c, quiet: o.has("n"), extended: o.has("E"), out: c.Stdout}
	texts := values['e']
	if o.has("expression") {
		texts = append(texts, o["expression"])
	}
	for _, file := range values['f'] {
		data, status, err := c.readAll([]string{file})
		if err != nil || status != 0 {
			return Unknown("script %s cannot be read", file)
		}
		texts = append(texts, strings.TrimSuffix(string(data), "\n"))
	}
	if len(texts) == 0 {
		if len(files) == 0 {
			c.Errorf("no script")
			return Exit(1)
		}
		texts, files = files[:1], files[1:]
	}
	text := strings.Join(texts, "\n")
	if strings.HasPrefix(text, "#n\n") {
		p.quiet = true
	}
	if err := p.parse(text); err != nil {
		return err
	}
	if inPlace {
		return p.inPlace(files, suffix)
	}
	data, status, err := c.readAll(files)
	if err != nil {
		return err
	}
	if err := p.run(string(data)); err != nil {
		return err
	}
	if status != 0 {
		return Exit(2)
	}
	return Exit(p.status)
}

// inPlace edits files: each is a new file of the same mode and owner.
func (p *sedProgram) inPlace(files []string, suffix string) error {
	c, status := p.c, 0
	for _, file := range files {
		name := c.Path(file)
		data, err := c.FS.ReadFile(name)
		if err != nil {
			if _, fatal := c.complaint(file, err); fatal != nil {
				return fatal
			}
			status = 2
			continue
		}
		n, err := c.FS.Lstat(name)
		if err != nil {
			return err
		}
		if n.Type != '-' {
			// A link would become a file of its own.
			return Unknown("option -i of a link")
		}
		if suffix != "" {
			k := &copier{c: c, clobber: true, mode: true, owner: true}
			if err := k.copy(name, name+suffix, true); err != nil {
				return err
			}
		}
		var b strings.Builder
		fresh := &sedProgram{c: c, commands: p.commands, labels: p.labels, quiet: p.quiet, extended: p.extended, out: &b}
		for i := range fresh.commands {
			fresh.commands[i].inRange = false
		}
		if err := fresh.run(string(data)); err != nil {
			return err
		}
		if err := c.FS.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			return err
		}
		status = max(status, fresh.status)
	}
	return Exit(status)
}

// A sedParser reads the text of a script.
type sedParser struct {
	p    *sedProgram
	text string
	open []int // indices of { that are not closed
}

func (p *sedProgram) parse(text string) error {
	p.labels = map[string]int{}
	s := &sedParser{p: p, text: text}
	for {
		s.text = strings.TrimLeft(s.text, " \t\n;")
		if s.text == "" {
			break
		}
		if err := s.command(); err != nil {
			return err
		}
	}
	if len(s.open) > 0 {
		return Unknown("script %q", text)
	}
	for i := range p.commands {
		cmd := &p.commands[i]
		if strings.IndexByte("btT", cmd.name) >= 0 && cmd.text != "" {
			if _, ok := p.labels[cmd.text]; !ok {
				return Unknown("label %q", cmd.text)
			}
		}
	}
	return nil
}

func (s *sedParser) blanks() { s.text = strings.TrimLeft(s.text, " \t") }

// take gives the next byte.
func (s *sedParser) take() byte {
	if s.text == "" {
		return 0
	}
	b := s.text[0]
	s.text = s.text[1:]
	return b
}

func (s *sedParser) command() (err error) {
	var cmd sedCommand
	if cmd.from, err = s.address(); err != nil {
		return err
	}
	s.blanks()
	if cmd.from != nil && strings.HasPrefix(s.text, ",") {
		s.take()
		s.blanks()
		if strings.HasPrefix(s.text, "+") {
			s.take()
			n, rest := leadingDigits(s.text)
			s.text = rest
			plus, err := strconv.Atoi(n)
			if err != nil {
				return Unknown("address +%s", n)
			}
			cmd.to = &sedAddress{isRel: true, plus: plus}
		} else if cmd.to, err = s.address(); err != nil {
			return err
		}
		if cmd.to == nil || cmd.to.step > 0 {
			return Unknown("address before %q", s.text)
		}
	}
	s.blanks()
	for strings.HasPrefix(s.text, "!") {
		s.take()
		cmd.not = true
		s.blanks()
	}
	cmd.name = s.take()
	add := true
	switch cmd.name {
	case '{':
		s.open = append(s.open, len(s.p.commands))
	case '}':
		if len(s.open) == 0 || cmd.from != nil {
			return Unknown("}")
		}
		s.p.commands[s.open[len(s.open)-1]].block = len(s.p.commands)
		s.open = s.open[:len(s.open)-1]
		add = false
	case '#':
		_, s.text, _ = strings.Cut(s.text, "\n")
		return nil
	case ':':
		s.blanks()
		label, rest := cutAny(s.text, "\n; \t")
		s.text = rest
		s.p.labels[strings.TrimSpace(label)] = len(s.p.commands)
		return nil
	case 'b', 't', 'T':
		s.blanks()
		label, rest := cutAny(s.text, "\n; \t}")
		cmd.text, s.text = strings.TrimSpace(label), rest
	case 'a', 'i', 'c':
		cmd.text = s.insertion()
	case 's':
		err = s.substitution(&cmd)
	case 'y':
		err = s.transliteration(&cmd)
	case 'q', 'Q':
		s.blanks()
		n, rest := leadingDigits(s.text)
		cmd.nth, _ = strconv.Atoi(n)
		s.text = rest
	case 'r', 'w':
		s.blanks()
		cmd.text, s.text, _ = strings.Cut(s.text, "\n")
		if cmd.name == 'w' {
			return Unknown("command w")
		}
	case 'd', 'D', 'p', 'P', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=':
	default:
		return Unknown("command %q", cmd.name)
	}
	if err != nil {
		return err
	}
	if add {
		s.p.commands = append(s.p.commands, cmd)
	}
	if strings.IndexByte("{aicr", cmd.name) >= 0 {
		return nil
	}
	s.blanks()
	if s.text != "" && strings.IndexByte(";\n}#", s.text[0]) < 0 {
		return Unknown("text %q behind a command", s.text)
	}
	return nil
}

// cutAny cuts text before the first of some characters.
func cutAny(text, chars string) (before, rest string) {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

func (s *sedParser) address() (*sedAddress, error) {
	s.blanks()
	if s.text == "" {
		return nil, nil
	}
	switch c := s.text[0]; {
	case '0' <= c && c <= '9':
		digits, rest := leadingDigits(s.text)
		s.text = rest
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil, Unknown("address %s", digits)
		}
		a := &sedAddress{line: n}
		if strings.HasPrefix(s.text, "~") {
			digits, rest := leadingDigits(s.text[1:])
			s.text = rest
			if a.step, err = strconv.Atoi(digits); err != nil || a.step < 1 {
				return nil, Unknown("address %d~%s", n, digits)
			}
		} else if n == 0 {
			if !strings.HasPrefix(s.text, ",/") {
				return nil, Unknown("address 0")
			}
		}
		return a, nil
	case c == '$':
		s.take()
		return &sedAddress{last: true}, nil
	case c == '/', c == '\\':
		s.take()
		if c == '\\' {
			c = s.take()
		}
		text, err := s.delimited(c, true)
		if err != nil {
			return nil, err
		}
		fold := strings.HasPrefix(s.text, "I")
		if fold {
			s.take()
		}
		a := &sedAddress{isRE: true}
		if text != "" {
			a.re, err = compile(text, s.p.extended, fold)
		}
		return a, err
	}
	return nil, nil
}

// delimited reads up to the delimiter, which a backslash takes its meaning;
// in a regular expression it has none within brackets either.
func (s *sedParser) delimited(end byte, isRE bool) (string, error) {
	var b strings.Builder
	for s.text != "" {
		c := s.take()
		switch {
		case c == end:
			return b.String(), nil
		case c == '\\' && s.text != "":
			next := s.take()
			if code, err := strconv.ParseUint(s.text[:min(2, len(s.text))], 16, 8); next == 'x' && err == nil && len(s.text) >= 2 {
				s.text = s.text[2:]
				special := strings.IndexByte(`.*[]^$\/&+?(){}|`, byte(code)) >= 0
				if special && isRE {
					return "", Unknown("\\x%x in a regular expression", code)
				}
				if special {
					b.WriteByte('\\')
				}
				b.WriteByte(byte(code))
				continue
			}
			switch {
			case next == end && isRE && (strings.IndexByte(`.*[]^$`, end) >= 0 || s.p.extended && strings.IndexByte(`+?(){}|`, end) >= 0):
				return "", Unknown("a delimiter %q that means something", end)
			case next == end:
				b.WriteByte(end)
			case next == 'n' && isRE:
				b.WriteString(`\n`)
			case next == 'r', next == 'f', next == 'v':
				b.WriteByte("\r\f\v"[strings.IndexByte("rfv", next)])
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		case c == '[' && isRE:
			n := bracketEnd("[" + s.text)
			b.WriteByte('[')
			if n > 0 && !strings.Contains(s.text[:n-1], "\n") {
				// GNU's sed knows these escapes here too, unlike grep.
				b.WriteString(strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(s.text[:n-1]))
				s.text = s.text[n-1:]
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", Unknown("an unterminated %q", end)
}

// bracketEnd is the length of the bracket expression that text begins with, 0
// if it has no end.
func bracketEnd(text string) int {
	i := 1
	if i < len(text) && text[i] == '^' {
		i++
	}
	if i < len(text) && text[i] == ']' {
		i++
	}
	for i < len(text) {
		if _, n := className(text[i:]); n > 0 {
			i += n
			continue
		}
		if text[i] == ']' {
			return i + 1
		}
		i++
	}
	return 0
}

// insertion is the text of a, i and c: "a\", newline and text, or "a text".
func (s *sedParser) insertion() string {
	s.blanks()
	if strings.HasPrefix(s.text, "\\") {
		s.take()
		rest := strings.TrimLeft(s.text, " \t")
		if strings.HasPrefix(rest, "\n") {
			s.text = rest[1:]
		}
	}
	var b strings.Builder
	for s.text != "" {
		c := s.take()
		if c == '\n' {
			break
		}
		if c == '\\' && s.text != "" {
			c = s.take()
		}
		b.WriteByte(c)
	}
	return b.String() + "\n"
}

func (s *sedParser) substitution(cmd *sedCommand) error {
	end := s.take()
	pattern, err := s.delimited(end, true)
	if err != nil {
		return err
	}
	with, err := s.delimited(end, false)
	if err != nil {
		return err
	}
	fold := false
	for s.text != "" {
		c := s.text[0]
		switch {
		case c == 'g':
			cmd.global = true
		case c == 'p':
			cmd.print = true
		case c == 'I' || c == 'i':
			fold = true
		case '1' <= c && c <= '9':
			digits, _ := leadingDigits(s.text)
			if cmd.nth, err = strconv.Atoi(digits); err != nil {
				return Unknown("s///%s", digits)
			}
			s.text = s.text[len(digits)-1:]
		case strings.IndexByte("mMew", c) >= 0:
			return Unknown("s///%c", c)
		default:
			c = 0
		}
		if c == 0 {
			break
		}
		s.take()
	}
	if pattern != "" {
		if cmd.re, err = compile(pattern, s.p.extended, fold); err != nil {
			return err
		}
	}
	cmd.with, err = replacement(with, cmd.re)
	return err
}

// replacement understands & and \1, and GNU's \n, \t, \U and their like.
func replacement(text string, re *regex) ([]sedPart, error) {
	var parts []sedPart
	literal := func(s string) { parts = append(parts, sedPart{text: s, group: -1}) }
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '&':
			parts = append(parts, sedPart{group: 0})
		case c == '\\' && i+1 < len(text):
			i++
			switch next := text[i]; {
			case '0' <= next && next <= '9':
				g := int(next - '0')
				if re != nil && g > re.groups {
					return nil, Unknown(`\%d without a group`, g)
				}
				parts = append(parts, sedPart{group: g})
			case next == 'n':
				literal("\n")
			case next == 't':
				literal("\t")
			case strings.IndexByte("ULEul", next) >= 0:
				parts = append(parts, sedPart{group: -1, fold: next})
			case 'a' <= next && next <= 'z' || 'A' <= next && next <= 'Z':
				return nil, Unknown(`\%c in a replacement`, next)
			default:
				literal(string(next))
			}
		default:
			literal(string([]byte{c}))
		}
	}
	return parts, nil
}

func (s *sedParser) transliteration(cmd *sedCommand) error {
	end := s.take()
	from, err := s.delimited(end, false)
	if err != nil {
		return err
	}
	to, err := s.delimited(end, false)
	if err != nil {
		return err
	}
	unescaped := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t")
	a, b := []rune(unescaped.Replace(from)), []rune(unescaped.Replace(to))
	if len(a) != len(b) {
		return Unknown("y of different lengths")
	}
	cmd.table = map[rune]rune{}
	for i := range a {
		if _, again := cmd.table[a[i]]; !again {
			cmd.table[a[i]] = b[i]
		}
	}
	return nil
}

// run edits text.
func (p *sedProgram) run(text string) error {
	for line := range strings.Lines(text) {
		p.lines = append(p.lines, strings.TrimSuffix(line, "\n"))
	}
	p.noEnd = text != "" && !strings.HasSuffix(text, "\n")
	for p.deleted || len(p.lines) > 0 {
		if !p.deleted {
			p.read()
		}
		p.deleted = false
		quit, err := p.cycle()
		if err != nil || quit {
			return err
		}
	}
	return nil
}

// read takes the next line into the pattern space.
func (p *sedProgram) read() {
	p.pattern, p.lines = p.lines[0], p.lines[1:]
	p.number++
}

// print writes a line. The last one has a newline only if the input's last
// line had one, or if more is written behind it.
func (p *sedProgram) print(text string) error {
	if err := p.write(text); err != nil {
		return err
	}
	if p.noEnd && len(p.lines) == 0 {
		p.owed = true
		return nil
	}
	return p.write("\n")
}

// write writes text as it is.
func (p *sedProgram) write(text string) error {
	if p.owed {
		p.owed = false
		text = "\n" + text
	}
	_, err := io.WriteString(p.out, text)
	return err
}

// What a command does to the cycle.
type sedNext int

const (
	goOn    sedNext = iota
	endLine         // print, then the next line
	dropLine
	quit
	quitSilently
)

// cycle runs the commands on the pattern space.
func (p *sedProgram) cycle() (stop bool, err error) {
	p.replaced = false
	next := endLine
	for at := 0; at < len(p.commands); {
		if p.c.shell.run.steps--; p.c.shell.run.steps < 0 {
			return false, Unknown("more steps than its budget")
		}
		cmd := &p.commands[at]
		at++
		ok, err := p.selects(cmd)
		if err != nil {
			return false, err
		}
		if ok == cmd.not {
			if cmd.name == '{' {
				at = cmd.block
			}
			continue
		}
		var then sedNext
		if then, at, err = p.do(cmd, at); err != nil {
			return false, err
		}
		if then != goOn {
			next = then
			break
		}
	}
	if !p.quiet && (next == endLine || next == quit) {
		if err := p.print(p.pattern); err != nil {
			return false, err
		}
	}
	if err := p.writeAppended(); err != nil {
		return false, err
	}
	return next == quit || next == quitSilently, nil
}

// selects reports whether the addresses of a command choose the line.
func (p *sedProgram) selects(cmd *sedCommand) (bool, error) {
	if cmd.from == nil {
		return true, nil
	}
	if cmd.to == nil {
		return p.at(cmd.from)
	}
	if !cmd.inRange {
		start, err := p.at(cmd.from)
		if cmd.from.line == 0 && !cmd.from.isRE && !cmd.from.last && cmd.from.step == 0 {
			start = p.number == 1 // 0,/re/
		}
		if err != nil || !start {
			return false, err
		}
		cmd.inRange, cmd.end = true, 0
		switch {
		case cmd.to.isRel:
			cmd.end = p.number + cmd.to.plus
		case !cmd.to.isRE && !cmd.to.last:
			cmd.end = cmd.to.line
		}
		zero := cmd.from.line == 0 && !cmd.from.isRE && !cmd.from.last && cmd.from.step == 0
		if !zero {
			if cmd.end > 0 && cmd.end <= p.number || cmd.to.isRel && cmd.to.plus == 0 {
				cmd.inRange = false
			}
			return true, nil
		}
	}
	switch {
	case cmd.end > 0:
		if p.number >= cmd.end {
			cmd.inRange = false
		}
		return p.number <= cmd.end, nil
	default:
		end, err := p.at(cmd.to)
		cmd.inRange = !end
		return true, err
	}
}

// at reports whether an address is that of the line.
func (p *sedProgram) at(a *sedAddress) (bool, error) {
	switch {
	case a.isRE:
		re, err := p.regex(a.re)
		return err == nil && re.re.MatchString(p.pattern), err
	case a.last:
		return len(p.lines) == 0, nil
	case a.step > 0:
		return p.number >= a.line && (p.number-a.line)%a.step == 0, nil
	}
	return p.number == a.line, nil
}

// regex is re, or the one used last.
func (p *sedProgram) regex(re *regex) (*regex, error) {
	if re == nil {
		re = p.lastRE
	}
	if re == nil {
		return nil, Unknown("an empty regular expression")
	}
	p.lastRE = re
	return re, nil
}

// do runs one command, and says at which one to go on.
func (p *sedProgram) do(cmd *sedCommand, at int) (sedNext, int, error) {
	var err error
	switch cmd.name {
	case '{':
	case 's':
		err = p.substitute(cmd)
	case 'y':
		p.pattern = strings.Map(func(r rune) rune {
			if to, ok := cmd.table[r]; ok {
				return to
			}
			return r
		}, p.pattern)
	case 'p':
		err = p.print(p.pattern)
	case 'P':
		first, _, _ := strings.Cut(p.pattern, "\n")
		err = p.print(first)
	case 'd':
		return dropLine, at, nil
	case 'D':
		_, rest, more := strings.Cut(p.pattern, "\n")
		if p.pattern = rest; more {
			p.deleted = true
		}
		return dropLine, at, nil
	case 'n':
		if len(p.lines) == 0 {
			return quit, at, nil // GNU prints the pattern space
		}
		if !p.quiet {
			err = p.print(p.pattern)
		}
		if err == nil {
			err = p.writeAppended()
		}
		p.read()
	case 'N':
		if len(p.lines) == 0 {
			return quit, at, nil
		}
		before := p.pattern
		p.read()
		p.pattern = before + "\n" + p.pattern
		if len(p.pattern) > maxValue {
			err = Unknown("a pattern space of more than %d bytes", maxValue)
		}
	case 'g':
		p.pattern = p.hold
	case 'G':
		p.pattern += "\n" + p.hold
	case 'h':
		p.hold = p.pattern
	case 'H':
		p.hold += "\n" + p.pattern
	case 'x':
		p.pattern, p.hold = p.hold, p.pattern
	case '=':
		err = p.write(strconv.Itoa(p.number) + "\n")
	case 'a':
		p.appended = append(p.appended, cmd.text)
	case 'i':
		err = p.write(cmd.text)
	case 'c':
		if cmd.to == nil || !cmd.inRange || cmd.not {
			err = p.write(cmd.text)
		}
		return dropLine, at, err
	case 'r':
		if data, e := p.c.FS.ReadFile(p.c.Path(cmd.text)); e == nil {
			p.appended = append(p.appended, string(data))
		}
	case 'b':
		at = p.jump(cmd)
	case 't', 'T':
		if p.replaced == (cmd.name == 't') {
			at = p.jump(cmd)
		}
		p.replaced = false
	case 'q':
		p.status = cmd.nth
		return quit, at, nil
	case 'Q':
		p.status = cmd.nth
		return quitSilently, at, nil
	}
	if len(p.pattern)+len(p.hold) > 2*maxValue {
		err = Unknown("spaces of more than %d bytes", maxValue)
	}
	return goOn, at, err
}

// writeAppended writes what a and r have put aside.
func (p *sedProgram) writeAppended() error {
	for _, text := range p.appended {
		if err := p.write(text); err != nil {
			return err
		}
	}
	p.appended = nil
	return nil
}

func (p *sedProgram) jump(cmd *sedCommand) int {
	if cmd.text == "" {
		return len(p.commands)
	}
	return p.labels[cmd.text]
}

func (p *sedProgram) substitute(cmd *sedCommand) error {
	re, err := p.regex(cmd.re)
	if err != nil {
		return err
	}
	matches := re.re.FindAllStringSubmatchIndex(p.pattern, -1)
	var b strings.Builder
	end, n := 0, 0
	for _, m := range matches {
		if n++; n < cmd.nth {
			continue
		}
		b.WriteString(p.pattern[end:m[0]])
		replaceParts(&b, cmd.with, p.pattern, m)
		end = m[1]
		if !cmd.global {
			break
		}
	}
	if n == 0 || n < cmd.nth {
		return nil
	}
	b.WriteString(p.pattern[end:])
	p.pattern, p.replaced = b.String(), true
	if err := p.c.shell.run.spend(b.Len()); err != nil {
		return err
	}
	if cmd.print {
		return p.print(p.pattern)
	}
	return nil
}

// replaceParts writes what takes the place of a match.
func replaceParts(b *strings.Builder, parts []sedPart, text string, m []int) {
	var fold, once byte
	for _, part := range parts {
		switch part.fold {
		case 0:
		case 'E':
			fold = 0
			continue
		case 'u', 'l':
			once = part.fold
			continue
		default:
			fold = part.fold
			continue
		}
		s := part.text
		if g := part.group; g >= 0 && 2*g+1 < len(m) && m[2*g] >= 0 {
			s = text[m[2*g]:m[2*g+1]]
		}
		switch fold {
		case 'U':
			s = strings.ToUpper(s)
		case 'L':
			s = strings.ToLower(s)
		}
		if s != "" && once != 0 {
			if once == 'u' {
				s = strings.ToUpper(s[:1]) + s[1:]
			} else {
				s = strings.ToLower(s[:1]) + s[1:]
			}
			once = 0
		}
		b.WriteString(s)
	}
}
