package rootfs

import (
	"io"

	"compose/internal/cas"
)

// A Pack takes the contents of a package's files, one behind the other.
// cas.PackWriter is one.
type Pack interface {
	Append(r io.Reader) (cas.Ref, error)
}

// Conventions are what a distribution expects of its file tree; a package
// format satisfies them.
type Conventions interface {
	// Layout gives what a tree must have before any package is unpacked, for
	// the given packages: the links of a merged /usr, base directories. A
	// package's own node at the same path wins.
	Layout(arch string, pkgs []*Package) []Node

	// Accounts gives the text of passwd, group, shadow and gshadow to start
	// from where no package brings etc/passwd; nil where the tree has them.
	Accounts(t *Tree, pkgs []*Package) (*Accounts, error)

	// Database gives the package database: kind is full, scanners or none;
	// auto has been decided by AutoDatabase.
	Database(t *Tree, pkgs []*Package, kind string, put func([]byte) (cas.Ref, error)) ([]Node, error)

	// AutoDatabase is the kind that "auto" stands for.
	AutoDatabase(pkgs []*Package) string
}

// Accounts are the files of user accounts, as text.
type Accounts struct {
	Passwd, Group, Shadow, Gshadow []byte // nil: the distribution has no such file
}
