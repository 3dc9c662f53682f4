package rootfs

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"compose/internal/cas"
)

// A tar stream is written by this file alone, header by header, because the
// bytes of a general library change with its versions and these may not. The
// dialect is ustar (POSIX.1-1988, ustar(5)) with numeric owners and no names;
// a pax extended header (POSIX.1-2001) precedes an entry only where ustar
// cannot say something of it.

// BlockSize is the unit of a tar stream, in bytes: a header takes one block,
// and content is filled up with zeros to a whole number of them.
const BlockSize = 512

// TarEnd is the size of the zeros that end a tar stream, in bytes.
const TarEnd = 2 * BlockSize

// Fields of a ustar header, in the order of the format: where each begins,
// and how many octal digits a numeric one has.
const (
	atName, lenName     = 0, 100
	atMode              = 100
	atUID               = 108
	atGID               = 116
	atSize              = 124
	atTime              = 136
	atSum               = 148
	atType              = 156
	atLink, lenLink     = 157, 100
	atMagic             = 257
	atMajor             = 329
	atMinor             = 337
	atPrefix, lenPrefix = 345, 155

	shortDigits, longDigits = 7, 11
)

var typeflags = map[Type]byte{
	Regular: '0', Hardlink: '1', Symlink: '2', Char: '3', Block: '4', Dir: '5', Fifo: '6',
}

// AppendHeader appends the tar header of n to b, the pax header before it
// included, and gives the extended slice. A directory's modification time is
// epoch, in seconds since 1970, as is that of every kind of node that has
// none of its own. The size is that of n's content.
//
// A hard link has no metadata of its own, but some unpackers apply what its
// header says to the file: the caller gives a node that repeats the file's.
func AppendHeader(b []byte, n *Node, epoch int64) ([]byte, error) {
	flag, ok := typeflags[n.Type]
	if !ok {
		return b, fmt.Errorf("/%s: no tar entry for type %q", n.Path, n.Type)
	}
	h := header{name: n.Path, typeflag: flag, mode: int64(n.Mode & 0o7777), uid: int64(n.UID), gid: int64(n.GID), mtime: epoch, xattrs: n.Xattrs}
	switch n.Type {
	case Dir:
		h.name += "/"
	case Regular:
		h.mtime, h.size = n.MTime, n.Content.Size
	case Symlink:
		h.mtime, h.link = n.MTime, n.Link
	case Hardlink:
		h.mtime, h.link = n.MTime, n.Link
	case Char, Block:
		h.major, h.minor = int64(n.Major), int64(n.Minor)
	}
	if err := h.check(); err != nil {
		return b, fmt.Errorf("/%s: %w", n.Path, err)
	}
	return h.append(b), nil
}

// A header is what a tar entry says of a file.
type header struct {
	name, link   string
	typeflag     byte
	mode         int64
	uid, gid     int64
	size, mtime  int64
	major, minor int64
	xattrs       []Xattr
}

// check refuses what no tar header can say.
func (h *header) check() error {
	switch {
	case strings.IndexByte(h.name, 0) >= 0:
		return fmt.Errorf("name %q: a zero byte", h.name)
	case strings.IndexByte(h.link, 0) >= 0:
		return fmt.Errorf("link target %q: a zero byte", h.link)
	case h.size < 0 || h.uid < 0 || h.gid < 0:
		return fmt.Errorf("size %d, owner %d:%d: below zero", h.size, h.uid, h.gid)
	case !fits(h.major, shortDigits) || !fits(h.minor, shortDigits):
		return fmt.Errorf("device %d,%d: larger than tar can say", h.major, h.minor)
	}
	for _, x := range h.xattrs {
		if x.Name == "" || strings.ContainsAny(x.Name, "=\x00") {
			return fmt.Errorf("extended attribute %q: not a name", x.Name)
		}
	}
	return nil
}

// append appends the header's block, after a pax header where one is needed.
func (h *header) append(b []byte) []byte {
	prefix, name, whole := splitName(h.name)
	if records := h.pax(whole); len(records) > 0 {
		x := header{name: "././@PaxHeader", typeflag: 'x', mode: 0o644, size: int64(len(records)), mtime: 0}
		b = x.block(b, "", x.name)
		b = append(b, records...)
		b = append(b, zeros[:Padding(int64(len(records)))]...)
	}
	return h.block(b, prefix, name)
}

// block appends the ustar header, each value that does not fit cut (text) or
// zero (a number): a pax header says it then.
func (h *header) block(b []byte, prefix, name string) []byte {
	start := len(b)
	b = append(b, zeros[:BlockSize]...)
	blk := b[start:]
	copy(blk[atName:atName+lenName], name)
	octal(blk[atMode:], h.mode, shortDigits)
	octal(blk[atUID:], h.uid, shortDigits)
	octal(blk[atGID:], h.gid, shortDigits)
	octal(blk[atSize:], h.size, longDigits)
	octal(blk[atTime:], h.mtime, longDigits)
	blk[atType] = h.typeflag
	copy(blk[atLink:atLink+lenLink], h.link)
	copy(blk[atMagic:], "ustar\x0000")
	octal(blk[atMajor:], h.major, shortDigits)
	octal(blk[atMinor:], h.minor, shortDigits)
	copy(blk[atPrefix:atPrefix+lenPrefix], prefix)
	copy(blk[atSum:], "        ")
	var sum int64
	for _, c := range blk {
		sum += int64(c)
	}
	octal(blk[atSum:], sum, 6)
	blk[atSum+6] = 0
	return b
}

// octal writes v into field as that many octal digits.
func octal(field []byte, v int64, digits int) {
	if !fits(v, digits) {
		v = 0
	}
	for i := digits - 1; i >= 0; i-- {
		field[i] = '0' + byte(v&7)
		v >>= 3
	}
}

func fits(v int64, digits int) bool { return v >= 0 && v < 1<<(3*digits) }

// splitName cuts a path into the prefix and name fields of ustar. whole says
// that nothing is lost by it.
func splitName(path string) (prefix, name string, whole bool) {
	if !plain(path) {
		return "", path, false
	}
	if len(path) <= lenName {
		return "", path, true
	}
	// The slash between the two is not written; a directory's own slash, at
	// the end, stays in the name.
	body := strings.TrimSuffix(path, "/")
	at := strings.LastIndexByte(body[:min(len(body), lenPrefix+1)], '/')
	if at <= 0 || len(path)-at-1 > lenName {
		return "", path, false
	}
	return path[:at], path[at+1:], true
}

// plain reports whether s may stand in a ustar field: it is ASCII, or no text
// at all. The values of pax are UTF-8 by definition, and the record that lifts
// this (hdrcharset) is unknown to GNU tar, so that bytes which are no UTF-8
// are best off in the field, which all readers take as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return !utf8.ValidString(s)
		}
	}
	return true
}

// pax is the records for what the block cannot say, in a fixed order.
// nameFits says that the name is not among it.
func (h *header) pax(nameFits bool) []byte {
	linkFits := len(h.link) <= lenLink && plain(h.link)
	var b []byte
	if !nameFits {
		b = appendRecord(b, "path", h.name)
	}
	if !linkFits {
		b = appendRecord(b, "linkpath", h.link)
	}
	for _, v := range []struct {
		key    string
		value  int64
		digits int
	}{
		{"size", h.size, longDigits},
		{"uid", h.uid, shortDigits},
		{"gid", h.gid, shortDigits},
		{"mtime", h.mtime, longDigits},
	} {
		if !fits(v.value, v.digits) {
			b = appendRecord(b, v.key, strconv.FormatInt(v.value, 10))
		}
	}
	for _, x := range h.xattrs { // the spelling that star began, and all read
		b = appendRecord(b, "SCHILY.xattr."+x.Name, string(x.Value))
	}
	return b
}

// appendRecord appends a pax record, "LENGTH key=value\n", whose length
// counts its own digits.
func appendRecord(b []byte, key, value string) []byte {
	rest := len(key) + len(value) + 3 // space, equals sign, newline
	n := rest + len(strconv.Itoa(rest))
	if len(strconv.Itoa(n)) != len(strconv.Itoa(rest)) {
		n++
	}
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, ' ')
	b = append(b, key...)
	b = append(b, '=')
	b = append(b, value...)
	return append(b, '\n')
}

var zeros [TarEnd]byte

// Padding is how many zeros follow size bytes of content.
func Padding(size int64) int64 { return -size & (BlockSize - 1) }

// An Opener gives the bytes of a ref and checks them; a cas.Store is one.
type Opener interface {
	Open(cas.Ref) (io.ReadCloser, error)
}

// WriteTar writes the segments as one tar stream. Content comes from store.
// The bytes depend on the segments and the epoch alone.
func WriteTar(w io.Writer, segments []Segment, store Opener, epoch int64) error {
	b := bufio.NewWriterSize(struct{ io.Writer }{w}, 128<<10)
	for _, s := range segments {
		if err := s.WriteTo(b, store, epoch); err != nil {
			return err
		}
	}
	if _, err := b.Write(zeros[:TarEnd]); err != nil {
		return err
	}
	return b.Flush()
}
