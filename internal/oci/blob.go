package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	digest "github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
)

// A Blob is some bytes of an image or of what belongs to it: in memory, or in
// a store by their digest.
type Blob struct {
	Descriptor v1.Descriptor // media type, digest, size; annotations and artifact type where the index shall show them
	Data       []byte        // the bytes; nil: the store has them
}

// NewBlob is the blob of data.
func NewBlob(mediaType string, data []byte) Blob {
	return Blob{Descriptor: descriptor(mediaType, cas.Sum(data), int64(len(data))), Data: data}
}

// Digest is the blob's digest.
func (b Blob) Digest() (cas.Digest, error) { return cas.ParseDigest(string(b.Descriptor.Digest)) }

// Open gives the blob's bytes. What comes from the store is checked on the
// way; what is in memory was hashed when it was made.
func (b Blob) Open(store cas.Store) (io.ReadCloser, error) {
	if b.Data != nil {
		return io.NopCloser(bytes.NewReader(b.Data)), nil
	}
	d, err := b.Digest()
	if err != nil {
		return nil, err
	}
	return store.Open(cas.Ref{Digest: d, Size: b.Descriptor.Size})
}

func descriptor(mediaType string, d cas.Digest, size int64) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.Digest(d.String()), Size: size}
}

// newDocument is v as canonical JSON: the keys of objects in the order of
// their Go types, those of maps sorted, no space, no escapes for HTML.
func newDocument(mediaType string, v any) (Blob, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return Blob{}, fmt.Errorf("%s: %w", mediaType, err)
	}
	return NewBlob(mediaType, bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
