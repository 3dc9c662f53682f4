package apk_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/format/apk"
	"compose/internal/testrepo"
	"compose/internal/testtree"
	"compose/resolve"
	"compose/rootfs"
)

// openApk opens a package of a mirror; the file name says what it is.
func openApk(t testing.TB, store cas.Store, dir, name string) *rootfs.Package {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, name+"-[0-9]*.apk"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %d packages: %v", name, len(found), err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	pack, err := store.NewPack(cas.Sum(data))
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), name+"-"), ".apk")
	want := resolve.Locked{Name: name, Version: version, Arch: "x86_64", Size: int64(len(data)), InstalledSize: 64 << 20}
	p, err := apk.Format{}.Open(bytes.NewReader(data), want, resolve.Check{}, pack)
	if err != nil {
		t.Fatal(err)
	}
	if err := pack.Commit(); err != nil {
		t.Fatal(err)
	}
	return p
}

// alpine is the closure of alpine-baselayout and apk-tools in the repository
// of the installation medium.
var alpine = []string{
	"alpine-baselayout", "alpine-baselayout-data", "apk-tools", "busybox", "busybox-binsh", "ca-certificates-bundle",
	"libcrypto3", "libssl3", "musl", "ssl_client", "zlib",
}

const epoch = 1800000000

// alpineTree is the tree of those packages.
func alpineTree(t testing.TB, store cas.Store, r rootfs.Recipe) *rootfs.Tree {
	t.Helper()
	dir := testrepo.Shared(t, "mirrors/alpine/iso/x86_64")
	for _, name := range alpine {
		p := openApk(t, store, dir, name)
		p.Wanted = name == "apk-tools" || name == "alpine-baselayout"
		r.Packages = append(r.Packages, p)
	}
	r.Arch, r.Contents, r.Epoch = "x86_64", store, epoch
	tree, _, err := rootfs.Assemble(r, apk.Format{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// The database is what apk itself writes when it installs the same packages.
func TestDatabaseIsApks(t *testing.T) {
	testtree.Root(t)
	store := cas.NewMem()
	dir := testtree.Export(t, alpineTree(t, store, rootfs.Recipe{}), store, epoch)
	mirror := testrepo.Shared(t, "mirrors/alpine/iso")
	if err := os.CopyFS(filepath.Join(dir, "mirror"), os.DirFS(mirror)); err != nil {
		t.Fatal(err)
	}
	// The tree's own apk installs the same into an empty folder.
	testtree.Run(t, "chroot", dir, "/sbin/apk", "add", "--root", "/new", "--initdb", "--no-scripts", "--no-network", "--no-cache",
		"--allow-untrusted", "--repositories-file", "/dev/null", "--repository", "/mirror", "alpine-baselayout", "apk-tools")

	for _, path := range []string{"lib/apk/db/installed", "lib/apk/db/triggers", "etc/apk/world"} {
		// The index lists a noarch package under the architecture that it
		// serves, and apk writes that.
		ours := strings.ReplaceAll(readFile(t, dir, path), "\nA:noarch\n", "\nA:x86_64\n")
		if theirs := readFile(t, filepath.Join(dir, "new"), path); ours != theirs {
			t.Errorf("%s: %s", path, firstDifference(ours, theirs))
		}
	}
	// The order of scripts.tar is that of installation, and its times are
	// those of the clock.
	ours, theirs := scripts(t, readFile(t, dir, "lib/apk/db/scripts.tar")), scripts(t, readFile(t, dir, "new/lib/apk/db/scripts.tar"))
	if !maps.Equal(ours, theirs) || len(ours) == 0 {
		t.Errorf("scripts.tar: got %q, want %q", slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs)))
	}
}

// scripts reads scripts.tar: names with modes, and contents.
func scripts(t *testing.T, archive string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(strings.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("%s %o", h.Name, h.Mode)] = string(b)
	}
}

// firstDifference shows where two texts part.
func firstDifference(ours, theirs string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: got %q, apk writes %q", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("got %d lines, apk writes %d", len(a), len(b))
}

func readFile(t *testing.T, dir, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// apk reads the database back, finds all files as they should be, and sees
// what the manifest changed.
func TestApkReads(t *testing.T) {
	testtree.Root(t)
	for _, tt := range []struct {
		rule   string
		recipe rootfs.Recipe
		want   string // apk audit
	}{{
		rule: "nothing has changed",
	}, {
		rule:   "what is removed is not in the database",
		recipe: rootfs.Recipe{Remove: []rootfs.Glob{{Text: "/usr/share/udhcpc"}, {Text: "/etc/motd"}}, Slim: []string{"docs", "man"}},
	}, {
		rule: "a file that the manifest changed",
		recipe: rootfs.Recipe{Entries: []rootfs.Entry{
			{Node: rootfs.Node{Path: "usr/share/udhcpc/default.script", Type: rootfs.Symlink, Mode: 0o777, Link: "/none"}},
		}},
		want: "U usr/share/udhcpc/default.script\n",
	}} {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			dir := testtree.Export(t, alpineTree(t, store, tt.recipe), store, epoch)
			run := func(args ...string) string {
				return testtree.Run(t, "chroot", append([]string{dir, "/sbin/apk"}, args...)...)
			}
			if got := run("audit", "--system", "--check-permissions"); got != tt.want {
				t.Errorf("audit: got %q, want %q", got, tt.want)
			}
			if got, want := run("info", "-q"), strings.Join(alpine, "\n")+"\n"; got != want {
				t.Errorf("info: got %q, want %q", got, want)
			}
			if got := run("info", "--who-owns", "/bin/busybox"); !strings.Contains(got, "is owned by busybox-1") {
				t.Errorf("who owns: %q", got)
			}
			if got := run("add", "--simulate", "--no-network", "apk-tools"); !strings.HasPrefix(got, "OK: ") {
				t.Errorf("add: %q", got)
			}
		})
	}
}

// TestDatabase has what the installation medium has no example of.
func TestDatabase(t *testing.T) {
	store := cas.NewMem()
	ref := func(s string) cas.Ref {
		r, err := store.Put(strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	nodes := []rootfs.Node{
		{Path: "init", Type: rootfs.Regular, Mode: 0o755, Content: ref("i")},
		{Path: "opt", Type: rootfs.Dir, Mode: 0o700, UID: 5},
		{Path: "opt/b", Type: rootfs.Regular, Mode: 0o644, Content: ref("b"), SHA1: make([]byte, 20)},
		{Path: "opt/sub", Type: rootfs.Dir, Mode: 0o755},
		{Path: "opt/sub/gone", Type: rootfs.Regular, Mode: 0o644, Content: ref("g")},
		{Path: "opt/ping", Type: rootfs.Regular, Mode: 0o755, Content: ref("p"), Xattrs: []rootfs.Xattr{{Name: "user.x", Value: []byte("y")}}},
		{Path: "opt/sub/link", Type: rootfs.Hardlink, Link: "opt/b"},
		{Path: "opt/sub/sym", Type: rootfs.Symlink, Mode: 0o777, Link: "gone"},
	}
	for i := range nodes {
		nodes[i].Package = "x"
	}
	p := &rootfs.Package{Name: "x", Version: "1-r0", Arch: "x86_64", Size: 7, InstalledSize: 8, Checksum: make([]byte, 20), Nodes: nodes,
		Control: map[string][]byte{".PKGINFO": []byte("# depend = no\npkgname = x\ndepend = a\ndepend = b>1\nprovider_priority = 5\nreplaces = y z\nreplaces_priority = 2\n" +
			"install_if = c d\ntriggers = /lib /usr/*\n")}}
	tree, _, err := rootfs.Assemble(rootfs.Recipe{Packages: []*rootfs.Package{p}, Remove: []rootfs.Glob{{Text: "/opt/sub/gone"}}, Contents: store}, apk.Format{})
	if err != nil {
		t.Fatal(err)
	}
	const zero = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA="
	want := "C:" + zero + "\nP:x\nV:1-r0\nA:x86_64\nS:7\nI:8\nT:\nU:\nL:\nk:5\nD:a b>1\ni:c d\nr:y z\nq:2\n" +
		"F:\nR:init\na:0:0:755\nZ:" + sha("i") + "\n" +
		"F:opt\nM:5:0:700\nR:b\nZ:" + zero + "\nR:ping\na:0:0:755:" + sha("\x00\x00\x00\x06user.x\x00\x00\x00\x01y") + "\nZ:" + sha("p") + "\n" +
		"F:opt/sub\nR:link\nZ:" + zero + "\nR:sym\na:0:0:777\nZ:" + sha("gone") + "\n\n"
	for path, want := range map[string]string{
		"lib/apk/db/installed": want,
		"lib/apk/db/triggers":  zero + " /lib /usr/*\n",
		"etc/apk/world":        "\n",
	} {
		b, err := rootfs.Read(store, tree.Get(path).Content)
		if err != nil || string(b) != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", path, err, b, want)
		}
	}
	nodes, err = apk.Format{}.Database(tree, []*rootfs.Package{p}, "scanners", store)
	if err != nil || len(nodes) != 1 || nodes[0].Path != "lib/apk/db/installed" {
		t.Errorf("scanners: %v, %v", nodes, err)
	}
	if nodes, err = (apk.Format{}).Database(tree, nil, "none", store); err != nil || len(nodes) > 0 {
		t.Errorf("none: %v, %v", nodes, err)
	}
	if _, err = (apk.Format{}).Database(tree, nil, "sqlite", store); err == nil {
		t.Error("an unknown kind was accepted")
	}
}

// sha is how apk writes the SHA-1 of a text.
func sha(text string) string {
	s := sha1.Sum([]byte(text))
	return "Q1" + base64.StdEncoding.EncodeToString(s[:])
}

// TestPrefer has the rules of replaces, replaces_priority and origin.
func TestPrefer(t *testing.T) {
	p := func(name, origin string, priority int, replaces ...string) *rootfs.Package {
		p := &rootfs.Package{Name: name, Version: "2-r0", Source: origin, Priority: priority}
		for _, r := range replaces {
			name, version, versioned := strings.Cut(r, "<")
			op := ""
			if versioned {
				op = "<"
			}
			p.Replaces = append(p.Replaces, rootfs.Replace{Name: name, Op: op, Version: version})
		}
		return p
	}
	for _, tt := range []struct {
		rule, want string
		a, b       *rootfs.Package
	}{
		{"nobody replaces", "", p("a", "a", 0), p("b", "b", 0)},
		{"the first replaces", "a", p("a", "a", 0, "b"), p("b", "b", 0)},
		{"the second replaces", "b", p("a", "a", 0), p("b", "b", 0, "a")},
		{"this version is not replaced", "", p("a", "a", 0), p("b", "b", 0, "a<1")},
		{"older versions are", "b", p("a", "a", 0), p("b", "b", 0, "a<3")},
		{"the higher priority counts", "b", p("a", "a", 1, "b"), p("b", "b", 2, "a")},
		{"of equal priority, the first name", "a", p("a", "a", 2, "b"), p("b", "b", 2, "a")},
		{"one origin may share, the first name keeps", "a", p("a", "o", 0), p("b", "o", 0)},
		{"one origin, and the second replaces", "b", p("a", "o", 0), p("b", "o", 0, "a")},
	} {
		got := ""
		if w := (apk.Format{}).Prefer(tt.a, tt.b); w != nil {
			got = w.Name
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

// TestAccounts has a manifest's user in the style of Alpine.
func TestAccounts(t *testing.T) {
	store := cas.NewMem()
	tree := alpineTree(t, store, rootfs.Recipe{
		Users: []rootfs.User{{Name: "app", UID: -1, GID: -1, Groups: []string{"audio"}, Home: "/home/app", Shell: "/bin/ash"}},
		UIDs:  map[string]int{"app": 1007}, GIDs: map[string]int{"app": 1007},
	})
	for path, want := range map[string]string{
		"etc/passwd": "app:x:1007:1007::/home/app:/bin/ash\n",
		"etc/group":  "app:x:1007:\n",
		"etc/shadow": "app:!::0:::::\n",
	} {
		b, err := rootfs.Read(store, tree.Get(path).Content)
		if err != nil || !strings.HasSuffix(string(b), "\n"+want) {
			t.Errorf("%s: %v, got\n%s", path, err, b)
		}
		if !strings.HasPrefix(string(b), "root:x:0:0:") && !strings.HasPrefix(string(b), "root:x:0:root") && !strings.HasPrefix(string(b), "root:*:") {
			t.Errorf("%s: begins %.20q: anybody may be root", path, b)
		}
		if path == "etc/group" && !strings.Contains(string(b), "\naudio:x:18:app\n") {
			t.Errorf("%s: app is not in audio:\n%s", path, b)
		}
	}
	if n := tree.Get("etc/shadow"); n.Mode != 0o640 || n.GID != 42 {
		t.Errorf("etc/shadow: mode %o, group %d", n.Mode, n.GID)
	}
	if n := tree.Get("home/app"); n == nil || n.UID != 1007 || n.Mode != 0o700 {
		t.Errorf("home/app: %+v", n)
	}
}

// Whatever Alpine's baselayout does not bring, the layout does.
func TestLayout(t *testing.T) {
	store := cas.NewMem()
	merged := &rootfs.Package{Name: "merged", Version: "1", Nodes: []rootfs.Node{{Path: "lib", Type: rootfs.Symlink, Mode: 0o777, Link: "usr/lib", Package: "merged"}}}
	a := &rootfs.Package{Name: "a", Version: "1", Nodes: []rootfs.Node{{Path: "lib/x", Type: rootfs.Symlink, Mode: 0o777, Link: "y", Package: "a"}}}
	for _, tt := range []struct {
		rule     string
		packages []*rootfs.Package
		want     []string
	}{
		{"no package at all", nil, []string{"drwxrwxrwt 0:0 /tmp\n", "lrwxrwxrwx 0:0 /var/run -> /run\n", "drwx------ 0:0 /root\n", "/lib/apk/db/installed\n"}},
		{"a release without a merged /usr", []*rootfs.Package{a}, []string{" /lib/x -> y\n"}},
		{"a release with one has its database there too", []*rootfs.Package{a, merged}, []string{" /lib -> usr/lib\n", " /usr/lib/x -> y\n", " /usr/lib/apk/db/installed\n"}},
	} {
		tree, _, err := rootfs.Assemble(rootfs.Recipe{Packages: tt.packages, Contents: store}, apk.Format{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if got := tree.Dump(); !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.rule, want, got)
			}
		}
	}
}
