package cas_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/testrepo"
)

// worker is what another process does to a store: it puts, opens and packs,
// and fails if it ever reads wrong bytes.
const workerVariable = "CAS_TEST_WORKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(workerVariable); dir != "" {
		if err := work(dir, 150); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// content is one of a few contents that all workers share.
func content(i int) string {
	return strings.Repeat(fmt.Sprintf("content %d\n", i), 1+i*37)
}

func work(dir string, rounds int) error {
	s, err := cas.OpenDir(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	for range rounds {
		i := rand.IntN(20)
		text := content(i)
		ref := cas.Ref{Digest: cas.Sum([]byte(text)), Size: int64(len(text))}
		if err := check(s, ref, text, func() error { _, err := s.PutAs(strings.NewReader(text), ref.Digest); return err }); err != nil {
			return fmt.Errorf("blob %d: %w", i, err)
		}
		if err := workPack(s, i); err != nil {
			return fmt.Errorf("pack %d: %w", i, err)
		}
		key := cas.Sum([]byte{byte(i)})
		if data, ok := s.Derived("worker", key); ok && string(data) != text {
			return fmt.Errorf("derived %d holds %q", i, data)
		}
		if err := s.PutDerived("worker", key, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// check reads ref until it is there and sound, making it where it is not.
func check(s cas.Store, ref cas.Ref, text string, remake func() error) error {
	for range 1000 {
		got, err := read(s, ref)
		switch {
		case err == nil && got != text:
			return fmt.Errorf("read %d wrong bytes", len(got))
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, cas.ErrDamaged):
			return err
		}
		if err := remake(); err != nil {
			return err
		}
	}
	return errors.New("never there")
}

func workPack(s cas.Store, i int) error {
	key := cas.Sum([]byte(content(i)))
	text := content(i)
	ref := cas.Ref{Digest: cas.Sum([]byte(text)), Size: int64(len(text)), Pack: key, Offset: 5}
	return check(s, ref, text, func() error {
		w, err := s.NewPack(key)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Append(strings.NewReader("first")); err != nil {
			return err
		}
		if _, err := w.Append(strings.NewReader(text)); err != nil {
			return err
		}
		return w.Commit()
	})
}

// vandalize cuts, changes and deletes random files of the store until ctx
// ends.
func vandalize(ctx context.Context, dir string) {
	for ctx.Err() == nil {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.Contains(path, "/tmp/") || rand.IntN(3) > 0 {
				return nil
			}
			switch rand.IntN(3) {
			case 0:
				os.Remove(path)
			case 1:
				os.Truncate(path, rand.Int64N(100))
			case 2:
				if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
					f.WriteAt([]byte{byte(rand.Int())}, rand.Int64N(100))
					f.Close()
				}
			}
			return nil
		})
		time.Sleep(5 * time.Millisecond)
	}
}

// C-03: many processes and goroutines share one store with a cleaner and with
// somebody who destroys it.
func TestC03(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var vandals, workers sync.WaitGroup
	vandals.Go(func() { vandalize(ctx, dir) })
	vandals.Go(func() {
		for s := openDir(t, dir); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			if _, err := s.Clean(0, 0); err != nil {
				t.Errorf("clean: %v", err)
			}
		}
	})
	for range 6 {
		workers.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), workerVariable+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process: %v: %s", err, out)
			}
		})
		workers.Go(func() {
			if err := work(dir, 100); err != nil {
				t.Errorf("goroutine: %v", err)
			}
		})
	}
	workers.Wait()
	cancel()
	vandals.Wait()
}

// C-06: a process that is killed at any time leaves nothing that is taken for
// an entry, and its unfinished files are reclaimed.
func TestC06(t *testing.T) {
	dir := t.TempDir()
	for range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerVariable+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+rand.IntN(60)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	s := openDir(t, dir)
	s.Warn = func(msg string) { t.Errorf("damage: %s", msg) }
	if err := work(dir, 50); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		old := time.Now().Add(-2 * time.Hour)
		os.Chtimes(p, old, old)
	}
	openDir(t, dir)
	if still, _ := filepath.Glob(filepath.Join(dir, "tmp", "*")); len(still) > 0 {
		t.Errorf("%d unfinished files were not reclaimed", len(still))
	}
}

// C-04: the lock of a blob frees itself with its process, and one that cannot
// be had is done without.
func TestC04(t *testing.T) {
	dir := t.TempDir()
	a, b := openDir(t, dir), openDir(t, dir)
	blob := cas.Sum(nil)
	unlock := a.Lock(t.Context(), blob)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	b.Lock(ctx, blob)() // not had, and harmless
	if time.Since(start) < 40*time.Millisecond {
		t.Error("a lock that is held was had")
	}
	got := make(chan bool)
	go func() {
		defer b.Lock(t.Context(), blob)()
		got <- true
	}()
	unlock()
	select {
	case <-got:
	case <-time.After(5 * time.Second):
		t.Error("a lock that was given back cannot be had")
	}
	if err := os.RemoveAll(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	a.Lock(t.Context(), blob)() // nowhere to lock: go on
}

// C-05: what is open survives the cleaner, and what was used lately is not
// cleaned.
func TestC05(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	old, used, young := put(t, s, "old"), put(t, s, "used"), put(t, s, "young")
	key := cas.Sum([]byte("key"))
	if err := s.PutDerived("index", key, []byte("derived")); err != nil {
		t.Fatal(err)
	}
	age(t, dir, 48*time.Hour)
	now := time.Now()
	os.Chtimes(filepath.Join(dir, "sha256", young.Digest.Hex()[:2], young.Digest.Hex()), now, now)
	wantText(t, s, used, "used")
	open, err := s.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	age(t, filepath.Join(dir, "sha256", old.Digest.Hex()[:2]), 48*time.Hour)
	removed, err := s.Clean(24*time.Hour, -1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (cas.Area{Entries: 2, Bytes: 3 + 32 + 7}); removed != want {
		t.Errorf("removed %+v, want %+v", removed, want)
	}
	if s.Has(old.Digest, -1) || !s.Has(used.Digest, -1) || !s.Has(young.Digest, -1) {
		t.Error("the wrong entries were removed")
	}
	if _, ok := s.Derived("index", key); ok {
		t.Error("an old derived entry is still there")
	}
	if b, err := io.ReadAll(open); err != nil || string(b) != "old" {
		t.Errorf("open during the cleaning: %q, %v", b, err)
	}
	if removed, err := s.Clean(0, 0); err != nil || removed.Entries != 0 {
		t.Errorf("entries of the last hour: removed %+v, %v", removed, err)
	}
}

// age makes every file below dir look unused for so long.
func age(t *testing.T, dir string, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chtimes(path, at, at)
		}
		return err
	})
}

func TestCleanBySize(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	var refs []cas.Ref
	for i := range 10 {
		ref := put(t, s, strings.Repeat("x", 100)+fmt.Sprint(i))
		at := time.Now().Add(-time.Duration(20-i) * time.Hour)
		os.Chtimes(filepath.Join(dir, "sha256", ref.Digest.Hex()[:2], ref.Digest.Hex()), at, at)
		refs = append(refs, ref)
	}
	info, err := s.Info()
	if want := (cas.Area{Entries: 10, Bytes: 1010}); err != nil || info.Blobs != want || info.Path != dir {
		t.Errorf("info %+v, %v", info, err)
	}
	if _, err := s.Clean(-1, 500); err != nil {
		t.Fatal(err)
	}
	for i, ref := range refs {
		if got, want := s.Has(ref.Digest, -1), i >= 6; got != want {
			t.Errorf("entry %d: there %v, want %v", i, got, want)
		}
	}
}

// C-02: where others may write, what no digest vouches for is not believed.
func TestC02(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	key := cas.Sum([]byte("key"))
	if err := openDir(t, dir).PutDerived("index", key, []byte("data")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, dir)
	if !s.Shared() {
		t.Error("a folder of mode 0770 is not shared")
	}
	if _, ok := s.Derived("index", key); ok {
		t.Error("a derived entry was read")
	}
	ref := put(t, s, "blob")
	wantText(t, s, ref, "blob")
}

// C-07: a full disk is one clear error, and leaves nothing behind.
func TestC07(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		testrepo.Skip(t, "a small tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	s := openDir(t, dir)
	small := put(t, s, "small")
	large := strings.Repeat("x", 1<<20)
	_, err := s.Put(strings.NewReader(large))
	wantSpace(t, dir, err)
	wantSpace(t, dir, s.PutDerived("index", cas.Sum(nil), []byte(large)))
	w, err := s.NewPack(cas.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Append(strings.NewReader(large)); err == nil {
		err = w.Commit()
	}
	w.Abort()
	wantSpace(t, dir, err)
	wantText(t, s, small, "small")
	if got := listing(t, dir); strings.Count(got, "\n") != 1 {
		t.Errorf("left behind:\n%s", got)
	}
}

func wantSpace(t *testing.T, dir string, err error) {
	t.Helper()
	if fault.Of(err) != fault.LocalSpace || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "bytes free") {
		t.Errorf("got %s: %v", fault.Of(err), err)
	}
}

// C-10: a store that cannot be written is read, and what is new is kept aside
// until the end.
func TestC10(t *testing.T) {
	dir := t.TempDir()
	old := put(t, openDir(t, dir), "old")
	bad := put(t, openDir(t, dir), "bad")
	os.WriteFile(filepath.Join(dir, "sha256", bad.Digest.Hex()[:2], bad.Digest.Hex()), []byte("BAD"), 0o600)
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		testrepo.Skip(t, "a folder cannot be made read-only: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	s, err := cas.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !s.ReadOnly() {
		t.Error("the store does not know that it is read-only")
	}
	wantText(t, s, old, "old")
	ref := put(t, s, "new")
	wantText(t, s, ref, "new")
	if !s.Has(ref.Digest, -1) || !s.Has(old.Digest, -1) {
		t.Error("Has looks in one place only")
	}
	if err := s.PutDerived("index", cas.Sum(nil), []byte("x")); err != nil {
		t.Error(err)
	}
	if err := workPack(s, 3); err != nil {
		t.Error(err)
	}
	if _, err := read(s, bad); !errors.Is(err, cas.ErrDamaged) {
		t.Errorf("damage, first: %v", err)
	}
	if _, err := read(s, bad); !errors.Is(err, fs.ErrNotExist) || s.Has(bad.Digest, -1) {
		t.Errorf("damage, second: %v", err)
	}
	put(t, s, "bad")
	wantText(t, s, bad, "bad")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left := listing(t, os.Getenv("TMPDIR")); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// C-11: however many packs are read, few are open.
func TestC11(t *testing.T) {
	s := openDir(t, t.TempDir())
	for i := range 300 {
		if err := workPackNumber(s, i); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 2 {
		for i := range 300 {
			if err := workPackNumber(s, i); err != nil {
				t.Fatal(round, err)
			}
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	if len(fds) > 150 {
		t.Errorf("%d descriptors are open", len(fds))
	}
}

func workPackNumber(s cas.Store, i int) error {
	text := fmt.Sprint("text of ", i)
	key := cas.Sum([]byte(text))
	ref := cas.Ref{Digest: key, Size: int64(len(text)), Pack: key}
	return check(s, ref, text, func() error {
		w, err := s.NewPack(key)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Append(strings.NewReader(text)); err != nil {
			return err
		}
		return w.Commit()
	})
}

// M-11: the store is a folder of ours, and nothing that leads elsewhere.
func TestM11(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	os.Symlink(t.TempDir(), at("link"))
	os.Symlink(at("nowhere"), at("dangling"))
	os.WriteFile(at("file"), nil, 0o600)
	syscall.Mkfifo(at("fifo"), 0o600)
	os.Mkdir(at("foreign"), 0o700)
	names := []string{"link", "dangling", "file", "fifo"}
	if os.Chown(at("foreign"), 12345, 12345) == nil {
		names = append(names, "foreign")
	}
	for _, name := range names {
		if _, err := cas.OpenDir(at(name)); fault.Of(err) != fault.LocalFile || !strings.Contains(err.Error(), at(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(at("nowhere")); err == nil {
		t.Error("a dangling link was followed")
	}
}

// Reading many small contents out of one pack, one behind the other, is what
// writing a layer does.
func BenchmarkPackRead(b *testing.B) {
	s := openDir(b, b.TempDir())
	w, err := s.NewPack(cas.Sum([]byte("key")))
	if err != nil {
		b.Fatal(err)
	}
	var refs []cas.Ref
	for i := range 1000 {
		ref, err := w.Append(strings.NewReader(strings.Repeat("x", 4000+i)))
		if err != nil {
			b.Fatal(err)
		}
		refs = append(refs, ref)
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4500)
	buf := make([]byte, 32<<10)
	for i := range b.N {
		r, err := s.Open(refs[i%len(refs)])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkPut(b *testing.B) {
	s := openDir(b, b.TempDir())
	text := strings.Repeat("x", 16<<20)
	b.SetBytes(int64(len(text)))
	for range b.N {
		put(b, s, text)
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(cas.Sum(nil).String())
	f.Add(cas.Sum(nil).Hex())
	f.Add("sha256:")
	f.Add(strings.ToUpper(cas.Sum(nil).Hex()))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := cas.ParseDigest(s)
		if err == nil && d.String() != s && d.Hex() != s {
			t.Errorf("%q reads as %v", s, d)
		}
	})
}
