package oci

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"compose/internal/cas"
	"compose/rootfs"
)

// BenchmarkLayer makes a layer of 32 packages, 64 MB in all: cold, with
// nothing kept; changed, where the chunks of all packages but one are there;
// and warm, where nothing changed.
func BenchmarkLayer(b *testing.B) {
	text := words(2 << 20)
	var files []file
	for i := range 32 {
		pkg := fmt.Sprintf("package-%02d", i)
		files = append(files, file{rootfs.Node{Path: "usr/share/" + pkg, Type: rootfs.Regular, Mode: 0o644, Package: pkg}, pkg + text})
	}
	for _, compression := range []string{"gzip", "zstd", "none"} {
		for _, state := range []string{"cold", "changed", "warm"} {
			b.Run(compression+"/"+state, func(b *testing.B) {
				dir := b.TempDir()
				store, err := cas.OpenDir(dir)
				must(b, err)
				defer store.Close()
				segments := segmentsOf(b, store, files)
				o := LayerOptions{Compression: compression, Epoch: testEpoch}
				l := newLayer(b, store, files, o)
				b.SetBytes(l.TarSize)
				for b.Loop() {
					b.StopTimer()
					switch state {
					case "cold":
						must(b, os.RemoveAll(filepath.Join(dir, "derived")))
					case "changed":
						must(b, os.RemoveAll(filepath.Join(dir, "derived", "layer")))
						first := makePlanOf(b, segments, o).chunks[1]
						must(b, os.RemoveAll(filepath.Join(dir, "derived", "chunk", first.Hex()[:2], first.Hex())))
					}
					b.StartTimer()
					if _, err := NewLayer(b.Context(), segments, store, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func makePlanOf(b *testing.B, segments []rootfs.Segment, o LayerOptions) plan {
	p, err := makePlan(segments, o)
	must(b, err)
	return p
}
