package sbom

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// The types below are the part of CycloneDX 1.6's JSON form that is written
// (cyclonedx.org/docs/1.6/json), in the order in which it stands in the
// output.
type cdxBOM struct {
	Schema       string          `json:"$schema"`
	Format       string          `json:"bomFormat"`
	SpecVersion  string          `json:"specVersion"`
	Serial       string          `json:"serialNumber"`
	Version      int             `json:"version"`
	Metadata     cdxMetadata     `json:"metadata"`
	Components   []cdxComponent  `json:"components"`
	Dependencies []cdxDependency `json:"dependencies"`
	Annotations  []cdxAnnotation `json:"annotations,omitempty"`
}

type cdxMetadata struct {
	Timestamp string       `json:"timestamp"`
	Tools     cdxTools     `json:"tools"`
	Component cdxComponent `json:"component"`
}

type cdxTools struct {
	Components []cdxComponent `json:"components"`
}

type cdxComponent struct {
	Type        string         `json:"type"`
	Ref         string         `json:"bom-ref,omitempty"`
	Supplier    *cdxSupplier   `json:"supplier,omitempty"`
	Name        string         `json:"name"`
	Version     string         `json:"version,omitempty"`
	Description string         `json:"description,omitempty"`
	Hashes      []cdxHash      `json:"hashes,omitempty"`
	Licences    []cdxLicence   `json:"licenses,omitempty"`
	PURL        string         `json:"purl,omitempty"`
	Pedigree    *cdxPedigree   `json:"pedigree,omitempty"`
	References  []cdxReference `json:"externalReferences,omitempty"`
	Components  []cdxComponent `json:"components,omitempty"`
	Properties  []cdxProperty  `json:"properties,omitempty"`
}

type cdxSupplier struct {
	Name    string       `json:"name"`
	Contact []cdxContact `json:"contact,omitempty"`
}

type cdxContact struct {
	Email string `json:"email"`
}

type cdxHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type cdxLicence struct {
	Expression string `json:"expression"`
}

type cdxPedigree struct {
	Ancestors []cdxComponent `json:"ancestors"`
}

type cdxReference struct {
	URL  string `json:"url"`
	Type string `json:"type"`
}

type cdxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type cdxDependency struct {
	Ref   string   `json:"ref"`
	Needs []string `json:"dependsOn,omitempty"`
}

type cdxAnnotation struct {
	Subjects  []string     `json:"subjects"`
	Annotator cdxAnnotator `json:"annotator"`
	Timestamp string       `json:"timestamp"`
	Text      string       `json:"text"`
}

type cdxAnnotator struct {
	Component cdxComponent `json:"component"`
}

const cdxImage = "image"

// CycloneDX gives the document as CycloneDX 1.6 JSON.
//
// The image is the document's own component. A package holds the files that
// it brought, and its source package is its ancestor. What has no field of
// its own is a property whose name begins with compose:.
func (d *Document) CycloneDX() ([]byte, error) {
	name, version, _ := strings.Cut(d.Tool, "-")
	tool := cdxComponent{Type: "application", Name: name, Version: version}
	bom := cdxBOM{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: cdxMetadata{
			Timestamp: stamp(d.Epoch),
			Tools:     cdxTools{[]cdxComponent{tool}},
			Component: cdxComponent{
				Type: "container", Ref: cdxImage, Name: d.Name, Version: d.Image.String(), PURL: d.purl(),
				Hashes:     []cdxHash{{"SHA-256", d.Image.Hex()}},
				Properties: []cdxProperty{{"compose:platform", d.Platform}},
			},
		},
		Components: []cdxComponent{},
	}
	files := map[string][]cdxComponent{}
	for _, f := range d.Files {
		files[f.Package] = append(files[f.Package], f.cycloneDX())
	}
	image := cdxDependency{Ref: cdxImage}
	for _, k := range d.Packages {
		if k.Wanted {
			image.Needs = append(image.Needs, packageRef(&k))
		}
	}
	bom.Dependencies = append(bom.Dependencies, image)
	note := func(subject, text string) {
		bom.Annotations = append(bom.Annotations, cdxAnnotation{[]string{subject}, cdxAnnotator{tool}, stamp(d.Epoch), text})
	}
	for _, n := range d.Notes {
		note(cdxImage, n)
	}
	for i := range d.Packages {
		k := &d.Packages[i]
		c := k.cycloneDX(d.Sources[k.Source])
		c.Components = files[k.Name]
		bom.Components = append(bom.Components, c)
		dep := cdxDependency{Ref: c.Ref}
		for _, need := range k.Needs {
			j, _ := slices.BinarySearchFunc(d.Packages, need, func(p Package, name string) int { return strings.Compare(p.Name, name) })
			dep.Needs = append(dep.Needs, packageRef(&d.Packages[j]))
		}
		bom.Dependencies = append(bom.Dependencies, dep)
		for _, s := range k.Scripts {
			note(c.Ref, s.note())
		}
	}
	bom.Components = append(bom.Components, files[""]...)
	text, err := encode(bom)
	if err != nil {
		return nil, err
	}
	// The serial number is a hash of the rest, and stands before all text
	// from outside.
	const unset = `"serialNumber": "`
	at := bytes.Index(text, []byte(unset)) + len(unset)
	return slices.Insert(text, at, []byte(serial(cas.Sum(text)))...), nil
}

// serial is a UUID of version 8 (RFC 9562), whose meaning is the maker's.
func serial(d cas.Digest) string {
	b := d[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// address matches what is surely an address of electronic mail.
var address = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)

func (p *Package) cycloneDX(src Source) cdxComponent {
	c := cdxComponent{
		Type: "library", Ref: packageRef(p), Name: p.Name, Version: p.Version, Description: p.Description, PURL: p.PURL,
		Hashes:   []cdxHash{{"SHA-256", p.SHA256.Hex()}},
		Pedigree: &cdxPedigree{[]cdxComponent{{Type: "library", Name: src.Name, Version: src.Version, PURL: src.PURL}}},
		Properties: []cdxProperty{
			{"compose:arch", p.Arch},
			{"compose:file-size", fmt.Sprint(p.Size)},
		},
	}
	if name, mail := maintained(p.Maintainer); name != "" {
		c.Supplier = &cdxSupplier{Name: name}
		if address.MatchString(mail) {
			c.Supplier.Contact = []cdxContact{{mail}}
		}
	}
	if p.Licence.Expression != "" {
		c.Licences = []cdxLicence{{p.Licence.Expression}}
	}
	for _, r := range p.Licence.Refs {
		c.Properties = append(c.Properties, cdxProperty{"compose:licence:" + r.ID, r.Text})
	}
	if p.Download != "" {
		c.References = append(c.References, cdxReference{p.Download, "distribution"})
	}
	if u := homepage(p.Homepage); u != "" {
		c.References = append(c.References, cdxReference{u, "website"})
	}
	if p.BuildTime != 0 {
		c.Properties = append(c.Properties, cdxProperty{"compose:built", stamp(p.BuildTime)})
	}
	return c
}

func (f *File) cycloneDX() cdxComponent {
	c := cdxComponent{
		Type: "file", Ref: "file-" + short(f.Path), Name: "/" + f.Path,
		Hashes: []cdxHash{{"SHA-256", f.SHA256.Hex()}},
		Properties: []cdxProperty{
			{"compose:mode", fmt.Sprintf("%04o", f.Mode)},
			{"compose:owner", fmt.Sprintf("%d:%d", f.UID, f.GID)},
		},
	}
	if f.Type != rootfs.Regular {
		c.Properties = append(c.Properties, cdxProperty{"compose:type", string(f.Type)})
	}
	if f.Link != "" {
		c.Properties = append(c.Properties, cdxProperty{"compose:link", f.Link})
	}
	if f.Origin != "" {
		c.Properties = append(c.Properties, cdxProperty{"compose:origin", f.Origin})
	}
	return c
}

func packageRef(p *Package) string {
	return "package-" + idString(p.Name) + "-" + short(p.Name, p.Version, p.Arch)
}
