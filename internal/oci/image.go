package oci

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
)

// A Config is what an image says of how to run it; the manifest's own
// configuration has the same fields and converts to it.
type Config struct {
	User       string
	Entrypoint []string
	Cmd        []string
	Env        map[string]string
	Workdir    string
	Ports      []string
	Volumes    []string
	Labels     map[string]string
	StopSignal string
}

// An Image is an image for one platform.
type Image struct {
	Platform v1.Platform
	Epoch    int64 // when it counts as created, in seconds since 1970
	Config   Blob
	Manifest Blob
	Layers   []Layer // the lowest first
}

// NewImage is the image of the given layers, the lowest first. It counts as
// created at epoch, in seconds since 1970.
func NewImage(c Config, p v1.Platform, epoch int64, layers []Layer, annotations map[string]string) (*Image, error) {
	created := time.Unix(epoch, 0).UTC()
	doc := v1.Image{
		Created:  &created,
		Platform: p,
		Config:   c.document(),
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{}},
	}
	manifest := v1.Manifest{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   v1.MediaTypeImageManifest,
		Layers:      []v1.Descriptor{},
		Annotations: annotations,
	}
	for _, l := range layers {
		doc.RootFS.DiffIDs = append(doc.RootFS.DiffIDs, digest.Digest(l.DiffID.String()))
		doc.History = append(doc.History, v1.History{Created: &created, CreatedBy: "compose"})
		manifest.Layers = append(manifest.Layers, l.descriptor())
	}
	config, err := newDocument(v1.MediaTypeImageConfig, doc)
	if err != nil {
		return nil, err
	}
	manifest.Config = config.Descriptor
	m, err := newDocument(v1.MediaTypeImageManifest, manifest)
	if err != nil {
		return nil, err
	}
	return &Image{Platform: p, Epoch: epoch, Config: config, Manifest: m, Layers: layers}, nil
}

// Digest is the digest of the image's manifest.
func (i *Image) Digest() cas.Digest { return cas.Sum(i.Manifest.Data) }

// document is the configuration as an image has it.
func (c Config) document() v1.ImageConfig {
	doc := v1.ImageConfig{
		User:       c.User,
		Entrypoint: c.Entrypoint,
		Cmd:        c.Cmd,
		WorkingDir: c.Workdir,
		Labels:     c.Labels,
		StopSignal: c.StopSignal,
	}
	for _, k := range slices.Sorted(maps.Keys(c.Env)) {
		doc.Env = append(doc.Env, k+"="+c.Env[k])
	}
	doc.ExposedPorts = set(c.Ports)
	doc.Volumes = set(c.Volumes)
	return doc
}

func set(keys []string) map[string]struct{} {
	m := make(map[string]struct{}, len(keys))
	for _, k := range keys {
		m[k] = struct{}{}
	}
	return m
}

// An Index is what a name stands for: one image, or one for each of several
// platforms.
type Index struct {
	Root   Blob     // the manifest of the only image, or the index of several
	Images []*Image // sorted by platform
}

// NewIndex puts images together under one digest.
func NewIndex(images []*Image, annotations map[string]string) (*Index, error) {
	images = slices.Clone(images)
	slices.SortFunc(images, func(a, b *Image) int { return comparePlatforms(a.Platform, b.Platform) })
	switch len(images) {
	case 0:
		return nil, fmt.Errorf("index: no image")
	case 1:
		return &Index{Root: images[0].Manifest, Images: images}, nil
	}
	doc := v1.Index{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   v1.MediaTypeImageIndex,
		Annotations: annotations,
	}
	for i, img := range images {
		if i > 0 && comparePlatforms(images[i-1].Platform, img.Platform) == 0 {
			return nil, fmt.Errorf("index: two images for %s", PlatformName(img.Platform))
		}
		d := img.Manifest.Descriptor
		d.Platform = &img.Platform
		doc.Manifests = append(doc.Manifests, d)
	}
	root, err := newDocument(v1.MediaTypeImageIndex, doc)
	if err != nil {
		return nil, err
	}
	return &Index{Root: root, Images: images}, nil
}

// Digest is the digest that names the index, or the only image of it.
func (x *Index) Digest() cas.Digest { return cas.Sum(x.Root.Data) }

// Epoch is when the youngest of the images counts as created.
func (x *Index) Epoch() int64 {
	epoch := x.Images[0].Epoch
	for _, i := range x.Images {
		epoch = max(epoch, i.Epoch)
	}
	return epoch
}

// blobs gives everything that the index consists of, each blob once, those
// that refer to others after them.
func (x *Index) blobs() []Blob {
	var all []Blob
	for _, i := range x.Images {
		for _, l := range i.Layers {
			all = append(all, Blob{Descriptor: l.descriptor()})
		}
		all = append(all, i.Config, i.Manifest)
	}
	return unique(append(all, x.Root))
}

// unique keeps the first of the blobs with one digest.
func unique(blobs []Blob) []Blob {
	seen := map[digest.Digest]bool{}
	return slices.DeleteFunc(blobs, func(b Blob) bool {
		had := seen[b.Descriptor.Digest]
		seen[b.Descriptor.Digest] = true
		return had
	})
}

// PlatformName is the form that a manifest uses: linux/arm/v7.
func PlatformName(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

func comparePlatforms(a, b v1.Platform) int {
	return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Variant, b.Variant))
}
