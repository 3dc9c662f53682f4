// Package fetch brings bytes from mirrors into the content store, verified;
// nothing else of compose touches the network.
//
// Which mirror answers can change how long a build takes and nothing else:
// every file is held to the same digest, or is handed to somebody who checks
// its signature, wherever it came from. What goes wrong with one mirror is a
// reason to ask the next. Credentials go to the one origin they are for, and
// no address is followed to where the user did not send us.
//
// Besides its fields a Client heeds these variables: COMPOSE_MIRROR_NAME (where
// to take an archive from, DESIGN.md part 6), COMPOSE_AUTH_HOST and NETRC
// (credentials), http_proxy, https_proxy and no_proxy, in either case.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// A Client fetches. Its zero value, with a Store, works; the fields are set
// before the first use and not changed afterwards. Its methods may be called
// from several goroutines.
type Client struct {
	Store    cas.Store
	Offline  bool                // open no socket; file:// and the store still serve
	Mirrors  map[string][]string // --mirror: an archive's or a repository's name to URLs or folders, best first
	Jobs     int                 // transfers at a time; 0: 8
	Progress Progress            // nil: nobody looks
	Warn     func(msg string)    // told of what went wrong and was overcome, a line each; may be nil
	Limits   Limits
	TLS      *tls.Config         // nil: the machine's certificates
	Getenv   func(string) string // nil: os.Getenv
	Root     string              // the host's root folder, for its apt sources; "": /

	start sync.Once
	slots chan struct{} // one for each running transfer
	net   *network

	mu    sync.Mutex
	pins  map[string]*pin
	hosts map[string][]string // what hostMirrors found
}

// Limits are what a transfer may cost. A zero field stands for its default.
type Limits struct {
	Connect  time.Duration // to connect, and for the TLS handshake: 10 s
	Header   time.Duration // until the answer begins: 30 s
	Window   time.Duration // in each of these, 60 s long,
	Floor    int64         // so many bytes a second must arrive: 1024
	Total    time.Duration // for one file from one mirror: 1 h
	Tries    int           // of one file at one mirror: 4
	Backoff  time.Duration // before the second try, doubling from then on: 250 ms
	MaxPause time.Duration // the longest that a server may ask us to wait: 2 min
}

// Sizes that an answer may have where nothing signed says how large it is
// (threats.md N-04).
const (
	maxIndex  = 64 << 20
	maxHeader = 1 << 20
)

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

func (l Limits) filled() Limits {
	return Limits{
		Connect:  orDefault(l.Connect, 10*time.Second),
		Header:   orDefault(l.Header, 30*time.Second),
		Window:   orDefault(l.Window, time.Minute),
		Floor:    orDefault(l.Floor, 1024),
		Total:    orDefault(l.Total, time.Hour),
		Tries:    orDefault(l.Tries, 4),
		Backoff:  orDefault(l.Backoff, 250*time.Millisecond),
		MaxPause: orDefault(l.MaxPause, 2*time.Minute),
	}
}

func (c *Client) init() {
	c.start.Do(func() {
		c.slots = make(chan struct{}, orDefault(c.Jobs, 8))
		c.pins = map[string]*pin{}
		c.net = newNetwork(c.Limits.filled(), c.TLS, c.getenv, cap(c.slots))
	})
}

func (c *Client) getenv(name string) string {
	if c.Getenv != nil {
		return c.Getenv(name)
	}
	return os.Getenv(name)
}

func (c *Client) warn(format string, args ...any) {
	if c.Warn != nil {
		c.Warn(fmt.Sprintf(format, args...))
	}
}

// Close gives back idle connections.
func (c *Client) Close() {
	c.init()
	c.net.close()
}

// A pin holds a file that nothing promises anything of, as it was when it was
// first read, so that one run never sees two generations of an index
// (threats.md N-18).
type pin struct {
	mu   sync.Mutex
	data []byte
	have bool
}

// Refresh lets go of the generation of indexes that this run has seen: the
// next Get asks the mirrors anew, past their caches.
func (c *Client) Refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pins = map[string]*pin{}
}

func (c *Client) pin(url string) *pin {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pins[url]
	if p == nil {
		p = &pin{}
		c.pins[url] = p
	}
	return p
}

// Get gives the function that reads the files of src.
//
// A file of which a digest is promised comes from the store if that has it,
// and needs no network. Any other file is asked for once in a run; a mirror
// that says it has not changed is believed if the store still holds the bytes.
func (c *Client) Get(src resolve.Source) resolve.Get {
	c.init()
	return func(ctx context.Context, path string, promise resolve.Promise) ([]byte, error) {
		w := want{
			name: fmt.Sprintf("%q from repository %q", path, src.Name),
			path: path, size: promise.Size, sum: promise.SHA256, limit: maxIndex,
		}
		if err := w.check(); err != nil {
			return nil, err
		}
		bases, err := c.bases(src)
		if err != nil {
			return nil, err
		}
		if !w.sum.IsZero() {
			return c.promised(ctx, bases, w)
		}
		p := c.pin(src.URL + "/" + path)
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.have {
			if p.data, err = c.unpromised(ctx, bases, w); err != nil {
				return nil, err
			}
			p.have = true
		}
		return p.data, nil
	}
}

// promised reads a file whose digest is known.
func (c *Client) promised(ctx context.Context, bases []string, w want) ([]byte, error) {
	size := w.size
	if size == 0 {
		size = -1
	}
	if data, err := c.held(cas.Ref{Digest: w.sum, Size: size}); err == nil {
		return data, nil
	} else if !isMissing(err) {
		return nil, err
	}
	var data []byte
	err := c.bring(ctx, bases, w, func(a *answer) error {
		var err error
		if data, err = w.readAll(a.body); err != nil {
			return err
		}
		if got := cas.Sum(data); got != w.sum {
			return &cas.Mismatch{Want: w.sum, Got: cas.Ref{Digest: got, Size: int64(len(data))}}
		}
		if a.local {
			return nil // as close as the store
		}
		_, err = c.Store.Put(bytes.NewReader(data))
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// unpromised reads a file of which nothing is known: an index's signed root.
func (c *Client) unpromised(ctx context.Context, bases []string, w want) ([]byte, error) {
	if c.Offline {
		if data, ok := c.lastSeen(bases, w); ok {
			return data, nil
		}
	}
	w.conditional = true
	var data []byte
	err := c.bring(ctx, bases, w, func(a *answer) error {
		var err error
		if a.unchanged != nil {
			data = a.unchanged
			return nil
		}
		if data, err = w.readAll(a.body); err != nil || a.local {
			return err
		}
		ref, err := c.Store.Put(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return c.remember(a, ref)
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// lastSeen is what the first of the mirrors that ever served the file said.
// A mirror that can be read without a socket is asked, not remembered.
func (c *Client) lastSeen(bases []string, w want) ([]byte, bool) {
	for _, base := range bases {
		if isFile(base) {
			return nil, false
		}
		if v, ok := c.recall(join(base, w.path)); ok {
			if data, err := c.held(cas.Ref{Digest: v.Digest, Size: v.Size}); err == nil {
				return data, true
			}
		}
	}
	return nil, false
}

// held reads a blob of the store.
func (c *Client) held(ref cas.Ref) ([]byte, error) {
	r, err := c.Store.Open(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	if ref.Size > 0 {
		b.Grow(int(min(ref.Size, maxIndex)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, cas.ErrDamaged)
}

// An Item is one package file to have in the store.
type Item struct {
	Source resolve.Source
	Path   string        // relative to the repository's URL
	Size   int64         // in bytes; a hard cap
	Check  resolve.Check // SHA256, or Control alone for an apk that no lock knows yet
	Name   string        // for people: zlib 1.3.1-r2

	// Verify checks the file against the signed index where Check has no
	// SHA256; a file that it refuses counts against the mirror. Where it is
	// nil such a file is fetched anew each time.
	Verify func(io.Reader) error
}

func (it Item) want() want {
	return want{
		name: fmt.Sprintf("package %q from repository %q", it.Name, it.Source.Name),
		path: it.Path, size: it.Size, sum: it.Check.SHA256, limit: it.Size, pkg: true,
	}
}

// Packages has every item in the store and says, by index, where. Bytes that
// the store holds are not fetched; reading them checks them.
func (c *Client) Packages(ctx context.Context, items []Item) ([]cas.Ref, error) {
	c.init()
	refs := make([]cas.Ref, len(items))
	todo, err := c.missing(items, refs)
	if err != nil || len(todo) == 0 {
		return refs, err
	}
	var total int64
	for _, i := range todo {
		total += items[i].Size
	}
	c.begin(len(todo), total)
	errs := make([]error, len(items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(c.slots))
	for _, i := range todo {
		group.Go(func() error {
			refs[i], errs[i] = c.item(ctx, items[i])
			return errs[i]
		})
	}
	if err := group.Wait(); err != nil {
		c.stopped()
		return nil, firstOf(errs)
	}
	return refs, nil
}

// firstOf is the first error that is not the echo of another.
func firstOf(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return first
}

// missing fills in the refs of what the store holds and gives the indexes of
// the rest. Offline, a rest that would need a socket is refused as a whole.
func (c *Client) missing(items []Item, refs []cas.Ref) ([]int, error) {
	var todo []int
	var unreachable []string
	for i, it := range items {
		w := it.want()
		if err := w.check(); err != nil {
			return nil, err
		}
		if it.Size <= 0 {
			return nil, fault.New(fault.TrustWeakHash, "%s: the index does not give its size", w.name)
		}
		if ref, ok := c.has(it); ok {
			refs[i] = ref
			continue
		}
		todo = append(todo, i)
		if !c.Offline {
			continue
		}
		bases, err := c.bases(it.Source)
		if err != nil {
			return nil, err
		}
		if len(local(bases)) == 0 {
			unreachable = append(unreachable, fmt.Sprintf("%s (%v)", it.Name, it.Check.SHA256))
		}
	}
	if n := len(unreachable); n > 0 {
		return nil, fault.New(fault.Offline, "offline: the store lacks %d of %d packages: %s", n, len(items), shorten(unreachable))
	}
	return todo, nil
}

// shorten lists the first few.
func shorten(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(list[:few], ", "), len(list)-few)
}

// has finds an item in the store. A file that only an apk's control sum names
// is found through the note that verifying it left.
func (c *Client) has(it Item) (cas.Ref, bool) {
	ref := cas.Ref{Digest: it.Check.SHA256, Size: it.Size}
	if ref.Digest.IsZero() {
		if len(it.Check.Control) == 0 {
			return cas.Ref{}, false
		}
		note, ok := c.Store.Derived(noteKind, it.note())
		if !ok || len(note) != len(ref.Digest) {
			return cas.Ref{}, false
		}
		ref.Digest = cas.Digest(note)
	}
	return ref, c.Store.Has(ref.Digest, ref.Size)
}

// noteKind is the derived entry that leads from a control sum and a size to
// the SHA-256 of the file that was verified against them.
const noteKind = "fetched"

func (it Item) note() cas.Digest {
	return cas.Sum(fmt.Appendf(nil, "%x %d", it.Check.Control, it.Size))
}

func (c *Client) item(ctx context.Context, it Item) (ref cas.Ref, err error) {
	bases, err := c.bases(it.Source)
	if err != nil {
		return cas.Ref{}, err
	}
	w := it.want()
	if l, ok := c.Store.(locker); ok && !w.sum.IsZero() {
		wait, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		defer l.Lock(wait, w.sum)()
		if ref, ok := c.has(it); ok { // somebody else was at it
			c.done(it.Name, it.Size)
			return ref, nil
		}
	}
	err = c.bring(ctx, bases, w, func(a *answer) error {
		if ref, err = c.Store.PutAs(a.body, w.sum); err != nil || !w.sum.IsZero() || it.Verify == nil {
			return err
		}
		return c.verify(it, ref)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; if it was superseded, compose lock --update takes its successor", err)
	}
	if err == nil {
		c.done(it.Name, it.Size)
	}
	return ref, err
}

// A locker is a store that several processes share.
type locker interface {
	Lock(ctx context.Context, blob cas.Digest) (unlock func())
}

// verify lets the format check a file that no SHA-256 is known of, and notes
// that it was good.
func (c *Client) verify(it Item, ref cas.Ref) error {
	r, err := c.Store.Open(ref)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := it.Verify(r); err != nil {
		return &wrong{seen: ref.Digest.String(), err: err}
	}
	return c.Store.PutDerived(noteKind, it.note(), ref.Digest[:])
}

// Download has the file at url in the store; sum is what it must hash to, and
// limit how large it may be, in bytes.
func (c *Client) Download(ctx context.Context, url string, sum cas.Digest, limit int64) (cas.Ref, error) {
	c.init()
	if _, err := parseURL(url); err != nil {
		return cas.Ref{}, fault.New(fault.Usage, "%w", err)
	}
	if sum.IsZero() {
		return cas.Ref{}, fault.New(fault.Usage, "%q: no sha256 says what it must be", Redact(url))
	}
	if ref, ok := c.sized(sum); ok {
		return ref, nil
	}
	var ref cas.Ref
	w := want{name: fmt.Sprintf("%q", Redact(url)), sum: sum, limit: limit}
	err := c.bring(ctx, []string{url}, w, func(a *answer) (err error) {
		ref, err = c.Store.PutAs(a.body, sum)
		return err
	})
	return ref, err
}

// sized finds a blob whose size is not known, by reading it.
func (c *Client) sized(sum cas.Digest) (cas.Ref, bool) {
	r, err := c.Store.Open(cas.Ref{Digest: sum, Size: -1})
	if err != nil {
		return cas.Ref{}, false
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	return cas.Ref{Digest: sum, Size: n}, err == nil
}
