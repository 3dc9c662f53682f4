package xz

import (
	"bytes"
	"io"
	"runtime"
	"sync"
)

// This file decodes blocks ahead of their reader. Blocks do not depend on
// each other, and one whose header gives its sizes (xz -T writes them, and so
// does dpkg) can be taken from the stream without being decoded. All readers
// of the process share as many slots as there are cores; where none is free,
// blocks are decoded as they are read, as on a single core.

const (
	// minAhead is the size of a block, expanded, that is worth a slot.
	minAhead = 1 << 20
	// maxAhead is the largest size, packed or expanded, that a slot takes.
	// The blocks of Debian's packages have 24 MiB.
	maxAhead = 32 << 20
	// maxSlots bounds the memory that slots take.
	maxSlots = 4
)

// A slot is the room to decode a block whole.
type slot struct {
	block *block
	in    []byte // data, padding and check
	d     decoder
	err   error
	done  chan struct{} // closed when err and d.buf are there
}

// slots gives the slots that are free. A single core has none.
var slots = sync.OnceValue(func() chan *slot {
	n := min(runtime.GOMAXPROCS(0), maxSlots)
	if n == 1 {
		n = 0
	}
	free := make(chan *slot, n)
	for range n {
		free <- new(slot)
	}
	return free
})

// ahead begins to decode the next blocks, as many as there are slots for, and
// reads the header of the one behind them.
func (z *reader) ahead() {
	for z.last == nil {
		if z.next == nil {
			if z.next, z.last = z.blockHeader(); z.last != nil {
				return
			}
		}
		b := z.next
		if b.expanded < minAhead || b.expanded > maxAhead || b.packed < 0 || b.packed > maxAhead {
			return
		}
		select {
		case s := <-slots():
			z.next = nil
			if z.last = s.begin(b, z.r); z.last != nil {
				slots() <- s
				return
			}
			z.queue = append(z.queue, s)
		default:
			return
		}
	}
}

// begin reads the block from r and begins to decode it.
func (s *slot) begin(b *block, r io.Reader) error {
	size := b.packed + -b.packed&3 + b.checkSize()
	if int64(cap(s.in)) < size {
		s.in = make([]byte, size)
	}
	s.in = s.in[:size]
	if _, err := io.ReadFull(r, s.in); err != nil {
		return short(err)
	}
	s.block, s.done = b, make(chan struct{})
	go s.decode()
	return nil
}

func (s *slot) decode() {
	defer close(s.done)
	r := bytes.NewReader(s.in)
	s.d.beginWhole(s.block.dict, int(s.block.expanded))
	for s.err = nil; s.err == nil; {
		s.err = s.block.step(&s.d, r)
	}
	if s.err == io.ErrUnexpectedEOF {
		s.err = errLarger // the stream goes on; the block should not
	}
}

// take waits for the first block of the queue, which then is ready.
func (z *reader) take() error {
	s := z.queue[0]
	z.queue = z.queue[1:]
	z.slot = s
	<-s.done
	if s.err != io.EOF {
		return s.err
	}
	z.index.add(s.block)
	z.ready = s.d.buf[:s.d.o]
	return nil
}

// release gives back the slot whose bytes have been read.
func (z *reader) release() {
	if z.slot != nil {
		slots() <- z.slot
		z.slot = nil
	}
}
