package sign

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/testrepo"
)

const secret = "correct horse"

func password(s string) Password { return func(bool) ([]byte, error) { return []byte(s), nil } }

// newKey makes a key pair and gives it with the prefix of its files.
func newKey(t *testing.T, a Algorithm) (*Key, string) {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "cosign")
	if err := Keygen(prefix, a, password(secret)); err != nil {
		t.Fatal(err)
	}
	k, err := LoadKey(prefix+".key", password(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k, prefix
}

// A small image: its blobs, and the descriptor of its manifest, or of an
// index above it.
func smallImage(index bool) (v1.Descriptor, map[string][]byte) {
	blobs := map[string][]byte{}
	put := func(mt types.MediaType, b []byte) v1.Descriptor {
		d := descriptor(string(mt), b)
		blobs["blobs/sha256/"+d.Digest.Hex] = b
		return d
	}
	layer := put(types.OCILayer, []byte("a layer"))
	config := put(types.OCIConfigJSON, []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["`+layer.Digest.String()+`"]}}`))
	m, _ := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{layer}})
	top := put(types.OCIManifestSchema1, m)
	if index {
		top.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
		i, _ := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{top}})
		top = put(types.OCIImageIndex, i)
	}
	return top, blobs
}

func layoutFiles(index bool) map[string][]byte {
	top, files := smallImage(index)
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "demo"}
	i, _ := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{top}})
	files["index.json"] = i
	files["oci-layout"] = []byte(`{"imageLayoutVersion":"1.0.0"}`)
	return files
}

// A place is somewhere an image can be attached to and verified at.
type place struct {
	name string
	open func(*testing.T) Place
}

func places(t *testing.T, index bool) []place {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
	writeLayout(t, dir, index)
	writeArchive(t, file, index)
	reg := pushed(t, index)
	opens := func(image string) func(*testing.T) Place {
		return func(t *testing.T) Place {
			p, err := Open(image)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		}
	}
	return []place{{"layout", opens(dir)}, {"archive", opens(file)}, {"registry", opens(reg.ref.String())}}
}

func writeLayout(t *testing.T, dir string, index bool) {
	t.Helper()
	for name, b := range layoutFiles(index) {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func writeArchive(t *testing.T, file string, index bool) {
	t.Helper()
	if err := os.WriteFile(file, archiveBytes(t, index), 0o644); err != nil {
		t.Fatal(err)
	}
}

func archiveBytes(t testing.TB, index bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "blobs/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	files := layoutFiles(index)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pushed puts the image into a registry on loopback, under the tag v1.
func pushed(t *testing.T, index bool, options ...registry.Option) *Registry {
	t.Helper()
	return pushedThrough(t, func(h http.Handler) http.Handler { return h }, index, options...)
}

// pushedThrough is pushed with something between client and registry.
func pushedThrough(t *testing.T, between func(http.Handler) http.Handler, index bool, options ...registry.Option) *Registry {
	t.Helper()
	srv := httptest.NewServer(between(registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)))
	t.Cleanup(srv.Close)
	repo, err := name.NewRepository(strings.TrimPrefix(srv.URL, "http://")+"/demo/app", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	_, blobs := smallImage(index)
	for _, b := range blobs {
		if err := remote.WriteLayer(repo, static.NewLayer(b, types.OCILayer)); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []bool{false, index} {
		top, blobs := smallImage(i)
		m := Manifest{MediaType: string(top.MediaType), Bytes: blobs["blobs/sha256/"+top.Digest.Hex]}
		if err := remote.Put(repo.Tag("v1"), taggable{m}); err != nil {
			t.Fatal(err)
		}
	}
	return AtRegistry(repo.Tag("v1"))
}

const provenance = `{"buildDefinition":{"buildType":"https://example.org/type","externalParameters":{},"internalParameters":{},"resolvedDependencies":[]},"runDetails":{"builder":{"id":"https://example.org/builder"},"metadata":{}}}`

const predicate = `{"spdxVersion":"SPDX-2.3","name":"<demo>"}`

// signAt signs the image at p, and the one below it if there is one, with k
// and attests two things of each.
func signAt(t *testing.T, p Place, k *Key) {
	t.Helper()
	ctx := context.Background()
	img, err := p.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	below, err := p.Platforms(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range append(below, img) {
		signImage(t, p, img, k)
	}
}

func signImage(t *testing.T, at Place, img Image, k *Key) {
	t.Helper()
	ctx := context.Background()
	const name = "example.org/demo/app"
	sig, err := k.Sign(ctx, img, name)
	if err != nil {
		t.Fatal(err)
	}
	sbom, err := k.Attest(ctx, img, name, SPDX, []byte(predicate))
	if err != nil {
		t.Fatal(err)
	}
	slsa, err := k.Attest(ctx, img, name, SLSA, []byte(provenance))
	if err != nil {
		t.Fatal(err)
	}
	if err := at.Attach(ctx, img, sig, sbom); err != nil {
		t.Fatal(err)
	}
	if err := at.Attach(ctx, img, slsa); err != nil { // what was there stays
		t.Fatal(err)
	}
}

// bundleAt attaches bundles that say the same as what signAt attaches.
func bundleAt(t *testing.T, p Place, k *Key) {
	t.Helper()
	ctx := context.Background()
	img, err := p.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for typ, says := range map[string]string{Signed: "{}", SPDX: predicate, SLSA: provenance} {
		a, err := k.Attest(ctx, img, "example.org/demo/app", typ, []byte(says))
		if err != nil {
			t.Fatal(err)
		}
		if a, err = k.Bundle(a); err != nil {
			t.Fatal(err)
		}
		if err := p.Attach(ctx, img, a); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSignAndVerify(t *testing.T) {
	for _, alg := range []Algorithm{ECDSA, Ed25519} {
		k, prefix := newKey(t, alg)
		pub, err := LoadPublicKey(prefix + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		other, _ := newKey(t, alg)
		for _, index := range []bool{false, true} {
			for _, p := range places(t, index) {
				t.Run(string(alg)+" "+p.name+map[bool]string{true: " index"}[index], func(t *testing.T) {
					ctx := context.Background()
					refused(t, pub, p.open(t), "no signature")
					signAt(t, p.open(t), k)
					proof, err := pub.Verify(ctx, p.open(t), SPDX, SLSA)
					if err != nil {
						t.Fatal(err)
					}
					top, _ := smallImage(index)
					if proof.Image.Digest.String() != top.Digest.String() || proof.Signatures != 1 || len(proof.Claims) != map[bool]int{false: 2, true: 4}[index] {
						t.Errorf("proof %+v", proof)
					}
					if c := proof.Claims[0]; c.PredicateType != SPDX || !sameJSON(c.Predicate, []byte(predicate)) {
						t.Errorf("claim %s: %s", c.PredicateType, c.Predicate)
					}
					refused(t, pub, p.open(t), "no attestation https://cyclonedx.org/bom", CycloneDX)
					refused(t, other.Public, p.open(t), "no signature by this key, and 1 by others")
				})
			}
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Contains(x.Bytes(), []byte("SPDX-2.3")) &&
		strings.ReplaceAll(strings.ReplaceAll(x.String(), `\u003c`, "<"), `\u003e`, ">") == y.String()
}

func refused(t *testing.T, k *PublicKey, p Place, why string, expected ...string) {
	t.Helper()
	_, err := k.Verify(context.Background(), p, expected...)
	if err == nil || !strings.Contains(err.Error(), why) || fault.Of(err) != fault.TrustAttestation {
		t.Errorf("got %v (%s), want %q", err, fault.Of(err), why)
	}
}

// Bundles alone are enough, wherever they are.
func TestBundles(t *testing.T) {
	k, _ := newKey(t, ECDSA)
	other, _ := newKey(t, ECDSA)
	for _, p := range places(t, false) {
		t.Run(p.name, func(t *testing.T) {
			bundleAt(t, p.open(t), k)
			proof, err := k.Public.Verify(context.Background(), p.open(t), SPDX, SLSA)
			if err != nil {
				t.Fatal(err)
			}
			if proof.Signatures != 1 || len(proof.Claims) != 2 {
				t.Errorf("proof %+v", proof)
			}
			refused(t, other.Public, p.open(t), "no signature by this key, and 3 by others")
		})
	}
}

// A change of any byte of any blob of a signed layout is noticed; it holds no
// blob that is not used.
func TestEveryByteCounts(t *testing.T) {
	k, _ := newKey(t, ECDSA)
	dir := t.TempDir()
	writeLayout(t, dir, true)
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	signAt(t, p, k)
	bundleAt(t, p, k)
	changed := 0
	filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(file)) != "sha256" {
			return err
		}
		was, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i := 0; i < len(was); i += max(1, len(was)/16) {
			b := bytes.Clone(was)
			b[i] ^= 1
			if err := os.WriteFile(file, b, 0o644); err != nil {
				return err
			}
			changed++
			if _, err := k.Public.Verify(context.Background(), p, SPDX, SLSA); err == nil {
				t.Errorf("%s: byte %d changed, and all is well", file, i)
			} else if fault.Of(err) == "" {
				t.Errorf("%s: byte %d changed: %v is no fault", file, i, err)
			}
		}
		return os.WriteFile(file, was, 0o644)
	})
	if changed < 50 {
		t.Errorf("only %d changes were tried", changed)
	}
	if _, err := k.Public.Verify(context.Background(), p, SPDX, SLSA); err != nil {
		t.Errorf("put back as it was: %v", err)
	}
}

// P-10: what the key signed about something else proves nothing, and is
// never passed over.
func TestP10SignatureForSomethingElse(t *testing.T) {
	k, _ := newKey(t, ECDSA)
	ctx := context.Background()
	img := Image{MediaType: string(types.OCIManifestSchema1), Digest: cas.Sum([]byte("this")), Size: 4}
	that := Image{MediaType: string(types.OCIManifestSchema1), Digest: cas.Sum([]byte("that")), Size: 4}
	sign := func(text string) Artifact {
		sig, err := k.signer.SignMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return signature64(text, sig)
	}
	good, err := k.Sign(ctx, img, "demo")
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.Sign(ctx, that, "demo")
	if err != nil {
		t.Fatal(err)
	}
	otherClaim, err := k.Attest(ctx, that, "demo", SPDX, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	otherBundle, err := k.Bundle(otherClaim)
	if err != nil {
		t.Fatal(err)
	}
	swapped := good
	swapped.Payload = other.Payload
	tests := []struct {
		rule string
		list memory
		want string
	}{
		{"a signature for another image", memory{other}, `it is for "` + that.Digest.String() + `"`},
		{"another image's signature beside a good one", memory{good, other}, `it is for "` + that.Digest.String() + `"`},
		{"an attestation about another image", memory{good, otherClaim}, "its statement is about something else"},
		{"a bundle about another image", memory{good, otherBundle}, "its statement is about something else"},
		{"a bundle that cannot be read counts for nothing", memory{good, Artifact{Kind: Bundle, Payload: []byte("<")}}, "no attestation https://spdx.dev/Document by this key, and 1 by others"},
		{"a signed text that is no JSON", memory{sign("not JSON")}, "its payload: invalid character"},
		{"a signed text with something after it", memory{sign(string(good.Payload) + "{}")}, "its payload: something follows the JSON value"},
		{"a signed text of another type", memory{sign(strings.Replace(string(good.Payload), "cosign container image signature", "atomic", 1))}, `its payload has the type "atomic"`},
		{"a payload under another's signature", memory{swapped}, "no signature by this key, and 1 by others"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) { refused(t, k.Public, at{img: img, list: tt.list}, tt.want, SPDX) })
	}
}

// memory is a Place that holds artifacts only.
type memory []Artifact

type at struct {
	Place // not used
	img   Image
	list  memory
}

func (a at) Image(context.Context) (Image, error)              { return a.img, nil }
func (a at) Platforms(context.Context, Image) ([]Image, error) { return nil, nil }
func (a at) Artifacts(_ context.Context, _ Image, kind Kind) (list []Artifact, err error) {
	for _, x := range a.list {
		if x.Kind == kind {
			list = append(list, x)
		}
	}
	return list, nil
}

// P-09: a place cannot make verification read without end.
func TestP09TooMuchAttached(t *testing.T) {
	config := descriptor("x", nil)
	many := v1.Manifest{SchemaVersion: 2, Config: config}
	for range maxArtifacts + 1 {
		many.Layers = append(many.Layers, descriptor("x", []byte("{}")))
	}
	big := v1.Manifest{SchemaVersion: 2, Config: config, Layers: []v1.Descriptor{{Digest: hash(cas.Sum(nil)), Size: maxArtifact + 1}}}
	for rule, m := range map[string]v1.Manifest{"too many": many, "too large": big} {
		t.Run(rule, func(t *testing.T) {
			text, _ := json.Marshal(m)
			_, err := artifacts("x", Signature, text, func(v1.Descriptor) ([]byte, error) { return nil, nil })
			if fault.Of(err) != fault.LimitSize {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStatementIsDetermined(t *testing.T) {
	img := Image{MediaType: "x", Digest: cas.Sum([]byte("image")), Size: 1}
	got, err := Statement(img, "demo", SPDX, []byte("{\n  \"a\": \"<b>\"\n}\n"))
	want := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"demo","digest":{"sha256":"` + img.Digest.Hex() +
		`"}}],"predicateType":"https://spdx.dev/Document","predicate":{"a":"\u003cb\u003e"}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if _, err := Statement(img, "demo", SPDX, []byte("{")); err == nil {
		t.Error("a predicate that is no JSON was taken")
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("no archive, and far too short to be one"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule, image string
		open        fault.ID // what Open answers
		read        fault.ID // what Image answers then
	}{
		{"a folder without an index is no image", dir, "", fault.Usage},
		{"a file must be an archive", junk, fault.FormatInvalid, ""},
		{"what ends in .tar is a file", "app.tar", fault.Usage, ""},
		{"what begins with a dot or a slash is a file", "./app", fault.Usage, ""},
		{"what ends in a slash is a folder", "app/", fault.Usage, ""},
		{"what is no reference either is refused", "UPPER case", fault.Usage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			p, err := Open(tt.image)
			if fault.Of(err) != tt.open || (err != nil) != (tt.open != "") {
				t.Fatalf("open: %v (%s)", err, fault.Of(err))
			}
			if err != nil {
				return
			}
			defer p.Close()
			if _, err := p.Image(context.Background()); fault.Of(err) != tt.read {
				t.Errorf("image: %v (%s)", err, fault.Of(err))
			}
		})
	}
	reg := pushed(t, false)
	if _, err := AtRegistry(reg.ref.Context().Tag("gone")).Image(context.Background()); fault.Of(err) != fault.Usage {
		t.Errorf("a tag that is not there: %v (%s)", err, fault.Of(err))
	}
}

// What is attached is a referrer of the image, with a registry's API for them
// and without it.
func TestReferrers(t *testing.T) {
	k, _ := newKey(t, ECDSA)
	for _, api := range []bool{true, false} {
		reg := pushed(t, false, registry.WithReferrersSupport(api))
		signAt(t, reg, k)
		img, err := reg.Image(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Referrers(reg.ref.Context().Digest(img.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]string{}
		for _, d := range m.Manifests {
			seen[d.Digest.String()] = d.ArtifactType
		}
		for _, kind := range []Kind{Signature, Attestation} {
			typ := artifactTypes[kind]
			d, err := remote.Head(reg.tag(img, kind))
			if err != nil {
				t.Fatal(err)
			}
			// The registry of the tests answers the config's type from its API.
			if got, ok := seen[d.Digest.String()]; !ok || got != typ && !api {
				t.Errorf("referrers API %v: %s %s of type %s is not among %v", api, kind, d.Digest, typ, seen)
			}
		}
	}
}

// cosignCLI finds the real cosign.
func cosignCLI(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("COSIGN"); p != "" {
		return p
	}
	p, err := exec.LookPath("cosign")
	if err != nil {
		testrepo.Skip(t, "no cosign in PATH or COSIGN")
	}
	return p
}

// run runs cosign without network but loopback and gives whether it was
// content, and what it said.
func run(t *testing.T, bin string, args ...string) (bool, string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "COSIGN_PASSWORD=" + secret, "TUF_ROOT=" + home, "HTTPS_PROXY=http://127.0.0.1:1"}
	out, err := cmd.CombinedOutput()
	return err == nil, string(out)
}

// The real cosign accepts what compose signed, with the key and offline, and
// refuses it under another key.
func TestCosignVerifies(t *testing.T) {
	bin := cosignCLI(t)
	for _, alg := range []Algorithm{ECDSA, Ed25519} {
		k, prefix := newKey(t, alg)
		_, wrong := newKey(t, alg)
		for _, index := range []bool{false, true}[:map[Algorithm]int{ECDSA: 2, Ed25519: 1}[alg]] {
			dir := t.TempDir()
			writeLayout(t, dir, index)
			reg := pushed(t, index)
			local, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer local.Close()
			for flag, p := range map[string]Place{"--local-image " + dir: local, "--allow-http-registry " + reg.ref.String(): reg} {
				signAt(t, p, k)
				check := func(form, verb string) {
					t.Run(string(alg)+" "+form+" "+verb, func(t *testing.T) {
						args := append(strings.Fields(verb), "--insecure-ignore-tlog", "--key")
						if ok, out := run(t, bin, append(append(args, prefix+".pub"), strings.Fields(flag)...)...); !ok {
							t.Errorf("cosign %s %s: %s", verb, flag, out)
						}
						if ok, out := run(t, bin, append(append(args, wrong+".pub"), strings.Fields(flag)...)...); ok {
							t.Errorf("cosign %s %s with another key: %s", verb, flag, out)
						}
					})
				}
				for _, form := range []string{"signatures", "signatures and bundles"} {
					if form != "signatures" {
						bundleAt(t, p, k)
					}
					check(form, "verify")
					check(form, "verify-attestation --type spdxjson")
					check(form, "verify-attestation --type slsaprovenance1")
				}
				if p == reg {
					check("bundles", "verify-attestation --new-bundle-format --type slsaprovenance1 --trusted-root "+trustedRoot(t))
				}
			}
		}
	}
}

// trustedRoot is a file that trusts nobody, which cosign wants for bundles
// even where the key alone decides.
func trustedRoot(t *testing.T) string {
	return jsonFile(t, `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)
}

func jsonFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// compose verifies what the real cosign signed, with a key that cosign made.
func TestVerifiesCosign(t *testing.T) {
	bin := cosignCLI(t)
	prefix := filepath.Join(t.TempDir(), "theirs")
	if ok, out := run(t, bin, "generate-key-pair", "--output-key-prefix", prefix); !ok {
		t.Fatal(out)
	}
	_, ed := newKey(t, Ed25519)
	quiet := "--tlog-upload=false" // cosign 3 knows another way to tell nobody
	if _, help := run(t, bin, "sign", "--help"); strings.Contains(help, "--signing-config") {
		quiet = "--signing-config=" + jsonFile(t, `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`)
	}
	for _, prefix := range []string{prefix, ed} {
		reg := pushed(t, false)
		img, err := reg.Image(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		file := jsonFile(t, predicate)
		ref := reg.ref.Context().Digest(img.Digest.String()).String()
		for _, args := range []string{
			"sign --yes " + quiet + " --allow-http-registry --key " + prefix + ".key " + ref,
			"attest --yes " + quiet + " --allow-http-registry --type spdxjson --predicate " + file + " --key " + prefix + ".key " + ref,
		} {
			if ok, out := run(t, bin, strings.Fields(args)...); !ok {
				t.Fatalf("cosign %s: %s", args, out)
			}
		}
		pub, err := LoadPublicKey(prefix + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pub.Verify(context.Background(), reg, SPDX); err != nil {
			t.Error(err)
		}
		if _, err := LoadKey(prefix+".key", password(secret)); err != nil {
			t.Error(err)
		}
	}
}
