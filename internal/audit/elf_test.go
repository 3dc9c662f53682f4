package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/testtree"
	"compose/rootfs"
)

// An elfSpec describes a small ELF file.
type elfSpec struct {
	typ          uint16
	machine      uint16
	narrow, big  bool // 32 bits; big endian
	interp       string
	soname       string
	needed       []string
	rpath        string
	runpath      string
	buildID      []byte
	stack        int // flags of GNU_STACK; -1: it is not there
	relro        bool
	now, pie     bool
	textrel      bool
	symbols      []string
	text         string // further bytes
	noDynamic    bool
	padding      int    // zeros before the dynamic segment
	stringsAtEnd bool   // the table of strings stands last
	tail         []byte // after everything
}

// build is the file. Addresses are offsets.
func (s elfSpec) build() []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if s.big {
		order = binary.BigEndian
	}
	word := func(b []byte, v uint64) []byte {
		if s.narrow {
			return order.AppendUint32(b, uint32(v))
		}
		return order.AppendUint64(b, v)
	}
	ehsize, phsize := 64, 56
	if s.narrow {
		ehsize, phsize = 52, 32
	}
	const headers = 6
	body := ehsize + headers*phsize
	data := make([]byte, body)
	type seg struct {
		typ, flags uint32
		off, size  int
	}
	var segs []seg
	if s.interp != "" {
		segs = append(segs, seg{ptInterp, 4, len(data), len(s.interp) + 1})
		data = append(append(data, s.interp...), 0)
	}
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	if s.buildID != nil {
		segs = append(segs, seg{ptNote, 4, len(data), 16 + len(s.buildID)})
		for _, v := range []uint32{4, uint32(len(s.buildID)), ntBuildID} {
			data = order.AppendUint32(data, v)
		}
		data = append(append(data, "GNU\x00"...), s.buildID...)
	}
	data = append(append(data, 0), s.text...)
	data = append(data, 0)
	data = append(data, make([]byte, s.padding)...)
	table := []byte{0}
	str := func(v string) uint64 {
		at := len(table)
		table = append(append(table, v...), 0)
		return uint64(at)
	}
	if !s.noDynamic {
		var dyn []byte
		add := func(tag, v uint64) { dyn = word(word(dyn, tag), v) }
		for _, n := range s.needed {
			add(dtNeeded, str(n))
		}
		for _, o := range []struct {
			tag uint64
			v   string
		}{{dtSoname, s.soname}, {dtRpath, s.rpath}, {dtRunpath, s.runpath}} {
			if o.v != "" {
				add(o.tag, str(o.v))
			}
		}
		for _, n := range s.symbols {
			str(n)
		}
		if s.textrel {
			add(dtTextrel, 0)
		}
		var flags1 uint64
		if s.now {
			flags1 |= df1Now
		}
		if s.pie {
			flags1 |= df1PIE
		}
		if flags1 != 0 {
			add(dtFlags1, flags1)
		}
		for len(data)%8 != 0 {
			data = append(data, 0)
		}
		size := len(dyn) + 3*2*len(word(nil, 0))
		at := len(data)
		if s.stringsAtEnd {
			at += size
		}
		add(dtStrtab, uint64(at))
		add(dtStrsz, uint64(len(table)))
		add(dtNull, 0)
		if s.stringsAtEnd {
			segs = append(segs, seg{ptDynamic, 6, len(data), len(dyn)})
			data = append(append(data, dyn...), table...)
		} else {
			data = append(data, table...)
			for len(data)%8 != 0 {
				data = append(data, 0)
			}
			segs = append(segs, seg{ptDynamic, 6, len(data), len(dyn)})
			data = append(data, dyn...)
		}
	}
	if s.stack >= 0 {
		segs = append(segs, seg{ptGNUStack, uint32(s.stack), 0, 0})
	}
	if s.relro {
		segs = append(segs, seg{ptGNURelro, 4, 0, 0})
	}
	segs = append(segs, seg{ptLoad, 5, 0, len(data)})
	data = append(data, s.tail...)
	head := append([]byte(elfMagic), 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if s.narrow {
		head[4] = 1
	}
	if s.big {
		head[5] = 2
	}
	head = order.AppendUint16(order.AppendUint16(head, s.typ), s.machine)
	head = word(word(word(order.AppendUint32(head, 1), 0), uint64(ehsize)), 0)
	head = order.AppendUint32(head, 0)
	for _, v := range []int{ehsize, phsize, len(segs), 64, 0, 0} {
		head = order.AppendUint16(head, uint16(v))
	}
	for _, g := range segs {
		head = order.AppendUint32(head, g.typ)
		if !s.narrow {
			head = order.AppendUint32(head, g.flags)
		}
		head = word(word(word(head, uint64(g.off)), uint64(g.off)), uint64(g.off))
		head = word(word(head, uint64(g.size)), uint64(g.size))
		if s.narrow {
			head = order.AppendUint32(head, g.flags)
		}
		head = word(head, 8)
	}
	copy(data, head)
	return data
}

// inspect is what read says of some bytes.
func inspect(t testing.TB, data []byte) *facts {
	t.Helper()
	mem := cas.NewMem()
	ref, err := mem.Put(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	x := examiner{contents: mem}
	f, err := x.read(ref)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestObjects(t *testing.T) {
	whole := elfSpec{typ: etDyn, machine: 62, soname: "libx.so.1", needed: []string{"liby.so.2", "libc.so.6"}, runpath: "$ORIGIN:/opt/lib", buildID: []byte{0xab, 0xcd},
		relro: true, now: true, stack: 6, symbols: []string{"__stack_chk_fail", "__memcpy_chk"}}
	want := Object{Kind: "library", Machine: "x86_64", Bits: 64, Soname: "libx.so.1", Needed: []string{"liby.so.2", "libc.so.6"},
		Runpath: []string{"$ORIGIN", "/opt/lib"}, BuildID: "abcd", Relro: "full", Protected: true, Fortified: true}
	change := func(f func(s *elfSpec, o *Object)) (elfSpec, Object) {
		s, o := whole, want
		f(&s, &o)
		return s, o
	}
	for rule, f := range map[string]func(s *elfSpec, o *Object){
		"a library":                         func(*elfSpec, *Object) {},
		"of 32 bits":                        func(s *elfSpec, o *Object) { s.narrow, o.Bits = true, 32 },
		"of 64 bits, big endian":            func(s *elfSpec, o *Object) { s.big, o.Big, s.machine, o.Machine = true, true, 22, "s390x" },
		"an unknown machine has its number": func(s *elfSpec, o *Object) { s.machine, o.Machine = 9999, "9999" },
		"PIE by its flag":                   func(s *elfSpec, o *Object) { s.pie, s.interp, o.Kind, o.Interpreter = true, "/ld", "pie", "/ld" },
		"a PIE need not have the flag": func(s *elfSpec, o *Object) {
			s.soname, o.Soname, s.interp, o.Kind, o.Interpreter = "", "", "/ld", "pie", "/ld"
		},
		"a library may be executable":       func(s *elfSpec, o *Object) { s.interp, o.Interpreter = "/ld", "/ld" },
		"static PIE":                        func(s *elfSpec, o *Object) { s.pie, o.Kind = true, "static-pie" },
		"not position independent":          func(s *elfSpec, o *Object) { s.typ, o.Kind = etExec, "executable" },
		"relocatable":                       func(s *elfSpec, o *Object) { s.typ, o.Kind, o.Relro = etRel, "relocatable", "" },
		"partial RELRO: not bound at start": func(s *elfSpec, o *Object) { s.now, o.Relro = false, "partial" },
		"bound at start is not RELRO":       func(s *elfSpec, o *Object) { s.relro, o.Relro = false, "none" },
		"executable stack":                  func(s *elfSpec, o *Object) { s.stack, o.ExecStack = 7, true },
		"no word of the stack, 64 bits":     func(s *elfSpec, o *Object) { s.stack = -1 },
		"no word of the stack, 32 bits": func(s *elfSpec, o *Object) {
			s.stack, s.narrow, s.typ = -1, true, etExec
			o.ExecStack, o.Bits, o.Kind = true, 32, "executable"
		},
		"text relocations": func(s *elfSpec, o *Object) { s.textrel, o.Textrel = true, true },
		"old rpath": func(s *elfSpec, o *Object) {
			s.rpath, s.runpath, o.Rpath, o.Runpath = "/a:/b", "", []string{"/a", "/b"}, nil
		},
		"a checked function of its own": func(s *elfSpec, o *Object) { s.symbols, o.Fortified = []string{"__stack_chk_fail", "my_chk"}, false },
		"no protector": func(s *elfSpec, o *Object) {
			s.symbols, o.Protected = []string{"__read_chk", "x__stack_chk_fail"}, false
		},
		"made by Go":                         func(s *elfSpec, o *Object) { s.text, o.Go = "\xff Go buildinf:", true },
		"larger than what is read at once":   func(s *elfSpec, o *Object) { s.padding = wholeFile + 1000 },
		"large, with the strings at its end": func(s *elfSpec, o *Object) { s.padding, s.stringsAtEnd = wholeFile, true },
		"followed by something else":         func(s *elfSpec, o *Object) { s.tail = []byte("PK\x05\x06") },
		"needs nothing":                      func(s *elfSpec, o *Object) { s.needed, o.Needed = nil, nil },
	} {
		t.Run(rule, func(t *testing.T) {
			s, o := change(f)
			got := inspect(t, s.build()).Object
			if got == nil {
				t.Fatal("is no ELF file")
			}
			if g, w := describe(got), describe(&o); g != w {
				t.Errorf("\ngot  %s\nwant %s", g, w)
			}
		})
	}
}

func describe(o *Object) string { return strings.Join(strings.Fields(fmt.Sprintf("%+v", *o)), " ") }

func TestNamesOfLibrariesAmongStrings(t *testing.T) {
	for rule, c := range map[string]struct {
		text string
		want []string
	}{
		"a name":                       {"x\x00libfoo.so.1\x00y", []string{"libfoo.so.1"}},
		"with a folder":                {"\x00/usr/lib/libfoo.so.1.2\x00", []string{"libfoo.so.1.2"}},
		"without a version":            {"\x00plugin-x.so\x00", []string{"plugin-x.so"}},
		"two":                          {"\x00libb.so\x00liba.so\x00", []string{"liba.so", "libb.so"}},
		"part of a text":               {"\x00cannot open libfoo.so.1: gone\x00", nil},
		"the suffix alone":             {"\x00.so\x00", nil},
		"what it is linked with":       {"\x00libneeded.so.1\x00", nil},
		"itself":                       {"\x00libself.so.1\x00", nil},
		"at the edge of what is read":  {strings.Repeat("\x00", headSize-300) + "\x00libedge.so.1.2.3\x00" + strings.Repeat("\x00", wholeFile), []string{"libedge.so.1.2.3"}},
		"a name that is a word before": {"\x00see libfoo.so\x00", nil},
	} {
		t.Run(rule, func(t *testing.T) {
			s := elfSpec{typ: etDyn, machine: 62, soname: "libself.so.1", needed: []string{"libneeded.so.1"}, text: c.text}
			if got := inspect(t, s.build()).Loads; !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	// Wherever a name stands, windows do not cut it.
	for _, shift := range []int{0, 256, 500, 520} {
		s := elfSpec{typ: etDyn, machine: 62, text: strings.Repeat("\x00", headSize-800+shift) + "\x00libedge.so.1.2.3\x00" + strings.Repeat("\x00", wholeFile)}
		if got := inspect(t, s.build()).Loads; !slices.Equal(got, []string{"libedge.so.1.2.3"}) {
			t.Fatalf("shifted by %d: %q", shift, got)
		}
	}
}

// readelf of binutils says the same of every program and library of this
// machine.
func TestObjectsAreWhatReadelfSays(t *testing.T) {
	readelf := testtree.Tool(t, "readelf")
	var names []string
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				names = append(names, path)
			}
			return nil
		})
	}
	tested := 0
	for i, name := range names {
		if i%max(1, len(names)/400) != 0 {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(data, []byte(elfMagic)) {
			continue
		}
		out, err := exec.Command(readelf, "-W", "-h", "-l", "-d", "-n", name).Output()
		if err != nil {
			continue
		}
		tested++
		if got, want := lines(inspect(t, data).Object), readelfLines(string(out)); got != want {
			t.Errorf("%s:\ngot\n%swant\n%s", name, got, want)
		}
	}
	if tested < 100 {
		t.Errorf("%d files compared, want more", tested)
	}
}

// lines are the facts of an object that readelf has too.
func lines(o *Object) string {
	if o == nil {
		return "no ELF file\n"
	}
	var b strings.Builder
	line := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				b.WriteString(name + " " + v + "\n")
			}
		}
	}
	yes := map[bool]string{true: "yes"}
	line("interpreter", o.Interpreter)
	line("soname", o.Soname)
	line("needed", o.Needed...)
	line("rpath", strings.Join(o.Rpath, ":"))
	line("runpath", strings.Join(o.Runpath, ":"))
	line("build", o.BuildID)
	line("relro", yes[o.Relro == "full" || o.Relro == "partial"])
	line("full", yes[o.Relro == "full"])
	line("execstack", yes[o.ExecStack])
	line("textrel", yes[o.Textrel])
	return b.String()
}

func readelfLines(out string) string {
	var b strings.Builder
	find := func(name, pattern string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(out, -1) {
			b.WriteString(name + " " + m[1] + "\n")
		}
	}
	yes := func(name string, is bool) {
		if is {
			b.WriteString(name + " yes\n")
		}
	}
	find("interpreter", `\[Requesting program interpreter: (.*)\]`)
	find("soname", `\(SONAME\) +Library soname: \[(.*)\]`)
	find("needed", `\(NEEDED\) +Shared library: \[(.*)\]`)
	find("rpath", `\(RPATH\) +Library rpath: \[(.*)\]`)
	find("runpath", `\(RUNPATH\) +Library runpath: \[(.*)\]`)
	find("build", `Build ID: ([0-9a-f]+)`)
	relro := strings.Contains(out, "GNU_RELRO")
	now := regexp.MustCompile(`\(BIND_NOW\)|\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW`).MatchString(out)
	yes("relro", relro)
	yes("full", relro && now)
	yes("execstack", regexp.MustCompile(`GNU_STACK.* RWE `).MatchString(out))
	yes("textrel", regexp.MustCompile(`\(TEXTREL\)|\(FLAGS\).*TEXTREL`).MatchString(out))
	return b.String()
}

// Whatever the bytes are, reading them ends, and soon.
func FuzzRead(f *testing.F) {
	whole := elfSpec{typ: etDyn, machine: 62, interp: "/lib64/ld.so", soname: "libx.so.1", needed: []string{"a"}, runpath: "b", buildID: []byte{1}, text: "\x00lib.so\x00"}
	f.Add(whole.build())
	narrow := whole
	narrow.narrow, narrow.big = true, true
	f.Add(narrow.build())
	f.Add([]byte("#!/usr/bin/env -S perl -w\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nMII\n"))
	f.Add([]byte(elfMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := inspect(t, data)
		if got.Object != nil && !bytes.HasPrefix(data, []byte(elfMagic)) {
			t.Error("an ELF file without its magic")
		}
		tree := rootfs.NewTree()
		mem := cas.NewMem()
		ref, _ := mem.Put(bytes.NewReader(data))
		for _, name := range []string{"x", "etc/passwd", "etc/group", "etc/shadow", "etc/sudoers", "etc/ld.so.conf", "etc/os-release", "etc/ld.so.cache"} {
			if dir := filepath.Dir(name); tree.Get(dir) == nil {
				_ = tree.Add(rootfs.Node{Path: dir, Type: rootfs.Dir, Mode: 0o755})
			}
			n := rootfs.Node{Path: name, Type: rootfs.Regular, Mode: 0o4777, Content: ref, Xattrs: []rootfs.Xattr{{Name: "security.capability", Value: data}}}
			if err := tree.Add(n); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Run(t.Context(), Input{Tree: tree, Contents: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Text(new(bytes.Buffer), 0); err != nil {
			t.Fatal(err)
		}
	})
}
