package rootfs

import (
	"fmt"
	"io/fs"
	"slices"
)

// Names gives the names in the directory at path, in byte order; path is
// taken as it is. It is nil where there is no directory.
func (t *Tree) Names(path string) []string {
	d := t.nodes[path]
	if d == nil || d.Type != Dir {
		return nil
	}
	var names []string
	for e := d.child; e != nil; e = e.next {
		_, base := split(e.Path)
		names = append(names, base)
	}
	slices.Sort(names)
	return names
}

// Set gives the node at n.Path, which must be there and of n's type, all that
// n says. Its place, its names and what it holds stay.
func (t *Tree) Set(n Node) error {
	e := t.nodes[n.Path]
	if e == nil {
		return fmt.Errorf("/%s: %w", n.Path, fs.ErrNotExist)
	}
	if e.Type != n.Type || e.Type == Hardlink {
		return fmt.Errorf("/%s: is of another type", n.Path)
	}
	e.Node = n
	return nil
}

// Rename moves the node at old, with all below it, to the path to, whose
// parent must be a directory; what stands there goes. Both paths are taken as
// they are.
func (t *Tree) Rename(old, to string) error {
	e := t.nodes[old]
	dir, _ := split(to)
	into := t.nodes[dir]
	if e == nil || e.parent == nil || into == nil || into.Type != Dir {
		return fmt.Errorf("/%s to /%s: %w", old, to, fs.ErrNotExist)
	}
	for up := into; up != nil; up = up.parent {
		if up == e {
			return fmt.Errorf("/%s to /%s: into itself", old, to)
		}
	}
	if err := checkPath(to, e.Type); err != nil {
		return err
	}
	if there := t.nodes[to]; there != nil {
		t.drop(there)
	}
	e.detach()
	e.parent, e.prev, e.next = into, nil, into.child
	if e.next != nil {
		e.next.prev = e
	}
	into.child = e
	t.move(e, to)
	t.order = nil
	return nil
}

// detach takes e out of its parent's list.
func (e *entry) detach() {
	switch {
	case e.prev != nil:
		e.prev.next = e.next
	default:
		e.parent.child = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
}

// move gives e and all below it their new paths, and the hard links to them.
func (t *Tree) move(e *entry, path string) {
	delete(t.nodes, e.Path)
	e.Path = path
	t.nodes[path] = e
	for _, link := range t.names[e] {
		link.Link = path
	}
	for c := e.child; c != nil; c = c.next {
		_, base := split(c.Path)
		t.move(c, join(path, base))
	}
}

// Clone is a copy of the tree that does not change with it.
func (t *Tree) Clone() *Tree {
	c := &Tree{nodes: make(map[string]*entry, len(t.nodes)), names: make(map[*entry][]*entry, len(t.names)), order: t.order}
	all := make([]entry, 0, len(t.nodes))
	var copyOf func(e, parent *entry) *entry
	copyOf = func(e, parent *entry) *entry {
		all = append(all, entry{Node: e.Node, parent: parent})
		n := &all[len(all)-1]
		c.nodes[n.Path] = n
		var last *entry
		for ch := e.child; ch != nil; ch = ch.next {
			k := copyOf(ch, n)
			if k.prev = last; last == nil {
				n.child = k
			} else {
				last.next = k
			}
			last = k
		}
		return n
	}
	copyOf(t.nodes["."], nil)
	for file, links := range t.names {
		if len(links) == 0 {
			continue
		}
		mine := make([]*entry, len(links))
		for i, l := range links {
			mine[i] = c.nodes[l.Path]
		}
		c.names[c.nodes[file.Path]] = mine
	}
	return c
}

// Restore makes the tree what backup, a Clone of it, is.
func (t *Tree) Restore(backup *Tree) { *t = *backup }
