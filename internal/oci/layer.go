package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/rootfs"
)

// LayerOptions say how a layer is made.
type LayerOptions struct {
	Compression string // gzip, zstd or none
	Epoch       int64  // time of what has no time of its own, in seconds since 1970
	Jobs        int    // chunks compressed at the same time; 0: one a processor
}

// A Layer is a file tree as a tar stream, compressed, kept as a blob.
type Layer struct {
	MediaType string     `json:"mediaType"`
	Digest    cas.Digest `json:"digest"`  // of the blob
	Size      int64      `json:"size"`    // of the blob, in bytes
	DiffID    cas.Digest `json:"diffID"`  // of the tar stream
	TarSize   int64      `json:"tarSize"` // of the tar stream, in bytes
}

// NewLayer makes the layer of the given segments and puts it into store.
// Their contents come from store too.
//
// Each segment is compressed on its own, in chunks cut at fixed offsets, and
// the results stand one behind the other, which gzip (RFC 1952, 2.2) and zstd
// (RFC 8878, 3.1) define to be the whole stream. A chunk's bytes follow from
// its headers and the digests of its contents, so that is the name under which the
// store keeps it compressed: what another image or an earlier build had in
// common with this one is not compressed again, and a layer that did not
// change is not even read.
func NewLayer(ctx context.Context, segments []rootfs.Segment, store cas.Store, o LayerOptions) (Layer, error) {
	c, ok := compressions[o.Compression]
	if !ok {
		return Layer{}, fmt.Errorf("compression %q: want gzip, zstd or none", o.Compression)
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	p, err := makePlan(segments, o)
	if err != nil {
		return Layer{}, err
	}
	if l, ok := madeBefore(store, p.key); ok {
		return l, nil
	}
	l, err := compress(ctx, segments, store, o, c, p)
	if err != nil {
		return Layer{}, err
	}
	l.MediaType = c.mediaType
	b, err := json.Marshal(l)
	if err != nil {
		return Layer{}, err
	}
	return l, store.PutDerived("layer", p.key, b)
}

// madeBefore finds the layer of the plan with the given key, if the store
// still has it.
func madeBefore(store cas.Store, key cas.Digest) (Layer, bool) {
	var l Layer
	b, ok := store.Derived("layer", key)
	if !ok || json.Unmarshal(b, &l) != nil || !store.Has(l.Digest, l.Size) {
		return Layer{}, false
	}
	return l, true
}

// Prove decompresses the layer's blob and compares it with the tar stream
// that the layer was made of: a mistake of the encoder, or of the machine
// that it ran on, must not be published (threats.md Z-08).
//
// It is done before a layer is sent to a registry, not when it is made: there
// it would cost a cold build four tenths of the time of gzip (115 MB/s to
// compress, 283 to decompress, one core), and every reader of a gzip member or zstd
// frame compares it with the checksum at its end anyway.
func (l Layer) Prove(ctx context.Context, store cas.Store) error {
	blob, err := store.Open(cas.Ref{Digest: l.Digest, Size: l.Size})
	if err != nil {
		return err
	}
	defer blob.Close()
	plain, err := decompressor(stoppableReader{ctx, blob})
	if err != nil {
		return err
	}
	defer plain.Close()
	d := newDigester(plain)
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, d, make([]byte, 128<<10)); err != nil {
		return fmt.Errorf("layer %s: %w", l.Digest, err)
	}
	if got := d.sum(); got != l.DiffID {
		return fmt.Errorf("layer %s: decompressed it is %s, and was made of %s", l.Digest, got, l.DiffID)
	}
	return nil
}

// descriptor is how a manifest names the layer.
func (l Layer) descriptor() v1.Descriptor { return descriptor(l.MediaType, l.Digest, l.Size) }
