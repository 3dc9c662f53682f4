package apk

import (
	"fmt"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/manifest"
)

func TestArch(t *testing.T) {
	for platform, want := range map[manifest.Platform]string{
		{OS: "linux", Arch: "amd64"}: "x86_64", {OS: "linux", Arch: "arm64", Variant: "v8"}: "aarch64", {OS: "linux", Arch: "386"}: "x86",
		{OS: "linux", Arch: "arm", Variant: "v6"}: "armhf", {OS: "linux", Arch: "arm", Variant: "v7"}: "armv7", {OS: "linux", Arch: "loong64"}: "loongarch64",
		{OS: "linux", Arch: "vax"}: "", {OS: "windows", Arch: "amd64"}: "", {OS: "linux", Arch: "amd64", Variant: "v9"}: "",
	} {
		got, err := (Format{}).Arch(platform)
		if got != want || (err != nil) != (want == "") || err != nil && fault.Of(err) != fault.Usage {
			t.Errorf("%s: %q, %v", platform, got, err)
		}
	}
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct {
		rule string
		repo manifest.Repository
		want string // name mirror url pin releases, a line each; or "error: " and a part of it
	}{
		{"the short form has main and community", manifest.Repository{Distribution: "alpine", Release: "v3.19"},
			"alpine-main alpine https://dl-cdn.alpinelinux.org/alpine/v3.19/main builtin [v3.19]\nalpine-community alpine https://dl-cdn.alpinelinux.org/alpine/v3.19/community builtin [v3.19]"},
		{"or the components that are named", manifest.Repository{Distribution: "alpine", Release: "edge", Components: []string{"testing"}},
			"alpine-testing alpine https://dl-cdn.alpinelinux.org/alpine/edge/testing builtin [edge]"},
		{"a pinned one is called by its name", manifest.Repository{Distribution: "alpine", Release: "edge", Components: []string{"main"}, Name: "edge"},
			"edge-main alpine https://dl-cdn.alpinelinux.org/alpine/edge/main @edge builtin [edge]"},
		{"the long form is called by its address", manifest.Repository{URL: "https://packages.example.org/os/"}, "packages.example.org-os  https://packages.example.org/os []"},
		{"or by its name", manifest.Repository{URL: "https://packages.example.org/os", Name: "own"}, "own  https://packages.example.org/os @own []"},
		{"a folder", manifest.Repository{URL: "file:///srv/apk"}, "srv-apk  file:///srv/apk []"},
		{"an address in Alpine's archive has its mirrors", manifest.Repository{URL: "http://dl-cdn.alpinelinux.org/alpine/v3.9/main"},
			"dl-cdn.alpinelinux.org-alpine-v3.9-main alpine http://dl-cdn.alpinelinux.org/alpine/v3.9/main []"},
		{"one beside it has not", manifest.Repository{URL: "https://dl-cdn.alpinelinux.org/alpine-own/x"},
			"dl-cdn.alpinelinux.org-alpine-own-x  https://dl-cdn.alpinelinux.org/alpine-own/x []"},
		{"insecure stays", manifest.Repository{URL: "https://example.org", Insecure: true}, "example.org  https://example.org [] insecure"},
		{"a release without its v", manifest.Repository{Distribution: "alpine", Release: "3.19"}, `error: "3.19" is no release`},
		{"a release that moves", manifest.Repository{Distribution: "alpine", Release: "latest-stable"}, "error: is no release"},
		{"a release that leaves the archive", manifest.Repository{Distribution: "alpine", Release: "v3.19/.."}, "error: is no release"},
		{"a component that leaves the archive", manifest.Repository{Distribution: "alpine", Release: "edge", Components: []string{".."}}, "error: component"},
		{"a snapshot", manifest.Repository{Distribution: "alpine", Release: "edge", Snapshot: "20260101T000000Z"}, "error: snapshot"},
		{"suites", manifest.Repository{URL: "https://example.org", Suites: []string{"x"}}, "error: suites"},
		{"components of a long form", manifest.Repository{URL: "https://example.org", Components: []string{"main"}}, "error: components"},
		{"another distribution", manifest.Repository{Distribution: "debian", Release: "trixie"}, "error: debian"},
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
				line := s.Name + " " + s.Mirror + " " + s.URL
				if s.Pin != "" {
					line += " @" + s.Pin
				}
				if s.Builtin {
					line += " builtin"
				}
				line += fmt.Sprint(" ", s.Releases)
				if s.Insecure {
					line += " insecure"
				}
				if s.Kind != "apk" {
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
