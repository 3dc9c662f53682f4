package sign

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/renameio/v2"

	"compose/internal/cas"
	"compose/internal/fault"
)

// Bounds of what is read back from a place that others can write to
// (threats.md P-09).
const (
	maxManifest  = 4 << 20   // bytes
	maxArtifact  = 128 << 20 // bytes; the SBOM of a large image has ten
	maxArtifacts = 100       // of one kind
	maxImages    = 100       // manifests below an index
)

// A Layout is an image in an OCI layout, be it a folder or an archive.
type Layout struct {
	name  string
	files fs.FS
	close func() error
}

// OpenLayout opens the image in a layout folder.
func OpenLayout(dir string) (*Layout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, "image: %w", err)
	}
	return &Layout{dir, root.FS(), root.Close}, nil
}

// OpenArchive opens the image in a .tar file that holds a layout.
func OpenArchive(file string) (*Layout, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.New(fault.Usage, "image: %w", err)
	}
	files, err := indexArchive(f)
	if err != nil {
		return nil, errors.Join(fault.New(fault.FormatInvalid, "%s: %w", file, err), f.Close())
	}
	return &Layout{file, files, f.Close}, nil
}

// Close closes the file or the folder.
func (l *Layout) Close() error { return l.close() }

// Image gives the image of the layout: the one entry of its index that is no
// artifact. All its blobs are read and hashed.
func (l *Layout) Image(ctx context.Context) (Image, error) {
	index, err := l.index()
	if err != nil {
		return Image{}, err
	}
	var found []v1.Descriptor
	for _, d := range index.Manifests {
		if kindOf(d) == "" {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return Image{}, fault.New(fault.FormatInvalid, "%s: index.json names %d images, want one", l.name, len(found))
	}
	budget := maxImages
	if err := l.checkBlobs(ctx, found[0], &budget); err != nil {
		return Image{}, err
	}
	return imageOf(l.name, found[0])
}

// kindOf is the kind of artifacts that a descriptor of a layout's index
// stands for; "" for an image.
func kindOf(d v1.Descriptor) Kind {
	switch k := Kind(strings.TrimPrefix(d.Annotations[kindKey], kindPrefix)); k {
	case Signature, Attestation:
		return k
	}
	return ""
}

func imageOf(name string, d v1.Descriptor) (Image, error) {
	digest, err := cas.ParseDigest(d.Digest.String())
	if err != nil {
		return Image{}, fault.New(fault.FormatInvalid, "%s: %w", name, err)
	}
	return Image{string(d.MediaType), digest, d.Size}, nil
}

func (l *Layout) index() (*v1.IndexManifest, error) {
	f, err := l.files.Open("index.json")
	if err != nil {
		return nil, fault.New(fault.Usage, "%s: not an OCI layout: %w", l.name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fault.New(fault.LocalFile, "%s: %w", l.name, err)
	}
	if len(text) > maxManifest {
		return nil, fault.New(fault.LimitSize, "%s: index.json: longer than %d bytes", l.name, maxManifest)
	}
	var index v1.IndexManifest
	if err := decode(text, &index); err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: index.json: %w", l.name, err)
	}
	return &index, nil
}

// checkBlobs reads and hashes everything that d stands for. budget is how
// many more manifests may be read.
func (l *Layout) checkBlobs(ctx context.Context, d v1.Descriptor, budget *int) error {
	if *budget--; *budget < 0 {
		return fault.New(fault.LimitSize, "%s: more than %d manifests", l.name, maxImages)
	}
	text, err := l.blob(d, maxManifest)
	if err != nil {
		return err
	}
	if d.MediaType.IsIndex() {
		var index v1.IndexManifest
		if err := decode(text, &index); err != nil {
			return fault.New(fault.FormatInvalid, "%s: %s: %w", l.name, d.Digest, err)
		}
		for _, m := range index.Manifests {
			if err := l.checkBlobs(ctx, m, budget); err != nil {
				return err
			}
		}
		return nil
	}
	var m v1.Manifest
	if err := decode(text, &m); err != nil {
		return fault.New(fault.FormatInvalid, "%s: %s: %w", l.name, d.Digest, err)
	}
	for _, b := range append(m.Layers, m.Config) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.copyBlob(io.Discard, b); err != nil {
			return err
		}
	}
	return nil
}

// blob gives a small blob, checked.
func (l *Layout) blob(d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size > limit {
		return nil, fault.New(fault.LimitSize, "%s: %s: %d bytes, more than %d", l.name, d.Digest, d.Size, limit)
	}
	var b bytes.Buffer
	if err := l.copyBlob(&b, d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// copyBlob copies a blob to w and checks its size and digest.
func (l *Layout) copyBlob(w io.Writer, d v1.Descriptor) error {
	want, err := cas.ParseDigest(d.Digest.String())
	if err != nil {
		return fault.New(fault.FormatInvalid, "%s: %w", l.name, err)
	}
	f, err := l.files.Open("blobs/sha256/" + want.Hex())
	if err != nil {
		return fault.New(fault.FormatInvalid, "%s: %w", l.name, err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(f, d.Size+1))
	if err != nil {
		return fault.New(fault.LocalFile, "%s: %w", l.name, err)
	}
	if got := cas.Digest(h.Sum(nil)); n != d.Size || got != want {
		return fault.New(fault.TrustHash, "%s: blob %s: want %d bytes, found %d or more with the digest %s", l.name, want, d.Size, n, got)
	}
	return nil
}

// Artifacts gives what is attached to img, of one kind.
func (l *Layout) Artifacts(_ context.Context, img Image, kind Kind) ([]Artifact, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	var list []Artifact
	for _, d := range index.Manifests {
		if kindOf(d) != kind {
			continue
		}
		text, err := l.blob(d, maxManifest)
		if err != nil {
			return nil, err
		}
		some, err := artifacts(l.name, kind, text, func(b v1.Descriptor) ([]byte, error) { return l.blob(b, maxArtifact) })
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// artifacts reads the artifacts that a manifest holds.
func artifacts(name string, kind Kind, manifest []byte, blob func(v1.Descriptor) ([]byte, error)) ([]Artifact, error) {
	var m v1.Manifest
	if err := decode(manifest, &m); err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: manifest of its %ss: %w", name, kind.noun(), err)
	}
	if len(m.Layers) > maxArtifacts {
		return nil, fault.New(fault.LimitSize, "%s: %d %ss, more than %d", name, len(m.Layers), kind.noun(), maxArtifacts)
	}
	var list []Artifact
	var total int64
	for _, d := range m.Layers {
		if total += d.Size; d.Size < 0 || total > maxArtifact {
			return nil, fault.New(fault.LimitSize, "%s: more than %d bytes of %ss", name, int64(maxArtifact), kind.noun())
		}
		b, err := blob(d)
		if err != nil {
			return nil, err
		}
		list = append(list, Artifact{kind, string(d.MediaType), d.Annotations, b})
	}
	return list, nil
}

// AttachLayout stores artifacts beside the image in a layout folder, with
// those that are there already. The folder's index is replaced last, and at
// once.
func AttachLayout(ctx context.Context, dir string, list ...Artifact) error {
	l, err := OpenLayout(dir)
	if err != nil {
		return err
	}
	defer l.Close()
	index, blobs, err := l.attach(ctx, list)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := renameio.WriteFile(filepath.Join(dir, "blobs", "sha256", cas.Sum(b).Hex()), b, 0o644); err != nil {
			return fault.New(fault.LocalFile, "%s: %w", dir, err)
		}
	}
	if err := renameio.WriteFile(filepath.Join(dir, "index.json"), index, 0o644); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", dir, err)
	}
	return nil
}

// attach gives the index and the further blobs of the layout with list added.
func (l *Layout) attach(ctx context.Context, list []Artifact) (index []byte, blobs [][]byte, err error) {
	img, err := l.Image(ctx)
	if err != nil {
		return nil, nil, err
	}
	var all []Artifact
	for _, kind := range []Kind{Signature, Attestation} {
		old, err := l.Artifacts(ctx, img, kind)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, old...)
	}
	manifests, err := Manifests(img, append(all, list...))
	if err != nil {
		return nil, nil, err
	}
	was, err := l.index()
	if err != nil {
		return nil, nil, err
	}
	was.Manifests = slices.DeleteFunc(was.Manifests, func(d v1.Descriptor) bool { return kindOf(d) != "" })
	markImage(&was.Manifests[0])
	for _, m := range manifests {
		d := descriptor(m.MediaType, m.Bytes)
		d.Annotations = m.Annotations
		was.Manifests = append(was.Manifests, d)
		blobs = append(append(blobs, m.Bytes), m.Blobs...)
	}
	index, err = json.Marshal(was)
	return index, blobs, err
}

// markImage adds the annotation by which cosign finds the image of a layout.
func markImage(d *v1.Descriptor) {
	word := "image"
	if d.MediaType == types.OCIImageIndex || d.MediaType == types.DockerManifestList {
		word = "imageIndex"
	}
	marked := map[string]string{kindKey: kindPrefix + word}
	for k, v := range d.Annotations {
		if k != kindKey {
			marked[k] = v
		}
	}
	d.Annotations = marked
}

// AttachArchive stores artifacts beside the image in a .tar file that holds a
// layout, with those that are there already. The file is replaced at once.
func AttachArchive(ctx context.Context, file string, list ...Artifact) error {
	l, err := OpenArchive(file)
	if err != nil {
		return err
	}
	defer l.Close()
	index, blobs, err := l.attach(ctx, list)
	if err != nil {
		return err
	}
	out, err := renameio.NewPendingFile(file, renameio.WithExistingPermissions())
	if err != nil {
		return fault.New(fault.LocalFile, "%s: %w", file, err)
	}
	defer out.Cleanup()
	if err := l.files.(*archive).rewrite(out, index, blobs); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", file, err)
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", file, err)
	}
	return nil
}

// An archive is the regular files of a tar file, by name.
type archive struct {
	file    *os.File
	members map[string]member
	order   []*tar.Header
}

type member struct {
	header *tar.Header
	data   *io.SectionReader
}

// maxMembers is far above the number of blobs of any image.
const maxMembers = 100_000

// indexArchive reads the headers of a tar file.
func indexArchive(f *os.File) (*archive, error) {
	a := &archive{file: f, members: map[string]member{}}
	t := tar.NewReader(f)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		if len(a.order) == maxMembers {
			return nil, fmt.Errorf("more than %d members", maxMembers)
		}
		a.order = append(a.order, h)
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if _, ok := a.members[name]; ok {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		at, err := f.Seek(0, io.SeekCurrent) // the reader takes whole blocks, no more
		if err != nil {
			return nil, err
		}
		a.members[name] = member{h, io.NewSectionReader(f, at, h.Size)}
	}
}

// Open implements fs.FS for regular files.
func (a *archive) Open(name string) (fs.File, error) {
	m, ok := a.members[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memberFile{io.NewSectionReader(m.data, 0, m.header.Size), m.header}, nil
}

type memberFile struct {
	*io.SectionReader
	header *tar.Header
}

func (f *memberFile) Stat() (fs.FileInfo, error) { return f.header.FileInfo(), nil }
func (f *memberFile) Close() error               { return nil }

// rewrite copies the archive to w with another index.json, and with blobs
// that are not in it yet at the end.
func (a *archive) rewrite(w io.Writer, index []byte, blobs [][]byte) error {
	t := tar.NewWriter(w)
	for _, h := range a.order {
		name := strings.TrimPrefix(h.Name, "./")
		var data io.Reader = bytes.NewReader(nil)
		out := *h
		switch m, ok := a.members[name]; {
		case name == "index.json":
			out.Size, data = int64(len(index)), bytes.NewReader(index)
		case ok && h.Typeflag == tar.TypeReg:
			data = io.NewSectionReader(m.data, 0, h.Size)
		}
		if err := t.WriteHeader(&out); err != nil {
			return err
		}
		if _, err := io.Copy(t, data); err != nil {
			return err
		}
	}
	like := a.members["index.json"].header
	for _, b := range blobs {
		name := "blobs/sha256/" + cas.Sum(b).Hex()
		if _, ok := a.members[name]; ok {
			continue
		}
		a.members[name] = member{} // a second one of the same bytes is the same blob
		h := *like
		h.Name, h.Size = name, int64(len(b))
		if err := t.WriteHeader(&h); err != nil {
			return err
		}
		if _, err := t.Write(b); err != nil {
			return err
		}
	}
	return t.Close()
}
