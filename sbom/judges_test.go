package sbom

import (
	"bytes"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	spdxjson "github.com/spdx/tools-golang/json"
)

// The formats' own libraries read what we write, and find every package and
// every file.
func TestTheFormatsOwnLibrariesReadUs(t *testing.T) {
	m := example()
	docs := write(t, m)
	d := m.describe(t)

	spdx, err := spdxjson.Read(bytes.NewReader(docs[0]))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range spdx.Packages {
		names[p.PackageName] = true
	}
	for _, p := range d.Packages {
		if !names[p.Name] {
			t.Errorf("SPDX: package %s is not found", p.Name)
		}
	}
	if got := len(spdx.Files); got != len(d.Files) {
		t.Errorf("SPDX: %d files, want %d", got, len(d.Files))
	}

	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(docs[1]), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	purls := map[string]bool{}
	for _, c := range *bom.Components {
		purls[c.PackageURL] = true
	}
	for _, p := range d.Packages {
		if !purls[p.PURL] {
			t.Errorf("CycloneDX: package %s is not found", p.PURL)
		}
	}
}
