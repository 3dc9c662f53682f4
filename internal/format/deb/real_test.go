package deb

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"compose/internal/testrepo"
)

// realPackages is the text of Debian's own index of a suite, main for amd64.
func realPackages(t testing.TB, suite string) string {
	t.Helper()
	dir := testrepo.Shared(t, "mirrors/debian/dists/"+suite)
	f, err := os.Open(filepath.Join(dir, "main/binary-amd64/Packages.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := io.Copy(&b, z); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Nothing in Debian's own archive is refused, and every relation in it has a
// meaning.
func TestRealIndexes(t *testing.T) {
	for suite, want := range map[string]int{"trixie": 68825, "bookworm": 63440} {
		pkgs, err := ParsePackages(suite, realPackages(t, suite), "amd64")
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != want {
			t.Errorf("%s: %d packages, want %d", suite, len(pkgs), want)
		}
		for i := range pkgs {
			p := &pkgs[i]
			r, err := (Format{}).Relations(p)
			if err != nil {
				t.Error(err)
			}
			if p.Fields.Depends != "" && len(r.Depends) == 0 {
				t.Errorf("%s: Depends %q gave nothing", p.Name, p.Fields.Depends)
			}
		}
	}
}

func BenchmarkParsePackages(b *testing.B) {
	text := realPackages(b, "trixie")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePackages("Packages", text, "amd64"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRelations(b *testing.B) {
	pkgs, err := ParsePackages("Packages", realPackages(b, "trixie"), "amd64")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range pkgs[:1000] {
			if _, err := (Format{}).Relations(&pkgs[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
