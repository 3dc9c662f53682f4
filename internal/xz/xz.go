// Package xz decodes one .xz stream as it arrives, within a fixed amount of
// memory (https://tukaani.org/xz/xz-file-format.txt).
//
// It knows LZMA2 alone: no archive of a package format uses the filters for
// machine code. It checks everything that the format lets it check, and
// accepts one stream with nothing behind it.
package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"hash/fnv"
	"io"
	"sync"
)

// ErrTrailing says that something follows the stream: padding, a second
// stream, or bytes that are neither.
var ErrTrailing = errors.New("data after the end of the xz stream")

const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	headerSize  = 12 // of the header and of the footer of a stream
)

// NewReader decodes the stream that r begins with. Reading to the end checks
// that nothing follows it. Close does not close r; it may be left out, but
// then later streams may be decoded by fewer cores.
func NewReader(r io.Reader) (io.ReadCloser, error) {
	z := &reader{r: bufio.NewReaderSize(r, 64<<10), index: records{hash: fnv.New64a()}}
	if err := z.streamHeader(); err != nil {
		return nil, short(err)
	}
	return z, nil
}

// decoders keeps the tables and windows of decoders that are done.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// A reader reads one stream, block by block. A block is decoded as it is
// read, or whole and ahead of the reader by another goroutine.
type reader struct {
	r     *bufio.Reader
	flags [2]byte // of the stream
	index records // of the blocks that were read
	ready []byte  // decoded, not yet read
	err   error

	block *block   // that is decoded as it is read; or nil
	d     *decoder // of it

	next  *block  // whose header has been read, and no more; or nil
	last  error   // why there is no next block: errIndex, or a mistake
	queue []*slot // blocks that are decoded ahead, in order
	slot  *slot   // that holds ready; or nil
}

// errIndex says that the index stands where a block might.
var errIndex = errors.New("xz: index")

func (z *reader) Read(p []byte) (int, error) {
	for len(z.ready) == 0 && z.err == nil && len(p) > 0 {
		if z.err = z.more(); z.err != nil {
			z.Close()
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, z.err
}

// more decodes something, or finds the end, which is io.EOF.
func (z *reader) more() error {
	if z.block != nil {
		return z.stream()
	}
	z.release()
	z.ahead()
	switch {
	case len(z.queue) > 0:
		return z.take()
	case z.last == errIndex:
		return z.end()
	case z.last != nil:
		return z.last
	}
	z.block, z.next = z.next, nil
	z.d = decoders.Get().(*decoder)
	z.d.begin(z.block.dict, z.block.expanded)
	return nil
}

// stream decodes more of the block, and ends it where it ends.
func (z *reader) stream() error {
	switch err := z.block.step(z.d, z.r); err {
	case nil:
		z.ready = z.d.buf[z.d.read:z.d.o]
		return nil
	case io.EOF:
		z.index.add(z.block)
		decoders.Put(z.d)
		z.block, z.d = nil, nil
		return nil
	default:
		return err
	}
}

// Close frees what the reader holds.
func (z *reader) Close() error {
	if z.err == nil {
		z.err = errors.New("xz: read after Close")
	}
	if z.d != nil {
		decoders.Put(z.d)
	}
	z.ready, z.block, z.d = nil, nil, nil
	z.release()
	for _, s := range z.queue {
		<-s.done
		slots() <- s
	}
	z.queue = nil
	return nil
}

// streamHeader reads the header of the stream: a magic word, the kind of
// check, a checksum.
func (z *reader) streamHeader() error {
	var h [headerSize]byte
	if _, err := io.ReadFull(z.r, h[:]); err != nil {
		return err
	}
	if string(h[:6]) != headerMagic {
		return fmt.Errorf("xz: begins with %q, which is no xz stream", h[:6])
	}
	if crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errors.New("xz: the checksum of the stream's header differs")
	}
	z.flags = [2]byte(h[6:8])
	if _, ok := newCheck(z.flags); !ok {
		return fmt.Errorf("xz: stream flags %x: CRC32, CRC64, SHA-256 and no check are known", z.flags)
	}
	return nil
}

var crc64Table = crc64.MakeTable(crc64.ECMA)

// newCheck is the check of each block's content; nil where there is none.
func newCheck(flags [2]byte) (hash.Hash, bool) {
	switch {
	case flags == [2]byte{0, 0}:
		return nil, true
	case flags == [2]byte{0, 1}:
		return crc32.NewIEEE(), true
	case flags == [2]byte{0, 4}:
		return crc64.New(crc64Table), true
	case flags == [2]byte{0, 10}:
		return sha256.New(), true
	}
	return nil, false
}

// blockHeader reads the header of a block. Where the index begins it answers
// errIndex.
func (z *reader) blockHeader() (*block, error) {
	size, err := z.r.ReadByte()
	if err != nil {
		return nil, short(err)
	}
	if size == 0 {
		return nil, errIndex
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if _, err := io.ReadFull(z.r, h[1:]); err != nil {
		return nil, short(err)
	}
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return nil, errors.New("xz: the checksum of a block's header differs")
	}
	b := &block{header: int64(len(h)), packed: -1, expanded: -1}
	b.check, _ = newCheck(z.flags)
	b.reversed = z.flags[1] < 10 // CRCs are stored with their last byte first
	return b, b.parse(bytes.NewReader(body[1:]))
}

// zeros reads n bytes of padding.
func zeros(r io.ByteReader, n int64) error {
	for range n {
		if c, err := r.ReadByte(); err != nil {
			return short(err)
		} else if c != 0 {
			return errors.New("xz: padding is not zero")
		}
	}
	return nil
}

// vli reads a number of at most 63 bits, seven of them in a byte, the lowest
// first, in as few bytes as there can be.
func vli(r io.ByteReader) (int64, error) {
	var n int64
	for shift := 0; shift < 63; shift += 7 {
		c, err := r.ReadByte()
		if err != nil {
			return 0, short(err)
		}
		n |= int64(c&0x7f) << shift
		if c < 0x80 {
			if c == 0 && shift > 0 {
				break
			}
			return n, nil
		}
	}
	return 0, errors.New("xz: malformed number")
}
