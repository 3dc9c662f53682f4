package rootfs

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
)

// simple is a distribution for tests: a merged /usr, Debian's rule of
// Replaces without versions, no accounts but root's.
type simple struct{}

func (simple) Layout(string, []*Package) []Node {
	return []Node{
		{Path: "usr/bin", Type: Dir, Mode: 0o755},
		{Path: "tmp", Type: Dir, Mode: 0o1777},
		{Path: "bin", Type: Symlink, Mode: 0o777, Link: "usr/bin"},
	}
}

func (simple) Prefer(a, b *Package) *Package {
	for _, p := range [][2]*Package{{a, b}, {b, a}} {
		if slices.Contains(p[0].Replaces, Replace{Name: p[1].Name}) {
			return p[0]
		}
	}
	return nil
}

func (simple) Accounts(*Tree, Contents, int64) (*Accounts, error) {
	return &Accounts{
		Passwd: []byte("root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:/sbin/nologin\n"),
		Group:  []byte("root:x:0:\nwww:x:34:\nshadow:x:42:\n"),
		Shadow: []byte("root:*:1:0:99999:7:::\nwww:*:1:0:99999:7:::\n"),
		Locked: "!:1:0:99999:7:::",
	}, nil
}

func (simple) AutoDatabase([]*Package) string { return "full" }

func (simple) Database(t *Tree, pkgs []*Package, kind string, c Contents) ([]Node, error) {
	ref, err := c.Put(strings.NewReader(kind + "\n"))
	return []Node{{Path: "var/lib/db", Type: Regular, Mode: 0o644, Content: ref}}, err
}

// pkgs reads packages from text, for tests: a line that is not indented names
// one, with the names that it replaces behind "<-"; the others are nodes,
//
//	etc/                1777 0:5     a directory
//	etc/motd            4755 0:0 text
//	etc/link -> target
//	etc/name == etc/motd             a hard link
//	dev/null c
func pkgs(t testing.TB, store cas.Store, text string) []*Package {
	t.Helper()
	var list []*Package
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if line[0] != '\t' {
			p := &Package{Name: f[0], Version: "1", Arch: "all"}
			for _, r := range f[1:] {
				if r != "<-" {
					p.Replaces = append(p.Replaces, Replace{Name: r})
				}
			}
			list = append(list, p)
			continue
		}
		p := list[len(list)-1]
		p.Nodes = append(p.Nodes, node(t, store, p.Name, f))
	}
	return list
}

func node(t testing.TB, store cas.Store, pkg string, f []string) Node {
	n := Node{Path: strings.TrimSuffix(f[0], "/"), Package: pkg, Type: Regular, Mode: 0o644, MTime: 5}
	switch {
	case strings.HasSuffix(f[0], "/"):
		n.Type, n.Mode = Dir, 0o755
	case len(f) > 1 && f[1] == "->":
		n.Type, n.Mode, n.Link = Symlink, 0o777, f[2]
		return n
	case len(f) > 1 && f[1] == "==":
		n.Type, n.Link = Hardlink, f[2]
		return n
	case len(f) > 1 && f[1] == "c":
		n.Type = Char
		return n
	}
	if len(f) > 1 {
		n.Mode = 0
		for _, c := range f[1] {
			n.Mode = n.Mode<<3 | uint16(c-'0')
		}
	}
	if len(f) > 2 {
		o := owners{}
		n.UID, n.GID, _ = o.parse(f[2])
	}
	if n.Type == Regular {
		content := n.Path + " of " + pkg
		if len(f) > 3 {
			content = f[3]
		}
		ref, err := store.Put(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		n.Content = ref
	}
	return n
}

// outcome is the tree that a recipe makes, without what every tree of simple
// has, or the error after "error: ".
func outcome(r Recipe) string {
	r.Epoch = 1000000000
	tree, _, err := Assemble(r, simple{})
	if err != nil {
		return "error: " + string(fault.Of(err)) + ": " + err.Error() + "\n"
	}
	var b strings.Builder
	for line := range strings.Lines(tree.Dump()) {
		_, path, _ := strings.Cut(line, " /")
		path = strings.Fields(path)[0]
		if !slices.Contains([]string{"usr", "usr/bin", "tmp", "bin", "etc/passwd", "etc/group", "etc/shadow", "var", "var/lib", "var/lib/db"}, path) &&
			!(path == "etc" && strings.HasPrefix(line, "drwxr-xr-x 0:0 ")) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestUnpack has the rules of unpacking. The order of packages never matters.
func TestUnpack(t *testing.T) {
	for _, tt := range []struct{ rule, packages, want string }{{
		rule:     "a file lands where the package says, its parents are made",
		packages: "zlib\n\topt/lib/z 0755 1:2 z\n",
		want: "drwxr-xr-x 0:0 /opt\n" +
			"drwxr-xr-x 0:0 /opt/lib\n" +
			"-rwxr-xr-x 1:2 1 594e519a /opt/lib/z\n",
	}, {
		rule:     "two packages may share a directory",
		packages: "musl\n\topt/\nzlib\n\topt/\n",
		want:     "drwxr-xr-x 0:0 /opt\n",
	}, {
		rule:     "a shared directory has the mode of the package that asks for a special one",
		packages: "musl\n\topt/\nzlib\n\topt/ 2775 0:50\nzzz\n\topt/ 0700\n",
		want:     "drwxrwsr-x 0:50 /opt\n",
	}, {
		rule:     "a directory of the layout keeps its mode",
		packages: "musl\n\ttmp/\n\tusr/ 0775\n\ttmp/x 0644 0:0 x\nzlib\n\ttmp/ 0700\n\tusr/ 0775\n",
		want:     "-rw-r--r-- 0:0 1 2d711642 /tmp/x\n",
	}, {
		rule:     "two packages may not share a file (A-12)",
		packages: "musl\n\topt/motd\nzlib\n\topt/motd\n",
		want:     "error: FILE-OWNED-TWICE: /opt/motd is in both musl and zlib, and neither may replace the other's files\n",
	}, {
		rule:     "two packages may share a file of the same content, mode and owner",
		packages: "musl\n\topt/motd 0644 0:0 same\nzlib\n\topt/motd 0644 0:0 same\n",
		want:     "drwxr-xr-x 0:0 /opt\n-rw-r--r-- 0:0 4 0967115f /opt/motd\n",
	}, {
		rule:     "the same content with another mode is another file",
		packages: "musl\n\topt/motd 0644 0:0 same\nzlib\n\topt/motd 0600 0:0 same\n",
		want:     "error: FILE-OWNED-TWICE: /opt/motd is in both musl and zlib, and neither may replace the other's files\n",
	}, {
		rule:     "the package that replaces the other keeps its file",
		packages: "musl <- zlib\n\topt/motd 0644 0:0 m\nzlib\n\topt/motd 0644 0:0 z\n",
		want:     "drwxr-xr-x 0:0 /opt\n-rw-r--r-- 0:0 1 62c66a7a /opt/motd\n",
	}, {
		rule:     "the package that replaces the other keeps its file, whatever the names",
		packages: "musl\n\topt/motd 0644 0:0 m\nzlib <- musl\n\topt/motd 0644 0:0 z\n",
		want:     "drwxr-xr-x 0:0 /opt\n-rw-r--r-- 0:0 1 594e519a /opt/motd\n",
	}, {
		rule:     "a replaced file's other name becomes the file",
		packages: "musl\n\topt/a 0644 0:0 m\n\topt/c == opt/a\n\topt/b == opt/a\nzlib <- musl\n\topt/a 0644 0:0 z\n",
		want: "drwxr-xr-x 0:0 /opt\n" +
			"-rw-r--r-- 0:0 1 594e519a /opt/a\n" +
			"-rw-r--r-- 0:0 1 62c66a7a /opt/b\n" +
			"h--------- 0:0 /opt/c link to /opt/b\n",
	}, {
		rule:     "a file that gives way leaves its other names",
		packages: "musl <- zlib\n\topt/a 0644 0:0 m\nzlib\n\topt/a 0644 0:0 z\n\topt/c == opt/a\n\topt/b == opt/a\n",
		want: "drwxr-xr-x 0:0 /opt\n" +
			"-rw-r--r-- 0:0 1 62c66a7a /opt/a\n" +
			"h--------- 0:0 /opt/b link to /opt/c\n" +
			"-rw-r--r-- 0:0 1 594e519a /opt/c\n",
	}, {
		rule:     "a name that gives way is no longer one of its file's",
		packages: "musl <- zlib\n\topt/b 0644 0:0 m\nzlib\n\topt/a 0644 0:0 z\n\topt/b == opt/a\n",
		want: "drwxr-xr-x 0:0 /opt\n" +
			"-rw-r--r-- 0:0 1 594e519a /opt/a\n" +
			"-rw-r--r-- 0:0 1 62c66a7a /opt/b\n",
	}, {
		rule:     "what lies below a link of the layout lands where it leads",
		packages: "dash\n\tbin/\n\tbin/sh 0755 0:0 z\n",
		want:     "-rwxr-xr-x 0:0 1 594e519a /usr/bin/sh\n",
	}, {
		rule:     "what lies below a link of another package lands where it leads (A-03)",
		packages: "base\n\tlib -> usr/lib\nzlib\n\tlib/\n\tlib/z 0644 0:0 z\nabc\n\tlib/a 0644 0:0 z\n",
		want: "lrwxrwxrwx 0:0 /lib -> usr/lib\n" +
			"drwxr-xr-x 0:0 /usr/lib\n" +
			"-rw-r--r-- 0:0 1 594e519a /usr/lib/a\n" +
			"-rw-r--r-- 0:0 1 594e519a /usr/lib/z\n",
	}, {
		rule:     "the same file below a link and where it leads is owned twice",
		packages: "base\n\tlib -> usr/lib\nzlib\n\tlib/z 0644 0:0 1\nzz\n\tusr/lib/z 0644 0:0 2\n",
		want:     "error: FILE-OWNED-TWICE: /usr/lib/z is in both zlib and zz, and neither may replace the other's files\n",
	}, {
		rule:     "nothing may lie below a link of the same package (A-03)",
		packages: "zlib\n\tlib -> usr/lib\n\tlib/z\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"lib/z\": below a symbolic link of its own package, /lib\n",
	}, {
		rule:     "nothing may lie below a link of the same package, though others lay it first",
		packages: "zlib\n\tlib -> usr/lib\n\tlib/z\nabc\n\tlib/a\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"lib/z\": below a symbolic link of its own package, /lib\n",
	}, {
		rule:     "a link may not be followed for ever",
		packages: "base\n\topt/a -> b\n\topt/b -> a\nzlib\n\topt/a/x\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"opt/a/x\": /opt/a: more than 40 symbolic links\n",
	}, {
		rule:     "a link to above the root stays inside the tree (A-04)",
		packages: "base\n\topt/a -> ../../../../etc\nzlib\n\topt/a/x 0644 0:0 z\n",
		want:     "-rw-r--r-- 0:0 1 594e519a /etc/x\ndrwxr-xr-x 0:0 /opt\nlrwxrwxrwx 0:0 /opt/a -> ../../../../etc\n",
	}, {
		rule:     "a link to nowhere, or to outside, is content like any other (A-04)",
		packages: "base\n\topt/a -> /proc/self/../../x\n\topt/b -> nowhere\n",
		want:     "drwxr-xr-x 0:0 /opt\nlrwxrwxrwx 0:0 /opt/a -> /proc/self/../../x\nlrwxrwxrwx 0:0 /opt/b -> nowhere\n",
	}, {
		rule:     "a directory may not be a file of another package (A-13)",
		packages: "base\n\topt/a\nzlib\n\topt/a/\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"opt/a\": a directory, but there is a file of base\n",
	}, {
		rule:     "a file may not be a directory of another package, whatever it replaces (A-13)",
		packages: "base\n\topt/a/\nzlib <- base\n\topt/a\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"opt/a\": not a directory, but there is a directory of base\n",
	}, {
		rule:     "a path may not stand twice in a package (A-11)",
		packages: "base\n\topt/a 0644 0:0 z\n\topt/a 0644 0:0 z\n",
		want:     "error: UNSAFE-ENTRY: package base: \"opt/a\": twice in the package\n",
	}, {
		rule:     "a directory may stand twice in a package, with the same mode and owner (A-11)",
		packages: "base\n\topt/ 0700\n\topt/ 0700\n",
		want:     "drwx------ 0:0 /opt\n",
	}, {
		rule:     "a directory may not stand twice in a package, with another mode (A-11)",
		packages: "base\n\topt/ 0700\n\topt/ 0711\n",
		want:     "error: UNSAFE-ENTRY: package base: \"opt\": a directory twice in the package, with different mode or owner\n",
	}, {
		rule:     "a hard link is one to an earlier file of the package (A-05)",
		packages: "base\n\topt/b == opt/a\n\topt/a 0644 0:0 z\n",
		want:     "error: UNSAFE-ENTRY: package base: \"opt/b\": a hard link to \"opt/a\", which is no earlier file of the package\n",
	}, {
		rule:     "a hard link is not one to another package's file (A-05)",
		packages: "base\n\topt/a 0644 0:0 z\nzlib\n\topt/b == opt/a\n",
		want:     "error: UNSAFE-ENTRY: package zlib: \"opt/b\": a hard link to \"opt/a\", which is no earlier file of the package\n",
	}, {
		rule:     "a hard link is not one to a symbolic link (A-05)",
		packages: "base\n\topt/a -> b\n\topt/b == opt/a\n",
		want:     "error: UNSAFE-ENTRY: package base: \"opt/b\": a hard link to \"opt/a\", which is no earlier file of the package\n",
	}, {
		rule:     "a device needs leave (A-08)",
		packages: "base\n\tdev/null c\n",
		want:     "error: UNSAFE-ENTRY: package base: \"dev/null\": a device or FIFO, which policy.allow does not name\n",
	}, {
		rule:     "set-user-id and sticky bits are kept (A-09)",
		packages: "su\n\tbin/su 4755 0:0 z\n\topt/ 1777\n",
		want:     "drwxrwxrwt 0:0 /opt\n-rwsr-xr-x 0:0 1 594e519a /usr/bin/su\n",
	}, {
		rule:     "names may differ in case alone (A-14)",
		packages: "base\n\topt/A 0644 0:0 z\n\topt/a 0644 0:0 z\n",
		want:     "drwxr-xr-x 0:0 /opt\n-rw-r--r-- 0:0 1 594e519a /opt/A\n-rw-r--r-- 0:0 1 594e519a /opt/a\n",
	}, {
		rule:     "a whiteout would delete another file (A-26)",
		packages: "base\n\topt/.wh.a\n",
		want:     "error: UNSAFE-WHITEOUT: package base: \"opt/.wh.a\": \"opt/.wh.a\": the name of a whiteout, which deletes other files when a layer is applied\n",
	}, {
		rule:     "a kernel never ships",
		packages: "linux-image\n\tboot/vmlinuz-6\n",
		want:     "error: UNSAFE-KERNEL: package linux-image: \"boot/vmlinuz-6\": part of a kernel, which no image needs; if this one does, name linux-image in policy.allow\n",
	}, {
		rule:     "nor do its modules, through whatever link",
		packages: "base\n\tlib -> usr/lib\nkmod\n\tlib/modules/\nlinux-image\n\tlib/modules/6/x.ko\n",
		want:     "error: UNSAFE-KERNEL: package linux-image: \"lib/modules/6/x.ko\": part of a kernel, which no image needs; if this one does, name linux-image in policy.allow\n",
	}} {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			packages := pkgs(t, store, tt.packages)
			for range 6 {
				rand.Shuffle(len(packages), func(i, j int) { packages[i], packages[j] = packages[j], packages[i] })
				if got := outcome(Recipe{Packages: packages, Contents: store}); got != tt.want {
					t.Fatalf("got:\n%s\nwant:\n%s", got, tt.want)
				}
			}
		})
	}
}

// TestAllow has what policy.allow lets in.
func TestAllow(t *testing.T) {
	store := cas.NewMem()
	got := outcome(Recipe{
		Packages: pkgs(t, store, "linux\n\tboot/vmlinuz 0644 0:0 z\nmakedev\n\topt/null c\n"),
		Contents: store,
		Allow:    []string{"linux", "/opt/null"},
	})
	want := "drwxr-xr-x 0:0 /boot\n-rw-r--r-- 0:0 1 594e519a /boot/vmlinuz\ndrwxr-xr-x 0:0 /opt\ncrw-r--r-- 0:0 0,0 /opt/null\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestOwnership checks who is said to have brought a node.
func TestOwnership(t *testing.T) {
	store := cas.NewMem()
	tree, _, err := Assemble(Recipe{Epoch: 7, Contents: store, Packages: pkgs(t, store,
		"a\n\topt/x/f\nb\n\topt/\n\tbin/sh\n\tusr/bin/\nc\n\topt/ 0700\n\tbin -> usr/bin\n")}, simple{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"opt": "c", "opt/x": "", "opt/x/f": "a", "bin": "c", "bin/sh": "b", "usr/bin/sh": "b", "usr/bin": "b", "etc/passwd": "", "nowhere": "",
	} {
		if got := tree.Owner(path); got != want {
			t.Errorf("Owner(%s) = %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{"opt/x": "parent", "usr": "layout", "tmp": "layout", "opt": "", "etc/passwd": "accounts", "var/lib/db": "package-database"} {
		if got := tree.Get(path).Origin; path != "usr" && got != want {
			t.Errorf("%s: Origin %q, want %q", path, got, want)
		}
	}
	var files []string
	for _, n := range tree.ByPackage()["b"] {
		files = append(files, n.Path)
	}
	if got := strings.Join(files, " "); got != "usr/bin usr/bin/sh" {
		t.Errorf("files of b: %s", got)
	}
}

// TestClamp checks that no file is younger than the epoch or older than 1970.
func TestClamp(t *testing.T) {
	store := cas.NewMem()
	p := pkgs(t, store, "a\n\topt/new\n\topt/old\n\topt/link -> new\n\topt/mid\n")
	p[0].Nodes[0].MTime, p[0].Nodes[1].MTime, p[0].Nodes[2].MTime, p[0].Nodes[3].MTime = 2000, -5, 3000, 900
	tree, _, err := Assemble(Recipe{Epoch: 1000, Contents: store, Packages: p}, simple{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int64{"opt/new": 1000, "opt/old": 0, "opt/link": 1000, "opt/mid": 900, "etc/passwd": 1000} {
		if got := tree.Get(path).MTime; got != want {
			t.Errorf("%s: time %d, want %d", path, got, want)
		}
	}
	if p[0].Nodes[0].MTime != 2000 {
		t.Error("Assemble changed the package it was given")
	}
}

// TestEntries has the rules of files:, remove: and slim:.
func TestEntries(t *testing.T) {
	const base = `base
	bin/tool 0755 0:0 t
	etc/motd 0644 0:0 old
	etc/hard == etc/motd
	opt/empty/
	opt/link -> full
	opt/full/f 0644 0:0 f
`
	for _, tt := range []struct {
		rule, packages string
		entries        []string // as in pkgs, the owner as text
		remove, slim   []string
		want           string
	}{{
		rule:    "an entry takes a file's place, whose other name becomes the file",
		entries: []string{"etc/motd 0600 - new"},
		want:    "-rw-r--r-- 0:0 3 cba06b57 /etc/hard\n-rw------- 0:0 3 11507a0e /etc/motd\n",
	}, {
		rule:    "an entry lands where links lead",
		entries: []string{"opt/link/g 0644 - g", "bin/sh -> tool"},
		want:    "-rw-r--r-- 0:0 1 cd0aa985 /opt/full/g\nlrwxrwxrwx 0:0 /usr/bin/sh -> tool\n",
	}, {
		rule:    "an owner is a user with its group, or both, or numbers",
		entries: []string{"srv/1 0644 www 1", "srv/2 0644 www:root 1", "srv/3 0644 5 1", "srv/4 0644 5:6 1", "srv/5 0644 33 1", "srv/6 0644 root:shadow 1"},
		want: "drwxr-xr-x 0:0 /srv\n" +
			"-rw-r--r-- 33:34 1 6b86b273 /srv/1\n" +
			"-rw-r--r-- 33:0 1 6b86b273 /srv/2\n" +
			"-rw-r--r-- 5:5 1 6b86b273 /srv/3\n" +
			"-rw-r--r-- 5:6 1 6b86b273 /srv/4\n" +
			"-rw-r--r-- 33:34 1 6b86b273 /srv/5\n" +
			"-rw-r--r-- 0:42 1 6b86b273 /srv/6\n",
	}, {
		rule:    "an owner must be somebody",
		entries: []string{"srv/1 0644 nobody 1"},
		want:    "error: USAGE: files: image.yaml:1:1: owner \"nobody\": no user \"nobody\"\n",
	}, {
		rule:    "an owner's group must be there",
		entries: []string{"srv/1 0644 root:staff 1"},
		want:    "error: USAGE: files: image.yaml:1:1: owner \"root:staff\": no group \"staff\"\n",
	}, {
		rule:    "an owner is no larger than a kernel's number",
		entries: []string{"srv/1 0644 4294967296 1"},
		want:    "error: USAGE: files: image.yaml:1:1: owner \"4294967296\": no user \"4294967296\"\n",
	}, {
		rule:    "a directory entry changes a directory that is there",
		entries: []string{"opt/full/ 0700 www", "opt/link/ 0711"},
		want:    "drwx--x--x 0:0 /opt/full\n",
	}, {
		rule:    "a link may take the place of an empty directory",
		entries: []string{"opt/empty -> full"},
		want:    "lrwxrwxrwx 0:0 /opt/empty -> full\n",
	}, {
		rule:    "but not of one that holds something",
		entries: []string{"opt/full -> empty"},
		want:    "error: USAGE: files: image.yaml:1:1: /opt/full is a directory, and not empty\n",
	}, {
		rule:    "a directory may not take the place of a file",
		entries: []string{"etc/motd/"},
		want:    "error: USAGE: files: image.yaml:1:1: /etc/motd is no directory\n",
	}, {
		rule:    "no entry may be a whiteout (A-26)",
		entries: []string{"etc/.wh..wh..opq 0644 - x"},
		want:    "error: UNSAFE-WHITEOUT: files: image.yaml:1:1: \"etc/.wh..wh..opq\": the name of a whiteout, which deletes other files when a layer is applied\n",
	}, {
		rule:    "no entry leaves the tree",
		entries: []string{"etc/../../x 0644 - x"},
		want:    "error: UNSAFE-ENTRY: files: image.yaml:1:1: \"etc/../../x\": not a clean path below the root\n",
	}, {
		rule:   "a glob takes a folder with all below it",
		remove: []string{"/opt/*l"},
		want:   "gone: opt/full opt/full/f\n",
	}, {
		rule:   "** takes what a folder holds, and leaves the folder",
		remove: []string{"/opt/full/**"},
		want:   "gone: opt/full/f\n",
	}, {
		rule:   "**/ is any number of folders, none too",
		remove: []string{"/**/f", "/opt/**/empty"},
		want:   "gone: opt/empty opt/full/f\n",
	}, {
		rule:   "? and [set] are one character, no slash",
		remove: []string{"/op?/[!e]ull", "/opt?link"},
		want:   "gone: opt/full opt/full/f\n",
	}, {
		rule:   "a later !glob keeps, and with it the folders above",
		remove: []string{"/opt", "!/opt/full/f"},
		want:   "gone: opt/empty opt/link\n",
	}, {
		rule:   "a still later glob removes again",
		remove: []string{"/opt", "!/opt/full", "/opt/full/f"},
		want:   "gone: opt/empty opt/full/f opt/link\n",
	}, {
		rule:   "a file that goes leaves its other names",
		remove: []string{"/etc/motd"},
		want:   "gone: etc/motd\n-rw-r--r-- 0:0 3 cba06b57 /etc/hard\n",
	}, {
		rule:   "a glob begins with a slash",
		remove: []string{"opt"},
		want:   "error: USAGE: glob \"opt\": want a path that begins with /\n",
	}, {
		rule:   "a bracket is closed",
		remove: []string{"/opt/[a"},
		want:   "error: USAGE: glob \"/opt/[a\": \"[a\" is not closed\n",
	}, {
		rule:     "docs keeps licence texts",
		packages: "zlib\n\tusr/share/doc/zlib/README\n\tusr/share/doc/zlib/copyright\n\tusr/share/doc/other/README\n\tusr/share/doc/l -> zlib\n\tusr/share/doc/zlib/x/LICENSE.txt\n",
		slim:     []string{"docs"},
		want:     "gone: usr/share/doc/other usr/share/doc/other/README usr/share/doc/zlib/README\n",
	}, {
		rule:     "licences does not, and folders left empty go",
		packages: "zlib\n\tusr/share/doc/zlib/README\n\tusr/share/doc/zlib/copyright\n\tusr/share/doc/zlib/x/LICENSE.txt\n",
		slim:     []string{"licences", "docs"},
		want:     "gone: usr/share/doc/zlib usr/share/doc/zlib/README usr/share/doc/zlib/copyright usr/share/doc/zlib/x usr/share/doc/zlib/x/LICENSE.txt\n",
	}, {
		rule:     "man keeps the folders of the sections",
		packages: "zlib\n\tusr/share/man/man3/zlib.3\n\tusr/share/man/de/man3/zlib.3\n",
		slim:     []string{"man"},
		want:     "gone: usr/share/man/de usr/share/man/de/man3 usr/share/man/de/man3/zlib.3 usr/share/man/man3/zlib.3\n",
	}, {
		rule:     "locales keeps C.UTF-8",
		packages: "libc\n\tusr/lib/locale/C.utf8/LC_CTYPE\n\tusr/lib/locale/de/LC_CTYPE\n\tusr/share/locale/de/LC_MESSAGES/x.mo\n\tusr/share/locale/locale.alias\n",
		slim:     []string{"locales", "info"},
		want:     "gone: usr/lib/locale/de usr/lib/locale/de/LC_CTYPE usr/share/locale/de usr/share/locale/de/LC_MESSAGES usr/share/locale/de/LC_MESSAGES/x.mo\n",
	}, {
		rule: "the names of slim are few",
		slim: []string{"mann"},
		want: "error: USAGE: slim: \"mann\" is not known; the names are docs, info, licences, locales, man\n",
	}} {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			r := Recipe{Packages: pkgs(t, store, base+tt.packages), Contents: store}
			before := outcome(r)
			for _, e := range tt.entries {
				f := strings.Fields(e)
				var owner string
				if len(f) > 2 && f[1] != "->" {
					owner = strings.TrimPrefix(f[2], "-")
					f[2] = "0"
				}
				n := node(t, store, "", f)
				n.Origin = "files: image.yaml:1:1"
				r.Entries = append(r.Entries, Entry{Node: n, Owner: owner})
			}
			for _, g := range tt.remove {
				text, keep := strings.CutPrefix(g, "!")
				r.Remove = append(r.Remove, Glob{Text: text, Keep: keep})
			}
			r.Slim = tt.slim
			if got := difference(before, outcome(r)); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// A folder that is copied whole leaves the folders alone that are there.
func TestMerge(t *testing.T) {
	store := cas.NewMem()
	entry := func(line string, merge bool) Entry {
		return Entry{Node: node(t, store, "", strings.Fields(line)), Merge: merge, Owner: "www"}
	}
	r := Recipe{Epoch: 9, Contents: store, Packages: pkgs(t, store, "base\n\topt/ 0700\n\tlink -> opt\n"), Entries: []Entry{
		entry("/ 0755", true), entry("tmp/", true), entry("link/", true), entry("opt/new/ 0750", true), entry("opt/new/f 0644 0:0 z", false), entry("usr/ 0711", false),
	}}
	tree, _, err := Assemble(r, simple{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"drwxrwxrwt 0:0 /tmp\n", "drwx------ 0:0 /opt\n", "lrwxrwxrwx 0:0 /link -> opt\n", "drwxr-x--- 33:34 /opt/new\n", "drwx--x--x 33:34 /usr\n"} {
		if !strings.Contains(tree.Dump(), want) {
			t.Errorf("no %q in\n%s", want, tree.Dump())
		}
	}
	if n := tree.Get("opt/new/f"); n.MTime != 9 {
		t.Errorf("time %d, want the epoch, 9", n.MTime)
	}
	if n := tree.Get("."); n.UID != 0 {
		t.Errorf("the root's owner is %d", n.UID)
	}
}

// difference is the paths that went, and the lines that came.
func difference(before, after string) string {
	if strings.HasPrefix(after, "error: ") {
		return after
	}
	path := func(line string) string {
		_, p, _ := strings.Cut(line, " /")
		return strings.Fields(p)[0]
	}
	var gone []string
	var b strings.Builder
	for line := range strings.Lines(before) {
		if !strings.Contains(after, " /"+path(line)+"\n") && !strings.Contains(after, " /"+path(line)+" ") {
			gone = append(gone, path(line))
		}
	}
	if len(gone) > 0 {
		b.WriteString("gone: " + strings.Join(gone, " ") + "\n")
	}
	for line := range strings.Lines(after) {
		if !strings.Contains("\n"+before, "\n"+line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestNotes has what is legal and probably not meant.
func TestNotes(t *testing.T) {
	store := cas.NewMem()
	r := Recipe{Packages: pkgs(t, store, "base\n\topt/x\n"), Remove: []Glob{{Text: "/nothing/*"}, {Text: "/opt/x"}, {Text: "/no", Keep: true}}, Contents: store}
	_, notes, err := Assemble(r, simple{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`remove: "/nothing/*" matches nothing`, "no package brings /etc/os-release: programs and scanners cannot tell the distribution"}
	if !slices.Equal(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
	r = Recipe{Packages: pkgs(t, store, "base\n\tetc/os-release -> ../usr/lib/os-release\n\tusr/lib/os-release\n"), Contents: store}
	if _, notes, err = Assemble(r, simple{}); err != nil || len(notes) > 0 {
		t.Errorf("got %q, %v, want none", notes, err)
	}
}

// TestNoFormat has the tree of an image without packages.
func TestNoFormat(t *testing.T) {
	store := cas.NewMem()
	n := node(t, store, "", strings.Fields("app/hello 0755 0:0 z"))
	tree, notes, err := Assemble(Recipe{
		Entries: []Entry{{Node: n, Owner: "app"}}, Users: []User{{Name: "app", UID: 5, GID: -1}}, Contents: store,
	}, nil)
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	if got, want := tree.Dump(), "drwxr-xr-x 0:0 /app\n-rwxr-xr-x 5:5 1 594e519a /app/hello\ndrwxr-xr-x 0:0 /etc\n"+
		"-rw-r--r-- 0:0 36 98ac7101 /etc/group\n-rw-r--r-- 0:0 118 c193275c /etc/passwd\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, _, err := Assemble(Recipe{Packages: []*Package{{Name: "a"}}, Contents: store}, nil); err == nil {
		t.Error("packages without a format were accepted")
	}
}

// text is the content of a file.
func text(t *testing.T, tree *Tree, store cas.Store, path string) string {
	t.Helper()
	n := tree.Lookup(path)
	if n == nil {
		return ""
	}
	b, err := Read(store, n.Content)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
