// Package expand decompresses the parts of a package file within a budget.
//
// It is stricter than the decoders it uses: one stream or frame and nothing
// behind it, no skippable frames, a dictionary of at most 128 MiB, and an
// error, never an early end, where the budget runs out.
package expand

import (
	"errors"
	"io"

	"compose/internal/fault"
	"compose/internal/xz"

	"github.com/klauspost/compress/gzip"
)

// A Kind is a compression, named by the suffix of a file's name: "", "gz",
// "xz" or "zst".
type Kind string

// The compressions that packages use.
const (
	None Kind = ""
	Gzip Kind = "gz"
	XZ   Kind = "xz"
	Zstd Kind = "zst"
)

var errTrailing = errors.New("data after the end of the stream")

// NewReader expands all of r, charging the result to budget. Its errors are
// faults. Close frees the decoder, and does not close r.
func NewReader(kind Kind, r io.Reader, budget *Budget) (io.ReadCloser, error) {
	z, err := open(kind, r)
	if err != nil {
		return nil, reason(err)
	}
	return &reader{z: z, budget: budget}, nil
}

func open(kind Kind, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case None:
		return io.NopCloser(r), nil
	case Gzip:
		return newGzip(r)
	case XZ:
		return xz.NewReader(r)
	case Zstd:
		return newZstd(r)
	}
	return nil, fault.New(fault.FormatInvalid, "compression %q: none, gz, xz and zst are known", string(kind))
}

// reader charges what it reads to the budget and words errors.
type reader struct {
	z      io.ReadCloser
	budget *Budget
	err    error
}

func (r *reader) Read(p []byte) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err = r.z.Read(p)
	r.err = reason(err)
	if over := r.budget.take(n); over != nil {
		n, r.err = 0, over
	}
	return n, r.err
}

func (r *reader) Close() error { return r.z.Close() }

// reason makes a fault of a decoder's error.
func reason(err error) error {
	switch {
	case err == nil, err == io.EOF, fault.Of(err) != "":
		return err
	case errors.Is(err, errTrailing), errors.Is(err, xz.ErrTrailing):
		return fault.New(fault.FormatTrailing, "%w", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.FormatInvalid, "the compressed stream is cut short: %w", err)
	}
	return fault.New(fault.FormatInvalid, "compressed stream: %w", err)
}

// A gzipReader reads one gzip member and requires that nothing follows.
type gzipReader struct {
	*gzip.Reader
	src byteReader
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

func newGzip(r io.Reader) (io.ReadCloser, error) {
	src := buffered(r)
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, notEmpty(err)
	}
	z.Multistream(false)
	return &gzipReader{z, src}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if err != io.EOF {
		return n, err
	}
	switch _, more := g.src.ReadByte(); more {
	case io.EOF:
		return n, io.EOF
	case nil:
		return n, errTrailing
	default:
		return n, more
	}
}

// notEmpty turns the end of an empty input into an error: an empty stream
// says nothing, not even that there is nothing (threats.md Z-06).
func notEmpty(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
