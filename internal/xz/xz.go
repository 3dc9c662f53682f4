// Package xz decodes one .xz stream as it arrives, within a fixed amount of
// memory (https://tukaani.org/xz/xz-file-format.txt).
package xz

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
)

// MaxDict is the largest dictionary that a stream may ask for, in bytes.
const MaxDict = 128 << 20

// ErrTrailing says that something follows the stream: padding, a second
// stream, or bytes that are neither.
var ErrTrailing = errors.New("data after the end of the xz stream")

// NewReader decodes the stream that r begins with. Reading to the end checks
// that nothing follows it.
func NewReader(r io.Reader) (io.Reader, error) {
	t := &tail{r: r}
	b := bufio.NewReaderSize(t, 64<<10)
	if err := checkDict(b); err != nil {
		return nil, err
	}
	z, err := xz.ReaderConfig{SingleStream: true}.NewReader(b)
	if err != nil {
		return nil, err
	}
	return reader{z, t}, nil
}

type reader struct {
	r io.Reader
	t *tail
}

func (x reader) Read(p []byte) (int, error) {
	n, err := x.r.Read(p)
	switch {
	case err == io.EOF && string(x.t.last[:]) != "YZ":
		err = io.ErrUnexpectedEOF // the decoder takes a missing block for the end
	case err != nil && err.Error() == "xz: unexpected data after stream":
		err = ErrTrailing
	}
	return n, err
}

// A tail remembers the last two bytes that were read, which end the footer of
// a stream.
type tail struct {
	r    io.Reader
	last [2]byte
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	for _, c := range p[max(n-2, 0):n] {
		t.last[0], t.last[1] = t.last[1], c
	}
	return n, err
}

// checkDict refuses a first block whose dictionary is larger than MaxDict,
// before the decoder sets memory aside for it.
func checkDict(b *bufio.Reader) error {
	const streamHeader = 12
	head, err := b.Peek(streamHeader + 1)
	if err != nil {
		return nil // the decoder says what is missing
	}
	size := (int(head[streamHeader]) + 1) * 4
	block, err := b.Peek(streamHeader + size)
	if err != nil || size == 4 { // 4: the index of a stream without blocks
		return nil
	}
	block = block[streamHeader:]
	at := 2
	for _, flag := range []byte{0x40, 0x80} { // sizes of the block, variable length integers
		if block[1]&flag == 0 {
			continue
		}
		for at < len(block) && block[at]&0x80 != 0 {
			at++
		}
		at++
	}
	const lzma2 = 0x21
	if at+2 >= len(block) || block[at] != lzma2 || block[at+1] != 1 {
		return nil
	}
	bits := block[at+2] & 63
	if size := int64(2|bits&1) << (bits/2 + 11); size > MaxDict {
		return fmt.Errorf("xz: dictionary of %d bytes: the limit is %d", size, MaxDict)
	}
	return nil
}
