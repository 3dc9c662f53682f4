// Package untar reads a tar stream as strictly as an installer must.
//
// Programs that read tar disagree about what is odd: which of two sizes
// holds, what an unknown header means, where the archive ends. A file that
// means two things can be checked as one and installed as the other. So this
// reader understands ustar, the old GNU long names and the PAX records that
// packages need, and refuses all else; whatever it accepts, every other
// reader sees the same way.
package untar

import (
	"errors"
	"io"
	"math"

	"compose/internal/fault"
	"compose/internal/limits"
)

// A Header describes one entry as the archive has it.
type Header struct {
	Name         string // verbatim
	Type         byte   // '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' directory, '6' FIFO
	Mode         uint16 // the twelve bits of chmod(2)
	UID, GID     int    // 0 to limits.ID
	Size         int64  // bytes of content; 0 for all but files
	MTime        int64  // seconds since 1970, rounded down
	Link         string // target of a link, verbatim
	Major, Minor uint32 // of a device
	Xattrs       []Xattr
	SHA1         []byte // of the content, where an apk states it; 20 bytes
}

// An Xattr is an extended attribute, in the order of the archive.
type Xattr struct{ Name, Value string }

// An End says how an archive ends.
type End int

const (
	// Ended archives end with two blocks of zeros, and nothing but zeros
	// follows them.
	Ended End = iota
	// Cut archives end behind the last entry: the signature and control
	// segments of an apk, behind which another tar archive goes on.
	Cut
)

// Budget tells how much may still be read.
type Budget interface {
	// Left is in bytes.
	Left() int64
	// Over is the refusal of n bytes.
	Over(n int64) error
}

// A Reader reads one archive.
type Reader struct {
	r      io.Reader
	end    End
	budget Budget // nil: none

	buf        []byte
	pos, limit int   // the unread part of buf
	left       int64 // content of the current entry still unread
	pad        int64 // zeros behind it
	entries    int
	done       error // what Next answers from now on
	block      block
	header     Header
	extra      extra
}

const bufferSize = 64 << 10

// NewReader reads the archive that r gives to its end. A size beyond what
// budget, which may be nil, has left is refused when it is announced.
func NewReader(r io.Reader, end End, budget Budget) *Reader {
	size := bufferSize
	if m, ok := r.(interface{ Len() int }); ok { // it is in memory
		size = min(size, max(m.Len(), blockSize))
	}
	return &Reader{r: r, end: end, budget: budget, buf: make([]byte, size)}
}

// Next skips what is unread of the current entry and gives the next one, in a
// Header that holds until Next is called again. It answers io.EOF when the
// archive has ended as it must and its source is exhausted.
func (r *Reader) Next() (*Header, error) {
	if r.done != nil {
		return nil, r.done
	}
	h, err := r.next()
	if err != nil {
		r.done = err
		r.left, r.pad = 0, 0
	}
	return h, err
}

func (r *Reader) next() (*Header, error) {
	if err := r.skip(r.left + r.pad); err != nil {
		return nil, err
	}
	r.left, r.pad = 0, 0
	r.extra = extra{}
	for {
		if err := r.readBlock(); err != nil {
			if err == io.EOF && r.extra.any() {
				err = fault.New(fault.FormatInvalid, "the archive ends behind a %s header: nothing follows for it to describe", r.extra)
			}
			return nil, err
		}
		switch kind := r.block.kind(); kind {
		case 'x', 'L', 'K':
			if err := r.readExtra(kind); err != nil {
				return nil, err
			}
		default:
			return r.entry()
		}
	}
}

// readBlock reads a header block and checks its sum and dialect. Where the
// archive ends it answers io.EOF.
func (r *Reader) readBlock() error {
	switch n, err := io.ReadFull(source{r}, r.block[:]); {
	case err == io.EOF && r.end == Cut:
		return io.EOF
	case err == io.EOF:
		return fault.New(fault.FormatInvalid, "the archive has no end: two blocks of zeros are missing behind %d entries", r.entries)
	case err == io.ErrUnexpectedEOF:
		return fault.New(fault.FormatInvalid, "the archive is cut short: %d of %d bytes of a header", n, blockSize)
	case err != nil:
		return err
	}
	if r.block.isZero() {
		return r.trailer()
	}
	if sum, err := number(r.block.checksum()); err != nil || sum != r.block.sum() {
		return fault.New(fault.FormatInvalid, "header of entry %d (%q): checksum is %d, the field says %q", r.entries+1, text(r.block.name()), r.block.sum(), text(r.block.checksum()))
	}
	if m := r.block.magic(); string(m) != magicUstar && string(m) != magicGNU {
		return fault.New(fault.FormatInvalid, "header of entry %d (%q): magic %q is neither ustar nor GNU", r.entries+1, text(r.block.name()), m)
	}
	return nil
}

// trailer is called behind one block of zeros.
func (r *Reader) trailer() error {
	if r.end == Cut {
		return fault.New(fault.FormatInvalid, "a block of zeros behind %d entries: this part must end without one", r.entries)
	}
	for n := 1; ; n++ {
		switch k, err := io.ReadFull(source{r}, r.block[:]); {
		case err == io.EOF && n >= 2:
			return io.EOF
		case err == io.EOF:
			return fault.New(fault.FormatInvalid, "the archive ends with one block of zeros: two are needed")
		case err == io.ErrUnexpectedEOF:
			return fault.New(fault.FormatTrailing, "%d bytes behind the end of the archive", k)
		case err != nil:
			return err
		case !r.block.isZero() && n < 2:
			return fault.New(fault.FormatInvalid, "a single block of zeros between entries")
		case !r.block.isZero():
			return fault.New(fault.FormatTrailing, "data behind the end of the archive")
		}
	}
}

// entry makes a Header of the current block and what preceded it.
func (r *Reader) entry() (*Header, error) {
	r.entries++
	if r.entries > limits.Entries {
		return nil, fault.New(fault.LimitSize, "more than %d entries", limits.Entries)
	}
	h := &r.header
	*h = Header{Name: r.name(), Link: r.linkname(), Type: r.block.kind()}
	if err := r.fill(h); err != nil {
		return nil, entryError(h, err)
	}
	r.left, r.pad = h.Size, -h.Size&(blockSize-1)
	return h, nil
}

// entryError names the entry that err is about.
func entryError(h *Header, err error) error {
	if id := fault.Of(err); id != "" {
		return fault.New(id, "entry %q: %w", h.Name, err)
	}
	return err
}

func (r *Reader) name() string {
	if r.extra.name != nil {
		return string(r.extra.name)
	}
	name := text(r.block.name())
	if string(r.block.magic()) == magicUstar {
		if p := text(r.block.prefix()); len(p) > 0 {
			return string(p) + "/" + string(name)
		}
	}
	return string(name)
}

func (r *Reader) linkname() string {
	if r.extra.link != nil {
		return string(r.extra.link)
	}
	return string(text(r.block.linkname()))
}

// fill sets all of h but its names.
func (r *Reader) fill(h *Header) error {
	switch h.Type {
	case 0:
		h.Type = '0' // as before 1988
	case '0', '1', '2', '3', '4', '5', '6':
	case 'S':
		return fault.New(fault.FormatInvalid, "sparse files are not supported")
	case 'g':
		return fault.New(fault.FormatInvalid, "a global PAX header has no place in a package")
	default:
		return fault.New(fault.FormatInvalid, "type %q is not supported", h.Type)
	}
	if err := r.numbers(h); err != nil {
		return err
	}
	if err := r.extra.pax.apply(h); err != nil {
		return err
	}
	return r.check(h)
}

// numbers sets h's numeric fields.
func (r *Reader) numbers(h *Header) (err error) {
	b := &r.block
	field := func(name string, bytes []byte, max int64) int64 {
		n, bad := number(bytes)
		switch {
		case err != nil:
		case bad != nil:
			err = fault.New(fault.FormatInvalid, "%s: %w", name, bad)
		case n < 0 || n > max:
			err = fault.New(fault.FormatInvalid, "%s is %d: 0 to %d is allowed", name, n, max)
		}
		return n
	}
	h.Mode = uint16(field("mode", b.mode(), 1<<21-1)) & 0o7777
	h.UID = int(field("uid", b.uid(), limits.ID))
	h.GID = int(field("gid", b.gid(), limits.ID))
	h.Size = field("size", b.size(), math.MaxInt64-blockSize)
	h.Major = uint32(field("devmajor", b.devmajor(), math.MaxUint32))
	h.Minor = uint32(field("devminor", b.devminor(), math.MaxUint32))
	if err == nil {
		h.MTime, err = number(b.mtime()) // of any sign
	}
	return err
}

// check refuses combinations on which readers disagree.
func (r *Reader) check(h *Header) error {
	switch {
	case h.Size > 0 && h.Type != '0':
		return fault.New(fault.FormatInvalid, "%d bytes of content in an entry of type %q", h.Size, h.Type)
	case h.Type == '0' && len(h.Name) > 0 && h.Name[len(h.Name)-1] == '/':
		return fault.New(fault.FormatInvalid, "a file whose name ends with a slash")
	case h.Link != "" && h.Type != '1' && h.Type != '2':
		return fault.New(fault.FormatInvalid, "link target %q in an entry of type %q", h.Link, h.Type)
	case r.budget != nil && h.Size > r.budget.Left()+int64(r.limit-r.pos):
		return r.budget.Over(h.Size)
	}
	return nil
}

// Read gives the content of the current entry.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := source{r}.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, r.short(err)
}

// WriteTo gives the rest of the current entry to w, without another copy.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	for r.left > 0 {
		if r.pos == r.limit {
			if err := r.short(r.fillBuffer()); err != nil {
				return n, err
			}
		}
		k, err := w.Write(r.buf[r.pos:min(int64(r.limit), int64(r.pos)+r.left)])
		r.pos, r.left, n = r.pos+k, r.left-int64(k), n+int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// short is err, where io.EOF means that content is missing.
func (r *Reader) short(err error) error {
	if err != io.EOF {
		return err
	}
	r.done = fault.New(fault.FormatInvalid, "the archive is cut short: %d bytes of a file are missing", r.left)
	return r.done
}

func (r *Reader) skip(n int64) error {
	for n > 0 {
		if r.pos == r.limit {
			switch err := r.fillBuffer(); err {
			case nil:
			case io.EOF:
				return fault.New(fault.FormatInvalid, "the archive is cut short: %d bytes of a file are missing", n)
			default:
				return err
			}
		}
		k := min(n, int64(r.limit-r.pos))
		r.pos += int(k)
		n -= k
	}
	return nil
}

// fillBuffer reads into the empty buffer: a byte at least, or an error.
func (r *Reader) fillBuffer() error {
	for range 100 {
		n, err := r.r.Read(r.buf)
		r.pos, r.limit = 0, n
		if n > 0 {
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
	return errNoProgress
}

var errNoProgress = errors.New("the source gives neither bytes nor an error")

// source reads the archive's own bytes, through the buffer.
type source struct{ *Reader }

func (s source) Read(p []byte) (int, error) {
	if s.pos == s.limit {
		if len(p) >= len(s.buf) {
			return s.r.Read(p)
		}
		if err := s.fillBuffer(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.pos:s.limit])
	s.pos += n
	return n, nil
}
