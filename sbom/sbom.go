// Package sbom says what is in an image and where each part came from.
//
// Describe turns a lock and the tree that was made of it into a Document;
// two writers give that in the form of SPDX and of CycloneDX. A document is a
// pure function of the image: its ids and namespace are derived from what it
// says, its one time is the image's epoch, and every list has an order.
package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/resolve"
	"compose/rootfs"
)

// An Input is what a document is made from.
type Input struct {
	Name     string            // of the image
	Tool     string            // name and version of the program: compose-0.1.0
	Platform string            // linux/amd64
	Image    cas.Digest        // of the image's manifest for that platform
	Lock     *resolve.Lock     //
	Packages []*rootfs.Package // as opened; every one of them is in the lock
	Tree     Tree              // as it is in the image

	// Open gives the content of a file; cas.Store has it.
	Open func(cas.Ref) (io.ReadCloser, error)

	// PURL is the package URL of a package, given ID-VERSION_ID of the
	// image's os-release or "". Asked for the arch "source" it names the
	// source package, or answers "" where the format has no such URL.
	PURL func(p resolve.Locked, distro string) string

	// Outcome says in words what became of a package's script; "" or a nil
	// function: nothing.
	Outcome func(pkg, script string) string
}

// A Tree is the file tree of an image; *rootfs.Tree is one.
type Tree interface {
	All() iter.Seq[*rootfs.Node] // in the order of paths
	Get(path string) *rootfs.Node
}

// A Document describes one image for one platform.
type Document struct {
	Name     string
	Tool     string
	Platform string
	Image    cas.Digest
	Epoch    int64     // seconds since 1970: when the newest part of the image was made
	Packages []Package // sorted by name
	Sources  []Source  // that Packages were built from, sorted by name and version
	Files    []File    // every name in the image that is not a folder, sorted by path
	Notes    []string  // what a reader should know of the image as a whole, sorted
}

// A Package is one package of the image.
type Package struct {
	Name, Version, Arch string
	PURL                string
	Source              int    // index into Document.Sources
	Maintainer          string // as the package states it: "Name <address>"
	Homepage            string
	Description         string
	Licence             Licence
	SHA256              cas.Digest // of the package file
	Size                int64      // of the package file, in bytes
	Download            string     // URL of the package file
	BuildTime           int64      // seconds since 1970; 0: unknown
	Wanted              bool       // the manifest names it
	Needs               []string   // names of the packages in the image that it depends on, sorted
	Scripts             []Script   // sorted by name
}

// A Script is what a package would run on installation. compose executes
// none; the outcome says what was done instead.
type Script struct {
	Name    string
	SHA256  cas.Digest
	Outcome string
}

// A Source is a source package.
type Source struct{ Name, Version, PURL string }

// A File is a name in the image. For a symbolic link, the digests are those
// of its target's text; for a device or a pipe, those of no bytes.
type File struct {
	Path     string // relative to the root
	Type     rootfs.Type
	Mode     uint16
	UID, GID int
	Link     string // target of a symbolic link, path of a hard link's first name
	SHA256   cas.Digest
	SHA1     [sha1.Size]byte // SPDX 2.3 asks for it
	Package  string          // that brought it, or
	Origin   string          // what did
}

// Describe makes the document of an image.
func Describe(in Input) (*Document, error) {
	lp, ok := in.Lock.Platform(in.Platform)
	if !ok {
		return nil, fmt.Errorf("sbom: platform %s: not in the lock", in.Platform)
	}
	d := &Document{Name: in.Name, Tool: in.Tool, Platform: in.Platform, Image: in.Image, Epoch: in.Lock.Epoch}
	distro, err := distro(in)
	if err != nil {
		return nil, err
	}
	if err := d.addPackages(in, lp, distro); err != nil {
		return nil, err
	}
	if err := d.addFiles(in); err != nil {
		return nil, err
	}
	for _, name := range lp.Elided {
		d.Notes = append(d.Notes, fmt.Sprintf("dependency %q was taken as satisfied; no package for it is in the image", name))
	}
	for _, r := range lp.Repositories {
		if r.Insecure {
			d.Notes = append(d.Notes, fmt.Sprintf("repository %q was used without checking its signatures (trusted: insecure)", r.Name))
		}
	}
	slices.Sort(d.Notes)
	return d, nil
}

func (d *Document) addPackages(in Input, lp *resolve.LockedPlatform, distro string) error {
	locked := map[string]resolve.Locked{}
	for _, k := range lp.Packages {
		locked[k.Name] = k
	}
	urls := map[string]string{}
	for _, r := range lp.Repositories {
		urls[r.Name] = r.URL
	}
	opened := map[string]*rootfs.Package{}
	for _, p := range in.Packages {
		if _, ok := locked[p.Name]; !ok {
			return fmt.Errorf("sbom: package %q: in the image but not in the lock", p.Name)
		}
		opened[p.Name] = p
	}
	for _, k := range lp.Packages {
		p := opened[k.Name]
		if p == nil {
			return fmt.Errorf("sbom: package %q: in the lock but not in the image", k.Name)
		}
		licence, err := licenceOf(p, opened, in.Open)
		if err != nil {
			return fmt.Errorf("sbom: package %q: %w", k.Name, err)
		}
		src := Source{Name: cmp.Or(p.Source, k.Source, k.Name), Version: cmp.Or(p.SourceVersion, k.SourceVersion, k.Version)}
		src.PURL = in.PURL(resolve.Locked{Name: src.Name, Version: src.Version, Arch: "source", Repository: k.Repository}, distro)
		d.Sources = append(d.Sources, src)
		d.Packages = append(d.Packages, Package{
			Name: k.Name, Version: k.Version, Arch: k.Arch,
			PURL:       in.PURL(k, distro),
			Source:     len(d.Sources) - 1, // until sorted, below
			Maintainer: p.Maintainer, Homepage: p.Homepage, Description: p.Description,
			Licence: licence,
			SHA256:  k.SHA256, Size: k.Size,
			Download:  join(urls[k.Repository], k.Path),
			BuildTime: k.BuildTime,
			Wanted:    k.Wanted,
			Scripts:   in.scripts(p),
		})
	}
	d.sortSources()
	slices.SortFunc(d.Packages, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	index := map[string]int{}
	for i, p := range d.Packages {
		index[p.Name] = i
	}
	for _, k := range lp.Packages {
		for _, by := range k.Why {
			if i, ok := index[by]; ok && by != k.Name { // the text of a want is no package
				d.Packages[i].Needs = append(d.Packages[i].Needs, k.Name)
			}
		}
	}
	for i := range d.Packages {
		slices.Sort(d.Packages[i].Needs)
		d.Packages[i].Needs = slices.Compact(d.Packages[i].Needs)
	}
	return nil
}

// sortSources orders the sources, drops doubles, and lets the packages'
// numbers follow.
func (d *Document) sortSources() {
	was := d.Sources
	d.Sources = slices.Clone(was)
	slices.SortFunc(d.Sources, compareSources)
	d.Sources = slices.CompactFunc(d.Sources, func(a, b Source) bool { return compareSources(a, b) == 0 })
	for i, p := range d.Packages {
		d.Packages[i].Source, _ = slices.BinarySearchFunc(d.Sources, was[p.Source], compareSources)
	}
}

func compareSources(a, b Source) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
}

func (in Input) scripts(p *rootfs.Package) []Script {
	var list []Script
	for _, name := range p.Scripts {
		s := Script{Name: name, SHA256: cas.Sum(p.Control[name])}
		if in.Outcome != nil {
			s.Outcome = in.Outcome(p.Name, name)
		}
		s.Outcome = cmp.Or(s.Outcome, "not run")
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Script) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// join is the URL of a file of a repository.
func join(repository, file string) string {
	u, err := url.Parse(repository)
	if err != nil {
		return ""
	}
	return u.JoinPath(file).String()
}

// addFiles lists the tree's files and hashes what only has a SHA-256.
func (d *Document) addFiles(in Input) error {
	var refs []cas.Ref // of Files that have content; same index
	for n := range in.Tree.All() {
		if n.Type == rootfs.Dir {
			continue
		}
		f, ref, err := fileOf(in.Tree, n)
		if err != nil {
			return err
		}
		d.Files = append(d.Files, f)
		refs = append(refs, ref)
	}
	return d.sha1s(refs, in.Open)
}

// fileOf is what a document says of a node. The SHA-1 is not known yet, if
// ref, its content, is set.
func fileOf(t Tree, n *rootfs.Node) (f File, ref cas.Ref, err error) {
	f = File{
		Path: n.Path, Type: n.Type, Mode: n.Mode, UID: n.UID, GID: n.GID, Link: n.Link,
		Package: n.Package, Origin: n.Origin,
	}
	switch n.Type {
	case rootfs.Regular:
		ref = n.Content
		f.SHA256 = ref.Digest
	case rootfs.Hardlink:
		first := t.Get(n.Link)
		if first == nil || first.Type != rootfs.Regular {
			return f, ref, fmt.Errorf("sbom: /%s: hard link to /%s, which is no regular file", n.Path, n.Link)
		}
		ref = first.Content
		f.SHA256, f.Mode, f.UID, f.GID = ref.Digest, first.Mode, first.UID, first.GID
	case rootfs.Symlink:
		f.SHA256, f.SHA1 = sha256.Sum256([]byte(n.Link)), sha1.Sum([]byte(n.Link))
	default:
		f.SHA256, f.SHA1 = sha256.Sum256(nil), sha1.Sum(nil)
	}
	return f, ref, nil
}

// sha1s fills in the SHA-1 of the files whose entry in refs is set. It reads
// in packs' order and each content once.
func (d *Document) sha1s(refs []cas.Ref, open func(cas.Ref) (io.ReadCloser, error)) error {
	type job struct {
		ref   cas.Ref
		files []int
		path  string
	}
	var jobs []*job
	byDigest := map[cas.Digest]*job{}
	for i, ref := range refs {
		if ref.Digest.IsZero() {
			continue
		}
		j := byDigest[ref.Digest]
		if j == nil {
			j = &job{ref: ref, path: d.Files[i].Path}
			byDigest[ref.Digest] = j
			jobs = append(jobs, j)
		}
		j.files = append(j.files, i)
	}
	slices.SortFunc(jobs, func(a, b *job) int {
		return cmp.Or(bytes.Compare(a.ref.Pack[:], b.ref.Pack[:]), cmp.Compare(a.ref.Offset, b.ref.Offset),
			bytes.Compare(a.ref.Digest[:], b.ref.Digest[:]))
	})
	var g errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() error {
			h, buf := sha1.New(), make([]byte, 128<<10)
			for _, j := range jobs[w*len(jobs)/workers : (w+1)*len(jobs)/workers] {
				h.Reset()
				if err := hashInto(h, buf, j.ref, open); err != nil {
					return fmt.Errorf("sbom: /%s: %w", j.path, err)
				}
				for _, i := range j.files {
					h.Sum(d.Files[i].SHA1[:0])
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func hashInto(h io.Writer, buf []byte, ref cas.Ref, open func(cas.Ref) (io.ReadCloser, error)) error {
	r, err := open(ref)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{r}, buf)
	return err
}

// osReleaseLimit is far above any real os-release.
const osReleaseLimit = 64 << 10

// distro is ID-VERSION_ID of the image's os-release(5), or ID alone, or "".
func distro(in Input) (string, error) {
	for _, p := range []string{"etc/os-release", "usr/lib/os-release"} {
		n := in.Tree.Get(p)
		if n != nil && n.Type == rootfs.Symlink && !path.IsAbs(n.Link) {
			n = in.Tree.Get(path.Join(path.Dir(p), n.Link))
		}
		if n == nil || n.Type != rootfs.Regular {
			continue
		}
		text, err := read(in.Open, n.Content, osReleaseLimit)
		if err != nil {
			return "", fmt.Errorf("sbom: /%s: %w", p, err)
		}
		return osRelease(text), nil
	}
	return "", nil
}

func osRelease(text []byte) string {
	var id, version string
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	if id == "" || version == "" {
		return id
	}
	return id + "-" + version
}

var errTooLong = errors.New("longer than expected")

// read gives a small content whole; a longer one is errTooLong.
func read(open func(cas.Ref) (io.ReadCloser, error), ref cas.Ref, limit int64) ([]byte, error) {
	if ref.Size > limit {
		return nil, fmt.Errorf("%d bytes: %w", ref.Size, errTooLong)
	}
	r, err := open(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit+1))
}
