package oci

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
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
