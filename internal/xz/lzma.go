package xz

import "encoding/binary"

// This file decodes one chunk of LZMA: an adaptive binary range coder, and
// the model of literals, matches and repeated matches that it drives (the LZMA
// specification, https://www.7-zip.org/sdk.html).
//
// It is nearly all of the time that a package takes, so it is written for the
// compiler: tables have sizes that are powers of two and are indexed under a
// mask, which needs no bounds check; the coder is a small value that lives in
// registers; its methods are short enough to be inlined. A bit that decides
// what comes next is a branch; the bits of a value, which little predicts, are
// computed without one, 10 % faster all in all.

// maxChunk is how many bytes a chunk may take, compressed.
const maxChunk = 1 << 16

// An input is a chunk and room behind it. A corrupt chunk may read on into
// what stands there, or around: where it ends it is then seen to have read too
// much.
type input [2 * maxChunk]byte

// A prob is the probability that a bit is 0, in units of 1/2048.
type prob = uint16

const (
	probBits = 11
	probMove = 5 // how slowly it adapts
	probHalf = 1 << (probBits - 1)
)

// A coder is the state of the range coder.
type coder struct {
	rng, code uint32
	pos       uint32 // of the next byte in the input
}

// norm makes sure that the range is large enough to decode a bit.
func (c coder) norm(in *input) coder {
	if c.rng < 1<<24 {
		c.rng <<= 8
		c.code = c.code<<8 | uint32(in[c.pos%(2*maxChunk)])
		c.pos++
	}
	return c
}

// bit decodes a bit and adapts its probability.
func (c coder) bit(p *prob) (coder, uint32) {
	v := uint32(*p)
	bound := c.rng >> probBits * v
	if c.code < bound {
		c.rng = bound
		*p = prob(v + (1<<probBits-v)>>probMove)
		return c, 0
	}
	c.rng -= bound
	c.code -= bound
	*p = prob(v - v>>probMove)
	return c, 1
}

// flat is bit without a branch. It gives the bit less one: all ones for 0.
func (c coder) flat(p *prob) (coder, uint32) {
	v := uint32(*p)
	bound := c.rng >> probBits * v
	zero := uint32(int64(uint64(c.code)-uint64(bound)) >> 63)
	c.rng = (c.rng-bound)&^zero | bound&zero
	c.code -= bound &^ zero
	*p = prob(int32(v) - (int32(v)+int32(zero)&(1<<probMove-1-1<<probBits))>>probMove)
	return c, zero
}

// direct decodes a bit that is as likely 0 as 1.
func (c coder) direct() (coder, uint32) {
	c.rng >>= 1
	zero := uint32(int64(uint64(c.code)-uint64(c.rng)) >> 63)
	c.code -= c.rng &^ zero
	return c, 1 + zero
}

// lengths is the model of a match's length, less 2: 8 lengths from low, 8
// from mid, 256 from high.
type lengths struct {
	choice [2]prob
	low    [16 << 3]prob // by position, then a tree of three bits
	mid    [16 << 3]prob
	high   [1 << 8]prob
}

// A model is the probabilities of everything that a chunk may say. Most
// depend on the state: what the last few symbols were, 0 to 11; below 7 the
// last one was a literal.
type model struct {
	isMatch [16 << 4]prob // by state and position
	isRep   [16]prob      // by state
	isRep0  [16]prob
	isRep1  [16]prob
	isRep2  [16]prob
	isLong  [16 << 4]prob // by state and position
	slot    [4 << 6]prob  // by length, then a tree of six bits
	special [128]prob     // low bits of short distances
	align   [16]prob      // low bits of long ones
	length  lengths
	replen  lengths
	literal [1 << 14]prob // by position and the byte before, 0x300 each, for at most 16 of them
}

func (m *model) reset() {
	for _, t := range [][]prob{
		m.isMatch[:], m.isRep[:], m.isRep0[:], m.isRep1[:], m.isRep2[:], m.isLong[:], m.slot[:], m.special[:], m.align[:], m.literal[:],
	} {
		fill(t)
	}
	m.length.reset()
	m.replen.reset()
}

func (l *lengths) reset() {
	for _, t := range [][]prob{l.choice[:], l.low[:], l.mid[:], l.high[:]} {
		fill(t)
	}
}

func fill(t []prob) {
	for i := range t {
		t[i] = probHalf
	}
}

// next decodes a length.
func (l *lengths) next(c coder, in *input, posState uint32) (coder, uint32) {
	var b uint32
	tree, bits, base := l.low[posState&15<<3:][:8], uint32(3), uint32(2)
	if c, b = c.norm(in).bit(&l.choice[0]); b != 0 {
		tree, base = l.mid[posState&15<<3:][:8], 10
		if c, b = c.norm(in).bit(&l.choice[1]); b != 0 {
			tree, bits, base = l.high[:], 8, 18
		}
	}
	sym := uint32(1)
	for range bits {
		c, b = c.norm(in).flat(&tree[sym])
		sym = sym<<1 + 1 + b
	}
	return c, base + sym - 1<<bits
}

// An lzma is the decoder of LZMA chunks.
type lzma struct {
	model
	state                  uint32
	rep0, rep1, rep2, rep3 uint32 // the last four distances, less 1
	lc                     uint32 // bits of the byte before that choose a literal's model
	posMask, literalMask   uint32
	dict                   uint32 // the largest distance, in bytes
	in                     input
}

// setProps reads the byte that has lc, lp and pb.
func (d *lzma) setProps(b byte) bool {
	lc, lp, pb := b%9, b/9%5, b/45
	if pb > 4 || lc+lp > 4 {
		return false
	}
	d.lc, d.literalMask, d.posMask = uint32(lc), 1<<lp-1, 1<<pb-1
	return true
}

func (d *lzma) resetState() {
	d.model.reset()
	d.state, d.rep0, d.rep1, d.rep2, d.rep3 = 0, 0, 0, 0, 0
}

// chunk decodes the size bytes in d.in to out[o:end], and reports whether
// they were such a chunk. What may be copied from begins at out[low]; the
// position that the model knows is o less origin.
func (d *lzma) chunk(size uint32, out []byte, low, o, end int, origin uint32) bool {
	in := &d.in
	state, rep0, rep1, rep2, rep3 := d.state, d.rep0, d.rep1, d.rep2, d.rep3
	c := coder{rng: 1<<32 - 1, code: binary.BigEndian.Uint32(in[1:]), pos: 5}
	if in[0] != 0 {
		return false
	}
	out = out[:end]
	for o < end {
		var b uint32
		pos := uint32(o) - origin
		posState := pos & d.posMask
		at := state<<4 | posState
		if c, b = c.norm(in).bit(&d.isMatch[at&255]); b == 0 {
			var prev uint32
			if o > low {
				prev = uint32(out[o-1])
			}
			lit := 0x300 * (pos&d.literalMask<<d.lc + prev>>(8-d.lc))
			table := (*[1 << 10]prob)(d.literal[lit&(1<<14-1):])
			sym := uint32(1)
			if state < 7 {
				for range 8 {
					c, b = c.norm(in).flat(&table[sym&(1<<10-1)])
					sym = sym<<1 + 1 + b
				}
			} else {
				if uint64(rep0) >= uint64(o-low) {
					return false
				}
				// While the bits agree with the byte at the last distance, they
				// have models of their own.
				match, same := uint32(out[o-int(rep0)-1]), uint32(0x100)
				for range 8 {
					match <<= 1
					bit := match & same
					c, b = c.norm(in).flat(&table[(same+bit+sym)&(1<<10-1)])
					sym = sym<<1 + 1 + b
					same &= bit ^ b
				}
			}
			out[o] = byte(sym)
			o++
			state = afterLiteral[state&15]
			continue
		}
		var n uint32
		if c, b = c.norm(in).bit(&d.isRep[state&15]); b == 0 {
			rep3, rep2, rep1 = rep2, rep1, rep0
			c, n = d.length.next(c, in, posState)
			c, rep0 = d.distance(c, n)
			state = afterMatch(state, 7)
		} else {
			if c, b = c.norm(in).bit(&d.isRep0[state&15]); b == 0 {
				if c, b = c.norm(in).bit(&d.isLong[at&255]); b == 0 {
					if uint64(rep0) >= uint64(o-low) {
						return false
					}
					out[o] = out[o-int(rep0)-1]
					o++
					state = afterMatch(state, 9)
					continue
				}
			} else if c, b = c.norm(in).bit(&d.isRep1[state&15]); b == 0 {
				rep0, rep1 = rep1, rep0
			} else if c, b = c.norm(in).bit(&d.isRep2[state&15]); b == 0 {
				rep0, rep1, rep2 = rep2, rep0, rep1
			} else {
				rep0, rep1, rep2, rep3 = rep3, rep0, rep1, rep2
			}
			c, n = d.replen.next(c, in, posState)
			state = afterMatch(state, 8)
		}
		if rep0 >= d.dict || uint64(rep0) >= uint64(o-low) || int(n) > end-o {
			return false
		}
		repeat(out, o, int(rep0)+1, int(n))
		o += int(n)
	}
	d.state, d.rep0, d.rep1, d.rep2, d.rep3 = state, rep0, rep1, rep2, rep3
	c = c.norm(in)
	return c.pos == size && c.code == 0
}

// afterLiteral is the state behind a literal, by the state before it.
var afterLiteral = [16]uint32{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// afterMatch is the state behind a match, 7, a long repeat, 8, or a short one,
// 9: three more, and at most 11, where no literal came before it.
func afterMatch(state, kind uint32) uint32 {
	if state < 7 {
		return kind
	}
	return min(kind+3, 11)
}

// distance decodes the distance, less 1, of a match of length n.
func (d *lzma) distance(c coder, n uint32) (coder, uint32) {
	in := &d.in
	var b uint32
	tree := (*[64]prob)(d.slot[min(n-2, 3)<<6:])
	slot := uint32(1)
	for range 6 {
		c, b = c.norm(in).flat(&tree[slot&63])
		slot = slot<<1 + 1 + b
	}
	slot -= 64
	if slot < 4 {
		return c, slot
	}
	bits := slot>>1 - 1
	dist := (2 | slot&1) << bits
	low := d.special[:]
	sym := dist - slot // the first index of this slot's tree, less 1
	if slot >= 14 {
		var high uint32
		for range bits - 4 {
			c, b = c.norm(in).direct()
			high = high<<1 | b
		}
		dist += high << 4
		low, bits, sym = d.align[:], 4, 0
	}
	sym, base := uint32(1), sym
	for i := range bits {
		c, b = c.norm(in).flat(&low[base+sym])
		sym = sym<<1 + 1 + b
		dist += (1 + b) << i
	}
	return c, dist
}

// repeat copies n bytes from dist before o to o, one after the other: where
// they overlap, what was just written is read again.
func repeat(out []byte, o, dist, n int) {
	if dist >= 8 && o+n+8 <= len(out) {
		// Eight at a time. Up to seven too many are overwritten later.
		for end := o + n; o < end; o += 8 {
			binary.LittleEndian.PutUint64(out[o:], binary.LittleEndian.Uint64(out[o-dist:]))
		}
		return
	}
	for end := o + n; o < end; o++ {
		out[o] = out[o-dist]
	}
}
