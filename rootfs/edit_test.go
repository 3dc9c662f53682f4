package rootfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// editTree has a file of three names, links, and directories in directories.
func editTree(t testing.TB) *Tree {
	t.Helper()
	tree := NewTree()
	for _, n := range []Node{
		{Path: "a", Type: Dir, Mode: 0o755},
		{Path: "a/b", Type: Dir, Mode: 0o700},
		{Path: "a/b/f", Type: Regular, Mode: 0o644},
		{Path: "a/g", Type: Hardlink, Link: "a/b/f"},
		{Path: "a/h", Type: Hardlink, Link: "a/b/f"},
		{Path: "c", Type: Dir, Mode: 0o755},
		{Path: "c/l", Type: Symlink, Mode: 0o777, Link: "../a"},
		{Path: "d", Type: Regular, Mode: 0o600},
	} {
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func TestSetAndRename(t *testing.T) {
	for _, tt := range []struct {
		rule string
		edit func(*Tree) error
		want string // lines of Dump that are new or, with "-", gone; or the error
	}{
		{"a node gets new metadata", func(tr *Tree) error { return tr.Set(Node{Path: "d", Type: Regular, Mode: 0o640, UID: 3}) },
			"-rw-r----- 3:0 0 00000000 /d\n"},
		{"a node keeps its type", func(tr *Tree) error { return tr.Set(Node{Path: "d", Type: Dir}) }, "/d: is of another type"},
		{"what is not there cannot be set", func(tr *Tree) error { return tr.Set(Node{Path: "x", Type: Dir}) }, "/x: file does not exist"},
		{"a directory moves with all below", func(tr *Tree) error { return tr.Rename("a", "c/x") },
			"drwx------ 0:0 /c/x/b\n-rw-r--r-- 0:0 0 00000000 /c/x/b/f\n"},
		{"a hard link follows its file", func(tr *Tree) error { return tr.Rename("a/b/f", "n") },
			"h--------- 0:0 /a/g link to /n\nh--------- 0:0 /a/h link to /n\n"},
		{"what is in the way goes", func(tr *Tree) error { return tr.Rename("d", "a/b/f") },
			"-rw-r--r-- 0:0 0 00000000 /a/g\nh--------- 0:0 /a/h link to /a/g\n-rw------- 0:0 0 00000000 /a/b/f\n"},
		{"a directory does not move into itself", func(tr *Tree) error { return tr.Rename("a", "a/b/x") }, "/a to /a/b/x: into itself"},
		{"the place must be in a directory", func(tr *Tree) error { return tr.Rename("a", "d/x") }, "/a to /d/x: file does not exist"},
		{"a node does not take the place of what holds it", func(tr *Tree) error { return tr.Rename("a/b/f", "a") }, "/a/b/f to /a: onto what holds it"},
		{"the root stays", func(tr *Tree) error { return tr.Rename(".", "x") }, "/. to /x: file does not exist"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			tree := editTree(t)
			if err := tt.edit(tree); err != nil {
				if err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			dump := tree.Dump()
			for line := range strings.Lines(tt.want) {
				if !strings.Contains(dump, line) {
					t.Errorf("no %sin\n%s", line, dump)
				}
			}
		})
	}
}

// Whatever happens to a tree, Restore makes it what it was, and Changed names
// what is not.
func TestUndo(t *testing.T) {
	paths := []string{"a", "a/b", "a/b/f", "a/g", "a/h", "c", "c/l", "c/x", "d", "n", "n/m"}
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		pick := func() string { return paths[rnd.IntN(len(paths))] }
		tree := editTree(t)
		before := tree.Dump()
		mark := tree.Mark()
		var steps []string
		for range 1 + rnd.IntN(6) {
			p, q := pick(), pick()
			var err error
			switch rnd.IntN(6) {
			case 0:
				tree.Remove(p)
				q = "removed"
			case 1:
				err = tree.Rename(p, q)
			case 2:
				err = tree.Add(Node{Path: p, Type: Regular, Mode: 0o400})
				q = "file"
			case 3:
				err = tree.Add(Node{Path: p, Type: Dir, Mode: 0o711})
				q = "directory"
			case 4:
				err = tree.Add(Node{Path: p, Type: Hardlink, Link: q})
			case 5:
				if n := tree.Get(p); n != nil && n.Type != Hardlink {
					changed := *n
					changed.UID = 9
					err = tree.Set(changed)
				}
				q = "set"
			}
			steps = append(steps, fmt.Sprint(p, " ", q, " ", err))
		}
		after, changed := tree.Dump(), mark.Changed()
		for line := range strings.Lines(after) {
			i := strings.Index(line, " /")
			name, _, _ := strings.Cut(strings.TrimSpace(line[i+2:]), " ")
			if strings.Contains(before, line) == slices.Contains(changed, name) && !strings.Contains(before, line) {
				t.Fatalf("%q: %v, but there is a new line %s", steps, changed, line)
			}
		}
		if (after == before) != (len(changed) == 0) {
			t.Fatalf("%q: changed %v\n%s", steps, changed, after)
		}
		mark.Restore()
		if got := tree.Dump(); got != before {
			t.Fatalf("%q: got\n%s\nwant\n%s", steps, got, before)
		}
		for n := range tree.All() {
			if n.Type == Hardlink && tree.Get(n.Link).Type != Regular {
				t.Fatalf("%q: %s links to nothing", steps, n.Path)
			}
		}
		tree.Remove("a/b/f") // its names must know of each other still
		if g := tree.Get("a/g"); g == nil || g.Type != Regular || tree.Get("a/h").Link != "a/g" {
			t.Fatalf("%q: the names of the file are lost", steps)
		}
	}
}
