package apk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"compose/internal/testrepo"
	"compose/resolve"
)

// Rules that refuse real packages are no rules (threats.md 2.10): every
// package of the mirrors opens.
func TestOpenAcceptsRealPackages(t *testing.T) {
	for _, repo := range []string{"iso", "lab"} {
		for _, p := range realIndexed(t, repo) {
			got, err := Format{}.Open(bytes.NewReader(realFile(t, repo, &p)), lockedReal(&p), p.Check, discard{})
			if err != nil {
				t.Error(err)
				continue
			}
			if got.Licence != p.Licence || got.Source != p.Source || got.BuildTime != p.BuildTime || got.InstalledSize != p.InstalledSize ||
				got.Size != p.Size || !bytes.Equal(got.Checksum, p.Check.Control) || len(got.Notices) > 0 {
				t.Errorf("the package says %+v, the index %+v", *got, p)
			}
		}
	}
}

func realIndexed(t testing.TB, repo string) []resolve.Package {
	t.Helper()
	pkgs, err := ParseIndex(repo, realIndex(t, repo), "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

func realFile(t testing.TB, repo string, p *resolve.Package) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testrepo.Shared(t, "mirrors/alpine/"+repo+"/x86_64"), filepath.Base(p.Path)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lockedReal(p *resolve.Package) resolve.Locked {
	return resolve.Locked{Name: p.Name, Version: p.Version, Arch: p.Arch, Path: p.Path, Size: p.Size, InstalledSize: p.InstalledSize}
}

// BenchmarkOpen opens the largest package of the lab, in MB of its files.
func BenchmarkOpen(b *testing.B) {
	var p resolve.Package
	for _, q := range realIndexed(b, "lab") {
		if q.Size > p.Size {
			p = q
		}
	}
	file := realFile(b, "lab", &p)
	b.SetBytes(p.InstalledSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Format{}).Open(bytes.NewReader(file), lockedReal(&p), p.Check, discard{}); err != nil {
			b.Fatal(err)
		}
	}
}
