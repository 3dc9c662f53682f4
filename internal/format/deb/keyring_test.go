package deb

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"compose/internal/fault"
	"compose/resolve"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Each embedded key is what the table says of it.
func TestEmbeddedKeys(t *testing.T) {
	keys, err := builtinKeys() // compares fingerprints
	if err != nil {
		t.Fatal(err)
	}
	entries, err := keyFiles.ReadDir("keys")
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != len(builtin) || len(entries) != len(builtin) {
		t.Fatalf("%d keys, %d files, %d lines", len(keys), len(entries), len(builtin))
	}
	for i, b := range builtin {
		self, err := keys[i].entity.VerifyPrimaryKey(today, policy)
		if err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
		expires := keys[i].entity.PrimaryKey.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
		if day(expires) != b.expires {
			t.Errorf("%s expires on %s, the table says %s", b.name, day(expires), b.expires)
		}
		if weak := weakKey(keys[i].entity.PrimaryKey); weak != "" {
			t.Errorf("%s is %s", b.name, weak)
		}
		if b.releases == "" {
			t.Errorf("%s is good for everything", b.name)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	key, second := newKey(t, packet.Config{}), newKey(t, packet.Config{})
	var binary, private bytes.Buffer
	if err := key.Serialize(&binary); err != nil {
		t.Fatal(err)
	}
	if err := key.SerializePrivate(&private, nil); err != nil {
		t.Fatal(err)
	}
	one, two := keyFile(t, key).Data, keyFile(t, second).Data
	ring := func(data ...[]byte) []resolve.Key {
		return []resolve.Key{{Name: "ring", Data: bytes.Join(data, []byte("\n"))}}
	}
	run(t, key, []trial{
		{rule: "armoured", keys: ring(one)},
		{rule: "binary", keys: ring(binary.Bytes())},
		{rule: "several blocks in one file", keys: ring(two, one)},
		{rule: "text beside the armour", keys: ring([]byte("hello"), one), want: fault.TrustKeyScope, says: `keyring "ring"`},
		{rule: "an armour that is cut off", keys: ring(one[:len(one)-10]), want: fault.TrustKeyScope, says: "ring"},
		{rule: "a private key", keys: ring(private.Bytes()), want: fault.TrustKeyScope, says: "private key"},
		{rule: "no key", keys: ring([]byte{}), want: fault.TrustKeyScope, says: "no OpenPGP key"},
	})
}

func FuzzSplitClearSigned(f *testing.F) {
	key := newKey(f, packet.Config{})
	f.Add([]byte(clearSign(f, "Suite: stable\nDate: x", signer{key: key})))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\n\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, signatures, err := splitClearSigned(data)
		if err != nil {
			if fault.Of(err) == "" {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		if bytes.Contains(text, []byte("-----BEGIN PGP SIGNATURE-----\r\n")) && !bytes.Contains(data, []byte("- -----BEGIN")) {
			t.Errorf("a signature is part of the text: %q", text)
		}
		if _, err := verify(text, signatures, nil, nil, today); err == nil || fault.Of(err) == "" {
			t.Errorf("no key, and yet: %v", err)
		}
	})
}

func FuzzParseRelease(f *testing.F) {
	f.Add("Suite: stable\nDate: Sat, 21 Nov 2026 10:00:00 UTC\nSHA256:\n " + strings.Repeat("0", 64) + " 5 main/binary-amd64/Packages\n")
	f.Add("Date: Sat, 21 Nov 2026 10:00:00 +0000\nValid-Until: x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		rel, err := parseRelease(text)
		if err != nil {
			if fault.Of(err) == "" {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		for name, p := range rel.files {
			if !resolve.CleanPath(name) || p.Size < 0 {
				t.Errorf("accepted %q, %+v", name, p)
			}
		}
	})
}
