package rootfs

import (
	"bytes"
	"io"

	"compose/internal/cas"
)

// A Pack takes the contents of a package's files, one behind the other.
// cas.PackWriter is one.
type Pack interface {
	Append(r io.Reader) (cas.Ref, error)
}

// Contents are the bytes of files: those that packages brought, and new ones.
// A cas.Store is one.
type Contents interface {
	Put(r io.Reader) (cas.Ref, error)
	Open(ref cas.Ref) (io.ReadCloser, error)
}

// Conventions are what a distribution expects of its file tree; a package
// format satisfies them.
type Conventions interface {
	// Layout gives what a tree must have before any package is unpacked, for
	// the given packages: the links of a merged /usr, base directories. A
	// package's own node at the same path wins.
	Layout(arch string, pkgs []*Package) []Node

	// Prefer is the package, a or b, whose file stands where both bring one
	// of that path; nil if neither has a right to it.
	Prefer(a, b *Package) *Package

	// Accounts gives the account files to start from. The tree has all files
	// of packages; epoch is the image's, in seconds since 1970.
	Accounts(t *Tree, c Contents, epoch int64) (*Accounts, error)

	// Database gives the package database of the finished tree, which holds
	// pkgs: kind is full, scanners or none; auto has been decided by
	// AutoDatabase.
	Database(t *Tree, pkgs []*Package, kind string, c Contents) ([]Node, error)

	// AutoDatabase is the kind that "auto" stands for.
	AutoDatabase(pkgs []*Package) string
}

// Accounts are the files of user accounts, as text. They are not read where
// the tree has the file already.
type Accounts struct {
	Passwd, Group, Shadow, Gshadow []byte // nil: the distribution has no such file
	// Locked is what follows name and colon in shadow, for an account that
	// nobody can log in to: "!:20000:0:99999:7:::".
	Locked string
}

// Read gives all bytes of ref.
func Read(c Contents, ref cas.Ref) (_ []byte, err error) {
	r, err := c.Open(ref)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	var b bytes.Buffer
	b.Grow(int(ref.Size) + bytes.MinRead)
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}
