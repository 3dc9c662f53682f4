package finalize

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/rootfs"
)

// A file of a test's tree: data, or the target of a link, or a hard link's.
type file struct {
	data []byte
	link string
	hard string
}

// inputOf makes a tree of files by path.
func inputOf(t testing.TB, files map[string]file) Input {
	t.Helper()
	in := Input{Tree: rootfs.NewTree(), Contents: cas.NewMem(), Arch: "amd64", Epoch: 1e9}
	addFiles(t, in, files)
	return in
}

func addFiles(t testing.TB, in Input, files map[string]file) {
	t.Helper()
	for _, path := range slices.SortedFunc(maps.Keys(files), func(a, b string) int {
		return strings.Compare(files[a].hard+" "+a, files[b].hard+" "+b) // hard links after the files
	}) {
		f := files[path]
		n := rootfs.Node{Path: path, Type: rootfs.Regular, Mode: 0o644, Package: "p"}
		switch {
		case f.link != "":
			n.Type, n.Mode, n.Link = rootfs.Symlink, 0o777, f.link
		case f.hard != "":
			n.Type, n.Link = rootfs.Hardlink, f.hard
		default:
			ref, err := in.Contents.Put(strings.NewReader(string(f.data)))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if err := in.Tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
}

// AddOdd adds much to a tree that is as it should not be.
func AddOdd(t testing.TB, in Input) {
	t.Helper()
	files := odd()
	for _, n := range []string{"lib", "lib64", "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "etc/ld.so.conf.d/readme"} {
		delete(files, n)
	}
	addFiles(t, in, files)
}

func lib(soname string) file { return file{data: fakeELF{soname: soname}.bytes()} }
func text(s string) file     { return file{data: []byte(s)} }

// odd is a tree in which much is as it should not be.
func odd() map[string]file {
	const dir = "usr/lib/x86_64-linux-gnu/"
	files := map[string]file{
		"lib":                            {link: "usr/lib"},
		"lib64":                          {link: "usr/lib64"},
		"usr/lib64/ld-linux-x86-64.so.2": {link: "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
		dir + "ld-linux-x86-64.so.2":     lib("ld-linux-x86-64.so.2"),

		"etc/ld.so.conf":            text("# a comment\n  include\tld.so.conf.d/*.conf  /nowhere/*.conf # more\nhwcap 1 nosegneg\n/usr/local/lib/ \nrelative/dir\n/opt/a\n/opt/link\n"),
		"etc/ld.so.conf.d/b.conf":   text("/opt/b"),
		"etc/ld.so.conf.d/a.conf":   text("/opt/a\n/usr/lib/x86_64-linux-gnu\n"),
		"etc/ld.so.conf.d/.c.conf":  text("/opt/hidden\n"),
		"etc/ld.so.conf.d/readme":   text("/opt/hidden\n"),
		"opt/hidden/libhidden.so.1": lib("libhidden.so.1"),
		"opt/link":                  {link: "a"},
		"usr/local/lib/liblocal.so": lib(""),
		"opt/a/libboth.so.1":        lib("libboth.so.1"),
		"opt/b/libboth.so.1":        lib("libboth.so.1"),
		"opt/b/libten.so.10":        lib("libten.so.10"),
		"opt/b/libten.so.9":         lib("libten.so.9"),

		dir + "libfoo.so.1.2.3":             lib("libfoo.so.1"), // no link yet
		dir + "libfoo.so":                   {link: "libfoo.so.1.2.3"},
		dir + "libbar.so.1.9":               lib("libbar.so.1"), // the newer one wins
		dir + "libbar.so.1.10":              lib("libbar.so.1"),
		dir + "libbar.so.1":                 {link: "libbar.so.1.9"},
		dir + "libimp.so.9":                 lib("libimp.so.1"), // the link has a name of its own
		dir + "libimp-other.so":             {link: "libimp.so.9"},
		dir + "libreal.so.2":                lib("libreal.so.2"), // two files of one soname
		dir + "libreal.so.2.5":              lib("libreal.so.2"),
		dir + "libhard.so.1.0":              lib("libhard.so.1"), // the soname is the same file
		dir + "libhard.so.1":                {hard: dir + "libhard.so.1.0"},
		dir + "libnone.so.3":                lib(""),
		dir + "libold.so.1":                 {link: "../../../opt/b/libten.so.9"},
		dir + "libfree.so.4.1":              lib("free-name.so.4"),
		dir + "libscript.so":                text("INPUT(libfoo.so.1)"),
		dir + "libfoo.a":                    lib("x"),
		dir + "libtmp.so.1.tmp":             lib("libtmp.so.1"),
		dir + "libnew.so.1.dpkg-new":        lib("libnew.so.1"),
		dir + "libdt.so.1.dpkg-tmp":         lib("libdt.so.1"),
		dir + "libpl.so.1.#prelink#.ABCDEF": lib("libpl.so.1"),
		dir + "libr;pm.so.1":                lib("libr.so.1"),
		dir + "libpre.so.1.#prelink#":       lib("libpre.so.1"),
		dir + "plugin.so":                   lib("plugin.so"),
		dir + "libdir.so/libin.so.1":        lib("libin.so.1"),
		dir + "lib686.so.1":                 {data: fakeELF{class: 1, machine: em386, soname: "lib686.so.1"}.bytes()},
		dir + "libx32.so.1":                 {data: fakeELF{class: 1, machine: emX8664, soname: "libx32.so.1"}.bytes()},
		dir + "libarm.so.1":                 {data: fakeELF{machine: emAArch64, soname: "libarm.so.1"}.bytes()},
		dir + "libexe.so.1":                 {data: fakeELF{typ: 2, soname: "libexe.so.1"}.bytes()},

		dir + "libcap.so.1":                          lib("libcap.so.1"),
		dir + "glibc-hwcaps/x86-64-v3/libcap.so.1.7": {data: fakeELF{soname: "libcap.so.1", isa: 4}.bytes()},
		dir + "glibc-hwcaps/x86-64-v2/libcap.so.1":   {data: fakeELF{soname: "libcap.so.1", isa: 3}.bytes()},
		dir + "glibc-hwcaps/x86-64-v2/libtwo.so.1":   {data: fakeELF{soname: "libtwo.so.1", isa: 1}.bytes()},
		"usr/lib/libplain.so.1":                      lib("libplain.so.1"),
	}
	return files
}

// run lets all finalizers run, and gives what they passed over.
func run(t testing.TB, in Input) (odd []string) {
	t.Helper()
	notes, err := Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		odd = append(odd, n.Odd...)
	}
	return odd
}

// read is what the file at path holds; "" where there is none.
func read(t testing.TB, in Input, path string) string {
	t.Helper()
	n := in.Tree.Lookup(path)
	if n == nil || n.Type != rootfs.Regular {
		return ""
	}
	data, err := rootfs.Read(in.Contents, n.Content)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// small is a tree with glibc and nothing odd.
func small(more map[string]file) map[string]file {
	files := map[string]file{
		"lib":                                {link: "usr/lib"},
		"lib64/ld-linux-x86-64.so.2":         lib("ld-linux-x86-64.so.2"),
		"usr/lib/x86_64-linux-gnu/liba.so.1": lib("liba.so.1"),
	}
	maps.Copy(files, more)
	return files
}

func TestLdconfig(t *testing.T) {
	const dir = "usr/lib/x86_64-linux-gnu/"
	for rule, c := range map[string]struct {
		files  map[string]file
		has    []string // strings of the cache
		hasNot []string
		links  map[string]string
	}{
		"a library has an entry": {small(nil), []string{"/lib/x86_64-linux-gnu/liba.so.1\x00"}, nil, nil},
		"a link is made by the soname": {small(map[string]file{dir + "libb.so.1.2": lib("libb.so.1")}),
			[]string{"/libb.so.1\x00"}, []string{"libb.so.1.2"}, map[string]string{dir + "libb.so.1": "libb.so.1.2"}},
		"a soname that is a path makes no link": {small(map[string]file{dir + "libb.so.1": lib("../../../etc/passwd")}),
			nil, nil, map[string]string{"etc/passwd": ""}},
		"no soname is made of two dots": {small(map[string]file{dir + "libb.so.1": lib("..")}), nil, nil, nil},
		"without ld.so.conf its folder is read": {small(map[string]file{"etc/ld.so.conf.d/x.conf": text("/opt/x"), "opt/x/libx.so": lib("")}),
			[]string{"/opt/x/libx.so"}, nil, nil},
		"a configuration that includes itself ends": {small(map[string]file{"etc/ld.so.conf": text("include /etc/*.conf\n/opt/x\n"), "opt/x/libx.so": lib("")}),
			[]string{"/opt/x/libx.so"}, nil, nil},
		"a link that leads nowhere stays": {small(map[string]file{dir + "libgone.so.1": {link: "nowhere"}}),
			nil, []string{"libgone"}, map[string]string{dir + "libgone.so.1": "nowhere"}},
		"a loop of links is no library": {small(map[string]file{dir + "libloop.so.1": {link: "libloop.so.1"}}), nil, []string{"libloop"}, nil},
	} {
		in := inputOf(t, c.files)
		run(t, in)
		cache := read(t, in, "etc/ld.so.cache")
		for _, s := range c.has {
			if !strings.Contains(cache, s) {
				t.Errorf("%s: the cache has no %q: %q", rule, s, cache)
			}
		}
		for _, s := range c.hasNot {
			if strings.Contains(cache, s) {
				t.Errorf("%s: the cache has %q", rule, s)
			}
		}
		for path, want := range c.links {
			got := ""
			if n := in.Tree.Get(path); n != nil {
				got = n.Link
			}
			if got != want {
				t.Errorf("%s: /%s leads to %q, want %q", rule, path, got, want)
			}
		}
	}
}

func TestNothingIsDoneWithoutWhatItIsFor(t *testing.T) {
	in := inputOf(t, map[string]file{
		"lib/ld-musl-x86_64.so.1": lib("libc.musl-x86_64.so.1"),
		"usr/lib/libz.so.1.3":     lib("libz.so.1"),
		"etc/ssl/certs/x.pem":     text("x"),
	})
	before := in.Tree.Dump()
	run(t, in)
	if after := in.Tree.Dump(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func TestTheManifestsOwnStays(t *testing.T) {
	in := inputOf(t, small(map[string]file{"usr/lib/x86_64-linux-gnu/libb.so.1.2": lib("libb.so.1"), "usr/share/zoneinfo/Etc/UTC": text("TZif")}))
	for _, path := range []string{"etc/ld.so.cache", "etc/localtime", "usr/lib/x86_64-linux-gnu/libb.so.1"} {
		if err := in.Tree.Add(rootfs.Node{Path: path, Type: rootfs.Symlink, Mode: 0o777, Link: "mine", Origin: "files: image.yaml:3:5"}); err != nil {
			t.Fatal(err)
		}
	}
	before := in.Tree.Dump()
	odd := run(t, in)
	if after := in.Tree.Dump(); after != before || len(odd) != 2 {
		t.Errorf("noted %q; before:\n%safter:\n%s", odd, before, after)
	}
}

// A second run finds everything as it should be.
func TestRunTwiceIsRunOnce(t *testing.T) {
	in := inputOf(t, odd())
	run(t, in)
	once := in.Tree.Dump()
	notes, err := Run(context.Background(), in)
	if err != nil || in.Tree.Dump() != once {
		t.Errorf("%v, the tree is\n%swas\n%s", err, in.Tree.Dump(), once)
	}
	for _, n := range notes {
		if n.Changes != 0 {
			t.Errorf("%s: %d changes", n.Finalizer, n.Changes)
		}
	}
}

// What a warm store keeps of a library leads to the same cache.
func TestKeptLibrariesMakeTheSameCache(t *testing.T) {
	in := inputOf(t, odd())
	run(t, in)
	want := read(t, in, "etc/ld.so.cache")
	warm := inputOf(t, odd())
	for n := range warm.Tree.All() {
		if n.Type != rootfs.Regular {
			continue
		}
		if kept, ok := in.Contents.(derived).Derived("library", n.Content.Digest); ok {
			if err := warm.Contents.(derived).PutDerived("library", n.Content.Digest, kept); err != nil {
				t.Fatal(err)
			}
		}
	}
	warm.Contents = unreadable{warm.Contents.(*cas.Mem)}
	run(t, warm)
	warm.Contents = warm.Contents.(unreadable).Mem
	if got := read(t, warm, "etc/ld.so.cache"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// unreadable is a store that gives no library.
type unreadable struct{ *cas.Mem }

func (u unreadable) Open(ref cas.Ref) (io.ReadCloser, error) {
	r, err := u.Mem.Open(ref)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err == nil && strings.HasPrefix(string(data), "\x7fELF") {
		err = errors.New("a library was read")
	}
	return io.NopCloser(strings.NewReader(string(data))), err
}

func TestGenerator(t *testing.T) {
	for version, want := range map[string]string{
		"2.41-12+deb13u1": "ldconfig (Debian GLIBC 2.41-12+deb13u1) stable release version 2.41",
		"2.39-0ubuntu8.3": "ldconfig (Ubuntu GLIBC 2.39-0ubuntu8.3) stable release version 2.39",
	} {
		l := &linker{job: &job{Input: Input{Packages: []*rootfs.Package{{Name: "bash", Version: "5"}, {Name: "libc6", Version: version}}}}}
		if got := l.generator(); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
}

func FuzzConf(f *testing.F) {
	f.Add("include ld.so.conf.d/*.conf\n/opt/x", "/opt/[a-z")
	f.Add("include /etc/*\n", "include \t/\n#\n=\n/")
	f.Fuzz(func(t *testing.T, conf, more string) {
		in := inputOf(t, small(map[string]file{"etc/ld.so.conf": text(conf), "etc/ld.so.conf.d/x.conf": text(more), "opt/x/libx.so": lib("")}))
		run(t, in)
		if cache := read(t, in, "etc/ld.so.cache"); !strings.Contains(cache, "/lib/x86_64-linux-gnu/liba.so.1\x00") && !strings.Contains(cache, "/usr/lib/x86_64-linux-gnu/liba.so.1\x00") {
			t.Errorf("the cache lacks a library: %q", cache)
		}
	})
}
