package sign

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"compose/internal/cas"
	"compose/internal/fault"
)

// An archive is a layout in a tar file: its regular files, by name. They are
// read where they stand.
type archive struct {
	name string
	file interface {
		io.ReadSeeker
		io.ReaderAt
		io.Closer
	}
	members map[string]member
	order   []*tar.Header
}

type member struct {
	header *tar.Header
	data   *io.SectionReader
}

// maxMembers is far above the number of blobs of any image.
const maxMembers = 100_000

func (a *archive) open() error {
	f, err := os.Open(a.name)
	if err != nil {
		return fault.New(fault.Usage, "image: %w", err)
	}
	a.file, a.members, a.order = f, map[string]member{}, nil
	if err := a.read(); err != nil {
		return errors.Join(fault.New(fault.FormatInvalid, "%s: %w", a.name, err), f.Close())
	}
	return nil
}

// read takes in the headers of the file.
func (a *archive) read() error {
	t := tar.NewReader(a.file)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(a.order) == maxMembers {
			return fmt.Errorf("more than %d members", maxMembers)
		}
		a.order = append(a.order, h)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := memberName(h)
		if _, ok := a.members[name]; ok {
			return fmt.Errorf("%q stands twice", name)
		}
		at, err := a.file.Seek(0, io.SeekCurrent) // the reader takes whole blocks, no more
		if err != nil {
			return err
		}
		a.members[name] = member{h, io.NewSectionReader(a.file, at, h.Size)}
	}
}

func memberName(h *tar.Header) string {
	return strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
}

// Open implements fs.FS for regular files.
func (a *archive) Open(name string) (fs.File, error) {
	m, ok := a.members[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memberFile{io.NewSectionReader(m.data, 0, m.header.Size), m.header}, nil
}

type memberFile struct {
	*io.SectionReader
	header *tar.Header
}

func (f *memberFile) Stat() (fs.FileInfo, error) { return f.header.FileInfo(), nil }
func (f *memberFile) Close() error               { return nil }

// Close closes the file.
func (a *archive) Close() error { return a.file.Close() }

// apply writes the file anew, and reads it again.
func (a *archive) apply(c *change) error {
	out, err := renameio.NewPendingFile(a.name, renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer out.Cleanup()
	if err := a.rewrite(out, c); err != nil {
		return err
	}
	if err := errors.Join(out.CloseAtomicallyReplace(), a.file.Close()); err != nil {
		return err
	}
	return a.open()
}

// rewrite copies the archive to w with c: another index.json, without some
// blobs, and with new ones at the end.
func (a *archive) rewrite(w io.Writer, c *change) error {
	t := tar.NewWriter(w)
	put := func(h tar.Header, r io.Reader) error {
		if err := t.WriteHeader(&h); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	}
	for _, h := range a.order {
		name := memberName(h)
		digest, _ := cas.ParseDigest(strings.TrimPrefix(name, blobDir))
		var data io.Reader = bytes.NewReader(nil)
		out := *h
		switch m, ok := a.members[name]; {
		case c.drop[digest]:
			continue
		case name == "index.json":
			out.Size, data = int64(len(c.index)), bytes.NewReader(c.index)
		case ok:
			data = io.NewSectionReader(m.data, 0, h.Size)
		}
		if err := put(out, data); err != nil {
			return err
		}
	}
	like := a.members["index.json"].header
	for _, d := range slices.SortedFunc(maps.Keys(c.add), func(a, b cas.Digest) int { return bytes.Compare(a[:], b[:]) }) {
		if _, ok := a.members[blobDir+d.Hex()]; ok {
			continue
		}
		h := *like
		h.Name, h.Size = blobDir+d.Hex(), int64(len(c.add[d]))
		if err := put(h, bytes.NewReader(c.add[d])); err != nil {
			return err
		}
	}
	return t.Close()
}
