// Package audit says what is in an image: which programs can run commands,
// which libraries are linked, missing or idle, who may do more than its user,
// and which package brought each, for whose sake.
//
// It sees a file tree and the bytes of its files and nothing else, so that an
// image that compose did not make is told in the same words as one that it
// did. What it claims of a file it read in that file: names alone are taken
// as evidence only where the file can be executed.
package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"compose/resolve"
	"compose/rootfs"
)

// An Input is what is known of an image.
type Input struct {
	Image    string // as the user named it
	Platform string // linux/amd64
	Tree     *rootfs.Tree
	Contents rootfs.Contents
	Cache    Cache // keeps what was read in files; may be nil
	Jobs     int   // files to read at once; at least 1

	Packages []Package      // what is known of packages
	Graph    *resolve.Graph // who needs whom; may be nil
	Config   Config
	Now      time.Time // judges what is out of support; zero: nothing is
}

// A Package is what an audit wants to know of a package.
type Package struct {
	Name          string   `json:"name"`
	Version       string   `json:"version"`
	Arch          string   `json:"arch,omitempty"`
	Source        string   `json:"source,omitempty"`
	SourceVersion string   `json:"sourceVersion,omitempty"`
	Licence       string   `json:"licence,omitempty"`
	Size          int64    `json:"size"` // of its files in the image, in bytes
	Files         int      `json:"files"`
	Wanted        bool     `json:"wanted,omitempty"`
	Why           []string `json:"why,omitempty"`           // the shortest chain from a want to it
	Scripts       []string `json:"scriptsNotRun,omitempty"` // what installing it would have run and nobody did
}

// A Config is how the image is run.
type Config struct {
	User       string   `json:"user"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	Env        []string `json:"-"`
}

// A Report is all that is to say of an image. Lists are sorted, most by path.
type Report struct {
	Image        string       `json:"image"`
	Platform     string       `json:"platform,omitempty"`
	Distribution Distribution `json:"distribution"`
	Size         int64        `json:"size"` // of all contents, in bytes; a file with two names counts once
	Files        int          `json:"files"`
	Config       Config       `json:"config"`
	Programs     []Program    `json:"programs"`
	Libraries    Libraries    `json:"libraries"`
	Hardening    Hardening    `json:"hardening"`
	Privileges   Privileges   `json:"privileges"`
	Packages     []Package    `json:"packages"`
	Scripts      []Script     `json:"brokenScripts"` // whose interpreter is not there

	tree *rootfs.Tree
}

// Run reads the image and reports. It is a function of in: neither the order
// of files and packages nor Jobs matters.
func Run(ctx context.Context, in Input) (*Report, error) {
	files, err := examine(ctx, in)
	if err != nil {
		return nil, err
	}
	a := &audit{Input: in, files: files, accounts: map[string]account{}}
	if err := a.readAccounts(); err != nil {
		return nil, err
	}
	r := &Report{Image: in.Image, Platform: in.Platform, Config: in.Config, tree: in.Tree}
	for _, step := range []func(*Report) error{a.packages, a.distribution, a.programs, a.libraries, a.hardening, a.privileges, a.scripts} {
		if err := step(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// An audit is a Run under way.
type audit struct {
	Input
	files    []file // regular files, by path
	objects  []*Object
	byPath   map[string]*Object
	system   []string // directories of libraries that every object may use
	musl     bool     // its dynamic linker is there
	accounts map[string]account
	groups   []group
}

// A file is a regular file of the tree with what was read in it.
type file struct {
	*rootfs.Node
	names []string // further paths of the same file: hard links, sorted
	facts *facts
}

// A Source says where something came from.
type Source struct {
	Package string   `json:"package,omitempty"`
	Why     []string `json:"why,omitempty"`    // the shortest chain from a want to the package
	Origin  string   `json:"origin,omitempty"` // where no package brought it: files: image.yaml:12:5, layer 3
}

func (a *audit) source(n *rootfs.Node) Source {
	if n.Package == "" {
		return Source{Origin: n.Origin}
	}
	return Source{Package: n.Package, Why: a.chain(n.Package)}
}

// String is the source for people: from libc6, because python3 > libc6.
func (s Source) String() string {
	chain := Chain(s.Why)
	switch {
	case s.Package == "" && s.Origin == "":
		return "of no package"
	case s.Package == "":
		return "of no package: " + s.Origin
	case !strings.Contains(chain, " > "):
		return "from " + s.Package
	}
	return "from " + s.Package + ", because " + chain
}

// chain is the shortest chain of packages from a want to pkg; nil if unknown.
func (a *audit) chain(pkg string) []string {
	if a.Graph == nil || pkg == "" {
		return nil
	}
	return a.Graph.Chain(pkg)
}

// text is the content of the small file at path; "" if there is none.
func (a *audit) text(path string) (string, error) {
	const limit = 4 << 20
	n := a.Tree.Lookup(path)
	if n == nil || n.Type != rootfs.Regular || n.Content.Size > limit {
		return "", nil
	}
	b, err := rootfs.Read(a.Contents, n.Content)
	return string(b), err
}

// packages tells of each package what of it is in the tree.
func (a *audit) packages(r *Report) error {
	size, count := map[string]int64{}, map[string]int{}
	for _, f := range a.files {
		r.Files++
		r.Size += f.Content.Size
		size[f.Package] += f.Content.Size
		count[f.Package]++
	}
	r.Packages = []Package{}
	for _, p := range a.Packages {
		p.Size, p.Files, p.Why = size[p.Name], count[p.Name], a.chain(p.Name)
		r.Packages = append(r.Packages, p)
	}
	slices.SortFunc(r.Packages, func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch))
	})
	return nil
}
