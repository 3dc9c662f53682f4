package deb

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// maxLine is the longest line of an index that is accepted, in bytes. The
// longest of Debian's own is a Provides of 72 KB.
const maxLine = 1 << 20

// ParsePackages reads the text of a Packages file (deb822, "Debian Repository
// Format") and gives the packages in it that are of architecture arch or all.
// name stands for the file in messages. The packages' texts are substrings of
// text.
func ParsePackages(name, text, arch string) ([]resolve.Package, error) {
	if text != "" && text[len(text)-1] != '\n' {
		return nil, fault.New(fault.FormatInvalid, "%s: the last line has no end: the file is cut off", name)
	}
	x := &scanner{file: name, text: text, arch: arch}
	x.pkgs = make([]resolve.Package, 0, strings.Count(text, "\n\n")+1)
	if err := x.scan(); err != nil {
		return nil, err
	}
	if err := x.repeated(); err != nil {
		return nil, err
	}
	return x.pkgs, nil
}

// A scanner is the state of one ParsePackages.
type scanner struct {
	file, text, arch string
	pkgs             []resolve.Package
	lines            []int          // offset in text of each package's stanza
	atoms            []resolve.Atom // free room for Provides
}

// A stanza is the paragraph that is being read. Fields are folded where the
// index folds them: their newlines are white space to whoever parses them.
type stanza struct {
	start int                // offset in the text
	seen  uint32             // bit per field
	value [fieldCount]string // by field
}

// The fields that are read.
const (
	fPackage = iota
	fSource
	fVersion
	fArchitecture
	fInstalledSize
	fDepends
	fPreDepends
	fRecommends
	fConflicts
	fBreaks
	fReplaces
	fProvides
	fMultiArch
	fEssential
	fImportant
	fProtected
	fPriority
	fFilename
	fSize
	fSHA256
	fieldCount
)

// fieldNames are the spellings. Case is ignored, as dpkg does.
var fieldNames = [fieldCount]string{
	"Package", "Source", "Version", "Architecture", "Installed-Size", "Depends", "Pre-Depends", "Recommends",
	"Conflicts", "Breaks", "Replaces", "Provides", "Multi-Arch", "Essential", "Important", "Protected", "Priority",
	"Filename", "Size", "SHA256",
}

// fieldsByLength finds the few fields whose names are of one length, which
// spares comparing each line's name with all of them.
var fieldsByLength = func() (by [16][]int) {
	for f, name := range fieldNames {
		by[len(name)] = append(by[len(name)], f)
	}
	return by
}()

func fieldOf(name string) int {
	if len(name) >= len(fieldsByLength) {
		return -1
	}
	for _, f := range fieldsByLength[len(name)] {
		if have := fieldNames[f]; (name[0]^have[0])&^0x20 == 0 && (name == have || strings.EqualFold(name, have)) {
			return f
		}
	}
	return -1
}

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
		case line == "":
			if open {
				if err := x.add(&s); err != nil {
					return err
				}
				open = false
			}
			at++
			continue
		case line[0] == ' ' || line[0] == '\t':
			return x.bad(at, "a continuation without a field")
		case !open:
			s.start, s.seen, open = at, 0, true
			clear(s.value[:])
		}
		next := at + end + 1
		for next < len(x.text) && (x.text[next] == ' ' || x.text[next] == '\t') { // folded
			end := strings.IndexByte(x.text[next:], '\n')
			if end > maxLine {
				return x.bad(next, "a line of %d bytes: more than %d", end, maxLine)
			}
			next += end + 1
		}
		if err := x.field(&s, at, next); err != nil {
			return err
		}
		at = next
	}
	if open {
		return x.add(&s)
	}
	return nil
}

// field reads the field at text[at:next], its folded lines included.
func (x *scanner) field(s *stanza, at, next int) error {
	colon := strings.IndexByte(x.text[at:next], ':')
	if colon <= 0 {
		return x.bad(at, "%q is no field", clip(x.text[at:next-1]))
	}
	f := fieldOf(x.text[at : at+colon])
	if f < 0 {
		return nil // the format allows fields that a reader does not know
	}
	if s.seen&(1<<f) != 0 {
		return x.bad(at, "a second %s in one stanza", fieldNames[f])
	}
	s.seen |= 1 << f
	s.value[f] = strings.TrimSpace(x.text[at+colon+1 : next])
	return nil
}

// add makes a package of s.
func (x *scanner) add(s *stanza) error {
	v := &s.value
	if err := checkName(v[fPackage]); err != nil {
		return x.bad(s.start, "Package: %w", err)
	}
	if err := checkVersion(v[fVersion]); err != nil {
		return x.bad(s.start, "package %q: Version: %w", v[fPackage], err)
	}
	if err := checkArch(v[fArchitecture]); err != nil {
		return x.bad(s.start, "package %q: %w", v[fPackage], err)
	}
	if v[fArchitecture] != x.arch && v[fArchitecture] != "all" {
		return nil
	}
	x.pkgs = append(x.pkgs, resolve.Package{})
	x.lines = append(x.lines, s.start)
	p := &x.pkgs[len(x.pkgs)-1] // filled in place: it is some 400 bytes
	p.Name, p.Version, p.Arch = v[fPackage], v[fVersion], v[fArchitecture]
	p.Essential = isYes(v[fEssential])
	f := &p.Fields
	f.Depends, f.PreDepends, f.Recommends = v[fDepends], v[fPreDepends], v[fRecommends]
	f.Conflicts, f.Breaks, f.Replaces = v[fConflicts], v[fBreaks], v[fReplaces]
	f.Important, f.Protected = isYes(v[fImportant]), isYes(v[fProtected])
	f.Priority = v[fPriority]
	if f.MultiArch = v[fMultiArch]; f.MultiArch == "no" {
		f.MultiArch = ""
	}
	if err := x.promise(s, p); err != nil {
		return err
	}
	if err := x.source(s, p); err != nil {
		return err
	}
	return x.provides(s, p)
}

// promise reads what the stanza promises of the package file.
func (x *scanner) promise(s *stanza, p *resolve.Package) error {
	v := &s.value
	p.Path = strings.TrimPrefix(v[fFilename], "./") // as dpkg-scanpackages writes for the folder itself
	if !resolve.CleanPath(p.Path) {
		return x.refuse(fault.TrustPath, s.start, "package %q: Filename %q leaves the repository", p.Name, clip(v[fFilename]))
	}
	var err error
	if p.Size, err = strconv.ParseInt(v[fSize], 10, 64); err != nil || p.Size <= 0 {
		return x.bad(s.start, "package %q: Size %q is no size", p.Name, clip(v[fSize]))
	}
	if k := v[fInstalledSize]; k != "" { // in KiB (deb-substvars(5))
		n, err := strconv.ParseInt(k, 10, 64)
		if err != nil || n < 0 || n > 1<<50 {
			return x.bad(s.start, "package %q: Installed-Size %q is no size", p.Name, clip(k))
		}
		p.InstalledSize = n << 10
	}
	if v[fSHA256] == "" {
		return x.refuse(fault.TrustWeakHash, s.start, "package %q: the index gives no SHA256", p.Name)
	}
	if !digest(&p.Check.SHA256, v[fSHA256]) {
		return x.bad(s.start, "package %q: SHA256 %q is not 64 hexadecimal digits", p.Name, clip(v[fSHA256]))
	}
	switch p.Fields.MultiArch {
	case "", "same", "foreign", "allowed":
	default:
		return x.bad(s.start, "package %q: Multi-Arch %q is none of no, same, foreign, allowed", p.Name, clip(p.Fields.MultiArch))
	}
	return nil
}

// source reads "Source: name (version)"; both default to the package's own.
func (x *scanner) source(s *stanza, p *resolve.Package) error {
	p.Source, p.SourceVersion = p.Name, p.Version
	text := s.value[fSource]
	if text == "" {
		return nil
	}
	name, version, has := strings.Cut(text, " ")
	if err := checkName(name); err != nil {
		return x.bad(s.start, "package %q: Source: %w", p.Name, err)
	}
	p.Source = name
	if !has {
		return nil
	}
	version = strings.TrimSpace(version)
	if len(version) < 2 || version[0] != '(' || version[len(version)-1] != ')' {
		return x.bad(s.start, "package %q: Source %q: want name (version)", p.Name, clip(text))
	}
	p.SourceVersion = version[1 : len(version)-1]
	if err := checkVersion(p.SourceVersion); err != nil {
		return x.bad(s.start, "package %q: Source: %w", p.Name, err)
	}
	return nil
}

// provides reads Provides, into room that many packages share.
func (x *scanner) provides(s *stanza, p *resolve.Package) error {
	text := s.value[fProvides]
	if text == "" {
		return nil
	}
	n := strings.Count(text, ",") + 1
	if cap(x.atoms)-len(x.atoms) < n {
		x.atoms = make([]resolve.Atom, 0, max(n, 4096))
	}
	from := len(x.atoms)
	atoms, err := appendAtoms(x.atoms, text)
	if err != nil {
		return x.bad(s.start, "package %q: Provides: %w", p.Name, err)
	}
	x.atoms = atoms
	p.Provides = atoms[from:len(atoms):len(atoms)]
	for i := range p.Provides {
		if op := p.Provides[i].Op; op != "" && op != "=" {
			return x.bad(s.start, "package %q: Provides: %q %s: only = may stand there", p.Name, p.Provides[i].Name, op)
		}
	}
	return nil
}

// repeated refuses an index that has one version of a package twice, with
// different contents. (An index that merely repeats itself is harmless.)
func (x *scanner) repeated() error {
	last := make(map[string]int32, len(x.pkgs)) // of a name; counted from 1
	before := make([]int32, len(x.pkgs))        // the one before, of the same name
	for i := range x.pkgs {
		p := &x.pkgs[i]
		before[i] = last[p.Name]
		last[p.Name] = int32(i + 1)
		for j := before[i]; j > 0; j = before[j-1] {
			q := &x.pkgs[j-1]
			if p.Version == q.Version && p.Arch == q.Arch && p.Check.SHA256 != q.Check.SHA256 {
				return x.refuse(fault.TrustHash, x.lines[i], "package %q %s: line %d has it with SHA256 %s, this one with %s",
					p.Name, p.Version, x.line(x.lines[j-1]), q.Check.SHA256.Hex(), p.Check.SHA256.Hex())
			}
		}
	}
	return nil
}

func (x *scanner) bad(at int, format string, args ...any) error {
	return x.refuse(fault.FormatInvalid, at, format, args...)
}

// refuse words a refusal of what stands at an offset.
func (x *scanner) refuse(id fault.ID, at int, format string, args ...any) error {
	return fault.New(id, "%s:%d: %w", x.file, x.line(at), fmt.Errorf(format, args...))
}

func (x *scanner) line(at int) int { return strings.Count(x.text[:at], "\n") + 1 }

// digest decodes 64 hexadecimal digits.
func digest(d *cas.Digest, h string) bool {
	if len(h) != hex.EncodedLen(len(d)) {
		return false
	}
	var b [2 * len(cas.Digest{})]byte
	copy(b[:], h)
	_, err := hex.Decode(d[:], b[:])
	return err == nil
}

func isYes(s string) bool { return strings.EqualFold(s, "yes") }

// clip shortens a value from outside for a message, which quotes it.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// excerpt is the text of an index without the fields that nobody reads, most
// of it: what reading it gives is the same, sooner.
func excerpt(text string) []byte {
	out := make([]byte, 0, len(text)/3)
	kept := false // the field at hand, with its folded lines
	for line := range strings.Lines(text) {
		switch line[0] {
		case '\n':
			kept = true
		case ' ', '\t':
		default:
			colon := strings.IndexByte(line, ':')
			kept = colon > 0 && fieldOf(line[:colon]) >= 0
		}
		if kept {
			out = append(out, line...)
		}
	}
	return out
}
