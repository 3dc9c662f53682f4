package deb

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"compose/internal/testrepo"
	"compose/resolve"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// folder is a repository on disk.
func folder(dir string) resolve.Get {
	return func(_ context.Context, path string, _ resolve.Promise) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	}
}

// Debian's own repository is accepted with the embedded keys.
func TestRealRepositories(t *testing.T) {
	dir := testrepo.Shared(t, "mirrors/debian")
	for _, tt := range []struct {
		suite    string
		packages int
	}{{"trixie", 68825}, {"bookworm", 63440}} {
		src := resolve.Source{Name: "debian", Suites: []string{tt.suite}, Components: []string{"main"}, Builtin: true, Releases: []string{tt.suite}}
		pkgs, indexes, err := (Format{}).Index(t.Context(), src, "amd64", nil, folder(dir), nil, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != tt.packages || len(indexes) != 2 || indexes[0].Key != "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8" || indexes[1].Date == "" {
			t.Errorf("%s: %d packages, %+v", tt.suite, len(pkgs), indexes)
		}
	}
}

// The layouts that a repository may have.
func TestLayouts(t *testing.T) {
	key := newKey(t, packet.Config{})
	all := strings.Replace(strings.Replace(stanza1, "amd64", "all", 1), "hello", "data", 1)
	move := func(f site) { // into one folder
		for name, data := range f {
			f[strings.TrimPrefix(strings.TrimPrefix(name, "dists/stable/"), "main/binary-amd64/")] = data
		}
		in := strings.ReplaceAll(f["pristine Release"], " main/binary-amd64/", " ./")
		f["InRelease"] = clearSign(t, strings.TrimSuffix(in, "\n"), signer{key: key})
	}
	for _, tt := range []struct {
		rule string
		repo repo
		file func(site)
		src  resolve.Source
		want string // packages and index files
	}{
		{"one component", repo{}, nil, resolve.Source{Suites: []string{"stable"}, Components: []string{"main"}},
			"hello dists/stable/InRelease dists/stable/main/binary-amd64/Packages.gz"},
		{"two, in the order of the manifest", repo{packages: map[string]string{"main/binary-amd64": stanza1, "extra/binary-amd64": all}}, nil,
			resolve.Source{Suites: []string{"stable"}, Components: []string{"extra", "main"}},
			"data hello dists/stable/InRelease dists/stable/extra/binary-amd64/Packages.gz dists/stable/main/binary-amd64/Packages.gz"},
		{"an index of its own for all architectures", repo{release: []string{"Architectures: all amd64"}, packages: map[string]string{"main/binary-amd64": stanza1, "main/binary-all": all}}, nil,
			resolve.Source{Suites: []string{"stable"}, Components: []string{"main"}},
			"hello data dists/stable/InRelease dists/stable/main/binary-amd64/Packages.gz dists/stable/main/binary-all/Packages.gz"},
		{"one that is not for packages", repo{release: []string{"Architectures: all amd64", "No-Support-for-Architecture-all: Packages"}}, nil,
			resolve.Source{Suites: []string{"stable"}, Components: []string{"main"}},
			"hello dists/stable/InRelease dists/stable/main/binary-amd64/Packages.gz"},
		{"one folder", repo{}, move, resolve.Source{Suites: []string{"./"}}, "hello InRelease Packages.gz"},
		{"a folder inside the repository", repo{}, func(f site) {
			move(f)
			f["a/b/InRelease"], f["a/b/Packages.gz"] = f["InRelease"], f["Packages.gz"]
		}, resolve.Source{Suites: []string{"a/b/"}}, "hello a/b/InRelease a/b/Packages.gz"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := tt.repo.build(t, key)
			if tt.file != nil {
				tt.file(f)
			}
			for range 5 { // whichever index comes first
				pkgs, indexes, err := (Format{}).Index(t.Context(), tt.src, "amd64", []resolve.Key{keyFile(t, key)}, f.get, nil, today)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, p := range pkgs {
					got = append(got, p.Name)
				}
				for _, x := range indexes {
					got = append(got, x.Path)
				}
				if s := strings.Join(got, " "); s != tt.want {
					t.Fatalf("got %s, want %s", s, tt.want)
				}
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	dir := testrepo.Shared(b, "mirrors/debian")
	src := resolve.Source{Name: "debian", Suites: []string{"trixie"}, Components: []string{"main"}, Builtin: true, Releases: []string{"trixie"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Format{}).Index(b.Context(), src, "amd64", nil, folder(dir), nil, today); err != nil {
			b.Fatal(err)
		}
	}
}
