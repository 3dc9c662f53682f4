package apk

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"embed"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"compose/internal/fault"
	"compose/resolve"
)

// minRSABits is the shortest RSA key that may sign anything.
const minRSABits = 2048

// keyPrefix is what the names of Alpine's own keys begin with. It is part of
// the format: a signature refers to its key by file name.
const keyPrefix = "alpine-devel@lists.alpinelinux.org-"

// builtin are Alpine's keys, as Debian's package pmbootstrap 1.50.1-1 has
// them (pmb/data/keys); which architectures each is for, Alpine's package
// alpine-keys 2.4-r1 says (usr/share/apk/keys/ARCH).
//
// Each architecture had a key of 2048 bits, and since the end of 2021 has one
// of 4096. All releases that were still made then, from v3.12 on, have been
// signed with the later ones; the earlier ones are good up to v3.17, the last
// release for which machines may still have had only them.
var builtin = []struct {
	id            string // file name between keyPrefix and .rsa.pub
	sha256        string // of the key in DER (SubjectPublicKeyInfo)
	architectures string
	from, to      int // of releases v3.N; 0: any. Only a key without to is good for edge.
}{
	{"6165ee59", "8a70fc55f1a6fb2a392ad5a3e71aff82a637b2b33659c046f6b6a909bb5d1ab7", "x86_64", 12, 0},
	{"61666e3f", "06216db06044f26845ff610f2c253863b9e01fbd4c5557871b8bfa2f5ac96e95", "x86", 12, 0},
	{"616a9724", "4cff6544e8548bd10f959de619ab2184867c8016f03a5c6b8da6f3e88bfb1625", "armhf", 12, 0},
	{"616abc23", "654f5e12a67c95bedf92da80b6257abba7fe1df6698820825d793a33d677e3a1", "ppc64le", 12, 0},
	{"616ac3bc", "2ace5cf3235c095544c26ec946611836f39324aa264f75862fe0332eb17f0975", "s390x", 12, 0},
	{"616adfeb", "45d409999dd3e16dfce19757fc48f238ae775d17ca319e08e474a471f1ab6521", "armv7", 12, 0},
	{"616ae350", "479f16f4170a9ea0c65e1de854860949b1a549cfa1f43552f7a2e821c9e2f409", "aarch64", 12, 0},
	{"616db30d", "32246c9a9673e3f6e7bef6c96031883d23078f41094ea6636d19a697f356420a", "riscv64", 12, 0},
	{"4a6a0840", "4e0c26751a474db486b0a8f37e37ff02e12465e8cea8ef08614ac173cb870f28", "x86 x86_64", 0, 17},
	{"5243ef4b", "40e738cce781c04cac98adf11a1574efdf84209661f6c93098013a0b4809ca00", "x86", 0, 17},
	{"524d27bb", "cc0b5f10577afdbb3ec288feae97d5681d508cd7086e45693a938e92322d5c5c", "armhf armv7", 0, 17},
	{"5261cecb", "bb1f0937c138e81a838e0958c4c756547dac85794e38bf1a5536a0808dcf95f2", "x86_64", 0, 17},
	{"58199dcc", "635a0325ac8c11ec329698586cd2a8e54c18ba376d5d4bc215a489e1a774fb88", "aarch64", 0, 17},
	{"58cbb476", "f3d1a46b632166cee03485c05b63fd8687a7a7d8b1d27528718029c63a955319", "ppc64le", 0, 17},
	{"58e4f17d", "556c20b04b6b517652477f20108350367c125994f07196d765bd836063ffc236", "s390x", 0, 17},
	{"5e69ca50", "cae5d12519633b68c607cad9411669b3b18c041b123e8f08e49260697ee2c336", "mips64", 0, 17},
	{"60ac2099", "c0bd6da992b7158927aae7c11fc416a2c7d63fd2a47db238a0e8f636ebf2fc9d", "riscv64", 0, 17},
}

//go:embed keys/*.rsa.pub
var keyFiles embed.FS

// A key may sign some repository.
type key struct {
	name        string // by which a signature refers to it
	fingerprint string // SHA-256 of the key in DER, in hexadecimal digits
	public      *rsa.PublicKey
	scope       string // what it may sign, for messages; "": what names it
}

// boundKeys are the keys that may sign src's index for arch, by name: the
// embedded ones where it asks for them, and those of the given files. others
// are embedded keys that may not; they are known only to say so.
func boundKeys(src resolve.Source, arch string, files []resolve.Key) (bound, others map[string]*key, err error) {
	bound, others = map[string]*key{}, map[string]*key{}
	for _, b := range builtin {
		data, err := keyFiles.ReadFile("keys/" + b.id + ".rsa.pub")
		if err != nil {
			return nil, nil, err
		}
		k, err := parseKey(keyPrefix+b.id+".rsa.pub", data)
		if err != nil {
			return nil, nil, err
		}
		if k.fingerprint != b.sha256 {
			return nil, nil, fmt.Errorf("embedded key %s: SHA-256 %s, want %s", b.id, k.fingerprint, b.sha256)
		}
		k.scope = fmt.Sprintf("Alpine's releases %s for %s", span3(b.from, b.to), b.architectures)
		if src.Builtin && slices.Contains(strings.Fields(b.architectures), arch) && good(b.from, b.to, src.Releases) {
			bound[k.name] = k
		} else {
			others[k.name] = k
		}
	}
	for _, f := range files {
		k, err := parseKey(path.Base(f.Name), f.Data)
		if err != nil {
			return nil, nil, fault.New(fault.TrustKeyScope, "key %q: %w", f.Name, err)
		}
		if old, twice := bound[k.name]; twice && old.fingerprint != k.fingerprint {
			return nil, nil, fault.New(fault.TrustKeyScope, "two keys have the name %q: %s and %s", k.name, old.fingerprint, k.fingerprint)
		}
		bound[k.name] = k
	}
	return bound, others, nil
}

// good reports whether a key for v3.from to v3.to may sign the releases.
func good(from, to int, releases []string) bool {
	for _, r := range releases {
		n, ok := minor(r)
		if !ok {
			n = 1 << 30 // edge is later than all
		}
		if n < from || to != 0 && n > to {
			return false
		}
	}
	return true
}

// minor is the N of the release v3.N.
func minor(release string) (int, bool) {
	digits, ok := strings.CutPrefix(release, "v3.")
	n, err := strconv.ParseUint(digits, 10, 16)
	return int(n), ok && err == nil
}

func span3(from, to int) string {
	switch {
	case to == 0:
		return fmt.Sprintf("from v3.%d on", from)
	default:
		return fmt.Sprintf("up to v3.%d", to)
	}
}

// parseKey reads an RSA public key in PEM.
func parseKey(name string, data []byte) (*key, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("not one public key in PEM")
	}
	var public any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("PEM of type %q: want PUBLIC KEY", block.Type)
	}
	if err != nil {
		return nil, err
	}
	p, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, fault.New(fault.TrustWeak, "a key of type %T: apk uses RSA", public)
	}
	der, err := x509.MarshalPKIXPublicKey(p)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &key{name: name, fingerprint: hex.EncodeToString(sum[:]), public: p}, nil
}
