package cas

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"compose/internal/fault"
)

// A Dir is a Store on disk that any number of processes may use at once.
//
//	sha256/ab/HEX        a blob
//	pack/ab/HEX          a pack
//	derived/KIND/ab/HEX  a derived entry: the SHA-256 of its data, then the data
//	damaged/HEX          what was found damaged, for people to look at
//	lock/HEX             somebody fetches that blob
//	tmp/                 unfinished files
//
// A file gets its name by a rename once it is complete, and never changes
// afterwards. Nothing is synced to disk: a file that a power failure has cut
// short does not have its digest, and so is not there. The modification time
// says when a file was used last, within an hour.
type Dir struct {
	// Warn is told, in one line, of damage that was found and of anything
	// else that people should know; nil: nobody is.
	Warn func(msg string)

	root   string
	spill  string // where root cannot be written: a private folder that takes its place; or ""
	shared bool   // others may write in root

	mu    sync.Mutex
	packs map[Digest]*openPack
	tick  int64
	bad   map[string]bool // damaged files of root that cannot be moved aside
}

const (
	dirMode     = 0o700
	maxPacks    = 64        // packs kept open while nobody reads them
	youngAge    = time.Hour // entries used more recently are never cleaned
	copyBufSize = 128 << 10
)

var areas = []string{"sha256", "pack", "derived", "damaged", "lock", "tmp"}

// OpenDir opens the store at path, and makes it if there is none. Where the
// folder cannot be written its entries are read, and new ones are kept in a
// private temporary folder until Close; ReadOnly tells.
func OpenDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.LocalFile, "cache %q: %w", path, err)
	}
	d := &Dir{root: path, packs: map[Digest]*openPack{}, bad: map[string]bool{}}
	if err := d.prepare(); err != nil {
		return nil, err
	}
	d.reclaim()
	return d, nil
}

// prepare makes the folders, and refuses a root that is not plainly ours
// (threats.md M-11).
func (d *Dir) prepare() error {
	err := os.MkdirAll(filepath.Dir(d.root), dirMode)
	if err == nil {
		if err = os.Mkdir(d.root, dirMode); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if info, statErr := os.Lstat(d.root); statErr == nil {
		if !info.IsDir() {
			return fault.New(fault.LocalFile, "cache %q: want a folder, is %v", d.root, info.Mode().Type())
		}
		if uid, ok := owner(info); ok && uid != os.Geteuid() {
			return fault.New(fault.LocalFile, "cache %q: belongs to user %d, not to user %d who runs this", d.root, uid, os.Geteuid())
		}
		d.shared = info.Mode().Perm()&0o022 != 0
	}
	for _, a := range areas {
		if err == nil {
			err = os.MkdirAll(filepath.Join(d.root, a), dirMode)
		}
	}
	if err == nil {
		err = writable(filepath.Join(d.root, "tmp"))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return d.makeSpill()
	}
	return d.fault(d.root, err)
}

// writable tries to make a file: modes do not tell about a read-only mount.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

func (d *Dir) makeSpill() error {
	spill, err := os.MkdirTemp("", "compose-cache-")
	if err != nil {
		return d.fault(os.TempDir(), err)
	}
	d.spill = spill
	for _, a := range areas {
		if err := os.Mkdir(filepath.Join(spill, a), dirMode); err != nil {
			return d.fault(spill, err)
		}
	}
	return nil
}

// ReadOnly reports whether the store's folder cannot be written.
func (d *Dir) ReadOnly() bool { return d.spill != "" }

// Shared reports whether other users may write in the store's folder. Derived
// entries, which no signature vouches for, are then neither read nor kept.
func (d *Dir) Shared() bool { return d.shared }

// Path is the store's folder.
func (d *Dir) Path() string { return d.root }

// Close gives back what the store holds open. What is being read stays
// readable.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, p := range d.packs {
		if p.readers == 0 {
			p.file.Close()
		} else {
			p.gone = true
		}
		delete(d.packs, key)
	}
	if d.spill != "" {
		return os.RemoveAll(d.spill)
	}
	return nil
}

// home is the folder that new files go to.
func (d *Dir) home() string {
	if d.spill != "" {
		return d.spill
	}
	return d.root
}

// entry is the path of an entry below a root.
func entry(root, area string, key Digest) string {
	h := key.Hex()
	return filepath.Join(root, area, h[:2], h)
}

// open opens the file of an entry and notes that it was used.
func (d *Dir) open(area string, key Digest) (*os.File, fs.FileInfo, error) {
	var f *os.File
	var err error = fs.ErrNotExist
	if d.spill != "" {
		f, err = os.Open(entry(d.spill, area, key))
	}
	if errors.Is(err, fs.ErrNotExist) {
		path := entry(d.root, area, key)
		if d.isBad(path) {
			return nil, nil, err
		}
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	if now := time.Now(); now.Sub(info.ModTime()) > youngAge {
		os.Chtimes(f.Name(), now, now) // for the cleaner; a read-only store does without
	}
	return f, info, nil
}

func (d *Dir) isBad(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad[path]
}

// Put is Store.Put.
func (d *Dir) Put(r io.Reader) (Ref, error) { return d.PutAs(r, Digest{}) }

// PutAs is Store.PutAs; the zero Digest stands for any.
func (d *Dir) PutAs(r io.Reader, want Digest) (Ref, error) {
	f, err := d.temp()
	if err != nil {
		return Ref{}, err
	}
	sink := &sink{dir: d, name: f.Name(), w: f, hash: sha256.New()}
	size, err := sink.copy(r)
	if err != nil {
		discard(f)
		return Ref{}, err
	}
	ref := Ref{Digest: Digest(sink.hash.Sum(nil)), Size: size}
	if !want.IsZero() && ref.Digest != want {
		discard(f)
		return Ref{}, &Mismatch{Want: want, Got: ref}
	}
	if err := d.place(f, "sha256", ref.Digest); err != nil {
		return Ref{}, err
	}
	return ref, nil
}

// A sink hashes what it writes, and tells an error of the file system from
// one of the reader.
type sink struct {
	dir  *Dir
	name string // of the file
	w    io.Writer
	hash hash.Hash
}

var copyBufs = sync.Pool{New: func() any { return new([copyBufSize]byte) }}

// copy is io.Copy with a buffer that is used again.
func (s *sink) copy(r io.Reader) (n int64, err error) {
	buf := copyBufs.Get().(*[copyBufSize]byte)
	defer copyBufs.Put(buf)
	for {
		k, err := r.Read(buf[:])
		s.hash.Write(buf[:k])
		if _, err := s.w.Write(buf[:k]); err != nil {
			return n, s.dir.fault(s.name, err)
		}
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (d *Dir) temp() (*os.File, error) {
	dir := filepath.Join(d.home(), "tmp")
	f, err := os.CreateTemp(dir, "")
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the store under us
		os.MkdirAll(dir, dirMode)
		f, err = os.CreateTemp(dir, "")
	}
	if err != nil {
		return nil, d.fault(dir, err)
	}
	return f, nil
}

func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// place closes f and gives it its name.
func (d *Dir) place(f *os.File, area string, key Digest) error {
	path := entry(d.home(), area, key)
	err := f.Close()
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if errors.Is(err, fs.ErrNotExist) { // the first of its folder
		if err = os.MkdirAll(filepath.Dir(path), dirMode); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		os.Remove(f.Name())
		return d.fault(path, err)
	}
	return nil
}

// Open is Store.Open.
func (d *Dir) Open(ref Ref) (io.ReadCloser, error) {
	if !ref.Pack.IsZero() {
		return d.openInPack(ref)
	}
	f, info, err := d.open("sha256", ref.Digest)
	if err != nil {
		return nil, d.readError(ref.Digest, err)
	}
	if ref.Size < 0 {
		ref.Size = info.Size()
	}
	if ref.Size != info.Size() || !info.Mode().IsRegular() {
		seen := fmt.Sprintf("%d bytes, not %d", info.Size(), ref.Size)
		d.moveAside(f, ref.Digest, seen)
		f.Close()
		return nil, fmt.Errorf("%v: %w: holds %s", ref.Digest, ErrDamaged, seen)
	}
	return verify(f, ref, func(seen string) { d.moveAside(f, ref.Digest, seen) }, f.Close), nil
}

func (d *Dir) readError(key Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%v: %w", key, fs.ErrNotExist)
	}
	return d.fault(d.root, err)
}

// moveAside takes the damaged file f out of its place, unless a sound one
// stands there by now.
func (d *Dir) moveAside(f *os.File, key Digest, seen string) {
	d.warn("cache: %q is damaged: want %v, holds %s; it will be made again", f.Name(), key, seen)
	now, err := os.Lstat(f.Name())
	mine, err2 := f.Stat()
	if err != nil || err2 != nil || !os.SameFile(now, mine) {
		return
	}
	if os.Rename(f.Name(), filepath.Join(d.home(), "damaged", key.Hex())) == nil {
		return
	}
	if os.Remove(f.Name()) != nil {
		d.mu.Lock()
		d.bad[f.Name()] = true
		d.mu.Unlock()
	}
}

func (d *Dir) warn(format string, args ...any) {
	if d.Warn != nil {
		d.Warn(fmt.Sprintf(format, args...))
	}
}

// Has is Store.Has.
func (d *Dir) Has(blob Digest, size int64) bool {
	for _, root := range []string{d.spill, d.root} {
		if root == "" {
			continue
		}
		path := entry(root, "sha256", blob)
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && (size < 0 || size == info.Size()) && !d.isBad(path) {
			return true
		}
	}
	return false
}

// Lock waits until no other process holds the lock of the blob, and takes it,
// so that two processes do not fetch the same bytes. It is a courtesy:
// nothing breaks without it, and where it cannot be had before ctx ends, the
// caller goes on without. The kernel frees the lock of a process that ends.
func (d *Dir) Lock(ctx context.Context, blob Digest) (unlock func()) {
	path := filepath.Join(d.home(), "lock", blob.Hex())
	l := flock.New(path, flock.SetPermissions(0o600))
	if ok, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil || !ok {
		return func() {}
	}
	return func() {
		os.Remove(path) // who waits for it finds the blob, or fetches it once more
		l.Unlock()
	}
}

// Derived is Store.Derived.
func (d *Dir) Derived(kind string, key Digest) ([]byte, bool) {
	if d.shared {
		return nil, false
	}
	f, info, err := d.open(filepath.Join("derived", kind), key)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil || len(data) < sha256.Size {
		d.moveAside(f, key, fmt.Sprintf("%d bytes", len(data)))
		return nil, false
	}
	sum, data := data[:sha256.Size], data[sha256.Size:]
	if want := Sum(data); !bytes.Equal(sum, want[:]) {
		d.moveAside(f, key, want.String())
		return nil, false
	}
	return data, true
}

// PutDerived is Store.PutDerived.
func (d *Dir) PutDerived(kind string, key Digest, data []byte) error {
	if d.shared {
		return nil
	}
	f, err := d.temp()
	if err != nil {
		return err
	}
	sum := Sum(data)
	_, err = f.Write(sum[:])
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		discard(f)
		return d.fault(f.Name(), err)
	}
	return d.place(f, filepath.Join("derived", kind), key)
}

// An openPack is a pack that is open for readers.
type openPack struct {
	file    *os.File
	size    int64
	readers int
	used    int64 // when, counted in openings
	gone    bool  // no longer in Dir.packs: the last reader closes the file
}

func (d *Dir) openInPack(ref Ref) (io.ReadCloser, error) {
	p, err := d.acquire(ref.Pack)
	if err != nil {
		return nil, d.readError(ref.Pack, err)
	}
	bad := func(seen string) {
		d.moveAside(p.file, ref.Pack, seen)
		d.forget(ref.Pack, p)
	}
	done := func() error { d.release(p); return nil }
	if !within(ref, p.size) {
		bad(fmt.Sprintf("%d bytes", p.size))
		done()
		return nil, fmt.Errorf("pack %v: %w: holds %d bytes", ref.Pack, ErrDamaged, p.size)
	}
	return verify(io.NewSectionReader(p.file, ref.Offset, ref.Size), ref, bad, done), nil
}

// acquire gives the open pack of the key, for one more reader.
func (d *Dir) acquire(key Digest) (*openPack, error) {
	d.mu.Lock()
	p := d.packs[key]
	if p == nil {
		d.mu.Unlock()
		f, info, err := d.open("pack", key)
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		if p = d.packs[key]; p != nil { // another goroutine was faster
			f.Close()
		} else {
			p = &openPack{file: f, size: info.Size()}
			d.packs[key] = p
		}
	}
	defer d.mu.Unlock()
	d.tick++
	p.used = d.tick
	p.readers++
	d.evict()
	return p, nil
}

// evict closes the packs that nobody reads and that were not used for
// longest, until few enough are open.
func (d *Dir) evict() {
	for len(d.packs) > maxPacks {
		var oldest Digest
		var found *openPack
		for key, p := range d.packs {
			if p.readers == 0 && (found == nil || p.used < found.used) {
				oldest, found = key, p
			}
		}
		if found == nil {
			return
		}
		found.file.Close()
		delete(d.packs, oldest)
	}
}

func (d *Dir) release(p *openPack) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.readers--
	if p.gone && p.readers == 0 {
		p.file.Close()
	}
}

// forget takes p out of the table, so that the next reader opens the file
// that stands there then.
func (d *Dir) forget(key Digest, p *openPack) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.packs[key] == p {
		delete(d.packs, key)
		p.gone = true
	}
}

// NewPack is Store.NewPack.
func (d *Dir) NewPack(key Digest) (PackWriter, error) {
	f, err := d.temp()
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, copyBufSize)
	return &dirPack{dir: d, key: key, file: f, w: w, sink: sink{d, f.Name(), w, sha256.New()}}, nil
}

type dirPack struct {
	dir  *Dir
	key  Digest
	file *os.File // nil once committed or aborted
	w    *bufio.Writer
	sink sink // to w
	size int64
	err  error // an Append broke off: the pack cannot be had any more
}

func (p *dirPack) Append(r io.Reader) (Ref, error) {
	if p.err != nil {
		return Ref{}, p.err
	}
	p.sink.hash.Reset()
	n, err := p.sink.copy(r)
	if err != nil {
		p.err = err
		return Ref{}, err
	}
	ref := Ref{Digest: Digest(p.sink.hash.Sum(nil)), Size: n, Pack: p.key, Offset: p.size}
	p.size += n
	return ref, nil
}

func (p *dirPack) Commit() error {
	if p.err != nil {
		return p.err
	}
	if err := p.w.Flush(); err != nil {
		return p.dir.fault(p.file.Name(), err)
	}
	f := p.file
	p.file = nil
	if err := p.dir.place(f, "pack", p.key); err != nil {
		return err
	}
	p.dir.mu.Lock()
	old := p.dir.packs[p.key]
	p.dir.mu.Unlock()
	if old != nil {
		p.dir.forget(p.key, old)
	}
	return nil
}

func (p *dirPack) Abort() {
	if p.file != nil {
		discard(p.file)
		p.file = nil
	}
}

// fault words an error of the local file system; nil stays nil.
func (d *Dir) fault(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.LocalSpace, "cache %q: no space left, %s free: %w", path, free(filepath.Dir(path)), err)
	}
	return fault.New(fault.LocalFile, "cache %q: %w", path, err)
}
