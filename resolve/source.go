package resolve

import (
	"context"

	"compose/internal/cas"
)

// A Source is one repository, in the form in which it is read: every default
// filled in, every short form expanded.
type Source struct {
	Name       string   // unique within an image; "debian", "debian-security", "alpine-main", or derived from the URL
	Mirror     string   // the archive whose mirrors serve it: debian, debian-security, alpine; "": only URL does
	Kind       string   // deb or apk
	URL        string   // without credentials; no slash at the end
	Pin        string   // serves only atoms with this pin
	Suites     []string // deb
	Components []string // deb
	Releases   []string // codenames or releases that Keys must be good for; none: any
	Builtin    bool     // the keys embedded in compose may sign it, for Releases
	Insecure   bool     // trusted: insecure
	AsOf       string   // RFC 3339: the day of a snapshot, at which expiry is judged; or ""
	Ref        int      // index into manifest.Image.Repositories
}

// A Key is one file of a keyring that the manifest names, as bytes.
type Key struct {
	Name string // file name: an apk key's name is what a signature refers to
	Data []byte
}

// Get reads one file of a repository, by its path relative to the
// repository's URL. promise is what signed metadata says of it; its zero value
// says nothing, and the file is then limited to 64 MiB. A file that is not
// there is fs.ErrNotExist. The bytes have been checked against promise.
type Get func(ctx context.Context, path string, promise Promise) ([]byte, error)

// A Memo keeps entries that are a pure function of what their key names. A
// cas.Store is one.
type Memo interface {
	Derived(kind string, key cas.Digest) ([]byte, bool)
	PutDerived(kind string, key cas.Digest, data []byte) error
}

// A Promise is what signed metadata says of a file.
type Promise struct {
	Size   int64      // in bytes; 0: unknown
	SHA256 cas.Digest // zero: unknown
}
