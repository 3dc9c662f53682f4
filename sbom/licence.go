package sbom

import (
	"cmp"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"compose/internal/cas"
	"compose/rootfs"
)

// A Licence is what a package declares: an expression in the syntax of SPDX
// 2.3, annex D, or "" where it declares nothing that can be read. Licences
// outside the SPDX list stand as LicenseRef-… and are explained by Refs.
type Licence struct {
	Expression string
	Refs       []LicenceRef // sorted by ID
}

// A LicenceRef explains a LicenseRef-….
type LicenceRef struct {
	ID   string // LicenseRef-…
	Name string // what the package calls it
	Text string // where its text is, by digest
}

//go:embed licences.txt
var licenceList string

// spdx holds the identifiers of the SPDX licence list by their lower case.
var spdx = sync.OnceValue(func() (l struct {
	licences, exceptions map[string]string
	deprecated           map[string]bool
}) {
	l.licences, l.exceptions, l.deprecated = map[string]string{}, map[string]string{}, map[string]bool{}
	for line := range strings.Lines(licenceList) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '+':
			l.exceptions[strings.ToLower(line[1:])] = line[1:]
		case line[0] == '-':
			l.licences[strings.ToLower(line[1:])] = line[1:]
			l.deprecated[line[1:]] = true
		default:
			l.licences[strings.ToLower(line)] = line
		}
	}
	return l
})

// copyrightLimit is the size up to which a copyright file is read; the
// largest in Debian 13 is below 2 MiB.
const copyrightLimit = 8 << 20

// licenceOf is what p declares: the licence field of its own metadata or,
// where that is empty, the copyright file that it brings at the place that
// Debian's policy gives (12.5), which may be another package's.
func licenceOf(p *rootfs.Package, all map[string]*rootfs.Package, open func(cas.Ref) (io.ReadCloser, error)) (Licence, error) {
	if p.Licence != "" {
		return normalise(p.Licence), nil
	}
	ref, at, ok := copyright(p, all)
	if !ok {
		return Licence{}, nil
	}
	text, err := read(open, ref, copyrightLimit)
	if err != nil && !errors.Is(err, errTooLong) {
		return Licence{}, err
	}
	if l, ok := machineReadable(string(text), ref.Digest, at); ok {
		return l, nil
	}
	return only(LicenceRef{
		ID:   "LicenseRef-" + ref.Digest.Hex(),
		Name: "/" + at,
		Text: fmt.Sprintf("The text of /%s, SHA-256 %s.", at, ref.Digest.Hex()),
	}), nil
}

func only(r LicenceRef) Licence { return Licence{r.ID, []LicenceRef{r}} }

// copyright finds the copyright file of p and its path. usr/share/doc/NAME may
// be a link to the folder of another package of the same source.
func copyright(p *rootfs.Package, all map[string]*rootfs.Package) (cas.Ref, string, bool) {
	dir := "usr/share/doc/" + p.Name
	for range 8 { // a chain of links has an end
		for _, n := range p.Nodes {
			if n.Path == dir+"/copyright" && n.Type == rootfs.Regular {
				return n.Content, n.Path, true
			}
		}
		link := ""
		for _, n := range p.Nodes {
			if n.Type != rootfs.Symlink {
				continue
			}
			if n.Path == dir {
				link = path.Join(path.Dir(dir), n.Link)
			} else if n.Path == dir+"/copyright" {
				link = path.Dir(path.Join(dir, n.Link))
			}
		}
		if link == "" || !strings.HasPrefix(link, "usr/share/doc/") {
			return cas.Ref{}, "", false
		}
		dir = link
		owner, _, _ := strings.Cut(strings.TrimPrefix(dir, "usr/share/doc/"), "/")
		if p = all[owner]; p == nil {
			return cas.Ref{}, "", false
		}
	}
	return cas.Ref{}, "", false
}

// normalise reads a licence field that is meant as an SPDX expression. Words
// outside the list become references; text that is no expression becomes one
// reference as a whole.
func normalise(field string) Licence {
	p := parser{words: words(field), atom: fieldAtom}
	expr, ok := p.or()
	if !ok || len(p.words) > 0 {
		return only(named(field, "", "The licence field of the package says: "+field))
	}
	return Licence{expr, sortRefs(p.refs)}
}

// fieldAtom is the SPDX form of one word of a licence field.
func fieldAtom(w string) (string, *LicenceRef) {
	id, plus := strings.CutSuffix(w, "+")
	if known, ok := spdx().licences[strings.ToLower(id)]; ok {
		if plus {
			known += "+"
		}
		return known, nil
	}
	r := named(w, "", "The licence field of the package says: "+w)
	return r.ID, &r
}

// named is a reference to the licence that a package calls name. salt
// distinguishes what different packages mean by one name.
func named(name, salt, text string) LicenceRef {
	sum := cas.Sum([]byte(name + "\x00" + salt))
	return LicenceRef{ID: "LicenseRef-" + idString(name) + "-" + hex.EncodeToString(sum[:6]), Name: name, Text: text}
}

func sortRefs(refs []LicenceRef) []LicenceRef {
	slices.SortFunc(refs, func(a, b LicenceRef) int { return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Name, b.Name)) })
	return slices.CompactFunc(refs, func(a, b LicenceRef) bool { return a.ID == b.ID })
}

// idString keeps of s what an SPDX identifier may hold, at most 40 bytes.
func idString(s string) string {
	b := make([]byte, 0, 40)
	for _, c := range []byte(s) {
		if len(b) == cap(b) {
			break
		}
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-':
			b = append(b, c)
		default:
			b = append(b, '-')
		}
	}
	return string(b)
}

// words cuts an expression into parentheses and what stands between.
func words(s string) []string {
	s = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s)
	return strings.Fields(s)
}

// A parser reads an expression by SPDX's grammar: WITH binds more tightly
// than AND, and AND more than OR.
type parser struct {
	words []string
	atom  func(word string) (id string, ref *LicenceRef)
	refs  []LicenceRef
	depth int
}

func (p *parser) next(word string) bool {
	if len(p.words) > 0 && strings.EqualFold(p.words[0], word) {
		p.words = p.words[1:]
		return true
	}
	return false
}

func (p *parser) or() (string, bool)  { return p.list("OR", p.and) }
func (p *parser) and() (string, bool) { return p.list("AND", p.simple) }

func (p *parser) list(op string, item func() (string, bool)) (string, bool) {
	left, ok := item()
	for ok && p.next(op) {
		var right string
		right, ok = item()
		left += " " + op + " " + right
	}
	return left, ok
}

func (p *parser) simple() (string, bool) {
	if len(p.words) == 0 {
		return "", false
	}
	if p.next("(") {
		if p.depth++; p.depth > 50 {
			return "", false
		}
		in, ok := p.or()
		p.depth--
		return "(" + in + ")", ok && p.next(")")
	}
	w := p.words[0]
	switch strings.ToUpper(w) {
	case "AND", "OR", "WITH", ")":
		return "", false
	}
	p.words = p.words[1:]
	id, ref := p.atom(w)
	if ref != nil {
		p.refs = append(p.refs, *ref)
	}
	if !p.next("with") {
		return id, true
	}
	if len(p.words) == 0 {
		return "", false
	}
	exception, ok := spdx().exceptions[strings.ToLower(p.words[0])]
	if !ok || ref != nil {
		return "", false
	}
	p.words = p.words[1:]
	return id + " WITH " + exception, true
}
