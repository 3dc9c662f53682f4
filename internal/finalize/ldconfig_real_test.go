package finalize_test

import (
	"context"
	"testing"

	"compose/internal/finalize"
	"compose/internal/testtree"
)

// Debian's own ldconfig, of the image, writes the same cache.
func TestCacheIsThatOfTheRealLdconfig(t *testing.T) {
	in := debian(t, "base-files", "libc-bin", "fakeroot", "python3-minimal", "libcurl4t64", "git", "libgtk-3-0t64")
	judge(t, in, "ldconfig", aside, func(root string) {
		testtree.Run(t, "chroot", root, "/sbin/ldconfig")
	})
}

// So it does of a tree full of odd libraries.
func TestOddLibrariesAreWhatTheRealLdconfigMakesOfThem(t *testing.T) {
	in := debian(t, "base-files", "libc-bin")
	finalize.AddOdd(t, in)
	judge(t, in, "ldconfig", aside, func(root string) {
		testtree.Run(t, "chroot", root, "/sbin/ldconfig")
	})
}

// aside is what ldconfig makes to be faster the next time.
var aside = []string{"var/cache/ldconfig"}

func BenchmarkRun(b *testing.B) {
	for name, packages := range map[string][]string{
		"gtk":          {"base-files", "libc-bin", "libgtk-3-0t64"},
		"certificates": {"base-files", "ca-certificates"},
	} {
		b.Run(name, func(b *testing.B) {
			in := debian(b, packages...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := finalize.Run(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
