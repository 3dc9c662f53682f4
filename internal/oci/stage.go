package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"compose/internal/fault"
)

// A stage is a file or folder that is being made beside the place where it
// shall stand. Nobody sees it there before it is complete and on the disk
// (threats.md C-06 to C-09). Its maker holds a lock on it, so that what a
// killed process left is told from what another one is making, and is
// removed by the next build for the same place.
type stage struct {
	target string
	path   string
	file   *os.File // the file itself, or the folder: it carries the lock
	need   int64    // bytes that will be written, for messages; 0: unknown
}

// newStage begins a stage for target, a folder or a file.
func newStage(target string, folder bool, need int64) (*stage, error) {
	s := &stage{target: target, need: need}
	parent, err := os.Open(filepath.Dir(target))
	if err != nil {
		return nil, s.fault(err)
	}
	defer parent.Close()
	lock(parent, true) // against one who takes a new stage for an abandoned one
	prefix := "." + filepath.Base(target) + ".compose-"
	reclaim(parent, prefix)
	for n := 0; ; n++ {
		s.path = filepath.Join(parent.Name(), fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), n))
		if folder {
			if err = os.Mkdir(s.path, 0o777); err == nil {
				s.file, err = os.Open(s.path)
			}
		} else {
			s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return nil, s.fault(err)
	}
	lock(s.file, true)
	return s, nil
}

// reclaim removes the stages in a folder that nobody works on any more.
func reclaim(parent *os.File, prefix string) {
	names, err := parent.Readdirnames(-1)
	if err != nil {
		return // stages of the past are no reason to stop
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		path := filepath.Join(parent.Name(), name)
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if lock(f, false) {
			os.RemoveAll(path)
		}
		f.Close()
	}
}

// Write is for a stage that is a file.
func (s *stage) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	return n, s.fault(err)
}

// add puts a file into a stage that is a folder, and the file onto the disk.
func (s *stage) add(name string, r io.Reader) (err error) {
	path := filepath.Join(s.path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return s.fault(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return s.fault(err)
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = s.fault(e)
		}
	}()
	if _, err := io.CopyBuffer(localWriter{f, s}, r, make([]byte, 256<<10)); err != nil {
		return err
	}
	return s.fault(f.Sync())
}

// A localWriter marks the errors of writing, so that those of the reader can
// be told from them.
type localWriter struct {
	w io.Writer
	s *stage
}

func (l localWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	return n, l.s.fault(err)
}

// commit puts the stage in the place of its target.
func (s *stage) commit() error {
	err := s.sync()
	if err == nil {
		err = s.replace()
	}
	if err == nil {
		err = syncFolder(filepath.Dir(s.target))
	}
	if err == nil {
		err = s.file.Close()
	}
	return s.fault(err)
}

// sync waits until the stage is on the disk: the file, or every folder of it.
func (s *stage) sync() error {
	return filepath.WalkDir(s.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncFolder(path)
	})
}

// replace renames the stage to the target. A folder cannot be renamed over
// another one that is not empty: the two change places then.
func (s *stage) replace() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := s.file.Sync(); err != nil {
			return err
		}
		return os.Rename(s.path, s.target)
	}
	if err := os.Rename(s.path, s.target); !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// What stood there before is removed as well as it can be: another build
	// may take it for abandoned, which it is, and help.
	if exchange(s.path, s.target) == nil {
		os.RemoveAll(s.path)
		return nil
	}
	old := s.path + ".old"
	if err := os.Rename(s.target, old); err != nil {
		return err
	}
	if err := os.Rename(s.path, s.target); err != nil {
		os.Rename(old, s.target)
		return err
	}
	os.RemoveAll(old)
	return nil
}

// abort removes the stage; it is harmless after commit.
func (s *stage) abort() {
	if s.file.Close() == nil { // it was not closed before: there was no commit
		os.RemoveAll(s.path)
	}
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: a file system without
		return err
	}
	return nil
}

// fault words an error of the local file system; nil stays nil.
func (s *stage) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		need := ""
		if s.need > 0 {
			need = fmt.Sprintf("needs %d bytes, ", s.need)
		}
		return fault.New(fault.LocalSpace, "output %q: %s%s free; nothing was written: %w", s.target, need, free(filepath.Dir(s.target)), err)
	}
	return fault.New(fault.LocalFile, "output %q: %w", s.target, err)
}

// existing looks at what stands where an output shall go; nil: nothing. It
// must be a file or a folder, as wanted, and the user's own (threats.md
// M-11).
func existing(target string, folder bool) (fs.FileInfo, error) {
	info, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(fault.LocalFile, "output %q: %w", target, err)
	}
	want := "a file"
	if folder {
		want = "a folder"
	}
	if folder != info.IsDir() || !folder && !info.Mode().IsRegular() {
		return nil, fault.New(fault.LocalFile, "output %q: want %s or nothing there, is %s", target, want, kindOf(info))
	}
	if uid, ok := owner(info); ok && uid != os.Geteuid() {
		return nil, fault.New(fault.LocalFile, "output %q: belongs to user %d, not to user %d who runs this", target, uid, os.Geteuid())
	}
	return info, nil
}

func kindOf(info fs.FileInfo) string {
	switch info.Mode().Type() {
	case 0:
		return "a file"
	case fs.ModeDir:
		return "a folder"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a FIFO"
	default:
		return "a device or socket"
	}
}

// writeFile makes the file target of what produce writes. A file that holds
// just that already is left alone, and changed is false.
func writeFile(target string, produce func(io.Writer) error) (changed bool, err error) {
	old, err := existing(target, false)
	if err != nil {
		return false, err
	}
	if old != nil {
		same, err := holds(target, produce)
		if same || err != nil {
			return false, err
		}
	}
	s, err := newStage(target, false, 0)
	if err != nil {
		return false, err
	}
	defer s.abort()
	if err := produce(s); err != nil {
		return false, err
	}
	return true, s.commit()
}

var errDiffers = errors.New("it differs")

// holds reports whether the file is just what produce writes.
func holds(file string, produce func(io.Writer) error) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, fault.New(fault.LocalFile, "output %q: %w", file, err)
	}
	defer f.Close()
	c := &comparer{r: f}
	err = produce(c)
	if errors.Is(err, errDiffers) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, err := f.Read(make([]byte, 1))
	return n == 0 && err == io.EOF, nil
}

// A comparer is a writer that takes only what it also reads.
type comparer struct {
	r   io.Reader
	buf []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	if _, err := io.ReadFull(c.r, c.buf[:len(p)]); err != nil || !bytes.Equal(c.buf[:len(p)], p) {
		return 0, errDiffers
	}
	return len(p), nil
}
