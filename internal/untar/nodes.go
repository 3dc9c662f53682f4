package untar

import (
	"io"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/rootfs"
)

// Rules are what a package format adds to those of every file tree.
type Rules struct {
	// Reserved names a path that a package may not bring, unless as a
	// directory, and says why; "" means that it may.
	Reserved func(path string) string
}

// Files reads all entries of r as the files of the named package, and appends
// their contents to pack. notices tells what was left out.
func Files(r *Reader, owner string, rules Rules, pack rootfs.Pack) (nodes []rootfs.Node, notices []string, err error) {
	t := tree{owner: owner, rules: rules, kinds: map[string]rootfs.Type{".": rootfs.Dir}, dirs: map[string]int{}}
	for {
		h, err := r.Next()
		if err == io.EOF {
			return t.nodes, t.notices, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if err := t.add(h, r, pack); err != nil {
			return nil, nil, entryError(h, err)
		}
	}
}

// A tree is the package's own part of the image as far as it was read.
type tree struct {
	owner   string
	rules   Rules
	nodes   []rootfs.Node
	kinds   map[string]rootfs.Type // by path; directories that only their content names are there too
	dirs    map[string]int         // directories that were read: index in nodes
	notices []string
	parent  string // known to be a directory
}

func (t *tree) add(h *Header, content *Reader, pack rootfs.Pack) error {
	path, err := Clean(h.Name, h.Type == '5')
	if err != nil {
		return err
	}
	n := rootfs.Node{Path: path, Package: t.owner, Mode: h.Mode, UID: h.UID, GID: h.GID, MTime: max(h.MTime, 0)}
	if err := t.describe(&n, h); err != nil {
		return err
	}
	known, err := t.place(&n)
	if err != nil || known {
		return err
	}
	if n.Type == rootfs.Regular {
		if n.Content, err = pack.Append(content); err != nil {
			return err
		}
		if n.Content.Size != h.Size {
			return errShort(n.Content, h)
		}
	}
	t.nodes = append(t.nodes, n)
	return nil
}

func errShort(ref cas.Ref, h *Header) error {
	return fault.New(fault.FormatInvalid, "the archive is cut short: %d of %d bytes", ref.Size, h.Size)
}

// describe sets n's type and what belongs to it.
func (t *tree) describe(n *rootfs.Node, h *Header) (err error) {
	switch h.Type {
	case '0':
		n.Type, n.SHA1 = rootfs.Regular, h.SHA1
	case '5':
		n.Type = rootfs.Dir
	case '2':
		n.Type, n.Mode, n.Link = rootfs.Symlink, 0o777, h.Link
		err = checkTarget(h.Link)
	case '1':
		*n = rootfs.Node{Path: n.Path, Package: n.Package, Type: rootfs.Hardlink}
		if n.Link, err = Clean(h.Link, false); err != nil {
			return fault.New(fault.Of(err), "hard link to %q: %w", h.Link, err)
		}
		if t.kinds[n.Link] != rootfs.Regular {
			err = fault.New(fault.UnsafeEntry, "hard link to %q: no earlier file of the package", h.Link)
		}
		return err
	case '3', '4':
		return fault.New(fault.UnsafeEntry, "a device (%d,%d): packages bring none", h.Major, h.Minor)
	case '6':
		return fault.New(fault.UnsafeEntry, "a FIFO: packages bring none")
	}
	if err != nil {
		return err
	}
	n.Xattrs, err = t.xattrs(h)
	return err
}

// place enters n among what was read. It reports whether n is a directory
// that repeats an earlier one, with equal metadata.
func (t *tree) place(n *rootfs.Node) (known bool, err error) {
	if n.Type != rootfs.Dir {
		if why := t.reserved(n.Path); why != "" {
			return false, fault.New(fault.UnsafeEntry, "%s", why)
		}
	}
	if err := t.enter(n.Path); err != nil {
		return false, err
	}
	if was, there := t.kinds[n.Path]; there && (was != rootfs.Dir || n.Type != rootfs.Dir) {
		return false, fault.New(fault.UnsafeEntry, "the package has it twice: first as %s, then as %s", kindName(was), kindName(n.Type))
	}
	t.kinds[n.Path] = n.Type
	if n.Type != rootfs.Dir {
		return false, nil
	}
	if first, there := t.dirs[n.Path]; there {
		return true, sameDir(&t.nodes[first], n)
	}
	t.dirs[n.Path] = len(t.nodes)
	return false, nil
}

func (t *tree) reserved(path string) string {
	if t.rules.Reserved == nil {
		return ""
	}
	return t.rules.Reserved(path)
}

// enter makes sure that the folder which holds path is a directory of the
// package, or one that the package leaves to others.
func (t *tree) enter(path string) error {
	parent := dir(path)
	if parent == t.parent {
		return nil
	}
	for p := parent; ; p = dir(p) {
		switch k, there := t.kinds[p]; {
		case there && k != rootfs.Dir:
			return fault.New(fault.UnsafeEntry, "%q is %s of the package, not a directory", p, kindName(k))
		case !there:
			t.kinds[p] = rootfs.Dir
			continue
		}
		t.parent = parent
		return nil
	}
}

// dir is the folder that holds the clean path.
func dir(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

func sameDir(first, n *rootfs.Node) error {
	same := slices.EqualFunc(first.Xattrs, n.Xattrs, func(a, b rootfs.Xattr) bool {
		return a.Name == b.Name && string(a.Value) == string(b.Value)
	})
	if !same || first.Mode != n.Mode || first.UID != n.UID || first.GID != n.GID {
		return fault.New(fault.UnsafeEntry, "the package has the directory twice: as %04o %d:%d and as %04o %d:%d",
			first.Mode, first.UID, first.GID, n.Mode, n.UID, n.GID)
	}
	return nil
}

// xattrs keeps the attributes that mean something in an image, refuses those
// that would act on the layer as such, and leaves out the rest.
func (t *tree) xattrs(h *Header) (kept []rootfs.Xattr, err error) {
	for _, x := range h.Xattrs {
		switch {
		case strings.HasPrefix(x.Name, "trusted."), strings.HasPrefix(x.Name, "user.overlay."):
			return nil, fault.New(fault.UnsafeEntry, "attribute %q would act on the file system that holds the image", x.Name)
		case x.Name == "security.capability", strings.HasPrefix(x.Name, "user."):
			kept = append(kept, rootfs.Xattr{Name: x.Name, Value: []byte(x.Value)})
		default:
			t.notices = append(t.notices, quote(h.Name)+": attribute "+quote(x.Name)+" left out")
		}
	}
	slices.SortFunc(kept, func(a, b rootfs.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return kept, nil
}

func kindName(k rootfs.Type) string {
	switch k {
	case rootfs.Regular:
		return "a file"
	case rootfs.Dir:
		return "a directory"
	case rootfs.Symlink:
		return "a symbolic link"
	case rootfs.Hardlink:
		return "a hard link"
	}
	return "a special file"
}
