package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"compose/internal/cas"
	"compose/internal/fault"
)

// A Proof is what Verify found to be true.
type Proof struct {
	Image      Image
	Signatures int     // of Image, that the key made
	Claims     []Claim // that the key signed: of Image, then of each platform
}

// A Claim is what an attestation states of its image.
type Claim struct {
	Image         Image // that it is stored with
	PredicateType string
	Predicate     []byte // JSON
}

// Claim reads an attestation. It says nothing of who made it.
func (a Artifact) Claim() (Claim, error) {
	a, err := a.unbundled()
	if err != nil {
		return Claim{}, fault.New(fault.FormatInvalid, "%s: %w", a.Kind.noun(), err)
	}
	s, err := readStatement(a.Payload)
	if err != nil {
		return Claim{}, fault.New(fault.FormatInvalid, "%s: %w", a.Kind.noun(), err)
	}
	return Claim{PredicateType: s.PredicateType, Predicate: s.Predicate}, nil
}

// unbundled is the attestation in a bundle, and a itself if it is none.
func (a Artifact) unbundled() (Artifact, error) {
	if a.Kind != Bundle {
		return a, nil
	}
	var b struct {
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := decode(a.Payload, &b); err != nil {
		return a, fmt.Errorf("its bundle: %w", err)
	}
	return Artifact{Kind: Attestation, Payload: b.Envelope}, nil
}

// Verify checks, offline, that the image at p bears a signature by the key,
// and attestations by the key of all the given predicate types: each type of
// the image itself, or else of every platform below it.
//
// Artifacts that other keys signed count for nothing; one that this key
// signed and that says something else, or cannot be read, is a failure of the
// whole. The platforms need no signature of their own, since the index that
// is signed has their digests.
func (k *PublicKey) Verify(ctx context.Context, p Place, expected ...string) (*Proof, error) {
	img, err := p.Image(ctx)
	if err != nil {
		return nil, err
	}
	below, err := p.Platforms(ctx, img)
	if err != nil {
		return nil, err
	}
	proof := &Proof{Image: img}
	others := map[cas.Digest]int{} // attestations by other keys
	for _, of := range append([]Image{img}, below...) {
		var signatures, theirs int
		for _, kind := range kinds {
			all, own, err := k.own(ctx, p, of, kind)
			if err != nil {
				return nil, err
			}
			if kind == Signature {
				signatures += len(own)
			} else {
				others[of.Digest] += all - len(own)
			}
			if kind != Attestation {
				theirs += all - len(own)
			}
			for _, a := range own {
				if kind == Signature {
					continue
				}
				c, err := a.Claim()
				if err != nil {
					return nil, err
				}
				if c.PredicateType == Signed {
					signatures++
					continue
				}
				c.Image = of
				proof.Claims = append(proof.Claims, c)
			}
		}
		if of == img {
			if proof.Signatures = signatures; signatures == 0 {
				return nil, missing(img, "signature", theirs)
			}
		}
	}
	for _, want := range expected {
		if proof.has(img, want) {
			continue
		}
		if len(below) == 0 {
			return nil, missing(img, "attestation "+want, others[img.Digest])
		}
		for _, b := range below {
			if !proof.has(b, want) {
				return nil, missing(b, "attestation "+want, others[b.Digest])
			}
		}
	}
	return proof, nil
}

func (p *Proof) has(img Image, predicateType string) bool {
	return slices.ContainsFunc(p.Claims, func(c Claim) bool { return c.Image == img && c.PredicateType == predicateType })
}

func missing(img Image, what string, others int) error {
	if others == 0 {
		return fault.New(fault.TrustAttestation, "image %s: no %s", img.Digest, what)
	}
	return fault.New(fault.TrustAttestation, "image %s: no %s by this key, and %d by others", img.Digest, what, others)
}

// own counts the artifacts of one kind of img, and gives those that the key
// made.
func (k *PublicKey) own(ctx context.Context, p Place, img Image, kind Kind) (all int, own []Artifact, err error) {
	list, err := p.Artifacts(ctx, img, kind)
	if err != nil {
		return 0, nil, err
	}
	for _, a := range list {
		err := k.check(ctx, img, a)
		if errors.Is(err, errNotOurs) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		own = append(own, a)
	}
	return len(list), own, nil
}

// errNotOurs is an artifact without a signature by the key.
var errNotOurs = errors.New("not signed by this key")

// check verifies that the key signed a, and that a speaks of img. The two
// are told apart: what others signed is errNotOurs.
func (k *PublicKey) check(ctx context.Context, img Image, a Artifact) error {
	a, err := a.unbundled()
	if err != nil {
		return fault.New(fault.TrustAttestation, "image %s, %s: %w: %w", img.Digest, a.Kind.noun(), errNotOurs, err)
	}
	if !k.signed(ctx, img, a) {
		return fault.New(fault.TrustAttestation, "image %s, %s: %w", img.Digest, a.Kind.noun(), errNotOurs)
	}
	if err := claims(img, a); err != nil {
		return fault.New(fault.TrustAttestation, "image %s, %s: %w", img.Digest, a.Kind.noun(), err)
	}
	return nil
}

func (k Kind) noun() string {
	switch k {
	case Signature:
		return "signature"
	case Attestation:
		return "attestation"
	}
	return string(k)
}

// signed reports whether one of the key's verifiers accepts the signature.
func (k *PublicKey) signed(ctx context.Context, img Image, a Artifact) bool {
	// Certificates and log entries are left out: the key alone decides.
	sig, err := static.NewSignature(a.Payload, a.Annotations[static.SignatureAnnotationKey])
	if err != nil {
		return false
	}
	verify := cosign.VerifyImageSignature
	if a.Kind == Attestation {
		verify = cosign.VerifyBlobAttestation
	}
	for _, v := range k.verifiers {
		opts := &cosign.CheckOpts{SigVerifier: v, IgnoreTlog: true, Offline: true}
		if _, err := verify(ctx, sig, hash(img.Digest), opts); err == nil {
			return true
		}
	}
	return false
}

// claims checks that what was signed is about img.
func claims(img Image, a Artifact) error {
	if a.Kind == Attestation {
		s, err := readStatement(a.Payload)
		if err != nil {
			return err
		}
		for _, sub := range s.Subject {
			if sub.Digest["sha256"] == img.Digest.Hex() {
				return nil
			}
		}
		return errors.New("its statement is about something else")
	}
	var p payload.SimpleContainerImage
	if err := decode(a.Payload, &p); err != nil {
		return fmt.Errorf("its payload: %w", err)
	}
	if p.Critical.Type != payload.CosignSignatureType {
		return fmt.Errorf("its payload has the type %q, want %q", p.Critical.Type, payload.CosignSignatureType)
	}
	if p.Critical.Image.DockerManifestDigest != img.Digest.String() {
		return fmt.Errorf("it is for %q", p.Critical.Image.DockerManifestDigest)
	}
	return nil
}

// open gives the payload of a DSSE envelope.
func open(envelope []byte) ([]byte, error) {
	var e dsse.Envelope
	if err := decode(envelope, &e); err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	text, err := e.DecodeB64Payload()
	if err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	return text, nil
}

// readStatement gives the in-toto statement in a DSSE envelope.
func readStatement(envelope []byte) (*statement, error) {
	text, err := open(envelope)
	if err != nil {
		return nil, err
	}
	var s statement
	if err := decode(text, &s); err != nil {
		return nil, fmt.Errorf("its statement: %w", err)
	}
	// cosign's own attestations still are version 0.1, of the same shape.
	if s.Type != statementType && s.Type != "https://in-toto.io/Statement/v0.1" {
		return nil, fmt.Errorf("its statement has the type %q", s.Type)
	}
	if s.PredicateType == "" || len(s.Predicate) == 0 {
		return nil, errors.New("its statement says nothing")
	}
	return &s, nil
}

// decode reads one JSON value and nothing after it.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}
