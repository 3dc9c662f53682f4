package untar

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"

	"compose/internal/fault"
	"compose/internal/limits"
)

// An extra is what headers of type x, L and K say of the entry behind them.
type extra struct {
	name, link []byte // nil: not given
	pax        pax    // nil: not given
}

func (x *extra) any() bool { return x.name != nil || x.link != nil || x.pax != nil }

func (x extra) String() string {
	if x.pax != nil {
		return "PAX"
	}
	return "GNU long-name"
}

// readExtra reads the content of a header of type x, L or K. Each may stand
// once before an entry, and PAX goes with no other: a second one would be a
// matter of taste.
func (r *Reader) readExtra(kind byte) error {
	x := &r.extra
	if x.pax != nil || kind == 'x' && x.any() || kind == 'L' && x.name != nil || kind == 'K' && x.link != nil {
		return fault.New(fault.FormatInvalid, "entry %d: a header of type %q behind a %s header for the same entry", r.entries+1, kind, x)
	}
	data, err := r.extraData()
	if err != nil {
		return err
	}
	switch kind {
	case 'x':
		x.pax, err = parsePAX(data)
	case 'L':
		x.name, err = longName(data)
	case 'K':
		x.link, err = longName(data)
	}
	if err != nil {
		return fault.New(fault.Of(err), "entry %d: %w", r.entries+1, err)
	}
	return nil
}

// extraData is the content behind the current block.
func (r *Reader) extraData() ([]byte, error) {
	var h Header
	if err := r.numbers(&h); err != nil {
		return nil, fault.New(fault.Of(err), "entry %d: header of type %q: %w", r.entries+1, r.block.kind(), err)
	}
	if h.Size == 0 || h.Size > limits.ExtraHeader {
		return nil, fault.New(fault.LimitSize, "entry %d: header of type %q: %d bytes: 1 to %d are allowed", r.entries+1, r.block.kind(), h.Size, limits.ExtraHeader)
	}
	data := make([]byte, h.Size)
	if _, err := io.ReadFull(source{r}, data); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fault.New(fault.FormatInvalid, "the archive is cut short inside a header of type %q", r.block.kind())
		}
		return nil, err
	}
	return data, r.skip(-h.Size & (blockSize - 1))
}

// longName is the content of an L or K header: a name and one NUL behind it.
func longName(data []byte) ([]byte, error) {
	name, ok := bytes.CutSuffix(data, []byte{0})
	if !ok || len(name) == 0 || bytes.IndexByte(name, 0) >= 0 {
		return nil, fault.New(fault.FormatInvalid, "GNU long name %.80q: want a name and one NUL behind it", data)
	}
	return name, nil
}

// pax holds the records of one PAX header (POSIX.1-2001, pax, "pax Extended
// Header"), in their order.
type pax []record

type record struct{ key, value string }

// parsePAX reads records: the length of all of it in decimal, a space, the
// key, an equals sign, the value, a newline.
func parsePAX(data []byte) (pax, error) {
	p := pax{}
	for rest := string(data); rest != ""; {
		digits, _, ok := strings.Cut(rest[:min(len(rest), 8)], " ")
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil || digits[0] == '0' || digits[0] == '+' || int(n) > len(rest) || int(n) < len(digits)+3 {
			return nil, fault.New(fault.FormatInvalid, "PAX record %.40q: no length that fits", rest)
		}
		line := rest[len(digits)+1 : n]
		rest = rest[n:]
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" || strings.IndexByte(key, 0) >= 0 || !strings.HasSuffix(value, "\n") {
			return nil, fault.New(fault.FormatInvalid, "PAX record %.40q: want key=value and a newline", line)
		}
		for _, r := range p {
			if r.key == key {
				return nil, fault.New(fault.FormatInvalid, "PAX record %q stands twice", key)
			}
		}
		p = append(p, record{key, value[:len(value)-1]})
	}
	return p, nil
}

// Prefixes of the records that carry extended attributes: star's, with the
// value as it is, and libarchive's, with both sides encoded. Writers give
// either or both.
const (
	xattrStar       = "SCHILY.xattr."
	xattrLibarchive = "LIBARCHIVE.xattr."
)

// apply sets in h what the records say. A key that is not in its list is
// refused: what it changes for others cannot be known (threats.md A-16).
func (p pax) apply(h *Header) (err error) {
	for _, r := range p {
		switch r.key {
		case "path":
			h.Name, err = r.text()
		case "linkpath":
			h.Link, err = r.text()
		case "size":
			err = r.same(h.Size)
		case "uid":
			h.UID, err = r.id()
		case "gid":
			h.GID, err = r.id()
		case "mtime":
			h.MTime, err = r.seconds()
		case "uname", "gname":
			_, err = r.text() // owners are numbers
		case "atime", "ctime":
			// no tree has them
		case "APK-TOOLS.checksum.SHA1":
			h.SHA1, err = r.sha1()
		default:
			err = r.xattr(h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r record) text() (string, error) {
	if r.value == "" && r.key != "uname" && r.key != "gname" || strings.IndexByte(r.value, 0) >= 0 {
		return "", fault.New(fault.FormatInvalid, "PAX %s is %q", r.key, r.value)
	}
	return r.value, nil
}

// same refuses a size other than the header's own: a reader that knows no PAX
// would go on elsewhere (threats.md A-17).
func (r record) same(size int64) error {
	if r.value != strconv.FormatInt(size, 10) {
		return fault.New(fault.FormatInvalid, "PAX %s is %q, the header says %d", r.key, r.value, size)
	}
	return nil
}

func (r record) id() (int, error) {
	n, err := strconv.ParseUint(r.value, 10, 31)
	if err != nil || r.value[0] == '+' {
		return 0, fault.New(fault.FormatInvalid, "PAX %s is %q: 0 to %d is allowed", r.key, r.value, limits.ID)
	}
	return int(n), nil
}

// seconds is a time in whole seconds, rounded down.
func (r record) seconds() (int64, error) {
	whole, fraction, dot := strings.Cut(r.value, ".")
	negative := strings.HasPrefix(whole, "-")
	digits := strings.TrimPrefix(whole, "-")
	if digits == "" || strings.Trim(digits+fraction, "0123456789") != "" || dot && fraction == "" {
		return 0, fault.New(fault.FormatInvalid, "PAX %s is %q: want seconds", r.key, r.value)
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil { // a number, but a large one
		n = math.MaxInt64
		if negative {
			n = math.MinInt64 + 1
		}
	}
	if negative && strings.Trim(fraction, "0") != "" {
		n--
	}
	return n, nil
}

// sha1 is the digest that abuild states of each file, for the package
// database. It is no proof of anything.
func (r record) sha1() ([]byte, error) {
	sum, err := hex.DecodeString(r.value)
	if err != nil || len(sum) != sha1.Size {
		return nil, fault.New(fault.FormatInvalid, "PAX %s is %q: want %d hexadecimal digits", r.key, r.value, 2*sha1.Size)
	}
	return sum, nil
}

// xattr adds the extended attribute of the record to h.
func (r record) xattr(h *Header) error {
	var name, value string
	switch {
	case strings.HasPrefix(r.key, xattrStar):
		name, value = r.key[len(xattrStar):], r.value
	case strings.HasPrefix(r.key, xattrLibarchive):
		n, err := url.PathUnescape(r.key[len(xattrLibarchive):])
		v, err64 := base64.RawStdEncoding.DecodeString(strings.TrimRight(r.value, "="))
		if err != nil || err64 != nil {
			return fault.New(fault.FormatInvalid, "PAX record %q: want an encoded name and base64", r.key)
		}
		name, value = n, string(v)
	default:
		return fault.New(fault.FormatInvalid, "PAX record %q is not one that packages use", r.key)
	}
	for _, x := range h.Xattrs {
		if x.Name != name {
			continue
		}
		if x.Value != value {
			return fault.New(fault.FormatInvalid, "attribute %q has two values", name)
		}
		return nil
	}
	h.Xattrs = append(h.Xattrs, Xattr{name, value})
	return nil
}
