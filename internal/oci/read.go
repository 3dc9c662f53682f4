package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/fault"
)

// Bounds of an image that is read (threats.md P-09). They are far beyond what
// is in use: registries refuse manifests of more than 4 MiB.
const (
	maxDocument = 8 << 20  // bytes of a manifest, an index, a configuration
	maxImages   = 256      // of one index
	maxLayers   = 512      // of one image
	maxEntries  = 4 << 20  // of all layers of an image
	maxTree     = 64 << 30 // bytes of the tar streams of all layers of an image
	maxDepth    = 128      // names in a path
	maxPath     = 4096     // bytes of a path
	maxName     = 255      // bytes of a name
)

// A Source has the blobs of an image that lies somewhere.
type Source interface {
	// Blob gives the bytes that d names. The reader checks them itself.
	Blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
}

// A Stored is an image that lies somewhere, for one or several platforms.
type Stored struct {
	Name   string          // where it lies, for messages
	Root   v1.Descriptor   // what its name stands for; in a docker archive, the configuration
	Images []*StoredImage  // sorted by platform
	Others []v1.Descriptor // manifests beside the image in a layout: signatures and the like
	close  func() error
}

// Close gives back what the image's place holds open.
func (s *Stored) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// Image is the image for a platform; the platform may leave out the variant.
func (s *Stored) Image(p v1.Platform) (*StoredImage, error) {
	var have []string
	for _, i := range s.Images {
		if i.Platform.OS == p.OS && i.Platform.Architecture == p.Architecture && (p.Variant == "" || i.Platform.Variant == p.Variant) {
			return i, nil
		}
		have = append(have, PlatformName(i.Platform))
	}
	return nil, fault.New(fault.Usage, "%s: no image for %s; it has %s", s.Name, PlatformName(p), strings.Join(have, ", "))
}

// A StoredImage is the image for one platform of a Stored.
type StoredImage struct {
	Platform v1.Platform
	Manifest v1.Descriptor // zero in a docker archive, which has none
	Config   v1.Image
	Layers   []StoredLayer // the lowest first

	name string // for messages
}

// A StoredLayer is a layer of a StoredImage.
type StoredLayer struct {
	Descriptor v1.Descriptor // no digest where a docker archive does not say it
	DiffID     cas.Digest    // of the tar stream
	open       func(context.Context) (io.ReadCloser, error)
}

// Read reads the image that root names. name says where, for messages.
func Read(ctx context.Context, name string, src Source, root v1.Descriptor) (*Stored, error) {
	s := &Stored{Name: name, Root: root}
	list, err := s.manifests(ctx, src, root)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		img, err := s.readImage(ctx, src, d)
		if err != nil {
			return nil, err
		}
		if img != nil {
			s.Images = append(s.Images, img)
		}
	}
	if len(s.Images) == 0 {
		return nil, fault.New(fault.FormatInvalid, "%s: %s is no image", name, root.Digest)
	}
	slices.SortStableFunc(s.Images, func(a, b *StoredImage) int { return comparePlatforms(a.Platform, b.Platform) })
	return s, nil
}

// manifests is what an index lists; root itself if it is none. An index in an
// index is not followed.
func (s *Stored) manifests(ctx context.Context, src Source, root v1.Descriptor) ([]v1.Descriptor, error) {
	if !isIndex(root.MediaType) {
		return []v1.Descriptor{root}, nil
	}
	var index v1.Index
	if err := s.document(ctx, src, root, &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) > maxImages {
		return nil, fault.New(fault.LimitSize, "%s: index of %d images, more than %d", s.Name, len(index.Manifests), maxImages)
	}
	return slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool { return !isManifest(d.MediaType) }), nil
}

// readImage reads a manifest and its configuration; nil if they are no image.
func (s *Stored) readImage(ctx context.Context, src Source, d v1.Descriptor) (*StoredImage, error) {
	if !isManifest(d.MediaType) {
		return nil, fault.New(fault.FormatInvalid, "%s: %s is of type %q, neither manifest nor index", s.Name, d.Digest, d.MediaType)
	}
	var m v1.Manifest
	if err := s.document(ctx, src, d, &m); err != nil {
		return nil, err
	}
	if !isImage(m) {
		return nil, nil
	}
	img := &StoredImage{Manifest: d, name: s.Name}
	if err := s.document(ctx, src, m.Config, &img.Config); err != nil {
		return nil, err
	}
	for _, l := range m.Layers {
		img.Layers = append(img.Layers, StoredLayer{Descriptor: l, open: func(ctx context.Context) (io.ReadCloser, error) { return src.Blob(ctx, l) }})
	}
	return img, img.complete()
}

// complete takes over from the configuration what belongs to the image and
// its layers.
func (i *StoredImage) complete() error {
	i.Platform = i.Config.Platform
	diffs := i.Config.RootFS.DiffIDs
	if len(diffs) != len(i.Layers) || len(diffs) > maxLayers {
		return fault.New(fault.FormatInvalid, "%s: configuration names %d layers, manifest %d (limit %d)", i.name, len(diffs), len(i.Layers), maxLayers)
	}
	for n := range i.Layers {
		d, err := cas.ParseDigest(string(diffs[n]))
		if err != nil {
			return fault.New(fault.FormatInvalid, "%s: layer %d: %w", i.name, n+1, err)
		}
		i.Layers[n].DiffID = d
	}
	return nil
}

// isImage tells an image from an artifact that borrows its form.
func isImage(m v1.Manifest) bool {
	if m.Subject != nil || m.ArtifactType != "" {
		return false
	}
	for _, l := range m.Layers {
		if !strings.HasPrefix(l.MediaType, "application/vnd.oci.image.layer.") && !strings.HasPrefix(l.MediaType, "application/vnd.docker.image.rootfs.") {
			return false
		}
	}
	return m.Config.MediaType == v1.MediaTypeImageConfig || m.Config.MediaType == "application/vnd.docker.container.image.v1+json"
}

func isManifest(mediaType string) bool {
	return mediaType == v1.MediaTypeImageManifest || mediaType == "application/vnd.docker.distribution.manifest.v2+json"
}

func isIndex(mediaType string) bool {
	return mediaType == v1.MediaTypeImageIndex || mediaType == "application/vnd.docker.distribution.manifest.list.v2+json"
}

// document reads the JSON document that d names.
func (s *Stored) document(ctx context.Context, src Source, d v1.Descriptor, v any) error {
	want, err := cas.ParseDigest(string(d.Digest))
	if err != nil {
		return fault.New(fault.FormatInvalid, "%s: %w", s.Name, err)
	}
	if d.Size < 0 || d.Size > maxDocument {
		return fault.New(fault.LimitSize, "%s: %s: %d bytes, more than %d", s.Name, want, d.Size, maxDocument)
	}
	r, err := src.Blob(ctx, d)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.Name, want, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.Name, want, err)
	}
	if got := cas.Sum(b); got != want || int64(len(b)) != d.Size {
		return fault.New(fault.TrustHash, "%s: blob %s, %d bytes: holds %s, %d bytes", s.Name, want, d.Size, got, len(b))
	}
	return parse(s.Name, b, d.MediaType, v)
}

// parse reads a JSON document. One that can be taken for a manifest and for
// an index is refused, and so is one that says another type of itself than
// its descriptor did: readers would differ (CVE-2021-41190).
func parse(name string, b []byte, mediaType string, v any) error {
	var kind struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Layers    json.RawMessage `json:"layers"`
		Config    json.RawMessage `json:"config"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	err := d.Decode(v)
	if err == nil {
		if _, e := d.Token(); e != io.EOF {
			err = fmt.Errorf("something follows the closing brace")
		}
	}
	if err == nil {
		err = json.Unmarshal(b, &kind)
	}
	if err != nil {
		return fault.New(fault.FormatInvalid, "%s: %s: %w", name, mediaType, err)
	}
	if kind.MediaType != "" && kind.MediaType != mediaType {
		return fault.New(fault.FormatInvalid, "%s: a document named as %s says that it is %s", name, mediaType, kind.MediaType)
	}
	if kind.Manifests != nil && (kind.Layers != nil || kind.Config != nil) {
		return fault.New(fault.FormatInvalid, "%s: a document is both a manifest and an index", name)
	}
	return nil
}
