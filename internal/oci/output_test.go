package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/testrepo"
	"compose/rootfs"
)

// newBundle is the sample as an image for each of the platforms.
func newBundle(t testing.TB, store cas.Store, compression string, platforms ...v1.Platform) *Bundle {
	t.Helper()
	l := newLayer(t, store, sample, LayerOptions{Compression: compression})
	config := fullConfig
	config.User = "5"
	var images []*Image
	for _, p := range platforms {
		images = append(images, newImage(t, config, p, l))
	}
	x, err := NewIndex(images, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Bundle{Name: "sample", Index: x}
}

// note is an artifact of two blobs.
func note(text string) Artifact {
	blob := NewBlob("text/plain", []byte(text))
	m := NewBlob(v1.MediaTypeImageManifest, []byte(`{"schemaVersion":2,"config":`+jsonOf(blob.Descriptor)+`,"layers":[`+jsonOf(blob.Descriptor)+`]}`))
	m.Descriptor.Annotations = map[string]string{"org.example.note": "yes"}
	return Artifact{Manifest: m, Blobs: []Blob{blob}}
}

// snapshot is all that a folder holds: modes, times and bytes.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		b.WriteString(rel + " " + info.Mode().String() + " " + info.ModTime().String())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b.WriteString(" " + cas.Sum(data).String())
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// names gives what is in a folder, hidden or not.
func names(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

func TestWriteLayout(t *testing.T) {
	store := cas.NewMem()
	b := newBundle(t, store, "gzip", amd64, v1.Platform{OS: "linux", Architecture: "arm64"})
	b.Artifacts = []Artifact{note("a signature")}
	tests := []struct {
		rule    string
		before  func(t *testing.T, dir string)
		changed bool
		want    string // the error
	}{
		{"nothing stands there", func(*testing.T, string) {}, true, ""},
		{"an empty folder", func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o755)) }, true, ""},
		{"the same image", func(t *testing.T, dir string) { write(t, b, dir, store) }, false, ""},
		{"another image of ours", func(t *testing.T, dir string) {
			write(t, newBundle(t, store, "zstd", amd64), dir, store)
		}, true, ""},
		{"the same image with a damaged blob", func(t *testing.T, dir string) {
			write(t, b, dir, store)
			path := filepath.Join(dir, blobPath(b.Index.Root.Descriptor.Digest))
			data, err := os.ReadFile(path)
			must(t, err)
			data[5]++
			must(t, os.WriteFile(path, data, 0o644))
		}, true, ""},
		{"the same image with a file more", func(t *testing.T, dir string) {
			write(t, b, dir, store)
			must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256/more"), nil, 0o644))
		}, true, ""},
		{"the same image with a blob less", func(t *testing.T, dir string) {
			write(t, b, dir, store)
			must(t, os.Remove(filepath.Join(dir, blobPath(b.Index.Root.Descriptor.Digest))))
		}, true, ""},
		{"a foreign folder", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o644))
		}, false, "the folder is not empty, and is no image that compose wrote"},
		{"somebody else's layout", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o644))
		}, false, "the folder is not empty, and is no image that compose wrote"},
		{"a file", func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o644)) }, false,
			"want a folder or nothing there, is a file"},
		{"a symbolic link to a folder (M-11)", func(t *testing.T, dir string) {
			must(t, os.Symlink(t.TempDir(), dir))
		}, false, "want a folder or nothing there, is a symbolic link"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "sample.oci")
			tt.before(t, dir)
			before := snapshot(t, parent)
			changed, err := b.WriteLayout(t.Context(), dir, store)
			if tt.want != "" {
				if fault.Of(err) != fault.LocalFile || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if changed != tt.changed || (before == snapshot(t, parent)) == changed {
				t.Errorf("changed is %v, want %v", changed, tt.changed)
			}
			if len(names(t, parent)) != 1 {
				t.Errorf("left behind: %q", names(t, parent))
			}
			if tt.want == "" {
				checkLayout(t, dir, b)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, b *Bundle, dir string, store cas.Store) {
	t.Helper()
	if _, err := b.WriteLayout(t.Context(), dir, store); err != nil {
		t.Fatal(err)
	}
}

// checkLayout reads every file of the layout.
func checkLayout(t *testing.T, dir string, b *Bundle) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, []string{"blobs", "index.json", "oci-layout"}) {
		t.Errorf("the layout has %q", got)
	}
	blobs := names(t, filepath.Join(dir, "blobs/sha256"))
	if len(blobs) != len(b.blobs()) {
		t.Errorf("%d blobs, want %d", len(blobs), len(b.blobs()))
	}
	for _, name := range blobs {
		data, err := os.ReadFile(filepath.Join(dir, "blobs/sha256", name))
		must(t, err)
		if cas.Sum(data).Hex() != name {
			t.Errorf("blob %s holds %s", name, cas.Sum(data).Hex())
		}
	}
}

// A build that is killed leaves its stage; the next one removes it, but not
// that of a build which is still at work.
func TestStagesOfTheDeadAreReclaimed(t *testing.T) {
	store := cas.NewMem()
	b := newBundle(t, store, "gzip", amd64)
	dir := t.TempDir()
	live, err := newStage(filepath.Join(dir, "out"), true, 0)
	must(t, err)
	defer live.abort()
	for _, dead := range []string{".out.compose-1-0/blobs", ".out.compose-1-0.old"} {
		must(t, os.MkdirAll(filepath.Join(dir, dead), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, ".out.compose-2-7"), []byte("half"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, ".other.compose-2-7"), nil, 0o644))
	write(t, b, filepath.Join(dir, "out"), store)
	want := []string{".other.compose-2-7", filepath.Base(live.path), "out"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutputsAreUntouchedByFailure(t *testing.T) {
	store := cas.NewMem()
	b := newBundle(t, store, "gzip", amd64)
	gone := cas.NewMem() // has none of the layers
	dir := t.TempDir()
	layout, archive := filepath.Join(dir, "layout"), filepath.Join(dir, "archive.tar")
	write(t, newBundle(t, store, "zstd", amd64), layout, store)
	must(t, os.WriteFile(archive, []byte("older"), 0o600))
	before := snapshot(t, dir)
	check := func(rule string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", rule, err, want)
		}
		if snapshot(t, dir) != before {
			// The folder's own time changes when a stage comes and goes.
			if strings.Join(names(t, dir), " ") != "archive.tar layout" {
				t.Errorf("%s: left behind: %q", rule, names(t, dir))
			}
		}
		if data, err := os.ReadFile(archive); err != nil || string(data) != "older" {
			t.Errorf("%s: the archive holds %q, %v", rule, data, err)
		}
	}
	_, err := b.WriteLayout(t.Context(), layout, gone)
	check("a layer is gone, layout", err, fs.ErrNotExist)
	_, err = b.WriteArchive(t.Context(), archive, gone)
	check("a layer is gone, archive", err, fs.ErrNotExist)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.WriteLayout(ctx, layout, store)
	check("stopped, layout", err, context.Canceled)
	_, err = b.WriteArchive(ctx, archive, store)
	check("stopped, archive", err, context.Canceled)
	_, err = b.WriteArchive(t.Context(), filepath.Join(dir, "no", "where.tar"), store)
	check("no such folder", err, fs.ErrNotExist)
	if fault.Of(err) != fault.LocalFile {
		t.Errorf("no such folder: %v is %s", err, fault.Of(err))
	}
}

// Every write may be the one for which there is no room (C-07).
func TestNoSpace(t *testing.T) {
	s := &stage{target: "out.tar", need: 7}
	_, err := localWriter{full{}, s}.Write(nil)
	if fault.Of(err) != fault.LocalSpace || !strings.Contains(err.Error(), `output "out.tar": needs 7 bytes, `) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		must(t, err)
		defer f.Close()
		if _, err := (&stage{target: "out.tar", file: f}).Write([]byte("x")); fault.Of(err) != fault.LocalSpace {
			t.Errorf("got %v", err)
		}
	}
}

// A disk that is full costs one clear message and leaves nothing (C-07).
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		testrepo.Skip(t, "mounting a small file system needs root, and Linux")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		testrepo.Skip(t, "mount: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	store := cas.NewMem()
	b := newBundle(t, store, "gzip", amd64)
	segments := segmentsOf(t, store, sample)
	for name, output := range map[string]func(path string) (bool, error){
		"layout":     func(path string) (bool, error) { return b.WriteLayout(t.Context(), path, store) },
		"sample.tar": func(path string) (bool, error) { return b.WriteArchive(t.Context(), path, store) },
		"rootfs.tar": func(path string) (bool, error) { return WriteRootfs(t.Context(), path, segments, store, 0) },
	} {
		_, err := output(filepath.Join(dir, name))
		if fault.Of(err) != fault.LocalSpace || !strings.Contains(err.Error(), " free; nothing was written: ") {
			t.Errorf("%s: got %v", name, err)
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("%s: left behind: %q", name, left)
		}
	}
}

// Any number of builds may write the same output; whichever is last, it is
// whole.
func TestWritersDoNotMeet(t *testing.T) {
	store := cas.NewMem()
	one, two := newBundle(t, store, "gzip", amd64), newBundle(t, store, "zstd", amd64)
	dir := t.TempDir()
	layout, archive := filepath.Join(dir, "layout"), filepath.Join(dir, "archive.tar")
	var g errgroup.Group
	for i := range 16 {
		b := one
		if i%2 == 1 {
			b = two
		}
		g.Go(func() error {
			_, err := b.WriteLayout(t.Context(), layout, store)
			_, err2 := b.WriteArchive(t.Context(), archive, store)
			return errors.Join(err, err2)
		})
	}
	must(t, g.Wait())
	for _, path := range []string{layout, archive} {
		checkSample(t, readTree(t, path, amd64, nil))
	}
	if got := names(t, dir); !slices.Equal(got, []string{"archive.tar", "layout"}) {
		t.Errorf("left behind: %q", got)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWriteArchive(t *testing.T) {
	store := cas.NewMem()
	arm64 := v1.Platform{OS: "linux", Architecture: "arm64"}
	b := newBundle(t, store, "gzip", amd64, arm64)
	b.Artifacts = []Artifact{note("a signature")}
	b.Host = arm64
	dir := t.TempDir()
	file := filepath.Join(dir, "sample.tar")
	changed, err := b.WriteArchive(t.Context(), file, store)
	if err != nil || !changed {
		t.Fatalf("got %v, %v", changed, err)
	}
	before := snapshot(t, dir)
	if changed, err = b.WriteArchive(t.Context(), file, store); err != nil || changed || snapshot(t, dir) != before {
		t.Errorf("the same once more: %v, %v", changed, err)
	}
	data, err := os.ReadFile(file)
	must(t, err)
	for rule, other := range map[string][]byte{"longer": append(slices.Clone(data), 0), "shorter": data[:len(data)-1], "other": bytes.ToUpper(data)} {
		must(t, os.WriteFile(file, other, 0o644))
		if changed, err = b.WriteArchive(t.Context(), file, store); err != nil || !changed {
			t.Errorf("a file that is %s: %v, %v", rule, changed, err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
			t.Errorf("a file that is %s: not replaced, %v", rule, err)
		}
	}
	docker, err := b.dockerManifest()
	must(t, err)
	want := `[{"Config":"` + blobPath(b.Index.Images[1].Config.Descriptor.Digest) + `","RepoTags":["sample:latest"],"Layers":["` +
		blobPath(b.Index.Images[1].Manifest.Descriptor.Digest)[:13] // the layer's own digest follows
	if !strings.HasPrefix(string(docker.Data), want) {
		t.Errorf("manifest.json is %s, want %s", docker.Data, want)
	}
	var got []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		got = append(got, h.Name)
		if body, err := io.ReadAll(r); err != nil || strings.HasPrefix(h.Name, "blobs/sha256/") && len(h.Name) > 13 && cas.Sum(body).Hex() != h.Name[13:] {
			t.Errorf("%s holds %s, %v", h.Name, cas.Sum(body), err)
		}
	}
	if want := []string{"oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/"}; !slices.Equal(got[:5], want) || len(got) != 5+len(b.blobs()) {
		t.Errorf("the archive has %q", got)
	}
}

func TestWriteRootfs(t *testing.T) {
	store := cas.NewMem()
	segments := segmentsOf(t, store, sample)
	file := filepath.Join(t.TempDir(), "sample.rootfs.tar")
	if changed, err := WriteRootfs(t.Context(), file, segments, store, testEpoch); err != nil || !changed {
		t.Fatalf("got %v, %v", changed, err)
	}
	data, err := os.ReadFile(file)
	must(t, err)
	if l := newLayer(t, store, sample, LayerOptions{Compression: "none"}); cas.Sum(data) != l.Digest {
		t.Errorf("the file is %s, a layer of the same tree %s", cas.Sum(data), l.Digest)
	}
	if changed, err := WriteRootfs(t.Context(), file, segments, store, testEpoch); err != nil || changed {
		t.Errorf("once more: %v, %v", changed, err)
	}
}

// run calls a program that judges our output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testrepo.Skip(t, "no %s here", name)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestLayoutJudges(t *testing.T) {
	store := cas.NewMem()
	for _, compression := range []string{"gzip", "zstd", "none"} {
		t.Run(compression, func(t *testing.T) {
			dir := t.TempDir()
			layout, archive := filepath.Join(dir, "layout"), filepath.Join(dir, "sample.tar")
			b := newBundle(t, store, compression, amd64)
			b.Artifacts = []Artifact{note("a signature")}
			write(t, b, layout, store)
			_, err := b.WriteArchive(t.Context(), archive, store)
			must(t, err)
			t.Run("skopeo copies the layout", func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "copy")
				run(t, "skopeo", "copy", "--insecure-policy", "oci:"+layout+":latest", "dir:"+out)
				data, err := os.ReadFile(filepath.Join(out, "manifest.json"))
				must(t, err)
				if cas.Sum(data) != b.Index.Digest() {
					t.Errorf("the copy is %s, want %s", cas.Sum(data), b.Index.Digest())
				}
			})
			t.Run("skopeo copies the archive, as OCI", func(t *testing.T) {
				run(t, "skopeo", "copy", "--insecure-policy", "oci-archive:"+archive+":latest", "dir:"+filepath.Join(t.TempDir(), "copy"))
			})
			t.Run("skopeo copies the archive, as Docker's", func(t *testing.T) {
				run(t, "skopeo", "copy", "--insecure-policy", "docker-archive:"+archive, "dir:"+filepath.Join(t.TempDir(), "copy"))
			})
			if compression == "zstd" {
				return // Debian's umoci takes no such layer
			}
			t.Run("umoci unpacks the layout", func(t *testing.T) {
				if os.Geteuid() != 0 {
					testrepo.Skip(t, "umoci needs root to keep owners")
				}
				out := filepath.Join(t.TempDir(), "bundle")
				run(t, "umoci", "unpack", "--image", layout+":latest", out)
				checkUnpacked(t, filepath.Join(out, "rootfs"))
			})
			t.Run("GNU tar unpacks the tree", func(t *testing.T) {
				file, out := filepath.Join(t.TempDir(), "rootfs.tar"), t.TempDir()
				_, err := WriteRootfs(t.Context(), file, segmentsOf(t, store, sample), store, testEpoch)
				must(t, err)
				run(t, "tar", "--same-owner", "--numeric-owner", "-p", "--delay-directory-restore", "-C", out, "-xf", file)
				if os.Geteuid() == 0 {
					checkUnpacked(t, out)
				}
			})
		})
	}
}

// checkUnpacked compares the sample with what a program unpacked.
func checkUnpacked(t *testing.T, root string) {
	t.Helper()
	for _, f := range sample {
		path := filepath.Join(root, f.Path)
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		switch f.Type {
		case rootfs.Symlink:
			if to, _ := os.Readlink(path); to != f.Link {
				t.Errorf("%s leads to %s, want %s", f.Path, to, f.Link)
			}
			continue
		case rootfs.Hardlink:
			if other, err := os.Stat(filepath.Join(root, f.Link)); err != nil || !os.SameFile(info, other) {
				t.Errorf("%s is no link to %s", f.Path, f.Link)
			}
			continue
		case rootfs.Regular:
			if data, err := os.ReadFile(path); err != nil || string(data) != f.text {
				t.Errorf("%s holds %d bytes, %v", f.Path, len(data), err)
			}
		}
		st := info.Sys().(*syscall.Stat_t)
		mtime := int64(testEpoch)
		if f.Type == rootfs.Regular {
			mtime = f.MTime
		}
		if st.Mode&0o7777 != uint32(f.Mode) || int(st.Uid) != f.UID || info.ModTime().Unix() != mtime {
			t.Errorf("%s: mode %o, owner %d, time %d; want %o, %d, %d", f.Path, st.Mode&0o7777, st.Uid, info.ModTime().Unix(), f.Mode, f.UID, mtime)
		}
	}
}
