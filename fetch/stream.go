package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"compose/internal/cas"
)

// fromServer asks one server for the file, as often as is worthwhile. Where
// another mirror is left to ask, that is less often.
func (c *Client) fromServer(ctx context.Context, base string, w want, last bool, take func(*answer) error) error {
	u, err := url.Parse(join(base, w.path))
	if err != nil {
		return fmt.Errorf("%s: not a URL", Redact(base))
	}
	l := c.net.limits
	ctx, cancel := context.WithTimeoutCause(ctx, l.Total, &unreachable{fmt.Errorf("took longer than %v", l.Total)})
	defer cancel()
	s := &stream{c: c, ctx: ctx, url: u, w: w, tries: l.Tries}
	if !last {
		s.tries = min(s.tries, 2)
	}
	if c.net.isDown(base) {
		s.tries = 1
	}
	if w.conditional {
		s.old, _ = c.recall(u.String())
	}
	if !w.pkg {
		c.begin(1, w.size)
	}
	err = s.serve(take)
	s.close()
	t, slow := errors.AsType[*temporary](err)
	_, gone := errors.AsType[*unreachable](err)
	c.net.setDown(u, gone || slow && t.dial)
	switch {
	case err != nil && !w.pkg:
		c.stopped()
	case err != nil:
		c.received(-s.counted)
	case !w.pkg:
		c.done(w.path, s.off)
	}
	return err
}

// A stream is the body of one file from one server. A connection that breaks
// is taken up where it broke, if the server can tell that the file is still
// the same.
type stream struct {
	c     *Client
	ctx   context.Context
	url   *url.URL
	w     want
	old   validator // what we hold, for a conditional request
	fresh bool      // ask past caches
	tries int       // left
	made  int       // tries so far

	resp    *http.Response
	stop    context.CancelCauseFunc // of the connection
	pace    *pace
	strong  string // validator that a resumed request depends on; "": cannot resume
	off     int64  // bytes handed out
	counted int64  // bytes that Progress heard of
	pending error  // for the next Read
}

// errRestart is the error of a body that must be read from its start again.
var errRestart = errors.New("the connection broke, and the server cannot resume")

// serve gives take the file until it is content, or nothing is left to try.
func (s *stream) serve(take func(*answer) error) error {
	var before *wrong
	for {
		data, err := s.open()
		if err != nil {
			return err
		}
		err = take(&answer{url: s.url.String(), body: s, header: s.headers(), unchanged: data})
		bad, isWrong := asWrong(err)
		switch {
		case errors.Is(err, errRestart):
		case isWrong && before == nil && !isLocal(err): // once more: the wire may have flipped a bit
			before, s.fresh = bad, true
		case isWrong && bad.seen != before.seen:
			return fmt.Errorf("serves different bytes each time: %v; %v", before, s.explain(bad))
		case isWrong:
			return &wrong{bad.seen, s.explain(bad)}
		default:
			return err
		}
		s.rewind()
	}
}

// explain adds to wrong bytes what they may be.
func (s *stream) explain(bad *wrong) error {
	if s.resp != nil && strings.HasPrefix(s.resp.Header.Get("Content-Type"), "text/html") {
		return fmt.Errorf("%w; it is an HTML page: does this network ask for a login?", bad)
	}
	return bad
}

func (s *stream) headers() http.Header {
	if s.resp == nil {
		return nil
	}
	return s.resp.Header
}

// rewind forgets what was read.
func (s *stream) rewind() {
	s.close()
	s.c.received(-s.counted)
	s.off, s.counted, s.pending = 0, 0, nil
}

func (s *stream) close() {
	if s.stop != nil {
		s.pace.end()
		s.stop(nil)
		s.resp.Body.Close()
		s.stop = nil
	}
}

// open sends the request until there is a body to read. If the server says
// that what we hold is still right, it gives that.
func (s *stream) open() (unchanged []byte, err error) {
	for {
		unchanged, err = s.connect()
		if err == nil {
			return unchanged, nil
		}
		if err := s.again(err); err != nil {
			return nil, err
		}
	}
}

// again waits for the next try, or answers err if there is none.
func (s *stream) again(err error) error {
	t, ok := errors.AsType[*temporary](err)
	if !ok {
		return err
	}
	if s.made >= s.tries {
		if s.made > 1 {
			return &temporary{err: fmt.Errorf("%d tries: %w", s.made, t.err), dial: t.dial}
		}
		return err
	}
	l := s.c.net.limits
	if t.after > l.MaxPause {
		return fmt.Errorf("%w; it asks to come back in %v, which is more than %v", t.err, t.after, l.MaxPause)
	}
	pause := t.after
	if pause == 0 {
		pause = l.Backoff << min(s.made-1, 6)
		pause = pause/2 + rand.N(pause) // so that many clients do not come back at once
	}
	select {
	case <-time.After(pause):
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// connect sends one request, for the bytes from s.off on.
func (s *stream) connect() ([]byte, error) {
	s.close()
	s.made++
	ctx, stop := context.WithCancelCause(s.ctx)
	resp, err := s.c.net.send(ctx, s.url, s.request())
	if err != nil {
		stop(nil)
		return nil, err
	}
	s.resp, s.stop = resp, stop
	s.pace = startPace(s.c.net.limits, stop)
	if resp.StatusCode == http.StatusNotModified && s.old.Size > 0 {
		return s.unchanged()
	}
	if err := s.judge(); err != nil {
		s.close()
		return nil, err
	}
	return nil, nil
}

func (s *stream) request() http.Header {
	h := http.Header{}
	h.Set("User-Agent", "compose")
	h.Set("Accept-Encoding", "identity")
	switch {
	case s.fresh:
		h.Set("Cache-Control", "no-cache")
	case s.w.conditional:
		h.Set("Cache-Control", "max-age=0")
	}
	switch {
	case s.off > 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-", s.off))
		h.Set("If-Range", s.strong)
	case s.old.ETag != "":
		h.Set("If-None-Match", s.old.ETag)
	case s.old.Modified != "":
		h.Set("If-Modified-Since", s.old.Modified)
	}
	return h
}

// unchanged reads what the server says has not changed. If the store has
// lost it meanwhile, the whole file is asked for (threats.md T-17).
func (s *stream) unchanged() ([]byte, error) {
	data, err := s.c.held(cas.Ref{Digest: s.old.Digest, Size: s.old.Size})
	if err == nil || !isMissing(err) {
		return data, err
	}
	s.old = validator{}
	s.made--
	return s.connect()
}

// judge decides whether the answer is the one that was asked for (threats.md
// N-05, N-07, N-16).
func (s *stream) judge() error {
	switch code := s.resp.StatusCode; {
	case code == http.StatusPartialContent && s.off > 0:
		if !s.continues(s.resp.Header.Get("Content-Range")) {
			return s.restart()
		}
	case code == http.StatusOK && s.off > 0, code == http.StatusRequestedRangeNotSatisfiable && s.off > 0:
		return s.restart()
	case code == http.StatusOK:
		s.strong = strongValidator(s.resp.Header)
	default:
		return statusError(s.resp, s.url)
	}
	if e := s.resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fmt.Errorf("answers with content encoding %s, which was not asked for", strconv.Quote(e))
	}
	if s.w.sum.IsZero() && s.w.size == 0 && endless(s.resp) {
		return errors.New("does not say how long the file is, so that its end could not be told from a broken connection")
	}
	return nil
}

// endless reports whether the body ends where the connection does.
func endless(r *http.Response) bool {
	return r.ProtoMajor == 1 && r.ContentLength < 0 && len(r.TransferEncoding) == 0
}

func (s *stream) restart() error {
	s.strong = ""
	return errRestart
}

// continues reports whether a Content-Range (RFC 9110, 14.4) goes on exactly
// where we stopped.
func (s *stream) continues(contentRange string) bool {
	first, total, ok := parseContentRange(contentRange)
	return ok && first == s.off && (s.w.size == 0 || total < 0 || total == s.w.size)
}

// parseContentRange reads "bytes 10-19/20"; an unknown total, *, is -1.
func parseContentRange(v string) (first, total int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	span, size, ok2 := strings.Cut(v, "/")
	from, to, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	first, err := parseSize(from)
	last, err2 := parseSize(to)
	if err != nil || err2 != nil || last < first {
		return 0, 0, false
	}
	if size == "*" {
		return first, -1, true
	}
	total, err = parseSize(size)
	return first, total, err == nil && last < total
}

// parseSize reads digits and nothing else.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// strongValidator is what tells this version of the file from any other (RFC
// 9110, 8.8); "" if the server names nothing that does.
func strongValidator(h http.Header) string {
	if tag := h.Get("ETag"); len(tag) >= 2 && tag[0] == '"' {
		return tag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err == nil && err2 == nil && date.Sub(modified) >= time.Minute {
		return h.Get("Last-Modified")
	}
	return ""
}

// statusError words a status that brings no file.
func statusError(r *http.Response, u *url.URL) error {
	text := fmt.Sprintf("answers %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	switch r.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return &absent{text}
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s; credentials go in ~/.netrc or %s", text, authVariable(u))
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &temporary{err: errors.New(text), after: retryAfter(r.Header, time.Now())}
	}
	return errors.New(text)
}

// retryAfter is how long the server asks us to wait (RFC 9110, 10.2.3); 0 if
// it does not, or makes no sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // by the server's own clock
	}
	return max(0, at.Sub(now))
}

// Read gives the file's bytes. It never gives more than the file may have.
func (s *stream) Read(p []byte) (int, error) {
	for s.pending == nil {
		n, err := s.pace.read(s.resp.Body, p)
		s.off += int64(n)
		if s.off > s.w.most() {
			s.pending = s.w.tooLong()
			return 0, s.pending
		}
		s.counted += int64(n)
		s.c.received(int64(n))
		if err != nil {
			s.pending = s.ended(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.pending
}

// ended decides what the end of a connection means: nil if the file goes on.
func (s *stream) ended(err error) error {
	if s.w.size > 0 && s.off == s.w.size { // all of it, however the connection ended
		return io.EOF
	}
	if err == io.EOF {
		switch {
		case s.w.size == 0:
			return io.EOF
		case s.resp.ContentLength >= 0 && s.w.sum.IsZero():
			return &wrong{fmt.Sprint(s.off), fmt.Errorf("server sent %d of %d bytes", s.off, s.w.size)}
		case s.resp.ContentLength >= 0: // whole, but another file: its digest says so
			return io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	if slow := s.pace.cause(); slow != nil {
		return slow
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	of := ""
	if s.w.size > 0 {
		of = fmt.Sprintf(" of %d", s.w.size)
	}
	broken := &temporary{err: fmt.Errorf("server sent %d%s bytes: %s", s.off, of, printable(err.Error()))}
	if err := s.again(broken); err != nil {
		return err
	}
	if s.off > 0 && s.strong == "" {
		return errRestart
	}
	_, err = s.open()
	return err
}

// A pace watches that bytes keep coming (threats.md N-15). Only the time that
// is spent waiting for the server counts: what happens to the bytes is not its
// fault.
type pace struct {
	window time.Duration
	least  int64 // bytes for each window
	stop   func(error)
	timer  *time.Timer // runs while somebody waits

	mu      sync.Mutex
	waiting bool
	since   time.Time     // when the waiting began
	waited  time.Duration // before that, in this window
	got     int64         // bytes, in this window
	slow    error
}

func startPace(l Limits, stop func(error)) *pace {
	p := &pace{window: l.Window, least: int64(float64(l.Floor) * l.Window.Seconds()), stop: stop}
	p.timer = time.AfterFunc(time.Hour, p.expired)
	p.timer.Stop()
	return p
}

// read is one Read of the server's bytes.
func (p *pace) read(r io.Reader, b []byte) (int, error) {
	p.mu.Lock()
	p.waiting, p.since = true, time.Now()
	p.timer.Reset(p.window - p.waited)
	p.mu.Unlock()
	n, err := r.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.waiting = false
	p.got += int64(n)
	if p.waited += time.Since(p.since); p.waited >= p.window {
		p.judge()
	}
	return n, err
}

// expired ends a window while somebody waits.
func (p *pace) expired() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting && time.Since(p.since)+p.waited >= p.window {
		p.judge()
		p.since = time.Now()
		p.timer.Reset(p.window)
	}
}

// judge looks back at a window, and begins the next.
func (p *pace) judge() {
	if p.got < p.least && p.slow == nil {
		p.slow = &unreachable{fmt.Errorf("server sent %d bytes in %v, fewer than %d", p.got, p.window, p.least)}
		p.stop(p.slow)
	}
	p.waited, p.got = 0, 0
}

// end gives the timer back.
func (p *pace) end() { p.timer.Stop() }

// cause is why the pace was too slow, or nil.
func (p *pace) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slow
}
