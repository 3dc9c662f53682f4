package manifest

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits of one file. They are far above any real manifest, and keep a
// hostile one from costing time or memory.
const (
	maxSize  = 1 << 20 // bytes
	maxDepth = 64      // lists and maps within one another
)

// A kind is what YAML takes a value for.
type kind string

const (
	isNothing kind = "nothing"
	isText    kind = "text"
	isNumber  kind = "a number"
	isTruth   kind = "a truth value"
	isDate    kind = "a date"
	isList    kind = "a list"
	isMap     kind = "a map"
)

// A node is a value as it stands in a file.
type node struct {
	pos   Pos
	kind  kind
	text  string  // of a scalar, as written
	keys  []*node // of a map, beside items
	items []*node // of a list or a map
	bad   bool    // something was said about it already
}

// get is the value of a map's key; nil where there is none that is sound.
func (n *node) get(key string) *node {
	if n == nil || n.kind != isMap || n.bad {
		return nil
	}
	for i, k := range n.keys {
		if k.text == key && !n.items[i].bad {
			return n.items[i]
		}
	}
	return nil
}

// A reader turns the text of one file into nodes, and keeps to the plain part
// of YAML: maps, lists and scalars, nothing that names or types a value.
type reader struct {
	file  string
	lines [][]byte
	line  int    // that runes are of
	runes []rune // for at
	errs  Errors
}

// readYAML gives the value that data holds; nil where the mistakes in it leave
// none.
func readYAML(file string, data []byte) (*node, Errors) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	r := &reader{file: file, lines: bytes.Split(data, []byte("\n"))}
	if r.checkText(data); r.errs != nil {
		return nil, r.errs
	}
	doc, second, err := decode(bytes.NewReader(data))
	switch {
	case err != nil:
		r.errs = append(r.errs, r.syntax(data, err))
		return nil, r.errs
	case doc == nil:
		return nil, Errors{Pos{File: file}.Errorf("empty: nothing to build")}
	case second != nil:
		r.errorf(second, "second document: a manifest is one document").WithHint(`leave out the "---"`)
	}
	n := r.convert(doc.Content[0], 0)
	return n, r.errs
}

// decode gives the first document of in and the second, nil where there is
// none.
func decode(in io.Reader) (first, second *yaml.Node, err error) {
	d := yaml.NewDecoder(in)
	var docs [2]yaml.Node
	for i := range docs {
		err := d.Decode(&docs[i])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			first = &docs[i]
		} else {
			second = &docs[i]
		}
	}
	return first, second, nil
}

func (r *reader) errorf(n *yaml.Node, format string, args ...any) *Error {
	e := r.pos(n).Errorf(format, args...)
	r.errs = append(r.errs, e)
	return e
}

// pos is where n begins. The parser puts a value that is missing at the end of
// the file behind it.
func (r *reader) pos(n *yaml.Node) Pos {
	if n.Line > len(r.lines) {
		return Pos{r.file, len(r.lines), 1}
	}
	return Pos{r.file, n.Line, n.Column}
}

// checkText finds what makes a file no text that people can read as it is.
// One mistake of each line is enough.
func (r *reader) checkText(data []byte) {
	if len(data) > maxSize {
		r.errs = Errors{Pos{File: r.file}.Errorf("%d bytes: a manifest has at most %d", len(data), maxSize)}
		return
	}
	for i, line := range r.lines {
		line = bytes.TrimSuffix(line, []byte("\r"))
		indent := true
		for col, off := 1, 0; off < len(line); col++ {
			c, size := utf8.DecodeRune(line[off:])
			if e := checkRune(Pos{r.file, i + 1, col}, c, size, indent); e != nil {
				r.errs = append(r.errs, e)
				break
			}
			indent = indent && c == ' '
			off += size
		}
	}
}

func checkRune(p Pos, c rune, size int, indent bool) *Error {
	switch {
	case c == utf8.RuneError && size == 1:
		return p.Errorf("not UTF-8").WithHint("save the file as UTF-8")
	case c == '\t' && indent:
		return p.Errorf("tab: lines are indented with spaces").WithHint("write two spaces")
	case c != '\t' && hidden(c):
		return p.Errorf("character %U: not visible", c).WithHint(`write it as "\u%04x", in double quotes`, c)
	}
	return nil
}

// hidden reports whether c cannot be seen, or changes how others are seen: it
// may stand in a manifest as an escape only. The last range are the characters
// that YAML has no plain form for.
func hidden(c rune) bool {
	return unicode.IsControl(c) ||
		c == 0x061c || c == 0x200e || c == 0x200f || c >= 0x2028 && c <= 0x202e || c >= 0x2066 && c <= 0x2069 ||
		c == 0xfeff || c == 0xfffe || c == 0xffff
}

var kinds = map[string]kind{
	"!!null": isNothing, "!!str": isText, "!!int": isNumber, "!!float": isNumber, "!!bool": isTruth, "!!timestamp": isDate, "!!merge": isText,
}

// convert is n and all below it as nodes; where n cannot be read, a bad one.
func (r *reader) convert(n *yaml.Node, depth int) *node {
	out := &node{pos: r.pos(n), bad: true}
	switch {
	case depth > maxDepth:
		r.errorf(n, "more than %d lists and maps within one another", maxDepth)
		return out
	case n.Kind == yaml.AliasNode:
		r.errorf(n, "alias *%s: anchors and aliases are not read", n.Value).WithHint("write the value out, or quote it if it begins with *")
		return out
	case n.Anchor != "":
		r.errorf(n, "anchor &%s: anchors and aliases are not read", n.Anchor).WithHint("leave it out, or quote the value if it begins with &")
		return out
	case n.Style&yaml.TaggedStyle != 0 || r.at(n) == '!':
		r.tag(n)
		return out
	}
	out.bad = false
	switch n.Kind {
	case yaml.SequenceNode:
		out.kind = isList
		for _, c := range n.Content {
			out.items = append(out.items, r.convert(c, depth+1))
		}
	case yaml.MappingNode:
		out.kind = isMap
		r.convertMap(out, n, depth)
	default:
		out.kind, out.text = kinds[n.ShortTag()], n.Value
	}
	return out
}

func (r *reader) convertMap(out *node, n *yaml.Node, depth int) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.errorf(k, "key: a word is wanted, not a list or a map")
			continue
		}
		if k.ShortTag() == "!!merge" {
			r.errorf(k, "key <<: merge keys are not read").WithHint("use include: to share parts of a manifest")
			continue
		}
		if line, again := first[k.Value]; again {
			r.errorf(k, "key %s: already on line %d", show(k.Value), line)
			continue
		}
		first[k.Value] = k.Line
		out.keys = append(out.keys, r.convert(k, depth+1))
		out.items = append(out.items, r.convert(v, depth+1))
	}
}

// at is the character at the start of n. Nodes come line by line, and there
// may be many in one.
func (r *reader) at(n *yaml.Node) rune {
	if n.Line < 1 || n.Line > len(r.lines) {
		return 0
	}
	if n.Line != r.line {
		r.line, r.runes = n.Line, []rune(string(r.lines[n.Line-1]))
	}
	if n.Column < 1 || n.Column > len(r.runes) {
		return 0
	}
	return r.runes[n.Column-1]
}

// tag reports a tag, which is most often an exclusion without its quotes.
func (r *reader) tag(n *yaml.Node) {
	tag := n.Tag
	if n.Style&yaml.TaggedStyle == 0 {
		tag = "!"
	}
	e := r.errorf(n, "tag %s: tags are not read", redact(tag))
	if name := strings.TrimPrefix(tag, "!"); n.Kind == yaml.ScalarNode && !strings.HasPrefix(name, "!") {
		e.WithHint("quote it: %s", show("!"+name+n.Value))
	}
}

// A place says where to look for a mistake of syntax.
type place int

const (
	searched place = iota // the first line with which the parser finds it
	named                 // the line that the parser names: something begins there, or is missed
	below                 // the line below that one
)

// syntaxErrors are what the YAML parser says and what we say instead: its
// words speak of the parser, not of the file.
var syntaxErrors = []struct {
	theirs, msg, hint string
	at                place
}{
	{"mapping values are not allowed", `a second ": " in one value`, "quote a value that contains a colon and a space", searched},
	{"could not find expected ':'", "a line that is neither \"key: value\" nor \"- item\"", "put a space behind the colon of a key, and behind the hyphen of an item", searched},
	{"did not find expected key", "this line does not fit the ones above it", "keys of one map are indented alike; quote a value that holds a quote, or begins with a bracket or a brace", searched},
	{"did not find expected '-' indicator", "this line does not fit the list above it", "items of one list are indented alike, each behind a hyphen", searched},
	{"did not find expected ',' or ']'", "a list in brackets is not closed, or lacks a comma", "quote an item that begins with !, * or &, or contains a bracket, a brace or a comma", below},
	{"did not find expected ',' or '}'", "a map in braces is not closed, or lacks a comma", "quote a value that begins with !, * or &, or contains a bracket, a brace or a comma", below},
	{"found unexpected end of stream", "a quoted text is not closed", "", named},
	{"found unexpected document indicator", "a quoted text is not closed", "", named},
	{"found unknown escape character", `an unknown escape in a text in double quotes`, `write a backslash as \\, or use single quotes`, searched},
	{"cannot start any token", "a character that cannot begin a value", "quote a value that begins with @, %, ` or a tab", searched},
	{"tab character", "tab: lines are indented with spaces", "write two spaces", searched},
	{"did not find expected alphabetic or numeric character", "a value begins with * or &", "quote it", searched},
	{"exceeded max depth", "too many lists and maps within one another", "", searched},
	{"directive", "a line begins with %", "quote a value that begins with %", searched},
	{"did not find expected <document start>", "text behind the end of the document", "a manifest is one document", searched},
	{"did not find expected node content", "a value is missing, or begins with a character that must be quoted", "", searched},
	{"comment or line break", "something unknown behind | or >", "begin the text on the next line", searched},
	{"indentation indicator", "something unknown behind | or >", "begin the text on the next line", searched},
	{"character escape code", "an unknown escape in a text in double quotes", `write a backslash as \\, or use single quotes`, searched},
	{"hexdecimal", "an unknown escape in a text in double quotes", `write a backslash as \\, or use single quotes`, searched},
	{"tag", "a value begins with !", "quote it", searched},
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): `)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// find is the first place of s in the file.
func (r *reader) find(s string) Pos {
	for i, line := range r.lines {
		if at := bytes.Index(line, []byte(s)); at >= 0 {
			return Pos{r.file, i + 1, 1 + utf8.RuneCount(line[:at])}
		}
	}
	return Pos{File: r.file}
}

// syntax is err, which decode answers for data, in plain words. The parser
// names no column; the first character of the line has to do.
func (r *reader) syntax(data []byte, err error) *Error {
	if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		return r.find("*"+m[1]).Errorf("alias *%s: anchors and aliases are not read", m[1]).WithHint("quote a value that begins with *")
	}
	for _, s := range syntaxErrors {
		if !strings.Contains(err.Error(), s.theirs) {
			continue
		}
		at := namedLine(err)
		switch s.at {
		case searched:
			at = r.firstLine(data, s.theirs)
		case below:
			at++
		}
		e := r.start(at).Errorf("%s", s.msg)
		e.Hint = s.hint
		return e
	}
	return r.start(namedLine(err)).Errorf("not YAML")
}

// start is the first character of a line.
func (r *reader) start(line int) Pos {
	line = min(max(line, 1), len(r.lines))
	text := r.lines[line-1]
	return Pos{r.file, line, 1 + len(text) - len(bytes.TrimLeft(text, " "))}
}

// namedLine is the line that the parser names: often that of the place where
// the map or list begins, and one too low at that.
func namedLine(err error) int {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line
	}
	return 1
}

// firstLine is the line at which the parser comes to say msg: without that
// line and those behind it, it does not. The parser reads little more than it
// needs, so the line is one of the last that it asks for.
func (r *reader) firstLine(data []byte, msg string) int {
	const ahead = 8 // lines; the parser looks no further than some characters
	says := func(in io.Reader) bool {
		_, _, err := decode(in)
		return err != nil && strings.Contains(err.Error(), msg)
	}
	whole := &lineReader{rest: data}
	says(whole)
	least := max(whole.lines-ahead, 1)
	return least + sort.Search(whole.lines-least, func(i int) bool {
		return says(bytes.NewReader(firstLines(data, least+i)))
	})
}

// firstLines is the first n lines of data.
func firstLines(data []byte, n int) []byte {
	end := 0
	for range n {
		at := bytes.IndexByte(data[end:], '\n')
		if at < 0 {
			return data
		}
		end += at + 1
	}
	return data[:end]
}

// A lineReader gives one line at a time, and counts them.
type lineReader struct {
	rest  []byte
	lines int
	mid   bool // within a line
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if !r.mid {
		r.lines++
	}
	line := firstLines(r.rest, 1)
	n := copy(p, line)
	r.rest, r.mid = r.rest[n:], n < len(line)
	return n, nil
}

var urlSecret = regexp.MustCompile(`://.*@`)

// redact is s without what may be a secret in a URL.
func redact(s string) string {
	s = urlSecret.ReplaceAllString(s, "://…@")
	if at, _, query := strings.Cut(s, "?"); query && strings.Contains(at, "://") {
		s = at + "?…"
	}
	return s
}

// show is text from a manifest as a message shows it: quoted, short and
// redacted.
func show(s string) string {
	const most = 80 // characters
	s = redact(s)
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}
