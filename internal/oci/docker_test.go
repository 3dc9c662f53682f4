package oci

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/testrepo"
	"compose/rootfs"
)

// Docker loads an archive of each compression and finds every file with its
// content, mode, owner and time.
func TestDocker(t *testing.T) {
	d := testrepo.Docker(t)
	files := append([]file{{
		Node: rootfs.Node{Path: "usr/bin/look", Type: rootfs.Regular, Mode: 0o755, Package: "look"}, text: look(t),
	}}, sample...)
	args, want, folders := []string{"/usr/bin/look"}, "", map[string]bool{}
	for _, f := range files {
		what, mtime := "", int64(testEpoch)
		switch f.Type {
		case rootfs.Symlink:
			what, mtime = f.Link, f.MTime
		case rootfs.Regular:
			what, mtime = cas.Sum([]byte(f.text)).Hex(), f.MTime
		case rootfs.Hardlink:
			continue // compared below
		}
		if f.Type == rootfs.Dir && f.Path != "tmp" {
			folders["/"+f.Path], mtime = true, 0
		}
		args = append(args, "/"+f.Path)
		want += fmt.Sprintf("/%s %o %d %d %s\n", f.Path, f.Mode, f.UID, mtime, what)
	}
	hello := cas.Sum([]byte("#!/bin/sh\necho hello\n")).Hex()
	args, want = append(args, "/usr/bin/hi"), want+"/usr/bin/hi 4755 5 99 "+hello+"\n"
	for _, compression := range []string{"gzip", "zstd", "none", "split"} {
		t.Run(compression, func(t *testing.T) {
			store := cas.NewMem()
			var layers []Layer
			if compression == "split" {
				layers = splitLayers(t, store, files, "gzip")
			} else {
				layers = []Layer{newLayer(t, store, files, LayerOptions{Compression: compression})}
			}
			host := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
			other := v1.Platform{OS: "linux", Architecture: "s390x"}
			x, err := NewIndex([]*Image{newImage(t, Config{}, other, layers...), newImage(t, Config{}, host, layers...)}, nil)
			must(t, err)
			b := &Bundle{Name: "sample-" + compression, Index: x, Host: host}
			archive := filepath.Join(t.TempDir(), "sample.tar")
			_, err = b.WriteArchive(t.Context(), archive, store)
			must(t, err)
			name := d.Load(t, archive)
			if name != "sample-"+compression+":latest" {
				t.Errorf("loaded %q", name)
			}
			var got strings.Builder
			for line := range strings.Lines(d.Run(t, append([]string{name}, args...)...)) {
				// The time of a folder in several layers depends on the storage
				// driver, and Docker puts its own files into /etc.
				if words := strings.Fields(line); folders[words[0]] {
					line = strings.Replace(line, " "+words[3], " 0", 1)
				}
				got.WriteString(line)
			}
			if got.String() != want {
				t.Errorf("got\n%swant\n%s", &got, want)
			}
		})
	}
}

// look is the program testdata/look, linked statically.
func look(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "look")
	cmd := exec.Command("go", "build", "-o", out, "./testdata/look")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	must(t, err)
	return string(data)
}
