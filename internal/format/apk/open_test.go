package apk

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"compose/internal/cas"
	"compose/internal/testrepo"
	"compose/resolve"
	"compose/rootfs"
)

// Every package of the mirrors opens: rules that refuse real packages are
// no rules (threats.md 2.10).
func TestOpenAcceptsRealPackages(t *testing.T) {
	for _, repo := range []string{"iso", "lab"} {
		dir := testrepo.Shared(t, "mirrors/alpine/"+repo+"/x86_64")
		pkgs, err := ParseIndex(repo, realIndex(t, repo), "x86_64")
		if err != nil {
			t.Fatal(err)
		}
		for i := range pkgs {
			p := &pkgs[i]
			data, err := os.ReadFile(filepath.Join(dir, filepath.Base(p.Path)))
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := Format{}.Open(bytes.NewReader(data), locked(p), p.Check, discard{})
			if err != nil {
				t.Error(err)
				continue
			}
			if len(got.Notices) > 0 {
				t.Logf("%s: %q", p.Name, got.Notices)
			}
			if got.Name != p.Name || got.Licence != p.Licence || got.Source != p.Source || got.BuildTime != p.BuildTime || got.InstalledSize != p.InstalledSize {
				t.Errorf("%s: the package says %+v, the index %+v", p.Name, brief(got), p)
			}
		}
		t.Logf("%s: %d packages", repo, len(pkgs))
	}
}

func locked(p *resolve.Package) resolve.Locked {
	return resolve.Locked{Name: p.Name, Version: p.Version, Arch: p.Arch, Path: p.Path, Size: p.Size, InstalledSize: p.InstalledSize}
}

func brief(p *rootfs.Package) rootfs.Package {
	c := *p
	c.Nodes, c.Control = nil, nil
	return c
}

// A discard hashes contents and keeps none.
type discard struct{}

func (discard) Append(r io.Reader) (cas.Ref, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return cas.Ref{Digest: cas.Digest(h.Sum(nil)), Size: n}, err
}
