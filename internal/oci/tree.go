package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/rootfs"
)

// Tree merges the image's layers into one tree, as a container would see it.
// Contents go to pack; if it is nil, the tree has their digests and sizes,
// and nobody has their bytes. Every layer is checked against its digest and
// its DiffID.
func (i *StoredImage) Tree(ctx context.Context, pack rootfs.Pack) (*rootfs.Tree, error) {
	m := &merger{tree: rootfs.NewTree(), pack: pack}
	for n, l := range i.Layers {
		m.origin = fmt.Sprintf("layer %d", n+1)
		if err := m.layer(ctx, l); err != nil {
			return nil, fmt.Errorf("%s: layer %d: %w", i.name, n+1, err)
		}
	}
	return m.tree, nil
}

// A merger applies layers to a tree, one after the other (OCI image
// specification, "Image Layer Filesystem Changeset").
type merger struct {
	tree    *rootfs.Tree
	pack    rootfs.Pack
	origin  string // of the nodes of the current layer
	entries int    // so far, in all layers
	size    int64  // of the tar streams so far, in bytes
}

// layer reads one layer and applies it.
func (m *merger) layer(ctx context.Context, l StoredLayer) error {
	blob, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer blob.Close()
	packed := newDigester(stoppableReader{ctx, blob})
	plain, err := decompressor(packed)
	if err != nil {
		return err
	}
	defer plain.Close()
	stream := newDigester(plain)
	stream.limit = maxTree - m.size
	c, err := m.read(stream)
	if err != nil {
		return err
	}
	// What follows the end of the archive counts for the digests too.
	for _, r := range []io.Reader{stream, packed} {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	m.size += stream.size
	if got := stream.sum(); got != l.DiffID {
		return fault.New(fault.TrustHash, "uncompressed sha256 expected %s, got %s", l.DiffID, got)
	}
	if d := l.Descriptor; d.Digest != "" && (string(d.Digest) != packed.sum().String() || d.Size != packed.size) {
		return fault.New(fault.TrustHash, "expected %s, %d bytes, got %s, %d bytes", d.Digest, d.Size, packed.sum(), packed.size)
	}
	return m.apply(c)
}

// decompressor tells the compression from the first bytes, as Docker does:
// media types are not to be relied on.
func decompressor(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fault.New(fault.FormatInvalid, "gzip: %w", err)
		}
		return z, nil
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fault.New(fault.FormatInvalid, "zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// A digester hashes what is read through it, up to a limit.
type digester struct {
	r     io.Reader
	h     hash.Hash
	size  int64
	limit int64 // 0: none
}

func newDigester(r io.Reader) *digester { return &digester{r: r, h: sha256.New()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.h.Write(p[:n])
	d.size += int64(n)
	if d.limit > 0 && d.size > d.limit {
		return n, fault.New(fault.LimitExpanded, "layers of more than %d bytes", int64(maxTree))
	}
	return n, err
}

func (d *digester) sum() cas.Digest { return cas.Digest(d.h.Sum(nil)) }

// changes are what a layer does: first it hides, then it adds.
type changes struct {
	hidden []string // whiteouts
	opaque []string // directories whose lower content is hidden
	nodes  []rootfs.Node
}

// read reads the tar stream of a layer.
func (m *merger) read(stream io.Reader) (*changes, error) {
	c := &changes{}
	r := tar.NewReader(stream)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return nil, invalid("tar", err)
		}
		if m.entries++; m.entries > maxEntries {
			return nil, fault.New(fault.LimitSize, "more than %d entries", maxEntries)
		}
		if err := m.entry(c, h, r); err != nil {
			return nil, invalid(fmt.Sprintf("entry %q", h.Name), err)
		}
	}
}

// invalid makes a refusal of an error that is none.
func invalid(what string, err error) error {
	if fault.Of(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fault.New(fault.FormatInvalid, "%s: %w", what, err)
}

// The names that mean removal.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// entry notes what one entry of the stream does.
func (m *merger) entry(c *changes, h *tar.Header, r io.Reader) error {
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	dir, base := path.Split(name)
	switch dir = path.Clean(dir); {
	case base == opaque:
		c.opaque = append(c.opaque, dir)
		return nil
	case strings.HasPrefix(base, whiteout+whiteout): // aufs's own
		return nil
	case strings.HasPrefix(base, whiteout):
		c.hidden = append(c.hidden, path.Join(dir, strings.TrimPrefix(base, whiteout)))
		return nil
	}
	n, err := m.node(name, h, r)
	if err == nil {
		c.nodes = append(c.nodes, n)
	}
	return err
}

var types = map[byte]rootfs.Type{
	tar.TypeReg: rootfs.Regular, tar.TypeLink: rootfs.Hardlink, tar.TypeSymlink: rootfs.Symlink,
	tar.TypeChar: rootfs.Char, tar.TypeBlock: rootfs.Block, tar.TypeDir: rootfs.Dir, tar.TypeFifo: rootfs.Fifo,
}

// node is the node of an entry, its content read.
func (m *merger) node(name string, h *tar.Header, r io.Reader) (n rootfs.Node, err error) {
	typ, ok := types[h.Typeflag]
	if !ok {
		return n, fmt.Errorf("unknown type %q", h.Typeflag)
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return n, errors.New("a sparse file")
		}
	}
	const maxID, maxDevice = 1<<31 - 1, 1<<20 - 1 // as Linux has them
	if h.Uid < 0 || h.Uid > maxID || h.Gid < 0 || h.Gid > maxID {
		return n, fmt.Errorf("owner %d:%d is out of range", h.Uid, h.Gid)
	}
	if h.Devmajor < 0 || h.Devmajor > maxDevice || h.Devminor < 0 || h.Devminor > maxDevice {
		return n, fmt.Errorf("device %d,%d is out of range", h.Devmajor, h.Devminor)
	}
	n = rootfs.Node{
		Path: name, Type: typ, Mode: uint16(h.Mode & 0o7777), UID: h.Uid, GID: h.Gid, MTime: h.ModTime.Unix(),
		Xattrs: xattrs(h), Origin: m.origin,
	}
	switch typ {
	case rootfs.Regular:
		n.Content, err = m.content(r)
	case rootfs.Symlink:
		n.Mode, n.Link = 0o777, h.Linkname
	case rootfs.Hardlink:
		n = rootfs.Node{Path: name, Type: typ, Origin: m.origin}
		n.Link, err = cleanName(h.Linkname)
	case rootfs.Char, rootfs.Block:
		n.Major, n.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	}
	return n, err
}

// content keeps, or only hashes, the bytes of a file.
func (m *merger) content(r io.Reader) (cas.Ref, error) {
	if m.pack != nil {
		return m.pack.Append(r)
	}
	d := newDigester(r)
	if _, err := io.Copy(io.Discard, d); err != nil {
		return cas.Ref{}, err
	}
	return cas.Ref{Digest: d.sum(), Size: d.size}, nil
}

// xattrs are the extended attributes that a tree may have.
func xattrs(h *tar.Header) []rootfs.Xattr {
	var list []rootfs.Xattr
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if ok && (name == "security.capability" || strings.HasPrefix(name, "user.")) {
			list = append(list, rootfs.Xattr{Name: name, Value: []byte(value)})
		}
	}
	slices.SortFunc(list, func(a, b rootfs.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// cleanName is a name as a tree has it. A name that leads out of the tree, or
// that no terminal shows as it is, is refused (threats.md A-25).
func cleanName(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") || name == "" {
		return "", fault.New(fault.UnsafeEntry, "the name leaves the image")
	}
	depth, length := 1, 0
	for _, b := range []byte(clean) {
		switch {
		case b < ' ' || b == 0x7f:
			return "", fault.New(fault.UnsafeEntry, "a control character in the name")
		case b == '/':
			depth, length = depth+1, 0
		default:
			length++
		}
		if length > maxName || depth > maxDepth {
			return "", fault.New(fault.LimitSize, "a name of more than %d bytes or %d parts", maxName, maxDepth)
		}
	}
	if len(clean) > maxPath {
		return "", fault.New(fault.LimitSize, "a path of %d bytes, more than %d", len(clean), maxPath)
	}
	return clean, nil
}

// apply lets a layer's changes take effect. A layer hides what lower layers
// have, never its own.
func (m *merger) apply(c *changes) error {
	for _, dir := range c.opaque {
		m.empty(dir)
	}
	for _, name := range c.hidden {
		m.tree.Remove(name)
	}
	for _, n := range c.nodes {
		if err := m.add(n); err != nil {
			return invalid(fmt.Sprintf("entry %q", n.Path), err)
		}
	}
	return nil
}

// empty removes all that a directory holds.
func (m *merger) empty(dir string) {
	var inside []string
	for n := range m.tree.All() {
		if parent, _ := path.Split(n.Path); n.Path != "." && path.Clean(parent) == dir {
			inside = append(inside, n.Path)
		}
	}
	for _, name := range inside {
		m.tree.Remove(name)
	}
}

// add puts a node in, in the place of whatever is there, unless both are
// directories.
func (m *merger) add(n rootfs.Node) error {
	old := m.tree.Get(m.tree.Real(n.Path))
	if n.Type == rootfs.Hardlink {
		file := m.tree.Get(m.tree.Real(n.Link))
		if file == old && old != nil {
			return nil // a link to itself
		}
		if file != nil && file.Type == rootfs.Symlink { // a further name of a symbolic link
			target := *file
			target.Path, target.Origin = n.Path, n.Origin
			n = target
		}
	}
	if old != nil && (old.Type != rootfs.Dir || n.Type != rootfs.Dir) {
		m.tree.Remove(n.Path)
	}
	return m.tree.Add(n)
}
