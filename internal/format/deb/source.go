package deb

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
)

// The archives that short forms stand for, and that have mirrors.
const (
	debianURL   = "http://ftp.debian.org/debian"
	securityURL = "http://ftp.debian.org/debian-security"
	snapshotURL = "http://snapshot.debian.org/archive"
)

// architectures are Debian's names by those of OCI platforms.
var architectures = map[string]string{
	"amd64": "amd64", "arm64": "arm64", "arm64/v8": "arm64", "386": "i386",
	"arm": "armhf", "arm/v7": "armhf", "arm/v5": "armel",
	"ppc64le": "ppc64el", "s390x": "s390x", "riscv64": "riscv64", "mips64le": "mips64el", "loong64": "loong64",
}

// Arch is Debian's name for a platform.
func (Format) Arch(p manifest.Platform) (string, error) {
	name := p.Arch
	if p.Variant != "" {
		name += "/" + p.Variant
	}
	arch, ok := architectures[name]
	if !ok || p.OS != "linux" {
		return "", fault.New(fault.Usage, "platform %q: Debian has no such architecture", p)
	}
	return arch, nil
}

// rolling are the suites that have neither updates nor security updates of
// their own, by their codenames.
var rolling = map[string]string{"sid": "sid", "unstable": "sid", "experimental": "experimental", "rc-buggy": "experimental"}

// moving are the suites that stand for another release from time to time.
var moving = []string{"stable", "oldstable", "oldoldstable", "testing"}

// Expand turns the short form, debian: trixie, into the archive and the
// security archive, and fills in a long form.
func (Format) Expand(r manifest.Repository) ([]resolve.Source, error) {
	src := resolve.Source{Kind: "deb", Pin: r.Name, Insecure: r.Insecure, Components: r.Components}
	if r.Distribution == "" {
		return longForm(r, src)
	}
	if r.Distribution != "debian" {
		return nil, fault.New(fault.Usage, "distribution %q: the deb format knows debian", r.Distribution)
	}
	if !isWord(r.Release) {
		return nil, fault.New(fault.Usage, "debian: %q is no release; want a codename, such as trixie", r.Release)
	}
	if len(src.Components) == 0 {
		src.Components = []string{"main"}
	}
	src.Builtin = true
	main, security := src, src
	main.Name, main.Mirror, main.URL = "debian", "debian", debianURL
	security.Name, security.Mirror, security.URL = "debian-security", "debian-security", securityURL
	if r.Name != "" {
		main.Name, security.Name = r.Name, r.Name+"-security"
	}
	if r.Snapshot != "" {
		at, err := time.Parse("20060102T150405Z", r.Snapshot)
		if err != nil {
			return nil, fault.New(fault.Usage, "snapshot %q is no time, such as 20261101T000000Z", r.Snapshot)
		}
		main.Mirror, security.Mirror = "debian-snapshot", "debian-snapshot"
		main.URL = snapshotURL + "/debian/" + r.Snapshot
		security.URL = snapshotURL + "/debian-security/" + r.Snapshot
		main.AsOf = at.Format(time.RFC3339)
		security.AsOf = main.AsOf
	}
	main.Suites = []string{r.Release}
	if codename, ok := rolling[r.Release]; ok {
		main.Releases = []string{codename}
		return []resolve.Source{main}, nil
	}
	main.Suites = append(main.Suites, r.Release+"-updates")
	security.Suites = []string{r.Release + "-security"}
	if !slices.Contains(moving, r.Release) {
		main.Releases, security.Releases = []string{r.Release}, security.Suites
	}
	return []resolve.Source{main, security}, nil
}

// longForm fills in a repository that is given by its URL.
func longForm(r manifest.Repository, src resolve.Source) ([]resolve.Source, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme == "" {
		return nil, fault.New(fault.Usage, "%q is no URL", r.URL)
	}
	if r.Snapshot != "" {
		return nil, fault.New(fault.Usage, "snapshot: goes with the short form, debian: only")
	}
	src.Name, src.URL, src.Suites = r.Name, strings.TrimRight(r.URL, "/"), r.Suites
	if src.Name == "" {
		src.Name = nameOf(u)
	}
	src.Mirror = mirrorOf(src.URL)
	if len(src.Suites) == 0 {
		return nil, fault.New(fault.Usage, "repository %s has no suites; write suites: [stable], or [./] where the packages lie in one folder", r.URL)
	}
	flats := 0
	for _, s := range src.Suites {
		if err := checkSuite(s); err != nil {
			return nil, fault.New(fault.Usage, "%v", err)
		}
		if flat(s) {
			flats++
		}
	}
	if flats > 0 && (flats < len(src.Suites) || len(src.Components) > 0) {
		return nil, fault.New(fault.Usage, "a suite that ends in a slash is a folder: it has no components, and stands beside no other kind")
	}
	if flats == 0 && len(src.Components) == 0 {
		src.Components = []string{"main"}
	}
	for _, c := range src.Components {
		if !resolve.CleanPath(c) {
			return nil, fault.New(fault.Usage, "component %q is no path", c)
		}
	}
	return []resolve.Source{src}, nil
}

func checkSuite(s string) error {
	if s == "./" || s == "/" || resolve.CleanPath(strings.TrimSuffix(s, "/")) {
		return nil
	}
	return fmt.Errorf("suite %q is no path", s)
}

// nameOf is a name for a repository that has none: packages.example.org-debian.
func nameOf(u *url.URL) string {
	return strings.Trim(strings.ReplaceAll(path.Join(u.Host, u.Path), "/", "-"), "-")
}

// mirrorOf is the archive that the URL lies in.
func mirrorOf(u string) string {
	_, rest, _ := strings.Cut(u, "://")
	for _, a := range []struct{ name, url string }{{"debian", debianURL}, {"debian-security", securityURL}, {"debian-snapshot", snapshotURL}} {
		if below, ok := strings.CutPrefix(rest, strings.TrimPrefix(a.url, "http://")); ok && (below == "" || below[0] == '/') {
			return a.name
		}
	}
	return ""
}

// isWord reports whether s can be the name of a release.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if !isAlnum(c) && c != '-' {
			return false
		}
	}
	return s != "" && isLetter(s[0])
}

// Elidable are packages on which others depend so that their maintainer or
// init scripts can run; compose interprets the former itself and starts none
// of the latter. perl-base, on which the first of them depend, is not among
// them: programs run it, too, and it goes with them where none does.
func (Format) Elidable() []string {
	return []string{
		"adduser", "cdebconf", "debconf", "debconf-2.0", "debianutils", "dpkg", "init-system-helpers", "install-info",
		"lsb-base", "passwd", "sysvinit-utils", "ucf", "update-inetd",
	}
}
