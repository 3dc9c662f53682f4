package format_test

import (
	"testing"

	"compose/internal/format/apk"
	"compose/internal/format/deb"
	"compose/internal/format/formattest"
	"compose/manifest"
)

func TestConformance(t *testing.T) {
	t.Run("apk", func(t *testing.T) {
		formattest.Run(t, apk.Format{}, formattest.Sample{
			Short:    manifest.Repository{Format: "apk", Distribution: "alpine", Release: "v3.22"},
			Versions: []string{"1.0_alpha1", "1.0_rc2-r3", "1.0", "1.0-r1", "1.0_p1", "1.0.1", "1.1a", "1.10"},
			Index:    "x86_64/APKINDEX.tar.gz",
		})
	})
	t.Run("deb", func(t *testing.T) {
		formattest.Run(t, deb.Format{}, formattest.Sample{
			Short:    manifest.Repository{Format: "deb", Distribution: "debian", Release: "trixie"},
			Versions: []string{"1.0~rc1-1", "1.0-1~deb13u1", "1.0-1", "1.0-1+b1", "1.0-2", "1.0+dfsg-1", "1.10", "1:0.1"},
			Index:    "dists/stable/InRelease",
		})
	})
}
