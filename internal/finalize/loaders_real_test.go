package finalize_test

import (
	"testing"

	"compose/internal/testtree"
)

// All packages of trixie that ship a module are in loaders.txt.
func TestLoadersAreThoseOfTheRealQuery(t *testing.T) {
	in := debian(t, "base-files", "libc-bin", "libgdk-pixbuf-2.0-0", "librsvg2-common", "webp-pixbuf-loader",
		"libavif-gdk-pixbuf", "heif-gdk-pixbuf", "libjxl-gdk-pixbuf", "libwmf-0.2-7-gtk")
	judge(t, in, "module-caches", nil, func(root string) {
		testtree.Run(t, "chroot", root, "/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders", "--update-cache")
	})
}
