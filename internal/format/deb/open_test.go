package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/resolve"
	"compose/rootfs"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A member is one member of an ar archive.
type member struct {
	name, body string
	header     string // instead of the right one
	pad        string // instead of the right padding
}

// ar makes the archive of members.
func arOf(members ...member) []byte {
	b := []byte(arMagic)
	for _, m := range members {
		if m.header == "" {
			m.header = fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 1700000000, 0, 0, "100644", len(m.body))
		}
		b = append(append(b, m.header...), m.body...)
		switch {
		case m.pad != "":
			b = append(b, m.pad...)
		case len(m.body)%2 == 1:
			b = append(b, '\n')
		}
	}
	return b
}

// entry is a file of a tar archive; a name that ends with a slash is a
// folder, one with " -> " a symbolic link.
type entry struct{ name, body string }

func tarOf(entries ...entry) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.body)), Typeflag: tar.TypeReg, Format: tar.FormatGNU}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if name, target, ok := strings.Cut(e.name, " -> "); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		}
		h.ModTime = h.ModTime.AddDate(2020-1, 0, 0)
		if err := errors.Join(w.WriteHeader(h), func() error { _, err := w.Write([]byte(e.body)); return err }()); err != nil {
			panic(err)
		}
	}
	w.Close()
	return b.String()
}

func gz(s string) string {
	return through(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func xzOf(s string) string {
	return through(s, func(w io.Writer) io.WriteCloser { z, _ := xz.NewWriter(w); return z })
}

func zst(s string) string {
	return through(s, func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z })
}

func through(s string, compressor func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := compressor(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

const controlText = `Package: hello
Source: hello-source (2.9)
Version: 2.10-3
Architecture: amd64
Maintainer: Some Body <some.body@example.org>
Installed-Size: 12
Replaces: hello-traditional, hello-data (<< 2.0), old (>= 1:0)
Section: devel
Homepage: https://www.example.org/hello
Description: example package
 It says hello.
 .
 Twice.
`

var (
	formatVersion = member{name: "debian-binary", body: "2.0\n"}
	controls      = []entry{{"./", ""}, {"./control", controlText}, {"./md5sums", "b1946ac92492d2347c6235b4d2611184  usr/bin/hello\n"}, {"./postinst", "#!/bin/sh\n"}, {"./prerm", "#!/bin/sh\n"}, {"./preinst", "#!/bin/sh\n"}, {"./triggers", ""}}
	files         = []entry{{"./", ""}, {"./usr/", ""}, {"./usr/bin/", ""}, {"./usr/bin/hello", "hello\n"}, {"./usr/bin/hi -> hello", ""}}
	hello         = resolve.Locked{Name: "hello", Version: "2.10-3", Arch: "amd64", Path: "pool/hello_2.10-3_amd64.deb", InstalledSize: 12 << 10}
)

func controlPart(entries ...entry) member {
	return member{name: "control.tar.gz", body: gz(tarOf(entries...))}
}
func dataPart(entries ...entry) member {
	return member{name: "data.tar.gz", body: gz(tarOf(entries...))}
}

// plain is a package as dpkg would make it.
func plain() []byte { return arOf(formatVersion, controlPart(controls...), dataPart(files...)) }

// controlWith is the control part with one field replaced.
func controlWith(field, value string) member {
	var lines []string
	for line := range strings.Lines(controlText) {
		if strings.HasPrefix(line, field+":") {
			line = field + ": " + value + "\n"
		}
		lines = append(lines, line)
	}
	return controlPart(entry{"control", strings.Join(lines, "")})
}

type discard struct{}

func (discard) Append(r io.Reader) (cas.Ref, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return cas.Ref{Digest: cas.Digest(h.Sum(nil)), Size: n}, err
}

func open(b []byte) (*rootfs.Package, error) {
	want := hello
	want.Size = int64(len(b))
	return Format{}.Open(bytes.NewReader(b), want, resolve.Check{SHA256: cas.Sum(b)}, discard{})
}

// A refusal is a file that must be refused, with the given kind and a message
// that names the given offender.
type refusal struct {
	rule  string
	file  []byte
	id    fault.ID
	names string
}

func refuse(t *testing.T, cases ...refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.rule, func(t *testing.T) {
			p, err := open(tt.file)
			if err == nil {
				t.Fatalf("accepted: %+v", p)
			}
			if fault.Of(err) != tt.id || !strings.Contains(err.Error(), tt.names) || !strings.HasPrefix(err.Error(), "hello_2.10-3_amd64.deb: ") {
				t.Errorf("refused as %s: %v\nwant %s, the file and %s named", fault.Of(err), err, tt.id, tt.names)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	p, err := open(plain())
	if err != nil {
		t.Fatal(err)
	}
	nodes, control := p.Nodes, slices.Sorted(maps.Keys(p.Control))
	if p.Size != int64(len(plain())) {
		t.Errorf("size %d", p.Size)
	}
	p.Nodes, p.Control, p.Size = nil, nil, 0
	want := `{Name:hello Version:2.10-3 Arch:amd64 Source:hello-source SourceVersion:2.9 Licence: Maintainer:Some Body <some.body@example.org> ` +
		`Homepage:https://www.example.org/hello Description:example package BuildTime:1577836800 Size:0 InstalledSize:12288 Checksum:[] Wanted:false Control:map[] ` +
		`Scripts:[postinst preinst] Configured:false Replaces:[{Name:hello-traditional Op: Version:} {Name:hello-data Op:< Version:2.0} {Name:old Op:>= Version:1:0}] Priority:0 Nodes:[] Notices:[]}`
	if got := fmt.Sprintf("%+v", *p); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := fmt.Sprint(control); got != "[control md5sums postinst preinst prerm triggers]" {
		t.Errorf("control: %s", got)
	}
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%c %04o %s %s %s %.8s %s\n", n.Type, n.Mode, n.Path, n.Link, n.Package, n.Content.Digest.Hex(), fmt.Sprint(n.Content.Size))
	}
	if got := b.String(); got != "d 0755 .  hello 00000000 0\nd 0755 usr  hello 00000000 0\nd 0755 usr/bin  hello 00000000 0\n- 0644 usr/bin/hello  hello 5891b5b5 6\nl 0777 usr/bin/hi hello hello 00000000 0\n" {
		t.Errorf("nodes:\n%s", got)
	}
}

// Every compression, in every combination, gives the same package.
func TestOpenCompressions(t *testing.T) {
	kinds := map[string]func(string) string{"": func(s string) string { return s }, ".gz": gz, ".xz": xzOf, ".zst": zst}
	want, err := open(plain())
	if err != nil {
		t.Fatal(err)
	}
	for c, pack := range kinds {
		for d, packData := range kinds {
			file := arOf(formatVersion, member{name: "control.tar" + c, body: pack(tarOf(controls...))}, member{name: "data.tar" + d, body: packData(tarOf(files...))})
			p, err := open(file)
			if err != nil {
				t.Errorf("%s and %s: %v", c, d, err)
				continue
			}
			p.Size = want.Size
			if fmt.Sprint(p) != fmt.Sprint(want) {
				t.Errorf("%s and %s: %+v", c, d, p)
			}
		}
	}
}

// The pieces in which a file arrives do not matter, and what the source says
// comes before what was made of its bytes.
func TestOpenSources(t *testing.T) {
	file := plain()
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(file)), "half": iotest.HalfReader(bytes.NewReader(file)), "data and EOF": iotest.DataErrReader(bytes.NewReader(file)),
	} {
		if _, err := (Format{}).Open(r, hello, resolve.Check{}, discard{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	damaged := errors.New("store: damaged")
	for n := 0; n <= len(file); n += 50 {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(damaged))
		if _, err := (Format{}).Open(r, hello, resolve.Check{}, discard{}); !errors.Is(err, damaged) {
			t.Errorf("source fails at %d: %v", n, err)
		}
	}
	bad := bytes.Clone(file)
	bad[0] = 'x'
	if _, err := (Format{}).Open(io.MultiReader(bytes.NewReader(bad), iotest.ErrReader(damaged)), hello, resolve.Check{}, discard{}); !errors.Is(err, damaged) {
		t.Errorf("nonsense from a source that fails later: %v", err)
	}
}

func TestT18_BytesDifferFromTheIndex(t *testing.T) {
	file := plain()
	check := resolve.Check{SHA256: cas.Sum(file)}
	for n := range file {
		bad := bytes.Clone(file)
		bad[n] ^= 0x20
		_, err := Format{}.Open(bytes.NewReader(bad), hello, check, discard{})
		if fault.Of(err) != fault.TrustHash || !strings.Contains(err.Error(), check.SHA256.Hex()) || !strings.Contains(err.Error(), cas.Sum(bad).Hex()) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	want := hello
	want.Size = int64(len(file) - 1)
	if _, err := (Format{}).Open(bytes.NewReader(file), want, resolve.Check{}, discard{}); fault.Of(err) != fault.TrustHash {
		t.Errorf("a byte more than the index says: %v", err)
	}
}

func TestA27_ReservedNames(t *testing.T) {
	for _, path := range []string{"var/lib/dpkg/status", "var/lib/dpkg/info/hello.list"} {
		refuse(t, refusal{path, arOf(formatVersion, controlPart(controls...), dataPart(entry{path, "x"})), fault.UnsafeEntry, fmt.Sprintf("%q", path)})
	}
	if _, err := open(arOf(formatVersion, controlPart(controls...), dataPart(entry{"./var/lib/dpkg/", ""}, entry{"./var/lib/dpkg/info/", ""}))); err != nil {
		t.Errorf("its directories: %v", err)
	}
}

func TestD01_ArStructure(t *testing.T) {
	head := func(name, size string) string {
		return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10s`\n", name, 0, 0, 0, "100644", size)
	}
	with := func(m member) []byte { return arOf(formatVersion, m) }
	file := plain()
	refuse(t,
		refusal{"bad magic", append([]byte("!<thin>\n"), file[8:]...), fault.FormatInvalid, `"!<thin>\n"`},
		refusal{"an empty file", nil, fault.FormatInvalid, "empty"},
		refusal{"less than the magic", []byte("!<ar"), fault.FormatInvalid, `"!<ar"`},
		refusal{"nothing behind the magic", []byte(arMagic), fault.FormatInvalid, "debian-binary"},
		refusal{"size that is no number", with(member{header: head("control.tar", "1x")}), fault.FormatInvalid, "ar member 1, offset 72"},
		refusal{"negative size", with(member{header: head("control.tar", "-1")}), fault.FormatInvalid, `"-1`},
		refusal{"size with a sign", with(member{header: head("control.tar", "+1")}), fault.FormatInvalid, `"+1`},
		refusal{"empty size", with(member{header: head("control.tar", "")}), fault.FormatInvalid, `size "`},
		refusal{"size behind blanks", with(member{header: head("control.tar", " 1")}), fault.FormatInvalid, `" 1`},
		refusal{"size past the end", with(member{header: head("control.tar", "9999999999"), body: "x", pad: " "}), fault.FormatInvalid, "cut short"},
		refusal{"owner that is no number", with(member{header: strings.Replace(head("control.tar", "2"), "0     ", "root  ", 1)}), fault.FormatInvalid, `"root`},
		refusal{"end of the header", with(member{header: strings.TrimSuffix(head("control.tar", "2"), "`\n") + "'\n"}), fault.FormatInvalid, `"'\n"`},
		refusal{"wrong padding", arOf(formatVersion, member{name: "_x", body: "odd", pad: "\x00"}, controlPart(controls...), dataPart(files...)), fault.FormatInvalid, "newline"},
		refusal{"no padding", arOf(formatVersion, member{name: "_x", body: "odd", pad: " "})[:8+60+4+60+3], fault.FormatInvalid, "newline"},
		refusal{"half a header", with(member{header: "control.tar"}), fault.FormatInvalid, "11 bytes"},
		refusal{"a name of blanks", with(member{header: head("", "2")}), fault.FormatInvalid, "ar member 1"},
	)
	for n := range file {
		if _, err := (Format{}).Open(bytes.NewReader(file[:n]), hello, resolve.Check{}, discard{}); fault.Of(err) != fault.FormatInvalid && fault.Of(err) != fault.FormatTrailing {
			t.Fatalf("cut at %d of %d: %v", n, len(file), err)
		}
	}
}

func TestD02_LongNames(t *testing.T) {
	for _, name := range []string{"//", "/", "/0", "#1/11", "control.tar//", "./control.tar", "con trol.tar", "__.SYMDEF SORTED", "a\nb", "ä"} {
		m := controlPart(controls...)
		m.name = name
		refuse(t, refusal{name, arOf(formatVersion, m, dataPart(files...)), fault.FormatInvalid, "ar member 1"})
	}
	v, c := formatVersion, controlPart(controls...)
	v.name, c.name = "debian-binary/", "control.tar.gz/"
	if _, err := open(arOf(v, c, dataPart(files...))); err != nil {
		t.Errorf("one slash behind the name: %v", err)
	}
}

func TestD03_VersionFirst(t *testing.T) {
	other := func(body string) member { return member{name: "debian-binary", body: body} }
	refuse(t,
		refusal{"not first", arOf(controlPart(controls...), formatVersion, dataPart(files...)), fault.FormatInvalid, `"control.tar.gz"`},
		refusal{"an odd member before it", arOf(member{name: "_x", body: "hi"}, formatVersion, controlPart(controls...), dataPart(files...)), fault.FormatInvalid, `"_x"`},
		refusal{"missing", arOf(controlPart(controls...), dataPart(files...)), fault.FormatInvalid, "debian-binary"},
		refusal{"twice", arOf(formatVersion, formatVersion, controlPart(controls...), dataPart(files...)), fault.FormatInvalid, "ar member 1"},
	)
	for _, body := range []string{"2.1\n", "3.0\n", "2.0", "2.0\r\n", "", "2.0\n\n", strings.Repeat("2", 100)} {
		refuse(t, refusal{fmt.Sprintf("version %q", body), arOf(other(body), controlPart(controls...), dataPart(files...)), fault.FormatInvalid, "debian-binary"})
	}
}

func TestD04_ExtraMembers(t *testing.T) {
	c, d, x := controlPart(controls...), dataPart(files...), member{name: "extra", body: "xx"}
	refuse(t,
		refusal{"before control", arOf(formatVersion, x, c, d), fault.FormatInvalid, "ar member 1"},
		refusal{"between control and data", arOf(formatVersion, c, x, d), fault.FormatInvalid, "ar member 2"},
		refusal{"between control and data, with an underscore", arOf(formatVersion, c, member{name: "_x", body: "xx"}, d), fault.FormatInvalid, "ar member 2"},
		refusal{"behind data", arOf(formatVersion, c, d, x), fault.FormatTrailing, `"extra"`},
		refusal{"behind data, with an underscore", arOf(formatVersion, c, d, member{name: "_x"}), fault.FormatTrailing, `"_x"`},
		refusal{"a second control", arOf(formatVersion, c, c, d), fault.FormatInvalid, "ar member 2"},
		refusal{"a second data", arOf(formatVersion, c, d, d), fault.FormatTrailing, "ar member 3"},
		refusal{"data before control", arOf(formatVersion, d, c), fault.FormatInvalid, "ar member 1"},
		refusal{"no data", arOf(formatVersion, c), fault.FormatInvalid, "data.tar"},
		refusal{"no control", arOf(formatVersion, d), fault.FormatInvalid, "control.tar"},
		refusal{"bytes behind the last member", append(plain(), "junk"...), fault.FormatInvalid, "4 bytes"},
		refusal{"a large member without meaning", arOf(formatVersion, member{name: "_x", body: strings.Repeat("x", limits.Ignored+2)}, c, d), fault.LimitSize, "_x"},
	)
	p, err := open(arOf(formatVersion, member{name: "_builder", body: "xx"}, c, d, member{name: "_gpgorigin", body: "sig"}))
	if err != nil || fmt.Sprint(p.Notices) != "[member _builder passed over member _gpgorigin passed over]" {
		t.Errorf("members that are passed over, and reported: %v %v", p, err)
	}
}

func TestD05_Compressions(t *testing.T) {
	d := member{name: "data.tar.xz", body: xzOf(tarOf(files...))}
	refuse(t,
		refusal{"two of data", arOf(formatVersion, controlPart(controls...), dataPart(files...), d), fault.FormatTrailing, `"data.tar.xz"`},
		refusal{"two of control", arOf(formatVersion, controlPart(controls...), member{name: "control.tar", body: tarOf(controls...)}, d), fault.FormatInvalid, "ar member 2"},
		refusal{"a name that lies", arOf(formatVersion, controlPart(controls...), member{name: "data.tar.xz", body: gz(tarOf(files...))}), fault.FormatInvalid, "data.tar.xz"},
		refusal{"an empty member", arOf(formatVersion, controlPart(controls...), member{name: "data.tar.xz"}), fault.FormatInvalid, "data.tar.xz"},
	)
	for _, suffix := range []string{".bz2", ".lzma", ".Z", ".xz.gz", "xz", ".XZ"} {
		refuse(t, refusal{suffix, arOf(formatVersion, controlPart(controls...), member{name: "data.tar" + suffix, body: "x "}), fault.FormatInvalid, fmt.Sprintf("%q", suffix)})
	}
}

func TestD06_ControlFile(t *testing.T) {
	d := dataPart(files...)
	with := func(entries ...entry) []byte { return arOf(formatVersion, controlPart(entries...), d) }
	large := strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\n", 1100)
	refuse(t,
		refusal{"missing", with(entry{"./md5sums", ""}), fault.FormatInvalid, "control"},
		refusal{"twice", with(entry{"./control", controlText}, entry{"control", controlText}), fault.UnsafeEntry, `"control"`},
		refusal{"a link", with(entry{"./control -> /etc/passwd", ""}), fault.UnsafeEntry, `"./control"`},
		refusal{"a folder", with(entry{"./control/", ""}), fault.UnsafeEntry, `"./control/"`},
		refusal{"in a folder", with(entry{"./a/control", controlText}), fault.UnsafeEntry, `"./a/control"`},
		refusal{"spelt otherwise", with(entry{"./../control", controlText}), fault.UnsafeEntry, `"./../control"`},
		refusal{"absolute", with(entry{"/control", controlText}), fault.UnsafeEntry, `"/control"`},
		refusal{"over 1 MiB", with(entry{"./control", controlText + large}), fault.LimitSize, "control"},
		refusal{"another link beside it", with(entry{"./control", controlText}, entry{"postinst -> x", ""}), fault.UnsafeEntry, `"postinst"`},
		refusal{"two paragraphs", with(entry{"control", controlText + "\nPackage: other\n"}), fault.FormatInvalid, "one paragraph"},
		refusal{"a field twice", with(entry{"control", controlText + "package: other\n"}), fault.FormatInvalid, "package: other"},
		refusal{"no field", with(entry{"control", "Package hello\n"}), fault.FormatInvalid, `"Package hello"`},
		refusal{"a continuation of nothing", with(entry{"control", " x\n" + controlText}), fault.FormatInvalid, `" x"`},
		refusal{"empty", with(entry{"control", ""}), fault.FormatInvalid, "control"},
	)
}

func TestD06_ControlPartHasItsOwnLimit(t *testing.T) {
	var huge []entry
	for i := range 70 {
		huge = append(huge, entry{fmt.Sprintf("f%d", i), strings.Repeat("x", 1<<20)})
	}
	want := hello
	want.InstalledSize = 1 << 30 // which the files might take, but not the control part
	part := member{name: "control.tar.zst", body: zst(tarOf(huge...))}
	_, err := Format{}.Open(bytes.NewReader(arOf(formatVersion, part, dataPart(files...))), want, resolve.Check{}, discard{})
	if fault.Of(err) != fault.LimitExpanded || !strings.Contains(err.Error(), part.name) {
		t.Error(err)
	}
}

func TestD07_IdentityDiffers(t *testing.T) {
	for _, tt := range []struct{ field, value string }{{"Package", "other"}, {"Version", "2.10-4"}, {"Architecture", "arm64"}, {"Architecture", "all"}} {
		refuse(t, refusal{tt.field + " " + tt.value, arOf(formatVersion, controlWith(tt.field, tt.value), dataPart(files...)), fault.TrustIdentity, fmt.Sprintf("%q", tt.value)})
	}
	for _, tt := range []struct{ field, value string }{{"Package", "../hello"}, {"Package", ""}, {"Version", "2/3"}, {"Version", ""}, {"Architecture", "a b"}, {"Package", "a\x1bb"}} {
		refuse(t, refusal{fmt.Sprintf("%s %q", tt.field, tt.value), arOf(formatVersion, controlWith(tt.field, tt.value), dataPart(files...)), fault.FormatInvalid, "control"})
	}
}

func TestD08_AdvisoryLists(t *testing.T) {
	p, err := open(arOf(formatVersion, controlPart(
		entry{"control", controlText},
		entry{"md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/bin/hello\nd41d8cd98f00b204e9800998ecf8427e  usr/bin/gone\n"},
		entry{"conffiles", "/etc/gone.conf\nremove-on-upgrade /etc/old.conf\n"}), dataPart(files...)))
	if err != nil {
		t.Fatal(err)
	}
	want := `[md5sums lists "usr/bin/gone", which the package does not have conffiles lists "/etc/gone.conf", which the package does not have]`
	if got := fmt.Sprint(p.Notices); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// D-11 is kept where an index is read; the rule itself is here.
func TestD11_PathLeavesTheRepository(t *testing.T) {
	for _, path := range []string{"/pool/a.deb", "pool/../../a.deb", "./a.deb", "pool//a.deb", "http://example.org/a.deb", "//example.org/a.deb", "a.deb?x", "a.deb#x", "%2e%2e/a.deb", "a\\b.deb", "a\nb", ""} {
		if resolve.CleanPath(path) {
			t.Errorf("%q passes", path)
		}
	}
	if path := "pool/main/g/glibc/libc6_2.41-12_amd64.deb"; !resolve.CleanPath(path) {
		t.Errorf("%q does not", path)
	}
}

func TestZ01_Bomb(t *testing.T) {
	zeros := strings.Repeat("\x00", int(limits.Slack+2*hello.InstalledSize))
	head := tarOf(entry{"zeros", zeros})[:512] // says how much would come
	refuse(t,
		refusal{"a file larger than allowed", arOf(formatVersion, controlPart(controls...), member{name: "data.tar.xz", body: xzOf(head)}), fault.LimitExpanded, `"zeros"`},
		refusal{"in what is passed over behind the end", arOf(formatVersion, controlPart(controls...), member{name: "data.tar.zst", body: zst(tarOf() + zeros)}), fault.LimitExpanded, "data.tar.zst"},
	)
}

// FuzzOpen shows that no file, however odd, is refused without a kind, and
// that what is accepted is hello.
func FuzzOpen(f *testing.F) {
	f.Add(plain())
	f.Add(arOf(formatVersion, member{name: "control.tar", body: tarOf(controls...)}, member{name: "data.tar", body: tarOf(files...)}))
	f.Add(arOf(formatVersion, member{name: "_x", body: "odd"}, member{name: "control.tar", body: tarOf(controls[1])}, member{name: "data.tar", body: tarOf()}, member{name: "_gpgorigin"}))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Format{}.Open(bytes.NewReader(file), hello, resolve.Check{}, discard{})
		switch {
		case err != nil && fault.Of(err) == "":
			t.Fatalf("%v is no refusal", err)
		case err == nil && (p.Name != hello.Name || p.Version != hello.Version):
			t.Fatalf("%s %s", p.Name, p.Version)
		}
	})
}

// FuzzControl shows that parsing a control file never fails but by refusal,
// and that a field's first line has no newline.
func FuzzControl(f *testing.F) {
	f.Add([]byte(controlText))
	f.Add([]byte("A: b\n c\n\td\nE:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseControl(text)
		if err != nil {
			if fault.Of(err) == "" {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		var p rootfs.Package
		if err := c.describe(&p); err != nil && fault.Of(err) == "" {
			t.Fatalf("%v is no refusal", err)
		}
		if strings.Contains(p.Maintainer+p.Homepage+p.Description, "\n") {
			t.Fatalf("%+v", p)
		}
	})
}
