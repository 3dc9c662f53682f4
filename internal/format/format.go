// Package format lists the package formats that compose knows.
//
// A format is one folder that answers every question about its kind of
// package: index, signatures, versions, archive, database. To add one, write
// that folder, add a line to the table, and run the conformance suite in
// formattest over it.
package format

import (
	"context"
	"io"
	"time"

	"compose/internal/format/apk"
	"compose/internal/format/deb"
	"compose/internal/script"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// A Format is all that compose asks of a kind of package.
type Format interface {
	// Name is "apk" or "deb".
	Name() string

	// Arch is the format's name for a platform: x86_64 or amd64 for
	// linux/amd64. An unknown platform is an error.
	Arch(manifest.Platform) (string, error)

	// Expand turns a short form into its long forms (debian: trixie has two,
	// the archive and the security archive) and fills in the defaults of a
	// long form. Names of the results are unique and stable: they stand in
	// the lock and name the mirror ("debian", "debian-security", "alpine").
	Expand(manifest.Repository) ([]resolve.Source, error)

	// Index reads and verifies the package lists of src for arch, each file
	// through get, and gives what is in them. now is the time to believe in
	// when expiry is judged. memo, which may be nil, keeps what was read of an
	// index for the next time that its digest is promised.
	Index(ctx context.Context, src resolve.Source, arch string, keys []resolve.Key, get resolve.Get, memo resolve.Memo, now time.Time) ([]resolve.Package, []resolve.IndexFile, error)

	// Want parses one line of packages:.
	Want(text string) (resolve.Want, error)

	// Syntax orders versions and explains relations.
	resolve.Syntax

	// Elidable is the list behind "elide: helpers".
	Elidable() []string

	// Open parses the package file that r gives, of p.Size bytes, and
	// appends the contents of its files to pack. What the file says of
	// itself must agree with want, and its hashes with check.
	Open(r io.Reader, want resolve.Locked, check resolve.Check, pack rootfs.Pack) (*rootfs.Package, error)

	// Tree is what the format knows of file trees.
	rootfs.Conventions

	// Scripts gives the calls of maintainer scripts by which the format's own
	// program would install pkgs, which are unpacked in t, for the first time,
	// in their order. That of pkgs does not matter.
	Scripts(t *rootfs.Tree, pkgs []*rootfs.Package) []*script.Script

	// PURL is the package URL of p (github.com/package-url/purl-spec);
	// distro is ID-VERSION_ID of the image's os-release, or "".
	PURL(p resolve.Locked, distro string) string
}

var formats = []Format{apk.Format{}, deb.Format{}}

// Lookup finds a format by its name.
func Lookup(name string) (Format, bool) {
	for _, f := range formats {
		if f.Name() == name {
			return f, true
		}
	}
	return nil, false
}
