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

// MaxDict is the largest dictionary that a stream may ask for, in bytes.
const MaxDict = 128 << 20

// ErrTrailing says that something follows the stream: padding, a second
// stream, or bytes that are neither.
var ErrTrailing = errors.New("data after the end of the xz stream")

const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	headerSize  = 12 // of the header and of the footer of a stream
)

// NewReader decodes the stream that r begins with. Reading to the end checks
// that nothing follows it.
func NewReader(r io.Reader) (io.Reader, error) {
	z := &reader{r: bufio.NewReaderSize(r, 64<<10), index: records{hash: fnv.New64a()}}
	if err := z.streamHeader(); err != nil {
		return nil, short(err)
	}
	return z, nil
}

// decoders keeps the tables and windows of decoders that are done.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// A reader reads one stream.
type reader struct {
	r     *bufio.Reader
	flags [2]byte // of the stream
	check hash.Hash
	block block
	d     *decoder // while a block is read
	index records  // of the blocks that were read
	err   error
}

// A block is what is known of the block that is being read.
type block struct {
	header           int64 // size of the header, in bytes
	packed, expanded int64 // as the header says; -1: it does not
	in, out          int64 // bytes read of it, bytes given
}

func (z *reader) Read(p []byte) (int, error) {
	for z.err == nil {
		if z.d == nil {
			if z.err = z.nextBlock(); z.err != nil {
				break
			}
		}
		if n := copy(p, z.d.buf[z.d.read:z.d.o]); n > 0 || len(p) == 0 {
			z.d.read += n
			return n, nil
		}
		z.err = z.decode()
	}
	z.free()
	return 0, z.err
}

// decode decodes more of the block, and ends it where it ends.
func (z *reader) decode() error {
	switch err := z.d.next(z.r, &z.block.in); err {
	case nil:
	case io.EOF:
		return z.endBlock()
	default:
		return err
	}
	chunk := z.d.buf[z.d.read:z.d.o]
	z.block.out += int64(len(chunk))
	if z.check != nil {
		z.check.Write(chunk)
	}
	if b := &z.block; b.packed >= 0 && b.in > b.packed || b.expanded >= 0 && b.out > b.expanded {
		return errors.New("xz: a block is larger than its header says")
	}
	return nil
}

func (z *reader) free() {
	if z.d != nil {
		decoders.Put(z.d)
		z.d = nil
	}
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
	var ok bool
	if z.check, ok = newCheck(z.flags); !ok {
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

// nextBlock reads the header of a block; behind the last block, all the rest.
func (z *reader) nextBlock() error {
	size, err := z.r.ReadByte()
	if err != nil {
		return short(err)
	}
	if size == 0 {
		return z.end()
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if _, err := io.ReadFull(z.r, h[1:]); err != nil {
		return short(err)
	}
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return errors.New("xz: the checksum of a block's header differs")
	}
	z.block = block{header: int64(len(h)), packed: -1, expanded: -1}
	dict, err := z.block.parse(bytes.NewReader(body[1:]))
	if err != nil {
		return err
	}
	if z.check != nil {
		z.check.Reset()
	}
	z.d = decoders.Get().(*decoder)
	z.d.begin(dict, z.block.expanded)
	return nil
}

// parse reads a block's header behind its first byte, and gives the size of
// the dictionary.
func (b *block) parse(h *bytes.Reader) (dict uint32, err error) {
	const hasPacked, hasExpanded = 0x40, 0x80
	flags, _ := h.ReadByte()
	if flags&0x3c != 0 {
		return 0, fmt.Errorf("xz: block flags %#x: the reserved ones are set", flags)
	}
	if flags&hasPacked != 0 {
		if b.packed, err = vli(h); err != nil {
			return 0, err
		}
	}
	if flags&hasExpanded != 0 {
		if b.expanded, err = vli(h); err != nil {
			return 0, err
		}
	}
	const lzma2 = 0x21
	filter, err := vli(h)
	if err != nil {
		return 0, err
	}
	if filter != lzma2 || flags&3 != 0 {
		return 0, fmt.Errorf("xz: %d filters, the first is %#x: LZMA2, %#x, alone is supported", flags&3+1, filter, lzma2)
	}
	one, _ := h.ReadByte()
	bits, err := h.ReadByte()
	if err != nil || one != 1 || bits > 40 {
		return 0, errors.New("xz: malformed properties of LZMA2")
	}
	for h.Len() > 0 {
		if c, _ := h.ReadByte(); c != 0 {
			return 0, errors.New("xz: the padding of a block's header is not zero")
		}
	}
	size := uint64(2|bits&1) << (bits/2 + 11)
	if size > MaxDict {
		return 0, fmt.Errorf("xz: dictionary of %d bytes: the limit is %d", size, MaxDict)
	}
	return uint32(size), nil
}

// endBlock reads what follows a block's data, and notes its sizes.
func (z *reader) endBlock() error {
	z.free()
	b := &z.block
	if b.packed >= 0 && b.packed != b.in || b.expanded >= 0 && b.expanded != b.out {
		return errors.New("xz: a block is smaller than its header says")
	}
	if err := zeros(z.r, -b.in&3); err != nil {
		return err
	}
	size := 0
	if z.check != nil {
		size = z.check.Size()
		want := make([]byte, size)
		if _, err := io.ReadFull(z.r, want); err != nil {
			return short(err)
		}
		got := z.check.Sum(nil)
		if z.flags[1] < 10 { // CRCs are stored the other way round
			for i, c := range got[:size/2] {
				got[i], got[size-1-i] = got[size-1-i], c
			}
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("xz: the checksum of a block is %x, the stream says %x", got, want)
		}
	}
	z.index.add(b.header+b.in+int64(size), b.out)
	return nil
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
