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
// "Artistic" mean different things in different files, and are not.
func machineReadable(text string, digest cas.Digest, at string) (Licence, bool) {
	stanzas := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	head := fields(stanzas[0])
	if !strings.Contains(head["format"], copyrightFormat) {
		return Licence{}, false
	}
	var l Licence
	var terms []string
	for i, s := range stanzas {
		f := fields(s)
		_, files := f["files"]
		licence, ok := f["license"]
		if !files && !(i == 0 && ok) {
			continue
		}
		if licence == "" {
			return Licence{}, false
		}
		term, refs := shortNames(licence, digest, at)
		terms = append(terms, term)
		l.Refs = append(l.Refs, refs...)
	}
	if len(terms) == 0 {
		return Licence{}, false
	}
	slices.Sort(terms)
	l.Expression = all(slices.Compact(terms))
	l.Refs = sortRefs(l.Refs)
	return l, true
}

// all joins terms with AND.
func all(terms []string) string {
	if len(terms) == 1 {
		return terms[0]
	}
	for i, t := range terms {
		if strings.Contains(t, " OR ") && !(strings.HasPrefix(t, "(") && strings.Count(t, "(") == 1 && strings.HasSuffix(t, ")")) {
			terms[i] = "(" + t + ")"
		}
	}
	return strings.Join(terms, " AND ")
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

// shortNames is the SPDX form of a License field: short names joined with
// "and" and "or", where a comma before the word makes it bind less tightly
// ("A or B, and C"). A field with two kinds of comma, or with an exception,
// is one reference.
func shortNames(field string, digest cas.Digest, at string) (string, []LicenceRef) {
	atom := func(name string) (string, *LicenceRef) {
		if id, ok := shortName(name); ok {
			return id, nil
		}
		r := named(name, digest.Hex(), "The licence that /"+at+", SHA-256 "+digest.Hex()+", calls "+name+".")
		return r.ID, &r
	}
	text := field
	switch commaAnd, commaOr := strings.Contains(text, ", and "), strings.Contains(text, ", or "); {
	case commaAnd && !commaOr:
		text = "(" + strings.ReplaceAll(text, ", and ", ") and (") + ")"
	case commaOr && !commaAnd:
		text = "(" + strings.ReplaceAll(text, ", or ", ") or (") + ")"
	}
	p := parser{words: words(text), atom: atom}
	expr, ok := "", false
	if !strings.Contains(text, ",") && !slices.ContainsFunc(p.words, func(w string) bool { return strings.EqualFold(w, "with") }) {
		expr, ok = p.or()
	}
	if !ok || len(p.words) > 0 {
		id, ref := atom(field)
		if ref == nil {
			return id, nil
		}
		return id, []LicenceRef{*ref}
	}
	return unwrap(expr), p.refs
}

var inParentheses = regexp.MustCompile(`\(([^() ]+)\)`)

// unwrap drops parentheses around single names.
func unwrap(expr string) string { return inParentheses.ReplaceAllString(expr, "$1") }

// gnu matches the GNU licences' short names, as in GPL-2+ and GFDL-NIV-1.3.
var gnu = regexp.MustCompile(`^(A?GPL|LGPL|GFDL|GFDL-NIV)-([0-9])(?:\.([0-9]))?(\+?)$`)

// fixedNames are the other short names of the specification whose meaning
// SPDX's list has, by lower case: the specification ignores case.
var fixedNames = map[string]string{
	"apache-1.0": "Apache-1.0", "apache-1.1": "Apache-1.1", "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0",
	"artistic-2.0": "Artistic-2.0",
	"bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
	"cc0": "CC0-1.0", "cc0-1.0": "CC0-1.0",
	"expat": "MIT",
	"isc":   "ISC",
	"zlib":  "Zlib",
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
