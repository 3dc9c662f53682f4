package testrepo

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A description is a repository as text. Lines that are not indented begin a
// package, by its name and version; before the first of them, settings of the
// repository stand. Indented lines are fields, scripts and files of the
// package above:
//
//	suite: stable
//	zlib 1.3.1-r2
//		depends: libc>=1.2
//		provides: so:libz.so.1=1.3.1
//		script postinst: echo one line of it
//		usr/lib/libz.so.1.3.1 0755 "content, as Go quotes it"
//		usr/lib/libz.so.1 -> libz.so.1.3.1
//		usr/lib/libz.copy => usr/lib/libz.so.1.3.1
//		var/lib/zlib/ 0750 7:7
//		usr/share/large size=100000
//
// A path with a slash at its end is a directory, -> makes a symbolic link and
// => a hard link; a mode, an owner as two numbers, and content or a size may
// follow a path. Directories above a file are made.
//
// Settings: arch (GOARCH spelling, several), date (seconds since 1970; the
// build time of every package and the date of the index), and for deb: suite,
// codename, component, valid-until (a date as in a Release file), compression
// (xz, gz, zst, none), key (ed25519, rsa); for apk: signature (rsa256, rsa).
//
// Fields of a package: depends, provides, conflicts, replaces, install-if,
// priority, arch (all), source, licence, description, built; relations are in
// the format's own syntax, except that a comma separates for both formats. A
// field that begins with a capital goes into a deb's control file as it is.
type description struct {
	settings map[string]string
	packages []*pkg
}

type pkg struct {
	name, version string
	fields        map[string]string
	control       []string          // names of verbatim control fields, in order
	scripts       map[string]string // by deb's name: postinst
	files         []file
}

type file struct {
	path     string
	kind     byte // the letter that ls -l prints; h for a hard link
	mode     int64
	uid, gid int
	content  []byte
	target   string
}

// field is a field of p, or what to take where it has none.
func (p *pkg) field(name, otherwise string) string {
	if v, ok := p.fields[name]; ok {
		return v
	}
	return otherwise
}

func (d *description) setting(name, otherwise string) string {
	if v, ok := d.settings[name]; ok {
		return v
	}
	return otherwise
}

func parse(text string) (*description, error) {
	d := &description{settings: map[string]string{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if err := d.line(strings.TrimRight(line, " \t\r\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	for _, p := range d.packages {
		p.addParents()
	}
	return d, nil
}

func (d *description) line(line string) error {
	indented := line[0] == ' ' || line[0] == '\t'
	line = strings.TrimLeft(line, " \t")
	key, value, isField := strings.Cut(line, ":")
	isField = isField && !strings.ContainsAny(strings.TrimPrefix(key, "script "), " /\"")
	value = strings.TrimSpace(value)
	switch {
	case !indented && isField && len(d.packages) == 0:
		d.settings[key] = value
		return nil
	case !indented:
		f := strings.Fields(line)
		if len(f) != 2 {
			return fmt.Errorf("%q: want a package's name and version", line)
		}
		d.packages = append(d.packages, &pkg{name: f[0], version: f[1], fields: map[string]string{}, scripts: map[string]string{}})
		return nil
	case len(d.packages) == 0:
		return fmt.Errorf("%q: no package stands above", line)
	}
	p := d.packages[len(d.packages)-1]
	if name, ok := strings.CutPrefix(key, "script "); ok && isField {
		p.script(name, value)
		return nil
	}
	if isField {
		if key[0] >= 'A' && key[0] <= 'Z' && !slices.Contains(p.control, key) {
			p.control = append(p.control, key)
		}
		p.fields[key] = value
		return nil
	}
	return p.file(line)
}

// scriptNames leads from apk's names of scripts to Debian's.
var scriptNames = map[string]string{
	"pre-install": "preinst", "post-install": "postinst", "pre-deinstall": "prerm", "post-deinstall": "postrm",
}

func (p *pkg) script(name, line string) {
	if deb, ok := scriptNames[name]; ok {
		name = deb
	}
	if p.scripts[name] == "" {
		p.scripts[name] = "#!/bin/sh\n"
	}
	p.scripts[name] += line + "\n"
}

func (p *pkg) file(line string) error {
	name, rest, _ := strings.Cut(line, " ")
	f := file{path: strings.TrimSuffix(name, "/"), kind: '-', mode: 0o644}
	if f.path != name {
		f.kind, f.mode = 'd', 0o755
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return fmt.Errorf("%s: content %s: %w", name, rest, err)
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return fmt.Errorf("%s: content %s: %w", name, rest, err)
			}
			f.content, rest = []byte(text), rest[len(quoted):]
			continue
		}
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		if word == "->" || word == "=>" {
			f.kind, f.mode, f.target = map[string]byte{"->": 'l', "=>": 'h'}[word], 0o777, strings.TrimSpace(rest)
			rest = ""
			continue
		}
		if err := f.word(word); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	p.files = append(p.files, f)
	return nil
}

func (f *file) word(word string) (err error) {
	if v, ok := strings.CutPrefix(word, "size="); ok {
		n, err := strconv.Atoi(v)
		f.content = filler(n)
		return err
	}
	if uid, gid, ok := strings.Cut(word, ":"); ok {
		if f.uid, err = strconv.Atoi(uid); err == nil {
			f.gid, err = strconv.Atoi(gid)
		}
		return err
	}
	f.mode, err = strconv.ParseInt(word, 8, 32)
	return err
}

// filler is n bytes that compress badly and are always the same.
func filler(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// addParents puts the directories that nobody mentions in front of what is in
// them, and sorts by path.
func (p *pkg) addParents() {
	have := map[string]bool{".": true}
	for _, f := range p.files {
		have[f.path] = true
	}
	for _, f := range p.files {
		for dir := path.Dir(f.path); !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			p.files = append(p.files, file{path: dir, kind: 'd', mode: 0o755})
		}
	}
	slices.SortStableFunc(p.files, func(a, b file) int {
		if (a.kind == 'h') != (b.kind == 'h') { // a hard link comes after its file
			if a.kind == 'h' {
				return 1
			}
			return -1
		}
		return strings.Compare(a.path, b.path)
	})
}

// list splits a relation field at its commas.
func list(v string) []string {
	var items []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (p *pkg) installedSize() (n int64) {
	for _, f := range p.files {
		n += int64(len(f.content))
	}
	return n
}

// paragraph writes fields that have a value.
type paragraph struct{ bytes.Buffer }

func (w *paragraph) field(name, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s: %s\n", name, value)
	}
}
