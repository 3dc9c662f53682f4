// Package deb is everything that is true of Debian's package format only:
// its repositories, versions, relations, archive and database.
package deb

// Format is the deb format.
type Format struct{}

// Name is "deb".
func (Format) Name() string { return "deb" }
