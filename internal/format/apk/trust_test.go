package apk

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"compose/internal/fault"
	"compose/internal/testrepo"
	"compose/resolve"
)

const listed1 = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:hello\nV:1.0-r0\nA:x86_64\nS:100\nI:200\nt:1700000000\n\n"

// testKeys are private keys, made once: two good ones and a short one.
var testKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i, bits := range []int{2048, 2048, 1024} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// keyNamed is the public part of a key, as a keyring has it.
func keyNamed(name string, k *rsa.PrivateKey) resolve.Key {
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		panic(err)
	}
	return resolve.Key{Name: name, Data: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
}

// A file is an entry of a tar archive.
type file struct{ name, data string }

// tarred is a tar archive, with or without the blocks that end it.
func tarred(end bool, list ...file) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range list {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			panic(err)
		}
		w.Write([]byte(f.data))
	}
	w.Flush()
	if end {
		w.Close()
	}
	return b.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// A mark is one signature to make.
type mark struct {
	kind string // "RSA", "RSA256", ...
	name string // of the key
	key  *rsa.PrivateKey
	bad  bool // of other bytes
}

// marks are the entries of a signature member over data.
func marks(data string, list ...mark) []file {
	var entries []file
	for _, m := range list {
		h := map[string]crypto.Hash{"RSA": crypto.SHA1, "RSA256": crypto.SHA256, "RSA512": crypto.SHA512}[m.kind]
		if h == 0 {
			h = crypto.SHA256
		}
		sum := h.New()
		sum.Write([]byte(data))
		if m.bad {
			sum.Write([]byte("x"))
		}
		s, err := rsa.SignPKCS1v15(nil, m.key, h, sum.Sum(nil))
		if err != nil {
			panic(err)
		}
		entries = append(entries, file{".SIGN." + m.kind + "." + m.name, string(s)})
	}
	return entries
}

func unsignedIndex(text string) string {
	return gzipped(tarred(true, file{"DESCRIPTION", "test"}, file{"APKINDEX", text}))
}

// signedIndex is an APKINDEX.tar.gz.
func signedIndex(text string, list ...mark) string {
	index := unsignedIndex(text)
	return gzipped(tarred(false, marks(index, list...)...)) + index
}

// A trial is one index, and what Index has to say of it.
type trial struct {
	rule   string
	index  string
	keys   []resolve.Key // default: test.rsa.pub
	src    resolve.Source
	want   fault.ID // "": accepted
	says   string   // part of the refusal
	legacy bool     // accepted, with an RSA/SHA-1 signature
}

func runTrials(t *testing.T, trials []trial) {
	t.Helper()
	for _, tt := range trials {
		t.Run(tt.rule, func(t *testing.T) {
			if tt.keys == nil {
				tt.keys = []resolve.Key{keyNamed("test.rsa.pub", testKeys()[0])}
			}
			tt.src.Name = "test"
			get := func(_ context.Context, path string, _ resolve.Promise) ([]byte, error) {
				if path != "x86_64/APKINDEX.tar.gz" {
					return nil, fs.ErrNotExist
				}
				return []byte(tt.index), nil
			}
			pkgs, indexes, err := (Format{}).Index(t.Context(), tt.src, "x86_64", tt.keys, get, nil, time.Unix(1800000000, 0))
			if fault.Of(err) != tt.want {
				t.Fatalf("got %v (%s), want %q", err, fault.Of(err), tt.want)
			}
			switch {
			case err == nil:
				if len(pkgs) != 1 || pkgs[0].Name != "hello" || len(indexes) != 1 || indexes[0].Legacy != tt.legacy || indexes[0].Date != "2023-11-14T22:13:20Z" {
					t.Errorf("%d packages, %+v", len(pkgs), indexes)
				}
			case !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), `repository "test"`):
				t.Errorf("%q does not say %q, or not where", err, tt.says)
			case pkgs != nil || indexes != nil:
				t.Error("packages beside a refusal")
			}
		})
	}
}

func TestT01_ChangedByte(t *testing.T) {
	by := mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0]}
	flip := func(s string, i int) string {
		b := []byte(s)
		b[i] ^= 1
		return string(b)
	}
	whole := signedIndex(listed1, by)
	runTrials(t, []trial{
		{rule: "what was signed is accepted", index: whole},
		{rule: "one byte of the index's compressed bytes", index: flip(whole, len(whole)-20), want: fault.TrustSig, says: "is bad"},
		{rule: "one byte of its gzip header", index: flip(whole, len(whole)-len(unsignedIndex(listed1))+4), want: fault.TrustSig, says: "is bad"},
		{rule: "a signature of other bytes", index: signedIndex(listed1, mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0], bad: true}), want: fault.TrustSig, says: "is bad"},
	})
	// Whichever byte of the index member changes, it is refused.
	keys := []resolve.Key{keyNamed("test.rsa.pub", testKeys()[0])}
	for i := len(whole) - len(unsignedIndex(listed1)); i < len(whole); i++ {
		_, _, err := (Format{}).Index(t.Context(), resolve.Source{}, "x86_64", keys, func(context.Context, string, resolve.Promise) ([]byte, error) {
			return []byte(flip(whole, i)), nil
		}, nil, time.Time{})
		if fault.Of(err) != fault.TrustSig {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

func TestT02_Unsigned(t *testing.T) {
	runTrials(t, []trial{
		{rule: "no signature", index: unsignedIndex(listed1), want: fault.TrustUnsigned, says: "it is not signed"},
		{rule: "is accepted where the manifest says insecure", index: unsignedIndex(listed1), src: resolve.Source{Insecure: true}},
		{rule: "insecure does not look at the signature that is there", src: resolve.Source{Insecure: true},
			index: signedIndex(listed1, mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0], bad: true})},
		{rule: "a signature member with nothing in it", index: gzipped("") + unsignedIndex(listed1), want: fault.TrustUnsigned},
		{rule: "a repository without any key", index: signedIndex(listed1, mark{kind: "RSA256", name: "x.rsa.pub", key: testKeys()[0]}), keys: []resolve.Key{},
			want: fault.TrustSig, says: "no key may sign it"},
	})
}

func TestT03_KeyOfAnotherRepository(t *testing.T) {
	real, err := os.ReadFile(testrepo.Shared(t, "mirrors/alpine/iso/x86_64/APKINDEX.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	runTrials(t, []trial{
		{rule: "Alpine's keys do not sign a repository that is bound to another key", index: string(real), want: fault.TrustKeyScope, says: "test.rsa.pub"},
		{rule: "nor a release before they were made", index: string(real), src: resolve.Source{Builtin: true, Releases: []string{"v3.9"}},
			want: fault.TrustKeyScope, says: "6165ee59"},
	})
	for _, tt := range []struct {
		rule, id, arch, release string
		good                    bool
	}{
		{"the present key", "6165ee59", "x86_64", "v3.22", true},
		{"edge is later than all releases", "6165ee59", "x86_64", "edge", true},
		{"of another architecture", "6165ee59", "aarch64", "v3.22", false},
		{"the earlier key for an early release", "4a6a0840", "x86_64", "v3.10", true},
		{"the earlier key for a late release", "4a6a0840", "x86_64", "v3.18", false},
		{"the earlier key for edge", "4a6a0840", "x86_64", "edge", false},
	} {
		bound, others, err := boundKeys(resolve.Source{Builtin: true, Releases: []string{tt.release}}, tt.arch, nil)
		if err != nil {
			t.Fatal(err)
		}
		name := keyPrefix + tt.id + ".rsa.pub"
		if (bound[name] != nil) != tt.good || (others[name] != nil) == tt.good {
			t.Errorf("%s: bound %v, other %v", tt.rule, bound[name] != nil, others[name] != nil)
		}
	}
}

func TestT04_SeveralSignatures(t *testing.T) {
	k := testKeys()
	good, stranger := mark{kind: "RSA256", name: "test.rsa.pub", key: k[0]}, mark{kind: "RSA256", name: "other.rsa.pub", key: k[1]}
	bad, badStranger := good, stranger
	bad.bad, badStranger.bad = true, true
	both := []resolve.Key{keyNamed("test.rsa.pub", k[0]), keyNamed("other.rsa.pub", k[1])}
	runTrials(t, []trial{
		{rule: "one known among unknown ones", index: signedIndex(listed1, stranger, good)},
		{rule: "a bad one by an unknown key changes nothing", index: signedIndex(listed1, badStranger, good)},
		{rule: "none known: both sides are named", index: signedIndex(listed1, stranger), want: fault.TrustSig, says: `by "other.rsa.pub"; accepted are test.rsa.pub`},
		{rule: "a bad one before a good one", index: signedIndex(listed1, bad, stranger), keys: both, want: fault.TrustSig, says: "is bad"},
		{rule: "a bad one behind a good one", index: signedIndex(listed1, stranger, bad), keys: both, want: fault.TrustSig, says: "is bad"},
		{rule: "a key of the right name and other digits", index: signedIndex(listed1, mark{kind: "RSA256", name: "test.rsa.pub", key: k[1]}), want: fault.TrustSig, says: "is bad"},
		{rule: "too many", index: signedIndex(listed1, append(make([]mark, 0, 17), stranger, stranger, stranger, stranger, stranger, stranger, stranger, stranger,
			stranger, stranger, stranger, stranger, stranger, stranger, stranger, stranger, good)...), want: fault.FormatInvalid, says: "one too many"},
	})
}

func TestT05_Weak(t *testing.T) {
	short := testKeys()[2]
	shortRing := []resolve.Key{keyNamed("short.rsa.pub", short)}
	runTrials(t, []trial{
		{rule: "RSA of 1024 bits", index: signedIndex(listed1, mark{kind: "RSA256", name: "short.rsa.pub", key: short}), keys: shortRing,
			want: fault.TrustWeak, says: "RSA of 1024 bits"},
		{rule: "DSA", index: signedIndex(listed1, mark{kind: "DSA", name: "test.rsa.pub", key: testKeys()[0]}), want: fault.TrustWeak, says: `"DSA"`},
		{rule: "a kind that nobody knows", index: signedIndex(listed1, mark{kind: "MD5", name: "test.rsa.pub", key: testKeys()[0]}), want: fault.TrustWeak, says: `"MD5"`},
	})
}

func TestT07_LegacySignature(t *testing.T) {
	k := testKeys()[0]
	sha1, sha256 := mark{kind: "RSA", name: "test.rsa.pub", key: k}, mark{kind: "RSA256", name: "test.rsa.pub", key: k}
	runTrials(t, []trial{
		{rule: "SHA-1 by a bound key is accepted, and marked", index: signedIndex(listed1, sha1), legacy: true},
		{rule: "not if SHA-256 stands beside it", index: signedIndex(listed1, sha1, sha256)},
		{rule: "in either order", index: signedIndex(listed1, sha256, sha1)},
		{rule: "SHA-512 is known", index: signedIndex(listed1, mark{kind: "RSA512", name: "test.rsa.pub", key: k})},
		{rule: "SHA-1 by a short key", index: signedIndex(listed1, mark{kind: "RSA", name: "short.rsa.pub", key: testKeys()[2]}),
			keys: []resolve.Key{keyNamed("short.rsa.pub", testKeys()[2])}, want: fault.TrustWeak},
	})
}

// The shape of the file: K-01, K-02, K-07, Z-03 and Z-05 of threats.md.
func TestMembers(t *testing.T) {
	by := mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0]}
	index := unsignedIndex(listed1)
	seals := marks(index, by)
	sealed := gzipped(tarred(false, seals...))
	over := func(member string) string { return gzipped(tarred(false, marks(member, by)...)) + member }
	longName := tarred(false, file{"././@LongLink", "APKINDEX.evil\x00"})
	longName = longName[:156] + "L" + longName[157:] // its checksum is wrong by this; set below
	runTrials(t, []trial{
		{rule: "K-01: the signature member is ended", index: gzipped(tarred(true, seals...)) + index, want: fault.FormatInvalid, says: "signature"},
		{rule: "K-01: a header is left over in the signature member", index: gzipped(tarred(false, seals...)+checksummed(longName)) + index, want: fault.FormatInvalid, says: "signature"},
		{rule: "K-01: the index member is not ended", index: over(gzipped(tarred(false, file{"APKINDEX", listed1}))), want: fault.FormatInvalid},
		{rule: "K-02: another file in the signature member", index: gzipped(tarred(false, append(seals, file{"x", "y"})...)) + index, want: fault.FormatInvalid, says: `"x"`},
		{rule: "K-02: two signature members", index: sealed + sealed + index, want: fault.TrustSig, says: "is bad"},
		{rule: "K-02: two index members", index: over(index + index), want: fault.FormatTrailing},
		{rule: "K-02: signature behind the index", index: index + sealed, want: fault.TrustUnsigned},
		{rule: "Z-03: many empty members", index: over(strings.Repeat(gzipped(""), 100) + index), want: fault.FormatTrailing},
		{rule: "Z-05: bytes behind the index", index: over(index + "\x00\x00"), want: fault.FormatTrailing},
		{rule: "K-07: version 3", index: "ADB.xxxx", want: fault.FormatInvalid, says: "apk version 3"},
		{rule: "not gzip", index: "hello", want: fault.FormatInvalid, says: "gzip"},
		{rule: "nothing", index: "", want: fault.FormatInvalid, says: "gzip"},
		{rule: "only a signature", index: sealed, want: fault.TrustSig, says: "is bad"},
		{rule: "an index of other entries", index: over(gzipped(tarred(true, file{"APKINDEX", listed1}, file{"x", ""}))), want: fault.FormatInvalid, says: `"x"`},
		{rule: "an index with two lists", index: over(gzipped(tarred(true, file{"APKINDEX", listed1}, file{"APKINDEX", ""}))), want: fault.FormatInvalid},
		{rule: "an index with none", index: over(gzipped(tarred(true, file{"DESCRIPTION", ""}))), want: fault.FormatInvalid, says: "no APKINDEX"},
		{rule: "an index without a description", index: over(gzipped(tarred(true, file{"APKINDEX", listed1})))},
		{rule: "Z-02: a signature member that goes on and on", index: gzipped(tarred(false, file{".SIGN.RSA.x", strings.Repeat("x", maxSigned)})) + index, want: fault.LimitExpanded},
	})
}

// checksummed sets the checksum of a tar header.
func checksummed(block string) string {
	b := []byte(block)
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], []byte{'0' + byte(sum>>15&7), '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	return string(b)
}

func TestT14_T15_OneIndexOneArchitecture(t *testing.T) {
	by := mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0]}
	foreign := strings.Replace(strings.Replace(listed1, "hello", "foreign", 1), "x86_64", "aarch64", 1)
	runTrials(t, []trial{
		{rule: "T-15: packages of another architecture are left out", index: signedIndex(foreign+listed1, by)},
		{rule: "T-14: an older index under a newer signature", index: gzipped(tarred(false, marks(unsignedIndex(listed1), by)...)) + unsignedIndex(foreign), want: fault.TrustSig},
	})
}

func TestT18_IndexPinsThePackage(t *testing.T) {
	pkgs, err := ParseIndex("APKINDEX", listed1, "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	if p := pkgs[0]; len(p.Check.Control) != 20 || !p.Check.SHA256.IsZero() || p.Size != 100 || p.Path != "x86_64/hello-1.0-r0.apk" {
		t.Errorf("got %+v", p)
	}
}

func TestT19_WeakHashOnly(t *testing.T) {
	by := mark{kind: "RSA256", name: "test.rsa.pub", key: testKeys()[0]}
	with := func(c string) string {
		return signedIndex(strings.Replace(listed1, "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", c, 1), by)
	}
	runTrials(t, []trial{
		{rule: "MD5", index: with("C:d41d8cd98f00b204e9800998ecf8427e"), want: fault.TrustWeakHash, says: "d41d8cd98f00b204e9800998ecf8427e"},
		{rule: "none", index: with("T:x"), want: fault.TrustWeakHash},
		{rule: "cut short", index: with("C:Q1AAAA"), want: fault.TrustWeakHash},
	})
}

// Each embedded key is what the table says of it.
func TestEmbeddedKeys(t *testing.T) {
	bound, others, err := boundKeys(resolve.Source{}, "x86_64", nil)
	if err != nil { // a fingerprint that differs
		t.Fatal(err)
	}
	entries, err := keyFiles.ReadDir("keys")
	if err != nil {
		t.Fatal(err)
	}
	if len(bound) != 0 || len(others) != len(builtin) || len(entries) != len(builtin) {
		t.Errorf("%d bound, %d others, %d files, %d lines", len(bound), len(others), len(entries), len(builtin))
	}
	for _, b := range builtin {
		k := others[keyPrefix+b.id+".rsa.pub"]
		if bits := k.public.N.BitLen(); bits < minRSABits || b.to == 0 && bits < 4096 {
			t.Errorf("%s: %d bits", b.id, bits)
		}
		for arch := range strings.FieldsSeq(b.architectures) {
			release := "edge"
			if b.to != 0 {
				release = "v3.5"
			}
			bound, _, err := boundKeys(resolve.Source{Builtin: true, Releases: []string{release}}, arch, nil)
			if err != nil || bound[k.name] == nil {
				t.Errorf("%s may not sign %s for %s: %v", b.id, release, arch, err)
			}
		}
	}
	real, err := os.ReadFile(testrepo.Shared(t, "keys/"+keyPrefix+"6165ee59.rsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := parseKey("x", real); err != nil || k.fingerprint != builtin[0].sha256 {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestKeyFiles(t *testing.T) {
	k := testKeys()
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k[0])})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k[0].PublicKey)})
	index := signedIndex(listed1, mark{kind: "RSA256", name: "test.rsa.pub", key: k[0]})
	ring := func(name string, data []byte) []resolve.Key { return []resolve.Key{{Name: name, Data: data}} }
	good := keyNamed("test.rsa.pub", k[0])
	runTrials(t, []trial{
		{rule: "the folder of a key file does not matter", index: index, keys: ring("keys/test.rsa.pub", good.Data)},
		{rule: "PKCS #1 is read as well", index: index, keys: ring("test.rsa.pub", pkcs1)},
		{rule: "a private key", index: index, keys: ring("test.rsa.pub", private), want: fault.TrustKeyScope, says: "RSA PRIVATE KEY"},
		{rule: "no key", index: index, keys: ring("test.rsa.pub", []byte("hello")), want: fault.TrustKeyScope, says: "PEM"},
		{rule: "two keys in one file", index: index, keys: ring("test.rsa.pub", append(good.Data, good.Data...)), want: fault.TrustKeyScope},
		{rule: "two keys of one name", index: index, keys: []resolve.Key{good, keyNamed("a/test.rsa.pub", k[1])}, want: fault.TrustKeyScope, says: "two keys"},
		{rule: "one key twice", index: index, keys: []resolve.Key{good, good}},
	})
}

func FuzzReadIndex(f *testing.F) {
	k := testKeys()[0]
	f.Add([]byte(signedIndex(listed1, mark{kind: "RSA256", name: "test.rsa.pub", key: k})))
	f.Add([]byte(unsignedIndex(listed1)))
	f.Add([]byte(gzipped(tarred(true, file{".SIGN.RSA.x", "y"}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		seals, rest, err := splitIndex(data)
		if err != nil {
			if fault.Of(err) == "" {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		if !bytes.HasSuffix(data, rest) || len(seals) == 0 && len(rest) != len(data) {
			t.Errorf("%d of %d bytes, %d signatures", len(rest), len(data), len(seals))
		}
		if _, err := readIndex(rest); err != nil && fault.Of(err) == "" {
			t.Errorf("not a refusal: %v", err)
		}
	})
}
