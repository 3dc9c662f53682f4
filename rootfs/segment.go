package rootfs

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"compose/internal/cas"
)

// A Segment is a part of a layer that is made, compressed and kept on its own
// (DESIGN.md part 9): what one package brings, or the first part, which holds
// all directories and all that no package brought.
type Segment struct {
	Package string  // its name; "" for the first segment
	Nodes   []*Node // in the order of the stream

	tree *Tree // for the files behind hard links
}

// Segments cuts a tree into the segments of a layer: the first one, then one
// for each package that has a file, in the order of names.
//
// The first begins with all directories, so that every parent precedes its
// children, then has os-release (a package's too) and the package database,
// so that a scanner need not read further, then whatever else no package
// brought. Within each part paths are in byte order, and hard links come
// after everything else of their segment.
func Segments(t *Tree) ([]Segment, error) {
	first := Segment{tree: t}
	byPackage := map[string]*Segment{}
	for n := range t.All() {
		owner, err := segmentOf(t, n)
		if err != nil {
			return nil, err
		}
		if owner == "" {
			first.Nodes = append(first.Nodes, n)
			continue
		}
		s := byPackage[owner]
		if s == nil {
			s = &Segment{Package: owner, tree: t}
			byPackage[owner] = s
		}
		s.Nodes = append(s.Nodes, n)
	}
	segments := []Segment{first}
	for _, s := range byPackage {
		segments = append(segments, *s)
	}
	slices.SortFunc(segments, func(a, b Segment) int { return strings.Compare(a.Package, b.Package) })
	for _, s := range segments {
		sortNodes(s.Nodes)
	}
	return segments, nil
}

// sortNodes puts nodes in the order of a segment.
func sortNodes(nodes []*Node) {
	slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Path, b.Path)) })
}

// segmentOf is the package in whose segment n stands; "" is the first one. A
// hard link goes where its file goes.
func segmentOf(t *Tree, n *Node) (string, error) {
	n, err := fileOf(t, n)
	if err != nil || n.Type == Dir || isOSRelease(n) {
		return "", err
	}
	return n.Package, nil
}

// fileOf is the file behind a hard link, and n itself otherwise.
func fileOf(t *Tree, n *Node) (*Node, error) {
	if n.Type != Hardlink {
		return n, nil
	}
	file := t.Get(n.Link)
	if file == nil || file.Type != Regular {
		return nil, fmt.Errorf("/%s: hard link to /%s, which is no file in the tree", n.Path, n.Link)
	}
	return file, nil
}

func isOSRelease(n *Node) bool { return n.Path == "etc/os-release" || n.Path == "usr/lib/os-release" }

// rank orders the nodes of a segment before their paths do.
func rank(n *Node) int {
	switch {
	case n.Path == ".":
		return 0
	case n.Type == Dir:
		return 1
	case n.Type == Hardlink:
		return 5
	case isOSRelease(n):
		return 2
	case n.Origin == "package-database":
		return 3
	default:
		return 4
	}
}

// Entries calls f for each entry of the segment: the bytes of its header,
// valid until f returns, and its content, whose size is zero where there is
// none. In a stream the content follows the header, and Padding the content.
func (s Segment) Entries(epoch int64, f func(header []byte, content cas.Ref) error) error {
	var header []byte
	for _, n := range s.Nodes {
		if n.Type == Hardlink {
			n = s.linked(n)
		}
		var err error
		if header, err = AppendHeader(header[:0], n, epoch); err != nil {
			return err
		}
		var content cas.Ref
		if n.Type == Regular {
			content = n.Content
		}
		if err := f(header, content); err != nil {
			return fmt.Errorf("/%s: %w", n.Path, err)
		}
	}
	return nil
}

// linked is the hard link n with the metadata of its file. Unpackers differ
// in what they do with it: some set mode and owner again, which costs a file
// its capabilities unless the link's header repeats them too.
func (s Segment) linked(n *Node) *Node {
	l := *s.tree.Get(n.Link)
	l.Type, l.Path, l.Link = Hardlink, n.Path, n.Link
	return &l
}

// WriteTo writes the segment's part of a tar stream. Content comes from
// store; a w with a method ReadFrom saves a copy of it.
func (s Segment) WriteTo(w io.Writer, store Opener, epoch int64) error {
	return s.Entries(epoch, func(header []byte, content cas.Ref) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		if content.Size == 0 {
			return nil
		}
		if err := copyContent(w, store, content); err != nil {
			return err
		}
		_, err := w.Write(zeros[:Padding(content.Size)])
		return err
	})
}

// copyContent copies what ref names. More or fewer bytes than ref says would
// break the stream, so both are an error even where the store did not check.
func copyContent(w io.Writer, store Opener, ref cas.Ref) (err error) {
	r, err := store.Open(ref)
	if err != nil {
		return err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	n, err := io.Copy(w, r)
	if err == nil && n != ref.Size {
		err = fmt.Errorf("content %s: %d bytes, want %d", ref.Digest, n, ref.Size)
	}
	return err
}
