package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"compose/internal/fault"
)

// A Key is a private key that was opened with its password.
type Key struct {
	Public  *PublicKey
	Warning string // something that its owner should know; or ""
	signer  signature.Signer
	file    string
}

// A PublicKey checks what the private key signed.
type PublicKey struct {
	PEM       []byte
	verifiers []signature.Verifier // any of them may accept
}

// An Algorithm is a kind of key.
type Algorithm string

// The kinds of key that compose makes.
const (
	ECDSA   Algorithm = "ecdsa-p256" // cosign's own default
	Ed25519 Algorithm = "ed25519"
)

// keyLimit is far above the size of any key file.
const keyLimit = 64 << 10

// Keygen makes a key pair and writes it to prefix.key, which only its owner
// may read, and prefix.pub. It never overwrites a file.
func Keygen(prefix string, a Algorithm, password Password) error {
	var sample crypto.PublicKey
	switch a {
	case ECDSA:
		sample = &ecdsa.PublicKey{Curve: elliptic.P256()}
	case Ed25519:
		sample = make(ed25519.PublicKey, ed25519.PublicKeySize)
	default:
		return fault.New(fault.Usage, "key type %q: want %s or %s", a, ECDSA, Ed25519)
	}
	details, err := signature.GetDefaultAlgorithmDetails(sample)
	if err != nil {
		return fmt.Errorf("key type %s: %w", a, err)
	}
	for _, file := range []string{prefix + ".key", prefix + ".pub"} {
		if _, err := os.Lstat(file); err == nil {
			return fault.New(fault.Usage, "%s: is there already; a key is never overwritten", file)
		}
	}
	pair, err := cosign.GenerateKeyPairWithAlgorithm(&details, cosign.PassFunc(password))
	if err != nil {
		return err
	}
	defer clear(pair.Password())
	if err := create(prefix+".key", pair.PrivateBytes, 0o600); err != nil {
		return err
	}
	if err := create(prefix+".pub", pair.PublicBytes, 0o644); err != nil {
		return errors.Join(err, os.Remove(prefix+".key"))
	}
	return nil
}

// create writes a file that is not there yet, whole or not at all.
func create(name string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fault.New(fault.LocalFile, "%w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fault.New(fault.LocalSpace, "%w", errors.Join(err, os.Remove(name)))
	}
	return nil
}

// LoadKey opens the private key in a file, as cosign or Keygen wrote it.
func LoadKey(file string, password Password) (*Key, error) {
	text, info, err := readKey(file)
	if err != nil {
		return nil, err
	}
	k, err := ParseKey(file, text, password)
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		k.Warning = fmt.Sprintf("%s: mode %04o lets others at the key; chmod 600 it", file, perm)
	}
	return k, nil
}

// ParseKey opens a private key in cosign's PEM form. name is for messages.
func ParseKey(name string, text []byte, password Password) (*Key, error) {
	if block, _ := pem.Decode(text); block == nil || block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType {
		return nil, fault.New(fault.TrustAttestation, "%s: not a private key of cosign's", name)
	}
	secret, err := password(false)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	// Ed25519 is used plain, not prehashed: so cosign verify expects it.
	signer, err := cosign.LoadPrivateKey(text, secret, &[]signature.LoadOption{})
	if err != nil {
		// The library's reason could tell something about the secret.
		return nil, fault.New(fault.TrustAttestation, "%s: the password does not open it, or it is damaged", name)
	}
	pub, err := signer.PublicKey()
	if err != nil {
		return nil, fault.New(fault.TrustAttestation, "%s: %w", name, err)
	}
	k := &Key{signer: signer, file: name}
	k.Public, err = newPublicKey(name, pub)
	return k, err
}

// LoadPublicKey reads a public key in PEM form.
func LoadPublicKey(file string) (*PublicKey, error) {
	text, _, err := readKey(file)
	if err != nil {
		return nil, err
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return nil, fault.New(fault.TrustAttestation, "%s: not a public key: %w", file, err)
	}
	return newPublicKey(file, pub)
}

func newPublicKey(file string, pub crypto.PublicKey) (*PublicKey, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() {
			return nil, fault.New(fault.TrustAttestation, "%s: an ECDSA key on curve %s; want P-256", file, pub.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return nil, fault.New(fault.TrustAttestation, "%s: a key of type %T; want ECDSA P-256 or Ed25519", file, pub)
	}
	k := &PublicKey{}
	v, err := signature.LoadVerifier(pub, crypto.SHA256)
	if err != nil {
		return nil, fault.New(fault.TrustAttestation, "%s: %w", file, err)
	}
	k.verifiers = append(k.verifiers, v)
	if pub, ok := pub.(ed25519.PublicKey); ok { // cosign sign prehashes
		ph, err := signature.LoadED25519phVerifier(pub)
		if err != nil {
			return nil, fault.New(fault.TrustAttestation, "%s: %w", file, err)
		}
		k.verifiers = append(k.verifiers, ph)
	}
	k.PEM, err = cryptoutils.MarshalPublicKeyToPEM(pub)
	return k, err
}

func readKey(file string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fault.New(fault.Usage, "key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fault.New(fault.LocalFile, "key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, keyLimit+1))
	if err != nil {
		return nil, nil, fault.New(fault.LocalFile, "key: %w", err)
	}
	if len(text) > keyLimit {
		return nil, nil, fault.New(fault.Usage, "%s: longer than any key", file)
	}
	return text, info, nil
}
