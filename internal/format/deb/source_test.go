package deb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/manifest"
)

func TestArch(t *testing.T) {
	for platform, want := range map[manifest.Platform]string{
		{OS: "linux", Arch: "amd64"}: "amd64", {OS: "linux", Arch: "arm64", Variant: "v8"}: "arm64", {OS: "linux", Arch: "386"}: "i386",
		{OS: "linux", Arch: "arm", Variant: "v7"}: "armhf", {OS: "linux", Arch: "arm", Variant: "v5"}: "armel", {OS: "linux", Arch: "ppc64le"}: "ppc64el",
		{OS: "linux", Arch: "vax"}: "", {OS: "windows", Arch: "amd64"}: "", {OS: "linux", Arch: "arm", Variant: "v6"}: "",
	} {
		got, err := (Format{}).Arch(platform)
		if got != want || (err != nil) != (want == "") || err != nil && fault.Of(err) != fault.Usage {
			t.Errorf("%s: %q, %v", platform, got, err)
		}
	}
}

func TestExpand(t *testing.T) {
	const long = "https://packages.example.org/debian"
	for _, tt := range []struct {
		rule string
		repo manifest.Repository
		want string // name mirror url suites components and the rest, a line each; or "error: " and a part of it
	}{
		{"the short form is the archive and the security archive", manifest.Repository{Distribution: "debian", Release: "trixie"},
			"debian debian http://ftp.debian.org/debian [trixie trixie-updates] [main] for [trixie]\n" +
				"debian-security debian-security http://ftp.debian.org/debian-security [trixie-security] [main] for [trixie-security]"},
		{"components may be named", manifest.Repository{Distribution: "debian", Release: "sid", Components: []string{"main", "non-free"}},
			"debian debian http://ftp.debian.org/debian [sid] [main non-free] for [sid]"},
		{"unstable is sid", manifest.Repository{Distribution: "debian", Release: "unstable"}, "debian debian http://ftp.debian.org/debian [unstable] [main] for [sid]"},
		{"a suite that moves is bound to no release", manifest.Repository{Distribution: "debian", Release: "stable"},
			"debian debian http://ftp.debian.org/debian [stable stable-updates] [main] for []\n" +
				"debian-security debian-security http://ftp.debian.org/debian-security [stable-security] [main] for []"},
		{"a snapshot is judged at its day", manifest.Repository{Distribution: "debian", Release: "trixie", Snapshot: "20261101T000000Z"},
			"debian debian-snapshot http://snapshot.debian.org/archive/debian/20261101T000000Z [trixie trixie-updates] [main] for [trixie] as of 2026-11-01T00:00:00Z\n" +
				"debian-security debian-snapshot http://snapshot.debian.org/archive/debian-security/20261101T000000Z [trixie-security] [main] for [trixie-security] as of 2026-11-01T00:00:00Z"},
		{"a pinned one is called by its name", manifest.Repository{Distribution: "debian", Release: "sid", Name: "sid"}, "sid debian http://ftp.debian.org/debian [sid] [main] for [sid] @sid"},
		{"the long form is called by its address", manifest.Repository{URL: long + "/", Suites: []string{"stable"}}, "packages.example.org-debian  " + long + " [stable] [main]"},
		{"or by its name", manifest.Repository{URL: long, Suites: []string{"stable"}, Name: "own", Insecure: true}, "own  " + long + " [stable] [main] @own insecure"},
		{"a folder", manifest.Repository{URL: "file:///srv/deb", Suites: []string{"./"}}, "srv-deb  file:///srv/deb [./] []"},
		{"an address in Debian's archive has its mirrors", manifest.Repository{URL: "https://ftp.debian.org/debian", Suites: []string{"trixie-backports"}},
			"ftp.debian.org-debian debian https://ftp.debian.org/debian [trixie-backports] [main]"},
		{"the security archive is another one", manifest.Repository{URL: "http://ftp.debian.org/debian-security", Suites: []string{"x"}},
			"ftp.debian.org-debian-security debian-security http://ftp.debian.org/debian-security [x] [main]"},
		{"a suite without components", manifest.Repository{URL: long}, "error: has no suites"},
		{"a folder beside a suite", manifest.Repository{URL: long, Suites: []string{"./", "stable"}}, "error: folder"},
		{"a folder with components", manifest.Repository{URL: long, Suites: []string{"./"}, Components: []string{"main"}}, "error: folder"},
		{"a suite that leaves the repository", manifest.Repository{URL: long, Suites: []string{"../x"}}, `error: suite "../x"`},
		{"a component that leaves the repository", manifest.Repository{URL: long, Suites: []string{"x"}, Components: []string{"/etc"}}, "error: component"},
		{"a release that leaves the archive", manifest.Repository{Distribution: "debian", Release: "../x"}, "error: is no release"},
		{"a snapshot of a bad time", manifest.Repository{Distribution: "debian", Release: "sid", Snapshot: "2026"}, "error: is no time"},
		{"a snapshot of a long form", manifest.Repository{URL: long, Suites: []string{"x"}, Snapshot: "20261101T000000Z"}, "error: snapshot"},
		{"another distribution", manifest.Repository{Distribution: "alpine", Release: "edge"}, "error: alpine"},
		{"no address", manifest.Repository{URL: "packages", Suites: []string{"x"}}, "error: is no URL"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			sources, err := (Format{}).Expand(tt.repo)
			if want, ok := strings.CutPrefix(tt.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sources {
				line := fmt.Sprintf("%s %s %s %v %v", s.Name, s.Mirror, s.URL, s.Suites, s.Components)
				if s.Builtin {
					line += fmt.Sprint(" for ", s.Releases)
				}
				if s.AsOf != "" {
					line += " as of " + s.AsOf
				}
				if s.Pin != "" {
					line += " @" + s.Pin
				}
				if s.Insecure {
					line += " insecure"
				}
				if s.Kind != "deb" {
					t.Errorf("kind %q", s.Kind)
				}
				got = append(got, line)
			}
			if s := strings.Join(got, "\n"); s != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s, tt.want)
			}
		})
	}
}

func TestElidable(t *testing.T) {
	list := (Format{}).Elidable()
	if !slices.IsSorted(list) || !slices.Contains(list, "debconf") || slices.Contains(list, "perl-base") {
		t.Errorf("got %v", list)
	}
}
