package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// A want is one file, which any of several mirrors may bring.
type want struct {
	name        string     // the subject of an error
	path        string     // relative to a mirror; "": the mirror's URL is the file's
	size        int64      // what it must have, in bytes; 0: unknown
	sum         cas.Digest // what it must have; zero: unknown
	limit       int64      // bytes that are read at most, if size is unknown
	conditional bool       // "not modified" is an answer
	pkg         bool       // it is a package file; Progress knows of it already
}

// check refuses a path that could mean anything but a file of the repository
// (threats.md D-11).
func (w want) check() error {
	if !resolve.CleanPath(w.path) {
		return fault.New(fault.TrustPath, "%s: path %q leaves the repository", w.name, w.path)
	}
	return nil
}

// fixed reports whether no two mirrors can rightly differ about the file.
func (w want) fixed() bool { return w.pkg || !w.sum.IsZero() }

// most is the number of bytes that are read at most.
func (w want) most() int64 {
	if w.size > 0 {
		return w.size
	}
	return w.limit
}

func (w want) readAll(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	if w.size > 0 {
		b.Grow(int(min(w.size, maxIndex)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// An answer is what a mirror gave: a body to read, or the bytes that the
// store had all along.
type answer struct {
	url       string
	local     bool // it is a file of this machine
	body      io.Reader
	header    http.Header
	unchanged []byte
}

// A wrong is the error of a mirror that serves other bytes than were
// promised.
type wrong struct {
	seen string // what tells one kind of wrong bytes from another
	err  error
}

func (e *wrong) Error() string { return e.err.Error() }
func (e *wrong) Unwrap() error { return e.err }

// asWrong finds out whether the bytes themselves were at fault.
func asWrong(err error) (*wrong, bool) {
	if m, ok := errors.AsType[*cas.Mismatch](err); ok {
		return &wrong{seen: m.Got.Digest.String(), err: err}, true
	}
	return errors.AsType[*wrong](err)
}

// bring asks one mirror after the other until take has what it needs.
func (c *Client) bring(ctx context.Context, bases []string, w want, take func(*answer) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.Offline {
		if bases = local(bases); len(bases) == 0 {
			return fault.New(fault.Offline, "%s: offline, and the store does not hold it%s", w.name, digestNote(w))
		}
	}
	var failed failures
	for i, base := range c.net.livingFirst(bases) {
		if failed.insecure(base) {
			continue
		}
		err := c.from(ctx, base, w, i+1 == len(bases), take)
		switch {
		case err == nil:
			if len(failed) > 0 {
				c.warn("%s: %s; %s served it", w.name, failed.text(), Redact(base))
			}
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isLocal(err):
			return err
		}
		failed = append(failed, failure{base, err})
	}
	return failed.verdict(w)
}

func digestNote(w want) string {
	if w.sum.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (%v)", w.sum)
}

// isLocal reports whether no other mirror could help.
func isLocal(err error) bool {
	switch fault.Of(err) {
	case fault.LocalFile, fault.LocalSpace, fault.Usage:
		return true
	}
	return false
}

// from asks one mirror.
func (c *Client) from(ctx context.Context, base string, w want, last bool, take func(*answer) error) error {
	if isFile(base) {
		return c.fromFile(base, w, take)
	}
	return c.fromServer(ctx, base, w, last, take)
}

func (c *Client) fromFile(base string, w want, take func(*answer) error) error {
	path, err := filePath(join(base, w.path))
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &absent{"no such file"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &absent{"not a file"}
	}
	if w.sum.IsZero() && w.size > 0 && info.Size() != w.size {
		return &wrong{fmt.Sprint(info.Size()), fmt.Errorf("has %d bytes, the index promises %d", info.Size(), w.size)}
	}
	if err := take(&answer{url: path, local: true, body: &capped{r: f, w: w, left: w.most()}}); err != nil {
		return err
	}
	if w.pkg {
		c.received(info.Size())
	}
	return nil
}

// A capped reads at most so many bytes; more are an error, not the end.
type capped struct {
	r    io.Reader
	w    want
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, c.w.tooLong()
	}
	return n, err
}

// tooLong is the error of a file that goes on after its end.
func (w want) tooLong() error {
	if w.size > 0 {
		return &wrong{fmt.Sprintf("more than %d bytes", w.size), fmt.Errorf("more than the promised %d bytes", w.size)}
	}
	return fault.New(fault.LimitSize, "more than %d bytes, the limit", w.limit)
}

// An absent is the error of a file that is not there; it is fs.ErrNotExist.
type absent struct{ msg string }

func (e *absent) Error() string        { return e.msg }
func (e *absent) Is(target error) bool { return target == fs.ErrNotExist }

// A failure is what one mirror did not do.
type failure struct {
	base string
	err  error
}

type failures []failure

// insecure reports whether going on to base would answer a refusal of
// security with less of it.
func (fs failures) insecure(base string) bool {
	if !strings.HasPrefix(base, "http://") {
		return false
	}
	for _, f := range fs {
		if fault.Of(f.err) == fault.NetTLS {
			return true
		}
	}
	return false
}

func (fs failures) text() string {
	list := make([]string, len(fs))
	for i, f := range fs {
		list[i] = fmt.Sprintf("%s: %v", Redact(f.base), f.err)
	}
	return strings.Join(list, "; ")
}

// verdict is the refusal that follows from what every mirror did.
func (fails failures) verdict(w want) error {
	var gone, wrongs int
	seen := map[string]bool{}
	var id fault.ID
	for _, f := range fails {
		if bad, ok := asWrong(f.err); ok {
			wrongs++
			seen[bad.seen] = true
		} else if errors.Is(f.err, fs.ErrNotExist) {
			gone++
		} else if id == "" {
			id = fault.Of(f.err)
		}
	}
	switch {
	case id != "" && id != fault.Transfer:
	case gone == len(fails), gone > 0 && wrongs == 0 && w.fixed():
		return fault.New(fault.Transfer, "%w", &absent{fmt.Sprintf("%s: no mirror has it: %s", w.name, fails.text())})
	case wrongs == len(fails) && len(seen) == 1:
		id = fault.TrustHash
	default:
		id = fault.Transfer
	}
	return fault.New(id, "%s: %s", w.name, fails.text())
}

// A validator is what the store remembers of a file that nothing promises
// anything of: what the server called that version, and which blob it is.
type validator struct {
	ETag     string     `json:"etag,omitempty"`
	Modified string     `json:"modified,omitempty"`
	Digest   cas.Digest `json:"digest"`
	Size     int64      `json:"size"`
}

const validatorKind = "http"

func (c *Client) recall(url string) (validator, bool) {
	var v validator
	data, ok := c.Store.Derived(validatorKind, cas.Sum([]byte(url)))
	if !ok || json.Unmarshal(data, &v) != nil || !c.Store.Has(v.Digest, v.Size) {
		return validator{}, false
	}
	return v, true
}

func (c *Client) remember(a *answer, ref cas.Ref) error {
	data, err := json.Marshal(validator{a.header.Get("ETag"), a.header.Get("Last-Modified"), ref.Digest, ref.Size})
	if err != nil {
		return err
	}
	return c.Store.PutDerived(validatorKind, cas.Sum([]byte(a.url)), data)
}
