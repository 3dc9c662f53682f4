package xz

import (
	"encoding/binary"
	"errors"
	"io"
)

// This file decodes a block's LZMA2: chunks of LZMA or of plain bytes, each
// behind a byte that says which, and what is to be reset first (xz-embedded's
// xz_dec_lzma2.c describes it best).

var (
	errCorrupt = errors.New("xz: corrupt data")
	errLarger  = errors.New("xz: a block is larger than its header says")
)

// maxPlain is how many bytes a chunk may expand to.
const maxPlain = 1 << 21

// slack is how many bytes are decoded between two moves of the dictionary to
// the front of the buffer.
const slack = 2 * maxPlain

// A source gives a block's bytes.
type source interface {
	io.Reader
	io.ByteReader
}

// A decoder decodes one block at a time: whole, or into a window that slides
// over it and that the reader of the block empties.
type decoder struct {
	lzma
	buf    []byte // the block, or the window
	whole  int    // size of the block, where it is decoded whole; or 0
	low    int    // where the dictionary begins
	o      int    // where the next byte goes
	read   int    // what is behind it and before o has not been read
	origin uint32 // o less origin is the position that the model knows
	fresh  bool   // nothing was decoded: the dictionary must be reset
	props  bool   // lc, lp and pb are known
}

// begin makes d ready to decode a block through a window. size is what the
// block expands to, or -1.
func (d *decoder) begin(dict uint32, size int64) {
	d.reset(dict)
	if want := d.limit(); size >= 0 && size < int64(want) {
		d.grow(int(size))
	}
}

// beginWhole makes d ready to decode a block of the given size to d.buf.
func (d *decoder) beginWhole(dict uint32, size int) {
	d.reset(dict)
	d.grow(size)
	d.whole = size
}

func (d *decoder) reset(dict uint32) {
	d.dict = dict
	d.whole, d.low, d.o, d.read = 0, 0, 0, 0
	d.fresh, d.props = true, false
}

// grow makes the empty buffer size bytes large.
func (d *decoder) grow(size int) {
	if size > len(d.buf) {
		d.buf = make([]byte, size)
	}
}

// limit is the largest useful size of the window.
func (d *decoder) limit() int { return int(d.dict) + slack }

// next decodes a chunk, which it leaves between d.read and d.o, and counts
// what it reads in n. It answers io.EOF at the end of the block. What was
// decoded before must have been read.
func (d *decoder) next(r source, n *int64) error {
	var h [6]byte
	control, err := r.ReadByte()
	if err != nil {
		return short(err)
	}
	*n++
	switch {
	case control == 0:
		return io.EOF
	case control >= 0xe0, control == 1:
		d.fresh, d.props = false, false
		d.low, d.origin = d.o, uint32(d.o)
	case d.fresh:
		return errCorrupt
	}
	head := h[:2] // size of a plain chunk
	switch {
	case control >= 0xc0:
		head = h[:5] // sizes and properties
	case control >= 0x80 && d.props:
		head = h[:4]
	case control >= 0x80, control > 2:
		return errCorrupt
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return short(err)
	}
	*n += int64(len(head))
	size := int(binary.BigEndian.Uint16(head)) + 1
	if control < 0x80 {
		*n += int64(size)
		return d.plain(r, size)
	}
	size += int(control&0x1f) << 16
	packed := int(binary.BigEndian.Uint16(head[2:])) + 1
	*n += int64(packed)
	if control >= 0xc0 {
		if d.props = d.setProps(head[4]); !d.props {
			return errCorrupt
		}
	}
	if control >= 0xa0 {
		d.resetState()
	}
	return d.packed(r, size, packed)
}

// plain reads a chunk that was not compressed.
func (d *decoder) plain(r source, size int) error {
	if !d.room(size) {
		return errLarger
	}
	if _, err := io.ReadFull(r, d.buf[d.o:d.o+size]); err != nil {
		return short(err)
	}
	d.o += size
	return nil
}

func (d *decoder) packed(r source, size, packed int) error {
	if _, err := io.ReadFull(r, d.in[:packed]); err != nil {
		return short(err)
	}
	if !d.room(size) {
		return errLarger
	}
	if packed < 5 || !d.chunk(uint32(packed), d.buf, d.low, d.o, d.o+size, d.origin) {
		return errCorrupt
	}
	d.o += size
	return nil
}

// room makes room for n bytes more: the window grows while it may, and then
// what no match can reach is dropped. A whole block has the room it has.
func (d *decoder) room(n int) bool {
	d.read = d.o
	if d.whole > 0 {
		return d.o+n <= d.whole
	}
	if d.o+n <= len(d.buf) {
		return true
	}
	if size := min(max(2*len(d.buf), d.o+n, 1<<18), d.limit()); d.o+n <= size {
		grown := make([]byte, size)
		copy(grown[d.low:], d.buf[d.low:d.o])
		d.buf = grown
		return true
	}
	drop := d.o - min(d.o-d.low, int(d.dict))
	copy(d.buf, d.buf[drop:d.o])
	d.low, d.o, d.read = max(d.low-drop, 0), d.o-drop, d.o-drop
	d.origin -= uint32(drop)
	return true
}

// short is err, where the end of the input means that it is cut.
func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
