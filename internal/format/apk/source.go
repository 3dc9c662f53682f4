package apk

import (
	"context"
	"net/url"
	"path"
	"strings"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
)

// alpineURL is the archive that short forms stand for, and that has mirrors.
const alpineURL = "https://dl-cdn.alpinelinux.org/alpine"

// architectures are Alpine's names by those of OCI platforms.
var architectures = map[string]string{
	"amd64": "x86_64", "386": "x86", "arm64": "aarch64", "arm64/v8": "aarch64",
	"arm": "armv7", "arm/v7": "armv7", "arm/v6": "armhf",
	"ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64", "loong64": "loongarch64",
}

// Arch is Alpine's name for a platform.
func (Format) Arch(p manifest.Platform) (string, error) {
	name := p.Arch
	if p.Variant != "" {
		name += "/" + p.Variant
	}
	arch, ok := architectures[name]
	if !ok || p.OS != "linux" {
		return "", fault.New(fault.Usage, "platform %q: Alpine has no such architecture", p)
	}
	return arch, nil
}

// Expand turns the short form, alpine: v3.22, into one repository for each
// component, and fills in a long form.
func (Format) Expand(r manifest.Repository) ([]resolve.Source, error) {
	src := resolve.Source{Kind: "apk", Pin: r.Name, Insecure: r.Insecure}
	if r.Snapshot != "" {
		return nil, fault.New(fault.Usage, "snapshot: Alpine has no archive of its past")
	}
	if len(r.Suites) > 0 {
		return nil, fault.New(fault.Usage, "suites: an apk repository has none")
	}
	if r.Distribution == "" {
		return longForm(r, src)
	}
	if r.Distribution != "alpine" {
		return nil, fault.New(fault.Usage, "distribution %q: the apk format knows alpine", r.Distribution)
	}
	if _, ok := minor(r.Release); !ok && r.Release != "edge" {
		return nil, fault.New(fault.Usage, "alpine: %q is no release; want v3.22, or edge", r.Release)
	}
	components := r.Components
	if len(components) == 0 {
		components = []string{"main", "community"}
	}
	prefix := "alpine"
	if r.Name != "" {
		prefix = r.Name
	}
	var list []resolve.Source
	for _, c := range components {
		if !resolve.CleanPath(c) || strings.Contains(c, "/") {
			return nil, fault.New(fault.Usage, "component %q is no name", c)
		}
		s := src
		s.Name, s.Mirror, s.URL = prefix+"-"+c, "alpine", alpineURL+"/"+r.Release+"/"+c
		s.Builtin, s.Releases = true, []string{r.Release}
		list = append(list, s)
	}
	return list, nil
}

// longForm fills in a repository that is given by its URL.
func longForm(r manifest.Repository, src resolve.Source) ([]resolve.Source, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme == "" {
		return nil, fault.New(fault.Usage, "%q is no URL", r.URL)
	}
	if len(r.Components) > 0 {
		return nil, fault.New(fault.Usage, "components: go with the short form, alpine: only; give each component's URL an entry of its own")
	}
	src.URL = strings.TrimRight(r.URL, "/")
	if src.Name = r.Name; src.Name == "" {
		src.Name = strings.Trim(strings.ReplaceAll(path.Join(u.Host, u.Path), "/", "-"), "-")
	}
	_, rest, _ := strings.Cut(src.URL, "://")
	if below, ok := strings.CutPrefix(rest, strings.TrimPrefix(alpineURL, "https://")); ok && (below == "" || below[0] == '/') {
		src.Mirror = "alpine"
	}
	return []resolve.Source{src}, nil
}

// Index reads and verifies the index of src for arch.
func (Format) Index(ctx context.Context, src resolve.Source, arch string, keys []resolve.Key, get resolve.Get, _ resolve.Memo, now time.Time) ([]resolve.Package, []resolve.IndexFile, error) {
	file := arch + "/APKINDEX.tar.gz"
	pkgs, index, err := readRepository(ctx, src, arch, keys, get, file)
	if err != nil {
		return nil, nil, fault.New(idOf(err), "repository %q: %w", src.Name, err)
	}
	return pkgs, []resolve.IndexFile{index}, nil
}

func readRepository(ctx context.Context, src resolve.Source, arch string, keys []resolve.Key, get resolve.Get, file string) ([]resolve.Package, resolve.IndexFile, error) {
	var none resolve.IndexFile
	bound, others, err := boundKeys(src, arch, keys)
	if err != nil {
		return nil, none, err
	}
	raw, err := get(ctx, file, resolve.Promise{})
	if err != nil {
		return nil, none, fault.New(idOf(err), "%s: %w", file, err)
	}
	index := resolve.IndexFile{Path: file, Size: int64(len(raw)), SHA256: cas.Sum(raw)}
	signatures, member, err := splitIndex(raw)
	if err != nil {
		return nil, none, fault.New(idOf(err), "%s: %w", file, err)
	}
	if !src.Insecure {
		by, legacy, err := verify(member, signatures, bound, others)
		if err != nil {
			return nil, none, fault.New(idOf(err), "%s: %w", file, err)
		}
		index.Key, index.Legacy = by.fingerprint, legacy
	}
	text, err := readIndex(member)
	if err != nil {
		return nil, none, fault.New(idOf(err), "%s: %w", file, err)
	}
	pkgs, err := ParseIndex(file, text, arch)
	if err != nil {
		return nil, none, err
	}
	index.Date = newest(pkgs)
	return pkgs, index, nil
}

// newest is the build time of the newest package: an apk index has no date of
// its own.
func newest(pkgs []resolve.Package) string {
	var t int64
	for i := range pkgs {
		t = max(t, pkgs[i].BuildTime)
	}
	if t == 0 {
		return ""
	}
	return time.Unix(t, 0).UTC().Format(time.RFC3339)
}

// Elidable is empty: Alpine's packages depend on nothing for their scripts'
// sake but on the shell that they would run in anyway.
func (Format) Elidable() []string { return nil }
