package oci

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/rootfs"
)

// WriteArchive writes the bundle as a tar file that is an OCI layout and a
// docker archive at once. It reports whether the file changed: one that holds
// just that is read and left alone.
func (b *Bundle) WriteArchive(ctx context.Context, file string, store cas.Store) (changed bool, err error) {
	nodes, contents, err := b.files(store, true)
	if err != nil {
		return false, err
	}
	return writeFile(file, func(w io.Writer) error {
		return rootfs.WriteTar(stoppable{ctx, w}, []rootfs.Segment{{Nodes: nodes}}, contents, b.Index.Epoch())
	})
}

// WriteRootfs writes the file tree alone, as an uncompressed tar file. It
// reports whether the file changed, as WriteArchive does.
func WriteRootfs(ctx context.Context, file string, segments []rootfs.Segment, store cas.Store, epoch int64) (changed bool, err error) {
	return writeFile(file, func(w io.Writer) error {
		return rootfs.WriteTar(stoppable{ctx, w}, segments, store, epoch)
	})
}

// A stoppable writer takes nothing more once its context has ended.
type stoppable struct {
	ctx context.Context
	io.Writer
}

func (s stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Writer.Write(p)
}

// WriteLayout writes the bundle as an OCI layout folder. It reports whether
// the folder changed: one that holds just that, every blob hashed, is left
// alone. Another layout that compose wrote is replaced at once; anything else
// that is not empty is refused.
func (b *Bundle) WriteLayout(ctx context.Context, dir string, store cas.Store) (changed bool, err error) {
	dir = filepath.Clean(dir)
	nodes, contents, err := b.files(store, false)
	if err != nil {
		return false, err
	}
	old, err := existing(dir, true)
	if err != nil {
		return false, err
	}
	if old != nil {
		if err := mayReplace(dir); err != nil {
			return false, err
		}
		same, err := isLayoutOf(ctx, dir, nodes)
		if same || err != nil {
			return false, err
		}
	}
	s, err := newStage(dir, true, totalSize(nodes))
	if err != nil {
		return false, err
	}
	defer s.abort()
	if err := s.fill(ctx, nodes, contents); err != nil {
		return false, err
	}
	return true, s.commit()
}

// fill puts the files among nodes into a stage that is a folder.
func (s *stage) fill(ctx context.Context, nodes []*rootfs.Node, contents rootfs.Opener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range nodes {
		if n.Type != rootfs.Regular {
			continue
		}
		g.Go(func() error {
			r, err := contents.Open(n.Content)
			if err != nil {
				return err
			}
			defer r.Close()
			return s.add(n.Path, stoppableReader{ctx, r})
		})
	}
	return g.Wait()
}

func totalSize(nodes []*rootfs.Node) (size int64) {
	for _, n := range nodes {
		size += n.Content.Size
	}
	return size
}

// A stoppableReader ends with its context.
type stoppableReader struct {
	ctx context.Context
	io.Reader
}

func (s stoppableReader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}

// mayReplace refuses a folder that compose did not write, unless it is empty.
func mayReplace(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fault.New(fault.LocalFile, "output %q: %w", dir, err)
	}
	if len(list) == 0 {
		return nil
	}
	var index v1.Index
	b, err := os.ReadFile(filepath.Join(dir, v1.ImageIndexFile))
	if err == nil && json.Unmarshal(b, &index) == nil && index.Annotations[markKey] != "" {
		return nil
	}
	return fault.New(fault.LocalFile, "output %q: the folder is not empty, and is no image that compose wrote", dir)
}

// isLayoutOf reports whether the folder holds these files, byte for byte, and
// no others.
func isLayoutOf(ctx context.Context, dir string, nodes []*rootfs.Node) (bool, error) {
	want := map[string]*rootfs.Node{".": {Path: ".", Type: rootfs.Dir}}
	for _, n := range nodes {
		want[n.Path] = n
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := want[filepath.ToSlash(rel)]
		if n == nil || (n.Type == rootfs.Dir) != d.IsDir() || !d.IsDir() && (!info.Mode().IsRegular() || info.Size() != n.Content.Size) {
			return errDiffers
		}
		seen++
		return nil
	})
	if err == nil && seen != len(want) {
		err = errDiffers
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range nodes {
		if err != nil || n.Type != rootfs.Regular {
			continue
		}
		g.Go(func() error { return proveFile(ctx, filepath.Join(dir, filepath.FromSlash(n.Path)), n.Content) })
	}
	err = errors.Join(err, g.Wait())
	if errors.Is(err, errDiffers) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// proveFile hashes a file and compares.
func proveFile(ctx context.Context, path string, want cas.Ref) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, stoppableReader{ctx, struct{ io.Reader }{f}}, make([]byte, 256<<10))
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if n != want.Size || cas.Digest(h.Sum(nil)) != want.Digest {
		return errDiffers
	}
	return nil
}
