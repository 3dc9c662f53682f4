package fetch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/resolve"
)

// golden is the file that every server of these tests should have.
var golden = []byte(strings.Repeat("all the right bytes, and all of them\n", 3000))

// A step answers one request, as badly as it likes. The connection is closed
// behind it.
type step func(w connection, r *http.Request)

// A connection is one to a client.
type connection = net.Conn

// A faulty is a server that follows a script: the first request is answered
// by the first step, and so on; the last step answers all further ones.
type faulty struct {
	URL   string
	steps []step

	mu       sync.Mutex
	requests []*http.Request
	gone     chan struct{} // closed when the test is over
}

func serve(t testing.TB, steps ...step) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, steps...)
}

func serveOn(t testing.TB, l net.Listener, steps ...step) *faulty {
	s := &faulty{URL: "http://" + l.Addr().String(), steps: steps, gone: make(chan struct{})}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		close(s.gone)
		l.Close()
		conns.Wait()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.answer(conn) })
		}
	}()
	return s
}

func (s *faulty) answer(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	s.mu.Lock()
	n := min(len(s.requests), len(s.steps)-1)
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a hanging step ends with the test
		select {
		case <-s.gone:
			conn.Close()
		case <-stop:
		}
	}()
	s.steps[n](conn, r)
}

func (s *faulty) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *faulty) request(i int) *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[i]
}

func head(w io.Writer, status int, headers ...string) {
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, http.StatusText(status))
	for _, h := range headers {
		fmt.Fprintf(w, "%s\r\n", h)
	}
	io.WriteString(w, "\r\n")
}

func length(n int) string { return fmt.Sprintf("Content-Length: %d", n) }

// good serves b, and resumes it for whoever names its version.
func good(b []byte) step {
	return version(b, `"`+cas.Sum(b).Hex()[:8]+`"`)
}

func version(b []byte, etag string) step {
	return func(w connection, r *http.Request) {
		var from int
		if r.Header.Get("If-None-Match") == etag && etag != "" {
			head(w, http.StatusNotModified, "ETag: "+etag)
			return
		}
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && r.Header.Get("If-Range") == etag {
			head(w, http.StatusPartialContent, length(len(b)-from), "ETag: "+etag, fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, len(b)-1, len(b)))
			w.Write(b[from:])
			return
		}
		head(w, http.StatusOK, length(len(b)), "ETag: "+etag)
		w.Write(b)
	}
}

// part promises all of b and sends n bytes of it.
func part(b []byte, n int, headers ...string) step {
	return func(w connection, r *http.Request) {
		head(w, http.StatusOK, append(headers, length(len(b)))...)
		w.Write(b[:n])
	}
}

// unbounded sends b without saying how long it is, as HTTP/1.0 did.
func unbounded(b []byte) step {
	return func(w connection, r *http.Request) {
		io.WriteString(w, "HTTP/1.0 200 OK\r\n\r\n")
		w.Write(b)
	}
}

// raw sends text as it is.
func raw(text string) step {
	return func(w connection, r *http.Request) { io.WriteString(w, text) }
}

func status(code int, headers ...string) step {
	return func(w connection, r *http.Request) { head(w, code, append(headers, length(0))...) }
}

func redirect(to string) step { return status(http.StatusFound, "Location: "+to) }

// endless never stops sending.
func endlessly(w connection, r *http.Request) {
	io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n")
	for {
		if _, err := w.Write(golden); err != nil {
			return
		}
	}
}

// stall sends n bytes of the golden file and then nothing.
func stall(n int) step {
	return func(w connection, r *http.Request) {
		if n >= 0 {
			head(w, http.StatusOK, length(len(golden)))
			w.Write(golden[:n])
		}
		io.Copy(io.Discard, w) // until the other side is tired of it
	}
}

// drip sends a byte now and then.
func drip(w connection, r *http.Request) {
	head(w, http.StatusOK, length(len(golden)))
	for _, b := range golden {
		if _, err := w.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func flipped(k int) []byte {
	b := bytes.Clone(golden)
	b[k/8] ^= 1 << (k % 8)
	return b
}

// impatient are limits that a test can wait for.
var impatient = Limits{
	Connect: time.Second, Header: 250 * time.Millisecond, Window: 150 * time.Millisecond, Floor: 10 << 10,
	Total: 10 * time.Second, Tries: 4, Backoff: time.Millisecond, MaxPause: 2 * time.Second,
}

// fetcher is a Client with one repository, which these servers mirror.
func fetcher(t testing.TB, urls ...string) (*Client, resolve.Source) {
	c := &Client{Store: cas.NewMem(), Limits: impatient, Getenv: func(string) string { return "" }}
	last := len(urls) - 1
	c.Mirrors = map[string][]string{"test": urls[:last]}
	t.Cleanup(c.Close)
	return c, resolve.Source{Name: "test", URL: urls[last]}
}

// fetchGolden fetches the golden file as a package and checks that it is what
// was stored, or that nothing was.
func fetchGolden(t testing.TB, c *Client, src resolve.Source) error {
	t.Helper()
	item := Item{Source: src, Path: "golden.deb", Size: int64(len(golden)), Check: resolve.Check{SHA256: cas.Sum(golden)}, Name: "golden 1"}
	refs, err := c.Packages(t.Context(), []Item{item})
	if err != nil {
		if c.Store.Has(item.Check.SHA256, -1) {
			t.Errorf("refused, but stored: %v", err)
		}
		return err
	}
	got, err := c.held(refs[0])
	if err != nil || !bytes.Equal(got, golden) {
		t.Errorf("stored %d bytes, %v", len(got), err)
	}
	return nil
}

var errNone = errors.New("none")

// errText is for comparing errors that may be nil.
func errText(err error) string {
	if err == nil {
		err = errNone
	}
	return err.Error()
}

// damage changes every blob of a store on disk.
func damage(t testing.TB, dir string, change func([]byte) []byte) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "sha256", "*", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("no blobs: %v", err)
	}
	for _, path := range blobs {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
