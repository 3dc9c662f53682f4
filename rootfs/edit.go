package rootfs

import (
	"fmt"
	"io/fs"
	"maps"
	"reflect"
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
	t.note(n.Path)
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
	if to == old {
		return nil
	}
	if there := t.nodes[to]; there != nil {
		for up := e.parent; up != nil; up = up.parent {
			if up == there {
				return fmt.Errorf("/%s to /%s: onto what holds it", old, to)
			}
		}
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
	t.note(e.Path)
	t.note(path)
	delete(t.nodes, e.Path)
	e.Path = path
	t.nodes[path] = e
	for _, link := range t.names[e] {
		t.note(link.Path)
		link.Link = path
	}
	for c := e.child; c != nil; c = c.next {
		_, base := split(c.Path)
		t.move(c, join(path, base))
	}
}

// An Undo remembers what a tree was like when Mark was called, wherever it
// has changed since.
type Undo struct {
	tree *Tree
	old  map[string]*Node // nil: there was nothing
}

// Mark begins to remember changes, until Keep or Restore of what it gives is
// called. There is one mark at a time: a second takes the place of the first.
func (t *Tree) Mark() *Undo {
	t.undo = &Undo{tree: t, old: map[string]*Node{}}
	return t.undo
}

// note is called before the node at path changes.
func (t *Tree) note(path string) {
	if t.undo == nil {
		return
	}
	if _, ok := t.undo.old[path]; ok {
		return
	}
	var old *Node
	if e := t.nodes[path]; e != nil {
		n := e.Node
		old = &n
	}
	t.undo.old[path] = old
}

// noteNames is note for all names of the file e.
func (t *Tree) noteNames(e *entry) {
	if t.undo == nil {
		return
	}
	t.note(e.Path)
	for _, name := range t.names[e] {
		t.note(name.Path)
	}
}

// Changed gives the paths that are not what they were, sorted.
func (u *Undo) Changed() []string {
	var paths []string
	for path, old := range u.old {
		now := u.tree.Get(path)
		if (old == nil) != (now == nil) || old != nil && !reflect.DeepEqual(*old, *now) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Keep ends the remembering.
func (u *Undo) Keep() { u.tree.undo = nil }

// Restore makes the tree what it was, and ends the remembering.
func (u *Undo) Restore() {
	t := u.tree
	t.undo = nil
	paths := slices.Sorted(maps.Keys(u.old))
	for _, path := range slices.Backward(paths) { // children before parents
		now, old := t.nodes[path], u.old[path]
		if now != nil && (old == nil || old.Type != now.Type || old.Type == Hardlink) {
			t.drop(now)
		}
	}
	var links []*Node
	for _, path := range paths {
		old := u.old[path]
		switch now := t.nodes[path]; {
		case old == nil:
		case now != nil && old.Type == now.Type:
			now.Node = *old
		case old.Type == Hardlink:
			links = append(links, old)
		default:
			t.restore(old)
		}
	}
	for _, n := range links {
		t.restore(n)
	}
}

// restore puts back a node whose parent is there.
func (t *Tree) restore(n *Node) {
	dir, _ := split(n.Path)
	t.insert(t.nodes[dir], *n)
}
