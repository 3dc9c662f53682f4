package expand

import (
	"encoding/binary"
	"fmt"
	"io"

	"compose/internal/limits"

	"github.com/klauspost/compress/zstd"
)

// A zstdReader reads one frame. The decoder takes a frame that is cut inside
// its first bytes for the end of the input, so what the frame's own structure
// says comes first.
type zstdReader struct {
	io.ReadCloser
	frame *oneFrame
}

func newZstd(r io.Reader) (io.ReadCloser, error) {
	frame := &oneFrame{r: r}
	z, err := zstd.NewReader(frame, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(limits.Window))
	if err != nil {
		return nil, err
	}
	return &zstdReader{z.IOReadCloser(), frame}, nil
}

func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.ReadCloser.Read(p)
	switch frame := z.frame.err; {
	case err != nil && frame != nil && frame != io.EOF:
		err = frame
	case err == io.EOF && frame == nil:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// oneFrame passes on one zstd frame and refuses everything else: the decoder
// behind it would skip skippable frames and go on with a second frame. It
// follows the frame's structure without decoding it (RFC 8878, section 3.1).
type oneFrame struct {
	r    io.Reader
	head [18]byte // magic number, frame header; then block headers
	have int      // bytes of head that were read
	out  int      // bytes of head that were passed on
	body int64    // bytes of the current block still to be passed on
	part func(*oneFrame) error
	last bool // the current block is the last
	sum  bool // a checksum follows it
	err  error
}

const frameMagic = 0xFD2FB528

func (f *oneFrame) Read(p []byte) (n int, err error) {
	if f.err == nil {
		n, f.err = f.read(p)
	}
	return n, f.err
}

func (f *oneFrame) read(p []byte) (int, error) {
	if f.part == nil {
		f.part = (*oneFrame).frameHeader
	}
	for {
		switch {
		case f.out < f.have:
			n := copy(p, f.head[f.out:f.have])
			f.out += n
			return n, nil
		case f.body > 0:
			n, err := f.r.Read(p[:min(int64(len(p)), f.body)])
			f.body -= int64(n)
			if n > 0 {
				err = nil // said again by the next Read
			}
			return n, notEmpty(err)
		}
		f.out, f.have = 0, 0
		if err := f.part(f); err != nil {
			return 0, err
		}
	}
}

// fill reads n more bytes into head.
func (f *oneFrame) fill(n int) error {
	_, err := io.ReadFull(f.r, f.head[f.have:f.have+n])
	if err == nil {
		f.have += n
	}
	return notEmpty(err)
}

func (f *oneFrame) frameHeader() error {
	if err := f.fill(5); err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint32(f.head[:]); magic != frameMagic {
		return fmt.Errorf("zstd: begins with %#08x, which is no frame", magic)
	}
	desc := f.head[4]
	single := desc >> 5 & 1
	f.sum = desc&4 != 0
	size := []int{0, 1, 2, 4}[desc&3] + []int{int(single), 2, 4, 8}[desc>>6] + 1 - int(single)
	f.part = (*oneFrame).blockHeader
	return f.fill(size)
}

func (f *oneFrame) blockHeader() error {
	if f.last {
		return f.trailer()
	}
	if err := f.fill(3); err != nil {
		return err
	}
	h := uint32(f.head[0]) | uint32(f.head[1])<<8 | uint32(f.head[2])<<16
	const rle = 1
	f.last, f.body = h&1 != 0, int64(h>>3)
	if h>>1&3 == rle {
		f.body = 1
	}
	return nil
}

func (f *oneFrame) trailer() error {
	f.part = (*oneFrame).end
	if f.sum {
		return f.fill(4)
	}
	return nil
}

func (f *oneFrame) end() error {
	switch _, err := io.ReadFull(f.r, f.head[:1]); err {
	case nil:
		return errTrailing
	default:
		return err // io.EOF: as it should be
	}
}
