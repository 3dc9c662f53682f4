// Package examples builds every example, compares it with its committed
// digest, and runs it in Docker.
package examples

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"compose/internal/testrepo"
)

// An example is a folder here, the mirror its manifest is led to, and what it
// must answer in Docker.
type example struct {
	name   string
	mirror string   // below ../shared/mirrors/alpine; "": the host's own mirror of Debian
	run    []string // arguments of docker run, after the image
	want   string   // regular expression of what it prints
	local  bool     // holds a file that this machine makes: no digest is committed
}

var all = []example{
	{"scratch-static", "lab", nil, `^hello from app: certificates true, 1970-01-01 05:30:00 `, true},
	{"debian-base", "", []string{"/lib64/ld-linux-x86-64.so.2", "--version"}, `^ld\.so \(Debian GLIBC`, false},
	{"debian-python3", "", []string{"-c", "import ssl, sqlite3, ctypes, lzma; print(ssl.OPENSSL_VERSION)"}, `^OpenSSL 3\.`, false},
	{"debian-ruby", "", []string{"-e", `require "openssl"; require "json"; puts JSON.generate(OpenSSL::OPENSSL_LIBRARY_VERSION)`}, `^"OpenSSL 3\.`, false},
	{"debian-apt", "", []string{"bash", "-c", "dpkg --verify && apt list --installed 2>/dev/null | grep ^bash/"}, `^bash/\S+ .*\[installed`, false},
	{"alpine-base", "iso", []string{"sh", "-c", "apk info --who-owns /bin/busybox && apk audit --system | busybox grep -v ^A; echo audited"}, `^/bin/busybox is owned by busybox-\S+\naudited\n$`, false},
	{"alpine-git", "lab", []string{"--version"}, `^git version 2\.`, false},
}

// update locks every example anew and commits lock and digest to the checkout.
var update = flag.Bool("update", false, "lock the examples anew and write their locks and digests")

func TestExamples(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "compose")
	if out, err := exec.Command("go", "build", "-o", bin, "compose/cmd/compose").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cache := t.TempDir() // shared by the first build of each: what they have in common is fetched once
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			r := newRunner(t, bin, e)
			if *update {
				r.update(t, cache)
			}
			archive := filepath.Join(t.TempDir(), e.name+".tar")
			digest := r.buildLocked(t, cache, archive)
			warm := filepath.Join(t.TempDir(), "warm.tar")
			if again := r.build(t, func(c *exec.Cmd) { c.Env = append(os.Environ(), "GOMAXPROCS=8") }, "--cache-dir", cache, "-o", warm); again != digest {
				t.Errorf("built warm: %s, then %s", digest, again)
			}
			same(t, archive, warm)
			dir := t.TempDir()
			again := filepath.Join(dir, "again.tar")
			if other := r.build(t, r.other(t, dir), "-o", again); other != digest {
				t.Errorf("built in other circumstances: %s, then %s", digest, other)
			}
			same(t, archive, again)
			docker := testrepo.Docker(t)
			docker.Load(t, archive)
			out := docker.Run(t, append([]string{e.name}, e.run...)...)
			if !regexp.MustCompile(e.want).MatchString(out) {
				t.Errorf("printed %q, want a match for %q", out, e.want)
			}
		})
	}
}

// A runner builds one example in a copy of this folder.
type runner struct {
	bin, root, manifest string
	flags               []string
	example             example
}

func newRunner(t *testing.T, bin string, e example) *runner {
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "examples"), os.DirFS(filepath.Join(testrepo.Root(t), "examples"))); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "examples", e.name)
	r := &runner{bin: bin, root: root, manifest: filepath.Join(dir, "image.yaml"), example: e, flags: []string{"--project", root}}
	if e.mirror == "" {
		testrepo.HostMirror(t, "debian")
	} else {
		r.flags = append(r.flags, "--mirror", "alpine="+alpineMirror(t, e.mirror))
		key, err := os.ReadFile(testrepo.Shared(t, "keys/lab.rsa.pub"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "examples", "keys", "lab.rsa.pub"), key, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil {
		if out, err := exec.Command("make", "-C", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return r
}

// alpineMirror is a folder that has one of the small mirrors where Alpine's
// public one has v3.19/main.
func alpineMirror(t *testing.T, name string) string {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "v3.19"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testrepo.Shared(t, "mirrors/alpine/"+name), filepath.Join(dir, "v3.19", "main")); err != nil {
		t.Fatal(err)
	}
	return "file://" + dir
}

// update writes a fresh lock, and the digest that comes of it, into the
// checkout and into the copy.
func (r *runner) update(t *testing.T, cache string) {
	t.Helper()
	if out, err := r.command("lock", "--update", "--cache-dir", cache).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	digest := r.build(t, nil, "--cache-dir", cache, "-o", filepath.Join(t.TempDir(), "update.tar"))
	lock, err := os.ReadFile(filepath.Join(filepath.Dir(r.manifest), "image.lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(testrepo.Root(t), "examples", r.example.name)
	err = os.WriteFile(filepath.Join(home, "image.lock.json"), lock, 0o644)
	for _, dir := range []string{home, filepath.Dir(r.manifest)} {
		if !r.example.local {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, "digest"), []byte(digest+"\n"), 0o644))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// buildLocked builds what the lock says and compares the digest. A mirror
// drops versions that were superseded: where the lock can no longer be
// honoured, that is said, and a fresh lock in the copy takes its place.
func (r *runner) buildLocked(t *testing.T, cache, archive string) string {
	t.Helper()
	cmd := r.command("build", "--locked", "--cache-dir", cache, "-o", archive)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	digest := strings.TrimSpace(string(out))
	if ee, ok := errors.AsType[*exec.ExitError](err); ok && ee.ExitCode() == 6 {
		t.Logf("the lock can no longer be honoured, locking anew:\n%s", &stderr)
		if out, err := r.command("lock", "--update", "--cache-dir", cache).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return r.build(t, nil, "--cache-dir", cache, "-o", archive)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	if r.example.local {
		return digest
	}
	want, err := os.ReadFile(filepath.Join(filepath.Dir(r.manifest), "digest"))
	if err != nil {
		t.Fatal(err)
	}
	if digest != strings.TrimSpace(string(want)) {
		t.Errorf("digest %s, the committed one is %s", digest, want)
	}
	return digest
}

// command is compose VERB image.yaml with further arguments.
func (r *runner) command(verb string, args ...string) *exec.Cmd {
	return exec.Command(r.bin, append(append([]string{verb, r.manifest}, r.flags...), args...)...)
}

// build builds and gives the digest. prepare changes the circumstances.
func (r *runner) build(t *testing.T, prepare func(*exec.Cmd), args ...string) string {
	t.Helper()
	cmd := r.command("build", args...)
	if prepare != nil {
		prepare(cmd)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// other is other circumstances: an empty store, another home, folder, time
// zone, locale, umask, number of processors and, where root may choose,
// another user.
func (r *runner) other(t *testing.T, out string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		home := filepath.Join(r.root, "home")
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			const nobody = 65534
			err := errors.Join(os.Chown(home, nobody, nobody), os.Chown(out, nobody, nobody))
			for _, dir := range []string{filepath.Dir(r.bin), r.root, out} { // of t.TempDir, below a folder of its owner's alone
				err = errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755))
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		cmd.Dir = "/"
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TZ=Pacific/Kiritimati", "LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8", "GOMAXPROCS=1"}
		cmd.Args = append([]string{"sh", "-c", `umask 077; exec "$0" "$@"`}, cmd.Args...)
		cmd.Path = "/bin/sh"
	}
}

// same compares two files byte by byte.
func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}
