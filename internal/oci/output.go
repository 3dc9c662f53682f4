package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/rootfs"
)

// markKey is an annotation of a layout's index.json: compose wrote the
// layout, and may replace it.
const markKey = "compose.layer-epoch"

// containerdKey is the annotation that containerd takes a name from; unlike
// v1.AnnotationRefName it is a whole one.
const containerdKey = "io.containerd.image.name"

// An Artifact is something beside an image that has a manifest: a signature,
// an SBOM.
type Artifact struct {
	Manifest Blob   // its descriptor stands in index.json, with its annotations
	Blobs    []Blob // what the manifest refers to
}

// A Bundle is an image, or one for each of several platforms, with what
// belongs to it, ready to be written.
type Bundle struct {
	Name      string // python, example.org/team/python:3; without a tag, latest
	Index     *Index
	Artifacts []Artifact
	Marks     map[string]string // further annotations of the image in index.json
	Host      v1.Platform       // what docker load shall take of several platforms; default: the first
}

// names gives the bundle's name in the three forms that people use: the tag,
// the name as Docker prints it (python:latest), and as containerd keeps it
// (docker.io/library/python:latest).
func (b *Bundle) names() (tag, short, full string) {
	short = b.Name
	last := short[strings.LastIndexByte(short, '/')+1:]
	if _, tag, _ = strings.Cut(last, ":"); tag == "" {
		tag = "latest"
		short += ":" + tag
	}
	host, _, found := strings.Cut(short, "/")
	switch {
	case !found:
		return tag, short, "docker.io/library/" + short
	case host != "localhost" && !strings.ContainsAny(host, ".:"):
		return tag, short, "docker.io/" + short
	}
	return tag, short, short
}

// blobs gives all blobs of the bundle, each once, documents before layers.
func (b *Bundle) blobs() []Blob {
	all := b.Index.blobs()
	for _, a := range b.Artifacts {
		all = append(append(all, a.Blobs...), a.Manifest)
	}
	all = unique(all)
	slices.SortStableFunc(all, func(x, y Blob) int {
		if (x.Data == nil) != (y.Data == nil) {
			return map[bool]int{true: 1, false: -1}[x.Data == nil]
		}
		return strings.Compare(string(x.Descriptor.Digest), string(y.Descriptor.Digest))
	})
	return all
}

// indexJSON is the entry point of a layout (OCI image layout specification).
func (b *Bundle) indexJSON() (Blob, error) {
	root := b.Index.Root.Descriptor
	if len(b.Index.Images) == 1 {
		root.Platform = &b.Index.Images[0].Platform
	}
	tag, _, full := b.names()
	root.Annotations = map[string]string{v1.AnnotationRefName: tag, containerdKey: full}
	maps.Copy(root.Annotations, b.Marks)
	doc := v1.Index{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   v1.MediaTypeImageIndex,
		Manifests:   []v1.Descriptor{root},
		Annotations: map[string]string{markKey: strconv.Itoa(LayerEpoch)},
	}
	for _, a := range b.Artifacts {
		doc.Manifests = append(doc.Manifests, a.Manifest.Descriptor)
	}
	return newDocument(v1.MediaTypeImageIndex, doc)
}

// dockerManifest is the manifest.json that docker load wants. It can name one
// platform only.
func (b *Bundle) dockerManifest() (Blob, error) {
	img := b.Index.Images[0]
	for _, i := range b.Index.Images {
		if comparePlatforms(i.Platform, b.Host) == 0 {
			img = i
		}
	}
	_, short, _ := b.names()
	entry := dockerEntry{Config: blobPath(img.Config.Descriptor.Digest), RepoTags: []string{short}, Layers: []string{}}
	for _, l := range img.Layers {
		entry.Layers = append(entry.Layers, blobPath(l.descriptor().Digest))
	}
	return newDocument("application/json", []dockerEntry{entry})
}

// A dockerEntry is an image in the manifest.json of a docker archive.
type dockerEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// blobPath is where a layout has a blob.
func blobPath(d digest.Digest) string { return "blobs/" + strings.Replace(string(d), ":", "/", 1) }

// files is the bundle as the files of a layout, and where their contents are.
func (b *Bundle) files(store cas.Store, docker bool) ([]*rootfs.Node, rootfs.Opener, error) {
	index, err := b.indexJSON()
	if err != nil {
		return nil, nil, err
	}
	version, err := newDocument("application/json", v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if err != nil {
		return nil, nil, err
	}
	contents := opener{store: store, memory: map[cas.Digest][]byte{}}
	var nodes []*rootfs.Node
	add := func(path string, blob Blob) error {
		d, err := blob.Digest()
		if err != nil {
			return err
		}
		if blob.Data != nil {
			contents.memory[d] = blob.Data
		}
		nodes = append(nodes, &rootfs.Node{
			Path: path, Type: rootfs.Regular, Mode: 0o644, MTime: b.Index.Epoch(),
			Content: cas.Ref{Digest: d, Size: blob.Descriptor.Size},
		})
		return nil
	}
	err = errors.Join(add(v1.ImageLayoutFile, version), add(v1.ImageIndexFile, index))
	if docker {
		m, e := b.dockerManifest()
		err = errors.Join(err, e, add("manifest.json", m))
	}
	for _, dir := range []string{"blobs", "blobs/sha256"} {
		nodes = append(nodes, &rootfs.Node{Path: dir, Type: rootfs.Dir, Mode: 0o755})
	}
	for _, blob := range b.blobs() {
		err = errors.Join(err, add(blobPath(blob.Descriptor.Digest), blob))
	}
	return nodes, contents, err
}

// An opener has some contents in memory, and the others in a store.
type opener struct {
	store  cas.Store
	memory map[cas.Digest][]byte
}

func (o opener) Open(ref cas.Ref) (io.ReadCloser, error) {
	if b, ok := o.memory[ref.Digest]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return o.store.Open(ref)
}

// WriteArchive writes the bundle as a tar file that is an OCI layout and a
// docker archive at once. It reports whether the file changed: one that holds
// just that is read and left alone.
func (b *Bundle) WriteArchive(ctx context.Context, file string, store cas.Store) (changed bool, err error) {
	nodes, contents, err := b.files(store, true)
	if err != nil {
		return false, err
	}
	return writeFile(file, func(w io.Writer) error {
		return rootfs.WriteTar(stoppable{ctx, w}, []rootfs.Segment{{Nodes: nodes}}, contents, b.Index.Epoch())
	})
}

// WriteRootfs writes the file tree alone, as an uncompressed tar file. It
// reports whether the file changed, as WriteArchive does.
func WriteRootfs(ctx context.Context, file string, segments []rootfs.Segment, store cas.Store, epoch int64) (changed bool, err error) {
	return writeFile(file, func(w io.Writer) error {
		return rootfs.WriteTar(stoppable{ctx, w}, segments, store, epoch)
	})
}

// A stoppable writer takes nothing more once its context has ended.
type stoppable struct {
	ctx context.Context
	io.Writer
}

func (s stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Writer.Write(p)
}

// WriteLayout writes the bundle as an OCI layout folder. It reports whether
// the folder changed: one that holds just that, every blob hashed, is left
// alone. Another layout that compose wrote is replaced at once; anything else
// that is not empty is refused.
func (b *Bundle) WriteLayout(ctx context.Context, dir string, store cas.Store) (changed bool, err error) {
	dir = filepath.Clean(dir)
	nodes, contents, err := b.files(store, false)
	if err != nil {
		return false, err
	}
	old, err := existing(dir, true)
	if err != nil {
		return false, err
	}
	if old != nil {
		if err := mayReplace(dir); err != nil {
			return false, err
		}
		same, err := isLayoutOf(ctx, dir, nodes)
		if same || err != nil {
			return false, err
		}
	}
	var need int64
	for _, n := range nodes {
		need += n.Content.Size
	}
	s, err := newStage(dir, true, need)
	if err != nil {
		return false, err
	}
	defer s.abort()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range nodes {
		if n.Type != rootfs.Regular {
			continue
		}
		g.Go(func() error {
			r, err := contents.Open(n.Content)
			if err != nil {
				return err
			}
			defer r.Close()
			return s.add(n.Path, stoppableReader{ctx, r})
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	return true, s.commit()
}

// A stoppableReader ends with its context.
type stoppableReader struct {
	ctx context.Context
	io.Reader
}

func (s stoppableReader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}

// mayReplace refuses a folder that compose did not write, unless it is empty.
func mayReplace(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fault.New(fault.LocalFile, "output %q: %w", dir, err)
	}
	if len(list) == 0 {
		return nil
	}
	var index v1.Index
	b, err := os.ReadFile(filepath.Join(dir, v1.ImageIndexFile))
	if err == nil && json.Unmarshal(b, &index) == nil && index.Annotations[markKey] != "" {
		return nil
	}
	return fault.New(fault.LocalFile, "output %q: the folder is not empty, and is no image that compose wrote", dir)
}

// isLayoutOf reports whether the folder holds these files, byte for byte, and
// no others.
func isLayoutOf(ctx context.Context, dir string, nodes []*rootfs.Node) (bool, error) {
	want := map[string]*rootfs.Node{".": {Path: ".", Type: rootfs.Dir}}
	for _, n := range nodes {
		want[n.Path] = n
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := want[filepath.ToSlash(rel)]
		if n == nil || (n.Type == rootfs.Dir) != d.IsDir() || !d.IsDir() && (!info.Mode().IsRegular() || info.Size() != n.Content.Size) {
			return errDiffers
		}
		seen++
		return nil
	})
	if err == nil && seen != len(want) {
		err = errDiffers
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range nodes {
		if err != nil || n.Type != rootfs.Regular {
			continue
		}
		g.Go(func() error { return proveFile(ctx, filepath.Join(dir, filepath.FromSlash(n.Path)), n.Content) })
	}
	err = errors.Join(err, g.Wait())
	if errors.Is(err, errDiffers) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// proveFile hashes a file and compares.
func proveFile(ctx context.Context, path string, want cas.Ref) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, stoppableReader{ctx, struct{ io.Reader }{f}}, make([]byte, 256<<10))
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if n != want.Size || cas.Digest(h.Sum(nil)) != want.Digest {
		return errDiffers
	}
	return nil
}
