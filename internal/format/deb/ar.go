package deb

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"compose/internal/fault"
)

// arMagic begins an ar archive (deb(5)).
const arMagic = "!<arch>\n"

// arHeader is the size of a member's header: name 16, time 12, owner 6, group
// 6, mode 8 and size 10 bytes, all text, and two bytes that end it.
const arHeader = 60

// An ar reads the members of an ar archive, in the one form that dpkg writes:
// no GNU table of long names, no BSD names, nothing between or behind.
type ar struct {
	r      io.Reader
	index  int   // of the current member, from 0
	offset int64 // where the next unread byte stands in the file
	left   int64 // content of the current member still unread
	odd    bool  // a newline pads it
}

func newAr(r io.Reader) (*ar, error) {
	var magic [len(arMagic)]byte
	switch n, err := io.ReadFull(r, magic[:]); {
	case err == io.EOF:
		return nil, fault.New(fault.FormatInvalid, "the file is empty")
	case err == nil && string(magic[:]) == arMagic:
		return &ar{r: r, index: -1, offset: int64(len(magic))}, nil
	case err == nil, err == io.ErrUnexpectedEOF:
		return nil, fault.New(fault.FormatInvalid, "begins with %q: a deb begins with %q", magic[:n], arMagic)
	default:
		return nil, err
	}
}

// next gives the name and size of the next member, whose content Read then
// gives. The current one must have been read. At the end it answers io.EOF.
func (a *ar) next() (name string, size int64, err error) {
	if a.left > 0 {
		return "", 0, a.bad("%d bytes of the member are unread", a.left)
	}
	if err := a.padding(); err != nil {
		return "", 0, err
	}
	a.index++
	var h [arHeader]byte
	switch n, err := io.ReadFull(a.r, h[:]); {
	case err == io.ErrUnexpectedEOF:
		return "", 0, a.bad("a header of %d bytes: %d are needed", n, arHeader)
	case err != nil:
		return "", 0, err
	}
	name, size, err = a.header(h[:])
	a.offset += arHeader
	a.left, a.odd = size, size%2 == 1
	return name, size, err
}

func (a *ar) padding() error {
	if !a.odd {
		return nil
	}
	a.odd = false
	var pad [1]byte
	switch _, err := io.ReadFull(a.r, pad[:]); {
	case err == io.EOF || err == nil && pad[0] != '\n':
		return a.bad("a member of odd size needs a newline behind it")
	case err != nil:
		return err
	}
	a.offset++
	return nil
}

func (a *ar) header(h []byte) (name string, size int64, err error) {
	if string(h[58:]) != "`\n" {
		return "", 0, a.bad("the header ends with %q", h[58:])
	}
	name = strings.TrimSuffix(string(bytes.TrimRight(h[:16], " ")), "/")
	if !arName(name) {
		return "", 0, a.bad("the name is %q", h[:16])
	}
	for _, field := range [][]byte{h[16:28], h[28:34], h[34:40], h[40:48]} {
		if digits := bytes.TrimRight(field, " "); !allDigits(digits) {
			return "", 0, a.bad("%q: %q is no number", name, field)
		}
	}
	digits := bytes.TrimRight(h[48:58], " ")
	size, err = strconv.ParseInt(string(digits), 10, 64)
	if err != nil || !allDigits(digits) {
		return "", 0, a.bad("%q: size %q is no number", name, h[48:58])
	}
	return name, size, nil
}

// arName reports whether a member's name is of the plain kind.
func arName(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-', c == '+':
		default:
			return false
		}
	}
	return name != ""
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Read gives the content of the current member.
func (a *ar) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	a.offset += int64(n)
	switch {
	case err == io.EOF && a.left > 0:
		return n, a.bad("the member is cut short: %d bytes are missing", a.left)
	case err == io.EOF:
		err = nil
	}
	return n, err
}

// bad is the refusal of the current member, with its place in the file.
func (a *ar) bad(format string, args ...any) error {
	return fault.New(fault.FormatInvalid, "ar member %d, offset %d: %w", a.index, a.offset, fault.New(fault.FormatInvalid, format, args...))
}
