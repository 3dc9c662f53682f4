package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"compose/internal/fault"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux
// (path_resolution(7)).
const maxLinks = 40

// errAbove stops a walk whose caller does not let it follow a link.
var errAbove = errors.New("below a symbolic link of its own package")

// steps say what a walk may do on its way.
type steps struct {
	make *Node  // missing directories are created like this one; nil: they are not
	deny string // links of this package are not followed
}

// walk goes from the root along path, as the kernel would: links are
// followed, inside the tree, and an absolute target begins at the tree's
// root. It gives where it arrives, which may be any kind of node but a
// symbolic link.
func (t *Tree) walk(path string, s *steps) (*entry, error) {
	if e := t.nodes[path]; e != nil && e.Type != Symlink {
		return e, nil // all its parents are directories
	}
	at, hops := t.nodes["."], 0
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == "" || name == "." {
			continue
		}
		if at.Type != Dir {
			return nil, fmt.Errorf("/%s is no directory", at.Path)
		}
		if name == ".." {
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		next := t.nodes[join(at.Path, name)]
		switch {
		case next == nil && (s == nil || s.make == nil):
			return nil, fmt.Errorf("/%s: %w", join(at.Path, name), fs.ErrNotExist)
		case next == nil:
			n := *s.make
			n.Path = join(at.Path, name)
			at = t.insert(at, n)
		case next.Type != Symlink:
			at = next
		case s != nil && s.deny != "" && next.Package == s.deny:
			return nil, fmt.Errorf("%w, /%s", errAbove, next.Path)
		default:
			if hops++; hops > maxLinks {
				return nil, fmt.Errorf("/%s: more than %d symbolic links", path, maxLinks)
			}
			if strings.HasPrefix(next.Link, "/") {
				at = t.nodes["."]
			}
			rest = next.Link + "/" + rest
		}
	}
	return at, nil
}

// directory is walk to a directory.
func (t *Tree) directory(path string, s *steps) (*entry, error) {
	e, err := t.walk(path, s)
	if err == nil && e.Type != Dir {
		return nil, fmt.Errorf("/%s is no directory", e.Path)
	}
	return e, err
}

// Add puts n into the tree, where Real says. Parents that are missing are
// created, of mode 0755 and owner 0:0, with n's Origin. A directory gives its
// mode and owner to one that is there, also behind a symbolic link; anything
// else takes the place of what is there, unless that is a directory which
// holds something.
func (t *Tree) Add(n Node) error {
	if err := checkPath(n.Path, n.Type); err != nil {
		return err
	}
	dir, base := split(n.Path)
	parent, err := t.directory(dir, &steps{make: &Node{Type: Dir, Mode: 0o755, Origin: n.Origin}})
	if err != nil {
		return err
	}
	if n.Path != "." {
		n.Path = join(parent.Path, base)
	}
	old := t.nodes[n.Path]
	if n.Type == Dir && old != nil {
		if old, err = t.directory(n.Path, nil); err != nil {
			return err
		}
		n.Path = old.Path
		t.note(n.Path)
		old.Node = n
		return nil
	}
	if n.Type == Hardlink {
		if n.Link, err = t.linkTarget(n.Link); err != nil {
			return err
		}
	}
	if old != nil && old.child != nil {
		return fmt.Errorf("/%s is a directory, and not empty", n.Path)
	}
	if n.Type == Hardlink && n.Link == n.Path {
		return nil // it is a name of that file already
	}
	if old != nil {
		t.drop(old)
	}
	t.insert(parent, n)
	return nil
}

// linkTarget is the path of the regular file that path names.
func (t *Tree) linkTarget(path string) (string, error) {
	e := t.nodes[t.Real(path)]
	if e == nil {
		return "", fmt.Errorf("/%s: %w", path, fs.ErrNotExist)
	}
	if e = t.file(e); e.Type != Regular {
		return "", fmt.Errorf("/%s is no regular file", e.Path)
	}
	return e.Path, nil
}

// Remove takes out what stands at path, where Real says, with all below it,
// and reports whether there was anything. The root cannot be removed. If a
// file goes that has further names, the next of them becomes the file.
func (t *Tree) Remove(path string) bool {
	e := t.nodes[t.Real(path)]
	if e == nil || e.parent == nil {
		return false
	}
	t.drop(e)
	return true
}

// insert puts n into the directory parent. Its path must be free, and what
// it is a hard link to must be a regular file.
func (t *Tree) insert(parent *entry, n Node) *entry {
	t.note(n.Path)
	e := &entry{Node: n, parent: parent, next: parent.child}
	if e.next != nil {
		e.next.prev = e
	}
	parent.child = e
	t.nodes[n.Path] = e
	t.order = nil
	if n.Type == Hardlink {
		file := t.nodes[n.Link]
		t.names[file] = append(t.names[file], e)
	}
	return e
}

// drop takes e out, and all below it.
func (t *Tree) drop(e *entry) {
	for e.child != nil {
		t.drop(e.child)
	}
	t.noteNames(e)
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		e.parent.child = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	delete(t.nodes, e.Path)
	e.parent = nil
	switch e.Type {
	case Regular:
		t.promote(e)
	case Hardlink:
		t.unlink(e)
	}
}

// unlink forgets that e is a name of its file.
func (t *Tree) unlink(e *entry) {
	file := t.nodes[e.Link]
	names := t.names[file]
	for i := range names {
		if names[i] == e {
			t.names[file] = append(names[:i], names[i+1:]...)
			return
		}
	}
}

// promote makes the first of the names of a file that is gone the file.
func (t *Tree) promote(gone *entry) {
	names := t.names[gone]
	if len(names) == 0 {
		return
	}
	delete(t.names, gone)
	first := 0
	for i, e := range names {
		if e.Path < names[first].Path {
			first = i
		}
	}
	file := names[first]
	path := file.Path
	file.Node = gone.Node
	file.Path = path
	for i, e := range names {
		if i != first {
			e.Link = path
			t.names[file] = append(t.names[file], e)
		}
	}
}

// checkPath refuses a path that is not clean, and a name that means something
// else in a layer (OCI image specification, "Whiteouts").
func checkPath(path string, typ Type) error {
	if path == "." && typ == Dir {
		return nil
	}
	if path == "." || !fs.ValidPath(path) && !validBytes(path) {
		return fault.New(fault.UnsafeEntry, "%q: not a clean path below the root", path)
	}
	if _, base := split(path); strings.HasPrefix(base, ".wh.") {
		return fault.New(fault.UnsafeWhiteout, "%q: the name of a whiteout, which deletes other files when a layer is applied", path)
	}
	return nil
}

// validBytes is fs.ValidPath for names that are no UTF-8.
func validBytes(path string) bool {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return false
		}
	}
	return true
}

// split cuts a clean path into its directory and its last name.
func split(path string) (dir, base string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return ".", path
}

// join is the path of name in dir.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
