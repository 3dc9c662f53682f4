package deb

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"

	"compose/internal/testrepo"
	"compose/resolve"
)

// realDebs downloads packages of trixie from the machine's own mirror. One
// that a newer version has replaced there is left out; all of them cannot be.
func realDebs(t testing.TB, names ...string) (files [][]byte, pkgs []resolve.Package) {
	t.Helper()
	mirror := testrepo.HostMirror(t, "debian")
	index, err := ParsePackages("trixie", realPackages(t, "trixie"), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range index {
		if !slices.Contains(names, p.Name) {
			continue
		}
		r, err := http.Get(mirror + "/" + p.Path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != http.StatusNotFound {
			files, pkgs = append(files, b), append(pkgs, p)
		}
	}
	if len(files) == 0 {
		t.Fatalf("the mirror has none of %v", names)
	}
	return files, pkgs
}

func lockedReal(p *resolve.Package) resolve.Locked {
	return resolve.Locked{Name: p.Name, Version: p.Version, Arch: p.Arch, Path: p.Path, Size: p.Size, InstalledSize: p.InstalledSize}
}

// Rules that refuse real packages are no rules (threats.md 2.10).
func TestOpenAcceptsRealPackages(t *testing.T) {
	files, pkgs := realDebs(t, "base-files", "base-passwd", "bash", "ca-certificates", "debconf", "iputils-ping", "libc6", "libpython3.13-minimal",
		"login", "mount", "ncurses-term", "netbase", "ruby", "sudo", "tzdata", "zlib1g")
	for i, p := range pkgs {
		got, err := Format{}.Open(bytes.NewReader(files[i]), lockedReal(&p), p.Check, discard{})
		if err != nil {
			t.Error(err)
			continue
		}
		if got.InstalledSize != p.InstalledSize || got.Source != p.Source || got.SourceVersion != p.SourceVersion || got.Size != p.Size ||
			got.BuildTime < 1e9 || got.Maintainer == "" || got.Description == "" || len(got.Nodes) < 3 || got.Nodes[0].Path != "." {
			t.Errorf("the package says %+v, the index %+v", *got, p)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	files, pkgs := realDebs(b, "git")
	p := &pkgs[0]
	b.ReportAllocs()
	for b.Loop() {
		pkg, err := Format{}.Open(bytes.NewReader(files[0]), lockedReal(p), resolve.Check{}, discard{})
		if err != nil {
			b.Fatal(err)
		}
		var size int64
		for i := range pkg.Nodes {
			size += pkg.Nodes[i].Content.Size
		}
		b.SetBytes(size)
	}
}
