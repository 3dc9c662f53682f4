package fetch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// hostRoot is a root folder with these files below /etc/apt.
func hostRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "etc/apt", name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestHostMirrors(t *testing.T) {
	tests := []struct {
		rule     string
		files    map[string]string
		debian   []string
		security []string
	}{{
		rule: "none",
	}, {
		rule: "one-line entries, in their order",
		files: map[string]string{"sources.list": `
# deb http://off.example.org/debian trixie main
deb http://one.example.org/debian/ trixie main contrib # near
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://two.example.org/debian trixie-updates main
deb	http://one.example.org/debian bookworm main
deb-src http://src.example.org/debian trixie main
deb http://sec.example.org/debian-security trixie-security main
deb http://sec.example.org/old buster/updates main
deb http://short.example.org/debian trixie
deb [open http://broken.example.org/debian trixie main
`},
		debian:   []string{"http://one.example.org/debian", "https://two.example.org/debian"},
		security: []string{"http://sec.example.org/debian-security", "http://sec.example.org/old"},
	}, {
		rule: "deb822 entries",
		files: map[string]string{"sources.list.d/debian.sources": `Types: deb deb-src
# a comment
URIs: http://one.example.org/debian
 file:///srv/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://one.example.org/debian-security
Suites: trixie-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://src.example.org/debian
Suites: trixie
Components: main
`},
		debian:   []string{"http://one.example.org/debian", "file:///srv/debian"},
		security: []string{"http://one.example.org/debian-security"},
	}, {
		rule: "sources.list comes before its parts, and those in the order of their names",
		files: map[string]string{
			"sources.list.d/b.list":    "deb http://b.example.org/debian sid main",
			"sources.list.d/a.sources": "Types: deb\nURIs: http://a.example.org/debian\nSuites: sid\nComponents: main",
			"sources.list":             "deb http://z.example.org/debian sid main",
			"sources.list.d/c.list~":   "deb http://c.example.org/debian sid main",
		},
		debian: []string{"http://z.example.org/debian", "http://a.example.org/debian", "http://b.example.org/debian"},
	}, {
		rule: "the repositories of vendors and of other distributions are no mirrors of Debian",
		files: map[string]string{"sources.list": `
deb http://a.example.org/ubuntu noble main universe
deb http://b.example.org/linux/debian trixie stable
deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://c.example.org/debian trixie main
deb http://d.example.org/debian trixie-pgdg main
`},
	}, {
		rule: "what is no plain address is left out",
		files: map[string]string{"sources.list": `
deb cdrom:[Debian]/ trixie main
deb mirror+file:/etc/apt/mirrors trixie main
deb http://user:secret@one.example.org/debian trixie main
deb tor+http://two.example.org/debian trixie main
`},
	}, {
		rule:   "a suite that we are about to read is known to be Debian's",
		files:  map[string]string{"sources.list": "deb http://a.example.org/debian zurg main"},
		debian: []string{"http://a.example.org/debian"},
	}}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			c := &Client{Store: cas.NewMem(), Root: hostRoot(t, tt.files)}
			if got := c.hostMirrors("debian", []string{"zurg"}); !slices.Equal(got, tt.debian) {
				t.Errorf("debian: got %q, want %q", got, tt.debian)
			}
			if got := c.hostMirrors("debian-security", []string{"zurg-security"}); !slices.Equal(got, tt.security) {
				t.Errorf("debian-security: got %q, want %q", got, tt.security)
			}
		})
	}
}

func TestBases(t *testing.T) {
	root := hostRoot(t, map[string]string{"sources.list": "deb http://host.example.org/debian trixie main"})
	debian := resolve.Source{Name: "debian", Mirror: "debian", URL: "http://ftp.debian.org/debian", Suites: []string{"trixie"}}
	alpine := resolve.Source{Name: "alpine-main", Mirror: "alpine", URL: "https://dl-cdn.alpinelinux.org/alpine/v3.22/main"}
	snapshot := resolve.Source{Name: "debian", Mirror: "debian-snapshot", URL: "http://snapshot.debian.org/archive/debian/20260101T000000Z"}
	own := resolve.Source{Name: "packages", URL: "https://packages.example.org/debian"}
	tests := []struct {
		rule    string
		src     resolve.Source
		mirrors map[string][]string
		env     map[string]string
		want    []string
	}{{
		rule: "Debian's default address comes after the host's own mirror",
		src:  debian,
		want: []string{"http://host.example.org/debian", "http://ftp.debian.org/debian"},
	}, {
		rule:    "the command line comes before the environment",
		src:     debian,
		mirrors: map[string][]string{"debian": {"http://a.example.org/d/", "http://b.example.org/d"}},
		env:     map[string]string{"COMPOSE_MIRROR_DEBIAN": "http://c.example.org/d http://a.example.org/d"},
		want: []string{"http://a.example.org/d", "http://b.example.org/d", "http://c.example.org/d",
			"http://host.example.org/debian", "http://ftp.debian.org/debian"},
	}, {
		rule: "the environment spells a name in capitals",
		src:  resolve.Source{Name: "debian-security", Mirror: "debian-security", URL: "http://ftp.debian.org/debian-security"},
		env:  map[string]string{"COMPOSE_MIRROR_DEBIAN_SECURITY": "http://a.example.org/s"},
		want: []string{"http://a.example.org/s", "http://ftp.debian.org/debian-security"},
	}, {
		rule:    "what follows the archive's address follows the mirror's",
		src:     alpine,
		mirrors: map[string][]string{"alpine": {"/srv/al pine"}},
		want:    []string{"file:///srv/al%20pine/v3.22/main", "https://dl-cdn.alpinelinux.org/alpine/v3.22/main"},
	}, {
		rule:    "a repository's own name stands for all of its address",
		src:     alpine,
		mirrors: map[string][]string{"alpine-main": {"file:///srv/iso"}, "alpine": {"file:///srv/alpine"}},
		want:    []string{"file:///srv/iso", "file:///srv/alpine/v3.22/main", "https://dl-cdn.alpinelinux.org/alpine/v3.22/main"},
	}, {
		rule:    "a mirror of Debian is none of its snapshots",
		src:     snapshot,
		mirrors: map[string][]string{"debian": {"http://a.example.org/d"}},
		want:    []string{snapshot.URL},
	}, {
		rule:    "snapshots have mirrors of their own",
		src:     snapshot,
		mirrors: map[string][]string{"debian-snapshot": {"http://a.example.org/s"}},
		want:    []string{"http://a.example.org/s/debian/20260101T000000Z", snapshot.URL},
	}, {
		rule:    "any other repository has the mirrors of its name",
		src:     own,
		mirrors: map[string][]string{"debian": {"http://a.example.org/d"}, "packages": {"http://b.example.org/p"}},
		want:    []string{"http://b.example.org/p", own.URL},
	}, {
		rule: "another address in the manifest is not the default's",
		src:  resolve.Source{Name: "debian", Mirror: "debian", URL: "http://ftp.debian.org/debian-ports"},
		env:  map[string]string{"COMPOSE_MIRROR_DEBIAN": "http://a.example.org/d"},
		want: []string{"http://ftp.debian.org/debian-ports"},
	}}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			c := &Client{Store: cas.NewMem(), Root: root, Mirrors: tt.mirrors, Getenv: func(n string) string { return tt.env[n] }}
			got, err := c.bases(tt.src)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got  %q, %v\nwant %q", got, err, tt.want)
			}
		})
	}
}

func TestBasesRefuse(t *testing.T) {
	for url, want := range map[string]string{
		"http://example.org/debian?token=x": `repository "r": "http://example.org/debian?…": the address of a repository has no query and no fragment`,
		"http://example.org/debian#x":       `repository "r": "http://example.org/debian": the address of a repository has no query and no fragment`,
		"https://u:p@example.org:8443/x":    `repository "r": "https://example.org:8443/x": credentials do not belong in a URL; they go in ~/.netrc or COMPOSE_AUTH_EXAMPLE_ORG_8443`,
		"gopher://example.org":              `repository "r": "gopher://example.org": want http, https or file`,
		"http:///debian":                    `repository "r": "http:///debian": has no host`,
	} {
		for _, c := range []*Client{{}, {Mirrors: map[string][]string{"r": {url}}}} {
			c.Store, c.Getenv = cas.NewMem(), func(string) string { return "" }
			src := resolve.Source{Name: "r", URL: "http://example.org"}
			if c.Mirrors == nil {
				src.URL = url
			}
			if _, err := c.bases(src); fault.Of(err) != fault.Usage || err.Error() != want {
				t.Errorf("%s: got %v", url, err)
			}
		}
	}
}
