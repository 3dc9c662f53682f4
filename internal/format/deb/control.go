package deb

import (
	"bytes"
	"strconv"
	"strings"

	"compose/internal/fault"
	"compose/resolve"
	"compose/rootfs"
)

// A control is the fields of a control file (deb-control(5)): a field's text
// with the lines that continue it. Field names are in lower case.
type control map[string]string

// parseControl reads a control file, which is one paragraph.
func parseControl(data []byte) (control, error) {
	s := control{}
	last := ""
	text := strings.TrimRight(string(data), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "" || line[0] == '#':
			return nil, fault.New(fault.FormatInvalid, "control: line %q: one paragraph without comments is allowed", line)
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fault.New(fault.FormatInvalid, "control: begins with %q, which continues nothing", line)
			}
			s[last] += "\n" + line
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		last = strings.ToLower(name)
		if _, twice := s[last]; !ok || twice || !fieldName(name) {
			return nil, fault.New(fault.FormatInvalid, "control: line %q: want a field, each once", line)
		}
		s[last] = strings.TrimSpace(value)
	}
	return s, nil
}

// fieldName reports whether a name has nothing but printable characters and
// no colon or space.
func fieldName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return name != "" && name[0] != '-'
}

// firstLine is the field without the lines that continue it.
func (s control) firstLine(field string) string {
	line, _, _ := strings.Cut(s[field], "\n")
	return strings.TrimSpace(line)
}

// describe fills p with what the control file says.
func (s control) describe(p *rootfs.Package) error {
	p.Name, p.Version, p.Arch = s["package"], s["version"], s["architecture"]
	p.Maintainer, p.Homepage, p.Description = s.firstLine("maintainer"), s.firstLine("homepage"), s.firstLine("description")
	p.Source, p.SourceVersion = source(s["source"], p.Name, p.Version)
	if kib, err := strconv.ParseInt(s["installed-size"], 10, 53); err == nil && kib > 0 {
		p.InstalledSize = kib << 10
	}
	var err error
	p.Replaces, err = replaces(s["replaces"])
	return err
}

// source reads the field Source, "name" or "name (version)". A package whose
// source has its own name and version need not say so.
func source(field, name, version string) (string, string) {
	src, v, _ := strings.Cut(field, "(")
	if src = strings.TrimSpace(src); src != "" {
		name = src
	}
	if v = strings.TrimSpace(strings.TrimSuffix(v, ")")); v != "" {
		version = v
	}
	return name, version
}

// replaces reads the field Replaces.
func replaces(field string) (list []rootfs.Replace, err error) {
	if field == "" {
		return nil, nil
	}
	atoms, err := appendAtoms(nil, field)
	if err != nil {
		return nil, fault.New(fault.FormatInvalid, "control: Replaces: %w", err)
	}
	for _, a := range atoms {
		list = append(list, rootfs.Replace{Name: a.Name, Op: a.Op, Version: a.Version})
	}
	return list, nil
}

// identify compares what the package says of itself with what was chosen.
func identify(p *rootfs.Package, want resolve.Locked) error {
	for _, err := range []error{checkName(p.Name), checkVersion(p.Version), checkArch(p.Arch)} {
		if err != nil {
			return fault.New(fault.FormatInvalid, "control: %w", err)
		}
	}
	for _, f := range []struct{ name, has, want string }{
		{"package", p.Name, want.Name}, {"version", p.Version, want.Version}, {"architecture", p.Arch, want.Arch},
	} {
		if f.has != f.want {
			return fault.New(fault.TrustIdentity, "control: the %s is %q: the index or lock says %q", f.name, f.has, f.want)
		}
	}
	return nil
}

// advisories names what md5sums and conffiles list and the package does not
// bring. Neither is trusted: the content's own digest is what counts.
func advisories(p *rootfs.Package) []string {
	has := make(map[string]bool, len(p.Nodes))
	for i := range p.Nodes {
		has[p.Nodes[i].Path] = true
	}
	var notices []string
	for line := range bytes.Lines(p.Control["md5sums"]) {
		_, path, ok := bytes.Cut(bytes.TrimRight(line, "\n"), []byte("  "))
		if name := strings.TrimPrefix(string(path), "./"); ok && !has[name] {
			notices = append(notices, "md5sums lists "+strconv.Quote(name)+", which the package does not have")
		}
	}
	for line := range strings.Lines(string(p.Control["conffiles"])) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "/") // others carry a flag
		if ok && !has[name] {
			notices = append(notices, "conffiles lists "+strconv.Quote("/"+name)+", which the package does not have")
		}
	}
	return notices
}
