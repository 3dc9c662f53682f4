package apk

import (
	"fmt"
	"strings"

	"compose/internal/fault"
	"compose/internal/format/want"
	"compose/resolve"
)

// Want parses one line of packages:.
func (Format) Want(text string) (resolve.Want, error) {
	return want.Parse(text, func(name, version string) error {
		if err := checkProvided(name); err != nil || version == "" {
			return err
		}
		return checkVersion(version)
	})
}

// Relations parses p's dependencies. Those written "!name" are conflicts. A
// package that names a malformed version cannot be installed by apk-tools
// either, and is refused.
func (Format) Relations(p *resolve.Package) (resolve.Relations, error) {
	depends, conflicts, err := parseAtoms(p.Fields.Depends)
	if err != nil {
		return resolve.Relations{}, fault.New(fault.FormatInvalid, "package %q %s: dependency %w", p.Name, p.Version, err)
	}
	replaces, not, err := parseAtoms(p.Fields.Replaces)
	if err == nil && len(not) > 0 {
		err = fmt.Errorf("%q: ! may not stand here", not[0].Name)
	}
	if err != nil {
		return resolve.Relations{}, fault.New(fault.FormatInvalid, "package %q %s: replaces %w", p.Name, p.Version, err)
	}
	r := resolve.Relations{Conflicts: conflicts, Replaces: replaces}
	if len(depends) > 0 {
		r.Depends = make([]resolve.Clause, len(depends))
		for i := range depends {
			r.Depends[i] = depends[i : i+1 : i+1]
		}
	}
	return r, nil
}

// parseAtoms reads words with white space between them; those with a "!"
// come apart.
func parseAtoms(text string) (atoms, not []resolve.Atom, err error) {
	if text == "" {
		return nil, nil, nil
	}
	atoms = make([]resolve.Atom, 0, strings.Count(text, " ")+1)
	for word := range strings.FieldsSeq(text) {
		a, conflict, err := parseAtom(word)
		if err == nil {
			err = checkConstraint(a)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", clip(word), err)
		}
		if conflict {
			not = append(not, a)
		} else {
			atoms = append(atoms, a)
		}
	}
	return atoms, not, nil
}

// parseAtom reads one word of a relation:
//
//	["!"] name [operator version]
//
// A version in it may be malformed, as some of Alpine's packages' are; who
// compares it must ask checkVersion first.
func parseAtom(word string) (a resolve.Atom, conflict bool, err error) {
	word, conflict = strings.CutPrefix(word, "!")
	a.Name = word
	if i := strings.IndexAny(word, "<=>~"); i >= 0 {
		var op string
		op, a.Version = span(word[i:], func(b byte) bool { return strings.IndexByte("<=>~", b) >= 0 })
		a.Name = word[:i]
		if a.Op, err = operator(op); err != nil {
			return a, conflict, err
		}
		if a.Op == "><" {
			_, err = parseChecksum(a.Version)
		} else {
			err = checkStored(a.Version)
		}
		if err != nil {
			return a, conflict, err
		}
	}
	return a, conflict, checkProvided(a.Name)
}

// checkConstraint refuses an atom whose version has no place in the order.
func checkConstraint(a resolve.Atom) error {
	if a.Op == "" || a.Op == "><" {
		return nil
	}
	return checkVersion(a.Version)
}

// operator gives the one spelling of an operator. apk takes its characters
// in any order, and reads ~ as "or of that prefix".
func operator(s string) (string, error) {
	switch s {
	case "=", "<", ">", "~":
		return s, nil
	case "<=", "=<":
		return "<=", nil
	case ">=", "=>":
		return ">=", nil
	case "=~", "~=":
		return "~", nil
	case "<~", "~<", "<=~", "<~=":
		return "<~", nil
	case ">~", "~>", ">=~", ">~=":
		return ">~", nil
	case "><", "<>":
		return "><", nil
	}
	return "", fmt.Errorf("unknown operator %q", s)
}

// checkName refuses what is no name of a package.
func checkName(s string) error {
	ok := s != "" && len(s) <= 255 && (isAlnum(s[0]) || s[0] == '_')
	for i := 0; ok && i < len(s); i++ {
		ok = isAlnum(s[i]) || strings.IndexByte("._+-", s[i]) >= 0
	}
	if !ok {
		return fmt.Errorf("%q is no package name", clip(s))
	}
	return nil
}

// checkProvided refuses what can be neither a package's name nor something
// provided, such as so:libz.so.1, cmd:[ or /bin/sh.
func checkProvided(s string) error {
	ok := s != "" && len(s) <= 4096 && s[0] != '!'
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] != 0x7f && strings.IndexByte("<=>~@", s[i]) < 0
	}
	if !ok {
		return fmt.Errorf("%q is no name", clip(s))
	}
	return nil
}

func isAlnum(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }
