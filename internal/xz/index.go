package xz

import (
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"io"
)

// Records are the sizes of a stream's blocks, of which only as much is kept
// as is needed to compare two lists.
type records struct {
	count int64
	hash  hash.Hash64
}

// add notes a block that was read.
func (r *records) add(b *block) { r.note(b.header+b.in+b.checkSize(), b.out) }

// note notes the size of a block in the stream, without padding, and the size
// of what it holds.
func (r *records) note(packed, expanded int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(packed))
	binary.LittleEndian.PutUint64(b[8:], uint64(expanded))
	r.hash.Write(b[:])
	r.count++
}

// end reads the index, whose first byte has been read, and the footer, and
// requires that nothing follows. It answers io.EOF where all is well.
func (z *reader) end() error {
	size, err := z.readIndex()
	if err != nil {
		return err
	}
	if err := z.footer(size); err != nil {
		return short(err)
	}
	if _, err := z.r.ReadByte(); err != nil {
		return err
	}
	return ErrTrailing
}

// readIndex reads the index, which must list the blocks that were read, and
// gives its size in bytes.
func (z *reader) readIndex() (int64, error) {
	in := &summed{r: z.r, sum: crc32.Update(0, crc32.IEEETable, []byte{0}), n: 1}
	count, err := vli(in)
	if err != nil {
		return 0, err
	}
	if count != z.index.count {
		return 0, errors.New("xz: the index has another number of blocks")
	}
	listed := records{hash: fnv.New64a()}
	for range count {
		packed, err := vli(in)
		if err != nil {
			return 0, err
		}
		expanded, err := vli(in)
		if err != nil {
			return 0, err
		}
		listed.note(packed, expanded)
	}
	if listed.hash.Sum64() != z.index.hash.Sum64() {
		return 0, errors.New("xz: the index has other sizes than the blocks")
	}
	if err := zeros(in, -in.n&3); err != nil {
		return 0, err
	}
	var sum [4]byte
	if _, err := io.ReadFull(z.r, sum[:]); err != nil {
		return 0, short(err)
	}
	if binary.LittleEndian.Uint32(sum[:]) != in.sum {
		return 0, errors.New("xz: the checksum of the index differs")
	}
	return in.n + 4, nil
}

// footer reads the footer: a checksum, the size of the index, the flags of the
// header again, a magic word.
func (z *reader) footer(index int64) error {
	var f [headerSize]byte
	if _, err := io.ReadFull(z.r, f[:]); err != nil {
		return err
	}
	switch {
	case string(f[10:]) != footerMagic:
		return errors.New("xz: the footer has no magic word")
	case crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:]):
		return errors.New("xz: the checksum of the footer differs")
	case (int64(binary.LittleEndian.Uint32(f[4:]))+1)*4 != index:
		return errors.New("xz: the footer gives another size of the index")
	case [2]byte(f[8:10]) != z.flags:
		return errors.New("xz: header and footer have different flags")
	}
	return nil
}

// A summed counts bytes, and keeps their CRC32.
type summed struct {
	r   io.ByteReader
	sum uint32
	n   int64
}

func (s *summed) ReadByte() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil {
		s.sum = crc32.Update(s.sum, crc32.IEEETable, []byte{c})
		s.n++
	}
	return c, err
}
