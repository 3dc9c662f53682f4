package oci

import (
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// NewReferrer is an artifact that says something of subject: one document of
// the given media type, which is the artifact's type too (OCI image
// specification 1.1, "Guidelines for Artifact Usage").
func NewReferrer(subject v1.Descriptor, mediaType string, document []byte) (Artifact, error) {
	data := NewBlob(mediaType, document)
	empty := NewBlob(v1.MediaTypeEmptyJSON, []byte("{}"))
	manifest, err := newDocument(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    v1.MediaTypeImageManifest,
		ArtifactType: mediaType,
		Config:       empty.Descriptor,
		Layers:       []v1.Descriptor{data.Descriptor},
		Subject:      &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	})
	if err != nil {
		return Artifact{}, err
	}
	manifest.Descriptor.ArtifactType = mediaType
	return Artifact{Manifest: manifest, Blobs: []Blob{empty, data}}, nil
}
