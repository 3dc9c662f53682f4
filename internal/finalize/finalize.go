// Package finalize does to a file tree what a distribution's scripts and
// triggers have programs do to a file system: the cache of the dynamic linker,
// the store of trusted certificates, and so on.
//
// Each finalizer stands for one program. It is a function from the tree to
// more entries, driven by what the tree holds, not by who asked for it; its
// tests hold it against that program. Nothing is executed, and a file of the
// tree that makes no sense is passed over as the program would, never trusted.
//
// What the manifest put into the tree is seen and never replaced: so a
// certificate or a library of the manifest's counts, and a cache of the
// manifest's stays.
package finalize

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"compose/internal/fault"
	"compose/rootfs"
)

// An Input is what finalizers see.
type Input struct {
	Tree     *rootfs.Tree
	Contents rootfs.Contents
	Arch     string            // the format's name of the platform: amd64, x86_64
	Epoch    int64             // mtime of what finalizers make, in seconds since 1970
	Packages []*rootfs.Package // in the tree, for their versions

	// OSRelease is the text of os-release(5) for the distribution that the
	// repositories belong to, where no package brings one; nil: unknown.
	OSRelease []byte
}

// A Note says what a finalizer did.
type Note struct {
	Finalizer string   // its name: ldconfig
	Program   string   // what it stands for: ldconfig(8)
	Changes   int      // nodes added, changed or removed
	Odd       []string // what it passed over, for people: the file, a colon, the fact
}

// A finalizer is one program as a function.
type finalizer struct {
	name    string
	program string
	applies func(*Input) bool // by what the tree holds
	run     func(*job) error
}

// all are the finalizers in their order: links and modules before ldconfig,
// which looks at every library.
var all = []finalizer{
	release,
	busybox,
	timezone,
	machineID,
	certificates,
	keystore, // of what certificates made
	mime,
	loaders,
	ldconfig,
}

// Run lets each finalizer that has something to do in in.Tree do it. The
// notes are those of the finalizers that ran, in their order.
func Run(ctx context.Context, in Input) ([]Note, error) {
	var notes []Note
	for _, f := range all {
		if !f.applies(&in) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		j := &job{Input: in, ctx: ctx, note: Note{Finalizer: f.name, Program: f.program}}
		if err := f.run(j); err != nil {
			return nil, fmt.Errorf("finalizer %s: %w", f.name, err)
		}
		notes = append(notes, j.note)
	}
	return notes, nil
}

// Names are what the finalizers are called, in their order.
func Names() []string {
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	return names
}

// A job is one run of a finalizer.
type job struct {
	Input
	ctx  context.Context
	note Note
}

// odd notes what is passed over.
func (j *job) odd(format string, args ...any) {
	const enough = 100 // of hostile packages, more would only fill the screen
	if len(j.note.Odd) < enough {
		j.note.Odd = append(j.note.Odd, fmt.Sprintf(format, args...))
	}
}

// file makes the file at path hold data.
func (j *job) file(path string, mode uint16, data []byte) error {
	if old := j.Tree.Lookup(path); old != nil && old.Type == rootfs.Regular {
		if is, err := j.holds(old, data); is || err != nil {
			return err
		}
	}
	ref, err := j.Contents.Put(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return j.add(rootfs.Node{Path: path, Type: rootfs.Regular, Mode: mode, Content: ref})
}

// holds reports whether a file's content is data.
func (j *job) holds(n *rootfs.Node, data []byte) (bool, error) {
	if n.Content.Size != int64(len(data)) {
		return false, nil
	}
	old, err := rootfs.Read(j.Contents, n.Content)
	return bytes.Equal(old, data), err
}

// link makes path a symbolic link to target.
func (j *job) link(path, target string) error {
	if old := j.at(path); old != nil && old.Type == rootfs.Symlink && old.Link == target {
		return nil
	}
	return j.add(rootfs.Node{Path: path, Type: rootfs.Symlink, Mode: 0o777, Link: target})
}

// add puts n into the tree, but not where the manifest put something.
func (j *job) add(n rootfs.Node) error {
	old := j.at(n.Path)
	if old != nil && byManifest(old) {
		j.odd("/%s: is the manifest's own", n.Path)
		return nil
	}
	if old != nil && old.Type == rootfs.Dir {
		return fault.New(fault.UnsafeEntry, "/%s: is a directory, want a file", n.Path)
	}
	n.Origin, n.MTime = "finalizer: "+j.note.Finalizer, j.Epoch
	if err := j.Tree.Add(n); err != nil {
		return fault.New(fault.UnsafeEntry, "/%s: %w", n.Path, err)
	}
	j.note.Changes++
	return nil
}

// at is the node at path, a link at its end not followed.
func (j *job) at(path string) *rootfs.Node { return j.Tree.Get(j.Tree.Real(path)) }

// byManifest reports whether an entry of the manifest made n.
func byManifest(n *rootfs.Node) bool { return strings.HasPrefix(n.Origin, "files:") }

// text reads the small file at path, links followed: nil if there is none.
func (j *job) text(path string) ([]byte, error) {
	const limit = 4 << 20
	n := j.Tree.Lookup(path)
	if n == nil || n.Type != rootfs.Regular {
		return nil, nil
	}
	if n.Content.Size > limit {
		j.odd("/%s: %d bytes, more than %d", path, n.Content.Size, limit)
		return nil, nil
	}
	return rootfs.Read(j.Contents, n.Content)
}

// isFile reports whether a regular file stands at path, links followed.
func isFile(t *rootfs.Tree, path string) bool {
	n := t.Lookup(path)
	return n != nil && n.Type == rootfs.Regular
}

// isDir reports whether path leads to a directory.
func isDir(t *rootfs.Tree, path string) bool {
	n := t.Lookup(path)
	return n != nil && n.Type == rootfs.Dir
}

// absent reports whether nothing stands at path.
func absent(t *rootfs.Tree, path string) bool { return t.Get(t.Real(path)) == nil }

// isAlpine reports whether the tree is Alpine's.
func isAlpine(t *rootfs.Tree) bool {
	return isFile(t, "etc/alpine-release") || isDir(t, "lib/apk") || isDir(t, "etc/apk")
}
