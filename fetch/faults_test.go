package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// TestFaults has the rows of threats.md 2.2 that one file from one or two
// servers can show. Where no fault is wanted the golden file must arrive.
func TestFaults(t *testing.T) {
	other := bytes.Repeat([]byte("x"), len(golden))
	page := []byte("<html>Welcome to the hotel</html>")
	ok := good(golden)
	half := len(golden) / 2
	tests := []struct {
		row, rule string
		first     []step // of the first server
		second    []step // of the second; nil: there is none
		want      fault.ID
		text      string // in the error
		asked     int    // requests that the first server got; 0: any number
	}{
		{row: "N-01", rule: "a body cut short is asked for again", first: []step{part(golden, half), part(golden, 0), ok}, asked: 3},
		{row: "N-01", rule: "but not for ever", first: []step{part(golden, half)}, want: fault.Transfer,
			text: fmt.Sprintf("4 tries: server sent %d of %d bytes", half, len(golden)), asked: 4},
		{row: "N-01", rule: "the next mirror has it", first: []step{part(golden, half)}, second: []step{ok}, asked: 2},
		{row: "N-02", rule: "the size from the index tells a cut from the end", first: []step{unbounded(golden[:half]), unbounded(golden)}, asked: 2},
		{row: "N-02", rule: "a body without length is taken if it is all there", first: []step{unbounded(golden)}, asked: 1},
		{row: "N-03", rule: "too small a length is not the file", first: []step{part(golden[:half], half)}, want: fault.TrustHash,
			text: fmt.Sprintf("(%d bytes)", half), asked: 2},
		{row: "N-03", rule: "too large a length is a body cut short", first: []step{
			func(w connection, r *http.Request) { head(w, 200, length(len(golden)+5)); w.Write(golden) }}, asked: 1},
		{row: "N-04", rule: "reading stops one byte after the promised end", first: []step{endlessly}, want: fault.TrustHash,
			text: fmt.Sprintf("more than the promised %d bytes", len(golden)), asked: 2},
		{row: "N-05", rule: "an encoding that nobody asked for is refused", first: []step{
			func(w connection, r *http.Request) {
				head(w, 200, length(len(golden)), "Content-Encoding: gzip")
				w.Write(golden)
			}}, want: fault.Transfer, text: `content encoding "gzip"`, asked: 1},
		{row: "N-06", rule: "a flipped bit is asked for again", first: []step{good(flipped(99)), ok}, asked: 2},
		{row: "N-06", rule: "the next mirror has the right bytes", first: []step{good(other)}, second: []step{ok}, asked: 2},
		{row: "N-06", rule: "the same wrong bytes everywhere are a matter of trust", first: []step{good(other)}, second: []step{good(other)},
			want: fault.TrustHash, text: cas.Sum(other).Hex()},
		{row: "N-06", rule: "other wrong bytes everywhere are a matter of transfer", first: []step{good(flipped(1))}, second: []step{good(flipped(2))},
			want: fault.Transfer},
		{row: "N-06", rule: "other wrong bytes each time are a matter of transfer", first: []step{good(flipped(1)), good(flipped(2))},
			want: fault.Transfer, text: "different bytes each time"},
		{row: "N-06", rule: "a page to log in to says so", first: []step{
			func(w connection, r *http.Request) {
				head(w, 200, length(len(page)), "Content-Type: text/html; charset=utf-8")
				w.Write(page)
			}}, want: fault.TrustHash, text: "does this network ask for a login?"},
		{row: "N-07", rule: "206 to a plain request", first: []step{status(206, "Content-Range: bytes 0-0/1")}, want: fault.Transfer, text: "answers 206 Partial Content", asked: 1},
		{row: "N-07", rule: "304 unasked", first: []step{status(304)}, want: fault.Transfer, text: "answers 304 Not Modified", asked: 1},
		{row: "N-07", rule: "204", first: []step{status(204)}, want: fault.Transfer, text: "answers 204 No Content", asked: 1},
		{row: "N-07", rule: "300", first: []step{status(300, "Location: /x")}, want: fault.Transfer, text: "answers 300 Multiple Choices", asked: 1},
		{row: "N-07", rule: "403 asks for credentials", first: []step{status(403)}, want: fault.Transfer, text: "credentials go in ~/.netrc or COMPOSE_AUTH_HTTP___127_0_0_1_", asked: 1},
		{row: "N-07", rule: "410 is not there", first: []step{status(410)}, second: []step{status(404)}, want: fault.Transfer, text: "no mirror has it"},
		{row: "N-08", rule: "a connection that broke is taken up where it broke", first: []step{part(golden, half, `ETag: "v"`), version(golden, `"v"`)}, asked: 2},
		{row: "N-08", rule: "several times", first: []step{part(golden, 10, `ETag: "v"`), resumeCut(10, 30, `"v"`), version(golden, `"v"`)}, asked: 3},
		{row: "N-08", rule: "a version that changed meanwhile is read from its start", first: []step{part(other, half, `ETag: "old"`), version(golden, `"new"`)}, asked: 3},
		{row: "N-08", rule: "a weak validator resumes nothing", first: []step{part(other, half, `ETag: W/"v"`), version(golden, `"v"`)}, asked: 2},
		{row: "N-08", rule: "a date may be a strong validator", first: []step{
			part(golden, half, "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT", "Date: Fri, 02 Jan 2026 00:00:00 GMT"),
			version(golden, "Thu, 01 Jan 2026 00:00:00 GMT")}, asked: 2},
		{row: "N-08", rule: "a date too close to now is a weak one", first: []step{
			part(golden, half, "Last-Modified: Fri, 02 Jan 2026 00:00:00 GMT", "Date: Fri, 02 Jan 2026 00:00:01 GMT"), noRange(golden)}, asked: 2},
		{row: "N-08", rule: "a part that starts elsewhere is not stitched in", first: []step{
			part(golden, half, `ETag: "v"`), status(206, fmt.Sprintf("Content-Range: bytes %d-%d/%d", half-1, len(golden)-1, len(golden))), ok}, asked: 3},
		{row: "N-08", rule: "a server that knows no ranges sends all of it", first: []step{part(golden, half, `ETag: "v"`), noRange(golden)}, asked: 3},
		{row: "N-08", rule: "a range that is not there any more", first: []step{part(golden, half, `ETag: "v"`), status(416), ok}, asked: 3},
		{row: "N-08", rule: "stitched versions do not hash right", first: []step{part(other, half, `ETag: "v"`), version(golden, `"v"`), ok}, asked: 3},
		{row: "N-09", rule: "a redirect is followed", first: []step{redirect("/elsewhere/golden.deb"), ok}, asked: 2},
		{row: "N-09", rule: "a loop is not", first: []step{redirect("/a"), redirect("/b"), redirect("/a"), ok}, want: fault.NetRedirect, text: "redirect comes back to", asked: 3},
		{row: "N-09", rule: "five hops are", first: []step{redirect("/1"), redirect("/2"), redirect("/3"), redirect("/4"), redirect("/5"), ok}, asked: 6},
		{row: "N-09", rule: "six hops are not", first: []step{redirect("/1"), redirect("/2"), redirect("/3"), redirect("/4"), redirect("/5"), redirect("/6"), ok},
			want: fault.NetRedirect, text: "more than 5 redirects", asked: 6},
		{row: "N-11", rule: "to a file", first: []step{redirect("file:///etc/passwd")}, want: fault.NetRedirect, text: `redirect to scheme "file" refused`, asked: 1},
		{row: "N-11", rule: "to another scheme", first: []step{redirect("gopher://example.org/")}, want: fault.NetRedirect, text: `redirect to scheme "gopher" refused`, asked: 1},
		{row: "N-11", rule: "with credentials", first: []step{redirect("http://user:secret@example.org/")}, want: fault.NetRedirect, text: "with credentials refused", asked: 1},
		{row: "N-11", rule: "another mirror may still have it", first: []step{redirect("file:///etc/passwd")}, second: []step{ok}, asked: 1},
		{row: "N-14", rule: "control characters in the address", first: []step{redirect("/a\u0085b")}, want: fault.NetRedirect, text: "something that is no URL", asked: 1},
		{row: "N-14", rule: "hidden ones", first: []step{redirect("/a%0d%0aSet-Cookie: x")}, want: fault.NetRedirect, text: "something that is no URL", asked: 1},
		{row: "N-14", rule: "two addresses", first: []step{status(302, "Location: /a", "Location: /b")}, want: fault.NetRedirect, text: "redirect with 2 addresses", asked: 1},
		{row: "N-14", rule: "no address", first: []step{status(302)}, want: fault.NetRedirect, text: "redirect with 0 addresses", asked: 1},
		{row: "N-15", rule: "a server that says nothing", first: []step{stall(-1)}, second: []step{ok}},
		{row: "N-15", rule: "a server that stops in the middle", first: []step{stall(half)}, second: []step{ok}},
		{row: "N-15", rule: "a server that drips", first: []step{drip}, second: []step{ok}},
		{row: "N-15", rule: "the only one", first: []step{drip}, want: fault.Transfer, text: "fewer than", asked: 1},
		{row: "N-16", rule: "503 without a date is tried again", first: []step{status(503), status(429), ok}, asked: 3},
		{row: "N-16", rule: "a pause in seconds", first: []step{status(503, "Retry-After: 0"), ok}, asked: 2},
		{row: "N-16", rule: "a pause in the past", first: []step{status(503, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"), ok}, asked: 2},
		{row: "N-16", rule: "a pause that is none", first: []step{status(503, "Retry-After: -5"), status(503, "Retry-After: soon"), ok}, asked: 3},
		{row: "N-16", rule: "an absurd pause", first: []step{status(429, "Retry-After: 86400")}, want: fault.Transfer, text: "it asks to come back in 24h0m0s, which is more than 2s", asked: 1},
		{row: "N-16", rule: "an absurd date", first: []step{status(503, "Date: Thu, 01 Jan 2026 00:00:00 GMT", "Retry-After: Thu, 01 Jan 2026 01:00:00 GMT")},
			want: fault.Transfer, text: "come back in 1h0m0s", asked: 1},
		{row: "N-17", rule: "a package that only another mirror has", first: []step{status(404)}, second: []step{ok}, asked: 1},
		{row: "N-17", rule: "a package that no mirror has", first: []step{status(404)}, want: fault.Transfer, text: "no mirror has it", asked: 1},
		{row: "N-22", rule: "a flood of headers", first: []step{
			raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Y: "+strings.Repeat("z", 1000)+"\r\n", 1200) + length(len(golden)) + "\r\n\r\n" + string(golden))},
			want: fault.Transfer},
		{row: "N-22", rule: "an endless header", first: []step{raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("z", 2<<20))}, want: fault.Transfer},
		{row: "N-22", rule: "a connection that is reset", first: []step{raw(""), raw("HTTP/1.1 2"), ok}, asked: 3},
		{row: "N-22", rule: "two lengths", first: []step{status(200, "Content-Length: 5"), ok}, asked: 2},
		{row: "N-22", rule: "a chunk without end", first: []step{raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc"), ok}, asked: 2},
	}
	for _, tt := range tests {
		t.Run(tt.row+" "+tt.rule, func(t *testing.T) {
			t.Parallel()
			a := serve(t, tt.first...)
			urls := []string{a.URL}
			if tt.second != nil {
				urls = append(urls, serve(t, tt.second...).URL)
			}
			c, src := fetcher(t, urls...)
			start := time.Now()
			err := fetchGolden(t, c, src)
			if fault.Of(err) != tt.want || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %s: %s\nwant %s: …%s", fault.Of(err), errText(err), tt.want, tt.text)
			}
			if n := a.count(); tt.asked != 0 && n != tt.asked {
				t.Errorf("the first server was asked %d times, want %d", n, tt.asked)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// resumeCut resumes the golden file and breaks off again.
func resumeCut(from, to int, etag string) step {
	return func(w connection, r *http.Request) {
		head(w, http.StatusPartialContent, length(len(golden)-from), "ETag: "+etag, fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, len(golden)-1, len(golden)))
		w.Write(golden[from:to])
	}
}

// noRange sends all of b, whatever part was asked for.
func noRange(b []byte) step {
	return func(w connection, r *http.Request) {
		head(w, http.StatusOK, length(len(b)))
		w.Write(b)
	}
}

// Files that nothing is promised of.
func TestUnpromised(t *testing.T) {
	tests := []struct {
		row, rule string
		steps     []step
		want      fault.ID
		text      string
	}{
		{row: "N-02", rule: "without a length nobody can tell a cut", steps: []step{unbounded(golden)}, want: fault.Transfer, text: "does not say how long the file is"},
		{row: "N-02", rule: "chunks have an end", steps: []step{raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(golden), golden))}},
		{row: "N-04", rule: "no more than the cap is read", steps: []step{func(w connection, r *http.Request) {
			head(w, 200, length(maxIndex+1))
			b := make([]byte, 1<<20)
			for range maxIndex>>20 + 1 {
				w.Write(b)
			}
		}}, want: fault.LimitSize, text: "more than 67108864 bytes, the limit"},
		{row: "N-01", rule: "a body cut short is asked for again", steps: []step{part(golden, 10), good(golden)}},
		{row: "N-07", rule: "304 unasked", steps: []step{status(304)}, want: fault.Transfer, text: "304"},
		{row: "N-08", rule: "resumed where it broke", steps: []step{part(golden, 100, `ETag: "v"`), version(golden, `"v"`)}},
		{row: "N-08", rule: "a part that starts elsewhere is not stitched in", steps: []step{part(golden, 100, `ETag: "v"`), func(w connection, r *http.Request) {
			head(w, 206, length(len(golden)-99), fmt.Sprintf("Content-Range: bytes 99-%d/%d", len(golden)-1, len(golden)))
			w.Write(golden[99:])
		}, good(golden)}},
		{row: "N-08", rule: "another version is not stitched in", steps: []step{part(bytes.ToUpper(golden), 100, `ETag: "old"`), version(golden, `"new"`)}},
	}
	for _, tt := range tests {
		t.Run(tt.row+" "+tt.rule, func(t *testing.T) {
			c, src := fetcher(t, serve(t, tt.steps...).URL)
			got, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{})
			if fault.Of(err) != tt.want || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %s: %s\nwant %s: …%s", fault.Of(err), errText(err), tt.want, tt.text)
			}
			if err == nil && !bytes.Equal(got, golden) {
				t.Errorf("got %d bytes", len(got))
			}
		})
	}
}

// T-17: "not modified" is an answer only to who asked, and only if the bytes
// are still there.
func TestT17(t *testing.T) {
	dir := t.TempDir()
	open := func() *cas.Dir {
		d, err := cas.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	s := serve(t, good(golden))
	get := func() *http.Request {
		t.Helper()
		c, src := fetcher(t, s.URL)
		c.Store = open()
		n := s.count()
		got, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{})
		if err != nil || !bytes.Equal(got, golden) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if s.count() == n {
			t.Fatal("nobody was asked")
		}
		return s.request(n)
	}
	if r := get(); r.Header.Get("If-None-Match") != "" {
		t.Error("the first request knows a version")
	}
	if r := get(); r.Header.Get("If-None-Match") == "" {
		t.Error("the second request knows no version")
	}
	if s.count() != 2 {
		t.Errorf("%d requests, want 2", s.count())
	}
	damage(t, dir, func(b []byte) []byte { b[7] ^= 1; return b })
	get()
	if s.count() != 4 {
		t.Errorf("%d requests, want 4: damage was found after the server was asked", s.count())
	}
	damage(t, dir, func(b []byte) []byte { return b[:5] })
	if r := get(); r.Header.Get("If-None-Match") != "" {
		t.Error("a version is named that the store has lost")
	}
}

// N-17, N-18: one run sees one generation of an index, until it lets go.
func TestN18(t *testing.T) {
	s := serve(t, good([]byte("old")), good([]byte("new")))
	c, src := fetcher(t, s.URL)
	for _, want := range []string{"old", "old", "new"} {
		if want == "new" {
			c.Refresh()
		}
		got, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{})
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

// A file that is promised and that one mirror lacks is not there, whether or
// not the others can be asked; one that nothing promises may still be.
func TestN17NotThere(t *testing.T) {
	for promised, want := range map[bool]bool{true: true, false: false} {
		c, src := fetcher(t, serve(t, status(404)).URL, serve(t, status(500)).URL)
		p := resolve.Promise{}
		if promised {
			p = promise("x")
		}
		_, err := c.Get(src)(t.Context(), "main/binary-amd64/by-hash/SHA256/00", p)
		if errors.Is(err, fs.ErrNotExist) != want || fault.Of(err) != fault.Transfer {
			t.Errorf("promised %v: %v", promised, err)
		}
	}
}

// N-04 also for a file of this machine.
func TestN04File(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "InRelease"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxIndex + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c, src := fetcher(t, "file://"+dir)
	if _, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{}); fault.Of(err) != fault.LimitSize {
		t.Errorf("got %s: %v", fault.Of(err), err)
	}
}

// N-03, N-04 where no digest is known, as of an apk before it is locked: the
// size alone must be right.
func TestN03WithoutDigest(t *testing.T) {
	half := len(golden) / 2
	for rule, tt := range map[string]struct {
		steps []step
		want  fault.ID
	}{
		"the right size":    {[]step{good(golden)}, ""},
		"too short":         {[]step{good(golden[:half])}, fault.TrustHash},
		"too long":          {[]step{good(append(bytes.Clone(golden), '!'))}, fault.TrustHash},
		"cut, then resumed": {[]step{part(golden, half, `ETag: "v"`), version(golden, `"v"`)}, ""},
		"without length":    {[]step{unbounded(golden[:half]), unbounded(golden)}, ""},
	} {
		c, src := fetcher(t, serve(t, tt.steps...).URL)
		refs, err := c.Packages(t.Context(), []Item{{Source: src, Path: "golden.apk", Size: int64(len(golden)), Name: "golden"}})
		if fault.Of(err) != tt.want {
			t.Errorf("%s: %v", rule, err)
		}
		if err == nil && refs[0].Digest != cas.Sum(golden) {
			t.Errorf("%s: other bytes were stored", rule)
		}
	}
}
