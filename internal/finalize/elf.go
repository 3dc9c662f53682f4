package finalize

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"compose/internal/cas"
	"compose/rootfs"
)

// A library is what ldconfig learns from an ELF file.
type library struct {
	ok      bool   // a shared object with a dynamic section
	class   byte   // 1: 32 bits, 2: 64
	isa     byte   // x86: 0 baseline, 1 v2, 2 v3, 3 v4
	machine uint16 // e_machine
	flags   uint32 // e_flags
	soname  string // DT_SONAME; "" without one
}

// Numbers of the ELF specification, by their names there.
const (
	etDyn         = 3
	ptLoad        = 1
	ptDynamic     = 2
	ptGNUProperty = 0x6474e553
	dtNull        = 0
	dtStrtab      = 5
	dtSoname      = 14
	ntGNUProperty = 5
	isa1Needed    = 0xc0008002 // GNU_PROPERTY_X86_ISA_1_NEEDED
)

// Limits of what is looked at: real files stay far below them.
const (
	maxSegments = 1024
	maxDynamic  = 1 << 20
	maxSoname   = 4096
	maxProperty = 64 << 10
)

// errELF is what a file that is no sound ELF file comes to.
var errELF = errors.New("no ELF file")

// inspect reads what ref holds as far as ldconfig does; a file that is no
// library is one whose ok is false, the error is the store's.
func inspect(c rootfs.Contents, ref cas.Ref, head []byte) (library, error) {
	f := &sequence{contents: c, ref: ref}
	defer f.close()
	e := &elfFile{file: f}
	lib, err := e.read(head)
	if f.err == nil && f.r != nil {
		f.prove()
	}
	if f.err != nil {
		return library{}, f.err
	}
	if err != nil {
		return library{}, nil
	}
	return lib, nil
}

// A sequence gives parts of a content by their place. The first bytes are
// kept; to go back further than that, it begins again.
type sequence struct {
	contents rootfs.Contents
	ref      cas.Ref
	head     []byte
	r        io.ReadCloser
	at       int64
	proved   bool  // read to the end once: the store has checked it
	err      error // the store's
}

func (s *sequence) close() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// open begins at the first byte.
func (s *sequence) open() error {
	s.close()
	s.r, s.err = s.contents.Open(s.ref)
	s.at = 0
	return s.err
}

// start opens the content and keeps as much of it as room has place for.
func (s *sequence) start(room []byte) error {
	if err := s.open(); err != nil {
		return err
	}
	s.head = room[:min(int64(len(room)), s.ref.Size)]
	return s.next(s.head)
}

func (s *sequence) next(p []byte) error {
	n, err := io.ReadFull(s.r, p)
	s.at += int64(n)
	if err != nil {
		s.err = err
	}
	return err
}

// read fills p with what stands at off.
func (s *sequence) read(off uint64, p []byte) error {
	size := uint64(s.ref.Size)
	if off > size || uint64(len(p)) > size-off {
		return errELF
	}
	if off+uint64(len(p)) <= uint64(len(s.head)) {
		copy(p, s.head[off:])
		return nil
	}
	if off < uint64(s.at) {
		if err := s.prove(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
	}
	skip := int64(off) - s.at
	n, err := io.CopyN(io.Discard, s.r, skip)
	s.at += n
	if err != nil {
		s.err = err
		return err
	}
	return s.next(p)
}

// prove reads to the end, so that the store checks what was read.
func (s *sequence) prove() error {
	if s.proved {
		return nil
	}
	_, err := io.Copy(io.Discard, s.r)
	if err != nil {
		s.err = err
		return err
	}
	s.proved, s.at = true, s.ref.Size
	return nil
}

// An elfFile is being read.
type elfFile struct {
	file  *sequence
	order binary.ByteOrder
	lib   library
	loads []segment
}

// A segment is a program header.
type segment struct {
	typ                         uint32
	off, vaddr, filesz, aligned uint64
}

func (e *elfFile) read(room []byte) (library, error) {
	if e.file.ref.Size < 52 {
		return library{}, nil
	}
	if err := e.file.start(room); err != nil {
		return library{}, err
	}
	dynamic, err := e.headers()
	if err == nil {
		err = e.soname(dynamic)
	}
	e.lib.ok = err == nil
	return e.lib, err
}

// headers reads the file header and the program headers. It gives the dynamic
// segment.
func (e *elfFile) headers() (segment, error) {
	var h [64]byte
	if err := e.file.read(0, h[:min(64, e.file.ref.Size)]); err != nil {
		return segment{}, err
	}
	if !bytes.HasPrefix(h[:], []byte("\x7fELF")) {
		return segment{}, errELF
	}
	switch h[5] {
	case 1:
		e.order = binary.LittleEndian
	case 2:
		e.order = binary.BigEndian
	default:
		return segment{}, errELF
	}
	var phoff uint64
	var phnum int
	e.lib.class = h[4]
	e.lib.machine = e.order.Uint16(h[18:])
	switch e.lib.class {
	case 1:
		phoff, phnum, e.lib.flags = uint64(e.order.Uint32(h[28:])), int(e.order.Uint16(h[44:])), e.order.Uint32(h[36:])
	case 2:
		phoff, phnum, e.lib.flags = e.order.Uint64(h[32:]), int(e.order.Uint16(h[56:])), e.order.Uint32(h[48:])
	default:
		return segment{}, errELF
	}
	if e.order.Uint16(h[16:]) != etDyn || phnum > maxSegments {
		return segment{}, errELF
	}
	return e.segments(phoff, phnum)
}

func (e *elfFile) segments(off uint64, n int) (dynamic segment, err error) {
	size := 32
	if e.lib.class == 2 {
		size = 56
	}
	table := make([]byte, n*size)
	if err := e.file.read(off, table); err != nil {
		return dynamic, err
	}
	for ; len(table) > 0; table = table[size:] {
		s := e.segment(table)
		switch s.typ {
		case ptLoad:
			e.loads = append(e.loads, s)
		case ptDynamic:
			dynamic = s
		case ptGNUProperty:
			if err := e.property(s); err != nil {
				return dynamic, err
			}
		}
	}
	if dynamic.filesz == 0 {
		return dynamic, errELF
	}
	return dynamic, nil
}

// segment is the program header at the beginning of b.
func (e *elfFile) segment(b []byte) segment {
	o := e.order
	if e.lib.class == 1 {
		return segment{o.Uint32(b), uint64(o.Uint32(b[4:])), uint64(o.Uint32(b[8:])), uint64(o.Uint32(b[16:])), uint64(o.Uint32(b[28:]))}
	}
	return segment{o.Uint32(b), o.Uint64(b[8:]), o.Uint64(b[16:]), o.Uint64(b[32:]), o.Uint64(b[48:])}
}

// property reads the level of the instruction set that the file needs (Linux
// Extensions to gABI, "Program Property"; x86-64 psABI 4.2.1).
func (e *elfFile) property(s segment) error {
	word := uint64(4)
	if e.lib.class == 2 {
		word = 8
	}
	if s.aligned != word || s.filesz > maxProperty {
		return nil
	}
	b := make([]byte, s.filesz)
	if err := e.file.read(s.off, b); err != nil {
		return err
	}
	for len(b) >= 12 {
		names, desc := uint64(e.order.Uint32(b)), uint64(e.order.Uint32(b[4:]))
		end := 12 + up(names, 4)
		end = up(end, word) + desc
		if end > uint64(len(b)) {
			return nil
		}
		if names == 4 && e.order.Uint32(b[8:]) == ntGNUProperty && string(b[12:16]) == "GNU\x00" {
			e.level(b[end-desc:end], word)
			return nil
		}
		b = b[min(up(end, word), uint64(len(b))):]
	}
	return nil
}

// level finds the property of the instruction set among others.
func (e *elfFile) level(b []byte, word uint64) {
	for len(b) >= 8 {
		typ, size := e.order.Uint32(b), uint64(e.order.Uint32(b[4:]))
		b = b[8:]
		if size > uint64(len(b)) {
			return
		}
		if typ == isa1Needed && size == 4 {
			if needed := e.order.Uint32(b) & 0xf; needed != 0 {
				e.lib.isa = byte(bits.Len32(needed) - 1)
			}
			return
		}
		b = b[min(up(size, word), uint64(len(b))):]
	}
}

// up is n rounded up to a multiple of word.
func up(n, word uint64) uint64 { return (n + word - 1) / word * word }

// soname reads the dynamic segment.
func (e *elfFile) soname(s segment) error {
	word := 4
	if e.lib.class == 2 {
		word = 8
	}
	table := make([]byte, min(s.filesz, maxDynamic)/uint64(2*word)*uint64(2*word))
	if err := e.file.read(s.off, table); err != nil {
		return err
	}
	var strtab, name uint64
	var hasStrtab, hasName bool
	for ; len(table) > 0; table = table[2*word:] {
		tag, value := e.word(table), e.word(table[word:])
		if tag == dtNull {
			break
		}
		switch {
		case tag == dtStrtab && !hasStrtab:
			strtab, hasStrtab = e.offset(value), true
		case tag == dtSoname:
			name, hasName = value, true
		}
	}
	if !hasStrtab {
		return errELF
	}
	if !hasName {
		return nil
	}
	return e.name(strtab + name)
}

func (e *elfFile) word(b []byte) uint64 {
	if e.lib.class == 1 {
		return uint64(e.order.Uint32(b))
	}
	return e.order.Uint64(b)
}

// offset is the place in the file of an address.
func (e *elfFile) offset(addr uint64) uint64 {
	for _, s := range e.loads {
		if addr >= s.vaddr && addr-s.vaddr < s.filesz {
			return addr - s.vaddr + s.off
		}
	}
	return addr
}

// name reads DT_SONAME, which stands at off.
func (e *elfFile) name(off uint64) error {
	size := uint64(e.file.ref.Size)
	if off >= size {
		return errELF
	}
	b := make([]byte, min(maxSoname, size-off))
	if err := e.file.read(off, b); err != nil {
		return err
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return errELF
	}
	e.lib.soname = string(b[:end])
	return nil
}

// encode is the form in which a store keeps what is known of a library.
func (l library) encode() []byte {
	b := []byte{libraryForm, 0, l.class, l.isa}
	if l.ok {
		b[1] = 1
	}
	b = binary.LittleEndian.AppendUint16(b, l.machine)
	b = binary.LittleEndian.AppendUint32(b, l.flags)
	return append(b, l.soname...)
}

// libraryForm changes with the meaning of what encode gives.
const libraryForm = 1

// decodeLibrary is the reverse of encode.
func decodeLibrary(b []byte) (library, bool) {
	if len(b) < 10 || b[0] != libraryForm {
		return library{}, false
	}
	return library{
		ok: b[1] == 1, class: b[2], isa: b[3],
		machine: binary.LittleEndian.Uint16(b[4:]), flags: binary.LittleEndian.Uint32(b[6:]), soname: string(b[10:]),
	}, true
}
