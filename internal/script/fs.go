package script

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"compose/rootfs"
)

// An FS is the tree as a process sees it that has the tree as its root: paths
// are absolute, links are followed as path_resolution(7) says, and a missing
// parent is an error. What is written stays in memory until the script has
// succeeded. Its methods may be called from both ends of a pipe.
type FS struct {
	mu       sync.Mutex
	tree     *rootfs.Tree
	contents rootfs.Contents
	epoch    int64
	origin   string       // Origin of the nodes that the script makes
	backup   *rootfs.Tree // the tree before the first change; nil: there was none
	changes  int
	left     int64 // bytes that may still be written
}

// errBudget ends a script that writes too much.
var errBudget = errors.New("writes more than it may")

// key is a path as the tree spells it.
func key(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

func fail(op, p string, err error) error { return &fs.PathError{Op: op, Path: p, Err: err} }

// Stat is the node at p, links followed. The node is the tree's own: it must
// not be changed.
func (f *FS) Stat(p string) (*rootfs.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stat(p)
}

func (f *FS) stat(p string) (*rootfs.Node, error) {
	if n := f.tree.Lookup(key(p)); n != nil && f.sound(p, n) {
		return n, nil
	}
	return nil, fail("stat", p, fs.ErrNotExist)
}

// sound reports whether a path that ends in a slash names a directory.
func (f *FS) sound(p string, n *rootfs.Node) bool {
	return !strings.HasSuffix(p, "/") || n.Type == rootfs.Dir
}

// Lstat is the node at p; a link at its end is not followed.
func (f *FS) Lstat(p string) (*rootfs.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lstat(p)
}

func (f *FS) lstat(p string) (*rootfs.Node, error) {
	if strings.HasSuffix(p, "/") && key(p) != "." {
		return f.stat(p)
	}
	if key(p) == "." {
		return f.tree.Get("."), nil
	}
	if real := f.tree.Real(key(p)); real != "" {
		if n := f.tree.Get(real); n != nil {
			return n, nil
		}
	}
	return nil, fail("lstat", p, fs.ErrNotExist)
}

// ReadFile gives what the file at p holds, links followed.
func (f *FS) ReadFile(p string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.stat(p)
	if err != nil {
		return nil, fail("open", p, fs.ErrNotExist)
	}
	return f.read(p, n)
}

func (f *FS) read(p string, n *rootfs.Node) ([]byte, error) {
	switch {
	case n.Type == rootfs.Dir:
		return nil, fail("read", p, errors.New("is a directory"))
	case n.Type != rootfs.Regular:
		return nil, nil // a device: /dev/null
	}
	data, err := rootfs.Read(f.contents, n.Content)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", n.Path, err)
	}
	return data, nil
}

// WriteFile makes the file at p hold data. A file that is there keeps its
// mode and owner; a new one has the mode. Links are followed.
func (f *FS) WriteFile(p string, data []byte, mode uint16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write(p, data, mode)
}

func (f *FS) write(p string, data []byte, mode uint16) error {
	if f.left -= int64(len(data)); f.left < 0 {
		return errBudget
	}
	at, err := f.destination(p)
	if err != nil {
		return err
	}
	n := rootfs.Node{Path: at, Type: rootfs.Regular, Mode: mode & 0o7777}
	if old := f.tree.Get(at); old != nil {
		switch old.Type {
		case rootfs.Dir:
			return fail("open", p, errors.New("is a directory"))
		case rootfs.Regular:
			n.Mode, n.UID, n.GID, n.Xattrs = old.Mode, old.UID, old.GID, old.Xattrs
		case rootfs.Hardlink:
			return f.write("/"+old.Link, data, mode)
		default:
			return nil // written to a device
		}
		ref, err := f.contents.Put(bytes.NewReader(data))
		if err != nil {
			return err
		}
		if old.Content.Digest == ref.Digest {
			return nil // nothing changes, not even who brought it
		}
		n.Content = ref
		return f.replace(n)
	}
	ref, err := f.contents.Put(bytes.NewReader(data))
	if err != nil {
		return err
	}
	n.Content = ref
	return f.add("open", p, n)
}

// destination is the real path that a write to p goes to: that of the file
// that p leads to, or where a new one would stand.
func (f *FS) destination(p string) (string, error) {
	for range 40 {
		real := f.tree.Real(key(p))
		if real == "" {
			return "", fail("open", p, fs.ErrNotExist)
		}
		n := f.tree.Get(real)
		if n == nil {
			dir := f.tree.Get(parent(real))
			if dir == nil || dir.Type != rootfs.Dir {
				return "", fail("open", p, fs.ErrNotExist)
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
	return "", fail("open", p, errors.New("too many levels of symbolic links"))
}

func parent(real string) string {
	if i := strings.LastIndexByte(real, '/'); i >= 0 {
		return real[:i]
	}
	return "."
}

// add puts a new node where its parent is a directory.
func (f *FS) add(op, p string, n rootfs.Node) error {
	if n.Path == "" || f.tree.Get(parent(n.Path)) == nil {
		return fail(op, p, fs.ErrNotExist)
	}
	n.MTime, n.Origin, n.Package = f.epoch, f.origin, ""
	f.changing()
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
	f.changing()
	if err := f.tree.Set(n); err != nil {
		return fail("open", "/"+n.Path, err)
	}
	return nil
}

// Mkdir makes a directory whose parent is there.
func (f *FS) Mkdir(p string, mode uint16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.lstat(strings.TrimRight(p, "/")); err == nil {
		return fail("mkdir", p, fs.ErrExist)
	}
	return f.add("mkdir", p, rootfs.Node{Path: f.tree.Real(key(p)), Type: rootfs.Dir, Mode: mode & 0o7777})
}

// Symlink makes a symbolic link at p.
func (f *FS) Symlink(target, p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.lstat(p); err == nil {
		return fail("symlink", p, fs.ErrExist)
	}
	return f.add("symlink", p, rootfs.Node{Path: f.tree.Real(key(p)), Type: rootfs.Symlink, Mode: 0o777, Link: target})
}

// Link makes p a further name of the file at old.
func (f *FS) Link(old, p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lstat(old)
	if err != nil {
		return err
	}
	if n.Type != rootfs.Regular && n.Type != rootfs.Hardlink {
		return fail("link", old, errors.New("operation not permitted"))
	}
	if _, err := f.lstat(p); err == nil {
		return fail("link", p, fs.ErrExist)
	}
	return f.add("link", p, rootfs.Node{Path: f.tree.Real(key(p)), Type: rootfs.Hardlink, Link: n.Path})
}

// Readlink is the target of the link at p, verbatim.
func (f *FS) Readlink(p string) (string, error) {
	n, err := f.Lstat(p)
	if err == nil && n.Type != rootfs.Symlink {
		err = fail("readlink", p, errors.New("invalid argument"))
	}
	if err != nil {
		return "", err
	}
	return n.Link, nil
}

// ReadDir gives the names in the directory at p, in byte order.
func (f *FS) ReadDir(p string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.stat(p)
	if err != nil {
		return nil, fail("open", p, fs.ErrNotExist)
	}
	if n.Type != rootfs.Dir {
		return nil, fail("readdir", p, errors.New("not a directory"))
	}
	return f.tree.Names(n.Path), nil
}

// Remove takes away what stands at p: a file, a link, or an empty directory.
func (f *FS) Remove(p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lstat(p)
	if err != nil {
		return err
	}
	if n.Type == rootfs.Dir && len(f.tree.Names(n.Path)) > 0 {
		return fail("remove", p, errors.New("directory not empty"))
	}
	return f.remove(p, n)
}

// RemoveAll takes away what stands at p and all below it; nothing there is
// no error.
func (f *FS) RemoveAll(p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lstat(p)
	if err != nil {
		return nil
	}
	return f.remove(p, n)
}

func (f *FS) remove(p string, n *rootfs.Node) error {
	if n.Path == "." {
		return fail("remove", p, errors.New("is the root directory"))
	}
	f.changing()
	f.tree.Remove(n.Path)
	return nil
}

// Rename moves what stands at old to p, in place of a file or an empty
// directory that is there (rename(2)).
func (f *FS) Rename(old, p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lstat(old)
	if err != nil {
		return err
	}
	to := f.tree.Real(key(p))
	if to == "" {
		return fail("rename", p, fs.ErrNotExist)
	}
	if to == n.Path {
		return nil
	}
	if there := f.tree.Get(to); there != nil && there.Type == rootfs.Dir && len(f.tree.Names(to)) > 0 {
		return fail("rename", p, errors.New("directory not empty"))
	}
	if strings.HasPrefix(to+"/", n.Path+"/") || n.Path == "." {
		return fail("rename", p, errors.New("invalid argument"))
	}
	f.changing()
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
	f.mu.Lock()
	defer f.mu.Unlock()
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

// changing is called before every change to the tree.
func (f *FS) changing() {
	if f.backup == nil {
		f.backup = f.tree.Clone()
	}
	f.changes++
}

// A stream is an open file. What is written to it is in the tree at once.
type stream struct {
	fs    *FS
	path  string
	mode  uint16
	read  *bytes.Reader // open for reading
	wrote []byte        // before this, for a stream that does not append
	end   bool          // writes go to the end of the file
}

func (s *stream) Read(p []byte) (int, error) {
	if s.read == nil {
		return 0, io.EOF
	}
	return s.read.Read(p)
}

func (s *stream) Write(p []byte) (int, error) {
	s.fs.mu.Lock()
	defer s.fs.mu.Unlock()
	if s.end {
		n, err := s.fs.stat(s.path)
		if err != nil {
			return 0, err
		}
		if s.wrote, err = s.fs.read(s.path, n); err != nil {
			return 0, err
		}
	}
	s.wrote = append(s.wrote[:len(s.wrote):len(s.wrote)], p...)
	if err := s.fs.write(s.path, s.wrote, s.mode); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *stream) Close() error { return nil }
