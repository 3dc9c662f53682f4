package cas_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"compose/internal/cas"
)

// stores are the two kinds, each with a way to damage what it holds.
func stores(t *testing.T) map[string]cas.Store {
	return map[string]cas.Store{"dir": openDir(t, t.TempDir()), "mem": cas.NewMem()}
}

func openDir(t testing.TB, path string) *cas.Dir {
	t.Helper()
	d, err := cas.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func put(t testing.TB, s cas.Store, text string) cas.Ref {
	t.Helper()
	ref, err := s.Put(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func read(s cas.Store, ref cas.Ref) (string, error) {
	r, err := s.Open(ref)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func wantText(t testing.TB, s cas.Store, ref cas.Ref, want string) {
	t.Helper()
	got, err := read(s, ref)
	if err != nil || got != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestBlob(t *testing.T) {
	for kind, s := range stores(t) {
		for _, text := range []string{"", "hello", strings.Repeat("long ", 1<<16)} {
			t.Run(fmt.Sprint(kind, len(text)), func(t *testing.T) {
				want := cas.Ref{Digest: cas.Sum([]byte(text)), Size: int64(len(text))}
				if s.Has(want.Digest, want.Size) {
					t.Fatal("is there before it was put")
				}
				if _, err := s.Open(want); !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("Open before Put: %v", err)
				}
				if got := put(t, s, text); got != want {
					t.Fatalf("Put: got %v, want %v", got, want)
				}
				wantText(t, s, want, text)
				wantText(t, s, cas.Ref{Digest: want.Digest, Size: -1}, text)
				if !s.Has(want.Digest, want.Size) || !s.Has(want.Digest, -1) || s.Has(want.Digest, want.Size+1) {
					t.Fatal("Has knows the blob by its size, or by any")
				}
				r, _ := s.Open(want)
				defer r.Close()
				if err := iotest.TestReader(r, []byte(text)); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestPutAs(t *testing.T) {
	dir := t.TempDir()
	for kind, s := range map[string]cas.Store{"dir": openDir(t, dir), "mem": cas.NewMem()} {
		_, err := s.PutAs(strings.NewReader("other"), cas.Sum([]byte("hello")))
		bad, ok := errors.AsType[*cas.Mismatch](err)
		if !ok || bad.Got.Digest != cas.Sum([]byte("other")) || bad.Got.Size != 5 {
			t.Errorf("%s: other bytes: %v", kind, err)
		}
		if left := listing(t, dir); kind == "dir" && left != "" {
			t.Errorf("left behind:\n%s", left)
		}
		ref, err := s.PutAs(strings.NewReader("hello"), cas.Sum([]byte("hello")))
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, s, ref, "hello")
	}
}

func TestPutOfABrokenReaderLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for kind, s := range map[string]cas.Store{"dir": openDir(t, dir), "mem": cas.NewMem()} {
		broken := errors.New("broken")
		if _, err := s.Put(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", kind, err)
		}
		if s.Has(cas.Sum([]byte("half")), -1) {
			t.Errorf("%s: half a blob is there", kind)
		}
	}
	if left := listing(t, dir); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// listing is the regular files below dir, a line each.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			fmt.Fprintln(&b, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPack(t *testing.T) {
	for kind, s := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			key := cas.Sum([]byte("key"))
			w, err := s.NewPack(key)
			if err != nil {
				t.Fatal(err)
			}
			texts := []string{"one", "", "three", strings.Repeat("x", 300<<10)}
			var refs []cas.Ref
			for _, text := range texts {
				ref, err := w.Append(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				refs = append(refs, ref)
			}
			if _, err := s.Open(refs[0]); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("open before Commit: %v", err)
			}
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			w.Abort()
			for i, text := range texts {
				if refs[i].Digest != cas.Sum([]byte(text)) {
					t.Errorf("digest of %.5q: %v", text, refs[i].Digest)
				}
				wantText(t, s, refs[i], text)
			}
			outside := refs[3]
			outside.Offset++
			if _, err := s.Open(outside); !errors.Is(err, cas.ErrDamaged) {
				t.Errorf("a ref that leaves its pack: %v", err)
			}
		})
	}
}

func TestAbortedPackLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	w, err := s.NewPack(cas.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Append: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a pack with a hole was committed: %v", err)
	}
	w.Abort()
	if left := listing(t, dir); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func TestDerived(t *testing.T) {
	for kind, s := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			key := cas.Sum([]byte("key"))
			if _, ok := s.Derived("index", key); ok {
				t.Fatal("is there before it was put")
			}
			for _, data := range [][]byte{{}, []byte("data"), []byte("newer")} {
				if err := s.PutDerived("index", key, data); err != nil {
					t.Fatal(err)
				}
				if got, ok := s.Derived("index", key); !ok || !bytes.Equal(got, data) {
					t.Fatalf("got %q, %v", got, ok)
				}
			}
			if _, ok := s.Derived("segment", key); ok {
				t.Fatal("another kind has it too")
			}
		})
	}
}

// C-01 and C-08: bytes that are not what they should be are damage, once,
// and then a miss; they can be put again.
func TestC01(t *testing.T) {
	damage := map[string]func(path string) error{
		"altered": func(p string) error { return os.WriteFile(p, []byte("hellO"), 0o600) },
		"cut":     func(p string) error { return os.Truncate(p, 3) },
		"emptied": func(p string) error { return os.Truncate(p, 0) },
		"longer":  func(p string) error { return os.WriteFile(p, []byte("hello!"), 0o600) },
		"swapped": func(p string) error { os.Remove(p); return os.WriteFile(p, []byte("other"), 0o600) },
		"folder":  func(p string) error { os.Remove(p); return os.Mkdir(p, 0o700) },
	}
	for rule, hurt := range damage {
		t.Run(rule, func(t *testing.T) {
			dir := t.TempDir()
			s := openDir(t, dir)
			var warnings []string
			s.Warn = func(msg string) { warnings = append(warnings, msg) }
			ref := put(t, s, "hello")
			path := filepath.Join(dir, "sha256", ref.Digest.Hex()[:2], ref.Digest.Hex())
			if err := hurt(path); err != nil {
				t.Fatal(err)
			}
			if _, err := read(s, ref); !errors.Is(err, cas.ErrDamaged) {
				t.Fatalf("first: %v", err)
			}
			if _, err := read(s, ref); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("second: %v", err)
			}
			if s.Has(ref.Digest, -1) {
				t.Fatal("Has knows it still")
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], path) || !strings.Contains(warnings[0], ref.Digest.String()) {
				t.Errorf("warnings: %q", warnings)
			}
			put(t, s, "hello")
			wantText(t, s, ref, "hello")
		})
	}
}

func TestC01LastBytesAreWithheld(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	ref := put(t, s, "hello")
	os.WriteFile(filepath.Join(dir, "sha256", ref.Digest.Hex()[:2], ref.Digest.Hex()), []byte("hellO"), 0o600)
	r, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.ReadFull(r, make([]byte, 5)); !errors.Is(err, cas.ErrDamaged) {
		t.Errorf("reading exactly the size: %d bytes, %v", n, err)
	}
}

func TestC01Pack(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	key := cas.Sum([]byte("key"))
	path := filepath.Join(dir, "pack", key.Hex()[:2], key.Hex())
	fill := func() (refs []cas.Ref) {
		w, err := s.NewPack(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"one", "two"} {
			ref, err := w.Append(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		return refs
	}
	for _, bytes := range []string{"onetwO", "one", ""} {
		refs := fill()
		wantText(t, s, refs[0], "one")
		s.Close() // the pack is open: another process opens the file afresh
		if err := os.WriteFile(path, []byte(bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(s, refs[1]); !errors.Is(err, cas.ErrDamaged) {
			t.Fatalf("pack %q, first: %v", bytes, err)
		}
		if _, err := read(s, refs[0]); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("pack %q, second: %v", bytes, err)
		}
		refs = fill()
		wantText(t, s, refs[1], "two")
	}
}

func TestC01Derived(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	key := cas.Sum([]byte("key"))
	path := filepath.Join(dir, "derived", "index", key.Hex()[:2], key.Hex())
	for _, size := range []int64{0, 10, 32, 35} {
		if err := s.PutDerived("index", key, []byte("data")); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if data, ok := s.Derived("index", key); ok {
			t.Errorf("cut to %d bytes: still reads as %q", size, data)
		}
	}
}

// A sound blob that took a damaged one's place while that was read stays.
func TestC01ReplacedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	ref := put(t, s, "hello")
	os.WriteFile(filepath.Join(dir, "sha256", ref.Digest.Hex()[:2], ref.Digest.Hex()), []byte("hellO"), 0o600)
	r, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, s, "hello")
	if _, err := io.ReadAll(r); !errors.Is(err, cas.ErrDamaged) {
		t.Errorf("the damaged one: %v", err)
	}
	wantText(t, s, ref, "hello")
}
