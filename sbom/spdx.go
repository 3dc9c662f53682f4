package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/package-url/packageurl-go"

	"compose/internal/cas"
	"compose/rootfs"
)

// The types below are the part of SPDX 2.3's JSON form that is written
// (spdx.github.io/spdx-spec/v2.3), in the order in which it stands in the
// output.
type spdxDocument struct {
	SPDXVersion   string             `json:"spdxVersion"`
	DataLicense   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Files         []spdxFile         `json:"files,omitempty"`
	Licences      []spdxLicence      `json:"hasExtractedLicensingInfos,omitempty"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID               string            `json:"SPDXID"`
	Name             string            `json:"name"`
	Version          string            `json:"versionInfo"`
	FileName         string            `json:"packageFileName,omitempty"`
	Purpose          string            `json:"primaryPackagePurpose,omitempty"`
	Supplier         string            `json:"supplier,omitempty"`
	Download         string            `json:"downloadLocation"`
	FilesAnalyzed    bool              `json:"filesAnalyzed"`
	VerificationCode *spdxVerification `json:"packageVerificationCode,omitempty"`
	Checksums        []spdxChecksum    `json:"checksums,omitempty"`
	Homepage         string            `json:"homepage,omitempty"`
	Concluded        string            `json:"licenseConcluded"`
	Declared         string            `json:"licenseDeclared"`
	Copyright        string            `json:"copyrightText"`
	Summary          string            `json:"summary,omitempty"`
	BuiltDate        string            `json:"builtDate,omitempty"`
	References       []spdxReference   `json:"externalRefs,omitempty"`
	Annotations      []spdxAnnotation  `json:"annotations,omitempty"`
}

type spdxVerification struct {
	Value string `json:"packageVerificationCodeValue"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxReference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxAnnotation struct {
	Date      string `json:"annotationDate"`
	Type      string `json:"annotationType"`
	Annotator string `json:"annotator"`
	Comment   string `json:"comment"`
}

type spdxFile struct {
	ID        string         `json:"SPDXID"`
	Name      string         `json:"fileName"`
	Checksums []spdxChecksum `json:"checksums"`
	Comment   string         `json:"comment,omitempty"`
}

type spdxLicence struct {
	ID   string `json:"licenseId"`
	Text string `json:"extractedText"`
	Name string `json:"name"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const (
	noAssertion  = "NOASSERTION"
	spdxImage    = "SPDXRef-Image"
	spdxNoteType = "OTHER"
)

// SPDX gives the document as SPDX 2.3 JSON.
//
// The image is a package of its own: it is what the document describes, it
// contains the packages, and the files that none of them brought. Scripts
// that were not run are annotations of their package.
func (d *Document) SPDX() ([]byte, error) {
	w := spdxWriter{d: d, contains: map[string][]int{}}
	for i, f := range d.Files {
		w.contains[f.Package] = append(w.contains[f.Package], i)
	}
	w.doc = spdxDocument{
		SPDXVersion: "SPDX-2.3",
		DataLicense: "CC0-1.0",
		ID:          "SPDXRef-DOCUMENT",
		Name:        d.Name,
		Creation:    spdxCreation{Created: stamp(d.Epoch), Creators: []string{"Tool: " + d.Tool}},
	}
	w.relate(w.doc.ID, "DESCRIBES", spdxImage)
	w.image()
	for i := range d.Packages {
		w.pkg(&d.Packages[i])
	}
	for _, s := range d.Sources {
		w.source(s)
	}
	for _, f := range d.Files {
		w.file(f)
	}
	w.licences()
	text, err := encode(w.doc)
	if err != nil {
		return nil, err
	}
	// The namespace is the hash of the rest. What stands before it is the
	// name, whose quotation marks are escaped, so the first match is it.
	const unset = `"documentNamespace": "`
	at := bytes.Index(text, []byte(unset)) + len(unset)
	return slices.Insert(text, at, []byte("https://spdx.org/spdxdocs/"+idString(d.Name)+"-"+cas.Sum(text).Hex())...), nil
}

type spdxWriter struct {
	d        *Document
	doc      spdxDocument
	contains map[string][]int // files by package; "" has those of the image itself
}

func (w *spdxWriter) relate(from, kind, to string) {
	w.doc.Relationships = append(w.doc.Relationships, spdxRelationship{from, kind, to})
}

func (w *spdxWriter) annotation(format string, args ...any) spdxAnnotation {
	return spdxAnnotation{stamp(w.d.Epoch), spdxNoteType, "Tool: " + w.d.Tool, fmt.Sprintf(format, args...)}
}

func (w *spdxWriter) image() {
	p := spdxPackage{
		ID: spdxImage, Name: w.d.Name, Version: w.d.Image.String(), Purpose: "CONTAINER",
		Download: noAssertion, Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
		Supplier:   noAssertion,
		Checksums:  []spdxChecksum{{"SHA256", w.d.Image.Hex()}},
		References: purl(w.d.purl()),
	}
	p.Annotations = append(p.Annotations, w.annotation("platform %s", w.d.Platform))
	for _, n := range w.d.Notes {
		p.Annotations = append(p.Annotations, w.annotation("%s", n))
	}
	w.add(p, "")
	for _, k := range w.d.Packages {
		w.relate(spdxImage, "CONTAINS", packageID(&k))
	}
	for _, k := range w.d.Packages {
		if k.Wanted {
			w.relate(spdxImage, "DEPENDS_ON", packageID(&k))
		}
	}
}

// add appends p with the files that the named package brought.
func (w *spdxWriter) add(p spdxPackage, name string) {
	files := w.contains[name]
	if len(files) > 0 {
		p.FilesAnalyzed = true
		p.VerificationCode = &spdxVerification{w.d.verificationCode(files)}
	}
	w.doc.Packages = append(w.doc.Packages, p)
	for _, i := range files {
		w.relate(p.ID, "CONTAINS", fileID(w.d.Files[i].Path))
	}
}

// verificationCode is that of SPDX 2.3, 7.9: the SHA-1 of the files' SHA-1
// values, in hexadecimal, sorted, without anything between them.
func (d *Document) verificationCode(files []int) string {
	sums := make([]string, len(files))
	for i, f := range files {
		sums[i] = hex.EncodeToString(d.Files[f].SHA1[:])
	}
	slices.Sort(sums)
	code := sha1.Sum([]byte(strings.Join(sums, "")))
	return hex.EncodeToString(code[:])
}

func (w *spdxWriter) pkg(k *Package) {
	id := packageID(k)
	p := spdxPackage{
		ID: id, Name: k.Name, Version: k.Version,
		Supplier:   supplier(k.Maintainer),
		Download:   cmp.Or(k.Download, noAssertion),
		Checksums:  []spdxChecksum{{"SHA256", k.SHA256.Hex()}},
		Homepage:   homepage(k.Homepage),
		Concluded:  noAssertion,
		Declared:   cmp.Or(k.Licence.Expression, noAssertion),
		Copyright:  noAssertion,
		Summary:    k.Description,
		References: purl(k.PURL),
	}
	if k.BuildTime != 0 {
		p.BuiltDate = stamp(k.BuildTime)
	}
	for _, s := range k.Scripts {
		p.Annotations = append(p.Annotations, w.annotation("%s", s.note()))
	}
	w.add(p, k.Name)
	for _, need := range k.Needs {
		i, _ := slices.BinarySearchFunc(w.d.Packages, need, func(p Package, name string) int { return strings.Compare(p.Name, name) })
		w.relate(id, "DEPENDS_ON", packageID(&w.d.Packages[i]))
	}
	w.relate(id, "GENERATED_FROM", sourceID(w.d.Sources[k.Source]))
}

func (s Script) note() string {
	return fmt.Sprintf("script %s, SHA-256 %s: %s", s.Name, s.SHA256.Hex(), s.Outcome)
}

func (w *spdxWriter) source(s Source) {
	w.doc.Packages = append(w.doc.Packages, spdxPackage{
		ID: sourceID(s), Name: s.Name, Version: s.Version, Purpose: "SOURCE",
		Supplier: noAssertion, Download: noAssertion,
		Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
		References: purl(s.PURL),
	})
}

func (w *spdxWriter) file(f File) {
	w.doc.Files = append(w.doc.Files, spdxFile{
		ID: fileID(f.Path), Name: "/" + f.Path,
		Checksums: []spdxChecksum{{"SHA1", hex.EncodeToString(f.SHA1[:])}, {"SHA256", f.SHA256.Hex()}},
		Comment:   f.comment(),
	})
}

// comment says of a file what SPDX has no field for.
func (f *File) comment() string {
	var b strings.Builder
	switch f.Type {
	case rootfs.Symlink:
		fmt.Fprintf(&b, "symbolic link to %s; ", f.Link)
	case rootfs.Hardlink:
		fmt.Fprintf(&b, "hard link to /%s; ", f.Link)
	case rootfs.Regular:
	default:
		fmt.Fprintf(&b, "special file, type %c; ", f.Type)
	}
	fmt.Fprintf(&b, "mode %04o, owner %d:%d", f.Mode, f.UID, f.GID)
	if f.Origin != "" {
		fmt.Fprintf(&b, "; origin: %s", f.Origin)
	}
	return b.String()
}

func (w *spdxWriter) licences() {
	for _, r := range w.d.licenceRefs() {
		w.doc.Licences = append(w.doc.Licences, spdxLicence{ID: r.ID, Text: r.Text, Name: r.Name})
	}
}

func (d *Document) licenceRefs() []LicenceRef {
	var refs []LicenceRef
	for _, k := range d.Packages {
		refs = append(refs, k.Licence.Refs...)
	}
	return sortRefs(refs)
}

// purl is the image's own package URL.
func (d *Document) purl() string {
	arch := strings.Split(d.Platform, "/")
	return packageurl.NewPackageURL("oci", "", strings.ToLower(d.Name), d.Image.String(),
		packageurl.Qualifiers{{Key: "arch", Value: arch[min(1, len(arch)-1)]}}, "").ToString()
}

func purl(s string) []spdxReference {
	if s == "" {
		return nil
	}
	return []spdxReference{{"PACKAGE-MANAGER", "purl", s}}
}

// team matches the words by which the name of a group of maintainers tells
// itself from that of a person.
var team = regexp.MustCompile(`(?i)\b(teams?|maintainers?|developers?|group|project|foundation|organi[sz]ation|packagers?|community|alliance|consortium|committee|inc|ltd|llc|gmbh)\b`)

// supplier is the SPDX form of "Name <address>".
func supplier(maintainer string) string {
	name, address := maintained(maintainer)
	if name == "" {
		return noAssertion
	}
	kind := "Person"
	if team.MatchString(name) {
		kind = "Organization"
	}
	if address != "" {
		return fmt.Sprintf("%s: %s (%s)", kind, name, address)
	}
	return kind + ": " + name
}

// maintained splits "Name <address>", which is one line.
func maintained(s string) (name, address string) {
	s = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, s)
	name, rest, _ := strings.Cut(s, "<")
	address, _, _ = strings.Cut(rest, ">")
	return strings.TrimSpace(name), strings.TrimSpace(address)
}

// homepage is s if it is a URL of the web; "" otherwise.
func homepage(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// The identifiers hold a readable part and a hash, which alone tells them
// apart: names from outside cannot be made to collide.

func packageID(p *Package) string {
	return "SPDXRef-Package-" + idString(p.Name) + "-" + short(p.Name, p.Version, p.Arch)
}

func sourceID(s Source) string {
	return "SPDXRef-Source-" + idString(s.Name) + "-" + short(s.Name, s.Version)
}

func fileID(path string) string { return "SPDXRef-File-" + short(path) }

// short is 80 bits of the hash of parts.
func short(parts ...string) string {
	sum := cas.Sum([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:10])
}

func stamp(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// encode is v as JSON with two spaces and a newline at the end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
