package rootfs

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/testrepo"
)

const testEpoch = 1_700_000_000

func TestAppendHeader(t *testing.T) {
	long := strings.Repeat("d/", 80)
	tests := []struct {
		rule string
		node Node
		want string // as tar says it, and the number of blocks
	}{{
		rule: "a file keeps its mode, owner, size and time",
		node: Node{Path: "etc/motd", Type: Regular, Mode: 0o4755, UID: 1, GID: 2, MTime: 77, Content: cas.Ref{Size: 5}},
		want: `0 "etc/motd" "" 4755 1:2 5 77 map[] 1`,
	}, {
		rule: "a directory's name ends in a slash, and its time is the epoch",
		node: Node{Path: "tmp", Type: Dir, Mode: 0o1777, MTime: 77},
		want: `5 "tmp/" "" 1777 0:0 0 1700000000 map[] 1`,
	}, {
		rule: "the root is an entry",
		node: Node{Path: ".", Type: Dir, Mode: 0o755},
		want: `5 "./" "" 755 0:0 0 1700000000 map[] 1`,
	}, {
		rule: "a link's target stands as it is",
		node: Node{Path: "bin", Type: Symlink, Mode: 0o777, Link: "./usr//bin/", MTime: 3},
		want: `2 "bin" "./usr//bin/" 777 0:0 0 3 map[] 1`,
	}, {
		rule: "a device has its numbers",
		node: Node{Path: "dev/null", Type: Char, Mode: 0o666, Major: 1, Minor: 3},
		want: `3 "dev/null" "" 666 0:0 0 1700000000 map[] 1 dev 1,3`,
	}, {
		rule: "100 bytes of name fit the name field",
		node: Node{Path: strings.Repeat("n", 100), Type: Fifo},
		want: `6 "` + strings.Repeat("n", 100) + `" "" 0 0:0 0 1700000000 map[] 1`,
	}, {
		rule: "a longer path is cut at a slash",
		node: Node{Path: long + "f", Type: Regular},
		want: `0 "` + long + `f" "" 0 0:0 0 0 map[] 1`,
	}, {
		rule: "a name that cannot be cut needs pax",
		node: Node{Path: strings.Repeat("n", 101), Type: Regular},
		want: `0 "` + strings.Repeat("n", 101) + `" "" 0 0:0 0 0 map[path:` + strings.Repeat("n", 101) + `] 3`,
	}, {
		rule: "a directory's name is cut before its last part, not at its end",
		node: Node{Path: "a/" + strings.Repeat("n", 100), Type: Dir},
		want: `5 "a/` + strings.Repeat("n", 100) + `/" "" 0 0:0 0 1700000000 map[path:a/` + strings.Repeat("n", 100) + `/] 3`,
	}, {
		rule: "a name beyond ASCII needs pax",
		node: Node{Path: "é", Type: Regular},
		want: `0 "é" "" 0 0:0 0 0 map[path:é] 3`,
	}, {
		rule: "bytes that are no UTF-8 stay as they are",
		node: Node{Path: "\xff", Type: Symlink, Mode: 0o777, Link: "\xfe"},
		want: `2 "\xff" "\xfe" 777 0:0 0 0 map[] 1`,
	}, {
		rule: "a long target needs pax",
		node: Node{Path: "l", Type: Symlink, Link: strings.Repeat("t", 101)},
		want: `2 "l" "` + strings.Repeat("t", 101) + `" 0 0:0 0 0 map[linkpath:` + strings.Repeat("t", 101) + `] 3`,
	}, {
		rule: "a file of 8 GiB less one byte fits ustar",
		node: Node{Path: "f", Type: Regular, Content: cas.Ref{Size: 1<<33 - 1}},
		want: `0 "f" "" 0 0:0 8589934591 0 map[] 1`,
	}, {
		rule: "a larger one needs pax",
		node: Node{Path: "f", Type: Regular, Content: cas.Ref{Size: 1 << 33}},
		want: `0 "f" "" 0 0:0 8589934592 0 map[size:8589934592] 3`,
	}, {
		rule: "large owners and times before 1970 need pax",
		node: Node{Path: "f", Type: Regular, UID: 1 << 21, GID: 1<<31 - 1, MTime: -1},
		want: `0 "f" "" 0 2097152:2147483647 0 -1 map[gid:2147483647 mtime:-1 uid:2097152] 3`,
	}, {
		rule: "extended attributes may hold any byte",
		node: Node{Path: "ping", Type: Regular, Xattrs: []Xattr{{"security.capability", []byte("\x01\x00\n=")}}},
		want: `0 "ping" "" 0 0:0 0 0 map[SCHILY.xattr.security.capability:` + "\x01\x00\n=" + `] 3`,
	}, {
		rule: "a zero byte in a name is refused",
		node: Node{Path: "a\x00b", Type: Regular},
		want: `error: /a` + "\x00" + `b: name "a\x00b": a zero byte`,
	}, {
		rule: "an attribute's name has no equals sign",
		node: Node{Path: "a", Type: Regular, Xattrs: []Xattr{{"user.a=b", nil}}},
		want: `error: /a: extended attribute "user.a=b": not a name`,
	}, {
		rule: "a device number beyond ustar is refused",
		node: Node{Path: "a", Type: Block, Major: 1 << 21},
		want: `error: /a: device 2097152,0: larger than tar can say`,
	}, {
		rule: "an unknown type is refused",
		node: Node{Path: "a", Type: 's'},
		want: `error: /a: no tar entry for type 's'`,
	}}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := describe(tt.node); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// describe writes the node's header and says what archive/tar reads.
func describe(n Node) string {
	b, err := AppendHeader(nil, &n, testEpoch)
	if err != nil {
		return "error: " + err.Error()
	}
	h, err := tar.NewReader(bytes.NewReader(b)).Next()
	if err != nil {
		return "unreadable: " + err.Error()
	}
	s := fmt.Sprintf("%c %q %q %o %d:%d %d %d %v %d", h.Typeflag, h.Name, h.Linkname, h.Mode, h.Uid, h.Gid, h.Size, h.ModTime.Unix(), h.PAXRecords, len(b)/BlockSize)
	if h.Devmajor|h.Devminor != 0 {
		s += fmt.Sprintf(" dev %d,%d", h.Devmajor, h.Devminor)
	}
	if h.Uname+h.Gname != "" || !h.AccessTime.IsZero() || !h.ChangeTime.IsZero() {
		s += " names or further times"
	}
	return s
}

// Every length of a record's value, since a record's length counts itself.
func TestAppendRecord(t *testing.T) {
	for n := range 1200 {
		r := appendRecord(nil, "k", strings.Repeat("v", n))
		var length int
		if _, err := fmt.Sscanf(string(r), "%d ", &length); err != nil || length != len(r) {
			t.Fatalf("a value of %d bytes: record of %d bytes says %q", n, len(r), r[:6])
		}
	}
}

// testTree is a tree of nodes, added in a random order (but links after
// files), with the given text as content.
func testTree(t *testing.T, store cas.Store, nodes []Node, text map[string]string) *Tree {
	t.Helper()
	tree := NewTree()
	order := rand.Perm(len(nodes))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank(&nodes[i])/5, rank(&nodes[j])/5) })
	for _, i := range order {
		n := nodes[i]
		if n.Type == Regular {
			ref, err := store.Put(strings.NewReader(text[n.Path]))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

var sample = []Node{
	{Path: "etc", Type: Dir, Mode: 0o755, Package: "base"},
	{Path: "etc/os-release", Type: Symlink, Mode: 0o777, Link: "../usr/lib/os-release", Package: "base"},
	{Path: "etc/passwd", Type: Regular, Mode: 0o644, Origin: "accounts"},
	{Path: "tmp", Type: Dir, Mode: 0o1777, Origin: "layout"},
	{Path: "usr", Type: Dir, Mode: 0o755, Package: "base"},
	{Path: "usr/bin", Type: Dir, Mode: 0o755, Package: "zlib"},
	{Path: "usr/bin/alias", Type: Hardlink, Link: "usr/bin/zz", Package: "zlib"},
	{Path: "usr/bin/ping", Type: Regular, Mode: 0o755, MTime: 12, Package: "ping", Xattrs: []Xattr{{"user.note", []byte("a\x00b")}}},
	{Path: "usr/bin/zz", Type: Regular, Mode: 0o4755, UID: 3, GID: 4, MTime: 11, Package: "zlib", Xattrs: []Xattr{{"user.note", []byte("z")}}},
	{Path: "usr/lib", Type: Dir, Mode: 0o755, Package: "base"},
	{Path: "usr/lib/os-release", Type: Regular, Mode: 0o644, MTime: 10, Package: "base"},
	{Path: "usr/lib/" + strings.Repeat("long", 40), Type: Regular, Mode: 0o600, MTime: 9, Package: "base"},
	{Path: "usr/lib/naïve", Type: Regular, Mode: 0o600, MTime: 9, Package: "base"},
	{Path: "usr/lib/\xff", Type: Regular, Mode: 0o600, MTime: 9, Package: "base"},
	{Path: "var", Type: Dir, Mode: 0o755, Origin: "layout"},
	{Path: "var/status", Type: Regular, Mode: 0o644, Origin: "package-database"},
}

var sampleText = map[string]string{
	"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "usr/bin/ping": "ping", "usr/bin/zz": "zz",
	"usr/lib/os-release": "ID=test\n", "usr/lib/naïve": "\u00ef", "var/status": strings.Repeat("s", 5000),
}

func TestSegments(t *testing.T) {
	const want = `segment
 .
 etc
 tmp
 usr
 usr/bin
 usr/lib
 var
 etc/os-release
 usr/lib/os-release
 var/status
 etc/passwd
segment base
 usr/lib/LONG
 usr/lib/naïve
 usr/lib/` + "\xff" + `
segment ping
 usr/bin/ping
segment zlib
 usr/bin/zz
 usr/bin/alias
`
	for range 20 {
		segments, err := Segments(testTree(t, cas.NewMem(), sample, sampleText))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, s := range segments {
			fmt.Fprintln(&b, strings.TrimSpace("segment "+s.Package))
			for _, n := range s.Nodes {
				fmt.Fprintln(&b, "", n.Path)
			}
		}
		if got := strings.ReplaceAll(b.String(), strings.Repeat("long", 40), "LONG"); got != want {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	}
}

func TestSegmentsRefuseLooseHardLinks(t *testing.T) {
	for rule, to := range map[string]string{"to nothing": "nothing", "to a directory": "usr", "to a link": "etc/os-release"} {
		tree := testTree(t, cas.NewMem(), sample, sampleText)
		tree.Get("usr/bin/alias").Link = to
		if _, err := Segments(tree); err == nil || err.Error() != "/usr/bin/alias: hard link to /"+to+", which is no file in the tree" {
			t.Errorf("%s: got %v", rule, err)
		}
	}
}

func sampleTar(t *testing.T) []byte {
	t.Helper()
	store := cas.NewMem()
	segments, err := Segments(testTree(t, store, sample, sampleText))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteTar(&b, segments, store, testEpoch); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The same tree gives the same bytes in whatever order it was made, and
// forever: a new digest here is a new layer format epoch (DESIGN.md part 4).
func TestWriteTarGolden(t *testing.T) {
	const want = "sha256:06d56d7f7bf0f04c070c4752bbfc1242770e49100f1c646d1cf45d1184de56fb"
	for range 20 {
		if got := cas.Sum(sampleTar(t)).String(); got != want {
			t.Fatalf("the stream is %s, want %s", got, want)
		}
	}
}

func TestWriteTarReadsBack(t *testing.T) {
	text := maps.Clone(sampleText)
	r := tar.NewReader(bytes.NewReader(sampleTar(t)))
	seen := map[string]bool{}
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSuffix(h.Name, "/")
		if parent := filepath.Dir(path); !seen[parent] && path != "." {
			t.Errorf("%s stands before its parent", path)
		}
		seen[path] = true
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != text[path] {
			t.Errorf("%s holds %q, want %q", path, data, text[path])
		}
		if path == "usr/bin/alias" && (h.Linkname != "usr/bin/zz" || h.Mode != 0o4755 || h.Uid != 3 || h.ModTime.Unix() != 11 || h.PAXRecords["SCHILY.xattr.user.note"] != "z") {
			t.Errorf("the hard link does not repeat its file: %+v", h)
		}
	}
	if len(seen) != len(sample)+1 {
		t.Errorf("%d entries, want %d", len(seen), len(sample)+1)
	}
}

func TestWriteTarTellsOfMissingContent(t *testing.T) {
	store := cas.NewMem()
	tree := testTree(t, store, sample, sampleText)
	tree.Get("usr/bin/ping").Content.Digest[0]++
	segments, err := Segments(tree)
	if err != nil {
		t.Fatal(err)
	}
	err = WriteTar(io.Discard, segments, store, 0)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "/usr/bin/ping: ") {
		t.Errorf("got %v", err)
	}
}

// Other people's programs read the stream and say nothing against it.
func TestWriteTarJudges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sample.tar")
	if err := os.WriteFile(file, sampleTar(t), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for _, n := range sample {
		want = append(want, n.Path)
	}
	want = append(want, ".")
	slices.Sort(want)
	const python = `
import sys, tarfile
with tarfile.open(sys.argv[1]) as t:
    for m in t:
        m.isreg() and t.extractfile(m).read()
        sys.stdout.buffer.write(m.name.encode("utf-8", "surrogateescape") + b"\n")`
	for _, judge := range [][]string{
		{"tar", "--quoting-style=literal", "-tf", file},
		{"python3", "-c", python, file},
	} {
		t.Run(judge[0], func(t *testing.T) {
			path, err := exec.LookPath(judge[0])
			if err != nil {
				testrepo.Skip(t, "no %s here", judge[0])
			}
			cmd := exec.Command(path, judge[1:]...)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || stderr.Len() > 0 {
				t.Fatalf("%v: %s", err, &stderr)
			}
			var got []string
			for name := range strings.Lines(string(out)) {
				got = append(got, strings.TrimSuffix(strings.TrimSuffix(name, "\n"), "/"))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// Whatever a header can say, archive/tar reads as it was meant.
func FuzzAppendHeader(f *testing.F) {
	f.Add("etc/motd", "", uint16(0o644), 0, 0, int64(5), int64(77), "", []byte(nil))
	f.Add(strings.Repeat("d/", 90)+"é", strings.Repeat("t", 120), uint16(0o7777), 1<<22, 1<<30, int64(1)<<34, int64(-5), "user.x", []byte("a\x00b"))
	f.Add("\xff/x", "\xfe", uint16(0), 1, 2, int64(0), int64(1)<<34, "security.capability", []byte("=\n"))
	f.Fuzz(func(t *testing.T, path, link string, mode uint16, uid, gid int, size, mtime int64, xattr string, value []byte) {
		n := Node{Path: path, Type: Regular, Mode: mode, UID: uid, GID: gid, MTime: mtime, Content: cas.Ref{Size: size}}
		if link != "" {
			n.Type, n.Link, n.Content.Size = Symlink, link, 0
		}
		if xattr != "" {
			n.Xattrs = []Xattr{{xattr, value}}
		}
		if path == "" || strings.HasSuffix(path, "/") || checkPath(path, n.Type) != nil {
			t.Skip("no path of a tree")
		}
		b, err := AppendHeader(nil, &n, 0)
		if err != nil {
			return
		}
		if len(b)%BlockSize != 0 {
			t.Fatalf("%d bytes are no whole blocks", len(b))
		}
		h, err := tar.NewReader(bytes.NewReader(b)).Next()
		if err != nil {
			t.Fatalf("%+v: %v", n, err)
		}
		if h.Name != n.Path || h.Linkname != n.Link || h.Mode != int64(n.Mode&0o7777) || h.Uid != n.UID || h.Gid != n.GID || h.Size != n.Content.Size || h.ModTime.Unix() != n.MTime {
			t.Fatalf("wrote %+v, read %+v", n, h)
		}
		if xattr != "" && h.PAXRecords["SCHILY.xattr."+xattr] != string(value) {
			t.Fatalf("attribute %q is %q, want %q", xattr, h.PAXRecords["SCHILY.xattr."+xattr], value)
		}
	})
}
