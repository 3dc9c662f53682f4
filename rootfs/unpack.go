package rootfs

import (
	"bytes"
	"strings"

	"compose/internal/fault"
)

// Unpacking goes package by package, in the order of names, and does not
// depend on it but where two packages have the same right to something; then
// the first name wins.
//
// Directories are shared. Those of the layout keep the layout's mode and
// owner, as dpkg lets a directory be that is there already: some packages
// bring /usr with whatever umask they were built under. Of the others, one
// that several packages bring has the mode and owner of the first that asks
// for something else than 0755 and 0:0: most packages bring a directory only
// on the way to their files, and the one to which it means something says so.
//
// A directory that another package, or the layout, has as a symbolic link is
// written through, inside the tree: so /lib/x of one package lands in /usr/lib
// beside the files of the others. Such links are laid before everything else,
// whatever the names of the packages are. Below a link of its own a package
// may bring nothing (threats.md A-03).

// unpack lays the files of all packages.
func (a *assembly) unpack() error {
	if err := a.layLinks(); err != nil {
		return err
	}
	for _, p := range a.Packages {
		u := unpacking{assembly: a, pkg: p}
		for i := range p.Nodes {
			if n := &p.Nodes[i]; !a.laid[n] {
				if err := u.place(n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// layLinks lays the symbolic links that another package has as a directory.
func (a *assembly) layLinks() error {
	links := map[string][]string{} // path -> packages that have it as a symbolic link
	for _, p := range a.Packages {
		for i := range p.Nodes {
			if p.Nodes[i].Type == Symlink {
				links[p.Nodes[i].Path] = append(links[p.Nodes[i].Path], p.Name)
			}
		}
	}
	used := a.usedAsDirectory(links)
	for _, p := range a.Packages {
		u := unpacking{assembly: a, pkg: p}
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Type == Symlink && used[n.Path] {
				a.laid[n] = true
				if err := u.place(n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// usedAsDirectory is which of the links stand where another package has a
// directory, or something below.
func (a *assembly) usedAsDirectory(links map[string][]string) map[string]bool {
	used := map[string]bool{}
	for _, p := range a.Packages {
		last := "."
		for i := range p.Nodes {
			dir := p.Nodes[i].Path
			if p.Nodes[i].Type != Dir {
				dir, _ = split(dir)
			}
			if dir == last {
				continue
			}
			for last = dir; dir != "."; dir, _ = split(dir) {
				for _, owner := range links[dir] {
					used[dir] = used[dir] || owner != p.Name
				}
			}
		}
	}
	return used
}

// An unpacking is the laying of one package's files.
type unpacking struct {
	*assembly
	pkg   *Package
	dir   string            // a directory as the package spells it,
	at    *entry            // and where it is
	moved map[string]string // path of a file that another package's took the place of -> the first of its names that is left
}

// refuse is a refusal of n.
func (u *unpacking) refuse(id fault.ID, n *Node, format string, args ...any) error {
	return fault.New(id, "package %s: %q: %w", u.pkg.Name, n.Path, fault.New(id, format, args...))
}

// place lays one node.
func (u *unpacking) place(n *Node) error {
	if err := checkPath(n.Path, n.Type); err != nil {
		return u.refuse(fault.Of(err), n, "%v", err)
	}
	dir, base := split(n.Path)
	parent, err := u.parent(dir)
	if err != nil {
		return u.refuse(fault.UnsafeEntry, n, "%v", err)
	}
	path := n.Path
	if parent.Path != dir {
		path = join(parent.Path, base)
	}
	if err := u.admit(n, path); err != nil {
		return err
	}
	old := u.tree.nodes[path]
	switch {
	case n.Type == Dir && old == nil:
		u.tree.insert(parent, Node{Path: path, Type: Dir, Mode: n.Mode, UID: n.UID, GID: n.GID, Xattrs: n.Xattrs, Package: u.pkg.Name})
		return nil
	case n.Type == Dir:
		return u.share(n, old)
	case old == nil:
		return u.lay(n, parent, path)
	}
	return u.contest(n, old, parent, path)
}

// parent is where the directory dir of the package is; it is made if nobody
// has brought it.
func (u *unpacking) parent(dir string) (*entry, error) {
	if u.at != nil && u.dir == dir {
		return u.at, nil
	}
	e, err := u.tree.directory(dir, &steps{
		make: &Node{Type: Dir, Mode: 0o755, Origin: "parent"},
		deny: u.pkg.Name,
	})
	if err != nil {
		return nil, err
	}
	u.dir, u.at = dir, e
	return e, nil
}

// admit refuses what a package may not bring unless the manifest allows it.
func (u *unpacking) admit(n *Node, path string) error {
	switch n.Type {
	case Char, Block, Fifo:
		if !u.allowed["/"+path] {
			return u.refuse(fault.UnsafeEntry, n, "a device or FIFO, which policy.allow does not name")
		}
	}
	if isKernel(path) && n.Type != Dir && !u.allowed[u.pkg.Name] {
		return u.refuse(fault.UnsafeKernel, n, "part of a kernel, which no image needs; if this one does, name %s in policy.allow", u.pkg.Name)
	}
	return nil
}

// isKernel knows the files of a kernel by their places (hier(7), depmod(8)).
func isKernel(path string) bool {
	for _, prefix := range []string{"boot/vmlinuz", "boot/vmlinux", "boot/initrd", "lib/modules/", "usr/lib/modules/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// share lays a directory where something is.
func (u *unpacking) share(n *Node, old *entry) error {
	if old.Type == Symlink {
		if old.Package == u.pkg.Name {
			return u.refuse(fault.UnsafeEntry, n, "a directory, and a symbolic link in the same package")
		}
		// The link stays, and so do mode and owner of where it leads: dpkg
		// and apk do the same with an installed link.
		if _, err := u.parent(n.Path); err != nil {
			return u.refuse(fault.UnsafeEntry, n, "a directory, where %s leads nowhere: %v", occupant(old), err)
		}
		return nil
	}
	if old.Type != Dir {
		return u.refuse(fault.UnsafeEntry, n, "a directory, but there is %s", occupant(old))
	}
	if old.Package == u.pkg.Name && !sameMeta(n, &old.Node) && !u.fixed[old.Path] {
		return u.refuse(fault.UnsafeEntry, n, "a directory twice in the package, with different mode or owner")
	}
	if old.parent == nil {
		return nil // the root is nobody's
	}
	if old.Package == "" || plain755(&old.Node) && !plain755(n) && !u.fixed[old.Path] {
		if !u.fixed[old.Path] {
			old.Mode, old.UID, old.GID, old.Xattrs = n.Mode, n.UID, n.GID, n.Xattrs
		}
		old.Package, old.Origin = u.pkg.Name, ""
	}
	return nil
}

// plain755 reports whether a directory is like those that a package brings on
// the way to its files.
func plain755(n *Node) bool {
	return n.Mode == 0o755 && n.UID == 0 && n.GID == 0 && len(n.Xattrs) == 0
}

// contest lays anything but a directory where something is.
func (u *unpacking) contest(n *Node, old *entry, parent *entry, path string) error {
	switch {
	case old.Type == Dir && (old.Package != "" || old.child != nil):
		return u.refuse(fault.UnsafeEntry, n, "not a directory, but there is %s", occupant(old))
	case old.Package == u.pkg.Name:
		return u.refuse(fault.UnsafeEntry, n, "twice in the package")
	case old.Package == "": // of the layout, or nothing but a way
		u.at = nil
		u.tree.drop(old)
		return u.lay(n, parent, path)
	case u.identical(n, &u.tree.file(old).Node):
		u.stays(n, path)
		return nil
	}
	other := u.byName[old.Package]
	switch u.conv.Prefer(other, u.pkg) {
	case u.pkg:
		u.tree.drop(old)
		return u.lay(n, parent, path)
	case other:
		u.stays(n, path)
		return nil
	}
	return fault.New(fault.Conflict, "/%s is in both %s and %s, and neither may replace the other's files", path, other.Name, u.pkg.Name)
}

// stays remembers that another package's file stands in n's place.
func (u *unpacking) stays(n *Node, path string) {
	if u.moved == nil {
		u.moved = map[string]string{}
	}
	u.moved[path] = ""
}

// identical reports whether n and an old node are the same but for their
// package and time. A hard link counts as its file.
func (u *unpacking) identical(n, old *Node) bool {
	if n.Type == Hardlink {
		if n = u.original(n.Link); n == nil {
			return false
		}
	}
	return n.Type == old.Type && sameMeta(n, old) && n.Link == old.Link &&
		n.Content.Digest == old.Content.Digest && n.Major == old.Major && n.Minor == old.Minor
}

// sameMeta reports whether a and b have the same mode, owner and attributes.
func sameMeta(a, b *Node) bool {
	if a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || len(a.Xattrs) != len(b.Xattrs) {
		return false
	}
	for i := range a.Xattrs {
		if a.Xattrs[i].Name != b.Xattrs[i].Name || !bytes.Equal(a.Xattrs[i].Value, b.Xattrs[i].Value) {
			return false
		}
	}
	return true
}

// lay puts anything but a directory in a place that is free.
func (u *unpacking) lay(n *Node, parent *entry, path string) error {
	e := *n
	e.Path, e.Package, e.Origin = path, u.pkg.Name, ""
	if e.Type == Hardlink {
		if err := u.link(&e, n); err != nil {
			return err
		}
	}
	e.MTime = u.clamp(e.MTime)
	u.tree.insert(parent, e)
	return nil
}

// link finds the file that the hard link n, about to be laid as e, is a name
// of. If another package's file has taken that one's place, e becomes the
// file itself.
func (u *unpacking) link(e, n *Node) error {
	target := u.tree.Real(n.Link)
	first, gone := u.moved[target]
	if gone && first == "" {
		file := u.original(n.Link)
		if file == nil {
			return u.refuse(fault.UnsafeEntry, n, "a hard link to %q, which is no earlier file of the package", n.Link)
		}
		u.moved[target] = e.Path
		path := e.Path
		*e = *file
		e.Path, e.Package = path, u.pkg.Name
		return nil
	}
	if gone {
		target = first
	}
	file := u.tree.nodes[target]
	if file != nil {
		file = u.tree.file(file)
	}
	if file == nil || file.Type != Regular || file.Package != u.pkg.Name {
		return u.refuse(fault.UnsafeEntry, n, "a hard link to %q, which is no earlier file of the package", n.Link)
	}
	*e = Node{Path: e.Path, Type: Hardlink, Link: file.Path, Package: e.Package}
	return nil
}

// original is the regular file of that name in the package, also if it did
// not make it into the tree.
func (u *unpacking) original(path string) *Node {
	for i := range u.pkg.Nodes {
		if n := &u.pkg.Nodes[i]; n.Type == Regular && n.Path == path {
			return n
		}
	}
	return nil
}

// occupant says what e is and whose, for messages.
func occupant(e *entry) string {
	kind := "a special file"
	switch e.Type {
	case Dir:
		kind = "a directory"
	case Symlink:
		kind = "a symbolic link to " + e.Link
	case Regular, Hardlink:
		kind = "a file"
	}
	switch {
	case e.Package != "":
		return kind + " of " + e.Package
	case e.Origin != "":
		return kind + " (" + e.Origin + ")"
	}
	return kind
}
