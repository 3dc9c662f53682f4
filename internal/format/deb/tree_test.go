package deb_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/format/deb"
	"compose/internal/testrepo"
	"compose/internal/testtree"
	"compose/resolve"
	"compose/rootfs"
)

const epoch = 1800000000

// pkg makes a package of files, path to content, in the order given; paths
// that end with a slash are directories. Its control file has control's lines
// after the usual ones; more are further members.
func pkg(t testing.TB, store cas.Store, name, control string, more map[string]string, files ...string) *rootfs.Package {
	t.Helper()
	p := &rootfs.Package{Name: name, Version: "1.0-1", Arch: "amd64", Control: map[string][]byte{}}
	var sums string
	for i := 0; i < len(files); i += 2 {
		n := rootfs.Node{Path: strings.TrimSuffix(files[i], "/"), Type: rootfs.Dir, Mode: 0o755, Package: name}
		if target, ok := strings.CutPrefix(files[i+1], "-> "); ok {
			n.Type, n.Mode, n.Link = rootfs.Symlink, 0o777, target
		} else if n.Path == files[i] {
			ref, err := store.Put(strings.NewReader(files[i+1]))
			if err != nil {
				t.Fatal(err)
			}
			n.Type, n.Mode, n.Content = rootfs.Regular, 0o644, ref
			sums += fmt.Sprintf("%x  %s\n", md5.Sum([]byte(files[i+1])), n.Path)
		}
		p.Nodes = append(p.Nodes, n)
	}
	p.Control["control"] = []byte(fmt.Sprintf("Package: %s\nVersion: 1.0-1\nArchitecture: amd64\n"+
		"Maintainer: Nobody <nobody@example.org>\n%sDescription: a test\n of several lines\n", name, control))
	p.Control["md5sums"] = []byte(sums)
	for name, text := range more {
		p.Control[name] = []byte(text)
		if name == "postinst" || name == "preinst" {
			p.Scripts = append(p.Scripts, name)
		}
	}
	return p
}

func assemble(t testing.TB, store cas.Store, r rootfs.Recipe) *rootfs.Tree {
	t.Helper()
	r.Arch, r.Contents, r.Epoch = "amd64", store, epoch
	tree, _, err := rootfs.Assemble(r, deb.Format{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// text is the content of a file of the tree.
func text(t testing.TB, store cas.Store, tree *rootfs.Tree, path string) string {
	t.Helper()
	n := tree.Lookup(path)
	if n == nil {
		return "(none)"
	}
	b, err := rootfs.Read(store, n.Content)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sample is three packages with all that a database records.
func sample(t testing.TB, store cas.Store) []*rootfs.Package {
	return []*rootfs.Package{
		pkg(t, store, "dpkg", "Essential: yes\n", nil, "./", "", "usr/", "", "usr/bin/", "", "usr/bin/dpkg", "ELF", "usr/share/doc/dpkg/README", "read me"),
		pkg(t, store, "libx1", "Multi-Arch: same\n", map[string]string{
			"triggers": "# comment\nactivate-noawait ldconfig\ninterest-noawait /usr/share/x\ninterest-await xtrigger\ninterest /usr/lib/y\n",
			"shlibs":   "libx 1 libx1\n",
		}, "usr/", "", "usr/lib/", "", "usr/lib/libx.so.1", "ELF", "lib/libx.so", "-> libx.so.1"),
		pkg(t, store, "tool", "Depends: libx1\n", map[string]string{
			"conffiles": "/etc/tool.conf\n/etc/other.conf\nremove-on-upgrade /etc/old.conf\n",
			"postinst":  "#!/bin/sh\n",
		}, "etc/", "", "etc/tool.conf", "conf", "etc/other.conf", "other", "usr/bin/tool", "ELF2"),
	}
}

// TestFullDatabase has the files that dpkg reads.
func TestFullDatabase(t *testing.T) {
	store := cas.NewMem()
	tree := assemble(t, store, rootfs.Recipe{
		Packages: sample(t, store),
		Remove:   []rootfs.Glob{{Text: "/etc/other.conf"}},
		Slim:     []string{"docs"},
	})
	for path, want := range map[string]string{
		"info/format":               "1\n",
		"available":                 "",
		"info/dpkg.list":            "/.\n/usr\n/usr/bin\n/usr/bin/dpkg\n",
		"info/dpkg.md5sums":         fmt.Sprintf("%x  usr/bin/dpkg\n", md5.Sum([]byte("ELF"))),
		"info/libx1:amd64.list":     "/.\n/usr\n/usr/lib\n/usr/lib/libx.so.1\n/lib/libx.so\n",
		"info/libx1:amd64.shlibs":   "libx 1 libx1\n",
		"info/libx1:amd64.control":  "(none)",
		"info/tool.list":            "/.\n/etc\n/etc/tool.conf\n/usr/bin/tool\n",
		"info/tool.conffiles":       "/etc/tool.conf\n/etc/other.conf\nremove-on-upgrade /etc/old.conf\n",
		"info/tool.postinst":        "#!/bin/sh\n",
		"triggers/File":             "/usr/share/x libx1:amd64/noawait\n/usr/lib/y libx1:amd64\n",
		"triggers/xtrigger":         "libx1:amd64\n",
		"triggers/ldconfig":         "(none)",
		"triggers/Unincorp":         "",
		"status.d/tool":             "(none)",
		"../apt/extended_states":    "(none)",
		"info/dpkg.postinst":        "(none)",
		"info/libx1:amd64.triggers": "# comment\nactivate-noawait ldconfig\ninterest-noawait /usr/share/x\ninterest-await xtrigger\ninterest /usr/lib/y\n",
	} {
		if got := text(t, store, tree, "var/lib/dpkg/"+path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	const maintainer = "Maintainer: Nobody <nobody@example.org>\n"
	want := "Package: dpkg\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\n" + maintainer + "Essential: yes\nDescription: a test\n of several lines\n\n" +
		"Package: libx1\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\n" + maintainer + "Multi-Arch: same\nDescription: a test\n of several lines\n\n" +
		"Package: tool\nStatus: install ok unpacked\nVersion: 1.0-1\nArchitecture: amd64\n" + maintainer + "Depends: libx1\nDescription: a test\n of several lines\n" +
		fmt.Sprintf("Conffiles:\n /etc/tool.conf %x\n\n", md5.Sum([]byte("conf")))
	if got := text(t, store, tree, "var/lib/dpkg/status"); got != want {
		t.Errorf("status: got\n%s\nwant\n%s", got, want)
	}
	for path, want := range map[string]uint16{"info/tool.postinst": 0o755, "info/tool.list": 0o644} {
		if got := tree.Get("var/lib/dpkg/" + path).Mode; got != want {
			t.Errorf("%s: mode %o, want %o", path, got, want)
		}
	}
}

// TestOtherDatabases has the forms for images without dpkg.
func TestOtherDatabases(t *testing.T) {
	store := cas.NewMem()
	all := sample(t, store)
	tree := assemble(t, store, rootfs.Recipe{Packages: all[1:], Remove: []rootfs.Glob{{Text: "/etc/other.conf"}}})
	for path, want := range map[string]string{
		"status.d/tool":         string(all[2].Control["control"]),
		"status.d/tool.md5sums": fmt.Sprintf("%x  etc/tool.conf\n%x  usr/bin/tool\n", md5.Sum([]byte("conf")), md5.Sum([]byte("ELF2"))),
		"status":                "(none)",
		"info/tool.list":        "(none)",
	} {
		if got := text(t, store, tree, "var/lib/dpkg/"+path); got != want {
			t.Errorf("scanners: %s: got %q, want %q", path, got, want)
		}
	}
	if tree := assemble(t, store, rootfs.Recipe{Packages: all, Database: "none"}); tree.Get("var/lib/dpkg") != nil {
		t.Error("none: there is a database")
	}
	if got := (deb.Format{}).AutoDatabase(all); got != "full" {
		t.Errorf("auto with dpkg: %s", got)
	}
	if _, err := (deb.Format{}).Database(tree, all, "sqlite", store); err == nil {
		t.Error("an unknown kind was accepted")
	}
}

// What apt may remove by itself is all that the manifest does not name.
func TestAutomatic(t *testing.T) {
	store := cas.NewMem()
	apt := pkg(t, store, "apt", "", nil)
	apt.Wanted = true
	data := pkg(t, store, "data", "", nil)
	data.Arch = "all"
	tree := assemble(t, store, rootfs.Recipe{Packages: []*rootfs.Package{apt, data}})
	want := "Package: data\nArchitecture: amd64\nAuto-Installed: 1\n\n"
	if got := text(t, store, tree, "var/lib/apt/extended_states"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// dpkg reads the database back, finds all files as they should be, and sees
// what the manifest changed.
func TestDpkgReads(t *testing.T) {
	store := cas.NewMem()
	ref, err := store.Put(strings.NewReader("edited"))
	if err != nil {
		t.Fatal(err)
	}
	edit := rootfs.Entry{Node: rootfs.Node{Path: "etc/tool.conf", Type: rootfs.Regular, Mode: 0o644, Content: ref}}
	remove := rootfs.Glob{Text: "/etc/other.conf"}
	for _, tt := range []struct {
		rule    string
		entries []rootfs.Entry
		want    string
	}{
		{"nothing has changed", nil, ""},
		{"a file that the manifest changed", []rootfs.Entry{edit}, "??5?????? c /etc/tool.conf\n"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			tree := assemble(t, store, rootfs.Recipe{Packages: sample(t, store), Entries: tt.entries, Remove: []rootfs.Glob{remove}})
			dir := testtree.Export(t, tree, store, epoch)
			if got := testtree.Run(t, "dpkg", "--root="+dir, "--verify"); got != tt.want {
				t.Errorf("verify: got %q, want %q", got, tt.want)
			}
			show := testtree.Run(t, "dpkg-query", "--root="+dir, "-W", "-f=${Package} ${Version} ${db:Status-Abbrev};")
			if want := "dpkg 1.0-1 ii ;libx1 1.0-1 ii ;tool 1.0-1 iU ;"; show != want {
				t.Errorf("packages: got %q, want %q", show, want)
			}
			if got := testtree.Run(t, "dpkg", "--root="+dir, "-S", "/usr/lib/libx.so.1"); got != "libx1:amd64: /usr/lib/libx.so.1\n" {
				t.Errorf("owner: %q", got)
			}
			if got := testtree.Run(t, "dpkg", "--root="+dir, "-L", "tool"); got != "/.\n/etc\n/etc/tool.conf\n/usr/bin/tool\n" {
				t.Errorf("files: %q", got)
			}
		})
	}
}

// download gives the closure of some packages in the machine's own Debian
// archive, as apt resolves it, opened.
func download(t *testing.T, store cas.Store, names ...string) []*rootfs.Package {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"-o", "Dir::State::status=/dev/null", "--no-install-recommends", "-s", "install"}, names...)
	plan, err := exec.Command(testtree.Tool(t, "apt-get"), args...).Output()
	if err != nil {
		testrepo.Skip(t, "apt-get has no package lists: %v", err)
	}
	fetch := exec.Command("apt-get", "download")
	fetch.Dir = dir
	for _, m := range regexp.MustCompile(`(?m)^Inst (\S+)`).FindAllSubmatch(plan, -1) {
		fetch.Args = append(fetch.Args, string(m[1]))
	}
	if out, err := fetch.CombinedOutput(); err != nil {
		testrepo.Skip(t, "apt-get download: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	var packages []*rootfs.Package
	for _, path := range files {
		packages = append(packages, openDeb(t, store, path))
	}
	return packages
}

// openDeb opens a package file, believing what it says of itself.
func openDeb(t *testing.T, store cas.Store, path string) *rootfs.Package {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := store.NewPack(cas.Sum(data))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(testtree.Run(t, "dpkg-deb", "-W", "--showformat=${Package} ${Version} ${Architecture}", path), " ")
	want := resolve.Locked{Name: f[0], Version: f[1], Arch: f[2], Size: int64(len(data)), InstalledSize: 1 << 30}
	p, err := deb.Format{}.Open(bytes.NewReader(data), want, resolve.Check{}, pack)
	if err != nil {
		t.Fatal(err)
	}
	if err := pack.Commit(); err != nil {
		t.Fatal(err)
	}
	return p
}

// A tree of real packages runs, and its own dpkg and apt know what is in it,
// find every file as it should be, and configure it to the end.
func TestRealDpkg(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads packages")
	}
	testtree.Root(t)
	store := cas.NewMem()
	packages := download(t, store, "?essential", "apt")
	tree := assemble(t, store, rootfs.Recipe{Packages: packages})
	dir := testtree.Export(t, tree, store, epoch)
	testtree.Run(t, "mknod", "-m", "666", filepath.Join(dir, "dev/null"), "c", "1", "3")
	in := func(args ...string) string {
		return testtree.Run(t, "chroot", append([]string{dir, "/usr/bin/env", "PATH=/usr/sbin:/usr/bin"}, args...)...)
	}
	if got := in("dpkg", "--verify"); got != "" {
		t.Errorf("dpkg --verify: %s", got)
	}
	list := in("apt", "list", "--installed")
	if got := strings.Count(list, "[installed"); got != len(packages) {
		t.Errorf("apt list --installed: %d packages, want %d", got, len(packages))
	}
	in("apt-get", "check")
	if got := in("/bin/bash", "-c", "echo /bin/b*h /lib64/ld-*"); !strings.HasPrefix(got, "/bin/bash /lib64/ld-linux") {
		t.Errorf("bash: %q", got)
	}

	in("DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", "-a")
	if got := in("dpkg-query", "-W", "-f", "${db:Status-Abbrev}\n"); strings.Trim(got, "i \n") != "" {
		t.Errorf("not all packages are installed: %s", in("dpkg", "-l"))
	}
	if got := in("dpkg", "--verify"); got != "" {
		t.Errorf("dpkg --verify: %s", got)
	}
}
