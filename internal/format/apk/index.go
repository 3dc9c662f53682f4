package apk

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"compose/internal/fault"
	"compose/resolve"
)

// maxLine is the longest line of an index that is accepted, in bytes. The
// longest of Alpine's own is a p: line of 72 KB.
const maxLine = 1 << 20

// ParseIndex reads the text of an APKINDEX and gives the packages in it that
// are of architecture arch or noarch. name stands for the file in messages.
// The packages' texts are substrings of text. Their files lie in the folder
// of arch, beside the index.
func ParseIndex(name, text, arch string) ([]resolve.Package, error) {
	if text != "" && text[len(text)-1] != '\n' {
		return nil, fault.New(fault.FormatInvalid, "%s: the last line has no end: the file is cut off", name)
	}
	x := &scanner{file: name, text: text, arch: arch}
	x.pkgs = make([]resolve.Package, 0, len(text)/400+1) // 400 bytes a stanza in Alpine's own
	if err := x.scan(); err != nil {
		return nil, err
	}
	if err := x.repeated(); err != nil {
		return nil, err
	}
	return x.pkgs, nil
}

// A scanner is the state of one ParseIndex.
type scanner struct {
	file, text, arch string
	pkgs             []resolve.Package
	starts           []int          // offset in text of each package's stanza
	atoms            []resolve.Atom // free room for Provides and When
}

// A stanza is the paragraph that is being read: values by letter.
type stanza struct {
	start   int
	seen    uint64 // bit per letter
	value   ['z' - 'A' + 1]string
	foreign bool // it has a field in upper case that we do not know
}

func (s *stanza) get(letter byte) string { return s.value[letter-'A'] }

// The fields that are read, and those that may stand there unread (URL,
// maintainer, commit, ...). A field of another upper-case letter says
// something without which the package must not be used: it is left out, as
// apk-tools does.
const (
	readFields  = "CPVASITLotkDpir"
	otherFields = "U"
)

// scan reads all stanzas.
func (x *scanner) scan() error {
	var s stanza
	open := false
	for at := 0; at < len(x.text); {
		end := strings.IndexByte(x.text[at:], '\n')
		if end > maxLine {
			return x.bad(at, "a line of %d bytes: more than %d", end, maxLine)
		}
		line := x.text[at : at+end]
		switch {
		case line == "" && open:
			if err := x.add(&s); err != nil {
				return err
			}
			open = false
		case line == "":
			return x.bad(at, "an empty line that ends no package")
		default:
			if !open {
				s, open = stanza{start: at}, true
			}
			if err := x.field(&s, at, line); err != nil {
				return err
			}
		}
		at += end + 1
	}
	if open {
		return x.bad(s.start, "no empty line ends the last package: the file is cut off")
	}
	return nil
}

// field reads "X:value".
func (x *scanner) field(s *stanza, at int, line string) error {
	if len(line) < 2 || line[1] != ':' || !isAlnum(line[0]) || isDigit(line[0]) {
		return x.bad(at, "%q is no field", clip(line))
	}
	letter := line[0]
	if strings.IndexByte(readFields, letter) < 0 {
		s.foreign = s.foreign || letter <= 'Z' && strings.IndexByte(otherFields, letter) < 0
		return nil
	}
	if s.seen&(1<<(letter-'A')) != 0 {
		return x.bad(at, "a second %c: in one package", letter)
	}
	s.seen |= 1 << (letter - 'A')
	s.value[letter-'A'] = line[2:]
	return nil
}

// add makes a package of s.
func (x *scanner) add(s *stanza) error {
	name, version, arch := s.get('P'), s.get('V'), s.get('A')
	if err := checkName(name); err != nil {
		return x.bad(s.start, "P: %w", err)
	}
	if err := checkStored(version); err != nil {
		return x.bad(s.start, "package %q: V: %w", name, err)
	}
	if err := checkName(arch); err != nil {
		return x.bad(s.start, "package %q: %q is no architecture", name, clip(arch))
	}
	if s.foreign || arch != x.arch && arch != "noarch" {
		return nil
	}
	x.pkgs = append(x.pkgs, resolve.Package{})
	x.starts = append(x.starts, s.start)
	p := &x.pkgs[len(x.pkgs)-1]
	p.Name, p.Version, p.Arch = name, version, arch
	p.Path = x.arch + "/" + name + "-" + version + ".apk"
	p.Source, p.Licence = cmp.Or(s.get('o'), name), s.get('L')
	p.Fields.Depends, p.Fields.Replaces = s.get('D'), s.get('r')
	sum, err := parseChecksum(s.get('C'))
	if err != nil {
		return x.refuse(fault.TrustWeakHash, s.start, "package %q: C: %w", name, err)
	}
	p.Check.Control = sum
	if err := x.numbers(s, p); err != nil {
		return err
	}
	if p.Provides, err = x.provides(s.get('p')); err != nil {
		return x.bad(s.start, "package %q: p: %w", name, err)
	}
	if p.When, p.Unless, err = parseWhen(s.get('i')); err != nil {
		return x.bad(s.start, "package %q: i: %w", name, err)
	}
	return nil
}

// provides reads words with spaces between them, into room that many packages
// share.
func (x *scanner) provides(text string) ([]resolve.Atom, error) {
	if text == "" {
		return nil, nil
	}
	n := strings.Count(text, " ") + 1
	if cap(x.atoms)-len(x.atoms) < n {
		x.atoms = make([]resolve.Atom, 0, max(n, 4096))
	}
	from := len(x.atoms)
	for word := range strings.FieldsSeq(text) {
		a, conflict, err := parseAtom(word)
		if err == nil && (conflict || a.Op != "" && a.Op != "=") {
			err = errors.New("only name or name=version may stand there")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", clip(word), err)
		}
		x.atoms = append(x.atoms, a)
	}
	return x.atoms[from:len(x.atoms):len(x.atoms)], nil
}

// parseWhen reads install_if. One that names a malformed version has no
// effect, as with apk-tools: the package must be asked for.
func parseWhen(text string) (when, unless []resolve.Atom, err error) {
	for word := range strings.FieldsSeq(text) {
		a, conflict, err := parseAtom(word)
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", clip(word), err)
		}
		if checkConstraint(a) != nil {
			return nil, nil, nil
		}
		if conflict {
			unless = append(unless, a)
		} else {
			when = append(when, a)
		}
	}
	return when, unless, nil
}

// numbers reads the fields of a package that are numbers.
func (x *scanner) numbers(s *stanza, p *resolve.Package) error {
	var priority int64
	for _, n := range []struct {
		letter byte
		to     *int64
		max    int64
	}{{'S', &p.Size, 1 << 50}, {'I', &p.InstalledSize, 1 << 50}, {'t', &p.BuildTime, 1 << 40}, {'k', &priority, 1 << 31}} {
		text := s.get(n.letter)
		if text == "" {
			continue
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v < 0 || v > n.max {
			return x.bad(s.start, "package %q: %c: %q is no number from 0 to %d", p.Name, n.letter, clip(text), n.max)
		}
		*n.to = v
	}
	if p.Size == 0 {
		return x.bad(s.start, "package %q: no size (S:)", p.Name)
	}
	p.Priority = int(priority)
	return nil
}

// repeated refuses an index that has one version of a package twice, with
// different contents. (An index that merely repeats itself is harmless.)
func (x *scanner) repeated() error {
	order := make([]int, len(x.pkgs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(x.pkgs[a].Name, x.pkgs[b].Name), strings.Compare(x.pkgs[a].Version, x.pkgs[b].Version), a-b)
	})
	for i := 1; i < len(order); i++ {
		p, q := &x.pkgs[order[i-1]], &x.pkgs[order[i]]
		if p.Name == q.Name && p.Version == q.Version && !slices.Equal(p.Check.Control, q.Check.Control) {
			return x.refuse(fault.TrustHash, x.starts[order[i]], "package %q %s: line %d has it with control sha1 %x, this one with %x",
				p.Name, p.Version, x.line(x.starts[order[i-1]]), p.Check.Control, q.Check.Control)
		}
	}
	return nil
}

// parseChecksum reads "Q1" and the base64 of a SHA-1.
func parseChecksum(s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, "Q1")
	if !ok {
		return nil, fmt.Errorf("checksum %q is none of the kind Q1 (SHA-1 of the control segment)", clip(s))
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != sha1.Size {
		return nil, fmt.Errorf("checksum %q: want Q1 and the base64 of %d bytes", clip(s), sha1.Size)
	}
	return sum, nil
}

func (x *scanner) bad(at int, format string, args ...any) error {
	return x.refuse(fault.FormatInvalid, at, format, args...)
}

// refuse words a refusal of what stands at an offset.
func (x *scanner) refuse(id fault.ID, at int, format string, args ...any) error {
	return fault.New(id, "%s:%d: %w", x.file, x.line(at), fmt.Errorf(format, args...))
}

func (x *scanner) line(at int) int { return strings.Count(x.text[:at], "\n") + 1 }

// clip shortens a value from outside for a message, which quotes it.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
