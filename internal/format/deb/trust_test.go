package deb

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"compose/internal/fault"
	"compose/internal/testrepo"
	"compose/resolve"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A trial is one repository, and what Index has to say of it.
type trial struct {
	rule string
	repo repo
	file func(site) // changes the files afterwards
	src  func(*resolve.Source)
	keys []resolve.Key
	now  time.Time
	want fault.ID // "": accepted
	says string   // part of the refusal
}

// run runs trials against a repository signed with key, which is bound.
func run(t *testing.T, key *openpgp.Entity, trials []trial) {
	t.Helper()
	for _, tt := range trials {
		t.Run(tt.rule, func(t *testing.T) {
			f := tt.repo.build(t, key)
			if tt.file != nil {
				tt.file(f)
			}
			src := resolve.Source{Name: "test", Suites: []string{"stable"}, Components: []string{"main"}}
			if tt.src != nil {
				tt.src(&src)
			}
			if tt.keys == nil {
				tt.keys = []resolve.Key{keyFile(t, key)}
			}
			if tt.now.IsZero() {
				tt.now = today
			}
			pkgs, indexes, err := (Format{}).Index(t.Context(), src, "amd64", tt.keys, f.get, nil, tt.now)
			if fault.Of(err) != tt.want {
				t.Fatalf("got %v (%s), want %q", err, fault.Of(err), tt.want)
			}
			switch {
			case err == nil:
				if len(pkgs) != 1 || pkgs[0].Name != "hello" || len(indexes) != 2 {
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
	key := newKey(t, packet.Config{})
	run(t, key, []trial{
		{rule: "what was signed is accepted"},
		{rule: "one byte of the signed text", repo: repo{edit: func(s string) string { return strings.Replace(s, "Origin: Test", "Origin: test", 1) }},
			want: fault.TrustSig, says: "is bad"},
		{rule: "one byte of the index", file: func(f site) {
			b := []byte(f["dists/stable/main/binary-amd64/Packages.gz"])
			b[len(b)/2] ^= 1
			f["dists/stable/main/binary-amd64/Packages.gz"] = string(b)
		}, want: fault.TrustHash, says: "dists/stable/main/binary-amd64/Packages.gz"},
		{rule: "one byte of the signature", repo: repo{sign: []signer{{key: key, edit: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }}}},
			want: fault.TrustSig, says: "is bad"},
	})

	// Whichever byte changes, what is accepted is what was signed.
	f := repo{}.build(t, key)
	in := f["dists/stable/InRelease"]
	want, _, err := splitClearSigned([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	src := resolve.Source{Name: "test", Suites: []string{"stable"}, Components: []string{"main"}}
	keys := []resolve.Key{keyFile(t, key)}
	refused := 0
	for i := range in {
		b := []byte(in)
		b[i] ^= 1
		f["dists/stable/InRelease"] = string(b)
		if _, _, err := (Format{}).Index(t.Context(), src, "amd64", keys, f.get, nil, today); err != nil {
			refused++
		} else if got, _, _ := splitClearSigned(b); !bytes.Equal(got, want) {
			t.Errorf("byte %d: %q for %q is accepted", i, b[i], in[i])
		}
	}
	if refused < len(in)*9/10 {
		t.Errorf("%d of %d changes are refused", refused, len(in))
	}
}

func TestT02_Unsigned(t *testing.T) {
	key := newKey(t, packet.Config{})
	onlyRelease := func(f site) {
		f["dists/stable/Release"] = f["pristine Release"]
		delete(f, "dists/stable/InRelease")
	}
	insecure := func(s *resolve.Source) { s.Insecure = true }
	run(t, key, []trial{
		{rule: "a Release without a signature", file: onlyRelease, want: fault.TrustUnsigned, says: "not signed"},
		{rule: "is accepted where the manifest says insecure", file: onlyRelease, src: insecure},
		{rule: "insecure does not look at the signature that is there", repo: repo{sign: []signer{{key: key, bad: true}}}, src: insecure},
		{rule: "nothing at all is no matter of trust", file: func(f site) { clear(f) }, want: fault.Transfer, says: "InRelease"},
		{rule: "a signed message without a signature", repo: repo{sign: []signer{{key: key, edit: func([]byte) []byte { return nil }}}}, want: fault.TrustUnsigned},
		{rule: "Release with Release.gpg is as good as InRelease", file: func(f site) {
			onlyRelease(f)
			f["dists/stable/Release.gpg"] = armoured(t, signer{key: key}.packet(t, f["dists/stable/Release"], packet.SigTypeBinary))
		}},
		{rule: "but not of another text", file: func(f site) {
			onlyRelease(f)
			f["dists/stable/Release.gpg"] = armoured(t, signer{key: key}.packet(t, "Suite: stable", packet.SigTypeBinary))
		}, want: fault.TrustSig, says: "is bad"},
		{rule: "a repository without any key", keys: []resolve.Key{}, want: fault.TrustSig, says: "no key may sign it"},
	})
}

func TestT03_KeyOfAnotherRepository(t *testing.T) {
	key := newKey(t, packet.Config{})
	in, err := os.ReadFile(testrepo.Shared(t, "mirrors/debian/dists/trixie/InRelease"))
	if err != nil {
		t.Fatal(err)
	}
	debian := func(f site) { f["dists/stable/InRelease"] = string(in) }
	run(t, key, []trial{
		{rule: "Debian's keys do not sign a repository that is bound to another key", file: debian,
			want: fault.TrustKeyScope, says: openpgpFingerprint(key)},
		{rule: "Debian's keys for its archive do not sign its security archive", file: debian,
			src:  func(s *resolve.Source) { s.Builtin, s.Releases = true, []string{"trixie-security"} },
			want: fault.TrustKeyScope, says: "which may sign bullseye, bookworm, trixie, sid, experimental only"},
		{rule: "nor a release that came long after them", file: debian,
			src:  func(s *resolve.Source) { s.Builtin, s.Releases = true, []string{"duke"} },
			want: fault.TrustKeyScope, says: "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8 (Debian's bookworm-automatic)"},
	})
	for _, tt := range []struct {
		key, codename string
		good          bool
	}{
		{"trixie-automatic", "trixie", true}, {"trixie-automatic", "trixie-updates", true}, {"trixie-automatic", "trixie-security", false},
		{"trixie-security-automatic", "trixie-security", true}, {"trixie-security-automatic", "trixie", false},
		{"bullseye-automatic", "trixie", false}, {"trixie-stable", "trixie-backports", true}, {"trixie-stable", "sid", false},
	} {
		keys, err := builtinKeys()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.name == "Debian's "+tt.key && k.good(tt.codename) != tt.good {
				t.Errorf("%s may sign %s: %v, want %v", tt.key, tt.codename, !tt.good, tt.good)
			}
		}
	}
}

func openpgpFingerprint(e *openpgp.Entity) string { return (&key{entity: e}).fingerprint() }

func TestT04_SeveralSignatures(t *testing.T) {
	key, stranger, second := newKey(t, packet.Config{}), newKey(t, packet.Config{}), newKey(t, packet.Config{})
	garbage := func([]byte) []byte { return []byte{0xc2, 3, 9, 9, 9} } // a signature packet of version 9
	run(t, key, []trial{
		{rule: "one known among unknown ones", repo: repo{sign: []signer{{key: stranger}, {key: key}, {key: second}}}},
		{rule: "a bad one by an unknown key changes nothing", repo: repo{sign: []signer{{key: stranger, bad: true}, {key: key}}}},
		{rule: "one of a kind that is not known changes nothing", repo: repo{sign: []signer{{key: key, edit: garbage}, {key: key}}}},
		{rule: "none known: all ids are named", repo: repo{sign: []signer{{key: stranger}, {key: second}}},
			want: fault.TrustSig, says: stranger.PrimaryKey.KeyIdString()},
		{rule: "none known: what is accepted is named", repo: repo{sign: []signer{{key: stranger}}},
			want: fault.TrustSig, says: "accepted are " + openpgpFingerprint(key)},
		{rule: "a bad one before a good one of the same key", repo: repo{sign: []signer{{key: key, bad: true}, {key: key}}}, want: fault.TrustSig, says: "is bad"},
		{rule: "a bad one behind a good one of another bound key", repo: repo{sign: []signer{{key: key}, {key: second, bad: true}}},
			keys: []resolve.Key{keyFile(t, key), keyFile(t, second)}, want: fault.TrustSig, says: "is bad"},
		{rule: "either of two bound keys will do", repo: repo{sign: []signer{{key: second}}}, keys: []resolve.Key{keyFile(t, key, second)}},
		{rule: "too many", repo: repo{sign: many(signer{key: stranger}, 17)}, want: fault.LimitSize, says: "16"},
		{rule: "another packet among them", repo: repo{sign: []signer{{key: key}, {key: key, edit: func([]byte) []byte { return []byte{0xcd, 1, 'x'} }}}},
			want: fault.TrustSig, says: "is no signature"},
		{rule: "a packet that is cut off", repo: repo{sign: []signer{{key: key}, {key: key, edit: func(b []byte) []byte { return b[:len(b)-5] }}}}, want: fault.TrustSig},
	})
}

func many(s signer, n int) []signer {
	list := make([]signer, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func TestT05_Weak(t *testing.T) {
	key := newKey(t, packet.Config{})
	short := newKey(t, packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 1024})
	k256 := newKey(t, packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveSecP256k1})
	oldSelf := newKey(t, packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048})
	oldSelfFile := resolve.Key{Name: "old.gpg", Data: sha1Certified(t, oldSelf)}
	claims := func(at int, value byte) func([]byte) []byte { // writes a byte of the packet's body, behind its two bytes of header
		return func(b []byte) []byte { b[2+at] = value; return b }
	}
	run(t, key, []trial{
		{rule: "SHA-1 over the text", repo: repo{sign: []signer{{key: key, edit: claims(3, 2)}}}, want: fault.TrustWeak, says: "SHA-1"},
		{rule: "SHA-224 over the text", repo: repo{sign: []signer{{key: key, edit: claims(3, 11)}}}, want: fault.TrustWeak, says: "SHA-224"},
		{rule: "MD5 over the text", repo: repo{sign: []signer{{key: key, edit: claims(3, 1)}}}, want: fault.TrustWeak, says: "MD5"},
		{rule: "DSA", repo: repo{sign: []signer{{key: key, edit: claims(2, 17)}}}, want: fault.TrustWeak, says: "DSA"},
		{rule: "version 3 of signatures", repo: repo{sign: []signer{{key: key, edit: claims(0, 3)}}}, want: fault.TrustWeak, says: "version 3"},
		{rule: "RSA of 1024 bits", repo: repo{sign: []signer{{key: short}}}, keys: []resolve.Key{keyFile(t, short)}, want: fault.TrustWeak, says: "RSA of 1024 bits"},
		{rule: "a curve that is not for this", repo: repo{sign: []signer{{key: k256}}}, keys: []resolve.Key{keyFile(t, k256)}, want: fault.TrustWeak, says: "curve"},
		{rule: "SHA-1 in the key's own signature", repo: repo{sign: []signer{{key: oldSelf}}}, keys: []resolve.Key{oldSelfFile}, want: fault.TrustWeak, says: "not fit to sign"},
		{rule: "the same key certified with SHA-256", repo: repo{sign: []signer{{key: oldSelf}}}, keys: []resolve.Key{keyFile(t, oldSelf)}},
		{rule: "a weak one beside a strong one changes nothing", repo: repo{sign: []signer{{key: short}, {key: key}}}, keys: []resolve.Key{keyFile(t, short), keyFile(t, key)}},
		{rule: "a bad one by a weak key still refuses", repo: repo{sign: []signer{{key: short, bad: true}, {key: key}}},
			keys: []resolve.Key{keyFile(t, short), keyFile(t, key)}, want: fault.TrustSig},
	})
}

// sha1Certified is the public part of an RSA key whose signature of its own
// user id uses SHA-1, put together by hand: the library makes none.
func sha1Certified(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	const id = "old <old@example.org>"
	head := []byte{4, 0x13, 1, 2, 0, 6, 5, 2} // version, positive certification, RSA, SHA-1; creation time
	head = binary.BigEndian.AppendUint32(head, uint32(e.PrimaryKey.CreationTime.Unix()))
	h := sha1.New()
	if err := e.PrimaryKey.SerializeForHash(h); err != nil {
		t.Fatal(err)
	}
	h.Write(append(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(id))), id...))
	h.Write(head)
	h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(head))))
	sum := h.Sum(nil)
	sig, err := rsa.SignPKCS1v15(nil, e.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA1, sum)
	if err != nil {
		t.Fatal(err)
	}
	issuer := binary.BigEndian.AppendUint64([]byte{0, 10, 9, 16}, e.PrimaryKey.KeyId)
	body := append(append(head, issuer...), sum[:2]...)
	n := new(big.Int).SetBytes(sig)
	body = append(binary.BigEndian.AppendUint16(body, uint16(n.BitLen())), n.Bytes()...)
	var b bytes.Buffer
	if err := e.PrimaryKey.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	b.Write(append([]byte{0xcd, byte(len(id))}, id...))
	b.Write(binary.BigEndian.AppendUint16([]byte{0x89}, uint16(len(body)))) // old format, two bytes of length
	b.Write(body)
	return b.Bytes()
}

func TestT06_ExpiredOrRevoked(t *testing.T) {
	year := newKey(t, packet.Config{KeyLifetimeSecs: 365 * 86400}) // good to the end of 2025
	forever, revoked := newKey(t, packet.Config{}), newKey(t, packet.Config{})
	if err := revoked.Revoke(packet.KeyCompromised, "lost", &packet.Config{Time: func() time.Time { return today.AddDate(0, 0, -1) }}); err != nil {
		t.Fatal(err)
	}
	asOf := func(s *resolve.Source) { s.AsOf = "2025-12-01T00:00:00Z" }
	before := "Date: Sun, 30 Nov 2025 10:00:00 UTC"
	run(t, year, []trial{
		{rule: "a key that has expired since", want: fault.TrustKeyExpired, says: "expired"},
		{rule: "but not for a snapshot of that time", src: asOf, repo: repo{release: []string{before}}},
		{rule: "a signature that has expired", repo: repo{sign: []signer{{key: forever, life: 3600}}}, keys: []resolve.Key{keyFile(t, forever)}, want: fault.TrustKeyExpired, says: "has expired"},
		{rule: "a signature of the future", repo: repo{sign: []signer{{key: forever}}, release: []string{before}}, keys: []resolve.Key{keyFile(t, forever)},
			now: time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC), want: fault.TrustKeyExpired, says: "was made on 2025-02-01"},
		{rule: "a revoked key", repo: repo{sign: []signer{{key: revoked}}}, keys: []resolve.Key{keyFile(t, revoked)}, want: fault.TrustKeyExpired, says: "revoked"},
		{rule: "a compromised key is no good for a snapshot either", repo: repo{sign: []signer{{key: revoked}}, release: []string{before}}, src: asOf,
			keys: []resolve.Key{keyFile(t, revoked)}, want: fault.TrustKeyExpired, says: "revoked"},
	})
}

func TestT08_AroundTheSignedText(t *testing.T) {
	key := newKey(t, packet.Config{})
	const evil = "Origin: Evil\n"
	edit := func(from, to string) repo {
		return repo{edit: func(s string) string {
			if !strings.Contains(s, from) {
				t.Fatalf("no %q", from)
			}
			return strings.Replace(s, from, to, 1)
		}}
	}
	twice := repo{edit: func(s string) string { return s + s }}
	run(t, key, []trial{
		{rule: "before it", repo: edit("-----BEGIN PGP SIGNED", evil+"-----BEGIN PGP SIGNED"), want: fault.TrustSig, says: "does not begin with a signed message"},
		{rule: "an empty line before it", repo: edit("-----BEGIN PGP SIGNED", "\n-----BEGIN PGP SIGNED"), want: fault.TrustSig},
		{rule: "behind it", repo: repo{edit: func(s string) string { return s + evil }}, want: fault.TrustSig, says: "behind the signature"},
		{rule: "between text and signature", repo: edit("-----BEGIN PGP SIGNATURE", evil+"-----BEGIN PGP SIGNATURE"), want: fault.TrustSig},
		{rule: "in the header", repo: edit("Hash: SHA256\n", "Hash: SHA256\n"+evil), want: fault.TrustSig},
		{rule: "a header of another kind", repo: edit("Hash: SHA256\n", "Hash: SHA256\nComment: x\n"), want: fault.TrustSig},
		{rule: "a blank line that ends the header for some", repo: edit("Hash: SHA256\n\n", "Hash: SHA256\n \n"+evil+"\n"), want: fault.TrustSig},
		{rule: "two messages", repo: twice, want: fault.TrustSig, says: "does not belong to one signed message"},
		{rule: "a message inside the text", repo: edit("Origin: Test", "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin: Test"), want: fault.TrustSig},
		{rule: "an unescaped dash in the text", repo: edit("Origin: Test", "-Origin: Test"), want: fault.TrustSig},
		{rule: "a carriage return in the first line", repo: edit("MESSAGE-----\n", "MESSAGE-----\r\n"), want: fault.TrustSig},
		{rule: "an overlong line", repo: edit("Origin: Test", "Origin: "+strings.Repeat("x", 70_000)), want: fault.LimitSize, says: "line 4"},
		{rule: "an overlong file", repo: edit("Origin: Test", strings.Repeat("X: y\n", 4<<20)+"Origin: Test"), want: fault.LimitSize},
		{rule: "cut off", repo: edit("-----END PGP SIGNATURE-----\n", ""), want: fault.TrustSig, says: "cut off"},
		{rule: "junk in the armour", repo: edit("-----END PGP SIGNATURE-----", "????\n-----END PGP SIGNATURE-----"), want: fault.TrustSig},
		{rule: "white space at a line's end is not signed, and not read", repo: edit("Suite: stable\n", "Suite: stable \t\n")},
		{rule: "a second stanza in the signed text", repo: repo{release: []string{"Label: x\n\nSuite: stable"}}, want: fault.FormatInvalid, says: "second stanza"},
		{rule: "a field twice", repo: repo{release: []string{"Label: x\nCodename: other"}}, want: fault.FormatInvalid, says: "or its second"},
		{rule: "a control character", repo: repo{release: []string{"Label: x\x00y"}}, want: fault.FormatInvalid},
	})
}

func TestT09_AroundADetachedSignature(t *testing.T) {
	key := newKey(t, packet.Config{})
	with := func(edit func(string) string) func(site) {
		return func(f site) {
			f["dists/stable/Release"] = f["pristine Release"]
			f["dists/stable/Release.gpg"] = edit(armoured(t, signer{key: key}.packet(t, f["dists/stable/Release"], packet.SigTypeBinary)))
			delete(f, "dists/stable/InRelease")
		}
	}
	run(t, key, []trial{
		{rule: "one block", file: with(func(s string) string { return s })},
		{rule: "before it", file: with(func(s string) string { return "x\n" + s }), want: fault.TrustSig},
		{rule: "behind it", file: with(func(s string) string { return s + "x\n" }), want: fault.TrustSig},
		{rule: "two blocks", file: with(func(s string) string { return s + s }), want: fault.TrustSig},
		{rule: "a key in place of a signature", file: with(func(string) string { return string(keyFile(t, key).Data) }), want: fault.TrustSig},
		{rule: "nothing", file: with(func(string) string { return "" }), want: fault.TrustSig},
	})
}

func TestT10_Stale(t *testing.T) {
	key := newKey(t, packet.Config{})
	week := repo{release: []string{"Valid-Until: Sat, 28 Nov 2026 10:00:00 UTC"}}
	run(t, key, []trial{
		{rule: "within its time", repo: week},
		{rule: "after its time, both dates are named", repo: week, now: today.AddDate(0, 0, 7),
			want: fault.TrustStale, says: "dated 2026-11-21T10:00:00Z, valid until 2026-11-28T10:00:00Z"},
		{rule: "a snapshot is judged at its own day", repo: week, now: today.AddDate(1, 0, 0), src: func(s *resolve.Source) { s.AsOf = "2026-11-22T00:00:00Z" }},
		{rule: "no limit where none is stated", now: today.AddDate(3, 0, 0)},
		{rule: "an end that is no date", repo: repo{release: []string{"Valid-Until: soon"}}, want: fault.FormatInvalid, says: "soon"},
		{rule: "no date", repo: repo{release: []string{"Date:"}}, want: fault.FormatInvalid, says: "Date"},
	})
}

func TestT12_T13_FutureOrWrongClock(t *testing.T) {
	key := newKey(t, packet.Config{})
	run(t, key, []trial{
		{rule: "six hours ahead", now: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)},
		{rule: "more than six hours ahead", now: time.Date(2026, 11, 21, 3, 59, 59, 0, time.UTC), want: fault.TrustFuture, says: "check this machine's clock: it reads 2026-11-21T03:59:59Z"},
		{rule: "a clock before the key was made", now: time.Unix(0, 0), want: fault.TrustKeyExpired, says: "check this machine's clock"},
	})
}

func TestT14_MixAndMatch(t *testing.T) {
	key := newKey(t, packet.Config{})
	old := zip(strings.Replace(stanza1, "1.0-1", "0.9-1", 1))
	run(t, key, []trial{
		{rule: "an older index beside a newer Release", file: func(f site) { f["dists/stable/main/binary-amd64/Packages.gz"] = old },
			want: fault.TrustHash, says: "dists/stable/InRelease says"},
		{rule: "one of two indexes is older: nothing is taken", repo: repo{packages: map[string]string{"main/binary-amd64": stanza1, "extra/binary-amd64": stanza1}},
			src:  func(s *resolve.Source) { s.Components = []string{"main", "extra"} },
			file: func(f site) { f["dists/stable/extra/binary-amd64/Packages.gz"] = old }, want: fault.TrustHash},
	})
}

func TestT15_WrongSuite(t *testing.T) {
	key := newKey(t, packet.Config{})
	suite := func(names ...string) repo { return repo{release: names} }
	run(t, key, []trial{
		{rule: "another suite", repo: suite("Suite: testing"), want: fault.TrustWrongSuite, says: `"testing"`},
		{rule: "the codename will do", repo: suite("Suite: testing", "Codename: stable")},
		{rule: "neither suite nor codename", repo: suite("Suite:", "Codename:"), want: fault.TrustWrongSuite},
		{rule: "another architecture", repo: suite("Architectures: arm64 riscv64"), want: fault.TrustWrongSuite, says: "arm64, riscv64"},
		{rule: "another component", repo: suite("Components: extra"), want: fault.TrustWrongSuite, says: `"main"`},
		{rule: "the security archive's spelling of a component", repo: suite("Components: updates/main")},
		{rule: "no index for the architecture among the files", repo: repo{packages: map[string]string{"main/binary-arm64": stanza1}}, want: fault.TrustWrongSuite, says: "main/binary-amd64/Packages"},
	})
}

func TestT16_OneWayToVerify(t *testing.T) {
	key := newKey(t, packet.Config{})
	byHash := repo{release: []string{"Acquire-By-Hash: yes"}}
	f := byHash.build(t, key)
	good := f["dists/stable/main/binary-amd64/Packages.gz"]
	var name string
	_, _, err := (Format{}).Index(t.Context(), resolve.Source{Name: "test", Suites: []string{"stable"}, Components: []string{"main"}}, "amd64",
		[]resolve.Key{keyFile(t, key)}, func(ctx context.Context, path string, p resolve.Promise) ([]byte, error) {
			if strings.Contains(path, "by-hash") {
				name = path
			}
			return f.get(ctx, path, p)
		}, nil, today)
	if err != nil || name == "" {
		t.Fatalf("by-hash was asked for as %q: %v", name, err)
	}
	plain := "dists/stable/main/binary-amd64/Packages.gz"
	run(t, key, []trial{
		{rule: "by digest", repo: byHash, file: func(f site) { f[name] = good; delete(f, plain) }},
		{rule: "by name where that is not there", repo: byHash},
		{rule: "other bytes under the digest do not fall through to the name", repo: byHash, file: func(f site) { f[name] = "x" }, want: fault.TrustHash},
		{rule: "a listed form that is not there falls through to the next", repo: byHash, file: func(f site) {
			f["dists/stable/main/binary-amd64/Packages"] = stanza1
			delete(f, plain)
		}},
		{rule: "none is there", file: func(f site) { delete(f, plain) }, want: fault.Transfer, says: "Packages"},
	})
}

func TestT18_IndexPinsThePackage(t *testing.T) {
	key := newKey(t, packet.Config{})
	pkgs, indexes, err := (Format{}).Index(t.Context(), resolve.Source{Suites: []string{"stable"}, Components: []string{"main"}}, "amd64",
		[]resolve.Key{keyFile(t, key)}, repo{}.build(t, key).get, nil, today)
	if err != nil {
		t.Fatal(err)
	}
	p := pkgs[0]
	if got := p.Check.SHA256.Hex(); got != "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" || p.Size != 100 || p.Path != "pool/hello_1.0-1_amd64.deb" {
		t.Errorf("got %+v", p)
	}
	for _, ix := range indexes {
		if ix.Key != openpgpFingerprint(key) || ix.Date != "2026-11-21T10:00:00Z" || ix.SHA256.IsZero() || ix.Size == 0 {
			t.Errorf("got %+v", ix)
		}
	}
	run(t, key, []trial{
		{rule: "a size that is no size", repo: packages(strings.Replace(stanza1, "Size: 100", "Size: -1", 1)), want: fault.FormatInvalid, says: "Packages.gz:1"},
		{rule: "a digest that is none", repo: packages(strings.Replace(stanza1, "0123", "012g", 1)), want: fault.FormatInvalid, says: "SHA256"},
		{rule: "an index of another size than promised", repo: repo{edit: nil}, file: func(f site) {
			text := strings.Replace(f["pristine Release"], " main/binary-amd64/Packages\n", "0 main/binary-amd64/Packages\n", 1)
			f["dists/stable/InRelease"] = clearSign(t, strings.TrimSuffix(text, "\n"), signer{key: key})
		}, want: fault.TrustHash, says: "expands to"},
		{rule: "a bomb stops at the promised size", file: func(f site) {
			text := strings.Replace(f["pristine Release"], " main/binary-amd64/Packages\n", " main/other\n", 1)
			text = strings.TrimSuffix(text, "\n") + "\n " + strings.Repeat("0", 64) + " 10 main/binary-amd64/Packages"
			f["dists/stable/InRelease"] = clearSign(t, text, signer{key: key})
		}, want: fault.LimitExpanded},
	})
}

func packages(text string) repo {
	return repo{packages: map[string]string{"main/binary-amd64": text}}
}

func TestT19_WeakHashOnly(t *testing.T) {
	key := newKey(t, packet.Config{})
	run(t, key, []trial{
		{rule: "MD5 only in Release", repo: repo{hash: "MD5Sum"}, want: fault.TrustWeakHash, says: "SHA256"},
		{rule: "SHA1 only in Release", repo: repo{hash: "SHA1"}, want: fault.TrustWeakHash, says: "SHA256"},
		{rule: "MD5 only in Packages", repo: packages(strings.Replace(stanza1, "SHA256:", "MD5sum:", 1)), want: fault.TrustWeakHash, says: `package "hello"`},
	})
}
