// Package formattest is the suite that every package format passes: what the
// stages rely on, whatever the format.
package formattest

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/format"
	"compose/internal/testrepo"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// A Sample is what the suite must be told of a format.
type Sample struct {
	Short    manifest.Repository // a short form: debian: trixie
	Versions []string            // in ascending order, no two equal
	Long     manifest.Repository // a long form of https://packages.example.org/os
	Index    string              // path of a signed index file below the repository, to damage
	OtherKey resolve.Key         // a good key that signs other repositories
}

// description is the repository that the suite builds in each format.
const description = `
libdemo 1.0-r1
	usr/lib/libdemo.so.1 0644 "a library\n"
	usr/lib/libdemo.so -> libdemo.so.1
demo 2.0-r1
	depends: libdemo
	usr/bin/demo 0755 "#!/bin/sh\n"
	usr/share/demo/ 0755
`

// Run runs the suite over f.
func Run(t *testing.T, f format.Format, s Sample) {
	t.Run("the table finds the format by its name", func(t *testing.T) {
		if got, ok := format.Lookup(f.Name()); !ok || got.Name() != f.Name() {
			t.Fatalf("Lookup(%q) = %v, %v", f.Name(), got, ok)
		}
	})
	t.Run("platforms have a name of the format's own", func(t *testing.T) { platforms(t, f) })
	t.Run("versions have one order", func(t *testing.T) { versions(t, f, s.Versions) })
	t.Run("wants have one syntax", func(t *testing.T) { wants(t, f) })
	t.Run("a short form expands to unique named sources", func(t *testing.T) { expands(t, f, s.Short) })

	repo := newRepository(t, f, s)
	t.Run("an index gives its packages", func(t *testing.T) { indexed(t, repo) })
	t.Run("a damaged index is refused", func(t *testing.T) { damagedIndex(t, repo, s.Index) })
	t.Run("an index under another key is refused", func(t *testing.T) { otherKey(t, repo, s.OtherKey) })
	t.Run("a package opens to the nodes it has", func(t *testing.T) { opened(t, repo) })
	t.Run("a package opens the same twice", func(t *testing.T) { openedTwice(t, repo) })
	t.Run("a package that is cut short is refused", func(t *testing.T) { cutShort(t, repo) })
	t.Run("a package under another name is refused", func(t *testing.T) { otherName(t, repo) })
	t.Run("package URLs name type, name and version", func(t *testing.T) { purl(t, repo) })
	t.Run("each kind of database is made, and none is nothing", func(t *testing.T) { database(t, repo) })
}

func platforms(t *testing.T, f format.Format) {
	names := map[string]manifest.Platform{}
	for _, arch := range []string{"amd64", "arm64"} {
		p := manifest.Platform{OS: "linux", Arch: arch}
		name, err := f.Arch(p)
		if err != nil {
			t.Fatalf("Arch(%s): %v", p, err)
		}
		if other, ok := names[name]; ok {
			t.Errorf("%s and %s are both %q", p, other, name)
		}
		names[name] = p
	}
	if name, err := f.Arch(manifest.Platform{OS: "plan9", Arch: "mips"}); err == nil {
		t.Errorf("Arch(plan9/mips) = %q, want an error", name)
	}
}

func versions(t *testing.T, f format.Format, ascending []string) {
	for i, a := range ascending {
		for j, b := range ascending {
			want := i - j
			if got := f.Compare(a, b); got < 0 != (want < 0) || got == 0 != (want == 0) {
				t.Errorf("Compare(%q, %q) = %d, want the sign of %d", a, b, got, want)
			}
			for op, holds := range map[string]bool{"=": i == j, "<": i < j, "<=": i <= j, ">": i > j, ">=": i >= j} {
				if got := f.Satisfies(a, op, b); got != holds {
					t.Errorf("Satisfies(%q, %q, %q) = %v", a, op, b, got)
				}
			}
		}
	}
}

func wants(t *testing.T, f format.Format) {
	for text, want := range map[string]struct {
		atom    resolve.Atom
		exclude bool
	}{
		"zlib":      {atom: resolve.Atom{Name: "zlib"}},
		"zlib>=1.3": {atom: resolve.Atom{Name: "zlib", Op: ">=", Version: "1.3"}},
		"zlib=1.3":  {atom: resolve.Atom{Name: "zlib", Op: "=", Version: "1.3"}},
		"zlib~1.3":  {atom: resolve.Atom{Name: "zlib", Op: "~", Version: "1.3"}},
		"zlib@edge": {atom: resolve.Atom{Name: "zlib", Pin: "edge"}},
		"!zlib":     {atom: resolve.Atom{Name: "zlib"}, exclude: true},
	} {
		w, err := f.Want(text)
		if err != nil {
			t.Errorf("Want(%q): %v", text, err)
			continue
		}
		if len(w.Clause) != 1 || w.Clause[0] != want.atom || w.Exclude != want.exclude {
			t.Errorf("Want(%q) = %+v exclude %v, want %+v exclude %v", text, w.Clause, w.Exclude, want.atom, want.exclude)
		}
	}
	for _, text := range []string{"", "!", "=1", "zlib>", "zlib 1.3", "zl\x00ib", "zlib>=1.3@"} {
		if w, err := f.Want(text); err == nil {
			t.Errorf("Want(%q) = %+v, want an error", text, w)
		}
	}
}

func expands(t *testing.T, f format.Format, short manifest.Repository) {
	sources, err := f.Expand(short)
	if err != nil || len(sources) == 0 {
		t.Fatalf("Expand(%+v) = %v, %v", short, sources, err)
	}
	seen := map[string]bool{}
	for _, s := range sources {
		if s.Name == "" || s.URL == "" || s.Kind != f.Name() || !s.Builtin || s.Mirror == "" || strings.HasSuffix(s.URL, "/") {
			t.Errorf("source %+v: wants a name, a kind, a URL without a slash at its end, a mirror, built-in keys", s)
		}
		if seen[s.Name] {
			t.Errorf("source %q stands twice", s.Name)
		}
		seen[s.Name] = true
	}
}

// A repository is one on disk, read through a plain function.
type repository struct {
	f    format.Format
	dir  string
	keys []resolve.Key
	src  resolve.Source
	arch string
}

func newRepository(t *testing.T, f format.Format, s Sample) *repository {
	dir := t.TempDir()
	text := description
	if f.Name() == "deb" {
		text = strings.ReplaceAll(text, "-r1", "-1")
	}
	keyFile, err := testrepo.Write(dir, f.Name(), text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := f.Expand(s.Long)
	if err != nil || len(sources) != 1 {
		t.Fatalf("Expand of a long form = %v, %v", sources, err)
	}
	arch, err := f.Arch(manifest.Platform{OS: "linux", Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return &repository{f: f, dir: dir, keys: []resolve.Key{{Name: filepath.Base(keyFile), Data: key}}, src: sources[0], arch: arch}
}

// get reads files of the repository; damage, if not nil, changes their bytes.
func (r *repository) get(damage func(path string, data []byte) []byte) resolve.Get {
	return func(_ context.Context, path string, promise resolve.Promise) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(path)))
		if err != nil {
			return nil, fs.ErrNotExist
		}
		if damage != nil {
			data = damage(path, data)
		}
		if !promise.SHA256.IsZero() && cas.Sum(data) != promise.SHA256 {
			return nil, fault.New(fault.TrustHash, "%s: sha256 is %s", path, cas.Sum(data))
		}
		return data, nil
	}
}

func (r *repository) index(damage func(string, []byte) []byte, keys []resolve.Key) ([]resolve.Package, []resolve.IndexFile, error) {
	return r.f.Index(context.Background(), r.src, r.arch, keys, r.get(damage), nil, time.Now())
}

func indexed(t *testing.T, r *repository) {
	packages, files, err := r.index(nil, r.keys)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.Name)
		if p.Version == "" || p.Size <= 0 || !resolve.CleanPath(p.Path) {
			t.Errorf("package %+v: wants a version, a size and a clean path", p)
		}
	}
	slices.Sort(names)
	if want := []string{"demo", "libdemo"}; !slices.Equal(names, want) {
		t.Errorf("packages %v, want %v", names, want)
	}
	if len(files) == 0 || files[0].Key == "" || files[0].SHA256.IsZero() {
		t.Errorf("index files %+v: want digest and fingerprint of the signer", files)
	}
}

func damagedIndex(t *testing.T, r *repository, path string) {
	hit := false
	_, _, err := r.index(func(p string, data []byte) []byte {
		if p != path {
			return data
		}
		hit = true
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
		return data
	}, r.keys)
	if !hit {
		t.Fatalf("the index never read %s", path)
	}
	if code := fault.Of(err).Exit(); err == nil || code != 4 && code != 5 {
		t.Errorf("err = %v (%s), want a refusal", err, fault.Of(err))
	}
}

func otherKey(t *testing.T, r *repository, other resolve.Key) {
	_, _, err := r.index(nil, []resolve.Key{other})
	if fault.Of(err).Exit() != 4 {
		t.Errorf("err = %v (%s), want a trust fault", err, fault.Of(err))
	}
	if _, _, err = r.index(nil, nil); fault.Of(err).Exit() != 4 {
		t.Errorf("without any key: err = %v (%s), want a trust fault", err, fault.Of(err))
	}
}

// demo is the package demo as the index has it.
func (r *repository) demo(t *testing.T) (resolve.Package, resolve.Locked, []byte) {
	packages, _, err := r.index(nil, r.keys)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(packages, func(p resolve.Package) bool { return p.Name == "demo" })
	p := packages[i]
	data, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(p.Path)))
	if err != nil {
		t.Fatal(err)
	}
	return p, resolve.Locked{Name: p.Name, Version: p.Version, Arch: p.Arch, Path: p.Path, Size: p.Size, SHA256: cas.Sum(data), InstalledSize: p.InstalledSize}, data
}

func (r *repository) open(t *testing.T, data []byte, want resolve.Locked, check resolve.Check) (*rootfs.Package, *cas.Mem, error) {
	store := cas.NewMem()
	pack, err := store.NewPack(want.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.f.Open(bytes.NewReader(data), want, check, pack)
	if err == nil {
		err = pack.Commit()
	}
	return p, store, err
}

func opened(t *testing.T, r *repository) {
	p, want, data := r.demo(t)
	pkg, store, err := r.open(t, data, want, p.Check)
	if err != nil {
		t.Fatal(err)
	}
	if pkg.Name != "demo" || pkg.Version != p.Version || len(pkg.Control) == 0 {
		t.Errorf("package %s %s with %d control members", pkg.Name, pkg.Version, len(pkg.Control))
	}
	i := slices.IndexFunc(pkg.Nodes, func(n rootfs.Node) bool { return n.Path == "usr/bin/demo" })
	if i < 0 {
		t.Fatalf("no usr/bin/demo among %d nodes", len(pkg.Nodes))
	}
	n := pkg.Nodes[i]
	if n.Type != rootfs.Regular || n.Mode != 0o755 || n.Package != "demo" {
		t.Errorf("node %+v", n)
	}
	text, err := rootfs.Read(store, n.Content)
	if err != nil || string(text) != "#!/bin/sh\n" {
		t.Errorf("content %q, %v", text, err)
	}
}

func openedTwice(t *testing.T, r *repository) {
	p, want, data := r.demo(t)
	a, _, err := r.open(t, data, want, p.Check)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := r.open(t, data, want, p.Check)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Nodes) != len(b.Nodes) {
		t.Fatalf("%d nodes, then %d", len(a.Nodes), len(b.Nodes))
	}
	for i := range a.Nodes {
		if a.Nodes[i].Path != b.Nodes[i].Path || a.Nodes[i].Content.Digest != b.Nodes[i].Content.Digest {
			t.Errorf("node %d: %+v, then %+v", i, a.Nodes[i], b.Nodes[i])
		}
	}
}

func cutShort(t *testing.T, r *repository) {
	p, want, data := r.demo(t)
	for range 20 {
		n := rand.IntN(len(data))
		if _, _, err := r.open(t, data[:n], want, p.Check); err == nil {
			t.Errorf("the first %d of %d bytes opened", n, len(data))
		}
	}
}

func otherName(t *testing.T, r *repository) {
	p, want, data := r.demo(t)
	want.Name = "demon"
	if _, _, err := r.open(t, data, want, p.Check); fault.Of(err) != fault.TrustIdentity {
		t.Errorf("err = %v (%s), want %s", err, fault.Of(err), fault.TrustIdentity)
	}
}

func purl(t *testing.T, r *repository) {
	_, want, _ := r.demo(t)
	got := r.f.PURL(want, "")
	if !strings.HasPrefix(got, "pkg:"+r.f.Name()+"/") || !strings.Contains(got, "/demo@2.0-") {
		t.Errorf("PURL = %q", got)
	}
}

func database(t *testing.T, r *repository) {
	p, want, data := r.demo(t)
	pkg, store, err := r.open(t, data, want, p.Check)
	if err != nil {
		t.Fatal(err)
	}
	packages := []*rootfs.Package{pkg}
	if kind := r.f.AutoDatabase(packages); kind != "full" && kind != "scanners" {
		t.Errorf("AutoDatabase = %q", kind)
	}
	tree := rootfs.NewTree()
	for _, kind := range []string{"full", "scanners", "none"} {
		nodes, err := r.f.Database(tree, packages, kind, store)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if (len(nodes) == 0) != (kind == "none") {
			t.Errorf("%s: %d nodes", kind, len(nodes))
		}
	}
}
