package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"compose/internal/cas"
	"compose/internal/fault"
)

// editIndex changes the index of a layout folder and adds blobs to it.
func editIndex(t *testing.T, dir string, edit func(*v1.IndexManifest), blobs ...[]byte) {
	t.Helper()
	file := filepath.Join(dir, "index.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	edit(&index)
	if text, err = json.Marshal(index); err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		if err := os.WriteFile(filepath.Join(dir, blobDir, cas.Sum(b).Hex()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatALayoutHolds(t *testing.T) {
	top, _ := smallImage(false)
	config := descriptor(emptyType, []byte("{}"))
	sbom, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, ArtifactType: "application/spdx+json", Subject: &top})
	if err != nil {
		t.Fatal(err)
	}
	another, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	crowd := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for range maxImages + 1 {
		crowd.Manifests = append(crowd.Manifests, top)
	}
	many, err := json.Marshal(crowd)
	if err != nil {
		t.Fatal(err)
	}
	add := func(b []byte, typed bool) func(*v1.IndexManifest) {
		return func(i *v1.IndexManifest) {
			d := descriptor(string(types.OCIManifestSchema1), b)
			if typed {
				d.ArtifactType = "application/spdx+json"
			}
			i.Manifests = append([]v1.Descriptor{d}, i.Manifests...)
		}
	}
	tests := []struct {
		rule string
		edit func(*v1.IndexManifest)
		blob []byte
		want fault.ID
	}{
		{"a referrer that says its type is passed over", add(sbom, true), sbom, ""},
		{"a referrer that only names its subject, too", add(sbom, false), sbom, ""},
		{"two images are one too many", add(another, false), another, fault.FormatInvalid},
		{"no image is one too few", func(i *v1.IndexManifest) { i.Manifests = nil }, nil, fault.FormatInvalid},
		{"there is a limit to the platforms", func(i *v1.IndexManifest) {
			i.Manifests = []v1.Descriptor{descriptor(string(types.OCIImageIndex), many)}
		}, many, fault.LimitSize},
		{"a blob must have its size", func(i *v1.IndexManifest) { i.Manifests[0].Size++ }, nil, fault.TrustHash},
		{"a blob must be there", func(i *v1.IndexManifest) { i.Manifests[0].Digest = hash(cas.Sum([]byte("gone"))) }, nil, fault.FormatInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			dir := t.TempDir()
			writeLayout(t, dir, false)
			editIndex(t, dir, tt.edit, tt.blob)
			p, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			img, err := p.Image(context.Background())
			if fault.Of(err) != tt.want || (err != nil) != (tt.want != "") {
				t.Fatalf("got %v (%s)", err, fault.Of(err))
			}
			if err == nil && img.Digest.String() != top.Digest.String() {
				t.Errorf("got the image %s", img.Digest)
			}
		})
	}
}

// Attaching leaves everything else as it was.
func TestAttachKeepsTheRest(t *testing.T) {
	k, _ := newKey(t, ECDSA)
	top, _ := smallImage(true)
	sbom, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: descriptor(emptyType, []byte("{}")), Subject: &top})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeLayout(t, dir, true)
	editIndex(t, dir, func(i *v1.IndexManifest) {
		i.Annotations = map[string]string{"org.example.mine": "yes"}
		i.Manifests = append(i.Manifests, descriptor(string(types.OCIManifestSchema1), sbom))
	}, sbom)
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	signAt(t, p, k)
	editIndex(t, dir, func(i *v1.IndexManifest) {
		held := func(d v1.Hash) *v1.Descriptor {
			for _, m := range i.Manifests {
				if m.Digest == d {
					return &m
				}
			}
			return &v1.Descriptor{}
		}
		image := held(top.Digest).Annotations
		if image["org.opencontainers.image.ref.name"] != "demo" || image[kindKey] != kindPrefix+"imageIndex" {
			t.Errorf("the image has the annotations %v", image)
		}
		if held(hash(cas.Sum(sbom))).Size == 0 || i.Annotations["org.example.mine"] != "yes" {
			t.Errorf("something was lost: %+v", i)
		}
	})
	ctx := context.Background()
	stranger := Image{MediaType: string(types.OCIManifestSchema1), Digest: cas.Sum(nil)}
	before, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Attach(ctx, stranger, Artifact{Kind: Signature}); fault.Of(err) != fault.Usage {
		t.Errorf("an image that is not there: %v (%s)", err, fault.Of(err))
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "index.json")); !bytes.Equal(before, after) {
		t.Error("a refusal changed the index")
	}
}

// P-04: what a registry took is read back.
func TestP04RegistryForgets(t *testing.T) {
	reg := pushedThrough(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".sig") {
				w.WriteHeader(http.StatusCreated)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, false)
	k, _ := newKey(t, ECDSA)
	ctx := context.Background()
	img, err := reg.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := k.Sign(ctx, img, "demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Attach(ctx, img, sig); fault.Of(err) != fault.Publish {
		t.Errorf("got %v (%s)", err, fault.Of(err))
	}
}
