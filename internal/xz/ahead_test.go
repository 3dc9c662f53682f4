package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/crc64"
	"io"
	"sync"
	"testing"

	ulzma "github.com/ulikunitz/xz/lzma"
)

// A sized is a stream whose blocks have their sizes in their headers, as
// those of Debian's packages have.
type sized struct {
	bytes.Buffer
	index []byte
	count uint64
}

func newSized() *sized {
	s := &sized{}
	flags := []byte{0, 4}
	s.WriteString(headerMagic)
	s.Write(binary.LittleEndian.AppendUint32(flags, crc32.ChecksumIEEE(flags)))
	return s
}

// add appends a block; data is its LZMA2, and size what the header says that
// it expands to.
func (s *sized) add(data, text []byte, packed, size int) {
	h := binary.AppendUvarint([]byte{0, 0xc0}, uint64(packed))
	h = append(binary.AppendUvarint(h, uint64(size)), 0x21, 1, 16) // a dictionary of 1 MiB
	for len(h)%4 != 0 {
		h = append(h, 0)
	}
	h[0] = byte(len(h) / 4)
	h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE(h))
	s.Write(h)
	s.Write(data)
	s.Write(make([]byte, -len(data)&3))
	s.Write(binary.LittleEndian.AppendUint64(nil, crc64.Checksum(text, crc64Table)))
	s.index = binary.AppendUvarint(s.index, uint64(len(h)+len(data)+8))
	s.index = binary.AppendUvarint(s.index, uint64(len(text)))
	s.count++
}

func (s *sized) end() []byte {
	x := append(binary.AppendUvarint([]byte{0}, s.count), s.index...)
	x = append(x, make([]byte, -len(x)&3)...)
	x = binary.LittleEndian.AppendUint32(x, crc32.ChecksumIEEE(x))
	f := append(binary.LittleEndian.AppendUint32(nil, uint32(len(x)/4-1)), 0, 4)
	s.Write(x)
	s.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(f)))
	s.Write(f)
	s.WriteString(footerMagic)
	return s.Bytes()
}

func packLZMA2(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := ulzma.Writer2Config{DictCap: 1 << 20}.NewWriter2(&b)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// largeBlocks is a text, and a stream of it in blocks that are decoded ahead,
// small ones between them.
func largeBlocks(t testing.TB) (text, data []byte) {
	part := bytes.Repeat(texts(50000)["words"], 24)
	packed := packLZMA2(t, part)
	small := packLZMA2(t, part[:1000])
	s := newSized()
	for i := range 9 {
		if i%4 == 2 {
			s.add(small, part[:1000], len(small), 1000)
			text = append(text, part[:1000]...)
			continue
		}
		s.add(packed, part, len(packed), len(part))
		text = append(text, part...)
	}
	return text, s.end()
}

// allFree reports whether every slot is free.
func allFree() bool { return len(slots()) == cap(slots()) }

func TestBlocksAhead(t *testing.T) {
	text, data := largeBlocks(t)
	var all sync.WaitGroup
	for range 6 { // more readers than slots
		all.Go(func() {
			if got, err := unpack(data); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	if !allFree() {
		t.Error("a slot is lost")
	}
}

// A reader that is closed early, or whose source is broken, gives its slots
// back.
func TestSlotsComeBack(t *testing.T) {
	text, data := largeBlocks(t)
	for n := 0; n < len(data); n += len(data) / 20 {
		bad := bytes.Clone(data)
		bad[n] ^= 0x10
		for rule, data := range map[string][]byte{"cut": data[:n], "changed": bad} {
			if got, err := unpack(data); err == nil || !bytes.HasPrefix(text, got) {
				t.Errorf("%s at %d: %d bytes, %v", rule, n, len(got), err)
			}
			if !allFree() {
				t.Fatalf("%s at %d: a slot is lost", rule, n)
			}
		}
	}
	for n := int64(0); n < int64(len(text)); n += int64(len(text)) / 10 {
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, r, n)
		r.Close()
		if !allFree() {
			t.Fatalf("closed after %d bytes: a slot is lost", n)
		}
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Error("read after Close")
		}
		r.Close()
	}
}

func TestSizesThatLie(t *testing.T) {
	part := bytes.Repeat(texts(50000)["words"], 24)
	packed := packLZMA2(t, part)
	for rule, sizes := range map[string][2]int{
		"a byte more expanded": {len(packed), len(part) + 1}, "a byte less expanded": {len(packed), len(part) - 1},
		"more packed": {len(packed) + 4, len(part)}, "less packed": {len(packed) - 4, len(part)}, "much less packed": {20, len(part)},
		"larger than a slot": {len(packed), maxAhead + 1}, "a packed size beyond the file": {maxAhead, len(part)},
	} {
		s := newSized()
		s.add(packed, part, sizes[0], sizes[1])
		s.add(packed, part, len(packed), len(part))
		if got, err := unpack(s.end()); err == nil || errors.Is(err, ErrTrailing) {
			t.Errorf("%s: %d bytes, %v", rule, len(got), err)
		}
		if !allFree() {
			t.Fatalf("%s: a slot is lost", rule)
		}
	}
}
