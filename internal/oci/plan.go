package oci

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"compose/internal/cas"
	"compose/rootfs"
)

// chunkSize is where the tar stream of a segment is cut, in bytes. Smaller
// chunks cost size (over 118 MB of Debian packages, against chunks of 4 MiB:
// zstd 1.3% at 2 MiB, 3.1% at 1 MiB; gzip nothing), larger ones memory and
// parallel work. It is part of the layer format epoch.
const chunkSize = 2 << 20

// A plan names the chunks of a layer before any content is read.
type plan struct {
	key    cas.Digest   // of the whole layer
	chunks []cas.Digest // each follows from all that its compressed bytes follow from
}

// makePlan goes through the segments as the cutter will, with digests in the
// place of contents.
func makePlan(segments []rootfs.Segment, o LayerOptions) (plan, error) {
	p := planner{intro: fmt.Appendf(nil, "compose layer %d %s %d\x00", LayerEpoch, o.Compression, chunkSize), chunk: sha256.New(), whole: sha256.New()}
	p.whole.Write(p.intro)
	for _, s := range segments {
		err := s.Entries(o.Epoch, func(header []byte, content cas.Ref) error {
			p.literal(header)
			p.content(content)
			p.literal(zeros[:rootfs.Padding(content.Size)])
			return nil
		})
		if err != nil {
			return plan{}, err
		}
		p.cut()
	}
	p.literal(zeros[:])
	p.cut()
	return plan{key: cas.Digest(p.whole.Sum(nil)), chunks: p.chunks}, nil
}

var zeros [rootfs.TarEnd]byte

// A planner hashes a description of each chunk: a sequence of literal bytes
// and stretches of contents.
type planner struct {
	intro  []byte
	chunk  hash.Hash
	whole  hash.Hash // over the keys of all chunks
	size   int64     // of the chunk so far
	chunks []cas.Digest
	buf    []byte
}

func (p *planner) literal(b []byte) {
	for len(b) > 0 {
		n := p.room(int64(len(b)))
		p.note('=', n)
		p.chunk.Write(b[:n])
		b = b[n:]
	}
}

func (p *planner) content(ref cas.Ref) {
	for done := int64(0); done < ref.Size; {
		n := p.room(ref.Size - done)
		p.note('@', n, done)
		p.chunk.Write(ref.Digest[:])
		done += n
	}
}

// room begins a new chunk if this one is full, and takes up to n bytes of the
// room in it.
func (p *planner) room(n int64) int64 {
	if p.size == chunkSize {
		p.cut()
	}
	if p.size == 0 {
		p.chunk.Write(p.intro)
	}
	n = min(n, chunkSize-p.size)
	p.size += n
	return n
}

// note writes what comes next in the description.
func (p *planner) note(kind byte, numbers ...int64) {
	p.buf = append(p.buf[:0], kind)
	for _, n := range numbers {
		p.buf = binary.BigEndian.AppendUint64(p.buf, uint64(n))
	}
	p.chunk.Write(p.buf)
}

// cut ends the chunk, unless it is empty.
func (p *planner) cut() {
	if p.size == 0 {
		return
	}
	key := cas.Digest(p.chunk.Sum(nil))
	p.chunks = append(p.chunks, key)
	p.whole.Write(key[:])
	p.chunk.Reset()
	p.size = 0
}
