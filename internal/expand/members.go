package expand

import (
	"bufio"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Members reads gzip members that stand one behind the other, as in an apk,
// each on its own: nothing that one of them says carries over to the next.
type Members struct {
	tap    tap
	buf    *bufio.Reader
	z      *gzip.Reader
	budget *Budget
}

// NewMembers reads the members of r, charging what they expand to to budget.
func NewMembers(r io.Reader, budget *Budget) *Members {
	m := &Members{tap: tap{r: r}, budget: budget}
	m.buf = bufio.NewReaderSize(&m.tap, bufferSize)
	return m
}

// Next begins the next member, which the caller then reads to its end; the
// member's compressed bytes go to h, if h is not nil. After the last member
// it answers io.EOF.
func (m *Members) Next(h hash.Hash) (err error) {
	m.tap.flush(m.buf.Buffered())
	m.tap.h = h
	if _, err := m.buf.Peek(1); err != nil {
		return err
	}
	if m.z == nil {
		m.z, err = gzip.NewReader(m.buf)
	} else {
		err = m.z.Reset(m.buf)
	}
	if err != nil {
		return reason(notEmpty(err))
	}
	m.z.Multistream(false)
	return nil
}

// More reports whether anything stands behind the current member.
func (m *Members) More() bool {
	_, err := m.buf.Peek(1) // never more than 1: see tap
	return err == nil
}

// Read gives the bytes of the current member. When it answers io.EOF the
// member's last compressed byte has gone to the hash.
func (m *Members) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if over := m.budget.take(n); over != nil {
		return 0, over
	}
	if err == io.EOF {
		m.tap.flush(m.buf.Buffered())
	}
	return n, reason(err)
}

// A tap hashes what a bufio.Reader takes from r, but only once that reader
// has passed it on: where one member ends is known no earlier. The bytes wait
// where the bufio.Reader has put them, since it reads again only after it has
// passed all of them on.
type tap struct {
	r       io.Reader
	h       hash.Hash
	waiting []byte
}

func (t *tap) Read(p []byte) (int, error) {
	t.flush(0)
	n, err := t.r.Read(p)
	t.waiting = p[:n]
	return n, err
}

// flush hashes all but the last keep bytes.
func (t *tap) flush(keep int) {
	done := len(t.waiting) - keep
	if t.h != nil {
		t.h.Write(t.waiting[:done])
	}
	t.waiting = t.waiting[done:]
}
