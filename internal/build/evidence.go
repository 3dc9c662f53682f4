package build

import (
	"compose/internal/cas"
	"compose/manifest"
	"compose/resolve"
	"compose/sbom"
)

// A Proof is what is said of an image, beside it: what it holds, and what it
// was made of. All of it is as reproducible as the image.
type Proof struct {
	SBOMs      [][]byte // SPDX 2.3 JSON, by index of the platforms
	Provenance []byte   // SLSA v1 predicate of the whole
}

// Evidence describes built. tool is the name and version of this program.
func Evidence(env Env, img *manifest.Image, lock *resolve.Lock, built []Built, tool string) (*Proof, error) {
	f, err := formatOf(img)
	if err != nil {
		return nil, err
	}
	purl := func(resolve.Locked, string) string { return "" }
	if f != nil {
		purl = f.PURL
	}
	proof := &Proof{}
	var platforms []string
	for _, b := range built {
		platforms = append(platforms, b.Platform.String())
		spdx, err := spdxOf(env, sbom.Input{
			Name: img.Name, Tool: tool, Platform: b.Platform.String(),
			Image: b.Image.Digest(), Lock: lock, Packages: b.Packages, Tree: b.Tree,
			Open: env.Store.Open, PURL: purl, Outcome: b.Ledger.Of,
		})
		if err != nil {
			return nil, err
		}
		proof.SBOMs = append(proof.SBOMs, spdx)
	}
	proof.Provenance, err = sbom.Provenance(sbom.Build{
		Tool: tool, Builder: "urn:compose:builder", Lock: lock, Platforms: platforms,
		PURL: func(k resolve.Locked) string { return purl(k, "") },
	})
	return proof, err
}

// spdxOf describes one image, or finds the description that was made before:
// it follows from the image, the lock and this program.
func spdxOf(env Env, in sbom.Input) ([]byte, error) {
	key := cas.Sum([]byte("spdx/2\n" + in.Tool + "\n" + in.Name + "\n" + in.Platform + "\n" + in.Image.Hex() + "\n" + cas.Sum(in.Lock.Bytes()).Hex()))
	if spdx, ok := env.Store.Derived("spdx", key); ok {
		return spdx, nil
	}
	doc, err := sbom.Describe(in)
	if err != nil {
		return nil, err
	}
	spdx, err := doc.SPDX()
	if err != nil {
		return nil, err
	}
	return spdx, env.Store.PutDerived("spdx", key, spdx)
}
