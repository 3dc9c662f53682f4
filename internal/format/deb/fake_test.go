package deb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// today is when all tests happen.
var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

const stanza1 = `Package: hello
Version: 1.0-1
Architecture: amd64
Filename: pool/hello_1.0-1_amd64.deb
Size: 100
SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
`

// A site is a repository in memory, files by path.
type site map[string]string

func (f site) get(_ context.Context, path string, _ resolve.Promise) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, fault.New(fault.Transfer, "%s: %w", path, fs.ErrNotExist)
}

// A repo says what a small signed repository looks like.
type repo struct {
	release  []string          // lines of Release beside the defaults; a line of the same field replaces one
	packages map[string]string // by folder; default: stanza1 in main/binary-amd64
	hash     string            // SHA256, or what stands in its place
	sign     []signer          // default: one with the key that is bound
	edit     func(inRelease string) string
}

// A signer makes a signature.
type signer struct {
	key  *openpgp.Entity
	hash crypto.Hash         // default SHA-256
	bad  bool                // of another text
	life uint32              // seconds that the signature is valid; 0: for ever
	edit func([]byte) []byte // of the packet
}

// build gives the repository's files.
func (r repo) build(t *testing.T, key *openpgp.Entity) site {
	t.Helper()
	lines := []string{
		"Origin: Test", "Suite: stable", "Codename: bed", "Date: Sat, 21 Nov 2026 10:00:00 UTC",
		"Architectures: amd64 arm64", "Components: main extra",
	}
	for _, l := range r.release {
		field, value, _ := strings.Cut(l, ":")
		lines = slices.DeleteFunc(lines, func(have string) bool { return strings.HasPrefix(have, field+":") })
		if value != "" {
			lines = append(lines, l)
		}
	}
	if r.packages == nil {
		r.packages = map[string]string{"main/binary-amd64": stanza1}
	}
	if r.hash == "" {
		r.hash = "SHA256"
	}
	f := site{}
	lines = append(lines, r.hash+":")
	for _, folder := range slices.Sorted(maps.Keys(r.packages)) {
		text := r.packages[folder]
		packed := zip(text)
		f["dists/stable/"+folder+"/Packages.gz"] = packed
		for name, data := range map[string]string{"Packages": text, "Packages.gz": packed} {
			lines = append(lines, fmt.Sprintf(" %s %d %s/%s", cas.Sum([]byte(data)).Hex(), len(data), folder, name))
		}
	}
	if r.sign == nil {
		r.sign = []signer{{key: key}}
	}
	in := clearSign(t, strings.Join(lines, "\n"), r.sign...)
	if r.edit != nil {
		in = r.edit(in)
	}
	f["dists/stable/InRelease"] = in
	f["pristine Release"] = strings.Join(lines, "\n") + "\n"
	return f
}

func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

// newKey makes an OpenPGP key as of 2025-01-01, by default Ed25519.
func newKey(t testing.TB, config packet.Config) *openpgp.Entity {
	t.Helper()
	if config.Algorithm == 0 && config.RSABits == 0 {
		config.Algorithm = packet.PubKeyAlgoEdDSA
	}
	config.Time = func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }
	e, err := openpgp.NewEntity("test", "", "test@example.org", &config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// keyFile is e's public part, armoured.
func keyFile(t testing.TB, e ...*openpgp.Entity) resolve.Key {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range e {
		if err := e.Serialize(w); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return resolve.Key{Name: "test.asc", Data: b.Bytes()}
}

// packet is the signature over text.
func (s signer) packet(t testing.TB, text string, kind packet.SignatureType) []byte {
	t.Helper()
	if s.hash == 0 {
		s.hash = crypto.SHA256
	}
	if s.bad {
		text += "x"
	}
	priv := s.key.PrivateKey
	sig := &packet.Signature{
		Version: 4, SigType: kind, PubKeyAlgo: priv.PubKeyAlgo, Hash: s.hash,
		CreationTime: time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), IssuerKeyId: &priv.KeyId, IssuerFingerprint: priv.Fingerprint,
	}
	if s.life != 0 {
		sig.SigLifetimeSecs = &s.life
	}
	h := s.hash.New()
	h.Write([]byte(text))
	if err := sig.Sign(h, priv, nil); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	if s.edit != nil {
		return s.edit(b.Bytes())
	}
	return b.Bytes()
}

// armoured is the block of some packets.
func armoured(t testing.TB, packets ...[]byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.SignatureType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		w.Write(p)
	}
	w.Close()
	return b.String() + "\n"
}

// clearSign is the clear-signed form of text, which has no dashes at the
// beginning of a line.
func clearSign(t testing.TB, text string, by ...signer) string {
	t.Helper()
	var packets [][]byte
	for _, s := range by {
		packets = append(packets, s.packet(t, strings.ReplaceAll(text, "\n", "\r\n"), packet.SigTypeText))
	}
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + text + "\n" + armoured(t, packets...)
}
