// Package apk is everything that is true of Alpine's package format (apk v2)
// only: its repositories, versions, relations, archive and database.
package apk

// Format is the apk format.
type Format struct{}

// Name is "apk".
func (Format) Name() string { return "apk" }
