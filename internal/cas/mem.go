package cas

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// A Mem is a Store in memory.
type Mem struct {
	mu      sync.RWMutex
	blobs   map[Digest][]byte
	packs   map[Digest][]byte
	derived map[derivedKey][]byte
}

type derivedKey struct {
	kind string
	key  Digest
}

// NewMem is an empty Mem.
func NewMem() *Mem {
	return &Mem{blobs: map[Digest][]byte{}, packs: map[Digest][]byte{}, derived: map[derivedKey][]byte{}}
}

// Put is Store.Put.
func (m *Mem) Put(r io.Reader) (Ref, error) { return m.PutAs(r, Digest{}) }

// PutAs is Store.PutAs; the zero Digest stands for any.
func (m *Mem) PutAs(r io.Reader, want Digest) (Ref, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Ref{}, err
	}
	ref := Ref{Digest: Sum(data), Size: int64(len(data))}
	if !want.IsZero() && ref.Digest != want {
		return Ref{}, &Mismatch{Want: want, Got: ref}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[ref.Digest] = data
	return ref, nil
}

// Open is Store.Open.
func (m *Mem) Open(ref Ref) (io.ReadCloser, error) {
	m.mu.RLock()
	area, key := m.blobs, ref.Digest
	if !ref.Pack.IsZero() {
		area, key = m.packs, ref.Pack
	}
	data, ok := area[key]
	m.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("%v: %w", key, fs.ErrNotExist)
	}
	if ref.Pack.IsZero() && ref.Size < 0 {
		ref.Size = int64(len(data))
	}
	bad := func(string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(area, key)
	}
	if ref.Pack.IsZero() && ref.Size != int64(len(data)) || !within(ref, int64(len(data))) {
		bad("")
		return nil, fmt.Errorf("%v: %w", key, ErrDamaged)
	}
	return verify(bytes.NewReader(data[ref.Offset:ref.Offset+ref.Size]), ref, bad, nil), nil
}

// within reports whether ref lies inside of a file of the given size.
func within(ref Ref, size int64) bool {
	return ref.Offset >= 0 && ref.Size >= 0 && ref.Offset <= size && ref.Size <= size-ref.Offset
}

// Has is Store.Has.
func (m *Mem) Has(d Digest, size int64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.blobs[d]
	return ok && (size < 0 || size == int64(len(data)))
}

// NewPack is Store.NewPack.
func (m *Mem) NewPack(key Digest) (PackWriter, error) {
	return &memPack{mem: m, key: key}, nil
}

type memPack struct {
	mem  *Mem
	key  Digest
	data bytes.Buffer
}

func (p *memPack) Append(r io.Reader) (Ref, error) {
	start := p.data.Len()
	if _, err := p.data.ReadFrom(r); err != nil {
		p.data.Truncate(start)
		return Ref{}, err
	}
	b := p.data.Bytes()[start:]
	return Ref{Digest: Sum(b), Size: int64(len(b)), Pack: p.key, Offset: int64(start)}, nil
}

func (p *memPack) Commit() error {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	p.mem.packs[p.key] = p.data.Bytes()
	return nil
}

func (p *memPack) Abort() {}

// Derived is Store.Derived.
func (m *Mem) Derived(kind string, key Digest) ([]byte, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.derived[derivedKey{kind, key}]
	return bytes.Clone(data), ok
}

// PutDerived is Store.PutDerived.
func (m *Mem) PutDerived(kind string, key Digest, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.derived[derivedKey{kind, key}] = bytes.Clone(data)
	return nil
}
