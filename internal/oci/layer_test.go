package oci

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"compose/internal/cas"
	"compose/rootfs"
)

const testEpoch = 1_700_000_000

// A file is a node and its text.
type file struct {
	rootfs.Node
	text string
}

// sample is a tree whose packages are one of several chunks, one of a few
// bytes and one of nothing but links.
var sample = []file{
	{Node: rootfs.Node{Path: "bin", Type: rootfs.Symlink, Mode: 0o777, Link: "usr/bin", Origin: "layout"}},
	{Node: rootfs.Node{Path: "etc", Type: rootfs.Dir, Mode: 0o755, Package: "base"}},
	{Node: rootfs.Node{Path: "etc/os-release", Type: rootfs.Regular, Mode: 0o644, Package: "base"}, text: "ID=sample\n"},
	{Node: rootfs.Node{Path: "etc/passwd", Type: rootfs.Regular, Mode: 0o644, Origin: "accounts"}, text: "root:x:0:0::/:/bin/hello\n"},
	{Node: rootfs.Node{Path: "tmp", Type: rootfs.Dir, Mode: 0o1777, Origin: "layout"}},
	{Node: rootfs.Node{Path: "usr", Type: rootfs.Dir, Mode: 0o755, Package: "base"}},
	{Node: rootfs.Node{Path: "usr/bin", Type: rootfs.Dir, Mode: 0o755, Package: "base"}},
	{Node: rootfs.Node{Path: "usr/bin/hello", Type: rootfs.Regular, Mode: 0o4755, UID: 5, MTime: 99, Package: "hello",
		Xattrs: []rootfs.Xattr{{Name: "user.greeting", Value: []byte("hello\x00")}}}, text: "#!/bin/sh\necho hello\n"},
	{Node: rootfs.Node{Path: "usr/bin/hi", Type: rootfs.Hardlink, Link: "usr/bin/hello", Package: "hello"}},
	{Node: rootfs.Node{Path: "usr/share", Type: rootfs.Dir, Mode: 0o755, Package: "words"}},
	{Node: rootfs.Node{Path: "usr/share/naïve", Type: rootfs.Symlink, Mode: 0o777, MTime: 5, Link: "words", Package: "links"}},
	{Node: rootfs.Node{Path: "usr/share/words", Type: rootfs.Regular, Mode: 0o644, MTime: 7, Package: "words"}, text: words(5<<20 + 77)},
}

// words is text that compresses as text does.
func words(size int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, size+16)
	for len(b) < size {
		b = fmt.Appendf(b, "%d ", r.Uint32()>>(r.Uint32()%24))
	}
	return string(b[:size])
}

// treeOfFiles makes the tree of files whose contents go to store.
func treeOfFiles(t testing.TB, store cas.Store, files []file) *rootfs.Tree {
	t.Helper()
	tree := rootfs.NewTree()
	order := rand.Perm(len(files))
	slices.SortStableFunc(order, func(i, j int) int { // links after files
		return cmp.Compare(files[i].Type/rootfs.Hardlink, files[j].Type/rootfs.Hardlink)
	})
	for _, i := range order {
		n := files[i].Node
		if n.Type == rootfs.Regular {
			ref, err := store.Put(strings.NewReader(files[i].text))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// segmentsOf makes the segments of such a tree.
func segmentsOf(t testing.TB, store cas.Store, files []file) []rootfs.Segment {
	t.Helper()
	segments, err := rootfs.Segments(treeOfFiles(t, store, files))
	if err != nil {
		t.Fatal(err)
	}
	return segments
}

// splitLayers makes a layer for each package, and one on top.
func splitLayers(t testing.TB, store cas.Store, files []file, compression string) []Layer {
	t.Helper()
	parts, err := rootfs.Split(treeOfFiles(t, store, files), func(pkg string) rootfs.Origin { return rootfs.Origin{Name: pkg, Built: 100} }, 20, testEpoch)
	if err != nil {
		t.Fatal(err)
	}
	var layers []Layer
	for _, p := range parts {
		l, err := NewLayer(t.Context(), p.Segments, store, LayerOptions{Compression: compression, Epoch: p.Epoch})
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, l)
	}
	return layers
}

func newLayer(t testing.TB, store cas.Store, files []file, o LayerOptions) Layer {
	t.Helper()
	o.Epoch = testEpoch
	l, err := NewLayer(t.Context(), segmentsOf(t, store, files), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// blobBytes reads a blob from the store.
func blobBytes(t testing.TB, store cas.Store, d cas.Digest, size int64) []byte {
	t.Helper()
	r, err := store.Open(cas.Ref{Digest: d, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A layer's bytes never change within a layer format epoch. Where the DiffID
// differs our tar did; where only the digest does, the encoder did: raise
// LayerEpoch.
func TestLayerGolden(t *testing.T) {
	const diffID = "sha256:79a5049c9561468fe615aab8d00f36e9c3508516a61e42d9cc4a48502f1581c4"
	for compression, want := range map[string]string{
		"gzip": "sha256:b303c0e2f6583bf0910e2d0a82bd79247835d1cc8ecff8d4eb0470a19230f8cc",
		"zstd": "sha256:ec9dc5095c9b33cc12c6800158933dbd4ec64ee59a7a11fac5301f93af97b664",
		"none": diffID,
	} {
		l := newLayer(t, cas.NewMem(), sample, LayerOptions{Compression: compression})
		if l.DiffID.String() != diffID || l.Digest.String() != want {
			t.Errorf("%s: DiffID %s, digest %s; want %s, %s", compression, l.DiffID, l.Digest, diffID, want)
		}
	}
}

// Whatever the number of cores and jobs and the state of the store, the layer
// is the same, and is what it says of itself.
func TestLayerIsAFunctionOfItsSegments(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, compression := range []string{"gzip", "zstd", "none"} {
		t.Run(compression, func(t *testing.T) {
			store := cas.NewMem()
			want := newLayer(t, store, sample, LayerOptions{Compression: compression, Jobs: 1})
			data := blobBytes(t, store, want.Digest, want.Size)
			stream := decompress(t, compression, data)
			if got := cas.Sum(stream); got != want.DiffID || int64(len(stream)) != want.TarSize {
				t.Fatalf("the stream is %s, %d bytes; the layer says %s, %d", got, len(stream), want.DiffID, want.TarSize)
			}
			var plain bytes.Buffer
			if err := rootfs.WriteTar(&plain, segmentsOf(t, store, sample), store, testEpoch); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(plain.Bytes(), stream) {
				t.Fatal("the layer and WriteTar differ")
			}
			for _, n := range []struct{ procs, jobs int }{{1, 0}, {1, 16}, {2, 3}, {8, 0}} {
				runtime.GOMAXPROCS(n.procs)
				if got := newLayer(t, cas.NewMem(), sample, LayerOptions{Compression: compression, Jobs: n.jobs}); got != want {
					t.Errorf("%d processors, %d jobs, nothing kept: %+v, want %+v", n.procs, n.jobs, got, want)
				}
			}
			if got := newLayer(t, store, sample, LayerOptions{Compression: compression}); got != want {
				t.Errorf("all kept: %+v, want %+v", got, want)
			}
			if got := newLayer(t, &forgetful{Store: store}, sample, LayerOptions{Compression: compression}); got != want {
				t.Errorf("every other chunk kept: %+v, want %+v", got, want)
			}
		})
	}
}

func decompress(t *testing.T, compression string, data []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	switch compression {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case "zstd":
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A forgetful store has no layers and every other chunk.
type forgetful struct {
	cas.Store
}

func (f *forgetful) Derived(kind string, key cas.Digest) ([]byte, bool) {
	if kind == "layer" || key[0]%2 == 0 {
		return nil, false
	}
	return f.Store.Derived(kind, key)
}

// A counting store counts what is compressed, and what is read.
type counting struct {
	cas.Store
	compressed, read int
}

func (c *counting) PutDerived(kind string, key cas.Digest, data []byte) error {
	if kind == "chunk" {
		c.compressed++
	}
	return c.Store.PutDerived(kind, key, data)
}

func (c *counting) Open(ref cas.Ref) (io.ReadCloser, error) {
	c.read++
	return c.Store.Open(ref)
}

func TestLayerWorksNoMoreThanItMust(t *testing.T) {
	store := &counting{Store: cas.NewMem()}
	o := LayerOptions{Compression: "gzip", Jobs: 1}
	run := func(files []file) (compressed, read int) {
		store.compressed, store.read = 0, 0
		newLayer(t, store, files, o)
		return store.compressed, store.read
	}
	if n, _ := run(sample); n != 7 { // first, hello, links, three of words, the end
		t.Errorf("cold: %d chunks compressed, want 7", n)
	}
	if n, read := run(sample); n != 0 || read != 0 {
		t.Errorf("unchanged: %d chunks compressed, %d contents read, want none", n, read)
	}
	changed := append([]file(nil), sample...)
	changed[7].text = "#!/bin/sh\necho changed\n"
	if n, _ := run(changed); n != 1 {
		t.Errorf("one package changed: %d chunks compressed, want 1", n)
	}
}

// Everything that a chunk's bytes follow from is in its key.
func TestPlanKeys(t *testing.T) {
	plain := LayerOptions{Compression: "gzip", Epoch: testEpoch}
	base, err := makePlan(segmentsOf(t, cas.NewMem(), sample), plain)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule   string
		change func(o *LayerOptions, f []file)
		chunks int // that get another key
	}{
		{"nothing", func(*LayerOptions, []file) {}, 0},
		{"the epoch: directories and what no package brought", func(o *LayerOptions, _ []file) { o.Epoch++ }, 1},
		{"the compression: all", func(o *LayerOptions, _ []file) { o.Compression = "zstd" }, len(base.chunks)},
		{"a mode", func(_ *LayerOptions, f []file) { f[7].Mode = 0o755 }, 1},
		{"an attribute", func(_ *LayerOptions, f []file) { f[7].Xattrs = nil }, 1},
		{"a content of the same size: all chunks it is in", func(_ *LayerOptions, f []file) {
			f[11].text = "other" + f[11].text[5:]
		}, 3},
		{"a link's target", func(_ *LayerOptions, f []file) { f[10].Link = "Words" }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			o, files := plain, append([]file(nil), sample...)
			tt.change(&o, files)
			got, err := makePlan(segmentsOf(t, cas.NewMem(), files), o)
			if err != nil {
				t.Fatal(err)
			}
			differ := 0
			for i := range base.chunks {
				if got.chunks[i] != base.chunks[i] {
					differ++
				}
			}
			if differ != tt.chunks || (differ == 0) != (got.key == base.key) {
				t.Errorf("%d chunks have another key, want %d; the layer's key changed: %v", differ, tt.chunks, got.key != base.key)
			}
		})
	}
}

func TestGzipHeaderSaysNothing(t *testing.T) {
	store := cas.NewMem()
	l := newLayer(t, store, sample, LayerOptions{Compression: "gzip"})
	want := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff") // RFC 1952, 2.3: no flags, no time, unknown system
	if got := blobBytes(t, store, l.Digest, l.Size)[:10]; !bytes.Equal(got, want) {
		t.Errorf("header %x, want %x", got, want)
	}
}

// A mistake anywhere in the pipeline ends it, and is what the caller sees.
func TestLayerMistakes(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		rule  string
		store func(cas.Store) cas.Store
		want  error
	}{
		{"content that is gone", func(s cas.Store) cas.Store { return &failing{Store: s, open: fs.ErrNotExist} }, fs.ErrNotExist},
		{"a blob that cannot be written", func(s cas.Store) cas.Store { return &failing{Store: s, put: broken} }, broken},
		{"a chunk that cannot be kept", func(s cas.Store) cas.Store { return &failing{Store: s, derived: broken} }, broken},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			segments := segmentsOf(t, store, sample)
			_, err := NewLayer(t.Context(), segments, tt.store(store), LayerOptions{Compression: "gzip", Epoch: testEpoch})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("a build that was stopped", func(t *testing.T) {
		store := cas.NewMem()
		segments := segmentsOf(t, store, sample)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewLayer(ctx, segments, store, LayerOptions{Compression: "gzip"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown compression", func(t *testing.T) {
		if _, err := NewLayer(t.Context(), nil, cas.NewMem(), LayerOptions{Compression: "xz"}); err == nil {
			t.Error("no error")
		}
	})
}

// A failing store breaks where its errors are set.
type failing struct {
	cas.Store
	open, put, derived error
}

func (f *failing) Open(ref cas.Ref) (io.ReadCloser, error) {
	if f.open != nil {
		return nil, f.open
	}
	return f.Store.Open(ref)
}

func (f *failing) Put(r io.Reader) (cas.Ref, error) {
	if f.put != nil {
		return cas.Ref{}, f.put
	}
	return f.Store.Put(r)
}

func (f *failing) PutDerived(kind string, key cas.Digest, data []byte) error {
	if f.derived != nil {
		return f.derived
	}
	return f.Store.PutDerived(kind, key, data)
}

// Z-08: what a layer holds is what it was made of, or it is not published.
func TestProve(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd", "none"} {
		store := cas.NewMem()
		l := newLayer(t, store, sample, LayerOptions{Compression: compression})
		if err := l.Prove(t.Context(), store); err != nil {
			t.Errorf("%s: %v", compression, err)
		}
		other := newLayer(t, store, sample[:7], LayerOptions{Compression: compression})
		l.Digest, l.Size = other.Digest, other.Size // as if the encoder had lost something
		if err := l.Prove(t.Context(), store); err == nil || !strings.Contains(err.Error(), "and was made of "+l.DiffID.String()) {
			t.Errorf("%s, another stream: %v", compression, err)
		}
	}
}

// A hostile store answers a content of another size than it was asked for.
func TestLayerOfWrongSizes(t *testing.T) {
	store := cas.NewMem()
	segments := segmentsOf(t, store, sample)
	_, err := NewLayer(t.Context(), segments, longer{store}, LayerOptions{Compression: "gzip", Epoch: testEpoch})
	if err == nil || !strings.Contains(err.Error(), "bytes, want") {
		t.Errorf("got %v", err)
	}
}

type longer struct{ cas.Store }

func (l longer) Open(ref cas.Ref) (io.ReadCloser, error) {
	r, err := l.Store.Open(ref)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(r, strings.NewReader("more")), r}, nil
}

func TestLayerOfAnEmptyTree(t *testing.T) {
	store := cas.NewMem()
	l := newLayer(t, store, nil, LayerOptions{Compression: "gzip"})
	r := tar.NewReader(bytes.NewReader(decompress(t, "gzip", blobBytes(t, store, l.Digest, l.Size))))
	if h, err := r.Next(); err != nil || h.Name != "./" {
		t.Fatalf("got %v, %v", h, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
}
