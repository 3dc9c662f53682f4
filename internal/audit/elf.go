package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Object is an ELF file.
type Object struct {
	Path    string `json:"path"`
	Package string `json:"package,omitempty"`

	Kind    string `json:"kind"`    // executable, pie, static, static-pie, library, relocatable
	Machine string `json:"machine"` // as uname -m has it: x86_64; or a number
	Bits    int    `json:"bits"`
	Big     bool   `json:"bigEndian,omitempty"`

	Interpreter string   `json:"interpreter,omitempty"`
	Soname      string   `json:"soname,omitempty"`
	Needed      []string `json:"needed,omitempty"`
	Rpath       []string `json:"rpath,omitempty"`
	Runpath     []string `json:"runpath,omitempty"`
	BuildID     string   `json:"buildID,omitempty"`
	Go          bool     `json:"go,omitempty"` // made by the Go compiler

	Relro     string `json:"relro"` // full, partial or none
	ExecStack bool   `json:"execStack,omitempty"`
	Textrel   bool   `json:"textrel,omitempty"`
	Protected bool   `json:"stackProtector"`
	Fortified bool   `json:"fortify"`
}

// program reports whether o can be executed, rather than loaded.
func (o *Object) program() bool { return o.Kind != "library" && o.Kind != "relocatable" }

// dynamic reports whether o is loaded by the dynamic linker.
func (o *Object) dynamic() bool {
	return o.Kind == "library" || o.Kind == "pie" || o.Kind == "executable"
}

// libc is the C library that o is made for: glibc, musl, or "" if o does not
// say.
func (o *Object) libc() string {
	switch {
	case strings.Contains(o.Interpreter, "ld-musl"), slices.ContainsFunc(o.Needed, func(n string) bool { return strings.HasPrefix(n, "libc.musl-") }):
		return "musl"
	case strings.Contains(o.Interpreter, "/ld-linux"), strings.Contains(o.Interpreter, "/ld64.so"), slices.Contains(o.Needed, "libc.so.6"):
		return "glibc"
	}
	return ""
}

const elfMagic = "\x7fELF"

// errELF is what a file that is no sound ELF file comes to.
var errELF = errors.New("no ELF file")

// Numbers of the ELF specification, by their names there.
const (
	etRel, etExec, etDyn = 1, 2, 3

	ptLoad, ptDynamic, ptInterp, ptNote = 1, 2, 3, 4
	ptGNUStack                          = 0x6474e551
	ptGNURelro                          = 0x6474e552

	dtNull, dtNeeded, dtStrtab, dtStrsz, dtSoname, dtRpath = 0, 1, 5, 10, 14, 15
	dtTextrel, dtBindNow, dtRunpath, dtFlags               = 22, 24, 29, 30
	dtFlags1                                               = 0x6ffffffb

	dfTextrel, dfBindNow = 4, 8
	df1Now, df1PIE       = 1, 0x08000000
	ntBuildID            = 3
)

// Limits of what is looked at: real files stay far below them.
const (
	maxSegments = 1024
	maxDynamic  = 1 << 20
	maxNote     = 64 << 10
	maxNeeded   = 4096
	maxInterp   = 4096
	maxString   = 4096
)

var machines = map[uint16]string{
	3: "i686", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64",
}

// An elfReader reads an ELF file by its segments: a stripped file has no
// sections, and the kernel and the dynamic linker look at none.
type elfReader struct {
	src    *source
	order  binary.ByteOrder
	wide   bool // 64 bits
	typ    uint16
	loads  []segment
	dyn    segment
	stack  bool // states what its stack may do
	hasDyn bool
	bind   bool
	pie    bool
	obj    *Object
}

// A segment is a program header.
type segment struct {
	typ, flags         uint32
	off, vaddr, filesz uint64
}

// readObject reads an ELF file. The error of a file that is none is errELF.
func readObject(src *source) (*Object, error) {
	e := &elfReader{src: src, obj: &Object{Relro: "none"}}
	for _, step := range []func() error{e.header, e.dynamic, e.kind} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	e.obj.Go = bytes.Contains(src.head, []byte("\xff Go buildinf:"))
	return e.obj, nil
}

func (e *elfReader) header() error {
	h, err := e.src.at(0, 20)
	if err != nil {
		return err
	}
	class, data := h[4], h[5]
	if class != 1 && class != 2 || data != 1 && data != 2 {
		return errELF
	}
	e.wide, e.order, e.obj.Bits = class == 2, binary.LittleEndian, 32
	if e.wide {
		e.obj.Bits = 64
	}
	if data == 2 {
		e.order, e.obj.Big = binary.BigEndian, true
	}
	e.typ = e.order.Uint16(h[16:])
	machine := e.order.Uint16(h[18:])
	e.obj.Machine = machines[machine]
	if e.obj.Machine == "" {
		e.obj.Machine = fmt.Sprint(machine)
	}
	return e.segments()
}

func (e *elfReader) segments() error {
	length := uint64(52)
	if e.wide {
		length = 64
	}
	h, err := e.src.at(0, length)
	if err != nil {
		return err
	}
	var off uint64
	var n, size int
	if e.wide {
		off, size, n = e.order.Uint64(h[32:]), 56, int(e.order.Uint16(h[56:]))
	} else {
		off, size, n = uint64(e.order.Uint32(h[28:])), 32, int(e.order.Uint16(h[44:]))
	}
	if n > maxSegments {
		return errELF
	}
	table, err := e.src.at(off, uint64(n*size))
	if err != nil {
		return err
	}
	for table = slices.Clone(table); len(table) > 0; table = table[size:] {
		if err := e.segment(e.parse(table)); err != nil {
			return err
		}
	}
	return nil
}

// parse is the program header at the beginning of b.
func (e *elfReader) parse(b []byte) segment {
	o := e.order
	if e.wide {
		return segment{typ: o.Uint32(b), flags: o.Uint32(b[4:]), off: o.Uint64(b[8:]), vaddr: o.Uint64(b[16:]), filesz: o.Uint64(b[32:])}
	}
	return segment{typ: o.Uint32(b), flags: o.Uint32(b[24:]), off: uint64(o.Uint32(b[4:])), vaddr: uint64(o.Uint32(b[8:])), filesz: uint64(o.Uint32(b[16:]))}
}

func (e *elfReader) segment(s segment) error {
	switch s.typ {
	case ptLoad:
		e.loads = append(e.loads, s)
	case ptDynamic:
		e.dyn, e.hasDyn = s, true
	case ptInterp:
		b, err := e.src.at(s.off, min(s.filesz, maxInterp))
		if err != nil {
			return err
		}
		b, _, _ = bytes.Cut(b, []byte{0})
		e.obj.Interpreter = string(b)
	case ptNote:
		return e.note(s)
	case ptGNUStack:
		e.stack = true
		e.obj.ExecStack = s.flags&1 != 0
	case ptGNURelro:
		e.obj.Relro = "partial"
	}
	return nil
}

// note looks for the build id.
func (e *elfReader) note(s segment) error {
	b, err := e.src.at(s.off, min(s.filesz, maxNote))
	if err != nil {
		return err
	}
	for len(b) >= 12 {
		name, desc, typ := uint64(e.order.Uint32(b)), uint64(e.order.Uint32(b[4:])), e.order.Uint32(b[8:])
		at := 12 + (name+3)&^3
		if at+desc > uint64(len(b)) {
			return nil
		}
		if typ == ntBuildID && name == 4 && string(b[12:15]) == "GNU" {
			e.obj.BuildID = hex.EncodeToString(b[at : at+desc])
			return nil
		}
		b = b[min(at+(desc+3)&^3, uint64(len(b))):]
	}
	return nil
}

// dynamic reads the dynamic segment and the strings that it refers to.
func (e *elfReader) dynamic() error {
	if !e.hasDyn {
		return nil
	}
	word := uint64(4)
	if e.wide {
		word = 8
	}
	table, err := e.src.at(e.dyn.off, min(e.dyn.filesz, maxDynamic)/(2*word)*(2*word))
	if err != nil {
		return err
	}
	var strtab, strsz, flags, flags1 uint64
	names := map[uint64][]uint64{}
	for ; len(table) > 0; table = table[2*word:] {
		tag, value := e.word(table), e.word(table[word:])
		if tag == dtNull {
			break
		}
		switch tag {
		case dtStrtab:
			strtab = value
		case dtStrsz:
			strsz = value
		case dtFlags:
			flags = value
		case dtFlags1:
			flags1 = value
		case dtTextrel:
			e.obj.Textrel = true
		case dtBindNow:
			e.bind = true
		case dtNeeded, dtSoname, dtRpath, dtRunpath:
			if len(names[tag]) == maxNeeded {
				return errELF
			}
			names[tag] = append(names[tag], value)
		}
	}
	e.bind = e.bind || flags&dfBindNow != 0 || flags1&df1Now != 0
	e.pie = flags1&df1PIE != 0
	e.obj.Textrel = e.obj.Textrel || flags&dfTextrel != 0
	return e.strings(strtab, strsz, names)
}

func (e *elfReader) word(b []byte) uint64 {
	if e.wide {
		return e.order.Uint64(b)
	}
	return uint64(e.order.Uint32(b))
}

func (e *elfReader) strings(strtab, strsz uint64, names map[uint64][]uint64) error {
	if strsz == 0 {
		return nil
	}
	table, err := e.src.at(e.offset(strtab), strsz)
	if err != nil {
		return err
	}
	str := func(at uint64) string {
		if at >= uint64(len(table)) {
			return ""
		}
		b, _, _ := bytes.Cut(table[at:min(uint64(len(table)), at+maxString)], []byte{0})
		return string(b)
	}
	for _, at := range names[dtNeeded] {
		e.obj.Needed = append(e.obj.Needed, str(at))
	}
	for _, at := range names[dtSoname] {
		e.obj.Soname = str(at)
	}
	for _, at := range names[dtRpath] {
		e.obj.Rpath = strings.Split(str(at), ":")
	}
	for _, at := range names[dtRunpath] {
		e.obj.Runpath = strings.Split(str(at), ":")
	}
	e.obj.Protected = bytes.Contains(table, []byte("\x00__stack_chk_fail\x00"))
	e.obj.Fortified = fortified(table)
	return nil
}

// fortified looks for a symbol such as __memcpy_chk.
func fortified(table []byte) bool {
	for at := 0; ; {
		i := bytes.Index(table[at:], []byte("_chk\x00"))
		if i < 0 {
			return false
		}
		end := at + i
		start := bytes.LastIndexByte(table[:end], 0) + 1
		if name := table[start:end]; len(name) > 2 && bytes.HasPrefix(name, []byte("__")) {
			return true
		}
		at = end + 1
	}
}

// offset is the place in the file of an address.
func (e *elfReader) offset(addr uint64) uint64 {
	for _, s := range e.loads {
		if addr >= s.vaddr && addr-s.vaddr < s.filesz {
			return addr - s.vaddr + s.off
		}
	}
	return addr
}

// kind sums up what was read.
func (e *elfReader) kind() error {
	o := e.obj
	switch e.typ {
	case etRel:
		o.Kind, o.Relro = "relocatable", ""
	case etExec:
		o.Kind = "executable"
		if o.Interpreter == "" && len(o.Needed) == 0 {
			o.Kind = "static"
		}
	case etDyn:
		switch {
		case o.Interpreter != "" && (e.pie || o.Soname == ""):
			o.Kind = "pie"
		case e.pie:
			o.Kind = "static-pie"
		default:
			o.Kind = "library"
		}
	default:
		return errELF
	}
	if o.Relro == "partial" && e.bind {
		o.Relro = "full"
	}
	// Without a statement i386 and ARM run on an executable stack.
	if !e.stack && (o.Kind == "executable" || o.Kind == "static") && o.Bits == 32 {
		o.ExecStack = true
	}
	return nil
}
