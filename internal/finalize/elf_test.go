package finalize

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"compose/internal/cas"
)

// A fakeELF describes a shared object as small as ldconfig takes it.
type fakeELF struct {
	class   byte // 0: 64 bits
	big     bool
	machine uint16 // 0: x86-64
	flags   uint32
	typ     uint16 // 0: a shared object
	isa     uint32 // GNU_PROPERTY_X86_ISA_1_NEEDED; 0: none
	soname  string
	pad     int // bytes between the string table and the dynamic section
}

// bytes lays the file out: headers, property, strings, dynamic section.
func (f fakeELF) bytes() []byte {
	if f.class == 0 {
		f.class = 2
	}
	if f.machine == 0 {
		f.machine = emX8664
	}
	if f.typ == 0 {
		f.typ = etDyn
	}
	var o binary.AppendByteOrder = binary.LittleEndian
	data := byte(1)
	if f.big {
		o, data = binary.BigEndian, 2
	}
	word := func(b []byte, v uint64) []byte {
		if f.class == 1 {
			return o.AppendUint32(b, uint32(v))
		}
		return o.AppendUint64(b, v)
	}
	ehsize, phsize, w := uint64(64), uint64(56), uint64(8)
	if f.class == 1 {
		ehsize, phsize, w = 52, 32, 4
	}
	property := ehsize + 3*phsize
	strtab := property + 32
	table := "\x00" + f.soname + "\x00"
	dynamic := up(strtab+uint64(len(table)+f.pad), w)
	size := dynamic + 6*w

	b := append([]byte("\x7fELF"), f.class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = o.AppendUint16(b, f.typ)
	b = o.AppendUint16(b, f.machine)
	b = o.AppendUint32(b, 1)
	b = word(word(word(b, 0), ehsize), 0)
	b = o.AppendUint32(b, f.flags)
	for _, v := range []uint16{uint16(ehsize), uint16(phsize), 3, 0, 0, 0} {
		b = o.AppendUint16(b, v)
	}
	segment := func(typ uint32, off, size, align uint64) {
		b = o.AppendUint32(b, typ)
		if f.class == 2 {
			b = o.AppendUint32(b, 4)
		}
		for _, v := range []uint64{off, off, off, size, size} {
			b = word(b, v)
		}
		if f.class == 1 {
			b = o.AppendUint32(b, 4)
		}
		b = word(b, align)
	}
	segment(ptLoad, 0, size, 4096)
	segment(ptDynamic, dynamic, 6*w, w)
	segment(ptGNUProperty, property, 32, w)
	for _, v := range []uint32{4, 16, ntGNUProperty} {
		b = o.AppendUint32(b, v)
	}
	b = append(b, "GNU\x00"...)
	for _, v := range []uint32{isa1Needed, 4, f.isa, 0} {
		b = o.AppendUint32(b, v)
	}
	b = append(b, table...)
	b = append(b, make([]byte, dynamic-uint64(len(b)))...)
	soname := uint64(dtSoname)
	if f.soname == "" {
		soname = 21 // DT_DEBUG, which means nothing here
	}
	for _, v := range []uint64{dtStrtab, strtab, soname, 1, dtNull, 0} {
		b = word(b, v)
	}
	return b
}

func TestInspect(t *testing.T) {
	plain := fakeELF{soname: "libz.so.1"}
	cut := func(n int) []byte { b := plain.bytes(); return b[:len(b)-n] }
	patch := func(at int, v ...byte) []byte { b := plain.bytes(); copy(b[at:], v); return b }
	for rule, c := range map[string]struct {
		data []byte
		want library
	}{
		"a shared object has its soname":           {plain.bytes(), library{ok: true, class: 2, machine: emX8664, soname: "libz.so.1"}},
		"32 bits":                                  {fakeELF{class: 1, machine: em386, soname: "a"}.bytes(), library{ok: true, class: 1, machine: em386, soname: "a"}},
		"the other order of bytes":                 {fakeELF{big: true, machine: emS390, soname: "a"}.bytes(), library{ok: true, class: 2, machine: emS390, soname: "a"}},
		"flags of the processor":                   {fakeELF{class: 1, machine: emARM, flags: 0x5000400}.bytes(), library{ok: true, class: 1, machine: emARM, flags: 0x5000400}},
		"the highest level of instructions counts": {fakeELF{isa: 0b101}.bytes(), library{ok: true, class: 2, machine: emX8664, isa: 2}},
		"a soname behind a megabyte":               {fakeELF{soname: "far", pad: 1 << 20}.bytes(), library{ok: true, class: 2, machine: emX8664, soname: "far"}},
		"a program is none":                        {fakeELF{typ: 2}.bytes(), library{}},
		"a linker script is none":                  {[]byte("/* GNU ld script */ GROUP ( libc.so.6 )" + strings.Repeat(" ", 64)), library{}},
		"an empty file is none":                    {nil, library{}},
		"one that ends too early is none":          {cut(20), library{}},
		"a table outside the file is none":         {patch(32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), library{}},
		"a thousand and more segments are none":    {patch(56, 0xff, 0xff), library{}},
		"a soname without an end is none":          {fakeELF{soname: strings.Repeat("x", 2*maxSoname)}.bytes(), library{}},
	} {
		store := cas.NewMem()
		ref, err := store.Put(bytes.NewReader(c.data))
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range []int{0, 100, 512 << 10} { // how much is kept must not matter
			got, err := inspect(store, ref, make([]byte, room))
			if err != nil || !c.want.ok && got.ok || c.want.ok && got != c.want {
				t.Errorf("%s, %d bytes kept: %+v, %v, want %+v", rule, room, got, err, c.want)
			}
		}
		if known, ok := decodeLibrary(c.want.encode()); !ok || known != c.want {
			t.Errorf("%s: kept as %+v, want %+v", rule, known, c.want)
		}
	}
}

// Damage in the store is an error, never a library without a soname.
func TestInspectOfDamagedBytes(t *testing.T) {
	data := fakeELF{soname: "libz.so.1", pad: 1 << 20}.bytes()
	store := cas.NewMem()
	ref, err := store.Put(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ref.Digest[0]++ // no such bytes
	if _, err := inspect(store, ref, make([]byte, 100)); err == nil {
		t.Error("no error")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(fakeELF{soname: "libz.so.1", isa: 1}.bytes(), 64)
	f.Add(fakeELF{class: 1, machine: em386, soname: "a"}.bytes(), 0)
	f.Add(fakeELF{big: true, machine: emS390}.bytes(), 4096)
	f.Fuzz(func(t *testing.T, data []byte, room int) {
		store := cas.NewMem()
		ref, err := store.Put(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		lib, err := inspect(store, ref, make([]byte, max(0, min(room, 1<<16))))
		if err != nil {
			t.Fatalf("the store is sound, and yet: %v", err)
		}
		if len(lib.soname) >= maxSoname {
			t.Errorf("a soname of %d bytes", len(lib.soname))
		}
		if whole, _ := inspect(store, ref, make([]byte, len(data))); whole != lib {
			t.Errorf("%+v, read in parts %+v", whole, lib)
		}
	})
}
