package script

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

func init() { register(map[string]Command{"awk": awk, "mawk": awk, "gawk": awk}) }

// An awkValue is text or a number; what was read is both, if it looks like a
// number.
type awkValue struct {
	text   string
	number float64
	isNum  bool // made by arithmetic, or looks like a number and was read
	isText bool // made by a text operation or a literal
}

func awkNumber(n float64) awkValue { return awkValue{number: n, isNum: true} }
func awkText(s string) awkValue    { return awkValue{text: s, isText: true} }

// awkInput is a value that was read: a field, an argument.
func awkInput(s string) awkValue {
	t := strings.TrimSpace(s)
	n, err := strconv.ParseFloat(t, 64)
	if err != nil || strings.ContainsAny(t, "xXpPnN_") {
		return awkValue{text: s, isText: true}
	}
	return awkValue{text: s, number: n, isNum: true, isText: false}
}

func (v awkValue) num() float64 {
	if v.isNum {
		return v.number
	}
	return awkPrefix(v.text)
}

// awkPrefix is the number that text begins with.
func awkPrefix(s string) float64 {
	s = strings.TrimLeft(s, " \t\n")
	end := 0
	digits := func() bool {
		start := end
		for end < len(s) && '0' <= s[end] && s[end] <= '9' {
			end++
		}
		return end > start
	}
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	some := digits()
	if end < len(s) && s[end] == '.' {
		end++
		some = digits() || some
	}
	if !some {
		return 0
	}
	if mark := end; end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		if end++; end < len(s) && (s[end] == '-' || s[end] == '+') {
			end++
		}
		if !digits() {
			end = mark
		}
	}
	n, _ := strconv.ParseFloat(s[:end], 64)
	return n
}

func (v awkValue) str() string {
	if v.text != "" || v.isText || !v.isNum {
		return v.text
	}
	return awkFormat(v.number)
}

// awkFormat is a number as text: %d if it is whole, else %.6g.
func awkFormat(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e16 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatFloat(n, 'g', 6, 64)
}

func (v awkValue) truth() bool {
	if v.isNum {
		return v.number != 0
	}
	return v.text != ""
}

func awkCompare(a, b awkValue) int {
	unset := func(v awkValue) bool { return !v.isNum && !v.isText }
	if (a.isNum || unset(a)) && (b.isNum || unset(b)) && !(unset(a) && unset(b)) {
		switch x, y := a.num(), b.num(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(a.str(), b.str())
}

// An awkProgram is what an awk script compiles to, and its state.
type awkProgram struct {
	c       *Call
	begin   []awkAction
	end     []awkAction
	rules   []awkRule
	vars    map[string]awkValue
	arrays  map[string]map[string]awkValue
	record  string
	fields  []string
	split   bool // fields are those of record
	exit    bool
	status  int
	skip    bool // next
	leaving awkLeave
	err     error
}

type awkLeave int

const (
	awkStay awkLeave = iota
	awkBreak
	awkContinue
)

type (
	awkAction func(*awkProgram)
	awkExpr   func(*awkProgram) awkValue
)

// An awkRule is a pattern and what it does; a nil pattern is always met.
type awkRule struct {
	from, to awkExpr
	action   awkAction
	inRange  bool
}

// stop ends the program as one that is not known.
func (p *awkProgram) stop(format string, args ...any) {
	if p.err == nil {
		p.err = Unknown(format, args...)
	}
	p.exit = true
}

func awk(c *Call) error {
	args := c.Args[1:]
	p := &awkProgram{c: c, vars: map[string]awkValue{
		"FS": awkText(" "), "OFS": awkText(" "), "ORS": awkText("\n"), "RS": awkText("\n"), "NR": awkNumber(0), "FNR": awkNumber(0), "SUBSEP": awkText("\x1c"),
	}, arrays: map[string]map[string]awkValue{"ENVIRON": {}}}
	for name, v := range c.shell.vars {
		if v.exported {
			p.arrays["ENVIRON"][name] = awkInput(v.value)
		}
	}
	text, given := "", false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		opt, value := args[0][:2], args[0][2:]
		args = args[1:]
		if opt == "--" && value == "" {
			break
		}
		if value == "" && len(args) > 0 {
			value, args = args[0], args[1:]
		}
		switch opt {
		case "-F":
			if value == "t" {
				value = "\t"
			}
			p.vars["FS"] = awkText(awkUnescape(value))
		case "-v":
			if !p.assign(value) {
				return Unknown("option -v %s", value)
			}
		case "-f":
			data, status, err := c.readAll([]string{value})
			if err != nil || status != 0 {
				return Unknown("program %s cannot be read", value)
			}
			text, given = text+string(data)+"\n", true
		default:
			return Unknown("option %s", opt)
		}
	}
	if !given {
		if len(args) == 0 {
			return Unknown("no program")
		}
		text, args = args[0], args[1:]
	}
	if err := p.compile(text); err != nil {
		return err
	}
	return p.main(args)
}

// assign understands "name=value".
func (p *awkProgram) assign(text string) bool {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.Trim(name, awkNameChars) != "" || name[0] <= '9' {
		return false
	}
	p.vars[name] = awkInput(awkUnescape(value))
	return true
}

const awkNameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

// awkUnescape replaces the escapes of a string.
func awkUnescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '"':
			b.WriteByte(c)
		case c == 'x':
			end := i + 1
			for end < len(s) && end < i+3 && strings.IndexByte("0123456789abcdefABCDEF", s[end]) >= 0 {
				end++
			}
			code, err := strconv.ParseUint(s[i+1:end], 16, 8)
			if err != nil {
				b.WriteString(`\x`)
				continue
			}
			b.WriteByte(byte(code))
			i = end - 1
		default:
			end := i + 1
			for end < len(s) && end < i+3 && '0' <= c && c <= '7' && '0' <= s[end] && s[end] <= '7' {
				end++
			}
			text, _ := unescape(s[i-1:end], false)
			b.WriteString(text)
			i = end - 1
		}
	}
	return b.String()
}

func (p *awkProgram) main(files []string) error {
	for _, a := range p.begin {
		if !p.exit {
			a(p)
		}
	}
	if !p.exit && len(p.rules)+len(p.end) > 0 {
		if err := p.read(files); err != nil {
			return err
		}
	}
	if p.err == nil {
		p.exit = false
		for _, a := range p.end {
			if !p.exit {
				a(p)
			}
		}
	}
	if p.err != nil {
		return p.err
	}
	return Exit(p.status)
}

// read runs the rules for every record of the files.
func (p *awkProgram) read(files []string) error {
	var inputs []string
	for _, f := range files {
		if strings.Contains(f, "=") {
			return Unknown("assignment %s between files", f)
		}
		inputs = append(inputs, f)
	}
	status, err := p.c.input(inputs, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		p.vars["FILENAME"], p.vars["FNR"] = awkText(name), awkNumber(0)
		for _, record := range p.records(string(data)) {
			if p.exit {
				return nil
			}
			for _, n := range []string{"NR", "FNR"} {
				p.vars[n] = awkNumber(p.vars[n].num() + 1)
			}
			p.set(record)
			p.skip = false
			for i := range p.rules {
				if p.exit || p.skip {
					break
				}
				p.rule(&p.rules[i])
			}
		}
		return nil
	})
	if status != 0 && p.status == 0 {
		p.status = 2
	}
	return err
}

// records cuts the input at RS: a character, or empty lines.
func (p *awkProgram) records(text string) []string {
	rs := p.vars["RS"].str()
	if rs == "" {
		var records []string
		for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
			if part = strings.Trim(part, "\n"); part != "" {
				records = append(records, part)
			}
		}
		return records
	}
	if len(rs) > 1 {
		p.stop("RS %q", rs)
		return nil
	}
	if text = strings.TrimSuffix(text, rs); text == "" {
		return nil
	}
	return strings.Split(text, rs)
}

func (p *awkProgram) rule(r *awkRule) {
	switch {
	case r.from == nil:
	case r.to == nil:
		if !r.from(p).truth() {
			return
		}
	default:
		if !r.inRange && !r.from(p).truth() {
			return
		}
		r.inRange = !r.to(p).truth()
	}
	if r.action == nil {
		p.write(p.record + p.vars["ORS"].str())
		return
	}
	r.action(p)
}

func (p *awkProgram) write(text string) {
	if _, err := io.WriteString(p.c.Stdout, text); err != nil && p.err == nil {
		p.err, p.exit = err, true
	}
}

// set makes record $0.
func (p *awkProgram) set(record string) { p.record, p.split = record, false }

// load makes the fields those of the record.
func (p *awkProgram) load() {
	if !p.split {
		p.fields, p.split = p.cut(p.record, p.vars["FS"].str()), true
		if p.vars["RS"].str() == "" && p.vars["FS"].str() != " " {
			p.stop("RS without text, and FS")
		}
	}
}

// cut splits text at a separator: " " stands for blanks, one character for
// itself, anything else is a regular expression.
func (p *awkProgram) cut(text, fs string) []string {
	switch {
	case fs == " ":
		return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
	case text == "":
		return nil
	case len(fs) == 1 && fs != "\\":
		return strings.Split(text, fs)
	}
	re, err := compile(fs, true, false)
	if err != nil {
		p.stop("separator %q", fs)
		return nil
	}
	return re.re.Split(text, -1)
}

func (p *awkProgram) field(n int) awkValue {
	if n == 0 {
		return awkInput(p.record)
	}
	if p.load(); n > 0 && n <= len(p.fields) {
		return awkInput(p.fields[n-1])
	}
	return awkValue{}
}

func (p *awkProgram) setField(n int, v string) {
	if n == 0 {
		p.set(v)
		return
	}
	if n < 0 || n > 10000 {
		p.stop("field %d", n)
		return
	}
	p.load()
	p.fields = slices.Clone(p.fields)
	for len(p.fields) < n {
		p.fields = append(p.fields, "")
	}
	p.fields[n-1] = v
	p.record = strings.Join(p.fields, p.vars["OFS"].str())
}

// get is the value of a variable.
func (p *awkProgram) get(name string) awkValue {
	if name == "NF" {
		p.load()
		return awkNumber(float64(len(p.fields)))
	}
	return p.vars[name]
}

func (p *awkProgram) setVar(name string, v awkValue) {
	switch name {
	case "NF":
		p.load()
		n := int(v.num())
		if n < 0 || n > 10000 {
			p.stop("NF of %d", n)
			return
		}
		p.fields = slices.Clone(p.fields)
		for len(p.fields) < n {
			p.fields = append(p.fields, "")
		}
		p.fields = p.fields[:n]
		p.record = strings.Join(p.fields, p.vars["OFS"].str())
		return
	case "FS":
		p.load() // the record at hand is cut as before
	case "RS":
		if p.vars["NR"].num() > 0 {
			p.stop("RS that changes")
		}
	}
	if len(v.text) > maxValue {
		p.stop("a variable of more than %d bytes", maxValue)
		return
	}
	p.vars[name] = v
}

func (p *awkProgram) array(name string) map[string]awkValue {
	a := p.arrays[name]
	if a == nil {
		a = map[string]awkValue{}
		p.arrays[name] = a
	}
	return a
}

// step counts what the program does, as a statement of the shell.
func (p *awkProgram) step() bool {
	r := p.c.shell.run
	if r.steps--; r.steps < 0 {
		p.stop("more steps than its budget")
	}
	return !p.exit
}
