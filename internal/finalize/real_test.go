package finalize_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"compose/fetch"
	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/finalize"
	_ "compose/internal/format/apk"
	_ "compose/internal/format/deb"
	"compose/internal/testrepo"
	"compose/internal/testtree"
	"compose/manifest"
	"compose/rootfs"
)

// store is shared by all tests, which fetch much the same packages.
var store = sync.OnceValues(func() (*cas.Dir, error) {
	dir := os.Getenv("COMPOSE_TEST_CACHE")
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "finalize-store-"); err != nil {
			return nil, err
		}
		made = dir
	}
	return cas.OpenDir(dir)
})

var made string // the store's folder, if the tests made it

func TestMain(m *testing.M) {
	code := m.Run()
	if made != "" {
		os.RemoveAll(made)
	}
	os.Exit(code)
}

// debian is the tree of a closure of trixie, and what Run needs beside.
func debian(t testing.TB, packages ...string) finalize.Input {
	t.Helper()
	mirrors := map[string][]string{}
	for _, archive := range []string{"debian", "debian-security"} {
		mirrors[archive] = []string{testrepo.HostMirror(t, archive)}
	}
	return tree(t, "  - debian: trixie\n", mirrors, packages)
}

// alpine is the same for Alpine's lab mirror, beside the checkout.
func alpine(t testing.TB, packages ...string) finalize.Input {
	t.Helper()
	return tree(t, "  - apk: file://"+testrepo.Shared(t, "mirrors/alpine/lab")+"\n    trusted: insecure\n", nil, packages)
}

// tree builds a closure, and takes out what finalizers did to it.
func tree(t testing.TB, repository string, mirrors map[string][]string, packages []string) finalize.Input {
	t.Helper()
	s, err := store()
	if err != nil {
		t.Fatal(err)
	}
	text := "name: x\nplatforms: [linux/amd64]\nrepositories:\n" + repository + "packages: [" + strings.Join(packages, ", ") + "]\n"
	project := fstest.MapFS{"image.yaml": {Data: []byte(text)}}
	img, err := manifest.Parse(project, "image.yaml", manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env := build.Env{
		Store: s, Fetch: &fetch.Client{Store: s, Mirrors: mirrors}, Project: project,
		Now: time.Now(), Jobs: 2, Warn: t.Logf,
	}
	ctx := context.Background()
	choices, err := build.Closures(ctx, env, img, nil)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := build.Lock(ctx, env, img, choices, nil)
	if err != nil {
		t.Fatal(err)
	}
	built, err := build.Images(ctx, env, img, lock)
	if err != nil {
		t.Fatal(err)
	}
	b := built[0]
	var ours []string
	for n := range b.Tree.All() {
		if strings.HasPrefix(n.Origin, "finalizer: ") {
			ours = append(ours, n.Path)
		}
	}
	for _, path := range slices.Backward(ours) {
		b.Tree.Remove(path)
	}
	return finalize.Input{Tree: b.Tree, Contents: s, Arch: choices[0].Universe.Arch, Epoch: lock.Epoch, Packages: b.Packages}
}

// A listing has a line for each path: type, mode, owner, and what it holds.
type listing map[string]string

func line(typ rootfs.Type, mode uint16, uid, gid int, holds string) string {
	if typ == rootfs.Symlink {
		mode = 0o777
	}
	return fmt.Sprintf("%c%04o %d:%d %s", typ, mode, uid, gid, holds)
}

// onDisk lists a folder.
func onDisk(t testing.TB, root string) listing {
	t.Helper()
	l := listing{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		typ, holds := rootfs.Type('?'), ""
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			typ, holds = rootfs.Regular, fmt.Sprintf("%x", sha256.Sum256(data))
		case info.IsDir():
			typ = rootfs.Dir
		case info.Mode()&fs.ModeSymlink != 0:
			typ = rootfs.Symlink
			if holds, err = os.Readlink(path); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(root, path)
		l[rel] = line(typ, uint16(st.Mode&0o7777), int(st.Uid), int(st.Gid), holds)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// by lists what a finalizer made.
func by(tree *rootfs.Tree, name string) listing {
	l := listing{}
	for n := range tree.All() {
		if n.Origin != "finalizer: "+name {
			continue
		}
		holds := n.Link
		if n.Type == rootfs.Regular {
			holds = n.Content.Digest.Hex()
		}
		l[n.Path] = line(n.Type, n.Mode, n.UID, n.GID, holds)
	}
	return l
}

// since is what of l was not there before, or other than it was.
func (l listing) since(before listing) listing {
	d := listing{}
	for path, is := range l {
		if before[path] != is {
			d[path] = is
		}
	}
	for path := range before {
		if _, ok := l[path]; !ok {
			d[path] = "gone"
		}
	}
	return d
}

// judge runs the real program over the tree as real files, then the finalizer
// over the tree; both must come to the same. It gives the folder.
func judge(t *testing.T, in finalize.Input, name string, ignore []string, program func(root string)) string {
	t.Helper()
	root := testtree.Export(t, in.Tree, in.Contents, in.Epoch)
	before := onDisk(t, root)
	program(root)
	real := onDisk(t, root).since(before)
	for path := range real {
		if slices.ContainsFunc(ignore, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			delete(real, path)
		}
	}
	notes, err := finalize.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		t.Logf("%s: %d changes %v", n.Finalizer, n.Changes, n.Odd)
	}
	ours := by(in.Tree, name)
	if len(ours) == 0 {
		t.Errorf("the finalizer %s did nothing", name)
	}
	for path, is := range real {
		if ours[path] != is {
			t.Errorf("/%s: %q, the real program makes it %q", path, ours[path], is)
		}
	}
	for path, is := range ours {
		if real[path] == "" {
			t.Errorf("/%s: %q, the real program does not make it", path, is)
		}
	}
	return root
}
