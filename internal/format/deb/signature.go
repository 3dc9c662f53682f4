package deb

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"compose/internal/fault"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Limits of a signed file.
const (
	maxRelease    = 16 << 20 // bytes; Debian's largest has 250 KB
	maxSignedLine = 64 << 10 // bytes
	maxSignatures = 16       // Debian's has 3
	maxSignature  = 1 << 20  // bytes, all of them together
)

// Algorithms that are refused are named here, not left to what the library
// thinks of them. SHA-1 is refused in a key's own signatures as well.
var policy = &packet.Config{
	RejectPublicKeyAlgorithms: map[packet.PublicKeyAlgorithm]bool{
		packet.PubKeyAlgoDSA: true, packet.PubKeyAlgoElGamal: true,
	},
	RejectHashAlgorithms:        map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true, crypto.SHA224: true},
	RejectMessageHashAlgorithms: map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true, crypto.SHA224: true},
	RejectCurves:                map[packet.Curve]bool{packet.CurveSecP256k1: true},
	MinRSABits:                  2048,
}

// weakHashes are hash algorithms by their number in a signature (RFC 9580,
// 9.5); weakKeys are public key algorithms likewise (9.1).
var (
	weakHashes = map[byte]string{1: "MD5", 2: "SHA-1", 3: "RIPEMD-160", 11: "SHA-224"}
	weakKeys   = map[byte]string{16: "Elgamal", 17: "DSA"}
)

// splitClearSigned cuts a clear-signed file into the text that was signed, in
// the form in which it was, and the signatures. The file must hold nothing
// else (threats.md T-08).
func splitClearSigned(data []byte) (text, signatures []byte, err error) {
	if err := checkFrame(data); err != nil {
		return nil, nil, err
	}
	block, rest := clearsign.Decode(data)
	switch {
	case block == nil:
		return nil, nil, fault.New(fault.TrustSig, "not a clear-signed file")
	case len(rest) != 0:
		return nil, nil, fault.New(fault.TrustSig, "%d bytes stand behind the signature", len(rest))
	}
	signatures, err = readArmor(block.ArmoredSignature)
	return block.Bytes, signatures, err
}

// checkFrame checks what the decoder does not: that the message begins with
// the file, and that nothing in it could be taken for another one.
func checkFrame(data []byte) error {
	if len(data) > maxRelease {
		return fault.New(fault.LimitSize, "%d bytes: the limit is %d", len(data), maxRelease)
	}
	if !bytes.HasPrefix(data, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n")) {
		return fault.New(fault.TrustSig, "it does not begin with a signed message, but with %q", clip(string(data[:min(len(data), 60)])))
	}
	want := []string{"-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"}
	n, checksum := 0, false
	for line := range bytes.Lines(data) {
		n++
		if len(line) > maxSignedLine {
			return fault.New(fault.LimitSize, "line %d has %d bytes: the limit is %d", n, len(line), maxSignedLine)
		}
		marker := line[0] == '-' && !bytes.HasPrefix(line, []byte("- "))
		if checksum && !marker {
			return fault.New(fault.TrustSig, "line %d: %q stands behind the armour's checksum", n, clip(string(line)))
		}
		checksum = checksum || len(want) == 1 && line[0] == '='
		if !marker {
			continue
		}
		if len(want) == 0 || string(bytes.TrimSuffix(line, []byte("\n"))) != want[0] {
			return fault.New(fault.TrustSig, "line %d: %q does not belong to one signed message", n, clip(string(line)))
		}
		want, checksum = want[1:], false
	}
	if len(want) > 0 {
		return fault.New(fault.TrustSig, "no line %q: the file is cut off", want[0])
	}
	return nil
}

// detached reads a detached signature: one armour block and nothing else
// (threats.md T-09).
func detached(data []byte) ([]byte, error) {
	const begin, end = "-----BEGIN PGP SIGNATURE-----\n", "\n-----END PGP SIGNATURE-----"
	text := strings.TrimRight(string(data), "\r\n")
	if len(data) > maxRelease || !strings.HasPrefix(text, begin) || !strings.HasSuffix(text, end) ||
		strings.Count(text, "-----BEGIN") != 1 || strings.Count(text, "-----END") != 1 {
		return nil, fault.New(fault.TrustSig, "not one armoured signature and nothing else")
	}
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		return nil, fault.New(fault.TrustSig, "armour: %w", err)
	}
	return readArmor(block)
}

func readArmor(block *armor.Block) ([]byte, error) {
	if block.Type != openpgp.SignatureType {
		return nil, fault.New(fault.TrustSig, "armour of type %q where a signature should be", block.Type)
	}
	b, err := io.ReadAll(io.LimitReader(block.Body, maxSignature+1))
	if err != nil {
		return nil, fault.New(fault.TrustSig, "armour of the signature: %w", err)
	}
	if len(b) > maxSignature {
		return nil, fault.New(fault.LimitSize, "signatures of more than %d bytes", maxSignature)
	}
	return b, nil
}

// A verdict is what the signatures of one file come to.
type verdict struct {
	good    []*key   // bound keys that made a good and strong signature
	held    []*key   // embedded keys that say they made one, but may not
	unknown []string // key ids of other signatures
	weak    []string // why signatures do not count
	expired []string
}

// verify judges all signatures over text at a time. One good one by a bound,
// strong key is enough; a bad one by a bound key refuses whatever stands
// beside it (threats.md T-04).
func verify(text, signatures []byte, bound, others []*key, at time.Time) (*verdict, error) {
	var v verdict
	r := packet.NewOpaqueReader(bytes.NewReader(signatures))
	for n := 0; ; n++ {
		op, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fault.New(fault.TrustSig, "signature %d: %w", n+1, err)
		}
		if op.Tag != 2 { // signature packet (RFC 9580, 5.2)
			return nil, fault.New(fault.TrustSig, "packet %d has the tag %d, and is no signature", n+1, op.Tag)
		}
		if n == maxSignatures {
			return nil, fault.New(fault.LimitSize, "more than %d signatures", maxSignatures)
		}
		if err := v.add(op, text, bound, others, at); err != nil {
			return nil, err
		}
	}
	if len(v.good) > 0 {
		return &v, nil
	}
	return nil, v.refusal(bound)
}

// add judges one signature.
func (v *verdict) add(op *packet.OpaquePacket, text []byte, bound, others []*key, at time.Time) error {
	p, err := op.Parse()
	sig, ok := p.(*packet.Signature)
	if weak := weakness(op.Contents); weak != "" {
		name := "a signature"
		if ok && sig.IssuerKeyId != nil {
			name = fmt.Sprintf("the signature by %016X", *sig.IssuerKeyId)
		}
		v.weak = append(v.weak, name+" uses "+weak)
		return nil
	}
	if err != nil || !ok {
		v.unknown = append(v.unknown, "one of a kind that is not known")
		return nil
	}
	k, pub := find(bound, sig)
	if k == nil {
		v.stranger(sig, others)
		return nil
	}
	if err := check(pub, sig, text); err != nil {
		return fault.New(fault.TrustSig, "the signature by %s (%s) is bad: %w", k.fingerprint(), k.name, err)
	}
	if weak := weakKey(pub); weak != "" {
		v.weak = append(v.weak, fmt.Sprintf("key %s is %s", k.fingerprint(), weak))
		return nil
	}
	err = k.validAt(pub, at)
	if err == nil {
		err = timely(k, sig, at)
	}
	switch {
	case err == nil:
		v.good = append(v.good, k)
	case errors.Is(err, errUnfit):
		v.weak = append(v.weak, err.Error())
	default:
		v.expired = append(v.expired, err.Error())
	}
	return nil
}

// stranger notes a signature by a key that is not bound.
func (v *verdict) stranger(sig *packet.Signature, others []*key) {
	if k, _ := find(others, sig); k != nil {
		v.held = append(v.held, k)
		return
	}
	id := "without a key id"
	if sig.IssuerKeyId != nil {
		id = fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	v.unknown = append(v.unknown, id)
}

// refusal says why there is no good signature.
func (v *verdict) refusal(bound []*key) error {
	var names []string
	for _, k := range bound {
		names = append(names, k.fingerprint())
	}
	accepted := "no key may sign it"
	if len(names) > 0 {
		accepted = "accepted are " + strings.Join(names, ", ")
	}
	switch {
	case len(v.expired) > 0:
		return fault.New(fault.TrustKeyExpired, "%s", strings.Join(v.expired, "; "))
	case len(v.weak) > 0:
		return fault.New(fault.TrustWeak, "%s", strings.Join(v.weak, "; "))
	case len(v.held) > 0:
		k := v.held[0]
		return fault.New(fault.TrustKeyScope, "signed by %s (%s), which may sign %s only; %s", k.fingerprint(), k.name, strings.Join(k.releases, ", "), accepted)
	case len(v.unknown) > 0:
		return fault.New(fault.TrustSig, "signed by none of its keys, but by %s; %s", strings.Join(v.unknown, ", "), accepted)
	}
	return fault.New(fault.TrustUnsigned, "no signature in it; %s", accepted)
}

// weakness names what makes a signature packet weak: its own version or
// algorithms, read from its first bytes (RFC 9580, 5.2.3), since the library
// does not parse all that is obsolete.
func weakness(b []byte) string {
	switch {
	case len(b) > 0 && b[0] == 3:
		return "version 3 of the format"
	case len(b) < 4 || b[0] != 4 && b[0] != 6:
		return ""
	case weakKeys[b[2]] != "":
		return weakKeys[b[2]]
	}
	return weakHashes[b[3]]
}

// weakKey says what makes a key weak.
func weakKey(pub *packet.PublicKey) string {
	switch pub.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if bits, err := pub.BitLength(); err != nil || bits < policy.MinRSABits {
			return fmt.Sprintf("RSA of %d bits; %d are needed", bits, policy.MinRSABits)
		}
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA:
		if curve, err := pub.Curve(); err != nil || policy.RejectCurves[curve] {
			return fmt.Sprintf("on the curve %q", curve)
		}
	case packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
	default:
		return fmt.Sprintf("of the algorithm %d", pub.PubKeyAlgo)
	}
	return ""
}

// check does the arithmetic of one signature.
func check(pub *packet.PublicKey, sig *packet.Signature, text []byte) error {
	if sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText {
		return fmt.Errorf("type 0x%02x is no signature of a document", sig.SigType)
	}
	h, err := sig.PrepareVerify()
	if err != nil {
		return err
	}
	h.Write(text)
	return pub.VerifySignature(h, sig)
}

// timely says why a signature does not count at a time.
func timely(k *key, sig *packet.Signature, at time.Time) error {
	if sig.CreationTime.Sub(at) > maxAhead {
		return fmt.Errorf("the signature by %s was made on %s, and it is %s: check this machine's clock", k.fingerprint(), day(sig.CreationTime), day(at))
	}
	if life := sig.SigLifetimeSecs; life != nil && *life != 0 && at.After(sig.CreationTime.Add(time.Duration(*life)*time.Second)) {
		return fmt.Errorf("the signature by %s has expired", k.fingerprint())
	}
	return nil
}

// errUnfit marks a key that was never fit to sign, at any time.
var errUnfit = errors.New("is not fit to sign: it has no valid signature of its own, or only a weak one")

// validAt says why k, or its subkey pub, may not sign at a time.
func (k *key) validAt(pub *packet.PublicKey, at time.Time) error {
	describe := func(err error) error {
		switch {
		case at.Before(pub.CreationTime):
			return fmt.Errorf("key %s was made on %s, and it is %s: check this machine's clock", k.fingerprint(), day(pub.CreationTime), day(at))
		case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrKeyRevoked), errors.Is(err, pgperrors.ErrSignatureExpired):
			return fmt.Errorf("key %s (%s): %w on %s", k.fingerprint(), k.name, err, day(at))
		}
		return fmt.Errorf("key %s (%s) %w", k.fingerprint(), k.name, errUnfit)
	}
	self, err := k.entity.VerifyPrimaryKey(at, policy)
	if err != nil {
		return describe(err)
	}
	for i := range k.entity.Subkeys {
		if s := &k.entity.Subkeys[i]; s.PublicKey == pub {
			if self, err = s.Verify(at, policy); err != nil {
				return describe(err)
			}
		}
	}
	if self.FlagsValid && !self.FlagSign {
		return describe(errUnfit)
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
