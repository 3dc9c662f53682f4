package expand

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"path"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/resolve"
)

// bufferSize is how many compressed bytes are read at once.
const bufferSize = 64 << 10

func buffered(r io.Reader) byteReader {
	if b, ok := r.(byteReader); ok {
		return b
	}
	return bufio.NewReaderSize(r, bufferSize)
}

// A Budget is how many bytes the parts of one file may expand to, all
// together; parts that are only skipped count as well.
type Budget struct {
	in    *Input  // what the bytes are expanded from, for the message
	limit int64   // in bytes
	used  int64   //
	whole *Budget // the budget that this one is a part of; may be nil
}

// NewBudget is the budget of a package file whose signed metadata promise the
// given installed size, in bytes: twice that and limits.Slack.
func NewBudget(in *Input, installed int64) *Budget {
	limit := int64(limits.Expanded)
	switch {
	case installed > 0 && installed < limits.Expanded/2:
		limit = min(limit, 2*installed+limits.Slack)
	case installed <= 0 && in.size < limits.Expanded/limits.Ratio:
		limit = min(limit, limits.Ratio*in.size+limits.Slack)
	}
	return &Budget{in: in, limit: limit}
}

// Part is a smaller budget of at most limit bytes, whose use counts against b
// as well.
func (b *Budget) Part(limit int64) *Budget {
	return &Budget{in: b.in, limit: min(limit, b.Left()), whole: b}
}

// Left is what may still be expanded, in bytes.
func (b *Budget) Left() int64 { return b.limit - b.used }

func (b *Budget) take(n int) error {
	b.used += int64(n)
	if b.used > b.limit {
		return b.Over(b.used)
	}
	if b.whole != nil {
		return b.whole.take(n)
	}
	return nil
}

// Over is the refusal of something that expands to n bytes at least.
func (b *Budget) Over(n int64) error {
	return fault.New(fault.LimitExpanded, "expands to %d bytes or more: the limit is %d; the file's first %d bytes gave %d", n, b.limit, b.in.n, min(b.used, b.limit))
}

// An Input is a package file as it is read. It remembers what its source
// itself has to say: a store that checks its bytes does so at their end, and
// damage explains whatever a parser made of it.
type Input struct {
	r    io.Reader
	want cas.Digest
	size int64
	hash hash.Hash // nil: nothing to compare with
	n    int64
	err  error // what ended r; io.EOF too
}

// NewInput reads r, which has size bytes (0: unknown) and the digest want (the
// zero Digest: not compared).
func NewInput(r io.Reader, size int64, want cas.Digest) *Input {
	in := &Input{r: r, want: want, size: size}
	if !want.IsZero() {
		in.hash = sha256.New()
	}
	return in
}

// Size is how many bytes were read.
func (in *Input) Size() int64 { return in.n }

func (in *Input) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.r.Read(p)
	in.n += int64(n)
	if in.hash != nil {
		in.hash.Write(p[:n])
	}
	if err == nil && in.size > 0 && in.n > in.size {
		err = fault.New(fault.TrustHash, "longer than the %d bytes it should have", in.size)
	}
	in.err = err
	return n, err
}

// Finish reads the input to its end and gives the reason why it is refused:
// what its source says, then a wrong digest, then parsed, which is what the
// parser said of its bytes.
func (in *Input) Finish(parsed error) error {
	if in.err == nil {
		io.Copy(io.Discard, in) // its error stays in in.err
	}
	if in.err != io.EOF {
		return in.err
	}
	if in.hash != nil {
		if got := cas.Digest(in.hash.Sum(nil)); got != in.want {
			return fault.New(fault.TrustHash, "SHA-256 is %s: the index or lock says %s", got.Hex(), in.want.Hex())
		}
	}
	return parsed
}

// Name puts the package file's name before the refusal.
func Name(p resolve.Locked, err error) error {
	name := path.Base(p.Path)
	if p.Path == "" {
		name = p.Name + " " + p.Version
	}
	if id := fault.Of(err); id != "" {
		return fault.New(id, "%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
