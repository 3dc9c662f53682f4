package rootfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
)

// A model is a slow tree for comparison: a table of names, of which those of
// one file share an inode, and a walk that begins anew at every link.
type model map[string]*inode

type inode struct {
	typ  Type
	mode uint16
	link string
}

var errModel = errors.New("no")

// real resolves all links in path; mk makes what is missing.
func (m model) real(path string, mk, last bool, hops int) (string, error) {
	if hops > maxLinks {
		return "", errModel
	}
	at := ""
	names := strings.Split(path, "/")
	for i, name := range names {
		if name == "" || name == "." {
			continue
		}
		if m[at].typ != Dir {
			return "", errModel
		}
		if name == ".." {
			at = at[:max(0, strings.LastIndexByte(at, '/'))]
			continue
		}
		next := at + "/" + name
		if m[next] == nil {
			if !mk {
				return "", errModel
			}
			m[next] = &inode{typ: Dir, mode: 0o755}
		}
		if m[next].typ == Symlink && (last || i < len(names)-1) {
			target := m[next].link
			if !strings.HasPrefix(target, "/") {
				target = at + "/" + target
			}
			return m.real(target+"/"+strings.Join(names[i+1:], "/"), mk, true, hops+1)
		}
		at = next
	}
	return at, nil
}

// place is the path of a name, its parents resolved.
func (m model) place(path string, mk bool) (string, error) {
	dir, base := split(path)
	d, err := m.real(dir, mk, true, 0)
	if err != nil || m[d].typ != Dir {
		return "", errModel
	}
	return d + "/" + base, nil
}

func (m model) below(path string) []string {
	var list []string
	for p := range m {
		if strings.HasPrefix(p, path+"/") {
			list = append(list, p)
		}
	}
	return list
}

func (m model) add(n Node) error {
	if checkPath(n.Path, n.Type) != nil {
		return errModel
	}
	if n.Path == "." {
		m[""].mode = n.Mode
		return nil
	}
	path, err := m.place(n.Path, true)
	if err != nil {
		return err
	}
	old := m[path]
	switch {
	case n.Type == Dir && old != nil:
		if path, err = m.real(path, false, true, 0); err != nil || m[path].typ != Dir {
			return errModel
		}
		m[path].mode = n.Mode
		return nil
	case n.Type == Hardlink:
		target, err := m.place(n.Link, false)
		if err != nil || m[target] == nil || m[target].typ != Regular || len(m.below(path)) > 0 {
			return errModel
		}
		m[path] = m[target]
		return nil
	case len(m.below(path)) > 0:
		return errModel
	}
	m[path] = &inode{n.Type, n.Mode, n.Link}
	return nil
}

func (m model) remove(path string) bool {
	p, err := m.place(path, false)
	if err != nil || m[p] == nil {
		return false
	}
	for _, b := range m.below(p) {
		delete(m, b)
	}
	delete(m, p)
	return true
}

// dump shows names in order, those of one file with the first of them.
func (m model) dump() string {
	first := map[*inode]string{}
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(m)) {
		n := m[p]
		if p == "" {
			continue
		}
		if first[n] == "" {
			first[n] = p
		}
		fmt.Fprintf(&b, "%c%o %s %s %s\n", n.typ, n.mode, p, n.link, first[n])
	}
	return b.String()
}

// asModel is a tree as a model, after a look at its invariants.
func asModel(t *testing.T, tree *Tree) model {
	m := model{"": {typ: Dir, mode: tree.Get(".").Mode}}
	last := ""
	for n := range tree.All() {
		if n.Path == "." {
			continue
		}
		if n.Path <= last {
			t.Fatalf("%q after %q", n.Path, last)
		}
		last = n.Path
		if err := checkPath(n.Path, n.Type); err != nil {
			t.Fatalf("%q is in the tree: %v", n.Path, err)
		}
		dir, _ := split(n.Path)
		if d := tree.Get(dir); d == nil || d.Type != Dir {
			t.Fatalf("%q has no directory", n.Path)
		}
		if n.Type != Hardlink {
			m["/"+n.Path] = &inode{n.Type, n.Mode, n.Link}
		}
	}
	for n := range tree.All() {
		if n.Type == Hardlink {
			if f := tree.Get(n.Link); f == nil || f.Type != Regular {
				t.Fatalf("%q is a link to %q, which is no file", n.Path, n.Link)
			}
			m["/"+n.Path] = m["/"+n.Link]
		}
	}
	listed := 1
	for _, e := range tree.nodes {
		for c := e.child; c != nil; c = c.next {
			if c.parent != e || tree.nodes[c.Path] != c {
				t.Fatalf("%q is listed in %q and not there", c.Path, e.Path)
			}
			listed++
		}
	}
	if listed != tree.Len() {
		t.Fatalf("%d nodes are listed in directories, of %d", listed, tree.Len())
	}
	return m
}

// FuzzTree adds, replaces, links and removes, and compares with the model
// after each step.
func FuzzTree(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x02\x11\x00\x03\x05\x02\x04\x00\x00"))
	f.Add([]byte("\x01\x01\x00\x02\x00\x01\x03\x00\x04\x01\x33\x07\x04\x01\x00\x00\x07\x09"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		names := []string{"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/b/c", "b/a/c", "c/a/b", "a-", ".", "..", "a/../b", "/a", "a/.wh.b", "", "a\xff"}
		targets := []string{"a", "/b", "../c", "a/b", ".", "..", "/", "../../b/a", "c/", "b", "/c/a"}
		tree, m := NewTree(), model{"": {typ: Dir, mode: 0o755}}
		for i := 0; i+2 < len(ops) && i < 300; i += 3 {
			path, other := names[int(ops[i+1])%len(names)], targets[int(ops[i+2])%len(targets)]
			n := Node{Path: path, Mode: uint16(ops[i+2])}
			var got, want string
			switch ops[i] % 6 {
			case 0:
				n.Type = Regular
			case 1:
				n.Type = Dir
			case 2:
				n.Type, n.Link, n.Mode = Symlink, other, 0o777
			case 3:
				n.Type, n.Link, n.Mode = Hardlink, names[int(ops[i+2])%11], 0
			case 4:
				if path != "." && checkPath(path, Regular) == nil {
					got, want = fmt.Sprint(tree.Remove(path)), fmt.Sprint(m.remove(path))
				}
			case 5:
				got, want = "", ""
				if n := tree.Lookup(path); n != nil {
					got = "/" + strings.TrimPrefix(n.Path, ".")
				}
				if p, err := m.real(path, false, true, 0); err == nil {
					want = "/" + strings.TrimPrefix(p, "/")
				}
				if strings.Contains(path, ".wh.") || n.Type == Hardlink {
					got, want = "", ""
				}
				if got != want && m[want] != nil && m[got] == m[want] {
					got = want // names of one file
				}
			}
			if n.Type != 0 {
				got, want = fmt.Sprint(tree.Add(n) == nil), fmt.Sprint(m.add(n) == nil)
			}
			if got != want {
				t.Fatalf("step %d, %d %q %q: got %s, want %s\n%s", i/3, ops[i]%6, path, other, got, want, m.dump())
			}
			if got, want := asModel(t, tree).dump(), m.dump(); got != want {
				t.Fatalf("step %d, %d %q %q: got\n%s\nwant\n%s", i/3, ops[i]%6, path, other, got, want)
			}
		}
	})
}

// FuzzUnpack lays random packages in two orders: the outcome is the same, and
// a tree keeps its invariants.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x01\x03\x02\x05\x00"))
	f.Add([]byte("\x02\x00\x03\x40\x03\x00\x80\x03\x01\x43\x00\x03"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		names := []string{"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/b/c", "b/a/c", "c/a/b", "bin/x", "bin", "tmp"}
		targets := []string{"a", "/b", "../c", "a/b", ".", "..", "/", "b", "usr/bin"}
		packages := []*Package{{Name: "p"}, {Name: "q"}, {Name: "r"}}
		for i := 0; i+2 < len(ops) && i < 120; i += 3 {
			p := packages[int(ops[i]>>6)%3]
			n := Node{Path: names[int(ops[i+1])%len(names)], Mode: 0o644, Package: p.Name}
			n.Content.Digest[0] = ops[i+2] % 3
			switch ops[i] % 5 {
			case 0:
				n.Type = Regular
			case 1:
				n.Type, n.Mode = Dir, 0o755-uint16(ops[i+2]%2)
			case 2:
				n.Type, n.Mode, n.Link = Symlink, 0o777, targets[int(ops[i+2])%len(targets)]
			case 3:
				n.Type, n.Mode, n.Link = Hardlink, 0, names[int(ops[i+2])%len(names)]
			case 4:
				p.Replaces = append(p.Replaces, Replace{Name: packages[int(ops[i+2])%3].Name})
				continue
			}
			p.Nodes = append(p.Nodes, n)
		}
		r := Recipe{Packages: packages, Contents: cas.NewMem()}
		tree, _, err := Assemble(r, simple{})
		r.Packages = []*Package{packages[2], packages[0], packages[1]}
		again, _, errAgain := Assemble(r, simple{})
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("%v, in another order %v", err, errAgain)
		}
		if err != nil {
			return
		}
		asModel(t, tree)
		if got, want := again.Dump(), tree.Dump(); got != want {
			t.Errorf("got\n%s\nin another order\n%s", want, got)
		}
		for n := range tree.All() {
			if n.Type == Hardlink && tree.Get(n.Link).Package != n.Package {
				t.Errorf("%q of %q is a link to %q of %q", n.Path, n.Package, n.Link, tree.Get(n.Link).Package)
			}
		}
	})
}

// Lookup goes where a process would that has the tree as its root.
func TestLookup(t *testing.T) {
	tree := NewTree()
	for _, n := range []Node{
		{Path: "usr/bin/sh", Type: Regular}, {Path: "bin", Type: Symlink, Link: "usr/bin"}, {Path: "usr/up", Type: Symlink, Link: "../../../bin/./"},
		{Path: "loop", Type: Symlink, Link: "loop"}, {Path: "abs", Type: Symlink, Link: "/usr//bin/sh"}, {Path: "hard", Type: Hardlink, Link: "bin/sh"},
		{Path: "out", Type: Symlink, Link: "/none"}, {Path: "via", Type: Symlink, Link: "usr/bin/sh/.."},
	} {
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"bin/sh": "usr/bin/sh", "usr/up/sh": "usr/bin/sh", "loop": "", "abs": "usr/bin/sh", "hard": "usr/bin/sh", "out": "", "via": "",
		"bin": "usr/bin", ".": ".", "bin/sh/x": "", "nothing": "",
	} {
		got := ""
		if n := tree.Lookup(path); n != nil {
			got = n.Path
		}
		if got != want {
			t.Errorf("Lookup(%s) = %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{"bin/sh": "usr/bin/sh", "bin/new": "usr/bin/new", "bin": "bin", "abs": "abs", "none/x": "", "loop/x": ""} {
		if got := tree.Real(path); got != want {
			t.Errorf("Real(%s) = %q, want %q", path, got, want)
		}
	}
}

// BenchmarkAssemble makes a tree of 100000 files of 200 packages.
func BenchmarkAssemble(b *testing.B) {
	store := cas.NewMem()
	r := Recipe{Contents: store, Epoch: 1, Slim: []string{"docs", "man", "locales"}}
	for i := range 200 {
		p := &Package{Name: fmt.Sprintf("p%03d", i)}
		for j := range 500 {
			if j%25 == 0 {
				p.Nodes = append(p.Nodes, Node{Path: fmt.Sprintf("usr/share/doc/%s/d%d", p.Name, j), Type: Dir, Mode: 0o755, Package: p.Name})
			}
			p.Nodes = append(p.Nodes, Node{Path: fmt.Sprintf("usr/lib/%s/d%d/f%d", p.Name, j/25, j), Type: Regular, Mode: 0o644, Package: p.Name})
		}
		r.Packages = append(r.Packages, p)
	}
	for b.Loop() {
		if _, _, err := Assemble(r, simple{}); err != nil {
			b.Fatal(err)
		}
	}
}
