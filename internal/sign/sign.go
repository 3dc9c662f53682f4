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

// The kinds, by the word that cosign uses in the annotations of a layout.
const (
	Signature   Kind = "sigs"
	Attestation Kind = "atts"
)

// Predicate types of attestations.
const (
	SPDX      = "https://spdx.dev/Document"
	CycloneDX = "https://cyclonedx.org/bom"
	SLSA      = "https://slsa.dev/provenance/v1"
)

const statementType = "https://in-toto.io/Statement/v1"

// An Artifact is one signature or attestation, as it is stored.
type Artifact struct {
	Kind        Kind
	MediaType   string            // of Payload
	Annotations map[string]string // cosign's; the signature itself is one
	Payload     []byte            // simple-signing JSON, or a DSSE envelope
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

// Manifests packs artifacts of img by kind, signatures first.
func Manifests(img Image, artifacts []Artifact) ([]Manifest, error) {
	var list []Manifest
	for _, kind := range []Kind{Signature, Attestation} {
		m := Manifest{Kind: kind, MediaType: string(types.OCIManifestSchema1)}
		doc := v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
			ArtifactType: artifactTypes[kind],
			Subject:      &v1.Descriptor{MediaType: types.MediaType(img.MediaType), Digest: hash(img.Digest), Size: img.Size},
			Layers:       []v1.Descriptor{},
		}
		config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}}
		for _, a := range artifacts {
			if a.Kind != kind {
				continue
			}
			d := descriptor(a.MediaType, a.Payload)
			d.Annotations = a.Annotations
			doc.Layers = append(doc.Layers, d)
			config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
			m.Blobs = append(m.Blobs, a.Payload)
		}
		if len(doc.Layers) == 0 {
			continue
		}
		text, err := json.Marshal(config)
		if err != nil {
			return nil, err
		}
		doc.Config = descriptor(string(types.OCIConfigJSON), text)
		m.Blobs = append([][]byte{text}, m.Blobs...)
		if m.Bytes, err = json.Marshal(doc); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// What cosign's layout package writes, and the artifact types by which a
// registry's referrers are told apart.
const (
	kindKey    = "kind"
	kindPrefix = "dev.cosignproject.cosign/"
)

var artifactTypes = map[Kind]string{
	Signature:   "application/vnd.dev.cosign.artifact.sig.v1+json",
	Attestation: "application/vnd.dev.cosign.artifact.att.v1+json",
}

func descriptor(mediaType string, b []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Size: int64(len(b)), Digest: hash(cas.Sum(b))}
}

func hash(d cas.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }
