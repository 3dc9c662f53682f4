package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/rootfs"
)

// A compression is a way to compress chunks.
type compression struct {
	mediaType string
	// encoder makes a function that compresses src and appends the result
	// to dst. It serves one goroutine. nil: chunks stay as they are.
	encoder func() (func(dst, src []byte) ([]byte, error), error)
}

// The encoders and their levels are part of the layer format epoch. Level 6
// of this gzip and the default level of this zstd are the best points before
// the time rises steeply.
var compressions = map[string]compression{
	"gzip": {v1.MediaTypeImageLayerGzip, gzipEncoder},
	"zstd": {v1.MediaTypeImageLayerZstd, zstdEncoder},
	"none": {v1.MediaTypeImageLayer, nil},
}

// gzipEncoder's members have no name and OS 255, as the package has it, and
// no time, for which the package would write 2042.
func gzipEncoder() (func(dst, src []byte) ([]byte, error), error) {
	z, err := gzip.NewWriterLevel(nil, 6)
	if err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) {
		b := bytes.NewBuffer(dst)
		z.Reset(b)
		z.ModTime = time.Unix(0, 0)
		if _, err := z.Write(src); err != nil {
			return nil, err
		}
		err := z.Close()
		return b.Bytes(), err
	}, nil
}

func zstdEncoder() (func(dst, src []byte) ([]byte, error), error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) { return z.EncodeAll(src, dst), nil }, nil
}

// A chunk is a stretch of the tar stream on its way through the pipeline: cut,
// hashed, compressed by one of several workers, written in order.
type chunk struct {
	key  cas.Digest
	data []byte        // uncompressed; nil once it is no longer needed
	out  []byte        // compressed
	lent []byte        // the buffer of out, to give back; nil if the store made it
	done chan struct{} // closed once out is there
}

// A pipeline makes one layer. Its stages are goroutines with short queues
// between them, so that reading, hashing, compressing and writing overlap and
// no more than a few chunks a worker are in memory.
type pipeline struct {
	store   cas.Store
	plan    plan
	method  compression
	cut     chan *chunk // to the hasher
	hashed  chan *chunk // to the workers
	ordered chan *chunk // to the writer
}

// compress makes the layer of a plan.
func compress(ctx context.Context, segments []rootfs.Segment, store cas.Store, o LayerOptions, method compression, p plan) (Layer, error) {
	pl := &pipeline{
		store: store, plan: p, method: method,
		cut:     make(chan *chunk, 1),
		hashed:  make(chan *chunk, 1),
		ordered: make(chan *chunk, o.Jobs),
	}
	var l Layer
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return pl.read(ctx, segments, o.Epoch) })
	g.Go(func() (err error) {
		l.DiffID, l.TarSize, err = pl.hash(ctx)
		return err
	})
	for range o.Jobs {
		g.Go(func() error { return pl.work(ctx) })
	}
	g.Go(func() error {
		ref, err := store.Put(&orderedReader{ctx: ctx, chunks: pl.ordered})
		l.Digest, l.Size = ref.Digest, ref.Size
		return err
	})
	if err := g.Wait(); err != nil {
		return Layer{}, err
	}
	return l, nil
}

// read cuts the tar stream into chunks.
func (pl *pipeline) read(ctx context.Context, segments []rootfs.Segment, epoch int64) error {
	c := &cutter{ctx: ctx, pipeline: pl}
	for _, s := range segments {
		if err := s.WriteTo(c, pl.store, epoch); err != nil {
			return err
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	if _, err := c.Write(zeros[:]); err != nil {
		return err
	}
	if err := c.end(); err != nil {
		return err
	}
	if c.next != len(pl.plan.chunks) {
		return fmt.Errorf("layer: %d chunks, planned were %d", c.next, len(pl.plan.chunks))
	}
	close(pl.cut)
	return nil
}

// hash gives the digest and the size of the tar stream.
func (pl *pipeline) hash(ctx context.Context) (cas.Digest, int64, error) {
	h := sha256.New()
	var size int64
	for {
		c, err := receive(ctx, pl.cut)
		if err != nil {
			return cas.Digest{}, 0, err
		}
		if c == nil {
			break
		}
		h.Write(c.data)
		size += int64(len(c.data))
		if err := send(ctx, pl.ordered, c); err != nil {
			return cas.Digest{}, 0, err
		}
		if err := send(ctx, pl.hashed, c); err != nil {
			return cas.Digest{}, 0, err
		}
	}
	close(pl.hashed)
	close(pl.ordered)
	return cas.Digest(h.Sum(nil)), size, nil
}

// work compresses chunks until there are no more.
func (pl *pipeline) work(ctx context.Context) error {
	var encode func(dst, src []byte) ([]byte, error)
	if pl.method.encoder != nil {
		var err error
		if encode, err = pl.method.encoder(); err != nil {
			return err
		}
	}
	for {
		c, err := receive(ctx, pl.hashed)
		if c == nil {
			return err
		}
		if encode == nil {
			c.out, c.lent = c.data, c.data
		} else if err := pl.encode(c, encode); err != nil {
			return err
		}
		c.data = nil
		close(c.done)
	}
}

// encode compresses a chunk, or takes it from the store.
func (pl *pipeline) encode(c *chunk, encode func(dst, src []byte) ([]byte, error)) (err error) {
	defer release(c.data)
	var ok bool
	if c.out, ok = pl.store.Derived("chunk", c.key); ok {
		return nil
	}
	if c.out, err = encode(buffer(), c.data); err != nil {
		return err
	}
	c.lent = c.out
	return pl.store.PutDerived("chunk", c.key, c.out)
}

// buffers serve all pipelines: the layers of several platforms come one after
// the other.
var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// buffer is an empty buffer with room for a chunk.
func buffer() []byte { return buffers.Get().(*[chunkSize]byte)[:0] }

// release gives a buffer back, be it one that had to grow.
func release(b []byte) {
	if cap(b) >= chunkSize {
		buffers.Put((*[chunkSize]byte)(b[:chunkSize]))
	}
}

// send gives c to the next stage, unless the pipeline was stopped.
func send(ctx context.Context, to chan<- *chunk, c *chunk) error {
	select {
	case to <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive waits for a chunk from the stage before; nil is the end. A stage
// that stopped half-way does not close its queue: the context ends then.
func receive(ctx context.Context, from <-chan *chunk) (*chunk, error) {
	select {
	case c := <-from:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A cutter is a writer that cuts what is written into chunks.
type cutter struct {
	ctx      context.Context
	pipeline *pipeline
	buf      []byte // of the chunk being filled; nil between chunks
	next     int    // its number
}

func (c *cutter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if err := c.makeRoom(); err != nil {
			return 0, err
		}
		n := min(len(p), chunkSize-len(c.buf))
		c.buf = append(c.buf, p[:n]...)
		p = p[n:]
	}
	return written, nil
}

// ReadFrom reads straight into chunks, so that contents are not copied.
func (c *cutter) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if err := c.makeRoom(); err != nil {
			return n, err
		}
		k, err := r.Read(c.buf[len(c.buf):chunkSize])
		c.buf = c.buf[:len(c.buf)+k]
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// makeRoom sends a full chunk on its way and begins another.
func (c *cutter) makeRoom() error {
	if len(c.buf) == chunkSize {
		if err := c.end(); err != nil {
			return err
		}
	}
	if c.buf == nil {
		c.buf = buffer()
	}
	return nil
}

// end ends the chunk, unless it is empty.
func (c *cutter) end() error {
	if len(c.buf) == 0 {
		return nil
	}
	if c.next == len(c.pipeline.plan.chunks) {
		return fmt.Errorf("layer: more chunks than were planned, %d", c.next)
	}
	full := &chunk{key: c.pipeline.plan.chunks[c.next], data: c.buf, done: make(chan struct{})}
	c.buf = nil
	c.next++
	return send(c.ctx, c.pipeline.cut, full)
}

// An orderedReader gives the compressed chunks, one behind the other.
type orderedReader struct {
	ctx    context.Context
	chunks <-chan *chunk
	now    []byte // what is left of the current chunk
	lent   []byte // its buffer
}

func (r *orderedReader) Read(p []byte) (int, error) {
	for len(r.now) == 0 {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.now)
	r.now = r.now[n:]
	return n, nil
}

// advance waits for the next chunk.
func (r *orderedReader) advance() error {
	release(r.lent)
	r.lent = nil
	c, err := receive(r.ctx, r.chunks)
	if err != nil {
		return err
	}
	if c == nil {
		return io.EOF
	}
	select {
	case <-c.done:
		r.now, r.lent = c.out, c.lent
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
