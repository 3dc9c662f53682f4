package finalize

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// mimeSpace is the namespace of the Shared MIME-info Database specification.
const mimeSpace = "http://www.freedesktop.org/standards/shared-mime-info"

// maxNested is how deep rules may stand within one another.
const maxNested = 64

// read takes a file of descriptions in. What an element says that makes no
// sense is the error; what was read before it counts.
func (db *mimeDatabase) read(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	r := mimeReader{mimeDatabase: db}
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = r.token(token)
		}
		if err != nil {
			line, _ := d.InputPos()
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// A mimeReader is in the middle of a file.
type mimeReader struct {
	*mimeDatabase
	typ     string // of the mime-type element that it is in; "": in none
	current *magic // of the magic or treemagic element that it is in
	isTree  bool
	depth   int // of rules within that
}

// token takes the next piece. RawToken gives names as they are written; the
// files of Debian's archive use no prefix.
func (r *mimeReader) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		r.end(t.Name.Local)
	}
	return nil
}

func (r *mimeReader) start(e xml.StartElement) error {
	get := func(name string) string { return attribute(e, name) }
	switch e.Name.Local {
	case "mime-info":
		if space := get("xmlns"); space != "" && space != mimeSpace {
			return fmt.Errorf("namespace %q, want %s", space, mimeSpace)
		}
		return nil
	case "mime-type":
		r.typ = get("type")
		if !isMimeType(r.typ) {
			return fmt.Errorf("type %q", r.typ)
		}
		r.types[r.typ] = true
		return nil
	}
	if r.typ == "" {
		return nil
	}
	switch e.Name.Local {
	case "glob":
		return r.glob(get("pattern"), get("weight"), get("case-sensitive") == "true")
	case "alias":
		r.aliases[get("type")] = r.typ
	case "sub-class-of":
		if parent := get("type"); !slices.Contains(r.parents[r.typ], parent) {
			r.parents[r.typ] = append(r.parents[r.typ], parent)
		}
	case "icon":
		r.icons[r.typ] = get("name")
	case "generic-icon":
		r.generic[r.typ] = get("name")
	case "root-XML":
		r.namespaces[[2]string{get("namespaceURI"), get("localName")}] = r.typ
	case "magic", "treemagic":
		priority, err := number(get("priority"), 50, 100)
		r.current, r.isTree, r.depth = &magic{priority: priority, typ: r.typ}, e.Name.Local == "treemagic", 0
		return err
	case "match", "treematch":
		return r.match(e)
	case "glob-deleteall", "magic-deleteall":
		return errors.New(e.Name.Local + " is not known")
	}
	return nil
}

func (r *mimeReader) end(name string) {
	switch name {
	case "mime-type":
		r.typ = ""
	case "match", "treematch":
		r.depth--
	case "magic", "treemagic":
		if r.current == nil {
			return
		}
		if r.isTree {
			r.tree = append(r.tree, *r.current)
		} else {
			r.magic = append(r.magic, *r.current)
		}
		r.current = nil
	}
}

func (r *mimeReader) glob(pattern, weight string, exact bool) error {
	w, err := number(weight, 50, 100)
	if err != nil || pattern == "" || strings.ContainsAny(pattern, "\n") {
		return fmt.Errorf("glob %q of weight %q", pattern, weight)
	}
	if !exact {
		pattern = strings.ToLower(pattern)
	}
	g := glob2{pattern, r.typ, exact}
	r.globs[g] = max(r.globs[g], w)
	return nil
}

// match adds a rule to the current set.
func (r *mimeReader) match(e xml.StartElement) error {
	if r.current == nil {
		return errors.New("a match outside of magic")
	}
	if r.depth >= maxNested {
		return fmt.Errorf("more than %d rules within one another", maxNested)
	}
	text := r.current.text
	if r.depth > 0 {
		text = strconv.AppendInt(text, int64(r.depth), 10)
	}
	r.depth++
	var err error
	if r.isTree {
		text = append(text, treeRule(e)...)
	} else {
		text, err = appendRule(text, e)
	}
	r.current.text = text
	return err
}

// treeRule is a rule about a file in a tree.
func treeRule(e xml.StartElement) string {
	typ := attribute(e, "type")
	if typ == "" {
		typ = "any"
	}
	s := fmt.Sprintf(">\"%s\"=%s", attribute(e, "path"), typ)
	for _, option := range []string{"match-case", "executable", "non-empty"} {
		if attribute(e, option) == "true" {
			s += "," + option
		}
	}
	if m := attribute(e, "mimetype"); m != "" {
		s += "," + m
	}
	return s + "\n"
}

// appendRule appends a rule about contents: offset, length and bytes of the
// value, a mask, the size of the words whose bytes a little-endian machine
// swaps, and how many offsets to try.
func appendRule(b []byte, e xml.StartElement) ([]byte, error) {
	first, last, isRange := strings.Cut(attribute(e, "offset"), ":")
	start, err := number(first, -1, 1<<30)
	end := start
	if isRange && err == nil {
		end, err = number(last, -1, 1<<30)
	}
	if err != nil || start < 0 || end < start {
		return b, fmt.Errorf("offset %q", attribute(e, "offset"))
	}
	value, mask, word, err := ruleValue(attribute(e, "type"), attribute(e, "value"), attribute(e, "mask"))
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, ">%d=", start)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	if mask != nil {
		b = append(append(b, '&'), mask...)
	}
	if word > 1 {
		b = fmt.Appendf(b, "~%d", word)
	}
	if end > start {
		b = fmt.Appendf(b, "+%d", end-start+1)
	}
	return append(b, '\n'), nil
}

// ruleValue is the value of a rule and its mask, as bytes.
func ruleValue(typ, value, mask string) (v, m []byte, word int, err error) {
	if typ == "string" {
		if v = unescape(value); len(v) == 0 || len(v) > 1<<15 {
			return nil, nil, 0, fmt.Errorf("value %q", value)
		}
		if mask != "" {
			m, err = hex.DecodeString(strings.TrimPrefix(mask, "0x"))
			if err != nil || len(m) != len(v) {
				return nil, nil, 0, fmt.Errorf("mask %q of %d bytes", mask, len(v))
			}
		}
		return v, m, 1, nil
	}
	size, word, little := 0, 1, false
	switch typ {
	case "byte":
		size = 1
	case "big16", "little16", "host16":
		size = 2
	case "big32", "little32", "host32":
		size = 4
	default:
		return nil, nil, 0, fmt.Errorf("type %q", typ)
	}
	little = strings.HasPrefix(typ, "little")
	if strings.HasPrefix(typ, "host") {
		word = size
	}
	if v, err = integer(value, size, little); err == nil && mask != "" {
		m, err = integer(mask, size, little)
	}
	return v, m, word, err
}

// integer is a number in C's notation as bytes.
func integer(s string, size int, little bool) ([]byte, error) {
	v, err := strconv.ParseUint(s, 0, 8*size)
	if err != nil {
		return nil, fmt.Errorf("value %q is no number of %d bytes", s, size)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(v))[4-size:]
	if little {
		slices.Reverse(b)
	}
	return b, nil
}

// unescape reads a string as file(1) does: \n and the like, up to three octal
// digits, \x and up to two hexadecimal ones; another character stands for
// itself.
func unescape(s string) []byte {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b = append(b, s[i])
			}
			continue
		}
		i++
		switch c := s[i]; {
		case strings.IndexByte("nrbtfv", c) >= 0:
			b = append(b, "\n\r\b\t\f\v"[strings.IndexByte("nrbtfv", c)])
		case c == 'x':
			v, n := digits(s[i+1:], 16, 2)
			if n == 0 {
				b = append(b, 'x')
				continue
			}
			b, i = append(b, byte(v)), i+n
		case '0' <= c && c <= '7':
			v, n := digits(s[i:], 8, 3)
			b, i = append(b, byte(v)), i+n-1
		default:
			b = append(b, c)
		}
	}
	return b
}

// digits reads at most n digits, and says how many there were.
func digits(s string, base, n int) (v, read int) {
	for read < n && read < len(s) {
		d, err := strconv.ParseUint(s[read:read+1], base, 8)
		if err != nil {
			break
		}
		v, read = v*base+int(d), read+1
	}
	return v, read
}

// number reads a number from 0 to limit; "" stands for normal.
func number(s string, normal, limit int) (int, error) {
	if s == "" {
		return normal, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || int(n) > limit {
		return normal, fmt.Errorf("number %q, want one from 0 to %d", s, limit)
	}
	return int(n), nil
}

// isMimeType reports whether s is a type and a subtype.
func isMimeType(s string) bool {
	media, sub, ok := strings.Cut(s, "/")
	return ok && media != "" && sub != "" && !strings.ContainsAny(s, " \t\r\n:") && !strings.Contains(sub, "/")
}

// attribute is the value of an attribute; "" where there is none.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
