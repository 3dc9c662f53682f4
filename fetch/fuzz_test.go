package fetch

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"compose/internal/fault"
)

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/10", "bytes 5-9/*", "bytes */10", "bytes 9-5/10", "bytes 0-10/10", "bytes +1-2/3", "bytes 1-99999999999999999999/1", "items 0-1/2", "bytes 0-1/2, bytes 0-1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, total, ok := parseContentRange(s)
		if ok && (first < 0 || total >= 0 && first >= total || total < -1) {
			t.Errorf("%q: starts at %d of %d", s, first, total)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "+1", "1e3", "99999999999999999999", "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 9999 00:00:00 GMT", "soon"} {
		f.Add(s, "Fri, 02 Jan 2026 00:00:00 GMT")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		d := retryAfter(http.Header{"Retry-After": {after}, "Date": {date}}, time.Unix(1767225600, 0))
		if d < 0 {
			t.Errorf("%q at %q: %v", after, date, d)
		}
	})
}

func FuzzRedirectTarget(f *testing.F) {
	for _, s := range []string{"/a", "//example.org/a", "http://example.org", "https://example.org:8443/a?b#c", "file:///a", "HTTP://example.org", "http:a", "http:///a", "\x00", "/%0a", "http://u@example.org", "javascript:x", "http://ex\u0430mple.org/", "?q", "http://[::1]:80/", "http://[fe80::1%25eth0]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, from := range []string{"http://example.org/a/b", "https://example.org/a/b"} {
			u, _ := url.Parse(from)
			to, err := target(u, []string{s})
			if err != nil {
				if id := fault.Of(err); id != fault.NetRedirect && id != fault.NetDowngrade {
					t.Errorf("%q: %v", s, err)
				}
				continue
			}
			if to.Scheme != "http" && to.Scheme != "https" || u.Scheme == "https" && to.Scheme != "https" ||
				to.User != nil || to.Hostname() == "" || strings.ContainsFunc(to.Path, unicode.IsControl) {
				t.Errorf("%q from %s leads to %s", s, from, to)
			}
		}
	})
}

func FuzzNetrc(f *testing.F) {
	for _, s := range []string{"machine example.org login a password b", "default login a password b", "macdef x\n\nmachine a.org password b", "machine machine machine", "machine", "password\nlogin", "machine http:// login a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for o, header := range parseNetrc(s) {
			u, err := url.Parse(o)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(header, "Basic ") || strings.ContainsAny(header, "\r\n") {
				t.Errorf("%q: credentials for %q: %q", s, o, header)
			}
		}
	})
}

func FuzzAptSources(f *testing.F) {
	for _, s := range []string{"deb http://example.org/debian trixie main", "deb [a=b c=d] http://example.org x main", "deb [", "Types: deb\nURIs: a b\n c\nSuites: x\nComponents: main\n", " folded first", "Enabled: no\n\n\nTypes: deb", ":", "deb\tx y z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, e := range append(parseList(s), parseSources(s)...) {
			for _, w := range append(append(e.uris, e.suites...), e.components...) {
				if w == "" || strings.ContainsAny(w, " \t\n") {
					t.Errorf("%q: word %q", s, w)
				}
			}
		}
	})
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{"http://user:canary@example.org/", "http://example.org/?canary", "http://example.org/#canary", "http://u:canary@exa mple.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := url.Parse(s); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok && len(password) > 8 && !strings.Contains(u.Host+u.Path+u.Scheme, password) && strings.Contains(Redact(s), password) {
				t.Errorf("%q shows %q", s, Redact(s))
			}
		}
	})
}
