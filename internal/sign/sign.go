// Package sign signs images, states facts about them, and checks both.
//
// Signatures and attestations have the forms that cosign reads: a
// simple-signing payload, and an in-toto statement in a DSSE envelope, each a
// layer of a small OCI manifest that stands beside the image: under the tag
// sha256-DIGEST.sig or .att in a registry, annotated with its kind in a
// layout, and in both a referrer of the image (OCI image specification 1.1).
//
// This is the only package that uses cosign. ECDSA signatures are random, so
// two signatures of one image differ; what is signed does not.
package sign

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"compose/internal/cas"
	"compose/internal/fault"
)

// An Image is what is signed: the manifest of an image, or the index of one
// with several platforms.
type Image struct {
	MediaType string
	Digest    cas.Digest
	Size      int64  // of the manifest, in bytes
	Platform  string // where an index says it: linux/amd64
}

// A Kind tells signatures from attestations.
type Kind string

// The kinds; the first two are the words that cosign uses in the annotations
// of a layout. A bundle is an attestation in the form that cosign 3 prefers
// (sigstore's bundle format, 0.3): a referrer of its own.
const (
	Signature   Kind = "sigs"
	Attestation Kind = "atts"
	Bundle      Kind = "bundle"
)

var kinds = []Kind{Signature, Attestation, Bundle}

// Predicate types of attestations.
const (
	SPDX      = "https://spdx.dev/Document"
	CycloneDX = "https://cyclonedx.org/bom"
	SLSA      = "https://slsa.dev/provenance/v1"

	// Signed says nothing but that the image was signed: cosign 3's form of
	// a signature, with the predicate {}.
	Signed = ctypes.CosignSignPredicateType
)

const statementType = "https://in-toto.io/Statement/v1"

// An Artifact is one signature or attestation, as it is stored.
type Artifact struct {
	Kind        Kind
	MediaType   string            // of Payload
	Annotations map[string]string // cosign's; the signature itself is one
	Payload     []byte            // simple-signing JSON, a DSSE envelope, or a bundle
}

// Sign makes a signature of img. reference is what the image is called: a
// repository in a registry, or the image's name.
func (k *Key) Sign(ctx context.Context, img Image, reference string) (Artifact, error) {
	text, err := json.Marshal(payload.SimpleContainerImage{Critical: payload.Critical{
		Identity: payload.Identity{DockerReference: reference},
		Image:    payload.Image{DockerManifestDigest: img.Digest.String()},
		Type:     payload.CosignSignatureType,
	}})
	if err != nil {
		return Artifact{}, err
	}
	sig, err := k.signer.SignMessage(bytes.NewReader(text))
	if err != nil {
		return Artifact{}, fault.New(fault.TrustAttestation, "%s: %w", k.file, err)
	}
	a := Artifact{
		Kind:        Signature,
		MediaType:   ctypes.SimpleSigningMediaType,
		Annotations: map[string]string{static.SignatureAnnotationKey: base64.StdEncoding.EncodeToString(sig)},
		Payload:     text,
	}
	return a, k.Public.check(ctx, img, a)
}

// A statement is an in-toto statement, version 1.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Statement is the in-toto statement that says predicate, which is JSON, of
// img. It is a function of its arguments alone.
func Statement(img Image, reference, predicateType string, predicate []byte) ([]byte, error) {
	text, err := json.Marshal(statement{
		Type:          statementType,
		Subject:       []subject{{reference, map[string]string{"sha256": img.Digest.Hex()}}},
		PredicateType: predicateType,
		Predicate:     predicate,
	})
	if err != nil {
		return nil, fmt.Errorf("predicate %s: %w", predicateType, err)
	}
	return text, nil
}

// Attest makes an attestation that states predicate, which is JSON, of img.
func (k *Key) Attest(ctx context.Context, img Image, reference, predicateType string, predicate []byte) (Artifact, error) {
	text, err := Statement(img, reference, predicateType, predicate)
	if err != nil {
		return Artifact{}, err
	}
	envelope, err := dsse.WrapSigner(k.signer, ctypes.IntotoPayloadType).SignMessage(bytes.NewReader(text))
	if err != nil {
		return Artifact{}, fault.New(fault.TrustAttestation, "%s: %w", k.file, err)
	}
	a := Artifact{
		Kind:        Attestation,
		MediaType:   ctypes.DssePayloadType,
		Annotations: map[string]string{static.SignatureAnnotationKey: "", predicateTypeKey: predicateType},
		Payload:     envelope,
	}
	return a, k.Public.check(ctx, img, a)
}

const predicateTypeKey = "predicateType"

// Bundle gives an attestation that the key made the form of a bundle. Where
// cosign 3 finds one bundle it looks for no other form: give all of an image's
// attestations, and Signed, as bundles, or none.
func (k *Key) Bundle(a Artifact) (Artifact, error) {
	c, err := a.Claim()
	if err != nil {
		return Artifact{}, err
	}
	statement, err := open(a.Payload)
	if err != nil {
		return Artifact{}, fault.New(fault.FormatInvalid, "%w", err)
	}
	pub, err := k.signer.PublicKey()
	if err != nil {
		return Artifact{}, fault.New(fault.TrustAttestation, "%s: %w", k.file, err)
	}
	text, err := bundle.MakeNewBundle(pub, nil, statement, a.Payload, nil, nil)
	if err != nil {
		return Artifact{}, fault.New(fault.TrustAttestation, "%s: %w", k.file, err)
	}
	return Artifact{
		Kind:      Bundle,
		MediaType: artifactTypes[Bundle],
		Annotations: map[string]string{
			"dev.sigstore.bundle.content":       "dsse-envelope",
			"dev.sigstore.bundle.predicateType": c.PredicateType,
		},
		Payload: text,
	}, nil
}

// A Manifest is an OCI manifest that holds all artifacts of one kind, with
// the blobs that it refers to, ready to be stored beside the image.
type Manifest struct {
	Kind      Kind
	MediaType string
	Bytes     []byte
	Blobs     [][]byte // config first
}

// ArtifactType is the type by which m is found among an image's referrers.
func (m Manifest) ArtifactType() string { return artifactTypes[m.Kind] }

// LayoutMark is the annotation that tells cosign what an entry of a layout's
// index is: image, imageIndex, or one of the kinds, of that image.
func LayoutMark(word string) map[string]string { return map[string]string{kindKey: kindPrefix + word} }

// Manifests packs artifacts of img: all signatures in one, all attestations
// in one, and each bundle in its own.
func Manifests(img Image, artifacts []Artifact) ([]Manifest, error) {
	by := map[Kind][]Artifact{}
	for _, a := range artifacts {
		by[a.Kind] = append(by[a.Kind], a)
	}
	groups := [][]Artifact{by[Signature], by[Attestation]}
	for _, b := range by[Bundle] {
		groups = append(groups, []Artifact{b})
	}
	var list []Manifest
	for _, g := range groups {
		if len(g) == 0 {
			continue
		}
		m, err := pack(img, g)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// pack puts artifacts of one kind into a manifest.
func pack(img Image, list []Artifact) (Manifest, error) {
	m := Manifest{Kind: list[0].Kind, MediaType: string(types.OCIManifestSchema1)}
	doc := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		ArtifactType: m.ArtifactType(),
		Subject:      &v1.Descriptor{MediaType: types.MediaType(img.MediaType), Digest: hash(img.Digest), Size: img.Size},
	}
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, a := range list {
		d := descriptor(a.MediaType, a.Payload)
		if a.Kind == Bundle {
			doc.Annotations = a.Annotations
		} else {
			d.Annotations = a.Annotations
		}
		doc.Layers = append(doc.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
		m.Blobs = append(m.Blobs, a.Payload)
	}
	text, mediaType := []byte("{}"), emptyType
	if m.Kind != Bundle {
		var err error
		if text, err = json.Marshal(config); err != nil {
			return m, err
		}
		mediaType = string(types.OCIConfigJSON)
	}
	doc.Config = descriptor(mediaType, text)
	m.Blobs = append([][]byte{text}, m.Blobs...)
	var err error
	m.Bytes, err = json.Marshal(doc)
	return m, err
}

// emptyType is the config of an artifact that needs none.
const emptyType = "application/vnd.oci.empty.v1+json"

// What cosign's layout package writes, and the artifact types by which a
// registry's referrers are told apart.
const (
	kindKey    = "kind"
	kindPrefix = "dev.cosignproject.cosign/"
)

var artifactTypes = map[Kind]string{
	Signature:   "application/vnd.dev.cosign.artifact.sig.v1+json",
	Attestation: "application/vnd.dev.cosign.artifact.att.v1+json",
	Bundle:      "application/vnd.dev.sigstore.bundle.v0.3+json",
}

func descriptor(mediaType string, b []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Size: int64(len(b)), Digest: hash(cas.Sum(b))}
}

func hash(d cas.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }
