package untar

import (
	"bytes"
	"encoding/binary"
	"math"

	"compose/internal/fault"
)

const blockSize = 512

// A block is one header as it stands in the stream: POSIX.1-1988 ustar, or
// the variant of GNU tar before it had PAX.
type block [blockSize]byte

func (b *block) name() []byte     { return b[0:100] }
func (b *block) mode() []byte     { return b[100:108] }
func (b *block) uid() []byte      { return b[108:116] }
func (b *block) gid() []byte      { return b[116:124] }
func (b *block) size() []byte     { return b[124:136] }
func (b *block) mtime() []byte    { return b[136:148] }
func (b *block) checksum() []byte { return b[148:156] }
func (b *block) kind() byte       { return b[156] }
func (b *block) linkname() []byte { return b[157:257] }
func (b *block) magic() []byte    { return b[257:265] }
func (b *block) devmajor() []byte { return b[329:337] }
func (b *block) devminor() []byte { return b[337:345] }
func (b *block) prefix() []byte   { return b[345:500] }

const (
	magicUstar = "ustar\x0000"
	magicGNU   = "ustar  \x00"
)

var zeroBlock block

func (b *block) isZero() bool { return *b == zeroBlock }

// sum is the sum of all bytes, those of the checksum field counted as spaces.
// It adds eight bytes at a time, in four lanes of 16 bits that cannot
// overflow: 64 words give at most 64*2*255 a lane.
func (b *block) sum() int64 {
	const lanes = 0x00ff00ff00ff00ff
	var acc uint64
	for i := 0; i < blockSize; i += 8 {
		w := binary.LittleEndian.Uint64(b[i : i+8])
		acc += w&lanes + w>>8&lanes
	}
	total := int64(acc&0xffff + acc>>16&0xffff + acc>>32&0xffff + acc>>48)
	for _, c := range b.checksum() {
		total += ' ' - int64(c)
	}
	return total
}

// text is the field up to its first NUL, or all of it.
func text(field []byte) []byte {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		return field[:i]
	}
	return field
}

// number reads a numeric field: octal digits, blanks before them allowed,
// ended by blanks, NULs or the end of the field; or GNU's base-256. An empty
// field is 0.
func number(field []byte) (int64, error) {
	if field[0]&0x80 != 0 {
		return base256(field)
	}
	i := 0
	for i < len(field) && blank(field[i]) {
		i++
	}
	var n int64 // of at most 12 digits: 36 bits
	for i < len(field) && field[i]&^7 == '0' {
		n = n<<3 | int64(field[i]-'0')
		i++
	}
	for i < len(field) && blank(field[i]) {
		i++
	}
	if i < len(field) {
		return 0, fault.New(fault.FormatInvalid, "%q is no octal number", field)
	}
	return n, nil
}

func blank(c byte) bool { return c == ' ' || c == 0 }

// base256 reads a two's complement number, most significant byte first, whose
// first bit only says that it is one.
func base256(field []byte) (int64, error) {
	n := int64(int8(field[0]<<1) >> 1)
	for _, c := range field[1:] {
		if n > math.MaxInt64>>8 || n < math.MinInt64>>8 {
			return 0, fault.New(fault.FormatInvalid, "base-256 number %x is out of range", field)
		}
		n = n<<8 | int64(c)
	}
	return n, nil
}
