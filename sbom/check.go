package sbom

import (
	"encoding/json"
	"maps"
	"slices"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
	"compose/rootfs"
)

// CheckFiles checks that an SPDX document of ours describes the image of the
// given digest, whose file tree is t: it names every file, each once and with
// the digest of its content, and no other.
func CheckFiles(spdx []byte, image cas.Digest, t Tree) error {
	var doc spdxDocument
	if err := json.Unmarshal(spdx, &doc); err != nil {
		return fault.New(fault.TrustAttestation, "SBOM: %w", err)
	}
	if err := doc.describes(image); err != nil {
		return err
	}
	stated := map[string]string{}
	for _, f := range doc.Files {
		if _, ok := stated[f.Name]; ok {
			return fault.New(fault.TrustAttestation, "SBOM: %q stands twice", f.Name)
		}
		stated[f.Name] = checksum(f.Checksums)
	}
	for n := range t.All() {
		if n.Type == rootfs.Dir {
			continue
		}
		f, _, err := fileOf(t, n)
		if err != nil {
			return err
		}
		switch sum, ok := stated["/"+n.Path]; {
		case !ok:
			return fault.New(fault.TrustAttestation, "SBOM: %q is in the image and not in the SBOM", "/"+n.Path)
		case sum != f.SHA256.Hex():
			return fault.New(fault.TrustAttestation, "SBOM: %q has SHA-256 %s in the image, %q in the SBOM", "/"+n.Path, f.SHA256.Hex(), sum)
		}
		delete(stated, "/"+n.Path)
	}
	for _, name := range slices.Sorted(maps.Keys(stated)) {
		return fault.New(fault.TrustAttestation, "SBOM: %q is in the SBOM and not in the image", name)
	}
	return nil
}

// describes checks that the document is about the image.
func (doc *spdxDocument) describes(image cas.Digest) error {
	for _, p := range doc.Packages {
		if p.ID != spdxImage {
			continue
		}
		if got := checksum(p.Checksums); got != image.Hex() {
			return fault.New(fault.TrustAttestation, "SBOM: it describes the image sha256:%s, want %s", got, image)
		}
		return nil
	}
	return fault.New(fault.TrustAttestation, "SBOM: it describes no image")
}

func checksum(list []spdxChecksum) string {
	for _, c := range list {
		if c.Algorithm == "SHA256" {
			return c.Value
		}
	}
	return ""
}

// CheckProvenance checks that the provenance predicate of an image is of a
// build from the lock: it names its digest, and the same package files.
func CheckProvenance(predicate []byte, lock *resolve.Lock) error {
	var p slsaPredicate
	if err := json.Unmarshal(predicate, &p); err != nil {
		return fault.New(fault.TrustAttestation, "provenance: %w", err)
	}
	d := p.Definition
	if d.Type != BuildType {
		return fault.New(fault.TrustAttestation, "provenance: build type %q, want %q", d.Type, BuildType)
	}
	if got, want := d.External.Lock.Digest["sha256"], cas.Sum(lock.Bytes()).Hex(); got != want {
		return fault.New(fault.TrustAttestation, "provenance: the lock has SHA-256 %s, the build was from %q", want, got)
	}
	stated := map[string]string{}
	for _, r := range d.Dependencies {
		stated[r.Digest["sha256"]] = r.Name
	}
	locked := map[string]string{}
	for _, name := range d.External.Platforms {
		lp, ok := lock.Platform(name)
		if !ok {
			return fault.New(fault.TrustAttestation, "provenance: platform %q is not in the lock", name)
		}
		for _, k := range lp.Packages {
			locked[k.SHA256.Hex()] = k.Name
		}
	}
	if sum, ok := lacking(locked, stated); ok {
		return fault.New(fault.TrustAttestation, "provenance: package %q, SHA-256 %s, is in the lock and not in the provenance", locked[sum], sum)
	}
	if sum, ok := lacking(stated, locked); ok {
		return fault.New(fault.TrustAttestation, "provenance: package %q, SHA-256 %q, is in the provenance and not in the lock", stated[sum], sum)
	}
	return nil
}

// lacking finds the first key of a that b has not, or has with another value.
func lacking(a, b map[string]string) (key string, ok bool) {
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if v, ok := b[k]; !ok || v != a[k] {
			return k, true
		}
	}
	return "", false
}
