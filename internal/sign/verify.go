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

	"compose/internal/fault"
)

// A Proof is what Verify found to be true.
type Proof struct {
	Image      Image
	Signatures int     // that the key made
	Claims     []Claim // that the key signed, in the order in which they are stored
}

// A Claim is what an attestation states of its image.
type Claim struct {
	PredicateType string
	Predicate     []byte // JSON
}

// Claim reads an attestation. It says nothing of who made it.
func (a Artifact) Claim() (Claim, error) {
	s, err := readStatement(a.Payload)
	if err != nil {
		return Claim{}, fault.New(fault.FormatInvalid, "%s: %w", a.Kind.noun(), err)
	}
	return Claim{s.PredicateType, s.Predicate}, nil
}

// Verify checks, offline, that img at p bears a signature by the key, and
// attestations by the key of all the given predicate types. Artifacts that
// other keys signed count for nothing; one that this key signed and that says
// something else, or cannot be read, is a failure of the whole.
func (k *PublicKey) Verify(ctx context.Context, p Place, img Image, expected ...string) (*Proof, error) {
	proof := &Proof{Image: img}
	sigs, err := p.Artifacts(ctx, img, Signature)
	if err != nil {
		return nil, err
	}
	n, err := k.checkAll(ctx, img, sigs, nil)
	if err != nil {
		return nil, err
	}
	if proof.Signatures = n; n == 0 {
		return nil, missing(img, "signature", len(sigs))
	}
	atts, err := p.Artifacts(ctx, img, Attestation)
	if err != nil {
		return nil, err
	}
	_, err = k.checkAll(ctx, img, atts, func(a Artifact) {
		if c, err := a.Claim(); err == nil { // check has read it, too
			proof.Claims = append(proof.Claims, c)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, want := range expected {
		if !slices.ContainsFunc(proof.Claims, func(c Claim) bool { return c.PredicateType == want }) {
			return nil, missing(img, "attestation "+want, len(atts))
		}
	}
	return proof, nil
}

func missing(img Image, what string, others int) error {
	if others == 0 {
		return fault.New(fault.TrustAttestation, "image %s: no %s", img.Digest, what)
	}
	return fault.New(fault.TrustAttestation, "image %s: no %s by this key, among %d by others", img.Digest, what, others)
}

// checkAll counts the artifacts that the key made, and passes them to found.
func (k *PublicKey) checkAll(ctx context.Context, img Image, list []Artifact, found func(Artifact)) (n int, err error) {
	for _, a := range list {
		err := k.check(ctx, img, a)
		if errors.Is(err, errNotOurs) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n++
		if found != nil {
			found(a)
		}
	}
	return n, nil
}

// errNotOurs is an artifact without a signature by the key.
var errNotOurs = errors.New("not signed by this key")

// check verifies that the key signed a, and that a speaks of img. The two
// are told apart: what others signed is errNotOurs.
func (k *PublicKey) check(ctx context.Context, img Image, a Artifact) error {
	if !k.signed(ctx, img, a) {
		return fault.New(fault.TrustAttestation, "image %s, %s: %w", img.Digest, a.Kind.noun(), errNotOurs)
	}
	if err := claims(img, a); err != nil {
		return fault.New(fault.TrustAttestation, "image %s, %s: %w", img.Digest, a.Kind.noun(), err)
	}
	return nil
}

func (k Kind) noun() string {
	if k == Attestation {
		return "attestation"
	}
	return "signature"
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

// readStatement gives the in-toto statement in a DSSE envelope.
func readStatement(envelope []byte) (*statement, error) {
	var e dsse.Envelope
	if err := decode(envelope, &e); err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	text, err := e.DecodeB64Payload()
	if err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
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
