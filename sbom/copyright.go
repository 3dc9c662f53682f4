package sbom

import (
	"regexp"
	"slices"
	"strings"

	"compose/internal/cas"
)

// copyrightFormat stands in the Format field of a machine-readable copyright
// file, version 1.0, after the scheme.
const copyrightFormat = "://www.debian.org/doc/packaging-manuals/copyright-format/1.0"

// machineReadable reads a copyright file in Debian's format 1.0: what the
// package declares is everything that its stanzas declare, together. It
// answers false where the file is in no such format or leaves a licence
// unnamed.
//
// The short names of that format are the file's own, except for those that
// its specification defines (7.1.1); those, and names that are spelled
// exactly as a versioned one of SPDX's list, are mapped. "MIT", "BSD" and
// "Artistic" mean different things in different files, and are not, unless
// the file quotes the text of the Expat licence for them.
func machineReadable(text string, digest cas.Digest, at string) (Licence, bool) {
	stanzas := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	if !strings.Contains(fields(stanzas[0])["format"], copyrightFormat) {
		return Licence{}, false
	}
	c := copyrightFile{digest: digest, at: at, texts: licenceTexts(stanzas)}
	var terms []string
	for i, s := range stanzas {
		f := fields(s)
		_, files := f["files"]
		switch licence := f["license"]; {
		case licence != "" && (files || i == 0):
			terms = append(terms, conjuncts(c.expression(licence))...)
		case files:
			return Licence{}, false
		}
	}
	if len(terms) == 0 {
		return Licence{}, false
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	for i, t := range terms {
		if len(terms) > 1 && len(cut(t, " OR ")) > 1 {
			terms[i] = "(" + t + ")"
		}
	}
	return Licence{strings.Join(terms, " AND "), sortRefs(c.refs)}, true
}

// A copyrightFile is a copyright file that is being read.
type copyrightFile struct {
	digest cas.Digest
	at     string            // its path
	texts  map[string]string // of the licences that it quotes, by name
	refs   []LicenceRef
}

// conjuncts gives the terms that an expression joins with AND. An OR is one
// term.
func conjuncts(expr string) []string {
	if len(cut(expr, " OR ")) > 1 {
		return []string{expr}
	}
	return cut(expr, " AND ")
}

// cut cuts an expression at the operators that are in no parentheses.
func cut(expr, operator string) []string {
	var list []string
	depth, from := 0, 0
	for i := range len(expr) {
		switch {
		case expr[i] == '(':
			depth++
		case expr[i] == ')':
			depth--
		case depth == 0 && strings.HasPrefix(expr[i:], operator):
			list = append(list, expr[from:i])
			from = i + len(operator)
		}
	}
	return append(list, expr[from:])
}

// licenceTexts gives the texts that the stanzas quote, by licence.
func licenceTexts(stanzas []string) map[string]string {
	texts := map[string]string{}
	for _, s := range stanzas {
		name, in := "", false
		var b strings.Builder
		for line := range strings.Lines(s) {
			switch {
			case line[0] == ' ' || line[0] == '\t':
				if in && strings.TrimSpace(line) != "." {
					b.WriteString(line)
				}
			default:
				key, value, _ := strings.Cut(line, ":")
				if in = strings.EqualFold(key, "license"); in {
					name = strings.TrimSpace(value)
				}
			}
		}
		if t := b.String(); t != "" {
			if old, ok := texts[name]; ok && old != t {
				t = "?" // two texts of one name are neither
			}
			texts[name] = t
		}
	}
	return texts
}

// isExpat reports whether a text is that of the Expat licence, but for what
// typesetting changes.
func isExpat(text string) bool {
	if len(text) < len(expat) || len(text) > 2*len(expat) {
		return false
	}
	text = strings.NewReplacer("``", `"`, "''", `"`, "“", `"`, "”", `"`).Replace(strings.ToLower(text))
	return strings.Join(strings.Fields(text), " ") == expat
}

// fields gives the first lines of a stanza's fields, by lower-case name.
func fields(stanza string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(stanza) {
		if line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			m[strings.ToLower(name)] = strings.TrimSpace(value)
		}
	}
	return m
}

// exceptions are the keywords that may stand between "with" and "exception"
// and mean one entry of SPDX's list of exceptions.
var exceptions = strings.NewReplacer(
	"with LLVM exception", "with LLVM-exception",
	"with Linux-syscall-note exception", "with Linux-syscall-note",
	"with Classpath exception", "with Classpath-exception-2.0",
)

// expression is the SPDX form of a License field: short names joined with
// "and" and "or", where a comma before the word makes it bind less tightly
// ("A or B, and C"). A field with two kinds of comma, or with an exception
// that is not known, is one reference.
func (c *copyrightFile) expression(field string) string {
	text := exceptions.Replace(field)
	switch and, or := strings.Contains(text, ", and "), strings.Contains(text, ", or "); {
	case and && !or:
		text = "(" + strings.ReplaceAll(text, ", and ", ") and (") + ")"
	case or && !and:
		text = "(" + strings.ReplaceAll(text, ", or ", ") or (") + ")"
	}
	p := parser{words: words(text), atom: c.atom}
	if !strings.Contains(text, ",") {
		if expr, ok := p.or(); ok && len(p.words) == 0 {
			c.refs = append(c.refs, p.refs...)
			return inParentheses.ReplaceAllString(expr, "$1")
		}
	}
	id, ref := c.atom(field)
	if ref != nil {
		c.refs = append(c.refs, *ref)
	}
	return id
}

// atom is the SPDX form of one short name.
func (c *copyrightFile) atom(name string) (string, *LicenceRef) {
	if id, ok := shortName(name); ok {
		return id, nil
	}
	if isExpat(c.texts[name]) {
		return "MIT", nil
	}
	r := named(name, c.digest.Hex(), "The licence that /"+c.at+", SHA-256 "+c.digest.Hex()+", calls "+name+".")
	return r.ID, &r
}

// expat is the text behind "Expat", which SPDX calls MIT: many files call it
// by that name or by their own.
const expat = `permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated ` +
	`documentation files (the "software"), to deal in the software without restriction, including without limitation the ` +
	`rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the software, and to permit ` +
	`persons to whom the software is furnished to do so, subject to the following conditions: the above copyright notice and ` +
	`this permission notice shall be included in all copies or substantial portions of the software. the software is provided ` +
	`"as is", without warranty of any kind, express or implied, including but not limited to the warranties of ` +
	`merchantability, fitness for a particular purpose and noninfringement. in no event shall the authors or copyright ` +
	`holders be liable for any claim, damages or other liability, whether in an action of contract, tort or otherwise, ` +
	`arising from, out of or in connection with the software or the use or other dealings in the software.`

// inParentheses matches parentheses around a single name.
var inParentheses = regexp.MustCompile(`\(([^() ]+)\)`)

// gnu matches the GNU licences' short names, as in GPL-2+ and GFDL-NIV-1.3.
var gnu = regexp.MustCompile(`^(A?GPL|LGPL|GFDL|GFDL-NIV)-([0-9])(?:\.([0-9]))?(\+?)$`)

// fixedNames are the other short names of the specification whose meaning
// SPDX's list has, by lower case: the specification ignores case. So are the
// FSF's permissive notices, which have no other name than SPDX's.
var fixedNames = map[string]string{
	"apache-1.0": "Apache-1.0", "apache-1.1": "Apache-1.1", "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0",
	"artistic-2.0": "Artistic-2.0",
	"bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
	"cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0",
	"expat": "MIT",
	"fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR",
	"isc":  "ISC",
	"zlib": "Zlib",
}

// ambiguous are identifiers of SPDX's list that copyright files use in other
// senses too.
var ambiguous = map[string]bool{"Artistic-1.0": true}

func shortName(name string) (string, bool) {
	if id, ok := fixedNames[strings.ToLower(name)]; ok {
		return id, true
	}
	if m := gnu.FindStringSubmatch(name); m != nil {
		minor := m[3]
		if minor == "" {
			minor = "0"
		}
		id := strings.TrimSuffix(m[1], "-NIV") + "-" + m[2] + "." + minor
		if strings.HasSuffix(m[1], "-NIV") {
			id += "-no-invariants"
		}
		if m[4] == "+" {
			id += "-or-later"
		} else {
			id += "-only"
		}
		_, ok := spdx().licences[strings.ToLower(id)]
		return id, ok
	}
	id, ok := spdx().licences[strings.ToLower(name)]
	versioned := strings.ContainsAny(name, "0123456789")
	return id, ok && id == name && versioned && !spdx().deprecated[id] && !ambiguous[id]
}
