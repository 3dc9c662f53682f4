package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"compose/fetch"
	"compose/internal/cas"
	"compose/internal/finalize"
	"compose/internal/script"
	"compose/internal/testrepo"
	"compose/internal/testtree"
	"compose/manifest"
	"compose/rootfs"
)

// An allowance is where a tree may differ from one that dpkg configured, and
// why.
type allowance struct {
	pattern *regexp.Regexp
	reason  string
}

var allowedDifferences = []allowance{
	{regexp.MustCompile(`^var/lib/dpkg/(status|available|info/|triggers/|updates/|parts/|lock|arch|.*-old$|cmethopt|tmp\.ci)`), "dpkg's own record, which has tests of its own"},
	{regexp.MustCompile(`^var/cache/debconf/`), "debconf's record of answers"},
	{regexp.MustCompile(`^var/log/.`), "messages"},
	{regexp.MustCompile(`^var/cache/(ldconfig|man|apt|fontconfig)/`), "a cache, which saves time only"},
	{regexp.MustCompile(`__pycache__`), "a cache, which saves time only"},
	{regexp.MustCompile(`^usr/share/(icons/.*/icon-theme|applications/mimeinfo)\.cache$`), "a cache, which saves time only"},
	{regexp.MustCompile(`^usr/share/vim/vim.*/doc/tags$`), "an index of documentation"},
	{regexp.MustCompile(`^usr/share/info/dir`), "an index of documentation"},
	{regexp.MustCompile(`^etc/(passwd|group|shadow|gshadow|subuid|subgid)-$`), "a copy of the file before the last change"},
	{regexp.MustCompile(`^etc/\.pwd\.lock$`), "a lock"},
	{regexp.MustCompile(`^var/lib/ucf/(hashfile|registry)\.\d$`), "a copy of the file before the last change"},
	{regexp.MustCompile(`^(etc/machine-id|var/lib/dbus/machine-id)$`), "the identity of a machine"},
	{regexp.MustCompile(`^etc/ssh/ssh_host_`), "a private key"},
	{regexp.MustCompile(`^etc/ssl/(certs|private)/ssl-cert-snakeoil\.(pem|key)$`), "a private key, and its certificate"},
	{regexp.MustCompile(`^etc/ssl/certs/62742064\.0$`), "a link to that certificate"},
	{regexp.MustCompile(`^var/lib/rabbitmq/\.erlang\.cookie$`), "a secret"},
	{regexp.MustCompile(`^var/lib/mysql/.`), "a database, which is state"},
	{regexp.MustCompile(`^(etc/systemd/(system|user)|var/lib/systemd/deb-systemd-(helper|user-helper)-)`), "services to start at boot"},
	{regexp.MustCompile(`^etc/rc.\.d`), "services to start at boot"},
	{regexp.MustCompile(`^(dev|proc|sys|tmp|run)(/|$)`), "of the machine that ran the scripts"},
	{regexp.MustCompile(`^usr/sbin/policy-rc\.d$`), "of the test"},
	{regexp.MustCompile(`^etc/runit/runsvdir/default/`), "services to start at boot, which the test's policy-rc.d denies"},
	{regexp.MustCompile(`^etc/ld\.so\.cache$`), "has tests of its own"},
}

// oracleClosures are what the test installs, beside the Essential packages.
var oracleClosures = [][]string{
	{"redis-server", "gawk", "mawk", "openssh-server"},
}

// What scripts do to a tree here is what they do when dpkg runs them, but for
// the differences above. The variable ORACLE names other packages: closures
// apart by slashes, packages by commas.
func TestScriptsAgainstDpkg(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads packages")
	}
	testtree.Root(t)
	testrepo.HostMirror(t, "debian")
	closures := oracleClosures
	if text := os.Getenv("ORACLE"); text != "" {
		closures = nil
		for c := range strings.SplitSeq(text, "/") {
			closures = append(closures, strings.Split(c, ","))
		}
	}
	dir := os.Getenv("ORACLE_STORE") // a store that outlives the test
	if dir == "" {
		dir = t.TempDir()
	}
	store, err := cas.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, packages := range closures {
		t.Run(strings.Join(packages, ","), func(t *testing.T) { againstDpkg(t, store, packages) })
	}
}

func againstDpkg(t *testing.T, store cas.Store, packages []string) {
	ctx := context.Background()
	text := fmt.Sprintf("name: o\nplatforms: [linux/%s]\nrepositories: [{debian: trixie}]\npackages: [%s]\nessential: true\nprefer: [systemd-standalone-sysusers, systemd-standalone-tmpfiles]\npackage-database: full\n",
		runtime.GOARCH, strings.Join(packages, ", "))
	project := fstest.MapFS{"image.yaml": {Data: []byte(text)}}
	img, err := manifest.Parse(project, "image.yaml", manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env := Env{Store: store, Fetch: &fetch.Client{Store: store}, Project: project, Now: time.Now(), Jobs: 2, Warn: t.Logf}
	choices, err := Closures(ctx, env, img, nil)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := Lock(ctx, env, img, choices, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := formatOf(img)
	if err != nil {
		t.Fatal(err)
	}
	files, err := lockedFiles(img, &lock.Platforms[0], f)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := open(ctx, env, f, files)
	if err != nil {
		t.Fatal(err)
	}
	var b Built
	b.Packages = opened
	r := recipe(env, img, lock, runtime.GOARCH, opened, nil)
	bare, _, err := rootfs.Assemble(r, f)
	if err != nil {
		t.Fatal(err)
	}
	real := testtree.Export(t, bare, store, lock.Epoch)
	r.Configure = configure(ctx, env, lock, f, runtime.GOARCH, opened, &b.Ledger)
	r.Finish = finish(ctx, env, img, f, finalize.Input{Arch: runtime.GOARCH, Epoch: lock.Epoch}, &b)
	start := time.Now()
	ours, _, err := rootfs.Assemble(r, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, in %v", b.Ledger.Summary(len(opened)), time.Since(start).Round(time.Millisecond))
	for _, e := range b.Ledger.Unknown() {
		t.Errorf("%s", e)
	}
	dpkgConfigure(t, real, f.Scripts(bare, opened))
	compareTrees(t, ofTree(t, ours, store), ofFolder(t, real))
}

// dpkgConfigure has dpkg configure what is unpacked in the folder root, after
// the preinst scripts, which dpkg would have run before.
func dpkgConfigure(t *testing.T, root string, scripts []*script.Script) {
	t.Helper()
	for name, minor := range map[string]string{"null": "3", "zero": "5", "urandom": "9"} {
		testtree.Run(t, "mknod", "-m", "666", filepath.Join(root, "dev", name), "c", "1", minor)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/sbin/policy-rc.d"), []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	in := func(args ...string) {
		args = append([]string{"-m", "-p", "-f", "-n", "chroot", root, "/usr/bin/env", "-i",
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TZ=UTC0"}, args...)
		testtree.Run(t, "unshare", args...)
	}
	for _, s := range scripts {
		if s.Name != "preinst" {
			continue
		}
		path := filepath.Join(root, "tmp/preinst")
		if err := os.WriteFile(path, s.Text, 0o755); err != nil {
			t.Fatal(err)
		}
		var env []string
		for name, value := range s.Env {
			env = append(env, name+"="+value)
		}
		in(append(append(env, "/tmp/preinst"), s.Args...)...)
	}
	in("DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", "-a")
}

// A node as text: what a difference is shown by.
func ofTree(t *testing.T, tree *rootfs.Tree, store cas.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for n := range tree.All() {
		if n.Type == rootfs.Hardlink {
			path := n.Path
			n = tree.Get(n.Link)
			out[path] = nodeText(t, n, store)
			continue
		}
		out[n.Path] = nodeText(t, n, store)
	}
	return out
}

func nodeText(t *testing.T, n *rootfs.Node, store cas.Store) string {
	s := fmt.Sprintf("%c %04o %d:%d", n.Type, n.Mode, n.UID, n.GID)
	switch n.Type {
	case rootfs.Symlink:
		return "-> " + n.Link
	case rootfs.Regular:
		data, err := rootfs.Read(store, n.Content)
		if err != nil {
			t.Fatal(err)
		}
		s += contentText(n.Path, data)
	}
	for _, x := range n.Xattrs {
		s += fmt.Sprintf(" %s=%x", x.Name, x.Value)
	}
	return s
}

var day = regexp.MustCompile(`(?m)^([^:]*:[^:]*:)\d{5}:`)

// contentText is a text or a digest; a file of accounts is without days.
func contentText(path string, data []byte) string {
	switch path {
	case "etc/shadow", "etc/passwd", "etc/group", "etc/gshadow":
		lines := strings.SplitAfter(string(day.ReplaceAll(data, []byte("${1}DAY:"))), "\n")
		slices.Sort(lines) // they are in the order of the scripts
		data = []byte(strings.Join(lines, ""))
	}
	if len(data) < 4<<10 && !strings.Contains(string(data), "\x00") {
		return fmt.Sprintf(" %q", data)
	}
	return fmt.Sprintf(" %d bytes, SHA-256 %.8x", len(data), sha256.Sum256(data))
}

func ofFolder(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		head := fmt.Sprintf("%%c %04o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			out[rel] = "-> " + target
		case info.IsDir():
			out[rel] = fmt.Sprintf(head, rootfs.Dir)
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			s := fmt.Sprintf(head, rootfs.Regular) + contentText(rel, data)
			value := make([]byte, 64)
			if n, err := syscall.Getxattr(path, "security.capability", value); err == nil {
				s += fmt.Sprintf(" security.capability=%x", value[:n])
			}
			out[rel] = s
		default:
			out[rel] = fmt.Sprintf(head, '?')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func compareTrees(t *testing.T, ours, real map[string]string) {
	t.Helper()
	var paths []string
	for p := range ours {
		paths = append(paths, p)
	}
	for p := range real {
		if _, ok := ours[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		if ours[p] == real[p] || allowedDifference(p) {
			continue
		}
		t.Errorf("/%s\n  here: %s\n  dpkg: %s", p, ours[p], real[p])
	}
}

func allowedDifference(path string) bool {
	return slices.ContainsFunc(allowedDifferences, func(d allowance) bool { return d.pattern.MatchString(path) })
}
