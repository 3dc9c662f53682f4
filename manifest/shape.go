package manifest

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"compose/internal/near"
)

// A shape is what a value of a manifest may be. All that a manifest can say is
// one shape, image in keys.go: check reads files by it, Schema describes it.
type shape interface {
	// check reports what is wrong with n and below it. label names n in
	// messages.
	check(c *checker, n *node, label string)
	// noun says what the shape is: "a list".
	noun() string
	// schema is the JSON Schema of what check accepts, as far as JSON Schema
	// can say it.
	schema() object
}

// A checker gathers what is wrong.
type checker struct{ errs Errors }

// check is s.check, unless something was said about n already.
func (c *checker) check(s shape, n *node, label string) {
	if !n.bad {
		s.check(c, n, label)
	}
}

// bad reports a mistake at n, which nobody is to look at from then on.
func (c *checker) bad(n *node, format string, args ...any) *Error {
	n.bad = true
	return c.errorf(n.pos, format, args...)
}

func (c *checker) errorf(p Pos, format string, args ...any) *Error {
	e := p.Errorf(format, args...)
	c.errs = append(c.errs, e)
	return e
}

// wrongKind reports that n is not the thing that s is.
func (c *checker) wrongKind(n *node, label string, s shape) {
	switch n.kind {
	case isNothing:
		c.bad(n, "%s: no value, %s is wanted", label, s.noun())
	case isList, isMap:
		c.bad(n, "%s: %s, %s is wanted", label, n.kind, s.noun())
	case isText:
		c.bad(n, "%s %s: text, %s is wanted", label, show(n.text), s.noun())
	default:
		c.bad(n, "%s %s: %s, %s is wanted", label, n.text, n.kind, s.noun())
	}
}

// A text is a scalar that YAML reads as text.
type text struct {
	is      string              // what it must be: `file:3:5: mode "7": not IS`
	words   []string            // the only ones there are, if any
	also    map[string]string   // what others call a word
	pattern string              // that the whole must match, in the syntax common to RE2 and ECMA-262
	example string              // of a good one
	rule    func(string) string // what else is wrong with one, "" if nothing
	repair  func(string) string // what may have been meant
	any     bool                // control characters too
	max     int                 // length in bytes; 0: that of the file

	once sync.Once
	re   *regexp.Regexp
}

func (t *text) noun() string { return "text" }

func (t *text) check(c *checker, n *node, label string) {
	switch n.kind {
	case isText:
		if msg := t.wrong(n.text); msg != "" {
			c.bad(n, "%s %s: %s", label, show(n.text), msg).Hint = t.hint(n.text)
		}
	case isNumber, isTruth, isDate:
		e := c.bad(n, "%s %s: %s, text is wanted", label, n.text, n.kind)
		if m := t.meant(n.text); t.wrong(m) == "" {
			e.WithHint("quote it: %q", m)
		} else {
			e.Hint = t.hint(n.text)
		}
	default:
		c.wrongKind(n, label, t)
	}
}

// wrong says what is wrong with s; "" if nothing is.
func (t *text) wrong(s string) string {
	const few = 12 // words that a message can list
	switch {
	case !t.any && strings.ContainsFunc(s, unicode.IsControl):
		return "has a line break or another control character"
	case t.max > 0 && len(s) > t.max:
		return "longer than " + strconv.Itoa(t.max) + " bytes"
	case t.words != nil && !slices.Contains(t.words, s):
		if len(t.words) <= few {
			return "not " + oneOf(t.words)
		}
		return "not " + t.is
	case t.pattern != "" && !t.regexp().MatchString(s):
		return "not " + t.is
	case t.rule != nil:
		return t.rule(s)
	}
	return ""
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

func (t *text) regexp() *regexp.Regexp {
	t.once.Do(func() { t.re = regexp.MustCompile(t.pattern) })
	return t.re
}

// hint says what to write instead of s, which is wrong; "" if that is unknown.
func (t *text) hint(s string) string {
	if redact(s) != s {
		return ""
	}
	if m := t.meant(s); m != s {
		return "write " + strconv.Quote(m)
	}
	if w := near.Nearest(s, t.words); w != "" {
		return "did you mean " + strconv.Quote(w) + "?"
	}
	if t.example != "" && !t.regexp().MatchString(s) {
		return "for example " + strconv.Quote(t.example)
	}
	return ""
}

// meant is what s was meant to be, where that is known and good; else s.
func (t *text) meant(s string) string {
	if w, ok := t.also[strings.ToLower(s)]; ok {
		return w
	}
	if t.repair != nil {
		if m := t.repair(s); t.wrong(m) == "" {
			return m
		}
	}
	return s
}

// A truth is true or false.
type truth struct{}

func (truth) noun() string { return "true or false" }

func (f truth) check(c *checker, n *node, label string) {
	if n.kind == isTruth && (n.text == "true" || n.text == "false") {
		return
	}
	c.wrongKind(n, label, f)
	words := map[string]string{"yes": "true", "on": "true", "y": "true", "true": "true", "no": "false", "off": "false", "n": "false", "false": "false"}
	if w, ok := words[strings.ToLower(n.text)]; ok {
		c.errs[len(c.errs)-1].WithHint("write %s", w)
	}
}

// A number is a whole one, in decimal.
type number struct{ min, max int }

func (number) noun() string { return "a whole number" }

func (s number) check(c *checker, n *node, label string) {
	v, err := strconv.Atoi(n.text)
	switch {
	case n.kind != isNumber:
		c.wrongKind(n, label, s)
		if err == nil && n.kind == isText {
			c.errs[len(c.errs)-1].WithHint("leave out the quotes")
		}
	case err != nil || strconv.Itoa(v) != n.text:
		c.bad(n, "%s %s: not a whole number in decimal", label, n.text)
	case v < s.min || v > s.max:
		c.bad(n, "%s %d: not between %d and %d", label, v, s.min, s.max)
	}
}

// A list is any number of one shape.
type list struct {
	of     shape
	each   string // names an item in messages
	unique bool   // items are texts, of which none stands twice
	some   bool   // it is not empty
	most   int    // items; 0: any number
}

func (list) noun() string { return "a list" }

func (l list) check(c *checker, n *node, label string) {
	if n.kind != isList {
		c.wrongKind(n, label, l)
		if n.kind == isText {
			c.errs[len(c.errs)-1].WithHint("write [%s]", redact(n.text))
		}
		return
	}
	if l.some && len(n.items) == 0 {
		c.bad(n, "%s: empty, at least one %s is wanted", label, l.each)
	}
	if l.most > 0 && len(n.items) > l.most {
		c.bad(n, "%s: %d of them, at most %d are wanted", label, len(n.items), l.most)
	}
	first := map[string]int{}
	for _, item := range n.items {
		c.check(l.of, item, l.each)
		if !l.unique || item.bad || item.kind != isText {
			continue
		}
		if line, again := first[item.text]; again {
			c.bad(item, "%s %s: already on line %d", l.each, show(item.text), line)
			continue
		}
		first[item.text] = item.pos.Line
	}
}

// A table is a map from names of one's own choice to texts.
type table struct{ key, value *text }

func (table) noun() string { return "a map" }

func (t table) check(c *checker, n *node, label string) {
	if n.kind != isMap {
		c.wrongKind(n, label, t)
		return
	}
	for i, k := range n.keys {
		if msg := t.key.wrong(k.text); !k.bad && msg != "" {
			c.bad(k, "%s: key %s: %s", label, show(k.text), msg)
		}
		c.check(t.value, n.items[i], label+"."+redact(k.text))
	}
}

// An either is one shape or another, told apart by what YAML takes it for.
type either struct {
	scalar       shape
	list, record shape // may be nil
}

func (e either) noun() string {
	nouns := []string{e.scalar.noun()}
	for _, s := range []shape{e.list, e.record} {
		if s != nil {
			nouns = append(nouns, s.noun())
		}
	}
	return strings.Join(nouns, " or ")
}

func (e either) check(c *checker, n *node, label string) {
	switch {
	case n.kind == isList && e.list != nil:
		e.list.check(c, n, label)
	case n.kind == isMap && e.record != nil:
		e.record.check(c, n, label)
	case n.kind == isList, n.kind == isMap, n.kind == isNothing:
		c.wrongKind(n, label, e)
	default:
		e.scalar.check(c, n, label)
	}
}

// A key is one of the keys of a record.
type key struct {
	name    string
	doc     string // one sentence
	shape   shape
	need    bool   // it must be there
	format  string // it means something to images of this format only
	initial any    // what stands for it where it is absent; nil: nothing, or it depends

	// How an include counts, where it is not "lists append, maps merge, and
	// of scalars the includer's counts".
	whole bool // the includer's replaces the included one
	own   bool // an included one does not count
}

// A record is a map with fixed keys.
type record struct {
	is   string // for messages of a choice
	keys []key
}

func (record) noun() string { return "a map" }

func (r record) names() []string {
	names := make([]string, len(r.keys))
	for i, k := range r.keys {
		names[i] = k.name
	}
	return names
}

func (r record) key(name string) (key, bool) {
	i := slices.IndexFunc(r.keys, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return r.keys[i], true
}

func (r record) check(c *checker, n *node, label string) {
	r.checkKnowing(c, n, label, nil)
}

// checkKnowing is check, where others are keys that exist in other records
// of the kind.
func (r record) checkKnowing(c *checker, n *node, label string, others []string) {
	if n.kind != isMap {
		c.wrongKind(n, label, r)
		return
	}
	for i, k := range n.keys {
		known, ok := r.key(k.text)
		switch {
		case k.bad:
		case ok:
			c.check(known.shape, n.items[i], k.text)
		case slices.Contains(others, k.text):
			c.bad(k, "key %s: not for %s", show(k.text), r.is)
		default:
			c.unknown(k, r.names())
		}
	}
	for _, k := range r.keys {
		if k.need && !slices.ContainsFunc(n.keys, func(n *node) bool { return n.text == k.name }) {
			c.bad(n, "%s: no %s", label, k.name)
		}
	}
}

func (c *checker) unknown(k *node, names []string) {
	e := c.bad(k, "key %s: no such key", show(k.text))
	if near := near.Nearest(k.text, names); near != "" {
		e.WithHint("did you mean %q?", near)
		return
	}
	e.WithHint("keys here: %s", strings.Join(names, ", "))
}

// A choice is one of several records, told apart by the key that is first in
// each.
type choice struct {
	records []record
}

func (choice) noun() string { return "a map" }

func (ch choice) tags() []string {
	tags := make([]string, len(ch.records))
	for i, r := range ch.records {
		tags[i] = r.keys[0].name
	}
	return tags
}

func (ch choice) names() []string {
	names := map[string]bool{}
	for _, r := range ch.records {
		for _, k := range r.keys {
			names[k.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (ch choice) check(c *checker, n *node, label string) {
	if n.kind != isMap {
		c.wrongKind(n, label, ch)
		c.errs[len(c.errs)-1].WithHint("write {%s: …}", ch.tags()[0])
		return
	}
	var found []*node
	for _, k := range n.keys {
		if slices.Contains(ch.tags(), k.text) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 1:
		r := ch.records[slices.Index(ch.tags(), found[0].text)]
		r.checkKnowing(c, n, label, ch.names())
	case 0:
		c.bad(n, "%s: none of %s", label, strings.Join(ch.tags(), ", "))
		for _, k := range n.keys {
			if !slices.Contains(ch.names(), k.text) {
				c.unknown(k, ch.names())
			}
		}
	default:
		c.bad(found[1], "%s: both %s and %s, of which one is wanted", label, found[0].text, found[1].text)
		n.bad = true
	}
}
