package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
	"compose/rootfs"
)

// A server is a registry on loopback that notes what is asked of it, and may
// be made to misbehave.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	changes []string // PUT and POST requests that it answered
	hook    hook     // under mu
}

// A hook may answer a request itself, and says whether it did.
type hook func(w http.ResponseWriter, r *http.Request, next http.Handler) bool

// answer sets the hook. Requests of a push that broke off may still be on
// their way.
func (s *server) answer(h hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = h
}

func (s *server) hooked() hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hook
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.hooked(); h != nil && h(w, r, inner) {
			return
		}
		inner.ServeHTTP(w, r)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, r.Method+" "+r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// ref is a reference into the server.
func (s *server) ref(rest string) string { return strings.TrimPrefix(s.URL, "http://") + "/" + rest }

// tag is the digest that a tag of the server stands for; "" for none.
func (s *server) tag(t *testing.T, rest string) string {
	t.Helper()
	r, err := name.ParseReference(s.ref(rest))
	must(t, err)
	d, err := remote.Head(r)
	if missing(err) {
		return ""
	}
	must(t, err)
	return d.Digest.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newBundle is a small image for each of the architectures.
func newBundle(t *testing.T, store cas.Store, motd string, archs ...string) *oci.Bundle {
	t.Helper()
	ref, err := store.Put(strings.NewReader(motd))
	must(t, err)
	tree := rootfs.NewTree()
	must(t, tree.Add(rootfs.Node{Path: "etc/motd", Type: rootfs.Regular, Mode: 0o644, Content: ref}))
	segments, err := rootfs.Segments(tree)
	must(t, err)
	l, err := oci.NewLayer(t.Context(), segments, store, oci.LayerOptions{Compression: "gzip"})
	must(t, err)
	var images []*oci.Image
	for _, arch := range archs {
		i, err := oci.NewImage(oci.Config{}, spec.Platform{OS: "linux", Architecture: arch}, 0, []oci.Layer{l}, nil)
		must(t, err)
		images = append(images, i)
	}
	x, err := oci.NewIndex(images, nil)
	must(t, err)
	note, err := oci.NewReferrer(images[0].Manifest.Descriptor, "text/plain", []byte("a note"))
	must(t, err)
	return &oci.Bundle{Name: "sample", Index: x, Artifacts: []oci.Artifact{note}}
}

func TestPushAndOpen(t *testing.T) {
	for _, archs := range [][]string{{"amd64"}, {"amd64", "arm64"}} {
		t.Run(strings.Join(archs, " "), func(t *testing.T) {
			store, s := cas.NewMem(), newServer(t)
			b := newBundle(t, store, "hello", archs...)
			var c Client
			done, err := c.Push(t.Context(), s.ref("team/sample:1"), b, store, nil)
			must(t, err)
			if done.Digest != b.Index.Digest() || !done.Previous.IsZero() || s.tag(t, "team/sample:1") != done.Digest.String() {
				t.Errorf("pushed %+v, want %s", done, b.Index.Digest())
			}
			if last := s.changes[len(s.changes)-1]; last != "PUT /v2/team/sample/manifests/1" {
				t.Errorf("the last change is %s, want the tag", last)
			}
			note := b.Artifacts[0].Manifest.Descriptor.Digest.String()
			if s.tag(t, "team/sample@"+note) != note {
				t.Error("the artifact is not there")
			}
			got, err := c.Open(t.Context(), s.ref("team/sample:1"))
			must(t, err)
			defer got.Close()
			if string(got.Root.Digest) != b.Index.Digest().String() || len(got.Images) != len(archs) {
				t.Errorf("opened %+v", got)
			}
			tree, err := got.Images[0].Tree(t.Context(), nil)
			must(t, err)
			if n := tree.Get("etc/motd"); n == nil || n.Content.Digest != cas.Sum([]byte("hello")) {
				t.Errorf("got %+v", n)
			}
			t.Run("once more, nothing is sent", func(t *testing.T) {
				s.changes = nil
				done, err := c.Push(t.Context(), s.ref("team/sample:1"), b, store, nil)
				must(t, err)
				if done.Previous != done.Digest || slices.ContainsFunc(s.changes, func(c string) bool { return strings.Contains(c, "/blobs/") }) {
					t.Errorf("%+v; changes: %q", done, s.changes)
				}
			})
			t.Run("another image under the tag: the one before is told (P-05)", func(t *testing.T) {
				other := newBundle(t, store, "other", archs...)
				done, err := c.Push(t.Context(), s.ref("team/sample:1"), other, store, nil)
				must(t, err)
				if done.Previous != b.Index.Digest() || done.Digest != other.Index.Digest() {
					t.Errorf("%+v", done)
				}
			})
			t.Run("by digest: no tag is set", func(t *testing.T) {
				s.changes = nil
				_, err := c.Push(t.Context(), s.ref("by/digest@"+b.Index.Digest().String()), b, store, nil)
				must(t, err)
				if s.tag(t, "by/digest:latest") != "" || s.tag(t, "by/digest@"+b.Index.Digest().String()) == "" {
					t.Errorf("changes: %q", s.changes)
				}
			})
		})
	}
}

// Where a push breaks off, the tag stays what it was; the same push, once
// more, completes it (P-01, P-03, P-12).
func TestTagMovesLast(t *testing.T) {
	store := cas.NewMem()
	first, second := newBundle(t, store, "first", "amd64", "arm64"), newBundle(t, store, "second", "amd64", "arm64")
	broken := errors.New("broken")
	tests := []struct {
		rule   string
		hook   func(w http.ResponseWriter, r *http.Request, next http.Handler) bool
		attach func(context.Context, name.Digest) error
	}{
		{"a blob is refused", refuse(http.MethodPatch, "/blobs/"), nil},
		{"an upload cannot begin", refuse(http.MethodPost, "/blobs/"), nil},
		{"a manifest is refused", refuse(http.MethodPut, "/manifests/sha256:"), nil},
		{"the tag is refused", refuse(http.MethodPut, "/manifests/1"), nil},
		{"signing fails", nil, func(context.Context, name.Digest) error { return broken }},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			s := newServer(t)
			var c Client
			_, err := c.Push(t.Context(), s.ref("sample:1"), first, store, nil)
			must(t, err)
			s.answer(tt.hook)
			_, err = c.Push(t.Context(), s.ref("sample:1"), second, store, tt.attach)
			if fault.Of(err) != fault.Publish {
				t.Errorf("got %v, want a refusal to publish", err)
			}
			if tt.attach != nil && !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			s.answer(nil)
			if got := s.tag(t, "sample:1"); got != first.Index.Digest().String() {
				t.Errorf("the tag is %s, want %s as before", got, first.Index.Digest())
			}
			_, err = c.Push(t.Context(), s.ref("sample:1"), second, store, nil)
			must(t, err)
			if got := s.tag(t, "sample:1"); got != second.Index.Digest().String() {
				t.Errorf("after a second try the tag is %s, want %s", got, second.Index.Digest())
			}
		})
	}
}

// refuse answers 403 to such requests.
func refuse(method, path string) func(http.ResponseWriter, *http.Request, http.Handler) bool {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return false
		}
		http.Error(w, `{"errors":[{"code":"DENIED"}]}`, http.StatusForbidden)
		return true
	}
}

// Z-08: a layer that does not hold what it was made of is not sent.
func TestPushProvesLayers(t *testing.T) {
	store, s := cas.NewMem(), newServer(t)
	b := newBundle(t, store, "hello", "amd64")
	b.Index.Images[0].Layers[0].DiffID = cas.Sum(nil)
	_, err := Client{}.Push(t.Context(), s.ref("sample:1"), b, store, nil)
	if err == nil || !strings.Contains(err.Error(), "and was made of "+cas.Sum(nil).String()) || len(s.changes) > 0 {
		t.Errorf("got %v, changes: %q", err, s.changes)
	}
}

// The image is there by its digest when it is signed, and not yet by its tag.
func TestAttachComesBeforeTheTag(t *testing.T) {
	store, s := cas.NewMem(), newServer(t)
	b := newBundle(t, store, "hello", "amd64")
	called := false
	_, err := Client{}.Push(t.Context(), s.ref("sample:1"), b, store, func(_ context.Context, image name.Digest) error {
		called = true
		if s.tag(t, "sample@"+image.DigestStr()) != b.Index.Digest().String() || s.tag(t, "sample:1") != "" {
			t.Errorf("the image is at %s, the tag at %q", image, s.tag(t, "sample:1"))
		}
		return nil
	})
	if err != nil || !called {
		t.Errorf("called: %v, %v", called, err)
	}
}

// A change that was made, but whose answer did not arrive as it should, is
// found to have been made (P-02).
func TestLostAnswers(t *testing.T) {
	for _, path := range []string{"/blobs/uploads/", "/manifests/sha256:", "/manifests/1"} {
		t.Run(path, func(t *testing.T) {
			store, s := cas.NewMem(), newServer(t)
			b := newBundle(t, store, "hello", "amd64", "arm64")
			s.hook = func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, path) {
					return false
				}
				next.ServeHTTP(httptest.NewRecorder(), r)
				http.Error(w, "not found", http.StatusNotFound)
				return true
			}
			done, err := Client{}.Push(t.Context(), s.ref("sample:1"), b, store, nil)
			if err != nil || s.tag(t, "sample:1") != done.Digest.String() {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
}

// What a registry gives back is compared with what was sent (P-04).
func TestRegistriesThatChangeThings(t *testing.T) {
	store := cas.NewMem()
	b := newBundle(t, store, "hello", "amd64")
	altered := func(change func(h http.Header, body []byte) []byte) func(http.ResponseWriter, *http.Request, http.Handler) bool {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := change(rec.Header(), rec.Body.Bytes())
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			w.Write(body)
			return true
		}
	}
	t.Run("another media type", func(t *testing.T) {
		s := newServer(t)
		s.hook = altered(func(h http.Header, body []byte) []byte {
			h.Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
			return body
		})
		if _, err := (Client{}).Push(t.Context(), s.ref("sample:1"), b, store, nil); fault.Of(err) != fault.Publish || s.tag(t, "sample:1") != "" {
			t.Errorf("got %v, tag %q", err, s.tag(t, "sample:1"))
		}
	})
	t.Run("other bytes", func(t *testing.T) {
		s := newServer(t)
		s.hook = altered(func(h http.Header, body []byte) []byte {
			body = bytes.ReplaceAll(body, []byte("layers"), []byte("Layers"))
			h.Set("Docker-Content-Digest", cas.Sum(body).String())
			return body
		})
		if _, err := (Client{}).Push(t.Context(), s.ref("sample:1"), b, store, nil); fault.Of(err) != fault.Publish || s.tag(t, "sample:1") != "" {
			t.Errorf("got %v, tag %q", err, s.tag(t, "sample:1"))
		}
	})
	t.Run("a blob that is altered on the way here", func(t *testing.T) {
		s := newServer(t)
		_, err := Client{}.Push(t.Context(), s.ref("sample:1"), b, store, nil)
		must(t, err)
		s.hook = func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			body[len(body)-1]++
			w.Write(body)
			return true
		}
		if _, err := (Client{}).Open(t.Context(), s.ref("sample:1")); err == nil {
			t.Error("no error")
		}
	})
}

func TestReferences(t *testing.T) {
	store, s := cas.NewMem(), newServer(t)
	b := newBundle(t, store, "hello", "amd64")
	tests := []struct {
		rule, ref string
		want      fault.ID
	}{
		{"a reference that is none", "Not A Reference", fault.Usage},
		{"a digest that is none (P-07)", s.ref("sample@sha256:../../x"), fault.Usage},
		{"the digest of another image", s.ref("sample@" + cas.Sum(nil).String()), fault.Repro},
		{"a private network, in the clear (P-06)", "10.255.255.1:1/sample:1", fault.NetDowngrade},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := Client{Transport: closed{}}
			if _, err := c.Push(ctx, tt.ref, b, store, nil); fault.Of(err) != tt.want {
				t.Errorf("got %v (%s), want %s", err, fault.Of(err), tt.want)
			}
		})
	}
	t.Run("an image that is not there", func(t *testing.T) {
		if _, err := (Client{}).Open(t.Context(), s.ref("nothing:1")); fault.Of(err) != fault.Usage || !strings.HasSuffix(err.Error(), "the registry has no such image") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a registry that does not answer", func(t *testing.T) {
		if _, err := (Client{Transport: closed{}}).Open(t.Context(), "example.org/sample:1"); fault.Of(err) != fault.Transfer {
			t.Errorf("got %v", err)
		}
	})
}

// A closed transport reaches nothing.
type closed struct{}

func (closed) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("no route to " + r.URL.Host)
}

// Plain http leaves the machine never, not by a redirect either (P-06).
func TestGuard(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://localhost:5000/v2/": true, "http://127.0.0.1:5000/v2/": true, "http://[::1]:5000/v2/": true, "https://example.org/v2/": true,
		"http://example.org/v2/": false, "http://10.0.0.1/v2/": false, "http://localhost.example.org/": false, "http://registry.local/v2/": false,
	} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		must(t, err)
		_, err = guard{closed{}}.RoundTrip(r)
		if got := fault.Of(err) != fault.NetDowngrade; got != ok {
			t.Errorf("%s: passed is %v, want %v: %v", url, got, ok, err)
		}
	}
	store, s := cas.NewMem(), newServer(t)
	s.hook = func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		http.Redirect(w, r, "http://example.org"+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	if _, err := (Client{}).Push(t.Context(), s.ref("sample:1"), newBundle(t, store, "hello", "amd64"), store, nil); fault.Of(err) != fault.NetDowngrade {
		t.Errorf("a redirect: got %v", err)
	}
}
