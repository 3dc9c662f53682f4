package sign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/renameio/v2"

	"compose/internal/cas"
	"compose/internal/fault"
)

// A Layout is an image in an OCI layout, be it a folder or an archive.
type Layout struct {
	name  string
	files interface {
		fs.FS
		io.Closer
		apply(*change) error
	}
}

// OpenLayout opens the image in a layout folder.
func OpenLayout(dir string) (*Layout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, "image: %w", err)
	}
	return &Layout{dir, folder{dir, root.FS(), root}}, nil
}

// OpenArchive opens the image in a .tar file that holds a layout.
func OpenArchive(file string) (*Layout, error) {
	a := &archive{name: file}
	if err := a.open(); err != nil {
		return nil, err
	}
	return &Layout{file, a}, nil
}

// Close closes the file or the folder.
func (l *Layout) Close() error { return l.files.Close() }

// Image gives the image of the layout: the one entry of its index that is no
// artifact. All its blobs are read and hashed.
func (l *Layout) Image(ctx context.Context) (Image, error) {
	index, err := l.index()
	if err != nil {
		return Image{}, err
	}
	d, err := l.top(index)
	if err != nil {
		return Image{}, err
	}
	budget := maxImages
	if err := l.checkBlobs(ctx, *d, &budget); err != nil {
		return Image{}, err
	}
	return imageOf(l.name, *d)
}

// top is the entry of the image in the layout's index: the only one that is
// neither a signature nor an attestation, and refers to no other image.
func (l *Layout) top(index *v1.IndexManifest) (*v1.Descriptor, error) {
	var found []*v1.Descriptor
	for i, d := range index.Manifests {
		if kindOf(d) != "" || d.ArtifactType != "" {
			continue
		}
		_, m, err := l.manifest(d)
		if err != nil {
			return nil, err
		}
		if m.Subject == nil {
			found = append(found, &index.Manifests[i])
		}
	}
	if len(found) != 1 {
		return nil, fault.New(fault.FormatInvalid, "%s: index.json names %d images, want one", l.name, len(found))
	}
	return found[0], nil
}

// kindOf is the kind of artifacts that an entry of a layout's index stands
// for; "" for anything else.
func kindOf(d v1.Descriptor) Kind {
	for _, k := range kinds {
		if d.Annotations[kindKey] == kindPrefix+string(k) || d.ArtifactType == artifactTypes[k] {
			return k
		}
	}
	return ""
}

// manifest reads the manifest, or the index, that d names.
func (l *Layout) manifest(d v1.Descriptor) ([]byte, *v1.Manifest, error) {
	text, err := l.blob(d, maxManifest)
	if err != nil {
		return nil, nil, err
	}
	m := &v1.Manifest{}
	if err := decode(text, m); err != nil {
		return nil, nil, fault.New(fault.FormatInvalid, "%s: %s: %w", l.name, d.Digest, err)
	}
	return text, m, nil
}

func imageOf(name string, d v1.Descriptor) (Image, error) {
	digest, err := cas.ParseDigest(d.Digest.String())
	if err != nil {
		return Image{}, fault.New(fault.FormatInvalid, "%s: %w", name, err)
	}
	img := Image{MediaType: string(d.MediaType), Digest: digest, Size: d.Size}
	if d.Platform != nil {
		img.Platform = d.Platform.String()
	}
	return img, nil
}

// Platforms gives the images below img, one a platform; none where img is
// not an index.
func (l *Layout) Platforms(_ context.Context, img Image) ([]Image, error) {
	if !types.MediaType(img.MediaType).IsIndex() {
		return nil, nil
	}
	text, err := l.blob(v1.Descriptor{Digest: hash(img.Digest), Size: img.Size}, maxManifest)
	if err != nil {
		return nil, err
	}
	return platforms(l.name, text)
}

// platforms reads the images that an index names.
func platforms(name string, index []byte) ([]Image, error) {
	var m v1.IndexManifest
	if err := decode(index, &m); err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: index: %w", name, err)
	}
	if len(m.Manifests) > maxImages {
		return nil, fault.New(fault.LimitSize, "%s: index of %d images, more than %d", name, len(m.Manifests), maxImages)
	}
	var list []Image
	for _, d := range m.Manifests {
		img, err := imageOf(name, d)
		if err != nil {
			return nil, err
		}
		list = append(list, img)
	}
	return list, nil
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
	f, err := l.files.Open(blobDir + want.Hex())
	if err != nil {
		return fault.New(fault.FormatInvalid, "%s: %w", l.name, err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(f, d.Size+1))
	if err != nil {
		return fault.New(fault.LocalFile, "%s: %w", l.name, err)
	}
	return checkBlob(l.name, d, n, cas.Digest(h.Sum(nil)))
}

// checkBlob compares a blob with its descriptor. n is the number of its bytes,
// of which no more than one too many were read.
func checkBlob(name string, d v1.Descriptor, n int64, got cas.Digest) error {
	switch {
	case n > d.Size:
		return fault.New(fault.TrustHash, "%s: blob %s: more than %d bytes", name, d.Digest, d.Size)
	case n < d.Size:
		return fault.New(fault.TrustHash, "%s: blob %s: want %d bytes, got %d", name, d.Digest, d.Size, n)
	case hash(got) != d.Digest:
		return fault.New(fault.TrustHash, "%s: blob %s: its bytes have the digest %s", name, d.Digest, got)
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
		text, of, err := l.holder(index, d)
		if err != nil {
			return nil, err
		}
		if of != img.Digest {
			continue
		}
		some, err := artifacts(l.name, kind, text, func(b v1.Descriptor) ([]byte, error) { return l.blob(b, maxArtifact) })
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// holder gives the manifest that d names, which holds artifacts, and the
// digest of the image that they are attached to. cosign names no subject; it
// means the image of the layout.
func (l *Layout) holder(index *v1.IndexManifest, d v1.Descriptor) (text []byte, of cas.Digest, err error) {
	text, m, err := l.manifest(d)
	if err != nil {
		return nil, of, err
	}
	subject := m.Subject
	if subject == nil {
		if subject, err = l.top(index); err != nil {
			return nil, of, err
		}
	}
	img, err := imageOf(l.name, *subject)
	return text, img.Digest, err
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
	if _, err := blob(m.Config); err != nil { // it says nothing, and is checked all the same
		return nil, err
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

// Attach stores artifacts of img beside those that are there already. The
// index of a folder is replaced last, and at once; so is an archive's file.
func (l *Layout) Attach(ctx context.Context, img Image, list ...Artifact) error {
	c, err := l.attach(ctx, img, list)
	if err != nil {
		return err
	}
	if err := l.files.apply(c); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", l.name, err)
	}
	return nil
}

// A change is what must happen to a layout.
type change struct {
	index []byte
	add   map[cas.Digest][]byte
	drop  map[cas.Digest]bool // no longer used
}

// attach says how the layout changes when it gets list.
func (l *Layout) attach(ctx context.Context, img Image, list []Artifact) (*change, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	top, err := l.top(index)
	if err != nil {
		return nil, err
	}
	main, err := l.member(ctx, img)
	if err != nil {
		return nil, err
	}
	c := &change{add: map[cas.Digest][]byte{}, drop: map[cas.Digest]bool{}}
	all := list
	var kept, held []v1.Descriptor
	for _, d := range index.Manifests {
		if d.Digest == top.Digest {
			markImage(&d)
		}
		if kindOf(d) == "" {
			kept = append(kept, d)
			continue
		}
		text, of, err := l.holder(index, d)
		if err != nil {
			return nil, err
		}
		if of != img.Digest || kindOf(d) == Bundle {
			held = append(held, d)
			continue
		}
		if err := c.replaced(l.name, d, text); err != nil {
			return nil, err
		}
	}
	for _, kind := range []Kind{Attestation, Signature} {
		old, err := l.Artifacts(ctx, img, kind)
		if err != nil {
			return nil, err
		}
		all = append(old, all...)
	}
	manifests, err := Manifests(img, all)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		d := descriptor(m.MediaType, m.Bytes)
		d.ArtifactType = m.ArtifactType()
		if main && m.Kind != Bundle { // cosign looks for one image and its artifacts
			d.Annotations = LayoutMark(string(m.Kind))
		}
		kept = append(kept, d)
		for _, b := range append(m.Blobs, m.Bytes) {
			c.add[cas.Sum(b)] = b
			delete(c.drop, cas.Sum(b))
		}
	}
	index.Manifests = append(kept, held...)
	c.index, err = json.Marshal(index)
	return c, err
}

// member reports whether img is the image of the layout, or else one of its
// platforms; an error, where it is neither.
func (l *Layout) member(ctx context.Context, img Image) (main bool, err error) {
	top, err := l.Image(ctx)
	if err != nil || top.Digest == img.Digest {
		return true, err
	}
	below, err := l.Platforms(ctx, top)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(below, func(p Image) bool { return p.Digest == img.Digest }) {
		return false, fault.New(fault.Usage, "%s: holds no image %s", l.name, img.Digest)
	}
	return false, nil
}

// replaced notes that the manifest of artifacts that d names, and its config,
// make room for another.
func (c *change) replaced(name string, d v1.Descriptor, text []byte) error {
	var m v1.Manifest
	if err := decode(text, &m); err != nil {
		return fault.New(fault.FormatInvalid, "%s: %s: %w", name, d.Digest, err)
	}
	for _, h := range []v1.Hash{d.Digest, m.Config.Digest} {
		digest, err := cas.ParseDigest(h.String())
		if err != nil {
			return fault.New(fault.FormatInvalid, "%s: %w", name, err)
		}
		c.drop[digest] = true
	}
	return nil
}

// markImage adds the annotation by which cosign finds the image of a layout.
func markImage(d *v1.Descriptor) {
	word := "image"
	if d.MediaType == types.OCIImageIndex || d.MediaType == types.DockerManifestList {
		word = "imageIndex"
	}
	marked := maps.Clone(d.Annotations)
	if marked == nil {
		marked = map[string]string{}
	}
	maps.Copy(marked, LayoutMark(word))
	d.Annotations = marked
}

const blobDir = "blobs/sha256/"

// A folder is a layout as files.
type folder struct {
	dir string
	fs.FS
	io.Closer
}

func (f folder) apply(c *change) error {
	for d, b := range c.add {
		if err := renameio.WriteFile(filepath.Join(f.dir, blobDir, d.Hex()), b, 0o644); err != nil {
			return err
		}
	}
	if err := renameio.WriteFile(filepath.Join(f.dir, "index.json"), c.index, 0o644); err != nil {
		return err
	}
	for d := range c.drop {
		if err := os.Remove(filepath.Join(f.dir, blobDir, d.Hex())); err != nil {
			return err
		}
	}
	return nil
}
