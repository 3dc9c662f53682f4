package build

import (
	"context"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/internal/format/deb"
	"compose/manifest"
	"compose/resolve"
)

func TestPlatformsAgreeOnVersions(t *testing.T) {
	for _, tt := range []struct {
		rule     string
		amd, arm string // what each platform's repository has of app; "version" or "version=source"
		allow    bool
		want     string // the versions chosen, or what the error says
	}{
		{"the same version agrees", "1.0", "1.0", false, "1.0 1.0"},
		{"a rebuild for one architecture is no other version", "1.0-1", "1.0-1+b1=1.0-1", false, "1.0-1 1.0-1+b1"},
		{"a version that one platform lacks is not taken for the other", "1.0 2.0", "1.0", false, "1.0 1.0"},
		{"the newest common version is taken", "1.0 1.1 2.0", "1.0 1.1", false, "1.1 1.1"},
		{"without a common version the build is refused", "2.0", "1.0", false, `package "app": 2.0 for linux/amd64, 1.0 for linux/arm64`},
		{"unless the manifest allows it", "2.0", "1.0", true, "2.0 1.0"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			img := &manifest.Image{File: "image.yaml", SkewAllowed: tt.allow}
			choices := []Choice{
				{Platform: manifest.Platform{OS: "linux", Arch: "amd64"}, Universe: universeOf("amd64", tt.amd)},
				{Platform: manifest.Platform{OS: "linux", Arch: "arm64"}, Universe: universeOf("arm64", tt.arm)},
			}
			wants := []resolve.Want{{Clause: resolve.Clause{{Name: "app"}}, Text: "app"}}
			solve := func(i int, keep map[string]string) (*resolve.Closure, error) {
				return resolve.Solve(choices[i].Universe, wants, resolve.Options{Keep: keep})
			}
			for i := range choices {
				var err error
				if choices[i].Closure, err = solve(i, nil); err != nil {
					t.Fatal(err)
				}
			}
			err := agree(context.Background(), img, choices, solve)
			if err != nil {
				if fault.Of(err) != fault.NoSolution || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("err = %v, want %q", err, tt.want)
				}
				return
			}
			if got := choices[0].Closure.Packages[0].Version + " " + choices[1].Closure.Packages[0].Version; got != tt.want {
				t.Errorf("chosen %s, want %s", got, tt.want)
			}
		})
	}
}

func universeOf(arch, versions string) *resolve.Universe {
	u := &resolve.Universe{Syntax: deb.Format{}, Arch: arch, Repositories: []resolve.Repository{{Name: "test", Kind: "deb"}}}
	for v := range strings.FieldsSeq(versions) {
		version, source, _ := strings.Cut(v, "=")
		u.Packages = append(u.Packages, resolve.Package{Name: "app", Version: version, SourceVersion: source, Arch: arch, Path: "app.deb", Size: 1})
	}
	return u
}
