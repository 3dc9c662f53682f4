package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/resolve"
	"compose/rootfs"
)

// A tree is a Tree of some nodes.
type tree []*rootfs.Node

func (t tree) All() iter.Seq[*rootfs.Node] {
	return slices.Values(slices.SortedFunc(slices.Values(t), func(a, b *rootfs.Node) int { return strings.Compare(a.Path, b.Path) }))
}

func (t tree) Get(path string) *rootfs.Node {
	for _, n := range t {
		if n.Path == path {
			return n
		}
	}
	return nil
}

// An image is an Input in the making, with the contents of its files.
type image struct {
	Input
	nodes    tree
	contents map[cas.Digest]string
}

func (m *image) content(text string) cas.Ref {
	m.contents[cas.Sum([]byte(text))] = text
	return cas.Ref{Digest: cas.Sum([]byte(text)), Size: int64(len(text))}
}

func (m *image) file(pkg, path, text string) *rootfs.Node {
	n := &rootfs.Node{Path: path, Type: rootfs.Regular, Mode: 0o644, Content: m.content(text), Package: pkg}
	return m.node(n)
}

func (m *image) node(n *rootfs.Node) *rootfs.Node {
	m.nodes = append(m.nodes, n)
	for _, p := range m.Packages {
		if p.Name == n.Package {
			p.Nodes = append(p.Nodes, *n)
		}
	}
	return n
}

// example is an image of two packages and two files that no package brought.
func example() *image {
	m := &image{contents: map[cas.Digest]string{}}
	m.Input = Input{
		Name: "demo", Tool: "compose-1", Platform: "linux/amd64", Image: cas.Sum([]byte("image")),
		Packages: []*rootfs.Package{
			{
				Name: "libc6", Version: "2.41-12", Arch: "amd64", Source: "glibc", SourceVersion: "2.41-12",
				Maintainer: "C Library Maintainers <libc@example.org>", Homepage: "https://example.org/libc",
				Description: "C library: \"shared\" <objects>", Scripts: []string{"postinst"},
				Control: map[string][]byte{"postinst": []byte("ldconfig\n")},
			},
			{Name: "hello", Version: "1:2.10-3+b1", Arch: "amd64", Maintainer: "A Person <person@example.org>", Licence: "GPL-3.0-or-later"},
		},
		Lock: &resolve.Lock{Epoch: 1700000000, Platforms: []resolve.LockedPlatform{{
			Platform: "linux/amd64",
			Repositories: []resolve.LockedRepository{
				{Name: "debian", Kind: "deb", URL: "https://deb.example.org/debian"},
				{Name: "own", Kind: "deb", URL: "https://own.example.org", Insecure: true},
			},
			Packages: []resolve.Locked{
				{
					Name: "hello", Version: "1:2.10-3+b1", Arch: "amd64", Repository: "own", Path: "h/hello_2.10-3+b1_amd64.deb",
					Size: 100, SHA256: cas.Sum([]byte("hello.deb")), Source: "hello", SourceVersion: "1:2.10-3", Wanted: true, Why: []string{`want "hello"`},
				},
				{
					Name: "libc6", Version: "2.41-12", Arch: "amd64", Repository: "debian", Path: "pool/main/g/glibc/libc6_2.41-12_amd64.deb",
					Size: 200, SHA256: cas.Sum([]byte("libc6.deb")), BuildTime: 1690000000, Why: []string{"hello"},
				},
			},
			Elided: []string{"debconf"},
		}}},
		PURL: func(p resolve.Locked, distro string) string {
			return fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=%s", p.Name, strings.ReplaceAll(p.Version, "+", "%2B"), p.Arch, distro)
		},
		Open: func(r cas.Ref) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(m.contents[r.Digest])), nil
		},
	}
	m.node(&rootfs.Node{Path: ".", Type: rootfs.Dir, Mode: 0o755})
	m.node(&rootfs.Node{Path: "usr", Type: rootfs.Dir, Mode: 0o755, Package: "libc6"})
	m.file("hello", "usr/bin/hello", "hello\n").Mode = 0o755
	m.file("libc6", "usr/lib/libc.so.6", "libc").Mode = 0o755
	m.file("libc6", "usr/share/doc/libc6/copyright", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1+\n")
	m.node(&rootfs.Node{Path: "usr/lib/libc.so", Type: rootfs.Symlink, Mode: 0o777, Link: "libc.so.6", Package: "libc6"})
	m.node(&rootfs.Node{Path: "usr/bin/hi", Type: rootfs.Hardlink, Link: "usr/bin/hello", Package: "hello"})
	m.file("", "etc/passwd", "root:x:0:0::/:/bin/sh\n").Origin = "accounts"
	m.file("", "etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n").Origin = "layout"
	return m
}

func (m *image) describe(t *testing.T) *Document {
	t.Helper()
	m.Tree = m.nodes
	d, err := Describe(m.Input)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shuffle changes every order that must not matter.
func (m *image) shuffle() {
	rand.Shuffle(len(m.nodes), func(i, j int) { m.nodes[i], m.nodes[j] = m.nodes[j], m.nodes[i] })
	rand.Shuffle(len(m.Packages), func(i, j int) { m.Packages[i], m.Packages[j] = m.Packages[j], m.Packages[i] })
	l := m.Lock.Platforms[0].Packages
	rand.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
}

func TestDescribe(t *testing.T) {
	d := example().describe(t)
	var got strings.Builder
	for _, p := range d.Packages {
		fmt.Fprintf(&got, "%s %s %s\n  from %s\n  needs %v, wanted %v\n  licence %s\n  at %s\n", p.Name, p.Version, p.PURL, d.Sources[p.Source].PURL, p.Needs, p.Wanted, p.Licence.Expression, p.Download)
		for _, s := range p.Scripts {
			fmt.Fprintf(&got, "  %s: %s\n", s.Outcome, s.Name)
		}
	}
	for _, f := range d.Files {
		fmt.Fprintf(&got, "/%s (%s) %s\n", f.Path, f.Package, f.comment())
	}
	for _, n := range d.Notes {
		fmt.Fprintln(&got, n)
	}
	const want = `hello 1:2.10-3+b1 pkg:deb/debian/hello@1:2.10-3%2Bb1?arch=amd64&distro=debian-13
  from pkg:deb/debian/hello@1:2.10-3?arch=source&distro=debian-13
  needs [libc6], wanted true
  licence GPL-3.0-or-later
  at https://own.example.org/h/hello_2.10-3+b1_amd64.deb
libc6 2.41-12 pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13
  from pkg:deb/debian/glibc@2.41-12?arch=source&distro=debian-13
  needs [], wanted false
  licence LGPL-2.1-or-later
  at https://deb.example.org/debian/pool/main/g/glibc/libc6_2.41-12_amd64.deb
  not run: postinst
/etc/os-release () mode 0644, owner 0:0; origin: layout
/etc/passwd () mode 0644, owner 0:0; origin: accounts
/usr/bin/hello (hello) mode 0755, owner 0:0
/usr/bin/hi (hello) hard link to /usr/bin/hello; mode 0755, owner 0:0
/usr/lib/libc.so (libc6) symbolic link to libc.so.6; mode 0777, owner 0:0
/usr/lib/libc.so.6 (libc6) mode 0755, owner 0:0
/usr/share/doc/libc6/copyright (libc6) mode 0644, owner 0:0
dependency "debconf" was taken as satisfied; no package for it is in the image
repository "own" was used without checking its signatures (trusted: insecure)
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestDescribeRefuses(t *testing.T) {
	tests := []struct {
		rule   string
		change func(*image)
		want   string
	}{
		{"the lock must have the platform", func(m *image) { m.Platform = "linux/arm64" }, "sbom: platform linux/arm64: not in the lock"},
		{"a package of the image must be in the lock", func(m *image) { m.Packages[0].Name = "libc7" }, `sbom: package "libc7": in the image but not in the lock`},
		{"a package of the lock must be in the image", func(m *image) { m.Packages = m.Packages[:1] }, `sbom: package "hello": in the lock but not in the image`},
		{"a hard link must have its file", func(m *image) { m.nodes.Get("usr/bin/hi").Link = "usr/bin/gone" }, "sbom: /usr/bin/hi: hard link to /usr/bin/gone, which is no regular file"},
		{"a file that the store lost is an error", func(m *image) {
			m.Open = func(cas.Ref) (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }
			m.Packages[0].Licence = "MIT"
			m.nodes = tree{m.nodes.Get("usr/bin/hello")}
		}, "sbom: /usr/bin/hello: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m := example()
			tt.change(m)
			m.Tree = m.nodes
			if _, err := Describe(m.Input); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	first := write(t, example())
	for range 20 {
		m := example()
		m.shuffle()
		for i, b := range write(t, m) {
			if !bytes.Equal(b, first[i]) {
				t.Fatalf("another order of the input, another document:\n%s\n%s", b, first[i])
			}
		}
	}
}

// write gives an image's documents in every format.
func write(t *testing.T, m *image) [][]byte {
	t.Helper()
	d := m.describe(t)
	spdx, err := d.SPDX()
	if err != nil {
		t.Fatal(err)
	}
	cdx, err := d.CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{spdx, cdx}
}

func TestNamespaceFollowsContent(t *testing.T) {
	a, b := example(), example()
	b.nodes.Get("etc/passwd").UID = 1
	if x, y := namespace(t, write(t, a)[0]), namespace(t, write(t, b)[0]); x == y {
		t.Errorf("two different documents have the namespace %s", x)
	}
}

func namespace(t *testing.T, doc []byte) string {
	t.Helper()
	var d spdxDocument
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	return d.Namespace
}

// TestSPDXIsSound checks what SPDX 2.3 demands of a document as a whole and
// a JSON schema cannot say.
func TestSPDXIsSound(t *testing.T) {
	checkSPDX(t, write(t, example())[0])
}

var spdxID = regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`)

func checkSPDX(t *testing.T, text []byte) {
	t.Helper()
	var d spdxDocument
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^https://spdx\.org/spdxdocs/[A-Za-z0-9.-]+-[0-9a-f]{64}$`).MatchString(d.Namespace) {
		t.Errorf("namespace %q", d.Namespace)
	}
	ids := map[string]bool{d.ID: true}
	define := func(id string) {
		if !spdxID.MatchString(id) || ids[id] {
			t.Errorf("identifier %q is malformed or stands twice", id)
		}
		ids[id] = true
	}
	refs := map[string]bool{}
	for _, l := range d.Licences {
		refs[l.ID] = true
		if !regexp.MustCompile(`^LicenseRef-[A-Za-z0-9.-]+$`).MatchString(l.ID) || l.Text == "" {
			t.Errorf("licence %+v", l)
		}
	}
	contained := map[string]int{}
	for _, p := range d.Packages {
		define(p.ID)
		if p.FilesAnalyzed != (p.VerificationCode != nil) {
			t.Errorf("%s: files are analysed if and only if there is a verification code", p.Name)
		}
		if p.Name == "" || p.Download == "" || p.Version == "" {
			t.Errorf("package lacks a mandatory field: %+v", p)
		}
		if !regexp.MustCompile(`^(NOASSERTION|(Person|Organization): \S.*)$`).MatchString(p.Supplier) {
			t.Errorf("%s: supplier %q", p.Name, p.Supplier)
		}
		checkExpression(t, p.Declared, refs)
	}
	for _, f := range d.Files {
		define(f.ID)
		if len(f.Checksums) != 2 || f.Checksums[0].Algorithm != "SHA1" || f.Checksums[1].Algorithm != "SHA256" {
			t.Errorf("%s: checksums %v", f.Name, f.Checksums)
		}
	}
	for _, r := range d.Relationships {
		if !ids[r.From] || !ids[r.To] {
			t.Errorf("relationship between unknown elements: %v", r)
		}
		if r.Type == "CONTAINS" {
			contained[r.To]++
		}
	}
	for _, f := range d.Files {
		if contained[f.ID] != 1 {
			t.Errorf("%s is contained in %d packages", f.Name, contained[f.ID])
		}
	}
}

// checkExpression reads an SPDX licence expression with the parser and the
// list, and wants every LicenseRef explained.
func checkExpression(t *testing.T, expr string, refs map[string]bool) {
	t.Helper()
	if expr == noAssertion {
		return
	}
	p := parser{words: words(expr), atom: func(w string) (string, *LicenceRef) {
		_, listed := spdx().licences[strings.ToLower(strings.TrimSuffix(w, "+"))]
		if !listed && !refs[w] {
			t.Errorf("licence %q: %q is neither listed nor explained", expr, w)
		}
		return w, nil
	}}
	if got, ok := p.or(); !ok || len(p.words) > 0 || got != expr {
		t.Errorf("licence %q is no expression", expr)
	}
}

// M-12: text of a package cannot become structure of the document.
func TestM12TextStaysText(t *testing.T) {
	m := example()
	const evil = "x\", \"SPDXID\": \"SPDXRef-DOCUMENT\n\x1b[31m\u202e\x00 OR MIT"
	for _, p := range m.Packages {
		p.Maintainer, p.Homepage, p.Description, p.Licence = evil, evil, evil, evil
		p.Scripts, p.Control = []string{evil}, map[string][]byte{evil: nil}
	}
	m.Name = evil
	m.file("", "etc/"+evil, "").Origin = evil
	out := write(t, m)
	checkSPDX(t, out[0])
	checkCycloneDX(t, out[1])
	for _, b := range out {
		if i := slices.IndexFunc(b, func(c byte) bool { return c < ' ' && c != '\n' }); i >= 0 {
			t.Errorf("control character %#x in the output", b[i])
		}
	}
	var d spdxDocument
	if err := json.Unmarshal(out[0], &d); err != nil || d.Name != evil {
		t.Errorf("name read back as %q, %v", d.Name, err)
	}
}

func TestDistro(t *testing.T) {
	tests := []struct {
		rule  string
		nodes func(*image)
		want  string
	}{
		{"name and version", func(m *image) { m.file("", "etc/os-release", "NAME=x\nID=alpine\nVERSION_ID=3.22.1\n") }, "alpine-3.22.1"},
		{"quotes are no part of either", func(m *image) { m.file("", "usr/lib/os-release", "ID='debian'\nVERSION_ID=\"13\"\n") }, "debian-13"},
		{"the name alone", func(m *image) { m.file("", "etc/os-release", "ID=debian\n") }, "debian"},
		{"a version of nothing is nothing", func(m *image) { m.file("", "etc/os-release", "VERSION_ID=1\n") }, ""},
		{"a link is followed", func(m *image) {
			m.node(&rootfs.Node{Path: "etc/os-release", Type: rootfs.Symlink, Link: "../usr/lib/os-release"})
			m.file("", "usr/lib/os-release", "ID=debian\nVERSION_ID=13\n")
		}, "debian-13"},
		{"a link to nothing is nothing", func(m *image) {
			m.node(&rootfs.Node{Path: "etc/os-release", Type: rootfs.Symlink, Link: "../../gone"})
		}, ""},
		{"no file is nothing", func(*image) {}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m := example()
			m.nodes = nil
			tt.nodes(m)
			m.Tree = m.nodes
			if got, err := distro(m.Input); err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestLicenceOf(t *testing.T) {
	const file = "usr/share/doc/libc6/copyright"
	free := "This is free software; do what you like.\n"
	tests := []struct {
		rule   string
		change func(*image)
		want   string
	}{
		{"the package's own word counts first", func(m *image) { m.Packages[0].Licence = "ISC" }, "ISC"},
		{"free text is named by its digest", func(m *image) { m.Packages[0].Nodes = nil; m.file("libc6", file, free) }, "LicenseRef-" + cas.Sum([]byte(free)).Hex()},
		{"a text that is too long is named by its digest", func(m *image) {
			m.Packages[0].Nodes = nil
			m.file("libc6", file, dep5+"\nFiles: *\nLicense: ISC\n")
			m.Packages[0].Nodes[0].Content.Size = copyrightLimit + 1
		}, "LicenseRef-" + cas.Sum([]byte(dep5+"\nFiles: *\nLicense: ISC\n")).Hex()},
		{"no text is no assertion", func(m *image) { m.Packages[0].Nodes = nil }, "NOASSERTION"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m := example()
			m.nodes = slices.DeleteFunc(m.nodes, func(n *rootfs.Node) bool { return n.Path == file })
			tt.change(m)
			text := write(t, m)[0]
			checkSPDX(t, text)
			var d spdxDocument
			if err := json.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			for _, p := range d.Packages {
				if p.Name == "libc6" && p.Declared != tt.want {
					t.Errorf("got %q, want %q", p.Declared, tt.want)
				}
			}
		})
	}
}
