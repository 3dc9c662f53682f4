package deb

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"compose/internal/fault"
	"compose/resolve"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// builtin are Debian's archive keys, as the package debian-archive-keyring
// 2023.3+deb12u2 has them in usr/share/keyrings (debian-archive-NAME.gpg).
//
// Debian signs a release with its own keys, those of the release before it
// and, later on, those of the one after it; sid with all of them. A key is
// good for no more than that.
var builtin = []struct {
	name        string // of the file in keys/, without .gpg
	fingerprint string // of the primary key
	expires     string // day, UTC
	releases    string // codenames
}{
	{"trixie-automatic", "04B54C3CDCA79751B16BC6B5225629DF75B188BD", "2035-03-28", "bookworm trixie forky sid experimental"},
	{"trixie-security-automatic", "5E04A1E3223A19A20706E20F9904613D4CCE68C6", "2035-03-28", "bookworm-security trixie-security forky-security"},
	{"trixie-stable", "41587F7DB8C774BCCF131416762F67A0B2C39DE4", "2033-03-22", "trixie"},
	{"bookworm-automatic", "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8", "2031-01-19", "bullseye bookworm trixie sid experimental"},
	{"bookworm-security-automatic", "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0", "2031-01-19", "bullseye-security bookworm-security trixie-security"},
	{"bookworm-stable", "4D64FEC119C2029067D6E791F8D2585B8783D481", "2031-01-21", "bookworm"},
	{"bullseye-automatic", "1F89983E0081FDE018F3CC9673A4F27B8DD47936", "2029-01-15", "bullseye bookworm sid experimental"},
	{"bullseye-security-automatic", "AC530D520F2F3269F5E98313A48449044AAD5C5D", "2029-01-15", "bullseye-security bookworm-security"},
	{"bullseye-stable", "A4285295FC7B1A81600062A9605C66F00D6C9793", "2029-02-11", "bullseye"},
}

//go:embed keys/*.gpg
var keyFiles embed.FS

// A key may sign some repository.
type key struct {
	entity   *openpgp.Entity
	name     string   // for messages
	releases []string // codenames that it is good for; nil: any
}

// fingerprint is that of the primary key, in upper-case hexadecimal digits.
func (k *key) fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// good reports whether k may sign all of the releases.
func (k *key) good(releases ...string) bool {
	for _, r := range releases {
		if k.releases != nil && !slices.Contains(k.releases, release(r)) {
			return false
		}
	}
	return true
}

// release is the release that a suite by codename belongs to: trixie for
// trixie-updates. Security suites have keys of their own and stay as they are.
func release(codename string) string {
	for _, suffix := range []string{"-updates", "-backports", "-backports-sloppy", "-proposed-updates"} {
		if name, ok := strings.CutSuffix(codename, suffix); ok {
			return name
		}
	}
	return codename
}

// builtinKeys are the embedded keys.
func builtinKeys() ([]*key, error) {
	var keys []*key
	for _, b := range builtin {
		data, err := keyFiles.ReadFile("keys/" + b.name + ".gpg")
		if err != nil {
			return nil, err
		}
		entities, err := openpgp.ReadKeyRing(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("embedded key %s: %w", b.name, err)
		}
		for _, e := range entities {
			k := &key{entity: e, name: "Debian's " + b.name, releases: strings.Fields(b.releases)}
			if k.fingerprint() != b.fingerprint {
				return nil, fmt.Errorf("embedded key %s: fingerprint %s, want %s", b.name, k.fingerprint(), b.fingerprint)
			}
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// boundKeys are the keys that may sign src: the embedded ones where it asks
// for them, and those of the given files. others are embedded keys that may
// not; they are known only to say so.
func boundKeys(src resolve.Source, files []resolve.Key) (bound, others []*key, err error) {
	own, err := builtinKeys()
	if err != nil {
		return nil, nil, err
	}
	for _, k := range own {
		if src.Builtin && k.good(src.Releases...) {
			bound = append(bound, k)
		} else {
			others = append(others, k)
		}
	}
	for _, f := range files {
		entities, err := readKeyFile(f.Data)
		if err != nil {
			return nil, nil, fault.New(fault.TrustKeyScope, "keyring %q: %w", f.Name, err)
		}
		for _, e := range entities {
			bound = append(bound, &key{entity: e, name: f.Name})
		}
	}
	return bound, others, nil
}

const (
	armorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// readKeyFile reads OpenPGP public keys: binary, or armoured in one or
// several blocks.
func readKeyFile(data []byte) (openpgp.EntityList, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte(armorBegin[:5])) {
		return readKeys(bytes.NewReader(data))
	}
	var all openpgp.EntityList
	for rest := data; len(bytes.TrimSpace(rest)) > 0; {
		end := bytes.Index(rest, []byte(armorEnd))
		if end < 0 || !bytes.HasPrefix(bytes.TrimSpace(rest), []byte(armorBegin)) {
			return nil, fmt.Errorf("text beside %q", armorBegin)
		}
		end += len(armorEnd)
		block, err := armor.Decode(bytes.NewReader(rest[:end]))
		if err != nil {
			return nil, err
		}
		entities, err := readKeys(block.Body)
		if err != nil {
			return nil, err
		}
		all = append(all, entities...)
		rest = rest[end:]
	}
	return all, nil
}

func readKeys(r io.Reader) (openpgp.EntityList, error) {
	entities, err := openpgp.ReadKeyRing(r)
	if err == nil && len(entities) == 0 {
		err = fmt.Errorf("no OpenPGP key in it")
	}
	for _, e := range entities {
		if e.PrivateKey != nil {
			return nil, fmt.Errorf("it holds the private key of %X", e.PrimaryKey.Fingerprint)
		}
	}
	return entities, err
}

// find is the key among keys that says it made sig, and the part of it that
// did: the primary key or a subkey.
func find(keys []*key, sig *packet.Signature) (*key, *packet.PublicKey) {
	for _, k := range keys {
		if sig.CheckKeyIdOrFingerprint(k.entity.PrimaryKey) {
			return k, k.entity.PrimaryKey
		}
		for i := range k.entity.Subkeys {
			if pub := k.entity.Subkeys[i].PublicKey; sig.CheckKeyIdOrFingerprint(pub) {
				return k, pub
			}
		}
	}
	return nil, nil
}
