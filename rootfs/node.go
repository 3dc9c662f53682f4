// Package rootfs makes the one file tree that a choice of packages and a
// manifest describe, and writes it as a tar stream.
//
// The tree is metadata in memory; content stays in the store. Nothing of the
// host's file system is read or written, so its links, modes, owners and
// order cannot matter. What must not vary between two builds is not in the
// types.
package rootfs

import (
	"compose/internal/cas"
)

// A Type is a kind of file.
type Type byte

// The kinds, named by the letter that ls -l prints.
const (
	Regular Type = '-'
	Dir     Type = 'd'
	Symlink Type = 'l'
	// Hardlink is a further name of an earlier regular file of the same
	// package; Node.Link is that file's path. It has no metadata of its own.
	Hardlink Type = 'h'
	Char     Type = 'c'
	Block    Type = 'b'
	Fifo     Type = 'p'
)

// A Node is one name in the tree.
type Node struct {
	Path    string // clean, relative to the root, with slashes: usr/bin/env; "." is the root
	Type    Type
	Mode    uint16  // the twelve bits of chmod(2); 0777 for symbolic links
	UID     int     // 0 to 2^31-1
	GID     int     //
	MTime   int64   // seconds since 1970; meaningful for Regular and Symlink alone
	Content cas.Ref // Regular
	SHA1    []byte  // Regular: SHA-1 of the content where an apk states it (pax record APK-TOOLS.checksum.SHA1); nil otherwise
	Link    string  // Symlink: target, verbatim; Hardlink: path of the file
	Xattrs  []Xattr // sorted by name; security.capability and user.* only
	Major   uint32  // Char, Block
	Minor   uint32
	Package string // name of the package that brought it; "" otherwise
	Origin  string // where it came from if no package brought it: "layout", "parent", "accounts", "files: image.yaml:12:5", "package-database"
}

// An Xattr is an extended attribute.
type Xattr struct {
	Name  string
	Value []byte
}

// A Package is an opened package file, verified and parsed: what its format
// knows of it, in the format-neutral form.
type Package struct {
	Name, Version, Arch string
	Source              string            // source package or origin
	SourceVersion       string            //
	Licence             string            // as the package states it; "" where it does not
	Maintainer          string            //
	Homepage            string            //
	Description         string            // first line
	BuildTime           int64             // seconds since 1970
	Size                int64             // of the package file, in bytes
	InstalledSize       int64             // in bytes
	Checksum            []byte            // apk: SHA-1 of the compressed control segment, 20 bytes
	Wanted              bool              // the manifest names it; not a property of the file: whoever knows the lock sets it
	Control             map[string][]byte // members of the control part by name: control, md5sums, postinst; .PKGINFO, .post-install
	Scripts             []string          // names in Control of what would run on installation or at a trigger, sorted
	Configured          bool              // all of Scripts have had their effect; like Wanted, not a property of the file
	Replaces            []Replace         // packages whose files it may take over
	Priority            int               // apk replaces_priority
	Nodes               []Node            // in the order of the archive; Package is set
	Notices             []string          // what was odd about the file and yet accepted, for a report
}

// A Replace is a declared right to overwrite the files of a package. Name is
// a package's name; Op and Version are as in resolve.Atom, "" for any.
type Replace struct {
	Name, Op, Version string
}
