package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
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
	var err error
	if bundle.Artifacts, err = artifacts(ctx, bundle.Name, built, index, proof, key); err != nil {
		return err
	}
	if key != nil {
		bundle.Marks = mark(index)
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
	if flags.push != "" {
		return push(ctx, bundle, flags.push, env.Store)
	}
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

// artifacts are what stands beside the image: the SBOM of each platform and,
// with a key, the signature and the attestations.
func artifacts(ctx context.Context, reference string, built []build.Built, index *oci.Index, proof *build.Proof, key *sign.Key) ([]oci.Artifact, error) {
	var list []oci.Artifact
	for i, b := range built {
		r, err := oci.NewReferrer(b.Image.Manifest.Descriptor, spdxMediaType, proof.SBOMs[i])
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if key == nil {
		return list, nil
	}
	root := signed(index.Root)
	signature, err := key.Sign(ctx, root, reference)
	if err != nil {
		return nil, err
	}
	provenance, err := key.Attest(ctx, root, reference, sign.SLSA, proof.Provenance)
	if err != nil {
		return nil, err
	}
	of := map[sign.Image][]sign.Artifact{root: {signature, provenance}}
	order := []sign.Image{root}
	for i, b := range built {
		img := signed(b.Image.Manifest)
		att, err := key.Attest(ctx, img, reference, sign.SPDX, proof.SBOMs[i])
		if err != nil {
			return nil, err
		}
		if _, ok := of[img]; !ok {
			order = append(order, img)
		}
		of[img] = append(of[img], att)
	}
	for _, img := range order {
		manifests, err := sign.Manifests(img, of[img])
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			list = append(list, packed(m, img == root))
		}
	}
	return list, nil
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
