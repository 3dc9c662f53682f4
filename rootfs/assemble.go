package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"compose/internal/fault"
)

// A Recipe is all that a tree is made of.
type Recipe struct {
	Arch     string     // the format's name of the platform: amd64, x86_64
	Packages []*Package // in any order; names are unique
	Users    []User
	Groups   []Group
	UIDs     map[string]int // numbers for Users that have none, by name (the lock has them)
	GIDs     map[string]int // the same for Groups, and for a user's own group
	Entries  []Entry        // what no package brings, applied in order
	Remove   []Glob         // applied in order after Entries
	Slim     []string       // names of the documented removals (Slims)
	Database string         // package database: full, scanners, none; "" or auto: as the format decides
	Epoch    int64          // seconds since 1970; no file is younger

	// Allow has packages that may bring a kernel, by name, and paths that may
	// be a device or a FIFO, absolute (the manifest's policy.allow).
	Allow []string

	Contents Contents // where the contents of files are, and new ones go

	// Configure is called when everything is unpacked and the accounts are
	// there: for what the packages' scripts do. The manifest's entries come
	// after it and so have the last word. It may be nil.
	Configure func(*Tree) error

	// Finish is called when the tree has all that packages, the accounts and
	// the manifest bring, and before anything is removed: for what is computed
	// from files, the manifest's included. It may be nil.
	Finish func(*Tree) error
}

// An Entry is a node that the manifest asks for. Its Origin says where. Its
// time is the epoch, whatever that of the source was.
type Entry struct {
	Node
	// Owner is "user", "user:group" or numbers; it is resolved once the
	// accounts are known, and overrides the node's. "" leaves that.
	//
	// A user alone stands for that user and its own group, a number that no
	// user has for that number twice.
	Owner string
	// Merge is for the folders of a source that is copied whole: one that is
	// there already keeps its mode and owner.
	Merge bool
}

// Assemble makes the tree that r describes. It is a pure function of r: the
// order of r.Packages does not matter, nor does anything of the host. c may be
// nil where r has no packages and no format; the tree then has account files
// and r.Entries.
//
// The second result has notes, for people: what is legal and yet probably not
// meant.
func Assemble(r Recipe, c Conventions) (*Tree, []string, error) {
	a := newAssembly(r, c)
	for _, step := range []func() error{
		a.layout,
		a.unpack,
		a.accounts,
		a.configure,
		a.members,
		a.entries,
		a.finish,
		a.remove,
		a.slim,
		a.database,
	} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	a.check()
	return a.tree, a.notes, nil
}

// An assembly is a tree in the making.
type assembly struct {
	Recipe
	conv    Conventions
	tree    *Tree
	byName  map[string]*Package
	fixed   map[string]bool // directories whose mode and owner the layout decides
	laid    map[*Node]bool  // nodes of packages that are in the tree before their turn
	allowed map[string]bool
	owners  owners
	notes   []string
}

func newAssembly(r Recipe, c Conventions) *assembly {
	r.Packages = slices.Clone(r.Packages)
	slices.SortFunc(r.Packages, func(a, b *Package) int { return strings.Compare(a.Name, b.Name) })
	a := &assembly{Recipe: r, conv: c, byName: map[string]*Package{}, fixed: map[string]bool{}, laid: map[*Node]bool{}, allowed: map[string]bool{}}
	n := 0
	for _, p := range r.Packages {
		a.byName[p.Name] = p
		n += len(p.Nodes)
	}
	for _, item := range r.Allow {
		a.allowed[item] = true
	}
	a.tree = newTree(n)
	return a
}

func (a *assembly) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

// layout lays what the distribution expects before any package.
func (a *assembly) layout() error {
	if a.conv == nil && len(a.Packages) > 0 {
		return errors.New("packages, and no format that knows their conventions")
	}
	if a.conv == nil {
		return nil
	}
	for _, n := range a.conv.Layout(a.Arch, a.Packages) {
		n.Package, n.Origin, n.MTime = "", "layout", a.Epoch
		if err := a.tree.Add(n); err != nil {
			return fmt.Errorf("layout: %w", err)
		}
		a.fixed[n.Path] = n.Type == Dir
	}
	return nil
}

// configure has others do what the packages' scripts do.
func (a *assembly) configure() error {
	if a.Configure == nil {
		return nil
	}
	return a.Configure(a.tree)
}

// entries applies what the manifest asks for.
func (a *assembly) entries() error {
	for _, e := range a.Entries {
		n := e.Node
		n.Package, n.MTime = "", a.Epoch
		if n.Path == "" { // a folder that is copied to /
			n.Path = "."
		}
		if old := a.tree.Lookup(n.Path); e.Merge && old != nil && old.Type == Dir {
			continue
		}
		if e.Owner != "" {
			var err error
			if n.UID, n.GID, err = a.owners.parse(e.Owner); err != nil {
				return fault.New(fault.Usage, "%s: %w", n.Origin, err)
			}
		}
		if err := a.tree.Add(n); err != nil {
			if fault.Of(err) != "" {
				return fmt.Errorf("%s: %w", n.Origin, err)
			}
			return fault.New(fault.Usage, "%s: %w", n.Origin, err)
		}
	}
	return nil
}

// finish has others compute what follows from the files of the tree.
func (a *assembly) finish() error {
	if a.Finish == nil {
		return nil
	}
	return a.Finish(a.tree)
}

// database adds the package database, which describes the finished tree.
func (a *assembly) database() error {
	if a.conv == nil {
		return nil
	}
	kind := a.Database
	if kind == "" || kind == "auto" {
		kind = a.conv.AutoDatabase(a.Packages)
	}
	nodes, err := a.conv.Database(a.tree, a.Packages, kind, a.Contents)
	if err != nil {
		return fmt.Errorf("package database: %w", err)
	}
	for _, n := range nodes {
		n.Package, n.Origin, n.MTime = "", "package-database", a.Epoch
		if old := a.tree.Get(a.tree.Real(n.Path)); old != nil && old.Type == Dir && n.Type == Dir {
			continue // the package that brought it knows its mode
		}
		if err := a.tree.Add(n); err != nil {
			return fmt.Errorf("package database: %w", err)
		}
	}
	return nil
}

// check notes what an image is better off with.
func (a *assembly) check() {
	if len(a.Packages) > 0 && a.tree.Lookup("etc/os-release") == nil && a.tree.Lookup("usr/lib/os-release") == nil {
		a.note("no package brings /etc/os-release: programs and scanners cannot tell the distribution")
	}
}

// put stores b and gives a regular file of it.
func (a *assembly) put(path string, b []byte) (Node, error) {
	ref, err := a.Contents.Put(bytes.NewReader(b))
	return Node{Path: path, Type: Regular, Mode: 0o644, MTime: a.Epoch, Content: ref}, err
}

// clamp is a modification time that is not after the epoch, nor before 1970,
// which no tar header can say.
func (a *assembly) clamp(t int64) int64 { return max(0, min(t, a.Epoch)) }
