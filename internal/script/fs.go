package script

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"compose/rootfs"
)

// An FS is the tree as a process sees it that has the tree as its root: paths
// are absolute, links are followed as path_resolution(7) says, and a missing
// parent is an error. What is written stays in memory until the script has
// succeeded.
type FS struct {
	tree     *rootfs.Tree
	contents *scratch
	epoch    int64
	origin   string          // Origin of the nodes that the script makes
	spend    func(int) error // takes bytes off the budget
	dirty    []*stream       // open files with something to write
}

// key is a path as the tree spells it; a path below what is not there, where
// it leads through ".." from what is not there.
func (f *FS) key(p string) string {
	if i := lastDotDot(p); i > 0 {
		n := f.tree.Lookup(p[:i])
		if n == nil || n.Type != rootfs.Dir {
			return "\x00/\x00"
		}
		p = n.Path + "/" + p[i:]
	}
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// lastDotDot is the index behind the last ".." of p, 0 if there is none.
func lastDotDot(p string) int {
	for i := len(p); i >= 2; i-- {
		if p[i-2:i] == ".." && (i == len(p) || p[i] == '/') && (i == 2 || p[i-3] == '/') {
			return i
		}
	}
	return 0
}

func fail(op, p string, err error) error { return &fs.PathError{Op: op, Path: p, Err: err} }

// Stat is the node at p, links followed. The node is the tree's own: it must
// not be changed.
func (f *FS) Stat(p string) (*rootfs.Node, error) {
	if err := f.flush(); err != nil {
		return nil, err
	}
	return f.stat(p)
}

func (f *FS) stat(p string) (*rootfs.Node, error) {
	if n := f.tree.Lookup(f.key(p)); n != nil && f.sound(p, n) {
		return n, nil
	}
	return nil, fail("stat", p, syscall.ENOENT)
}

// sound reports whether a path that ends in a slash names a directory.
func (f *FS) sound(p string, n *rootfs.Node) bool {
	return !strings.HasSuffix(p, "/") || n.Type == rootfs.Dir
}

// Lstat is the node at p; a link at its end is not followed.
func (f *FS) Lstat(p string) (*rootfs.Node, error) {
	if err := f.flush(); err != nil {
		return nil, err
	}
	return f.lstat(p)
}

func (f *FS) lstat(p string) (*rootfs.Node, error) {
	if strings.HasSuffix(p, "/") && f.key(p) != "." {
		return f.stat(p)
	}
	if f.key(p) == "." {
		return f.tree.Get("."), nil
	}
	if real := f.tree.Real(f.key(p)); real != "" {
		if n := f.tree.Get(real); n != nil {
			return n, nil
		}
	}
	return nil, fail("lstat", p, syscall.ENOENT)
}

// ReadFile gives what the file at p holds, links followed.
func (f *FS) ReadFile(p string) ([]byte, error) {
	n, err := f.Stat(p)
	if err != nil {
		return nil, err
	}
	return f.read(p, n)
}

func (f *FS) read(p string, n *rootfs.Node) ([]byte, error) {
	switch {
	case n.Type == rootfs.Dir:
		return nil, fail("read", p, syscall.EISDIR)
	case n.Type != rootfs.Regular:
		return nil, nil // a device: /dev/null
	}
	data, err := f.contents.read(n.Content)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", n.Path, err)
	}
	return data, nil
}

// WriteFile makes the file at p hold data. A file that is there keeps its
// mode and owner; a new one has the mode. Links are followed.
func (f *FS) WriteFile(p string, data []byte, mode uint16) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.write(p, data, mode)
}

func (f *FS) write(p string, data []byte, mode uint16) error {
	if err := f.spend(len(data)); err != nil {
		return err
	}
	at, err := f.destination(p)
	if err != nil {
		return err
	}
	old := f.tree.Get(at)
	if old != nil && old.Type == rootfs.Hardlink {
		old = f.tree.Get(old.Link)
	}
	switch {
	case old == nil:
		return f.add("open", p, rootfs.Node{Path: at, Type: rootfs.Regular, Mode: mode & 0o7777, Content: f.contents.put(data)})
	case old.Type == rootfs.Dir:
		return fail("open", p, syscall.EISDIR)
	case old.Type != rootfs.Regular:
		return nil // written to a device
	}
	n := *old
	if n.Content = f.contents.put(data); n.Content.Digest == old.Content.Digest {
		return nil // nothing changes, not even who brought it
	}
	n.SHA1 = nil
	return f.replace(n)
}

// destination is the real path that a write to p goes to: that of the file
// that p leads to, or where a new one would stand.
func (f *FS) destination(p string) (string, error) {
	for range 40 {
		real := f.tree.Real(f.key(p))
		if real == "" {
			return "", fail("open", p, syscall.ENOENT)
		}
		n := f.tree.Get(real)
		if n == nil {
			dir := f.tree.Get(parent(real))
			if dir == nil || dir.Type != rootfs.Dir {
				return "", fail("open", p, syscall.ENOENT)
			}
			return real, nil
		}
		if n.Type != rootfs.Symlink {
			return real, nil
		}
		if p = n.Link; !strings.HasPrefix(p, "/") {
			p = "/" + parent(real) + "/" + p
		}
	}
	return "", fail("open", p, syscall.ELOOP)
}

func parent(real string) string {
	if i := strings.LastIndexByte(real, '/'); i >= 0 {
		return real[:i]
	}
	return "."
}

// add puts a new node where its parent is a directory. It has the group of
// a directory that is set-group-id, as in Linux.
func (f *FS) add(op, p string, n rootfs.Node) error {
	dir := f.tree.Get(parent(n.Path))
	if n.Path == "" || dir == nil {
		return fail(op, p, syscall.ENOENT)
	}
	if dir.Mode&0o2000 != 0 {
		n.GID = dir.GID
		if n.Type == rootfs.Dir {
			n.Mode |= 0o2000
		}
	}
	n.MTime, n.Origin, n.Package = f.epoch, f.origin, ""
	if err := f.tree.Add(n); err != nil {
		return fail(op, p, err)
	}
	return nil
}

// replace gives the node at n.Path new metadata or content; who brought it
// stays, unless the content is new.
func (f *FS) replace(n rootfs.Node) error {
	old := f.tree.Get(n.Path)
	n.MTime, n.Origin, n.Package = old.MTime, old.Origin, old.Package
	if n.Content.Digest != old.Content.Digest {
		n.MTime, n.Origin = f.epoch, f.origin
	}
	return f.set(n)
}

func (f *FS) set(n rootfs.Node) error {
	if err := f.tree.Set(n); err != nil {
		return fail("open", "/"+n.Path, err)
	}
	return nil
}

// Mkdir makes a directory whose parent is there.
func (f *FS) Mkdir(p string, mode uint16) error {
	if err := f.flush(); err != nil {
		return err
	}
	if _, err := f.lstat(strings.TrimRight(p, "/")); err == nil {
		return fail("mkdir", p, syscall.EEXIST)
	}
	return f.add("mkdir", p, rootfs.Node{Path: f.tree.Real(f.key(p)), Type: rootfs.Dir, Mode: mode & 0o7777})
}

// Symlink makes a symbolic link at p.
func (f *FS) Symlink(target, p string) error {
	if err := f.flush(); err != nil {
		return err
	}
	if _, err := f.lstat(p); err == nil {
		return fail("symlink", p, syscall.EEXIST)
	}
	return f.add("symlink", p, rootfs.Node{Path: f.tree.Real(f.key(p)), Type: rootfs.Symlink, Mode: 0o777, Link: target})
}

// Link makes p a further name of the file at old.
func (f *FS) Link(old, p string) error {
	if err := f.flush(); err != nil {
		return err
	}
	n, err := f.lstat(old)
	if err != nil {
		return err
	}
	if n.Type != rootfs.Regular && n.Type != rootfs.Hardlink {
		return fail("link", old, syscall.EPERM)
	}
	if _, err := f.lstat(p); err == nil {
		return fail("link", p, syscall.EEXIST)
	}
	return f.add("link", p, rootfs.Node{Path: f.tree.Real(f.key(p)), Type: rootfs.Hardlink, Link: n.Path})
}

// Readlink is the target of the link at p, verbatim.
func (f *FS) Readlink(p string) (string, error) {
	n, err := f.Lstat(p)
	if err == nil && n.Type != rootfs.Symlink {
		err = fail("readlink", p, syscall.EINVAL)
	}
	if err != nil {
		return "", err
	}
	return n.Link, nil
}

// ReadDir gives the names in the directory at p, in byte order.
func (f *FS) ReadDir(p string) ([]string, error) {
	n, err := f.Stat(p)
	if err != nil {
		return nil, err
	}
	if n.Type != rootfs.Dir {
		return nil, fail("readdir", p, syscall.ENOTDIR)
	}
	return f.tree.Names(n.Path), nil
}

// Remove takes away what stands at p: a file, a link, or an empty directory.
func (f *FS) Remove(p string) error {
	if err := f.flush(); err != nil {
		return err
	}
	n, err := f.lstat(p)
	if err != nil {
		return err
	}
	if n.Type == rootfs.Dir && len(f.tree.Names(n.Path)) > 0 {
		return fail("remove", p, syscall.ENOTEMPTY)
	}
	return f.remove(p, n)
}

// RemoveAll takes away what stands at p and all below it; nothing there is
// no error.
func (f *FS) RemoveAll(p string) error {
	if err := f.flush(); err != nil {
		return err
	}
	n, err := f.lstat(p)
	if err != nil {
		return nil
	}
	return f.remove(p, n)
}

func (f *FS) remove(p string, n *rootfs.Node) error {
	if n.Path == "." {
		return fail("remove", p, syscall.EBUSY)
	}
	f.tree.Remove(n.Path)
	return nil
}

// Rename moves what stands at old to p, in place of a file or an empty
// directory that is there (rename(2)).
func (f *FS) Rename(old, p string) error {
	if err := f.flush(); err != nil {
		return err
	}
	n, err := f.lstat(old)
	if err != nil {
		return err
	}
	to := f.tree.Real(f.key(p))
	if to == "" {
		return fail("rename", p, syscall.ENOENT)
	}
	if to == n.Path {
		return nil
	}
	if there := f.tree.Get(to); there != nil && there.Type == rootfs.Dir && len(f.tree.Names(to)) > 0 {
		return fail("rename", p, syscall.ENOTEMPTY)
	}
	if strings.HasPrefix(to+"/", n.Path+"/") || n.Path == "." {
		return fail("rename", p, syscall.EINVAL)
	}
	if err := f.tree.Rename(n.Path, to); err != nil {
		return fail("rename", p, err)
	}
	return nil
}

// Chmod sets the mode of what p leads to.
func (f *FS) Chmod(p string, mode uint16) error {
	return f.edit(p, true, func(n *rootfs.Node) { n.Mode = mode & 0o7777 })
}

// Chown sets the owner of what p leads to, or of the link itself; an id below
// zero stays. As the kernel does, it takes the set-id bits off a file.
func (f *FS) Chown(p string, uid, gid int, follow bool) error {
	return f.edit(p, follow, func(n *rootfs.Node) {
		if uid >= 0 {
			n.UID = uid
		}
		if gid >= 0 {
			n.GID = gid
		}
		if n.Type == rootfs.Regular {
			n.Mode &^= 0o4000
			if n.Mode&0o010 != 0 {
				n.Mode &^= 0o2000
			}
		}
	})
}

// SetXattr sets or, with a nil value, removes an extended attribute.
func (f *FS) SetXattr(p, name string, value []byte) error {
	return f.edit(p, true, func(n *rootfs.Node) {
		var kept []rootfs.Xattr
		for _, x := range n.Xattrs {
			if x.Name < name {
				kept = append(kept, x)
			}
		}
		if value != nil {
			kept = append(kept, rootfs.Xattr{Name: name, Value: value})
		}
		for _, x := range n.Xattrs {
			if x.Name > name {
				kept = append(kept, x)
			}
		}
		n.Xattrs = kept
	})
}

// edit changes the metadata of one node.
func (f *FS) edit(p string, follow bool, change func(*rootfs.Node)) error {
	if err := f.flush(); err != nil {
		return err
	}
	find := f.lstat
	if follow {
		find = f.stat
	}
	n, err := find(p)
	if err != nil {
		return err
	}
	if n.Type == rootfs.Hardlink {
		n = f.tree.Get(n.Link)
	}
	changed := *n
	change(&changed)
	if n.Type == rootfs.Symlink {
		changed.Mode = 0o777
	}
	if changed.Mode == n.Mode && changed.UID == n.UID && changed.GID == n.GID && len(changed.Xattrs) == len(n.Xattrs) && sameXattrs(changed.Xattrs, n.Xattrs) {
		return nil
	}
	return f.replace(changed)
}

func sameXattrs(a, b []rootfs.Xattr) bool {
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

// Copy makes the file at p hold what n, a regular file of this tree, holds. As
// WriteFile, it keeps the mode and owner of a file that is there.
func (f *FS) Copy(n *rootfs.Node, p string, mode uint16) error {
	at, err := f.destination(p)
	if err != nil {
		return err
	}
	old := f.tree.Get(at)
	if old != nil && old.Type == rootfs.Hardlink {
		old = f.tree.Get(old.Link)
	}
	switch {
	case old == nil:
		return f.add("open", p, rootfs.Node{Path: at, Type: rootfs.Regular, Mode: mode & 0o7777, Content: n.Content})
	case old.Type == rootfs.Dir:
		return fail("open", p, syscall.EISDIR)
	case old.Type != rootfs.Regular || old.Content.Digest == n.Content.Digest:
		return nil
	}
	changed := *old
	changed.Content, changed.SHA1 = n.Content, nil
	return f.replace(changed)
}

// SetTime sets the modification time of the file at p, in seconds since 1970.
func (f *FS) SetTime(p string, t int64) error {
	n, err := f.Stat(p)
	if err != nil {
		return err
	}
	if n.Type != rootfs.Regular || n.MTime == t {
		return nil // no other time is in the layer
	}
	changed := *n
	changed.MTime = t
	return f.set(changed)
}

// Real is the path, without links, that p leads to; its last name need not be
// there.
func (f *FS) Real(p string) (string, error) {
	if err := f.flush(); err != nil {
		return "", err
	}
	at, err := f.destination(p)
	if err != nil {
		return "", err
	}
	return "/" + strings.TrimPrefix(at, "."), nil
}

// A stream is a file of the tree that is open: what a redirection gives.
// What is written is in the tree before anybody looks at it.
type stream struct {
	fs      *FS
	path    string
	mode    uint16 // of a new file
	offset  int    // where the next byte is read or written
	end     bool   // writes go to the end of the file
	pending []byte // written, but not in the tree
}

// Read reads on from the offset.
func (s *stream) Read(p []byte) (int, error) {
	data, err := s.fs.ReadFile(s.path)
	if err != nil {
		return 0, err
	}
	if s.offset >= len(data) {
		return 0, io.EOF
	}
	n := copy(p, data[s.offset:])
	s.offset += n
	return n, nil
}

func (s *stream) Write(p []byte) (int, error) {
	if err := s.fs.spend(len(p)); err != nil {
		return 0, err
	}
	if len(s.pending) == 0 {
		s.fs.dirty = append(s.fs.dirty, s)
	}
	s.pending = append(s.pending, p...)
	return len(p), nil
}

// flush puts what is pending into the tree.
func (f *FS) flush() error {
	for len(f.dirty) > 0 {
		s := f.dirty[0]
		f.dirty = f.dirty[1:]
		if err := s.flush(); err != nil {
			return err
		}
	}
	f.dirty = nil
	return nil
}

func (s *stream) flush() error {
	pending := s.pending
	s.pending = nil
	n, err := s.fs.stat(s.path)
	if err != nil {
		return nil // it was removed while it was open
	}
	data, err := s.fs.read(s.path, n)
	if err != nil {
		return err
	}
	at := s.offset
	if s.end {
		at = len(data)
	}
	if gap := at - len(data); gap > 0 {
		data = append(data, make([]byte, gap)...)
	}
	s.offset = at + len(pending)
	joined := append(data[:at:at], pending...)
	if s.offset < len(data) {
		joined = append(joined, data[s.offset:]...)
	}
	return s.fs.write(s.path, joined, s.mode)
}
