package xz

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"compose/internal/testrepo"

	"github.com/ulikunitz/xz"
	ulzma "github.com/ulikunitz/xz/lzma"
)

// texts are contents of different kinds, each of n bytes.
func texts(n int) map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, n)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	words := make([]byte, 0, n+20)
	for len(words) < n {
		words = fmt.Appendf(words, "word%d ", int(r.ExpFloat64()*40))
	}
	mixed := bytes.Clone(noise)
	for i := 0; i+2000 < n; i += 3000 { // matches at all distances
		from := r.IntN(i + 1)
		copy(mixed[i:i+r.IntN(2000)], mixed[from:])
	}
	return map[string][]byte{
		"zeros": make([]byte, n), "noise": noise, "words": words[:n], "mixed": mixed, "pairs": bytes.Repeat([]byte("ab"), n/2),
		"records": bytes.Repeat([]byte("a record of some size, the next the same\n"), n/41+1)[:n],
	}
}

func pack(t testing.TB, c xz.WriterConfig, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(data []byte) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestEveryText(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 17, 4096, 70000, 300000} {
		for name, text := range texts(size) {
			if size == 0 {
				text = nil
			}
			got, err := unpack(pack(t, xz.WriterConfig{}, text))
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s of %d bytes: %d bytes, %v", name, size, len(got), err)
			}
		}
	}
}

func TestEveryConfiguration(t *testing.T) {
	text := texts(200000)["mixed"]
	for lc := 0; lc <= 4; lc++ {
		for lp := 0; lc+lp <= 4; lp++ {
			for pb := 0; pb <= 4; pb++ {
				c := xz.WriterConfig{Properties: &ulzma.Properties{LC: lc, LP: lp, PB: pb}, DictCap: 1 << 16}
				if got, err := unpack(pack(t, c, text[:3000])); err != nil || !bytes.Equal(got, text[:3000]) {
					t.Errorf("lc %d, lp %d, pb %d: %v", lc, lp, pb, err)
				}
			}
		}
	}
	for _, check := range []byte{xz.CRC32, xz.CRC64, xz.SHA256} {
		if got, err := unpack(pack(t, xz.WriterConfig{CheckSum: check}, text)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("check %d: %v", check, err)
		}
	}
	if got, err := unpack(pack(t, xz.WriterConfig{NoCheckSum: true}, text)); err != nil || !bytes.Equal(got, text) {
		t.Errorf("no check: %v", err)
	}
	for _, block := range []int64{1, 1000, 65536, 200000, 1 << 20} {
		if got, err := unpack(pack(t, xz.WriterConfig{BlockSize: block}, text[:min(len(text), int(block)*500)])); err != nil || !bytes.Equal(got, text[:len(got)]) {
			t.Errorf("blocks of %d: %v", block, err)
		}
	}
}

// A dictionary much smaller than the text makes the window slide, many times.
func TestWindowSlides(t *testing.T) {
	text := bytes.Repeat(texts(50000)["words"], 12<<20/50000)
	got, err := unpack(pack(t, xz.WriterConfig{DictCap: 1 << 16}, text))
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// The xz tool's own streams, with sizes in their headers, several blocks and
// its strongest matches.
func TestStreamsOfTheTool(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		testrepo.Skip(t, "no xz on this machine")
	}
	for name, text := range texts(200000) {
		for _, args := range []string{"-0", "-6e", "-T2 --block-size=40KiB", "--lzma2=dict=4KiB,lc=0,lp=4", "--check=sha256", "--check=none", "--lzma2=preset=6,pb=0,nice=273"} {
			cmd := exec.Command("xz", append(strings.Fields(args), "-c")...)
			cmd.Stdin = bytes.NewReader(text)
			data, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := unpack(data); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s, xz %s: %d bytes, %v", name, args, len(got), err)
			}
		}
	}
}

func TestPiecesDoNotMatter(t *testing.T) {
	text := texts(300000)["words"]
	data := pack(t, xz.WriterConfig{BlockSize: 100000}, text)
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(data)), "half": iotest.HalfReader(bytes.NewReader(data)), "data and EOF": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		z, err := NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(z, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("disk on fire")
	for n := 0; n < len(data); n += 1000 {
		z, err := NewReader(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)))
		if err == nil {
			_, err = io.Copy(io.Discard, z)
		}
		if !errors.Is(err, broken) {
			t.Errorf("source fails at %d: %v", n, err)
		}
	}
}

// Whatever byte is changed, or missing, is noticed: every byte of a stream is
// under some checksum.
func TestDamage(t *testing.T) {
	whole := pack(t, xz.WriterConfig{BlockSize: 700}, texts(2000)["words"])
	for n := range whole {
		if _, err := unpack(whole[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(whole)
			bad[n] ^= bit
			if _, err := unpack(bad); err == nil {
				t.Fatalf("byte %d changed, and nothing noticed", n)
			}
		}
	}
}

func TestTrailing(t *testing.T) {
	whole := pack(t, xz.WriterConfig{}, []byte("text"))
	for rule, behind := range map[string][]byte{"padding": make([]byte, 4), "a stream": whole, "a byte": {'x'}} {
		if _, err := unpack(append(bytes.Clone(whole), behind...)); !errors.Is(err, ErrTrailing) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// stream is a stream of one block with this header, without its size, CRC and
// padding, and this data.
func stream(header, data []byte) []byte {
	s := []byte(headerMagic + "\x00\x00")
	s = binary.LittleEndian.AppendUint32(s, crc32.ChecksumIEEE(s[6:]))
	for len(header)%4 != 3 {
		header = append(header, 0)
	}
	b := append([]byte{byte((len(header) + 1) / 4)}, header...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return append(append(s, b...), data...)
}

func TestRefusals(t *testing.T) {
	const lzma2 = 0x21
	plain := []byte{1, 0, 0, 'x', 0}
	far := packLZMA2(t, bytes.Repeat(texts(8192)["noise"], 2))
	for _, tt := range []struct {
		rule string
		data []byte
		want string
	}{
		{"no xz", []byte("PK\x03\x04 something else"), "no xz stream"},
		{"unknown check", append([]byte(headerMagic), binary.LittleEndian.AppendUint32([]byte{0, 2}, crc32.ChecksumIEEE([]byte{0, 2}))...), "stream flags 0002"},
		{"reserved stream flags", append([]byte(headerMagic), binary.LittleEndian.AppendUint32([]byte{1, 1}, crc32.ChecksumIEEE([]byte{1, 1}))...), "stream flags 0101"},
		{"giant dictionary", stream([]byte{0, lzma2, 1, 40}, nil), "dictionary of 4294967296 bytes"},
		{"dictionary of 192 MiB", stream([]byte{0, lzma2, 1, 31}, nil), "dictionary of 201326592 bytes"},
		{"dictionary code out of range", stream([]byte{0, lzma2, 1, 41}, nil), "properties"},
		{"another filter", stream([]byte{0, 4, 0}, nil), "first is 0x4"},
		{"two filters", stream([]byte{1, 3, 1, 0, lzma2, 1, 0}, nil), "2 filters"},
		{"LZMA2 twice", stream([]byte{1, lzma2, 1, 0, lzma2, 1, 0}, nil), "2 filters"},
		{"reserved block flags", stream([]byte{0x10, lzma2, 1, 0}, nil), "block flags 0x10"},
		{"junk in the header's padding", stream([]byte{0, lzma2, 1, 0, 0, 9}, nil), "padding"},
		{"a size in too many bytes", stream([]byte{0x40, 0x80, 0, lzma2, 1, 0}, nil), "malformed number"},
		{"first chunk without reset", stream([]byte{0, lzma2, 1, 0}, []byte{2, 0, 0, 'x', 0}), "corrupt"},
		{"first packed chunk without properties", stream([]byte{0, lzma2, 1, 0}, append(plain[:4:4], 0x80, 0, 0, 0, 4, 0, 0, 0, 0, 0)), "corrupt"},
		{"state reset without properties", stream([]byte{0, lzma2, 1, 0}, append(plain[:4:4], 0xa0, 0, 0, 0, 4, 0, 0, 0, 0, 0)), "corrupt"},
		{"unknown control byte", stream([]byte{0, lzma2, 1, 0}, []byte{3, 0, 0, 'x', 0}), "corrupt"},
		{"properties out of range", stream([]byte{0, lzma2, 1, 0}, []byte{0xe0, 0, 0, 0, 4, 225, 0, 0, 0, 0, 0}), "corrupt"},
		{"lc and lp over 4", stream([]byte{0, lzma2, 1, 0}, []byte{0xe0, 0, 0, 0, 4, 9 + 4, 0, 0, 0, 0, 0}), "corrupt"},
		{"range coder that begins with no zero", stream([]byte{0, lzma2, 1, 0}, []byte{0xe0, 0, 0, 0, 4, 93, 1, 0, 0, 0, 0}), "corrupt"},
		{"match beyond the dictionary", stream([]byte{0, lzma2, 1, 0}, far), "corrupt"},
		{"block larger than its header says", stream([]byte{0x80, 0, lzma2, 1, 0}, plain), "larger than its header"},
		{"block smaller than its header says", stream([]byte{0x80, 2, lzma2, 1, 0}, plain), "smaller than its header"},
		{"data larger than its header says", stream([]byte{0x40, 4, lzma2, 1, 0}, plain), "header says"},
		{"data smaller than its header says", stream([]byte{0x40, 6, lzma2, 1, 0}, plain), "smaller than its header"},
		{"padding of the block", stream([]byte{0, lzma2, 1, 0}, append(plain[:5:5], 1, 1, 1)), "padding is not zero"},
		{"index of another number of blocks", stream([]byte{0, lzma2, 1, 0}, append(plain[:5:5], 0, 0, 0, 0, 2)), "number of blocks"},
		{"index of other sizes", stream([]byte{0, lzma2, 1, 0}, append(plain[:5:5], 0, 0, 0, 0, 1, 17, 2)), "other sizes"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			_, err := unpack(tt.data)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// The footer agrees with the header and the index.
func TestFooter(t *testing.T) {
	for _, tt := range []struct {
		rule string
		at   int // of the byte in the footer that is changed, and its checksum with it
		want string
	}{{"other flags", 9, "different flags"}, {"another size of the index", 4, "size of the index"}, {"another magic word", 10, "magic word"}} {
		data := pack(t, xz.WriterConfig{}, []byte("text"))
		f := data[len(data)-headerSize:]
		f[tt.at] ^= 1
		binary.LittleEndian.PutUint32(f, crc32.ChecksumIEEE(f[4:10]))
		if _, err := unpack(data); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.rule, err)
		}
	}
}

// A decoder that was used for one stream, even a broken one, is as good as
// new for the next.
func TestDecodersAreReused(t *testing.T) {
	text := texts(100000)["mixed"]
	good := pack(t, xz.WriterConfig{}, text)
	for n := range 50 {
		bad := bytes.Clone(good)
		bad[200+n] ^= 1
		unpack(bad)
		if got, err := unpack(good); err != nil || !bytes.Equal(got, text) {
			t.Fatal(n, err)
		}
	}
}

// FuzzLZMA2 compares with another decoder: what both accept is the same, and
// what this one accepts the other does too.
func FuzzLZMA2(f *testing.F) {
	for _, text := range texts(3000) {
		var b bytes.Buffer
		w, err := ulzma.Writer2Config{DictCap: 1 << 12}.NewWriter2(&b)
		if err != nil {
			f.Fatal(err)
		}
		w.Write(text)
		w.Close()
		f.Add(b.Bytes())
	}
	f.Add([]byte{1, 0, 0, 'x', 2, 0, 1, 'y', 'z', 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		const dict = 1 << 16
		mine, err := lzma2(data, dict)
		if err != nil {
			if !errors.Is(err, errCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return
		}
		r, err := ulzma.Reader2Config{DictCap: dict}.NewReader2(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%d bytes; the other decoder: %v", len(mine), err)
		}
		if !bytes.Equal(mine, theirs) {
			t.Fatalf("%d bytes; the other decoder has %d", len(mine), len(theirs))
		}
		if whole, err := wholeBlock(data, dict, len(mine)); err != nil || !bytes.Equal(whole, mine) {
			t.Fatalf("%d bytes; at once %d, %v", len(mine), len(whole), err)
		}
		if len(mine) > 1 {
			if _, err := wholeBlock(data, dict, len(mine)-1); err != errLarger {
				t.Fatalf("to a buffer of a byte less: %v", err)
			}
		}
	})
}

// wholeBlock decodes a block's data at once.
func wholeBlock(data []byte, dict uint32, size int) ([]byte, error) {
	if size == 0 {
		return nil, nil // such blocks go through the window
	}
	d := new(decoder)
	d.beginWhole(dict, size)
	r := bytes.NewReader(data)
	for n := int64(0); ; {
		switch err := d.next(r, &n); err {
		case nil:
		case io.EOF:
			return d.buf[:d.o], nil
		default:
			return nil, err
		}
	}
}

// lzma2 decodes a block's data.
func lzma2(data []byte, dict uint32) (out []byte, err error) {
	d := new(decoder)
	d.begin(dict, -1)
	r := bufio.NewReader(bytes.NewReader(data))
	for n := int64(0); ; {
		switch err := d.next(r, &n); err {
		case nil:
			out = append(out, d.buf[d.read:d.o]...)
			d.read = d.o
		case io.EOF:
			return out, nil
		default:
			return nil, err
		}
		if len(out) > 1<<26 {
			return nil, errCorrupt
		}
	}
}

// FuzzReader compares whole streams.
func FuzzReader(f *testing.F) {
	for _, text := range texts(500) {
		f.Add(pack(f, xz.WriterConfig{}, text))
		f.Add(pack(f, xz.WriterConfig{BlockSize: 100, NoCheckSum: true}, text))
	}
	f.Add(stream([]byte{0, 0x21, 1, 0}, []byte{1, 0, 0, 'x', 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		mine, err := unpack(data)
		if err != nil {
			return
		}
		r, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err := io.ReadAll(r); err != nil || !bytes.Equal(mine, theirs) {
			t.Fatalf("%d bytes; the other decoder has %d, %v", len(mine), len(theirs), err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, name := range []string{"words", "mixed", "noise", "records"} {
		text := texts(2 << 20)[name]
		data := pack(b, xz.WriterConfig{}, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
