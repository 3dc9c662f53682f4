package deb

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
		if err := checkName(name); err != nil || version == "" {
			return err
		}
		return checkVersion(version)
	})
}

// Relations parses the relation fields of p (Debian Policy 7).
func (Format) Relations(p *resolve.Package) (resolve.Relations, error) {
	var r resolve.Relations
	f := &p.Fields
	for _, field := range []struct {
		name, text string
		clauses    *[]resolve.Clause
		atoms      *[]resolve.Atom
	}{
		{"Pre-Depends", f.PreDepends, &r.Depends, nil},
		{"Depends", f.Depends, &r.Depends, nil},
		{"Recommends", f.Recommends, &r.Recommends, nil},
		{"Conflicts", f.Conflicts, nil, &r.Conflicts},
		{"Breaks", f.Breaks, nil, &r.Conflicts},
		{"Replaces", f.Replaces, nil, &r.Replaces},
	} {
		if field.text == "" {
			continue
		}
		var err error
		if field.clauses != nil {
			*field.clauses, err = appendClauses(*field.clauses, field.text)
		} else {
			*field.atoms, err = appendAtoms(*field.atoms, field.text)
		}
		if err != nil {
			return resolve.Relations{}, fault.New(fault.FormatInvalid, "package %q %s: %s: %w", p.Name, p.Version, field.name, err)
		}
	}
	return r, nil
}

// appendClauses reads "a | b (>= 1), c" and appends a clause for each comma.
func appendClauses(to []resolve.Clause, text string) ([]resolve.Clause, error) {
	n := strings.Count(text, ",") + 1
	atoms := make([]resolve.Atom, 0, n+strings.Count(text, "|")) // one allocation for all clauses
	if cap(to)-len(to) < n {
		to = append(make([]resolve.Clause, 0, len(to)+n), to...)
	}
	from := 0
	for rest, more := text, true; more; {
		a, sep, after, err := nextAtom(rest)
		if err != nil {
			return nil, err
		}
		atoms = append(atoms, a)
		if sep != '|' {
			to = append(to, atoms[from:len(atoms):len(atoms)])
			from = len(atoms)
		}
		rest, more = after, sep != 0
	}
	return to, nil
}

// appendAtoms reads "a (<< 2), b", a list without alternatives.
func appendAtoms(to []resolve.Atom, text string) ([]resolve.Atom, error) {
	for rest, more := text, true; more; {
		a, sep, after, err := nextAtom(rest)
		if err != nil {
			return nil, err
		}
		if sep == '|' {
			return nil, fmt.Errorf("%q: alternatives may not stand here", a.Name)
		}
		to = append(to, a)
		rest, more = after, sep != 0
	}
	return to, nil
}

// nextAtom reads "name[:arch] [(op version)]" and the separator behind it: a
// comma, a bar, or 0 at the end.
func nextAtom(s string) (a resolve.Atom, sep byte, rest string, err error) {
	whole := s
	s = skipSpace(s)
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	a.Name, s = s[:i], s[i:]
	if err := checkName(a.Name); err != nil {
		return a, 0, "", fmt.Errorf("%q: %w", clip(whole), err)
	}
	if s != "" && s[0] == ':' {
		i := 1
		for i < len(s) && isArchByte(s[i]) {
			i++
		}
		a.Arch, s = s[1:i], s[i:]
		if err := checkArch(a.Arch); err != nil {
			return a, 0, "", fmt.Errorf("%q: %w", a.Name, err)
		}
	}
	s = skipSpace(s)
	if s != "" && s[0] == '(' {
		close := strings.IndexByte(s, ')')
		if close < 0 {
			return a, 0, "", fmt.Errorf("%q: no ) behind %q", a.Name, clip(s))
		}
		if a.Op, a.Version, err = constraint(s[1:close]); err != nil {
			return a, 0, "", fmt.Errorf("%q: %w", a.Name, err)
		}
		s = skipSpace(s[close+1:])
	}
	if s == "" {
		return a, 0, "", nil
	}
	if s[0] != ',' && s[0] != '|' {
		// Restrictions by architecture and build profile, [amd64] and
		// <stage1>, belong to source packages.
		return a, 0, "", fmt.Errorf("%q: %q behind it is no relation", a.Name, clip(s))
	}
	return a, s[0], s[1:], nil
}

// constraint reads ">= 1.2". The operators << and >> are resolve's < and >;
// a lone < or > means "or equal", as dpkg still reads it.
func constraint(s string) (op, version string, err error) {
	s = skipSpace(s)
	i := 0
	for i < len(s) && strings.IndexByte("<=>~!", s[i]) >= 0 {
		i++
	}
	switch s[:i] {
	case "=", "<=", ">=":
		op = s[:i]
	case "<<":
		op = "<"
	case ">>":
		op = ">"
	case "<":
		op = "<="
	case ">":
		op = ">="
	default:
		return "", "", fmt.Errorf("unknown operator in %q", clip(s))
	}
	version = strings.TrimSpace(s[i:])
	return op, version, checkVersion(version)
}

func skipSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

// checkName refuses what dpkg refuses as a package's name.
func checkName(s string) error {
	ok := s != "" && len(s) <= 255 && isAlnum(s[0])
	for i := 0; ok && i < len(s); i++ {
		ok = isNameByte(s[i])
	}
	if !ok {
		return fmt.Errorf("%q is no package name", clip(s))
	}
	return nil
}

func checkArch(s string) error {
	ok := s != ""
	for i := 0; ok && i < len(s); i++ {
		ok = isArchByte(s[i])
	}
	if !ok {
		return fmt.Errorf("%q is no architecture", clip(s))
	}
	return nil
}

func isAlnum(c byte) bool    { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isNameByte(c byte) bool { return isAlnum(c) || c == '-' || c == '+' || c == '.' || c == '_' }
func isArchByte(c byte) bool { return isAlnum(c) || c == '-' }
