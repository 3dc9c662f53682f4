// Package cas names bytes by their SHA-256 and keeps them.
//
// A store has two areas. Blobs are kept under their own digest and are hashed
// again whenever they are read, so that damage is a miss and never a wrong
// build. Derived entries (the contents of an unpacked package, a compressed
// segment, a parsed index) are kept under a key that names everything they
// were computed from; whoever reads one checks it, or does without.
package cas

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Digest is the SHA-256 of some bytes. The zero Digest stands for none.
type Digest [sha256.Size]byte

// Sum is the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads "sha256:" and 64 lower-case hexadecimal digits, the form
// of the OCI image specification, or the 64 digits alone.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	h := strings.TrimPrefix(s, "sha256:")
	if len(h) != hex.EncodedLen(len(d)) || h != strings.ToLower(h) {
		return Digest{}, fmt.Errorf("digest %q: want sha256: and 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(h)); err != nil {
		return Digest{}, fmt.Errorf("digest %q: want sha256: and 64 lower-case hexadecimal digits", s)
	}
	if d.IsZero() {
		return d, fmt.Errorf("digest %q: nothing has it; it stands for no digest", s)
	}
	return d, nil
}

// String is the form of the OCI image specification: "sha256:" and the
// digits; the zero Digest is "".
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return "sha256:" + d.Hex()
}

// Hex is the digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d stands for no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText is String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDigest; no text is the zero Digest.
func (d *Digest) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = ParseDigest(string(b))
	return err
}

// A Ref names some bytes and says where a store has them: in the blob of
// their digest or, where Pack is set, Offset bytes into the pack of that key.
type Ref struct {
	Digest Digest // SHA-256 of the bytes
	Size   int64  // in bytes
	Pack   Digest // key of the pack that holds them; zero: they are a blob
	Offset int64  // in bytes, within the pack
}

// ErrDamaged is what reading answers when a store's bytes are not the ones
// that were put there.
var ErrDamaged = errors.New("damaged in the store")

// A Mismatch is the error of bytes that are not the expected ones.
type Mismatch struct {
	Want Digest
	Got  Ref // what came instead
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("sha256 is %s (%d bytes), expected %s", m.Got.Digest.Hex(), m.Got.Size, m.Want.Hex())
}

// A Store keeps bytes. Its methods may be called from several goroutines, and
// a Dir from several processes.
type Store interface {
	// Put keeps what r has to give, as a blob. A mistake of r's leaves
	// nothing behind.
	Put(r io.Reader) (Ref, error)

	// PutAs is Put for bytes whose digest is known beforehand. Other bytes
	// are a Mismatch, and leave nothing behind.
	PutAs(r io.Reader, want Digest) (Ref, error)

	// Open gives the bytes that ref names. Reading to the end checks them:
	// the last Read answers io.EOF only if they have ref's size and digest.
	// A store that does not hold them answers fs.ErrNotExist; one that holds
	// damaged bytes answers ErrDamaged, once, and fs.ErrNotExist afterwards;
	// the last bytes are withheld until they are known to be good. A size
	// below zero stands for any.
	Open(ref Ref) (io.ReadCloser, error)

	// Has reports whether the blob d is there, of the given size; its bytes
	// are not looked at. A size below zero stands for any.
	Has(d Digest, size int64) bool

	// NewPack begins the pack of the given key, which holds many contents
	// one behind the other.
	NewPack(key Digest) (PackWriter, error)

	// Derived gives the entry that PutDerived kept, and whether there is
	// one. It checks the bytes against what was put; damage is a miss.
	Derived(kind string, key Digest) ([]byte, bool)

	// PutDerived keeps data, a pure function of what key names. kind is a
	// lower-case word.
	PutDerived(kind string, key Digest, data []byte) error
}

// A PackWriter appends contents to a pack. The pack is there for readers
// once Commit has returned; Abort, which is harmless after Commit, drops it.
type PackWriter interface {
	// Append copies all of r and says where it stands.
	Append(r io.Reader) (Ref, error)
	Commit() error
	Abort()
}
