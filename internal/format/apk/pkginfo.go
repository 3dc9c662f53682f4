package apk

import (
	"encoding/hex"
	"strconv"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/resolve"
	"compose/rootfs"
)

// A pkginfo is what .PKGINFO says (abuild's abuild.in, "prepare_metafiles").
// It is the source of what an index says of the package, and of datahash,
// which names the data segment.
type pkginfo struct {
	one      map[string]string // fields that may stand once
	replaces []string
}

// once are the fields that mean something here and may not contradict
// themselves; of the others, such as depend, there may be any number.
var once = map[string]bool{
	"pkgname": true, "pkgver": true, "arch": true, "datahash": true, "size": true, "builddate": true, "origin": true,
	"license": true, "maintainer": true, "url": true, "pkgdesc": true, "replaces_priority": true,
}

// parsePkginfo reads lines of the form "name = value"; those that begin with
// # are comments.
func parsePkginfo(data []byte) (*pkginfo, error) {
	info := &pkginfo{one: map[string]string{}}
	for line := range strings.Lines(string(data)) {
		text, ended := strings.CutSuffix(line, "\n")
		if !ended {
			return nil, fault.New(fault.FormatInvalid, ".PKGINFO: the last line, %q, has no end: it is cut off", clip(line))
		}
		if len(text) > limits.Line {
			return nil, fault.New(fault.LimitSize, ".PKGINFO: a line of %d bytes: the limit is %d", len(text), limits.Line)
		}
		if strings.TrimSpace(text) == "" || text[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(text, " =")
		value = strings.TrimSpace(value)
		_, twice := info.one[name]
		switch {
		case !ok || !lower(name):
			return nil, fault.New(fault.FormatInvalid, ".PKGINFO: line %q: want name = value", clip(text))
		case twice:
			return nil, fault.New(fault.FormatInvalid, ".PKGINFO: %s stands twice: %q and %q", name, clip(info.one[name]), clip(value))
		case once[name]:
			info.one[name] = value
		case name == "replaces":
			info.replaces = append(info.replaces, value)
		}
	}
	return info, nil
}

func lower(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return name != ""
}

// describe fills p.
func (info *pkginfo) describe(p *rootfs.Package) error {
	v := info.one
	p.Name, p.Version, p.Arch = v["pkgname"], v["pkgver"], v["arch"]
	p.Source, p.SourceVersion = v["origin"], p.Version
	if p.Source == "" {
		p.Source = p.Name
	}
	p.Licence, p.Maintainer, p.Homepage, p.Description = v["license"], v["maintainer"], v["url"], v["pkgdesc"]
	for _, f := range []struct {
		name string
		to   *int64
	}{{"size", &p.InstalledSize}, {"builddate", &p.BuildTime}} {
		if err := info.number(f.name, f.to); err != nil {
			return err
		}
	}
	var priority int64
	if err := info.number("replaces_priority", &priority); err != nil {
		return err
	}
	p.Priority = int(priority)
	return info.replaced(p)
}

func (info *pkginfo) number(name string, to *int64) error {
	text, ok := info.one[name]
	if !ok || text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return fault.New(fault.FormatInvalid, ".PKGINFO: %s = %q is no number", name, clip(text))
	}
	*to = int64(n)
	return nil
}

func (info *pkginfo) replaced(p *rootfs.Package) error {
	for _, list := range info.replaces {
		for word := range strings.FieldsSeq(list) {
			a, conflict, err := parseAtom(word)
			if err != nil || conflict {
				return fault.New(fault.FormatInvalid, ".PKGINFO: replaces = %q", clip(word))
			}
			p.Replaces = append(p.Replaces, rootfs.Replace{Name: a.Name, Op: a.Op, Version: a.Version})
		}
	}
	return nil
}

// data is the SHA-256 that the compressed data segment must have.
func (info *pkginfo) data() (cas.Digest, error) {
	text := info.one["datahash"]
	var d cas.Digest
	if b, err := hex.DecodeString(text); err != nil || len(b) != len(d) || text != strings.ToLower(text) {
		return d, fault.New(fault.TrustHash, ".PKGINFO: datahash is %q: want the SHA-256 of the data segment", clip(text))
	} else {
		copy(d[:], b)
	}
	return d, nil
}

// identify compares what the package says of itself with what was chosen. An
// index that was made for one architecture lists a noarch package under it.
func identify(p *rootfs.Package, want resolve.Locked) error {
	for _, err := range []error{checkName(p.Name), checkVersion(p.Version), checkName(p.Arch)} {
		if err != nil {
			return fault.New(fault.FormatInvalid, ".PKGINFO: %w", err)
		}
	}
	for _, f := range []struct{ name, has, want string }{
		{"pkgname", p.Name, want.Name}, {"pkgver", p.Version, want.Version}, {"arch", p.Arch, want.Arch},
	} {
		if f.has != f.want && !(f.name == "arch" && f.has == "noarch") {
			return fault.New(fault.TrustIdentity, ".PKGINFO: %s is %q: the index or lock says %q", f.name, f.has, f.want)
		}
	}
	return nil
}
