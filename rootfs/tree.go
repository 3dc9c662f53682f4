package rootfs

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// A Tree is a set of nodes by path. Every node but the root has a parent in
// the tree, and that parent is a directory.
type Tree struct {
	nodes map[string]*entry
	names map[*entry][]*entry // regular file -> its hard links
	order []*entry            // by path, some perhaps dropped; nil after an addition
	undo  *Undo               // nil: changes are not remembered
}

// An entry is a node and its place: the directory that holds it, nil for the
// root and what was dropped, and the list of what a directory holds.
type entry struct {
	Node
	parent, child, prev, next *entry
}

// NewTree is a tree with nothing but the root, a directory of mode 0755.
func NewTree() *Tree { return newTree(0) }

// newTree is NewTree with room for n nodes.
func newTree(n int) *Tree {
	root := &entry{Node: Node{Path: ".", Type: Dir, Mode: 0o755}}
	t := &Tree{nodes: make(map[string]*entry, n+1), names: map[*entry][]*entry{}}
	t.nodes["."] = root
	return t
}

// Get is the node at path, nil if there is none. Links are not followed.
func (t *Tree) Get(path string) *Node { return t.nodes[path].node() }

func (e *entry) node() *Node {
	if e == nil {
		return nil
	}
	return &e.Node
}

// Lookup is the node that a process with this tree as its root would open at
// path: links are followed, the last one too. It is nil if there is none.
func (t *Tree) Lookup(path string) *Node {
	e, err := t.walk(path, nil)
	if err != nil {
		return nil
	}
	return t.file(e).node()
}

// file is the regular file behind a hard link, and e itself otherwise.
func (t *Tree) file(e *entry) *entry {
	if e.Type == Hardlink {
		return t.nodes[e.Link]
	}
	return e
}

// Owner is the name of the package that brought what stands at path, with
// links in its parents followed; "" if no package did, or nothing is there.
func (t *Tree) Owner(path string) string {
	if e := t.nodes[t.Real(path)]; e != nil {
		return e.Package
	}
	return ""
}

// Real is the path at which a node named path stands or would stand: links in
// its parents are followed, the last name is not. It is "" where a parent is
// missing or no directory.
func (t *Tree) Real(path string) string {
	dir, base := split(path)
	d := t.nodes[dir]
	if d == nil || d.Type != Dir {
		var err error
		if d, err = t.walk(dir, nil); err != nil || d.Type != Dir {
			return ""
		}
	}
	if d.Path == dir {
		return path
	}
	return join(d.Path, base)
}

// Installed is the node of the tree that n, of a package's own list, became:
// nil if it is gone, or another package's file stands in its place. A file
// that the manifest put there instead counts, as a file that was edited.
func (t *Tree) Installed(n *Node) *Node {
	e := t.nodes[t.Real(n.Path)]
	switch {
	case e == nil:
		return nil
	case n.Type == Dir, e.Package == n.Package, e.Package == "":
		return &e.Node
	case n.Type == Regular && n.Content.Digest == e.Content.Digest, n.Type == Symlink && n.Link == e.Link:
		return &e.Node // both packages have it, and it is the same
	}
	return nil
}

// ByPackage gives the nodes that each package brought, by its name, in the
// order of All. A directory that several brought is the one's whose mode and
// owner it has.
func (t *Tree) ByPackage() map[string][]*Node {
	by := map[string][]*Node{}
	for n := range t.All() {
		if n.Package != "" {
			by[n.Package] = append(by[n.Package], n)
		}
	}
	return by
}

// Len is the number of nodes, the root included.
func (t *Tree) Len() int { return len(t.nodes) }

// All gives the nodes in the byte order of their paths, which puts parents
// before children; the root, ".", comes first.
func (t *Tree) All() iter.Seq[*Node] {
	if t.order == nil {
		t.order = slices.SortedFunc(maps.Values(t.nodes), func(a, b *entry) int {
			if a.parent == nil || b.parent == nil { // the root before names such as "-x" and "!"
				return strings.Compare(strings.TrimPrefix(a.Path, "."), strings.TrimPrefix(b.Path, "."))
			}
			return strings.Compare(a.Path, b.Path)
		})
	}
	order := t.order
	return func(yield func(*Node) bool) {
		for _, e := range order {
			if (e.parent != nil || e.Path == ".") && !yield(&e.Node) {
				return
			}
		}
	}
}

// Dump is the tree as text, a line a node, for comparison and for people:
//
//	-rw-r--r-- 0:0 12 9f86d081 /etc/motd
//	lrwxrwxrwx 0:0 /bin -> usr/bin
func (t *Tree) Dump() string {
	var b strings.Builder
	for n := range t.All() {
		if n.Path == "." {
			continue
		}
		fmt.Fprintf(&b, "%s %d:%d ", n.modeString(), n.UID, n.GID)
		switch n.Type {
		case Regular:
			fmt.Fprintf(&b, "%d %.8s /%s\n", n.Content.Size, n.Content.Digest.Hex(), n.Path)
		case Symlink:
			fmt.Fprintf(&b, "/%s -> %s\n", n.Path, n.Link)
		case Hardlink:
			fmt.Fprintf(&b, "/%s link to /%s\n", n.Path, n.Link)
		case Char, Block:
			fmt.Fprintf(&b, "%d,%d /%s\n", n.Major, n.Minor, n.Path)
		default:
			fmt.Fprintf(&b, "/%s\n", n.Path)
		}
	}
	return b.String()
}

// modeString is the mode as ls -l prints it.
func (n *Node) modeString() string {
	s := []byte{byte(n.Type)}
	const letters = "rwxrwxrwx"
	for i := range 9 {
		if n.Mode>>(8-i)&1 != 0 {
			s = append(s, letters[i])
		} else {
			s = append(s, '-')
		}
	}
	for i, bit := range []uint16{0o4000, 0o2000, 0o1000} {
		if n.Mode&bit == 0 {
			continue
		}
		at := 3 * (i + 1)
		set, unset := byte("sst"[i]), byte("SST"[i])
		if s[at] == '-' {
			s[at] = unset
		} else {
			s[at] = set
		}
	}
	return string(s)
}
