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
	nodes map[string]*Node
	order []string // sorted paths; nil after a change
}

// NewTree is a tree with nothing but the root, a directory of mode 0755.
func NewTree() *Tree {
	return &Tree{nodes: map[string]*Node{".": {Path: ".", Type: Dir, Mode: 0o755}}}
}

// Get is the node at path, nil if there is none. Links are not followed.
func (t *Tree) Get(path string) *Node { return t.nodes[path] }

// Len is the number of nodes, the root included.
func (t *Tree) Len() int { return len(t.nodes) }

// All gives the nodes in the byte order of their paths, which puts parents
// before children; the root, ".", comes first.
func (t *Tree) All() iter.Seq[*Node] {
	if t.order == nil {
		t.order = slices.SortedFunc(maps.Keys(t.nodes), func(a, b string) int {
			if a == "." || b == "." { // the root before names such as "-x" and "!"
				return strings.Compare(strings.TrimPrefix(a, "."), strings.TrimPrefix(b, "."))
			}
			return strings.Compare(a, b)
		})
	}
	order := t.order
	return func(yield func(*Node) bool) {
		for _, p := range order {
			if n := t.nodes[p]; n != nil && !yield(n) {
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
