package xz

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"compose/internal/limits"
)

// A block is one of the parts of a stream, which do not depend on each other.
type block struct {
	dict             uint32    // size of the dictionary
	check            hash.Hash // of what it expands to; nil: none
	reversed         bool      // the check is stored with its last byte first
	header           int64     // size of the header, in bytes
	packed, expanded int64     // sizes as the header says; -1: it does not
	in, out          int64     // bytes read of its data, bytes decoded
}

// checkSize is the size of the check behind the data.
func (b *block) checkSize() int64 {
	if b.check == nil {
		return 0
	}
	return int64(b.check.Size())
}

// parse reads a block's header behind its first byte.
func (b *block) parse(h *bytes.Reader) (err error) {
	const hasPacked, hasExpanded = 0x40, 0x80
	flags, _ := h.ReadByte()
	if flags&0x3c != 0 {
		return fmt.Errorf("xz: block flags %#x: the reserved ones are set", flags)
	}
	if flags&hasPacked != 0 {
		if b.packed, err = vli(h); err != nil {
			return err
		}
	}
	if flags&hasExpanded != 0 {
		if b.expanded, err = vli(h); err != nil {
			return err
		}
	}
	const lzma2 = 0x21
	filter, err := vli(h)
	if err != nil {
		return err
	}
	if filter != lzma2 || flags&3 != 0 {
		return fmt.Errorf("xz: %d filters, the first is %#x: LZMA2, %#x, alone is supported", flags&3+1, filter, lzma2)
	}
	one, _ := h.ReadByte()
	bits, err := h.ReadByte()
	if err != nil || one != 1 || bits > 40 {
		return errors.New("xz: malformed properties of LZMA2")
	}
	if err := zeros(h, int64(h.Len())); err != nil {
		return err
	}
	size := uint64(2|bits&1) << (bits/2 + 11)
	if size > limits.Window {
		return fmt.Errorf("xz: dictionary of %d bytes: the limit is %d", size, limits.Window)
	}
	b.dict = uint32(size)
	return nil
}

// step decodes a chunk of the block, which d then has. At the end, when all
// has been compared, it answers io.EOF.
func (b *block) step(d *decoder, r source) error {
	switch err := d.next(r, &b.in); err {
	case nil:
	case io.EOF:
		return b.end(r)
	default:
		return err
	}
	chunk := d.buf[d.read:d.o]
	b.out += int64(len(chunk))
	if b.check != nil {
		b.check.Write(chunk)
	}
	if b.packed >= 0 && b.in > b.packed || b.expanded >= 0 && b.out > b.expanded {
		return errLarger
	}
	return nil
}

// end reads what follows the data: padding and the check.
func (b *block) end(r source) error {
	if b.packed >= 0 && b.packed != b.in || b.expanded >= 0 && b.expanded != b.out {
		return errors.New("xz: a block is smaller than its header says")
	}
	if err := zeros(r, -b.in&3); err != nil {
		return err
	}
	if b.check == nil {
		return io.EOF
	}
	want := make([]byte, b.check.Size())
	if _, err := io.ReadFull(r, want); err != nil {
		return short(err)
	}
	got := b.check.Sum(nil)
	if b.reversed {
		slices.Reverse(got)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("xz: the checksum of a block is %x, the stream says %x", got, want)
	}
	return io.EOF
}
