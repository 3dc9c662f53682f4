package untar

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"compose/internal/cas"
)

// An ent is one entry to write, as odd as a test wants it.
type ent struct {
	name, link, body string
	kind             byte // default '0'
	mode             int  // default 0644
	uid, gid         int
	mtime            string
	size             string // instead of the body's
	magic            string
	raw              func(*block) // before the checksum
	sum              string       // instead of the right one
}

// bytes is the header, the body and its padding.
func (e ent) bytes() []byte {
	var b block
	set := func(field []byte, s string) { copy(field, s) }
	octal := func(field []byte, n int) { set(field, fmt.Sprintf("%0*o", len(field)-1, n)) }
	if e.kind == 0 {
		e.kind = '0'
	}
	if e.mode == 0 {
		e.mode = 0o644
	}
	if e.magic == "" {
		e.magic = magicUstar
	}
	set(b.name(), e.name)
	set(b.linkname(), e.link)
	octal(b.mode(), e.mode)
	octal(b.uid(), e.uid)
	octal(b.gid(), e.gid)
	octal(b.size(), len(e.body))
	octal(b.mtime(), 1700000000)
	if e.size != "" {
		clear(b.size())
		set(b.size(), e.size)
	}
	if e.mtime != "" {
		clear(b.mtime())
		set(b.mtime(), e.mtime)
	}
	b[156] = e.kind
	set(b[257:265], e.magic)
	if e.raw != nil {
		e.raw(&b)
	}
	set(b.checksum(), fmt.Sprintf("%06o\x00 ", b.sum()))
	if e.sum != "" {
		set(b.checksum(), e.sum)
	}
	out := append(b[:], e.body...)
	return append(out, make([]byte, -len(out)&(blockSize-1))...)
}

// cut is the entries alone, archive is the entries and the end of the
// archive.
func cut(ents ...ent) []byte {
	var out []byte
	for _, e := range ents {
		out = append(out, e.bytes()...)
	}
	return out
}

func archive(ents ...ent) []byte { return append(cut(ents...), make([]byte, 2*blockSize)...) }

// ext is a PAX header of the given records, "key=value" each.
func ext(records ...string) ent {
	var body strings.Builder
	for _, r := range records {
		n := len(r) + 3
		for len(fmt.Sprintf("%d %s\n", n, r)) != n {
			n++
		}
		fmt.Fprintf(&body, "%d %s\n", n, r)
	}
	return ent{name: "PaxHeaders/x", kind: 'x', body: body.String()}
}

func file(name, body string) ent         { return ent{name: name, body: body} }
func folder(name string) ent             { return ent{name: name, kind: '5', mode: 0o755} }
func symlink(name, target string) ent    { return ent{name: name, kind: '2', link: target} }
func hardlink(name, target string) ent   { return ent{name: name, kind: '1', link: target} }
func gnuName(name string) ent            { return ent{name: "././@LongLink", kind: 'L', body: name + "\x00"} }
func gnuTarget(name string) ent          { return ent{name: "././@LongLink", kind: 'K', body: name + "\x00"} }
func with(e ent, change func(*ent)) ent  { change(&e); return e }
func rawEnt(e ent, raw func(*block)) ent { e.raw = raw; return e }

// A discard hashes contents and keeps none.
type discard struct{}

func (discard) Append(r io.Reader) (cas.Ref, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return cas.Ref{Digest: cas.Digest(h.Sum(nil)), Size: n}, err
}

// list is what Files makes of an archive, as text, a line a node; or the
// refusal, after "error: ".
func list(data []byte) (string, error) {
	nodes, notices, err := Files(NewReader(bytes.NewReader(data), Ended, nil), "pkg", Rules{}, discard{})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "%c %04o %d:%d %d %s", n.Type, n.Mode, n.UID, n.GID, n.MTime, n.Path)
		if n.Content.Size > 0 {
			fmt.Fprintf(&b, " (%d)", n.Content.Size)
		}
		if n.Link != "" {
			fmt.Fprintf(&b, " -> %s", n.Link)
		}
		for _, x := range n.Xattrs {
			fmt.Fprintf(&b, " %s=%q", x.Name, x.Value)
		}
		b.WriteByte('\n')
	}
	for _, n := range notices {
		fmt.Fprintf(&b, "notice: %s\n", n)
	}
	return b.String(), nil
}
