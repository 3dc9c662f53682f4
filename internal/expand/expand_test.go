package expand

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/resolve"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// kinds are all compressions but none.
var kinds = []Kind{Gzip, XZ, Zstd}

// compress is data as one member, stream or frame.
func compress(t testing.TB, kind Kind, data []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case None:
		return data
	case Gzip:
		w = gzip.NewWriter(&b)
	case XZ:
		w, err = xz.NewWriter(&b)
	case Zstd:
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// expandAll expands data, of which at most limit bytes may come.
func expandAll(kind Kind, data []byte, limit int64) ([]byte, error) {
	in := NewInput(bytes.NewReader(data), 0, cas.Digest{})
	r, err := NewReader(kind, in, &Budget{in: in, limit: limit})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestEveryKindExpands(t *testing.T) {
	text := bytes.Repeat([]byte("the quick brown fox "), 20000)
	for _, kind := range append(kinds, None) {
		got, err := expandAll(kind, compress(t, kind, text), int64(len(text)))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%q: %d bytes, %v", kind, len(got), err)
		}
	}
	if _, err := expandAll("bz2", nil, 1); fault.Of(err) != fault.FormatInvalid || !strings.Contains(err.Error(), "bz2") {
		t.Errorf("bz2: %v", err)
	}
}

func TestZ01_Bomb(t *testing.T) {
	zeros := make([]byte, 32<<20)
	for _, kind := range kinds {
		bomb := compress(t, kind, zeros)
		const limit = 1 << 20
		got, err := expandAll(kind, bomb, limit)
		if fault.Of(err) != fault.LimitExpanded || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
			t.Errorf("%s: %v", kind, err)
		}
		if len(got) > limit {
			t.Errorf("%s: %d bytes came out", kind, len(got))
		}
	}
}

func TestZ01_BudgetFollowsTheInstalledSize(t *testing.T) {
	for _, tt := range []struct {
		rule            string
		size, installed int64
		want            int64
	}{
		{"twice the installed size, and slack", 1 << 20, 10 << 20, 20<<20 + limits.Slack},
		{"a package of nothing", 1000, 0, 64*1000 + limits.Slack},
		{"no installed size: by the file's size", 100 << 20, 0, 6400<<20 + limits.Slack},
		{"never more than the hard limit", 1 << 20, 1 << 60, limits.Expanded},
		{"nor by the file's size", 1 << 50, 0, limits.Expanded},
		{"a negative size is none", 1 << 20, -5, 64<<20 + limits.Slack},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if got := NewBudget(NewInput(nil, tt.size, cas.Digest{}), tt.installed).Left(); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestZ02_PartsShareTheBudget(t *testing.T) {
	in := NewInput(nil, 0, cas.Digest{})
	b := &Budget{in: in, limit: 1000}
	part := b.Part(600)
	if err := part.take(600); err != nil {
		t.Fatal(err)
	}
	if err := part.take(1); fault.Of(err) != fault.LimitExpanded {
		t.Errorf("the part's own limit: %v", err)
	}
	if got := b.Part(600).Left(); got != 400 {
		t.Errorf("%d left for the next part, want 400", got)
	}
	if err := b.take(401); fault.Of(err) != fault.LimitExpanded {
		t.Errorf("the whole: %v", err)
	}
}

func TestZ03_ManyMembers(t *testing.T) {
	empty := compress(t, Gzip, nil)
	if _, err := expandAll(Gzip, bytes.Repeat(empty, 3000), 1<<20); fault.Of(err) != fault.FormatTrailing {
		t.Errorf("%v", err)
	}
}

func TestZ04_GiantWindow(t *testing.T) {
	// A frame that declares a window of 1 GiB, and one raw block.
	frame := binary.LittleEndian.AppendUint32(nil, frameMagic)
	frame = append(frame, 0x00, (30-10)<<3, 1, 0, 0)
	if _, err := expandAll(Zstd, frame, 1<<20); fault.Of(err) != fault.FormatInvalid {
		t.Errorf("zstd: %v", err)
	}
	frame[5] = (20 - 10) << 3
	if _, err := expandAll(Zstd, frame, 1<<20); err != nil {
		t.Errorf("zstd, window of 1 MiB: %v", err)
	}
}

func TestZ05_Trailing(t *testing.T) {
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'j', 'u', 'n', 'k'}
	for _, kind := range kinds {
		whole := compress(t, kind, []byte("content"))
		for rule, behind := range map[string][]byte{
			"a second stream": whole,
			"zeros":           make([]byte, 8),
			"one byte":        {'x'},
			"text":            []byte("junk"),
			"skippable frame": skippable,
		} {
			_, err := expandAll(kind, append(bytes.Clone(whole), behind...), 1<<20)
			if fault.Of(err) != fault.FormatTrailing {
				t.Errorf("%s: %s: %v", kind, rule, err)
			}
		}
	}
	if _, err := expandAll(Zstd, append(skippable, compress(t, Zstd, []byte("x"))...), 1<<20); fault.Of(err) != fault.FormatInvalid {
		t.Errorf("a skippable frame in front: %v", err)
	}
}

func TestZ06_EmptyInput(t *testing.T) {
	for _, kind := range kinds {
		if got, err := expandAll(kind, nil, 1<<20); fault.Of(err) != fault.FormatInvalid {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
	}
}

// A stream that is cut anywhere, or has a flipped bit, never passes as
// another text.
func TestDamageIsNoticed(t *testing.T) {
	text := []byte(strings.Repeat("some text to compress, ", 40))
	for _, kind := range kinds {
		whole := compress(t, kind, text)
		for n := range whole {
			if _, err := expandAll(kind, whole[:n], 1<<20); fault.Of(err) != fault.FormatInvalid {
				t.Fatalf("%s cut at %d of %d: %v", kind, n, len(whole), err)
			}
			bad := bytes.Clone(whole)
			bad[n] ^= 1
			if got, err := expandAll(kind, bad, 1<<20); err == nil && !bytes.Equal(got, text) {
				t.Fatalf("%s with byte %d changed gives another text", kind, n)
			} else if err != nil && fault.Of(err) == "" {
				t.Fatalf("%s with byte %d changed: %v is no refusal", kind, n, err)
			}
		}
	}
}

// Checksums are compared: of the content in gzip and zstd, and of everything
// in xz.
func TestChecksumsAreCompared(t *testing.T) {
	for kind, behind := range map[Kind]int{Gzip: 8, Zstd: 1, XZ: 28 + 16} { // distance of a checksum's byte from the end
		bad := compress(t, kind, []byte("content"))
		bad[len(bad)-behind] ^= 1
		if got, err := expandAll(kind, bad, 1<<20); fault.Of(err) != fault.FormatInvalid {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
	}
}

// Members are separate: each is hashed alone, whatever pieces the source
// gives.
func TestMembers(t *testing.T) {
	var data []byte
	var sums [][]byte
	texts := []string{"", "signature", strings.Repeat("data ", 50000)}
	for _, text := range texts {
		m := compress(t, Gzip, []byte(text))
		sum := sha1.Sum(m)
		sums, data = append(sums, sum[:]), append(data, m...)
	}
	for name, r := range map[string]io.Reader{
		"whole":        bytes.NewReader(data),
		"one byte":     iotest.OneByteReader(bytes.NewReader(data)),
		"half":         iotest.HalfReader(bytes.NewReader(data)),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		in := NewInput(r, int64(len(data)), cas.Sum(data))
		m := NewMembers(in, NewBudget(in, 1<<20))
		for i, text := range texts {
			h := sha1.New()
			if err := m.Next(h); err != nil {
				t.Fatal(name, i, err)
			}
			got, err := io.ReadAll(m)
			if err != nil || string(got) != text || !bytes.Equal(h.Sum(nil), sums[i]) {
				t.Errorf("%s: member %d: %d bytes, SHA-1 %x, %v", name, i, len(got), h.Sum(nil), err)
			}
			if m.More() != (i < len(texts)-1) {
				t.Errorf("%s: member %d: More is %v", name, i, m.More())
			}
		}
		if err := m.Next(nil); err != io.EOF {
			t.Errorf("%s: behind the last: %v", name, err)
		}
		if err := in.Finish(nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the source says of its bytes comes before what a parser made of them.
func TestInputFinish(t *testing.T) {
	damaged, parsed := errors.New("store: damaged"), fault.New(fault.FormatInvalid, "nonsense")
	body := "twelve bytes"
	for _, tt := range []struct {
		rule   string
		r      io.Reader
		size   int64
		sha256 cas.Digest
		parsed error
		want   error
		id     fault.ID
	}{
		{rule: "nothing is wrong", r: strings.NewReader(body)},
		{rule: "nor compared", r: strings.NewReader(body), size: 12, sha256: cas.Sum([]byte(body))},
		{rule: "the parser refuses", r: strings.NewReader(body), parsed: parsed, want: parsed, id: fault.FormatInvalid},
		{rule: "the store has damaged bytes", r: io.MultiReader(strings.NewReader(body), iotest.ErrReader(damaged)), parsed: parsed, want: damaged},
		{rule: "damaged, and nothing was refused", r: io.MultiReader(strings.NewReader(body), iotest.ErrReader(damaged)), want: damaged},
		{rule: "another digest", r: strings.NewReader(body), sha256: cas.Sum(nil), parsed: parsed, id: fault.TrustHash},
		{rule: "longer than it should be", r: strings.NewReader(body), size: 11, id: fault.TrustHash},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			err := NewInput(tt.r, tt.size, tt.sha256).Finish(tt.parsed)
			if fault.Of(err) != tt.id || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && tt.id == "" && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNameKeepsTheKind(t *testing.T) {
	p := resolve.Locked{Name: "zlib", Version: "1.3", Path: "pool/z/zlib_1.3.deb"}
	err := Name(p, fault.New(fault.TrustHash, "no"))
	if fault.Of(err) != fault.TrustHash || err.Error() != "zlib_1.3.deb: no" {
		t.Error(err)
	}
	p.Path = ""
	if err := Name(p, io.ErrUnexpectedEOF); fault.Of(err) != "" || err.Error() != "zlib 1.3: unexpected EOF" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// FuzzExpand shows that nothing gives more than its budget, or an error that
// is no refusal.
func FuzzExpand(f *testing.F) {
	for i, kind := range kinds {
		f.Add(uint8(i), compress(f, kind, nil))
		f.Add(uint8(i), compress(f, kind, bytes.Repeat([]byte("text "), 100)))
		f.Add(uint8(i), compress(f, kind, make([]byte, 1<<20)))
	}
	f.Fuzz(func(t *testing.T, k uint8, data []byte) {
		const limit = 1 << 16
		kind := kinds[int(k)%len(kinds)]
		got, err := expandAll(kind, data, limit)
		if len(got) > limit {
			t.Fatalf("%s: %d bytes", kind, len(got))
		}
		if err != nil && fault.Of(err) == "" {
			t.Fatalf("%s: %v is no refusal", kind, err)
		}
	})
}
