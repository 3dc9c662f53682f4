package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"compose/internal/cas"
	"compose/internal/fault"
)

// readAll reads everything of a layout; what is refused must be a fault.
func readAll(t *testing.T, l *Layout) {
	t.Helper()
	ctx := context.Background()
	img, err := l.Image(ctx)
	if err == nil {
		_, err = l.Platforms(ctx, img)
	}
	for _, kind := range []Kind{Signature, Attestation} {
		var list []Artifact
		if err == nil {
			list, err = l.Artifacts(ctx, img, kind)
		}
		for _, a := range list {
			if _, bad := a.Claim(); bad != nil && fault.Of(bad) == "" {
				t.Errorf("%v is no fault", bad)
			}
		}
	}
	if err != nil && fault.Of(err) == "" {
		t.Errorf("%v is no fault", err)
	}
}

// files is a layout in memory.
type files struct{ fstest.MapFS }

func (files) Close() error        { return nil }
func (files) apply(*change) error { return errors.ErrUnsupported }

// FuzzManifest reads one document as an image, as an index above it, and as
// what is attached to it.
func FuzzManifest(f *testing.F) {
	_, blobs := smallImage(true)
	for _, b := range blobs {
		f.Add(b)
	}
	f.Add([]byte(`{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:x","size":-1}]}`))
	f.Add([]byte(`{"config":{"digest":"md5:00","size":1},"layers":[{"size":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, mt := range []types.MediaType{types.OCIManifestSchema1, types.OCIImageIndex} {
			top, m := smallImage(false)
			attached := descriptor(string(types.OCIManifestSchema1), doc)
			attached.Annotations = LayoutMark(string(Attestation))
			for _, index := range []v1.IndexManifest{
				{Manifests: []v1.Descriptor{descriptor(string(mt), doc)}},
				{Manifests: []v1.Descriptor{top, attached}},
			} {
				mem := fstest.MapFS{blobDir + cas.Sum(doc).Hex(): {Data: doc}}
				for name, b := range m {
					mem[name] = &fstest.MapFile{Data: b}
				}
				text, err := json.Marshal(index)
				if err != nil {
					t.Fatal(err)
				}
				mem["index.json"] = &fstest.MapFile{Data: text}
				readAll(t, &Layout{"fuzz", files{mem}})
			}
		}
	})
}

// FuzzIndex reads a layout's index.
func FuzzIndex(f *testing.F) {
	f.Add(layoutFiles(false)["index.json"])
	f.Add(layoutFiles(true)["index.json"])
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../../../x","size":1}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		mem := fstest.MapFS{"index.json": {Data: doc}}
		_, blobs := smallImage(true)
		for name, b := range blobs {
			mem[name] = &fstest.MapFile{Data: b}
		}
		readAll(t, &Layout{"fuzz", files{mem}})
	})
}

// FuzzArchive reads an archive.
func FuzzArchive(f *testing.F) {
	f.Add(archiveBytes(f, true))
	f.Add(archiveBytes(f, false)[:1024])
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &archive{file: memoryFile{bytes.NewReader(b)}, members: map[string]member{}}
		if a.read() == nil {
			readAll(t, &Layout{"fuzz", a})
		}
	})
}

// A memoryFile is a file in memory.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// FuzzClaim reads what was signed.
func FuzzClaim(f *testing.F) {
	img := Image{Digest: cas.Sum(nil)}
	f.Add([]byte(`{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":"` + img.Digest.String() + `"},"type":"cosign container image signature"},"optional":null}`))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"x"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if claims(img, Artifact{Kind: Signature, Payload: b}) == nil && !strings.Contains(string(b), img.Digest.Hex()) && !strings.Contains(string(b), `\u`) {
			t.Errorf("%q was taken for a signature of %s", b, img.Digest)
		}
		if s, err := readStatement(b); err == nil && (s.PredicateType == "" || !json.Valid(s.Predicate)) {
			t.Errorf("statement %+v", s)
		}
	})
}

// M-09: the password of a key is in nothing that signing leaves behind.
func TestM09PasswordStaysSecret(t *testing.T) {
	k, prefix := newKey(t, ECDSA)
	dir := t.TempDir()
	writeLayout(t, dir, true)
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	signAt(t, p, k)
	for _, root := range []string{dir, filepath.Dir(prefix)} {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(file)
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds the password", file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
