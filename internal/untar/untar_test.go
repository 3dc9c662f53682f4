package untar

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"compose/internal/fault"
)

// repeater gives the same bytes for ever.
type repeater struct{ data []byte }

func (r *repeater) Read(p []byte) (int, error) {
	n := 0
	for n+len(r.data) <= len(p) {
		n += copy(p[n:], r.data)
	}
	return n, nil
}

// budget is a Budget of so many bytes.
type budget int64

func (b budget) Left() int64 { return int64(b) }
func (b budget) Over(n int64) error {
	return fault.New(fault.LimitExpanded, "%d bytes: the limit is %d", n, int64(b))
}

func refuseEntriesHere(t *testing.T) {
	t.Helper()
	if here, err := os.ReadDir("."); err != nil || len(here) > 0 {
		t.Errorf("%v %v", here, err)
	}
}

// However the source cuts the stream into pieces, the result is the same.
func TestPiecesDoNotMatter(t *testing.T) {
	body := strings.Repeat("content", 30000)
	data := archive(folder("d/"), file("d/f", body), gnuName("d/"+strings.Repeat("l", 150)), file("d/l", "x"), ext("uid=7"), file("g", body))
	want, err := list(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"one byte":     iotest.OneByteReader(bytes.NewReader(data)),
		"half":         iotest.HalfReader(bytes.NewReader(data)),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		nodes, _, err := Files(NewReader(r, Ended, nil), "pkg", Rules{}, discard{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := fmt.Sprint(len(nodes)); got != fmt.Sprint(strings.Count(want, "\n")) {
			t.Errorf("%s: %s nodes", name, got)
		}
	}
}

// What the source says is not taken for a mistake of the archive.
func TestSourceErrorsPass(t *testing.T) {
	broken := errors.New("disk on fire")
	data := archive(file("f", strings.Repeat("x", 1000)), file("g", "y"))
	for n := 0; n < len(data); n += 100 {
		r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken))
		if _, _, err := Files(NewReader(r, Ended, nil), "pkg", Rules{}, discard{}); !errors.Is(err, broken) {
			t.Errorf("broken at %d: %v", n, err)
		}
	}
}

// A cut archive ends behind its last entry, and not later.
func TestCutArchive(t *testing.T) {
	for _, tt := range []struct {
		rule string
		data []byte
		ok   bool
	}{
		{"behind an entry", cut(file("f", "x")), true},
		{"with blocks of zeros", archive(file("f", "x")), false},
		{"inside a header", cut(file("f", "x"))[:100], false},
		{"inside a content", cut(file("f", "x"))[:blockSize+1], false},
		{"behind a PAX header", cut(file("f", "x"), ext("path=g")), false},
		{"behind a long name", cut(file("f", "x"), gnuName("g")), false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r := NewReader(bytes.NewReader(tt.data), Cut, nil)
			err := error(nil)
			for err == nil {
				_, err = r.Next()
			}
			if (err == io.EOF) != tt.ok || !tt.ok && fault.Of(err) != fault.FormatInvalid {
				t.Error(err)
			}
		})
	}
}

// repair sets the checksum of whatever looks like a header, so that a fuzzer
// gets past it.
func repair(data []byte) {
	for ; len(data) >= blockSize; data = data[blockSize:] {
		if b := (*block)(data); string(b.magic()[:5]) == "ustar" {
			copy(b.checksum(), fmt.Sprintf("%06o\x00 ", b.sum()))
		}
	}
}

// Whatever is accepted, another reader sees as the same entries.
func FuzzReader(f *testing.F) {
	f.Add(archive(folder("./"), file("./f", "content"), symlink("l", "f"), hardlink("h", "f")))
	f.Add(archive(gnuName(strings.Repeat("n", 120)), file("f", "x"), gnuTarget(strings.Repeat("t", 120)), symlink("l", "t")))
	f.Add(archive(ext("path=p", "mtime=1.5", "size=1", "uid=8"), file("f", "x")))
	f.Add(archive(ext("SCHILY.xattr.user.a=b", "LIBARCHIVE.xattr.user.c=eA=="), file("f", "x")))
	f.Add(archive(rawEnt(file("f", "x"), func(b *block) { copy(b.prefix(), "dir") }), ent{name: "dev", kind: '3'}))
	f.Add(archive(with(file("f", "x"), func(e *ent) { e.magic = magicGNU })))
	f.Add(cut(file("f", "x")))
	f.Add(archive(rawEnt(file("f", ""), func(b *block) { b.uid()[0] = 0x80; b.mtime()[0] = 0xff })))
	f.Fuzz(func(t *testing.T, data []byte) {
		repair(data)
		mine, err := entries(data)
		if err != nil {
			if fault.Of(err) == "" {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		theirs, err := stdEntries(data)
		if err != nil {
			t.Fatalf("archive/tar refuses it: %v", err)
		}
		if mine != theirs {
			t.Fatalf("read:\n%sarchive/tar:\n%s", mine, theirs)
		}
	})
}

// FuzzFiles shows that no path leaves the root, whatever the archive says.
func FuzzFiles(f *testing.F) {
	f.Add(archive(folder("./a/"), file("a/f", "content"), symlink("a/l", "f"), hardlink("h", "a/f")))
	f.Add(archive(file("../f", ""), file("/f", ""), file("a//b", "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		repair(data)
		nodes, _, err := Files(NewReader(bytes.NewReader(data), Ended, nil), "pkg", Rules{}, discard{})
		if err != nil {
			return
		}
		kinds := map[string]bool{}
		for _, n := range nodes {
			for seg := range strings.SplitSeq(n.Path, "/") {
				if seg == "" || seg == ".." || seg == "." && n.Path != "." {
					t.Fatalf("path %q", n.Path)
				}
			}
			if kinds[n.Path] {
				t.Fatalf("%q twice", n.Path)
			}
			kinds[n.Path] = true
		}
	})
}

func entries(data []byte) (string, error) {
	var b strings.Builder
	r := NewReader(bytes.NewReader(data), Ended, nil)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%c %q %o %d:%d %d %q %d,%d %x\n", h.Type, h.Name, h.Mode, h.UID, h.GID, h.MTime, h.Link, h.Major, h.Minor, content)
	}
}

func stdEntries(data []byte) (string, error) {
	var b strings.Builder
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%c %q %o %d:%d %d %q %d,%d %x\n", h.Typeflag, h.Name, h.Mode&0o7777, h.Uid, h.Gid, h.ModTime.Unix(), h.Linkname, h.Devmajor, h.Devminor, content)
	}
}

// BenchmarkHeaders reads an archive of nothing but headers.
func BenchmarkHeaders(b *testing.B) {
	var data []byte
	for i := range 4000 {
		data = append(data, file(fmt.Sprintf("./usr/share/doc/package/file-%d", i), "").bytes()...)
	}
	data = append(data, make([]byte, 2*blockSize)...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(data), Ended, nil)
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkFiles turns the same into nodes.
func BenchmarkFiles(b *testing.B) {
	var data []byte
	for i := range 4000 {
		data = append(data, file(fmt.Sprintf("./usr/share/doc/package/file-%d", i), "x").bytes()...)
	}
	data = append(data, make([]byte, 2*blockSize)...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Files(NewReader(bytes.NewReader(data), Ended, nil), "pkg", Rules{}, discard{}); err != nil {
			b.Fatal(err)
		}
	}
}
