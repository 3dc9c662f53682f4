package format_test

import (
	"os"
	"path/filepath"
	"testing"

	"compose/internal/format/apk"
	"compose/internal/format/deb"
	"compose/internal/format/formattest"
	"compose/manifest"
	"compose/resolve"
)

func TestConformance(t *testing.T) {
	t.Run("apk", func(t *testing.T) {
		formattest.Run(t, apk.Format{}, formattest.Sample{
			Short:    manifest.Repository{Format: "apk", Distribution: "alpine", Release: "v3.22"},
			Versions: []string{"1.0_alpha1", "1.0_rc2-r3", "1.0", "1.0-r1", "1.0_p1", "1.0.1", "1.1a", "1.10"},
			Long:     manifest.Repository{Format: "apk", URL: "https://packages.example.org/os"},
			Index:    "x86_64/APKINDEX.tar.gz",
			OtherKey: keyFile(t, "apk/keys/*.pub"),
		})
	})
	t.Run("deb", func(t *testing.T) {
		formattest.Run(t, deb.Format{}, formattest.Sample{
			Short:    manifest.Repository{Format: "deb", Distribution: "debian", Release: "trixie"},
			Versions: []string{"1.0~rc1-1", "1.0-1~deb13u1", "1.0-1", "1.0-1+b1", "1.0-2", "1.0+dfsg-1", "1.10", "1:0.1"},
			Long:     manifest.Repository{Format: "deb", URL: "https://packages.example.org/os", Suites: []string{"stable"}, Components: []string{"main"}},
			Index:    "dists/stable/InRelease",
			OtherKey: keyFile(t, "deb/keys/*.gpg"),
		})
	})
}

// keyFile is the first key that matches pattern.
func keyFile(t *testing.T, pattern string) resolve.Key {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return resolve.Key{Name: filepath.Base(files[0]), Data: data}
}
