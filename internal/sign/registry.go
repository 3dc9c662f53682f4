package sign

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"compose/internal/cas"
	"compose/internal/fault"
)

// A Registry is an image in a registry.
type Registry struct {
	ref     name.Reference
	options []remote.Option
}

// AtRegistry is the image that ref names. options say how to reach it.
func AtRegistry(ref name.Reference, options ...remote.Option) *Registry {
	return &Registry{ref, options}
}

// Close does nothing.
func (r *Registry) Close() error { return nil }

func (r *Registry) opts(ctx context.Context) []remote.Option {
	return append([]remote.Option{remote.WithContext(ctx)}, r.options...)
}

// Image reads the manifest that the reference names, once, and hashes it; its
// layers are not read.
func (r *Registry) Image(ctx context.Context) (Image, error) {
	d, err := remote.Get(r.ref, r.opts(ctx)...)
	if missingAtRegistry(err) {
		return Image{}, fault.New(fault.Usage, "%s: the registry has no such image", r.ref)
	}
	if err != nil {
		return Image{}, transferred(r.ref, err)
	}
	img, err := imageOf(r.ref.String(), d.Descriptor)
	if err != nil {
		return Image{}, err
	}
	if got := cas.Sum(d.Manifest); got != img.Digest {
		return Image{}, fault.New(fault.TrustHash, "%s: the registry says %s, its manifest has %s", r.ref, img.Digest, got)
	}
	return img, nil
}

// Platforms gives the images below img, one a platform; none where img is
// not an index.
func (r *Registry) Platforms(ctx context.Context, img Image) ([]Image, error) {
	if !types.MediaType(img.MediaType).IsIndex() {
		return nil, nil
	}
	ref := r.ref.Context().Digest(img.Digest.String()) // go-containerregistry checks it
	d, err := remote.Get(ref, r.opts(ctx)...)
	if err != nil {
		return nil, transferred(ref, err)
	}
	return platforms(ref.String(), d.Manifest)
}

// tag is where cosign keeps the artifacts of one kind.
func (r *Registry) tag(img Image, kind Kind) name.Tag {
	return r.ref.Context().Tag("sha256-" + img.Digest.Hex() + map[Kind]string{Signature: ".sig", Attestation: ".att"}[kind])
}

// Artifacts gives what is attached to img, of one kind.
func (r *Registry) Artifacts(ctx context.Context, img Image, kind Kind) ([]Artifact, error) {
	if kind == Bundle {
		return r.bundles(ctx, img)
	}
	tag := r.tag(img, kind)
	d, err := remote.Get(tag, r.opts(ctx)...)
	if missingAtRegistry(err) {
		return nil, nil
	}
	if err != nil {
		return nil, transferred(tag, err)
	}
	if len(d.Manifest) > maxManifest {
		return nil, fault.New(fault.LimitSize, "%s: longer than %d bytes", tag, maxManifest)
	}
	return artifacts(tag.String(), kind, d.Manifest, func(b v1.Descriptor) ([]byte, error) { return r.blob(ctx, b) })
}

// bundles finds bundles among the referrers of img.
func (r *Registry) bundles(ctx context.Context, img Image) ([]Artifact, error) {
	subject := r.ref.Context().Digest(img.Digest.String())
	index, err := remote.Referrers(subject, r.opts(ctx)...)
	if err != nil {
		return nil, transferred(subject, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, transferred(subject, err)
	}
	if len(m.Manifests) > maxArtifacts {
		return nil, fault.New(fault.LimitSize, "%s: %d referrers, more than %d", subject, len(m.Manifests), maxArtifacts)
	}
	var list []Artifact
	for _, d := range m.Manifests {
		ref := r.ref.Context().Digest(d.Digest.String())
		got, err := remote.Get(ref, r.opts(ctx)...) // which checks the digest
		if err != nil {
			return nil, transferred(ref, err)
		}
		// Some registries list the type of the config; the manifest knows.
		var m v1.Manifest
		if len(got.Manifest) > maxManifest || decode(got.Manifest, &m) != nil || m.ArtifactType != artifactTypes[Bundle] || m.Subject == nil || m.Subject.Digest != hash(img.Digest) {
			continue
		}
		some, err := artifacts(ref.String(), Bundle, got.Manifest, func(b v1.Descriptor) ([]byte, error) { return r.blob(ctx, b) })
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

func missingAtRegistry(err error) bool {
	t, ok := errors.AsType[*transport.Error](err)
	return ok && t.StatusCode == http.StatusNotFound
}

// blob reads a blob, checked.
func (r *Registry) blob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	ref := r.ref.Context().Digest(d.Digest.String())
	layer, err := remote.Layer(ref, r.opts(ctx)...)
	if err != nil {
		return nil, transferred(ref, err)
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, transferred(ref, err)
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, d.Size+1))
	if err != nil {
		return nil, transferred(ref, err)
	}
	return b, checkBlob(ref.Context().String(), d, int64(len(b)), cas.Sum(b))
}

// Attach stores artifacts beside the image, with those that are there
// already, and reads them back. The image must be in the registry; a tag of
// its own can be moved to it afterwards (threats.md P-12).
func (r *Registry) Attach(ctx context.Context, img Image, list ...Artifact) error {
	var all []Artifact
	for _, kind := range []Kind{Signature, Attestation} {
		if !has(list, kind) {
			continue
		}
		old, err := r.Artifacts(ctx, img, kind)
		if err != nil {
			return err
		}
		all = append(all, old...)
	}
	manifests, err := Manifests(img, append(all, list...))
	if err != nil {
		return err
	}
	for _, m := range manifests {
		if err := r.push(ctx, img, m); err != nil {
			return err
		}
	}
	return nil
}

func has(list []Artifact, kind Kind) bool {
	for _, a := range list {
		if a.Kind == kind {
			return true
		}
	}
	return false
}

func (r *Registry) push(ctx context.Context, img Image, m Manifest) error {
	repo := r.ref.Context()
	var tag name.Reference = repo.Digest(cas.Sum(m.Bytes).String())
	if m.Kind != Bundle {
		tag = r.tag(img, m.Kind)
	}
	for _, b := range m.Blobs {
		if err := remote.WriteLayer(repo, static.NewLayer(b, types.OCILayer), r.opts(ctx)...); err != nil {
			return published(tag, err)
		}
	}
	if err := remote.Put(tag, taggable{m}, r.opts(ctx)...); err != nil {
		return published(tag, err)
	}
	d, err := remote.Get(tag, r.opts(ctx)...)
	if err != nil {
		return published(tag, err)
	}
	if got, want := cas.Sum(d.Manifest), cas.Sum(m.Bytes); got != want {
		return fault.New(fault.Publish, "%s: pushed %s, read back %s", tag, want, got)
	}
	return nil
}

// A taggable is a Manifest as go-containerregistry wants it.
type taggable struct{ m Manifest }

func (t taggable) RawManifest() ([]byte, error)        { return t.m.Bytes, nil }
func (t taggable) MediaType() (types.MediaType, error) { return types.MediaType(t.m.MediaType), nil }

func transferred(ref name.Reference, err error) error {
	return fault.New(fault.Transfer, "%s: %w", ref, err)
}

func published(ref name.Reference, err error) error {
	return fault.New(fault.Publish, "%s: %w", ref, err)
}
