package audit

import (
	"bytes"
	"context"
	"encoding/gob"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/rootfs"
)

// A Cache keeps what was read in files from one audit to the next; a
// cas.Store is one.
type Cache interface {
	Derived(kind string, key cas.Digest) ([]byte, bool)
	PutDerived(kind string, key cas.Digest, data []byte) error
}

// factsForm changes with the meaning of facts.
const factsForm = "facts 1/"

// facts are what the bytes of a file say of it, whatever its name.
type facts struct {
	Shebang string   // what follows #! in the first line, trimmed
	Object  *Object  // an ELF file; its Path and Package are empty
	Marks   []string // programs whose marks it bears: busybox, bash
	Loads   []string // names of libraries among its strings, beyond those that it is linked with
	Secret  string   // the kind of private key that it holds
}

// How much of a file is looked at.
const (
	wholeFile = 8 << 20  // files up to this are read at once
	headSize  = 1 << 20  // of larger ones
	textSize  = 64 << 10 // of files that are no ELF files
)

// examine reads every regular file of the tree. Files that came in one
// package share an entry of the cache.
func examine(ctx context.Context, in Input) ([]file, error) {
	var files []file
	at := map[string]int{}
	for n := range in.Tree.All() {
		if n.Type == rootfs.Regular {
			at[n.Path] = len(files)
			files = append(files, file{Node: n})
		}
	}
	for n := range in.Tree.All() {
		if i, ok := at[n.Link]; n.Type == rootfs.Hardlink && ok {
			files[i].names = append(files[i].names, n.Path)
		}
	}
	packs := map[cas.Digest][]int{}
	for i, f := range files {
		packs[f.Content.Pack] = append(packs[f.Content.Pack], i)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, in.Jobs))
	for key, list := range packs {
		g.Go(func() error {
			x := examiner{contents: in.Contents, cache: in.Cache, known: map[cas.Digest]*facts{}}
			return x.pack(ctx, key, files, list)
		})
	}
	return files, g.Wait()
}

// An examiner reads the files of one pack, one after the other.
type examiner struct {
	contents rootfs.Contents
	cache    Cache
	known    map[cas.Digest]*facts
	room     []byte
}

// pack fills in the facts of the files that list names. Contents outside of
// packs are few, and each is read.
func (x *examiner) pack(ctx context.Context, key cas.Digest, files []file, list []int) error {
	cached := !key.IsZero() && x.cache != nil
	key = cas.Sum([]byte(factsForm + key.Hex()))
	if cached {
		if data, ok := x.cache.Derived("facts", key); ok {
			if gob.NewDecoder(bytes.NewReader(data)).Decode(&x.known) != nil {
				x.known = map[cas.Digest]*facts{}
			}
		}
	}
	missed := false
	for _, i := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := &files[i]
		known, ok := x.known[f.Content.Digest]
		if !ok {
			var err error
			if known, err = x.read(f.Content); err != nil {
				return err
			}
			x.known[f.Content.Digest] = known
			missed = true
		}
		f.facts = known
	}
	if !missed || !cached {
		return nil
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(x.known); err != nil {
		return err
	}
	return x.cache.PutDerived("facts", key, b.Bytes())
}

// read finds out what the bytes of ref say.
func (x *examiner) read(ref cas.Ref) (*facts, error) {
	if ref.Size == 0 {
		return &facts{}, nil
	}
	s := &source{contents: x.contents, ref: ref}
	defer s.close()
	head, err := s.begin(x, textSize)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte(elfMagic)) {
		return &facts{Shebang: shebang(head), Secret: secret(head)}, nil
	}
	if _, err = s.begin(x, sizeOfHead(ref.Size)); err != nil {
		return nil, err
	}
	obj, err := readObject(s)
	if s.err != nil {
		return nil, s.err
	}
	if err != nil { // hostile or damaged: it has the magic and no more
		return &facts{}, nil
	}
	f := &facts{Object: obj}
	if err := s.scan(&scanner{facts: f}); err != nil {
		return nil, err
	}
	return f, nil
}

func sizeOfHead(size int64) int64 {
	if size <= wholeFile {
		return size
	}
	return headSize
}

// A source gives parts of a content by their place. Its first bytes are in
// memory, all of them for most files; for what stands behind them it reads
// the content from the beginning.
type source struct {
	contents rootfs.Contents
	ref      cas.Ref
	head     []byte
	r        io.ReadCloser // stands behind head
	far      int           // parts that were read beyond head
	err      error         // the store's
}

func (s *source) close() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// begin has head reach n bytes, in x's room.
func (s *source) begin(x *examiner, n int64) ([]byte, error) {
	n = min(n, s.ref.Size)
	if s.r == nil {
		if s.r, s.err = s.contents.Open(s.ref); s.err != nil {
			return nil, s.err
		}
	}
	if int64(cap(x.room)) < n {
		x.room = append(make([]byte, 0, n), s.head...)
	}
	had := len(s.head)
	s.head = x.room[:max(n, int64(had))]
	_, s.err = io.ReadFull(s.r, s.head[had:])
	return s.head, s.err
}

// Limits of the parts of a file that are asked for.
const (
	maxPart = 32 << 20 // length, in bytes
	maxFar  = 16       // beyond head: each reads the file from its beginning
)

// at gives n bytes at off. They may be part of head.
func (s *source) at(off, n uint64) ([]byte, error) {
	size := uint64(s.ref.Size)
	if off > size || n > size-off || n > maxPart {
		return nil, errELF
	}
	if off+n <= uint64(len(s.head)) {
		return s.head[off : off+n], nil
	}
	if s.far++; s.far > maxFar {
		return nil, errELF
	}
	r, err := s.contents.Open(s.ref)
	if err != nil {
		s.err = err
		return nil, err
	}
	defer r.Close()
	b := make([]byte, n)
	if _, s.err = io.CopyN(io.Discard, r, int64(off)); s.err == nil {
		_, s.err = io.ReadFull(r, b)
	}
	return b, s.err
}

// scan shows c all bytes, in windows that overlap.
func (s *source) scan(c *scanner) error {
	if int64(len(s.head)) == s.ref.Size {
		c.window(s.head, true)
		return nil
	}
	const chunk, overlap = 1 << 20, 256
	c.window(s.head, false)
	buf := make([]byte, overlap+chunk)
	kept := copy(buf, s.head[len(s.head)-overlap:])
	for left := s.ref.Size - int64(len(s.head)); left > 0; {
		n, err := io.ReadFull(s.r, buf[kept:min(int64(len(buf)), int64(kept)+left)])
		if err != nil {
			return err
		}
		left -= int64(n)
		w := buf[:kept+n]
		c.window(w, left == 0)
		kept = copy(buf, w[max(0, len(w)-overlap):])
	}
	return nil
}

// A scanner looks for names and marks in the bytes of an ELF file.
type scanner struct {
	facts *facts
}

func (c *scanner) window(w []byte, last bool) {
	c.names(w, last)
	if !c.facts.Object.program() {
		return
	}
	for _, m := range marks {
		if !slices.Contains(c.facts.Marks, m.program) && bytes.Contains(w, []byte(m.text)) {
			c.facts.Marks = append(c.facts.Marks, m.program)
			slices.Sort(c.facts.Marks)
		}
	}
}

const maxName = 200 // of a library, in bytes; less than windows overlap

// names collects the names of libraries: strings that end in .so or .so.N,
// with or without a folder before them.
func (c *scanner) names(w []byte, last bool) {
	const enough = 200
	for at := 0; len(c.facts.Loads) < enough; {
		i := bytes.Index(w[at:], []byte(".so"))
		if i < 0 {
			return
		}
		dot := at + i
		at = dot + 3
		end := dot + 3
		for end < len(w) && (w[end] == '.' || '0' <= w[end] && w[end] <= '9') {
			end++
		}
		if end == len(w) && !last || end < len(w) && w[end] != 0 {
			continue // goes on in the next window, or is part of a text
		}
		start := dot
		for start > max(0, dot-maxName) && nameByte(w[start-1]) {
			start--
		}
		name := string(w[start:end])
		if start == dot || start == 0 || w[start-1] != 0 && w[start-1] != '/' || !strings.Contains(name, "lib") && len(name) < 6 {
			continue
		}
		o := c.facts.Object
		if name != o.Soname && !slices.Contains(o.Needed, name) && !slices.Contains(c.facts.Loads, name) {
			c.facts.Loads = append(c.facts.Loads, name)
			slices.Sort(c.facts.Loads)
		}
	}
}

func nameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-' || b == '+' || b == '.'
}

// shebang is what follows #! in the first line.
func shebang(head []byte) string {
	if !bytes.HasPrefix(head, []byte("#!")) {
		return ""
	}
	line, _, _ := bytes.Cut(head[2:min(len(head), 258)], []byte("\n")) // Linux reads 256 bytes
	return strings.TrimSpace(string(line))
}

// secret names the kind of the private key that stands in a text: a line that
// begins one, and another of base64 or of a header. Programs that merely know
// the words have no such line after it.
func secret(head []byte) string {
	const begin = "-----BEGIN "
	for rest := head; ; {
		i := bytes.Index(rest, []byte(begin))
		if i < 0 {
			return ""
		}
		line, body, _ := bytes.Cut(rest[i+len(begin):min(len(rest), i+2048)], []byte("\n"))
		kind, isKey := strings.CutSuffix(strings.TrimRight(string(line), "\r "), "-----")
		if isKey && strings.Contains(kind, "PRIVATE KEY") && (i == 0 || rest[i-1] == '\n') && keyBody(body) {
			return kind
		}
		rest = rest[i+len(begin):]
	}
}

func keyBody(body []byte) bool {
	for range 6 { // headers, then an empty line, then base64
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		line = bytes.TrimRight(line, "\r ")
		if len(line) >= 40 && bytes.IndexFunc(line, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=')
		}) < 0 {
			return true
		}
		if len(line) > 0 && !bytes.Contains(line, []byte(": ")) {
			return false
		}
		body = rest
	}
	return false
}
