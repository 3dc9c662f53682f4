package sbom

import (
	"fmt"

	"compose/internal/cas"
	"compose/resolve"
)

// BuildType is the type of the provenance that Provenance makes. What it
// means:
//
// The external parameters are the digests of the manifest's canonical form
// and of the lock, and the platforms that were built. Together they determine
// every byte of the image: whoever has both files and this version of the
// layer format (internalParameters.layerEpoch) can build it again and compare.
// The resolved dependencies are all package files that went into it, each
// with its package URL and SHA-256. The byproducts are the repository indexes
// that the choice was made from when the lock was written, each with the
// fingerprint of the key that had signed it; one without was not signed.
const BuildType = "urn:compose:build:1"

// A Build is what provenance is made from.
type Build struct {
	Tool      string // name and version of the program: compose-0.1.0
	Builder   string // URI of who ran it
	Lock      *resolve.Lock
	Platforms []string // that were built; each is in the lock
	PURL      func(resolve.Locked) string
}

// The types below are the part of SLSA's provenance predicate, version 1,
// that is written (slsa.dev/spec/v1.0/provenance).
type slsaPredicate struct {
	Definition slsaDefinition `json:"buildDefinition"`
	Run        slsaRun        `json:"runDetails"`
}

type slsaDefinition struct {
	Type         string         `json:"buildType"`
	External     slsaExternal   `json:"externalParameters"`
	Internal     slsaInternal   `json:"internalParameters"`
	Dependencies []slsaResource `json:"resolvedDependencies"`
}

type slsaExternal struct {
	Manifest  slsaResource `json:"manifest"`
	Lock      slsaResource `json:"lock"`
	Platforms []string     `json:"platforms"`
}

type slsaInternal struct {
	LayerEpoch int `json:"layerEpoch"`
}

type slsaRun struct {
	Builder    slsaBuilder    `json:"builder"`
	Metadata   struct{}       `json:"metadata"` // times would differ between two builds
	Byproducts []slsaResource `json:"byproducts,omitempty"`
}

type slsaBuilder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

type slsaResource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest"`
	Download    string            `json:"downloadLocation,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Provenance is the SLSA predicate of an image. It is a function of its
// arguments alone: it holds no time, host or invocation.
func Provenance(b Build) ([]byte, error) {
	p := slsaPredicate{
		Definition: slsaDefinition{
			Type: BuildType,
			External: slsaExternal{
				Manifest:  slsaResource{Digest: sha256Of(b.Lock.Manifest)},
				Lock:      slsaResource{Digest: sha256Of(cas.Sum(b.Lock.Bytes()))},
				Platforms: b.Platforms,
			},
			Internal:     slsaInternal{b.Lock.LayerEpoch},
			Dependencies: []slsaResource{},
		},
		Run: slsaRun{Builder: slsaBuilder{b.Builder, map[string]string{"compose": b.Tool}}},
	}
	seenPackage, seenIndex := map[cas.Digest]bool{}, map[string]bool{}
	for _, name := range b.Platforms {
		lp, ok := b.Lock.Platform(name)
		if !ok {
			return nil, fmt.Errorf("provenance: platform %s: not in the lock", name)
		}
		urls := map[string]string{}
		for _, r := range lp.Repositories {
			urls[r.Name] = r.URL
			for _, i := range r.Indexes {
				if key := r.Name + "\x00" + i.Path + "\x00" + i.SHA256.Hex(); !seenIndex[key] {
					seenIndex[key] = true
					p.Run.Byproducts = append(p.Run.Byproducts, indexResource(r, i))
				}
			}
		}
		for _, k := range lp.Packages {
			if seenPackage[k.SHA256] { // of every architecture
				continue
			}
			seenPackage[k.SHA256] = true
			p.Definition.Dependencies = append(p.Definition.Dependencies, slsaResource{
				Name: k.Name, URI: b.PURL(k), Digest: sha256Of(k.SHA256), Download: join(urls[k.Repository], k.Path),
			})
		}
	}
	return encode(p)
}

func indexResource(r resolve.LockedRepository, i resolve.IndexFile) slsaResource {
	res := slsaResource{
		Name: r.Name + " " + i.Path, Digest: sha256Of(i.SHA256), Download: join(r.URL, i.Path),
		Annotations: map[string]string{},
	}
	for name, value := range map[string]string{"signedBy": i.Key, "date": i.Date} {
		if value != "" {
			res.Annotations[name] = value
		}
	}
	if r.Insecure {
		res.Annotations["trusted"] = "insecure"
	}
	return res
}

func sha256Of(d cas.Digest) map[string]string { return map[string]string{"sha256": d.Hex()} }
