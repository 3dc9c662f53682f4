package rootfs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"compose/internal/fault"
)

// A Glob is a set of paths to remove, or to keep.
type Glob struct {
	// Text is absolute. * and ? stop at a slash; ** does not, and **/ also
	// stands for no directory at all. A directory that matches goes with all
	// below it.
	Text string
	Keep bool // what matches stays, though an earlier Glob removes it
}

// slims are the removals that slim: names. Each begins below one folder of
// /usr/share or /usr/lib, which stays.
//
// Licence texts stay unless licences is named, whatever else is: most
// licences ask for it.
var slims = map[string][]Glob{
	// Documentation but for licences; Debian's copyright files are such.
	"docs": {
		{Text: "/usr/share/doc/*/**"},
		{Text: "/usr/share/doc/*/copyright", Keep: true},
		{Text: "/usr/share/doc/**/LICEN[CS]E*", Keep: true},
		{Text: "/usr/share/doc/**/COPYING*", Keep: true},
		{Text: "/usr/share/doc/**/NOTICE*", Keep: true},
		{Text: "/usr/share/doc-base/**"},
		{Text: "/usr/share/gtk-doc/**"},
		{Text: "/usr/share/help/**"},
		{Text: "/usr/share/lintian/**"},
		{Text: "/usr/share/linda/**"},
	},
	// Manual pages.
	"man": {{Text: "/usr/share/man/*/**"}},
	// Info pages.
	"info": {{Text: "/usr/share/info/**"}},
	// Translations and locales, but for C.UTF-8.
	"locales": {
		{Text: "/usr/share/locale/*/**"},
		{Text: "/usr/share/i18n/**"},
		{Text: "/usr/lib/locale/**"},
		{Text: "/usr/lib/locale/C.utf8", Keep: true},
	},
	// Licence texts.
	"licences": {
		{Text: "/usr/share/common-licenses/**"},
		{Text: "/usr/share/licenses/**"},
		{Text: "/usr/share/doc/**/copyright"},
		{Text: "/usr/share/doc/**/LICEN[CS]E*"},
		{Text: "/usr/share/doc/**/COPYING*"},
		{Text: "/usr/share/doc/**/NOTICE*"},
	},
}

// Slims gives the names that slim: knows, sorted.
func Slims() []string { return slices.Sorted(maps.Keys(slims)) }

// remove applies the globs of the manifest.
func (a *assembly) remove() error {
	matched, _, err := a.tree.sweep(a.Remove)
	if err != nil {
		return err
	}
	for i, g := range a.Remove {
		if !matched[i] && !g.Keep {
			a.note("remove: %q matches nothing", g.Text)
		}
	}
	return nil
}

// slim applies the documented removals, and takes folders out that this
// empties.
func (a *assembly) slim() error {
	names := slices.Sorted(slices.Values(a.Slim)) // docs, which keeps licences, before licences
	for _, name := range names {
		globs, ok := slims[name]
		if !ok {
			return fault.New(fault.Usage, "slim: %q is not known; the names are %s", name, strings.Join(Slims(), ", "))
		}
		_, gone, err := a.tree.sweep(globs)
		if err != nil {
			return err
		}
		for _, dir := range gone {
			a.tree.dropEmpty(dir)
		}
	}
	return nil
}

// dropEmpty takes a directory out if it is empty, and then its parents, down
// to the third level: /usr/share/doc stays. So do the sections of the manual,
// into which update-alternatives links without making them.
func (t *Tree) dropEmpty(e *entry) {
	for strings.Count(e.Path, "/") > 2 && e.child == nil && t.nodes[e.Path] == e && !strings.HasPrefix(e.Path, "usr/share/man/man") {
		parent := e.parent
		t.drop(e)
		e = parent
	}
}

// sweep takes out what the globs say. It reports which of them matched
// something, and the directories from which something was taken.
func (t *Tree) sweep(globs []Glob) (matched []bool, from []*entry, err error) {
	if len(globs) == 0 {
		return nil, nil, nil
	}
	patterns := make([]pattern, len(globs))
	for i, g := range globs {
		if patterns[i], err = compile(g.Text); err != nil {
			return nil, nil, err
		}
	}
	matched = make([]bool, len(globs))
	last := map[string]int{".": -1} // directory -> the last glob that it, or one above it, matches
	var doomed []*entry
	for n := range t.All() {
		if n.Path == "." {
			continue
		}
		dir, _ := split(n.Path)
		verdict := last[dir]
		for i := range patterns {
			if patterns[i].match(n.Path) {
				matched[i] = true
				verdict = max(verdict, i)
			}
		}
		if n.Type == Dir {
			last[n.Path] = verdict
		}
		if verdict >= 0 && !globs[verdict].Keep {
			doomed = append(doomed, t.nodes[n.Path])
		}
	}
	for _, e := range slices.Backward(doomed) { // what a directory holds, before the directory
		if e.child == nil {
			from = append(from, e.parent)
			t.drop(e)
		}
	}
	return matched, from, nil
}

// A pattern is a compiled glob.
type pattern struct {
	prefix string // what every match begins with, without the slash
	rest   *regexp.Regexp
}

func (p pattern) match(path string) bool {
	return strings.HasPrefix(path, p.prefix) && p.rest.MatchString(path[len(p.prefix):])
}

// compile reads a glob: * ? ** **/ and [set], of which \ takes the meaning.
func compile(glob string) (pattern, error) {
	text, ok := strings.CutPrefix(glob, "/")
	if !ok || text == "" {
		return pattern{}, fault.New(fault.Usage, "glob %q: want a path that begins with /", glob)
	}
	fixed := strings.IndexAny(text, `*?[\`)
	if fixed < 0 {
		fixed = len(text)
	}
	p := pattern{prefix: text[:fixed]}
	expr := strings.Builder{}
	expr.WriteString(`(?s)^`)
	for rest := text[fixed:]; rest != ""; {
		var e string
		if e, rest = translate(rest); e == "" {
			return pattern{}, fault.New(fault.Usage, "glob %q: %q is not closed", glob, rest)
		}
		expr.WriteString(e)
	}
	expr.WriteString(`$`)
	var err error
	if p.rest, err = regexp.Compile(expr.String()); err != nil {
		return pattern{}, fault.New(fault.Usage, "glob %q: %w", glob, err)
	}
	return p, nil
}

// translate gives the regular expression for the first piece of a glob, and
// what follows. An expression "" means that a bracket is not closed.
func translate(glob string) (expr, rest string) {
	switch {
	case strings.HasPrefix(glob, "**/"):
		return `(?:.*/)?`, glob[3:]
	case strings.HasPrefix(glob, "**"):
		return `.*`, glob[2:]
	case glob[0] == '*':
		return `[^/]*`, glob[1:]
	case glob[0] == '?':
		return `[^/]`, glob[1:]
	case glob[0] == '[':
		end := strings.IndexByte(glob[1:], ']') + 1
		if end <= 1 {
			return "", glob
		}
		set := strings.ReplaceAll(glob[1:end], `\`, `\\`)
		if set[0] == '!' {
			set = "^" + set[1:]
		}
		return fmt.Sprintf("[%s]", set), glob[end+1:]
	case glob[0] == '\\' && len(glob) > 1:
		return regexp.QuoteMeta(glob[1:2]), glob[2:]
	}
	end := strings.IndexAny(glob[1:], `*?[\`) + 1
	if end == 0 {
		end = len(glob)
	}
	return regexp.QuoteMeta(glob[:end]), glob[end:]
}
