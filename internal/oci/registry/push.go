package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	digest "github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
)

// A push is one call of Push.
type push struct {
	repo   name.Repository
	store  cas.Store
	pusher *remote.Pusher
	puller *remote.Puller
}

func (p *push) run(ctx context.Context, ref name.Reference, b *oci.Bundle, attach func(context.Context, name.Digest) error) (Pushed, error) {
	done := Pushed{Digest: b.Index.Digest()}
	image := p.repo.Digest(done.Digest.String())
	if want, ok := ref.(name.Digest); ok && want.DigestStr() != image.DigestStr() {
		return Pushed{}, fault.New(fault.Repro, "%s: the image is %s", ref, done.Digest)
	}
	var err error
	if done.Previous, err = p.tagged(ctx, ref); err != nil {
		return Pushed{}, err
	}
	if err := p.prove(ctx, b); err != nil {
		return Pushed{}, err
	}
	blobs, manifests := sorted(b)
	if err := p.blobs(ctx, blobs); err != nil {
		return Pushed{}, err
	}
	for _, m := range manifests {
		if err := p.manifest(ctx, m); err != nil {
			return Pushed{}, err
		}
	}
	if attach != nil {
		if err := attach(ctx, image); err != nil {
			return Pushed{}, err
		}
	}
	tag, ok := ref.(name.Tag)
	if !ok {
		return done, nil
	}
	if err := p.pusher.Put(ctx, tag, taggable{b.Index.Root}); err != nil {
		if now, e := p.tagged(ctx, tag); e != nil || now != done.Digest { // P-02: it may have worked
			return Pushed{}, err
		}
	}
	now, err := p.tagged(ctx, tag)
	if err == nil && now != done.Digest {
		err = fault.New(fault.Publish, "%s: the tag was set to %s, and is %s", tag, done.Digest, now)
	}
	return done, err
}

// prove checks the layers that the repository does not have yet (Z-08).
func (p *push) prove(ctx context.Context, b *oci.Bundle) error {
	proved := map[cas.Digest]bool{}
	for _, i := range b.Index.Images {
		for _, l := range i.Layers {
			if proved[l.Digest] || p.has(ctx, blobOf(l)) {
				continue
			}
			if err := l.Prove(ctx, p.store); err != nil {
				return err
			}
			proved[l.Digest] = true
		}
	}
	return nil
}

func blobOf(l oci.Layer) oci.Blob {
	return oci.Blob{Descriptor: spec.Descriptor{MediaType: l.MediaType, Digest: digest.Digest(l.Digest.String()), Size: l.Size}}
}

// sorted gives what Push sends: plain blobs, in no order, and manifests, each
// after those that it refers to.
func sorted(b *oci.Bundle) (blobs, manifests []oci.Blob) {
	for _, i := range b.Index.Images {
		for _, l := range i.Layers {
			blobs = append(blobs, blobOf(l))
		}
		blobs = append(blobs, i.Config)
		manifests = append(manifests, i.Manifest)
	}
	if len(b.Index.Images) > 1 {
		manifests = append(manifests, b.Index.Root)
	}
	for _, a := range b.Artifacts {
		blobs = append(blobs, a.Blobs...)
		manifests = append(manifests, a.Manifest)
	}
	return blobs, manifests
}

// tagged is the digest that ref stands for; zero if it stands for nothing.
func (p *push) tagged(ctx context.Context, ref name.Reference) (cas.Digest, error) {
	d, err := p.puller.Head(ctx, ref)
	if missing(err) {
		return cas.Digest{}, nil
	}
	if err != nil {
		return cas.Digest{}, err
	}
	return cas.ParseDigest(d.Digest.String())
}

// blobs sends blobs, each once, several at a time.
func (p *push) blobs(ctx context.Context, blobs []oci.Blob) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(4, runtime.GOMAXPROCS(0))) // it is the network that is waited for
	seen := map[string]bool{}
	for _, b := range blobs {
		if seen[string(b.Descriptor.Digest)] {
			continue
		}
		seen[string(b.Descriptor.Digest)] = true
		g.Go(func() error {
			err := p.pusher.Upload(ctx, p.repo, layer{b, p.store})
			if err != nil && p.has(ctx, b) { // P-02: it may have worked
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// has asks whether the repository has the blob.
func (p *push) has(ctx context.Context, b oci.Blob) bool {
	l, err := p.puller.Layer(ctx, p.repo.Digest(string(b.Descriptor.Digest)))
	if err != nil {
		return false
	}
	size, err := l.Size()
	return err == nil && size == b.Descriptor.Size
}

// manifest sends a manifest and reads it back (P-04).
func (p *push) manifest(ctx context.Context, b oci.Blob) error {
	ref := p.repo.Digest(string(b.Descriptor.Digest))
	putErr := p.pusher.Put(ctx, ref, taggable{b})
	d, err := p.puller.Get(ctx, ref)
	if err != nil {
		if putErr != nil {
			err = putErr
		}
		return err
	}
	if !bytes.Equal(d.Manifest, b.Data) || string(d.MediaType) != b.Descriptor.MediaType {
		return fault.New(fault.Publish, "%s: sent %s, the registry has %s of type %s", ref, b.Descriptor.MediaType, digestOf(d.Manifest), d.MediaType)
	}
	return nil
}

// A taggable is a manifest as the library wants it.
type taggable struct{ b oci.Blob }

func (t taggable) RawManifest() ([]byte, error) { return t.b.Data, nil }
func (t taggable) MediaType() (types.MediaType, error) {
	return types.MediaType(t.b.Descriptor.MediaType), nil
}

// A layer is a blob as the library wants it.
type layer struct {
	b     oci.Blob
	store cas.Store
}

func (l layer) Digest() (v1.Hash, error)             { return v1.NewHash(string(l.b.Descriptor.Digest)) }
func (l layer) Size() (int64, error)                 { return l.b.Descriptor.Size, nil }
func (l layer) MediaType() (types.MediaType, error)  { return types.OCILayer, nil } // one that is always sent
func (l layer) Compressed() (io.ReadCloser, error)   { return l.b.Open(l.store) }
func (l layer) DiffID() (v1.Hash, error)             { return v1.Hash{}, errUnused }
func (l layer) Uncompressed() (io.ReadCloser, error) { return nil, errUnused }

var errUnused = errors.New("a blob is sent as it is")

func digestOf(b []byte) digest.Digest { return digest.Digest(cas.Sum(b).String()) }

func isManifest(mediaType string) bool {
	t := types.MediaType(mediaType)
	return t.IsImage() || t.IsIndex()
}
