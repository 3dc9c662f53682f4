// Package registry brings images to registries, and reads them there.
//
// What a registry says is believed when it was read back and hashed, and a
// tag moves last, when everything that it will stand for is in its place.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
)

// A Client is a way to reach registries. The zero Client uses the
// credentials that docker login left, and the proxies of the environment.
type Client struct {
	Transport http.RoundTripper // nil: the library's own
	Keychain  authn.Keychain    // nil: Docker's
}

// Options is the client for other users of the registry library.
func (c Client) Options() []remote.Option {
	keys, tr := c.Keychain, c.Transport
	if keys == nil {
		keys = authn.DefaultKeychain
	}
	if tr == nil {
		tr = remote.DefaultTransport
	}
	return []remote.Option{remote.WithAuthFromKeychain(keys), remote.WithTransport(guard{tr}), remote.WithUserAgent("compose"), remote.WithJobs(runtime.GOMAXPROCS(0))}
}

// Reference reads a reference: example.org/team/python:3, or with a digest
// instead of the tag. Without either the tag is latest.
func Reference(ref string) (name.Reference, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return nil, fault.New(fault.Usage, "reference %q: %w", ref, err)
	}
	return r, nil
}

// A guard lets no request leave the machine in the clear, wherever a
// registry, its token server or a redirect may lead (threats.md P-06).
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !loopback(r.URL.Hostname()) {
		return nil, fault.New(fault.NetDowngrade, "%s://%s: want https, except on loopback", r.URL.Scheme, r.URL.Host)
	}
	return g.next.RoundTrip(r)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// word makes a refusal of the given kind of an error that is none.
func word(id fault.ID, ref name.Reference, err error) error {
	if err == nil || fault.Of(err) != "" || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.New(id, "%s: %w", ref, err)
}

func missing(err error) bool {
	e, ok := errors.AsType[*transport.Error](err)
	return ok && e.StatusCode == http.StatusNotFound
}

// Open opens the image that ref names.
func (c Client) Open(ctx context.Context, ref string) (*oci.Stored, error) {
	r, err := Reference(ref)
	if err != nil {
		return nil, err
	}
	puller, err := remote.NewPuller(c.Options()...)
	if err != nil {
		return nil, err
	}
	d, err := puller.Get(ctx, r)
	if missing(err) {
		return nil, fault.New(fault.Usage, "%s: the registry has no such image", r)
	}
	if err != nil {
		return nil, word(fault.Transfer, r, err)
	}
	root := spec.Descriptor{MediaType: string(d.MediaType), Digest: digestOf(d.Manifest), Size: int64(len(d.Manifest))}
	if want, ok := r.(name.Digest); ok && want.DigestStr() != string(root.Digest) {
		return nil, fault.New(fault.TrustHash, "%s: the registry's manifest has %s", r, root.Digest)
	}
	return oci.Read(ctx, r.String(), source{r, puller}, root)
}

// A source is the blobs of a repository.
type source struct {
	ref    name.Reference
	puller *remote.Puller
}

func (s source) Blob(ctx context.Context, d spec.Descriptor) (io.ReadCloser, error) {
	r, err := name.NewDigest(fmt.Sprintf("%s@%s", s.ref.Context(), d.Digest))
	if err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: %w", s.ref, err)
	}
	if isManifest(d.MediaType) {
		m, err := s.puller.Get(ctx, r)
		if err != nil {
			return nil, word(fault.Transfer, r, err)
		}
		return io.NopCloser(bytes.NewReader(m.Manifest)), nil
	}
	l, err := s.puller.Layer(ctx, r)
	if err != nil {
		return nil, word(fault.Transfer, r, err)
	}
	body, err := l.Compressed()
	return body, word(fault.Transfer, r, err)
}

// Pushed is what Push did.
type Pushed struct {
	Digest   cas.Digest // what the tag stands for now
	Previous cas.Digest // what it stood for before; zero: there was none
}

// Push brings a bundle to where ref says, and its tag last. attach, which
// may be nil, is called when the image is there by its digest, but not yet by
// its tag: signatures belong there.
//
// Whatever is there already is not sent again, so that a push that broke off
// can be repeated.
func (c Client) Push(ctx context.Context, ref string, b *oci.Bundle, store cas.Store, attach func(ctx context.Context, image name.Digest) error) (Pushed, error) {
	r, err := Reference(ref)
	if err != nil {
		return Pushed{}, err
	}
	p := &push{repo: r.Context(), store: store}
	if p.pusher, err = remote.NewPusher(c.Options()...); err != nil {
		return Pushed{}, err
	}
	if p.puller, err = remote.NewPuller(c.Options()...); err != nil {
		return Pushed{}, err
	}
	done, err := p.run(ctx, r, b, attach)
	return done, word(fault.Publish, r, err)
}
