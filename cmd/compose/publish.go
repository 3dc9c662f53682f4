package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/renameio/v2"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
	"compose/internal/oci/registry"
	"compose/internal/sign"
	"compose/rootfs"
)

// signingKey loads the key that --sign names; nil without.
func (a *app) signingKey(flags buildFlags) (*sign.Key, error) {
	if flags.keyFile == "" {
		return nil, nil
	}
	return sign.LoadKey(flags.keyFile, a.password(flags.keyFile, flags.keyFD))
}

// publish writes the image where the flags say, with its evidence beside it:
// nothing is visible before all of it is there.
func (a *app) publish(ctx context.Context, env build.Env, p *project, flags buildFlags, built []build.Built, index *oci.Index, proof *build.Proof, key *sign.Key) error {
	output := flags.output
	if output == "" {
		output = p.image.Name + ".oci"
	}
	if strings.HasSuffix(output, ".rootfs.tar") {
		return a.writeRootfs(ctx, env, output, built)
	}
	bundle := &oci.Bundle{Name: p.image.Name, Index: index, Host: v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}
	if flags.push != "" {
		bundle.Name = flags.push
	}
	referrers, err := sboms(built, proof)
	if err != nil {
		return err
	}
	signatures, err := signAll(ctx, bundle.Name, built, index, proof, key)
	if err != nil {
		return err
	}
	bundle.Artifacts = referrers
	if err := addSignatures(bundle, signatures); err != nil {
		return err
	}
	if isLayout(output) {
		_, err = bundle.WriteLayout(ctx, output, env.Store)
	} else {
		_, err = bundle.WriteArchive(ctx, output, env.Store)
	}
	if err != nil {
		return err
	}
	if flags.sbomFile != "" {
		if err := writeSBOM(flags.sbomFile, built, proof); err != nil {
			return err
		}
	}
	if flags.push == "" {
		return nil
	}
	bundle.Artifacts = referrers
	return a.push(ctx, bundle, flags.push, env.Store, signatures)
}

// push brings the image to a registry: its signatures before its tag.
func (a *app) push(ctx context.Context, bundle *oci.Bundle, ref string, store cas.Store, signatures []signature) error {
	var client registry.Client
	pushed, err := client.Push(ctx, ref, bundle, store, func(ctx context.Context, image name.Digest) error {
		place := sign.AtRegistry(image, client.Options()...)
		for _, s := range signatures {
			if err := place.Attach(ctx, s.of, s.artifacts...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	was := ""
	if !pushed.Previous.IsZero() && pushed.Previous != pushed.Digest {
		was = ", which was " + pushed.Previous.String()
	}
	a.log().Info(fmt.Sprintf("pushed %s%s", ref, was))
	return nil
}

func (a *app) writeRootfs(ctx context.Context, env build.Env, output string, built []build.Built) error {
	if len(built) != 1 {
		return usage("-o %s: a bare file tree is for one platform, the image has %d; choose one with --platform", output, len(built))
	}
	segments, err := rootfs.Segments(built[0].Tree)
	if err != nil {
		return err
	}
	_, err = oci.WriteRootfs(ctx, output, segments, env.Store, built[0].Image.Epoch)
	return err
}

// sboms are the SBOMs of all platforms, as referrers.
func sboms(built []build.Built, proof *build.Proof) ([]oci.Artifact, error) {
	var list []oci.Artifact
	for i, b := range built {
		r, err := oci.NewReferrer(b.Image.Manifest.Descriptor, spdxMediaType, proof.SBOMs[i])
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// A signature is what a key says of one manifest.
type signature struct {
	of        sign.Image
	artifacts []sign.Artifact
}

// signAll signs the image and states its provenance, and the SBOM of each of
// its platforms; without a key it gives nothing.
func signAll(ctx context.Context, reference string, built []build.Built, index *oci.Index, proof *build.Proof, key *sign.Key) ([]signature, error) {
	if key == nil {
		return nil, nil
	}
	root := signature{of: signed(index.Root)}
	own, err := key.Sign(ctx, root.of, reference)
	if err != nil {
		return nil, err
	}
	provenance, err := key.Attest(ctx, root.of, reference, sign.SLSA, proof.Provenance)
	if err != nil {
		return nil, err
	}
	root.artifacts = []sign.Artifact{own, provenance}
	list := []signature{root}
	for i, b := range built {
		img := signed(b.Image.Manifest)
		att, err := key.Attest(ctx, img, reference, sign.SPDX, proof.SBOMs[i])
		if err != nil {
			return nil, err
		}
		if img == root.of {
			list[0].artifacts = append(list[0].artifacts, att)
		} else {
			list = append(list, signature{img, []sign.Artifact{att}})
		}
	}
	return list, nil
}

// addSignatures puts signatures beside the image in a layout.
func addSignatures(bundle *oci.Bundle, signatures []signature) error {
	for i, s := range signatures {
		manifests, err := sign.Manifests(s.of, s.artifacts)
		if err != nil {
			return err
		}
		for _, m := range manifests {
			bundle.Artifacts = append(bundle.Artifacts, packed(m, i == 0))
		}
		bundle.Marks = mark(bundle.Index)
	}
	return nil
}

const spdxMediaType = "application/spdx+json"

// signed is what is signed of a manifest.
func signed(manifest oci.Blob) sign.Image {
	return sign.Image{MediaType: manifest.Descriptor.MediaType, Digest: cas.Sum(manifest.Data), Size: manifest.Descriptor.Size}
}

// packed is a manifest of signatures in the form that a layout takes. cosign
// looks for those of the image itself by an annotation.
func packed(m sign.Manifest, ofRoot bool) oci.Artifact {
	a := oci.Artifact{Manifest: oci.NewBlob(m.MediaType, m.Bytes)}
	a.Manifest.Descriptor.ArtifactType = m.ArtifactType()
	if ofRoot {
		a.Manifest.Descriptor.Annotations = sign.LayoutMark(string(m.Kind))
	}
	for _, b := range m.Blobs {
		a.Blobs = append(a.Blobs, oci.NewBlob("application/octet-stream", b))
	}
	return a
}

// mark is the annotation by which cosign finds the image of a layout.
func mark(index *oci.Index) map[string]string {
	if index.Root.Descriptor.MediaType == v1.MediaTypeImageIndex {
		return sign.LayoutMark("imageIndex")
	}
	return sign.LayoutMark("image")
}

// writeSBOM writes the SBOM as a plain file; of several platforms, each to
// FILE with its name before the extension: sbom.linux-arm64.json.
func writeSBOM(file string, built []build.Built, proof *build.Proof) error {
	for i, b := range built {
		name := file
		if len(built) > 1 {
			ext := filepath.Ext(file)
			name = strings.TrimSuffix(file, ext) + "." + strings.ReplaceAll(b.Platform.String(), "/", "-") + ext
		}
		if err := renameio.WriteFile(name, proof.SBOMs[i], os.FileMode(0o644)); err != nil {
			return fault.New(fault.LocalFile, "%s: %w", name, err)
		}
	}
	return nil
}
