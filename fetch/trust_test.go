package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// seen records the requests that a handler gets, and serves the golden file
// to those that no function takes.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	handle   func(w http.ResponseWriter, r *http.Request) bool
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if s.handle == nil || !s.handle(w, r) {
		w.Write(golden)
	}
}

func (s *seen) all() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// redirectTo sends everything but its target there.
func redirectTo(url string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(url, r.URL.Path) && strings.Contains(url, r.Host) {
			return false
		}
		w.Header().Set("Location", url)
		w.WriteHeader(http.StatusFound)
		return true
	}
}

func plainServer(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// tlsServer also gives the configuration that trusts it.
func tlsServer(t *testing.T, h http.Handler) (string, *tls.Config) {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport.(*http.Transport).TLSClientConfig
}

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestN10(t *testing.T) {
	target, first := &seen{}, &seen{}
	plain := plainServer(t, target)
	first.handle = redirectTo(plain + "/golden.deb")
	secure, config := tlsServer(t, first)
	c, src := fetcher(t, secure)
	c.TLS = config
	err := fetchGolden(t, c, src)
	if fault.Of(err) != fault.NetDowngrade || !strings.Contains(errText(err), "redirect from https to http refused before the request was sent") {
		t.Errorf("got %s: %v", fault.Of(err), err)
	}
	if n := len(target.all()); n != 0 {
		t.Errorf("the second request was sent (%d)", n)
	}
	if n := len(first.all()); n != 1 {
		t.Errorf("the refusal was tried again: %d requests", n)
	}
}

func TestN12(t *testing.T) {
	tests := []struct {
		from kind
		to   string
		want bool
	}{
		{public, "93.184.215.14", true},
		{public, "2606:2800:220:1::1", true},
		{public, "127.0.0.1", false},
		{public, "127.8.8.8", false},
		{public, "::1", false},
		{public, "::ffff:127.0.0.1", false},
		{public, "0.0.0.0", false},
		{public, "10.1.2.3", false},
		{public, "172.16.0.1", false},
		{public, "192.168.1.1", false},
		{public, "100.64.0.1", false},
		{public, "::ffff:100.64.0.1", false},
		{public, "fd00::1", false},
		{public, "169.254.169.254", false},
		{public, "fe80::1%eth0", false},
		{public, "ff02::1", false},
		{public, "localhost", false},
		{public, "LocalHost.", false},
		{public, "a.localhost", false},
		{loopback, "127.0.0.1", true},
		{loopback, "10.1.2.3", false},
		{private, "10.1.2.3", true},
		{private, "127.0.0.1", false},
		{private, "169.254.169.254", false},
		{linkLocal, "fe80::1", true},
		{private, "example.org", true},
	}
	for _, tt := range tests {
		if err := tt.from.leadsTo(kindOfHost(tt.to)); (err == nil) != tt.want {
			t.Errorf("from %v to %s: %v", tt.from, tt.to, err)
		}
		if net.ParseIP(strings.SplitN(tt.to, "%", 2)[0]) == nil {
			continue
		}
		if err := tt.from.guard("tcp", net.JoinHostPort(tt.to, "80"), nil); (err == nil) != tt.want {
			t.Errorf("dial from %v to %s: %v", tt.from, tt.to, err)
		}
	}
}

// The address that counts is the one that is dialled: a name that leads to
// this machine is not public.
func TestN12Dialled(t *testing.T) {
	target := &seen{}
	address := strings.Replace(plainServer(t, target), "127.0.0.1", "localhost", 1)
	c, _ := fetcher(t, "http://mirror.example.org")
	c.init()
	for from, want := range map[kind]fault.ID{public: fault.NetRedirect, private: fault.NetRedirect, loopback: ""} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		resp, err := c.net.roundTrip(req, true, &from)
		if fault.Of(err) != want {
			t.Errorf("from %v: %v", from, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	if n := len(target.all()); n != 1 {
		t.Errorf("%d requests got there, want 1", n)
	}
}

// A redirect from a public host to this machine or its network, by way of a
// proxy: the proxy would go there for us.
func TestN12ByProxy(t *testing.T) {
	target := &seen{}
	for inside, want := range map[string]string{plainServer(t, target): "loopback", "http://10.1.2.3": "private"} {
		proxied := &seen{handle: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", inside+"/golden.deb")
			w.WriteHeader(http.StatusMovedPermanently)
			return r.Host == "mirror.example.org"
		}}
		c, src := fetcher(t, "http://mirror.example.org")
		c.Getenv = env(map[string]string{"http_proxy": plainServer(t, proxied)})
		if err := fetchGolden(t, c, src); fault.Of(err) != fault.NetRedirect || !strings.Contains(err.Error(), "redirect from a public to a "+want+" address refused") {
			t.Errorf("got %s: %v", fault.Of(err), err)
		}
		if n := len(proxied.all()); n != 1 {
			t.Errorf("%s: the proxy was asked %d times", want, n)
		}
	}
	if n := len(target.all()); n != 0 {
		t.Errorf("%d requests got there", n)
	}
}

// M-08: what a proxy says of itself is shown, but steers no terminal.
func TestM08(t *testing.T) {
	proxy := serve(t, raw("HTTP/1.1 403 go\x1b[31mred\u202e\r\n\r\n"))
	c, src := fetcher(t, "https://mirror.example.org")
	c.Getenv = env(map[string]string{"https_proxy": proxy.URL})
	err := fetchGolden(t, c, src)
	if fault.Of(err) != fault.Transfer || strings.ContainsAny(err.Error(), "\x1b\u202e") {
		t.Errorf("got %s: %q", fault.Of(err), err)
	}
}

func TestN13(t *testing.T) {
	secret := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:canary"))
	port := func(url string) string { return url[strings.LastIndex(url, ":")+1:] }
	for _, tt := range []struct {
		rule     string
		to       string // same, path, port, name or scheme
		firstTLS bool
		want     []string // Authorization of the requests that arrive, in order
	}{
		{"to another path of the same origin they go along", "path", true, []string{secret, secret}},
		{"to another port they do not", "port", true, []string{secret, ""}},
		{"to another name of the same machine they do not", "name", false, []string{secret, ""}},
		{"from http to https they do not", "scheme", false, []string{secret, ""}},
		{"and back again they stay away", "back", false, []string{secret, "", ""}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			all := &seen{}
			first, config := tlsServer(t, all)
			if !tt.firstTLS {
				first = plainServer(t, all)
			}
			other := plainServer(t, all)
			if tt.firstTLS || tt.to == "scheme" {
				other, _ = tlsServer(t, all)
			}
			target := map[string]string{
				"path": first + "/moved", "port": other + "/moved", "scheme": other + "/moved", "back": other + "/back",
				"name": strings.Replace(first, "127.0.0.1", "localhost", 1) + "/moved",
			}[tt.to]
			all.handle = func(w http.ResponseWriter, r *http.Request) bool {
				to := ""
				switch r.URL.Path {
				case "/golden.deb":
					to = target
				case "/back":
					to = first + "/moved"
				default:
					return false
				}
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
			c, src := fetcher(t, first)
			c.TLS = config
			scheme := "HTTP___"
			if tt.firstTLS {
				scheme = ""
			}
			c.Getenv = env(map[string]string{
				"COMPOSE_AUTH_" + scheme + "127_0_0_1_" + port(first): "user:canary",
				// what is for the other origin is not for who was sent there
				"COMPOSE_AUTH_" + scheme + "127_0_0_1_" + port(other): "user:other",
				"COMPOSE_AUTH_127_0_0_1_" + port(other):               "user:other",
			})
			if err := fetchGolden(t, c, src); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range all.all() {
				got = append(got, r.Header.Get("Authorization"))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestN19(t *testing.T) {
	for rule, spoil := range map[string]func(url string, config *tls.Config) (string, *tls.Config){
		"unknown authority": func(url string, config *tls.Config) (string, *tls.Config) { return url, nil },
		"wrong name": func(url string, config *tls.Config) (string, *tls.Config) {
			return strings.Replace(url, "127.0.0.1", "localhost", 1), config
		},
		"expired": func(url string, config *tls.Config) (string, *tls.Config) {
			config = config.Clone()
			config.Time = func() time.Time { return time.Now().AddDate(100, 0, 0) }
			return url, config
		},
		"no TLS at all": func(url string, config *tls.Config) (string, *tls.Config) {
			return strings.Replace(plainServer(t, &seen{}), "http://", "https://", 1), config
		},
	} {
		t.Run(rule, func(t *testing.T) {
			requests := &seen{}
			url, config := spoil(tlsServer(t, requests))
			fallback := &seen{}
			c, src := fetcher(t, url, plainServer(t, fallback))
			c.TLS = config
			if err := fetchGolden(t, c, src); fault.Of(err) != fault.NetTLS {
				t.Errorf("got %s: %v", fault.Of(err), err)
			}
			if n := len(requests.all()); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
			if n := len(fallback.all()); n != 0 {
				t.Errorf("it was tried again without TLS")
			}
		})
	}
	t.Run("another mirror with TLS may serve", func(t *testing.T) {
		bad, _ := tlsServer(t, &seen{})
		good, config := tlsServer(t, &seen{})
		c, src := fetcher(t, strings.Replace(bad, "127.0.0.1", "localhost", 1), good)
		c.TLS = config
		if err := fetchGolden(t, c, src); err != nil {
			t.Error(err)
		}
	})
}

func TestN20(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	s := serveOn(t, l, good(golden))
	c, src := fetcher(t, s.URL)
	if err := fetchGolden(t, c, src); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{}); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"http://[fe80::1%25eth0]:80/x", "http://[::1]/x"} {
		if _, err := parseURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"http://[::1/x", "http://ex\u0430mple.org/", "http:///x", "http://user@example.org", "ftp://example.org", "file://host/x", "http://example.org:port/", "\x00"} {
		if _, err := parseURL(url); err == nil {
			t.Errorf("%q is taken for an address", url)
		}
	}
}

func TestN21(t *testing.T) {
	proxied := &seen{}
	proxy := plainServer(t, proxied)
	vars := map[string]string{
		"HTTP_PROXY":                             strings.Replace(proxy, "http://", "http://who:canary@", 1),
		"NO_PROXY":                               "direct.example.org",
		"COMPOSE_AUTH_HTTP___MIRROR_EXAMPLE_ORG": "user:password",
	}
	c, src := fetcher(t, "http://mirror.example.org/repo")
	c.Getenv = env(vars)
	if err := fetchGolden(t, c, src); err != nil {
		t.Fatal(err)
	}
	r := proxied.all()[0]
	if r.URL.String() != "http://mirror.example.org/repo/golden.deb" {
		t.Errorf("the proxy was asked for %s", r.URL)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("who:canary")); r.Header.Get("Proxy-Authorization") != want {
		t.Errorf("Proxy-Authorization: %q", r.Header.Get("Proxy-Authorization"))
	}

	direct, src := fetcher(t, "http://direct.example.org:1")
	direct.Getenv = env(vars)
	direct.init()
	u, _ := parseURL(src.URL)
	if p, err := direct.net.proxy(u); p != nil || err != nil {
		t.Errorf("NO_PROXY: %v, %v", p, err)
	}

	dead, src := fetcher(t, "http://mirror.example.org")
	vars["HTTP_PROXY"] = "http://who:canary@127.0.0.1:1"
	dead.Getenv = env(vars)
	err := fetchGolden(t, dead, src)
	if fault.Of(err) != fault.Transfer || !strings.Contains(err.Error(), "by way of the proxy http://127.0.0.1:1") {
		t.Errorf("a dead proxy: %v", err)
	}
	if strings.Contains(errText(err), "canary") {
		t.Errorf("the password is shown: %v", err)
	}

	// A proxy with a page of its own is wrong bytes like any other.
	page := plainServer(t, &seen{handle: func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>denied</html>")
		return true
	}})
	denied, src := fetcher(t, "http://mirror.example.org")
	denied.Getenv = env(map[string]string{"http_proxy": page})
	if err := fetchGolden(t, denied, src); fault.Of(err) != fault.TrustHash || !strings.Contains(err.Error(), "HTML page") {
		t.Errorf("a proxy's own page: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	netrc := filepath.Join(t.TempDir(), "netrc")
	os.WriteFile(netrc, []byte(`
# machine comment.example.org login a password b
machine one.example.org login ann password s3cret
machine two.example.org:8443
	login bob
	password p:w
machine http://three.example.org login eve password x account y
macdef init
machine macro.example.org login a password b

machine one.example.org login second password ignored
machine empty.example.org
default login any password any
`), 0o600)
	vars := map[string]string{
		"NETRC":                              netrc,
		"COMPOSE_AUTH_TOKEN_EXAMPLE_ORG":     "Bearer t0ken",
		"COMPOSE_AUTH_TWO_EXAMPLE_ORG":       "env:wins",
		"COMPOSE_AUTH_HTTP___A_B_ORG_8080":   "plain:http",
		"COMPOSE_AUTH___1_8443":              "six:v",
		"COMPOSE_AUTH_NOCOLON_EXAMPLE_ORG":   "canary",
		"COMPOSE_AUTH_SPLITTING_EXAMPLE_ORG": "a:b\r\nX: canary",
	}
	basicly := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for url, want := range map[string]string{
		"https://one.example.org/x":           basicly("ann:s3cret"),
		"https://ONE.example.org:443/x":       basicly("ann:s3cret"),
		"http://one.example.org/x":            "",
		"https://one.example.org:8443/x":      "",
		"https://sub.one.example.org/x":       "",
		"https://two.example.org:8443/":       basicly("bob:p:w"),
		"https://two.example.org/":            basicly("env:wins"),
		"http://three.example.org/":           basicly("eve:x"),
		"https://three.example.org/":          "",
		"https://macro.example.org/":          "",
		"https://comment.example.org/":        "",
		"https://empty.example.org/":          "",
		"https://anything.example.org/":       "",
		"https://token.example.org/":          "Bearer t0ken",
		"http://token.example.org/":           "",
		"http://a-b.org:8080/":                basicly("plain:http"),
		"https://a-b.org:8080/":               "",
		"https://[::1]:8443/":                 basicly("six:v"),
		"https://nocolon.example.org/":        "error: COMPOSE_AUTH_NOCOLON_EXAMPLE_ORG: want user:password, or bearer TOKEN",
		"https://splitting.example.org/":      "error: COMPOSE_AUTH_SPLITTING_EXAMPLE_ORG: holds a control character",
		"https://one.example.org.evil.org/":   "",
		"https://one.example.org@evil.org/":   "",
		"https://comment.example.org:443/x/y": "",
	} {
		u, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newCredentials(env(vars)).header(u.URL)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
	if len(newCredentials(env(nil)).netrc) != 0 {
		t.Error("credentials come from nowhere")
	}
}

// M-09: a secret reaches the server it is for, and nothing that is shown or
// kept.
func TestM09(t *testing.T) {
	const canary = "canary-5f1d"
	leaky := func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/redirect/golden.deb":
			w.Header().Set("Location", "https://"+canary+":x@example.org/?token="+canary)
			w.WriteHeader(302)
		case "/loop/golden.deb":
			w.Header().Set("Location", "/loop/golden.deb?token="+canary)
			w.WriteHeader(302)
		case "/bad/golden.deb":
			w.Header().Set("Location", "http://[bad?token="+canary)
			w.WriteHeader(302)
		case "/elsewhere/golden.deb":
			w.Header().Set("Location", "http://127.0.0.1:1/?token="+canary)
			w.WriteHeader(302)
		case "/status/golden.deb":
			w.WriteHeader(401)
		case "/cut/golden.deb":
			w.Header().Set("Content-Length", fmt.Sprint(len(golden)))
			w.Write(golden[:100])
		default:
			return false
		}
		return true
	}
	requests := &seen{handle: leaky}
	url := plainServer(t, requests)
	var shown []string
	for _, src := range []string{
		url, url + "/redirect", url + "/loop", url + "/bad", url + "/elsewhere", url + "/status", url + "/cut",
		strings.Replace(url, "http://", "http://u:"+canary+"@", 1), url + "/x?token=" + canary, "http://[" + canary + "/",
		"http://example.org/#" + canary, "http://u:" + canary + "@exa mple.org/",
	} {
		store := cas.NewMem()
		dir := t.TempDir()
		disk, err := cas.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		for _, s := range []cas.Store{store, disk} {
			c, repo := fetcher(t, src)
			c.Store = s
			c.Warn = func(m string) { shown = append(shown, m) }
			c.Getenv = env(map[string]string{
				"COMPOSE_AUTH_HTTP___127_0_0_1_" + url[strings.LastIndex(url, ":")+1:]: "user:" + canary,
				"HTTPS_PROXY": "http://u:" + canary + "@127.0.0.1:1",
			})
			shown = append(shown, errText(fetchGolden(t, c, repo)))
			_, err := c.Get(repo)(t.Context(), "golden.deb", resolve.Promise{})
			shown = append(shown, errText(err))
			_, err = c.Download(t.Context(), src+"/golden.deb", cas.Sum(golden), 1<<20)
			shown = append(shown, errText(err))
		}
		filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			data, _ := os.ReadFile(path)
			shown = append(shown, path+": "+string(data))
			return err
		})
	}
	for _, text := range shown {
		if strings.Contains(text, canary) {
			t.Errorf("shown: %.300s", text)
		}
	}
	reached := slices.ContainsFunc(requests.all(), func(r *http.Request) bool {
		_, password, ok := r.BasicAuth()
		return ok && password == canary
	})
	if !reached {
		t.Error("the secret never reached the server that it is for")
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"http://example.org/a%20b/c":          "http://example.org/a%20b/c",
		"http://user:secret@example.org/x":    "http://example.org/x",
		"http://example.org/x?token=secret":   "http://example.org/x?…",
		"http://example.org/x#secret":         "http://example.org/x",
		"http://user:secret@exa mple.org/x":   "http:…",
		"secretsecret":                        "secretsecret",
		"mailto:secret@example.org":           "mailto:…",
		"file:///srv/x":                       "file:///srv/x",
		"https://[::1]:8443/":                 "https://[::1]:8443/",
		"averylongscheme-secret://\x01/":      ":…",
		"http://example.org/%zz?token=secret": "http:…",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// D-11: a path is one of the repository's own files, also of a local one.
func TestD11(t *testing.T) {
	_, dir := tree(t, map[string]string{"repo/x": "x", "secret": "s"})
	for _, base := range []string{"file://" + dir + "/repo", serve(t, good(golden)).URL} {
		c, src := fetcher(t, base)
		for _, path := range []string{"", "../secret", "/etc/passwd", "a/../../secret", "http://example.org/x", "//example.org/x", "x?y", "x#y", "%2e%2e/secret", "a//b", "./x", "a\\b", "x\n"} {
			_, err := c.Get(src)(t.Context(), path, resolve.Promise{})
			if fault.Of(err) != fault.TrustPath {
				t.Errorf("Get %q: %v", path, err)
			}
			_, err = c.Packages(t.Context(), []Item{{Source: src, Path: path, Size: 1, Check: resolve.Check{SHA256: cas.Sum([]byte("s"))}}})
			if fault.Of(err) != fault.TrustPath {
				t.Errorf("Packages %q: %v", path, err)
			}
		}
	}
}

// T-16: whatever mirror answers, and by whatever way, the bytes are held to
// one digest.
func TestT16(t *testing.T) {
	wrongBytes := flipped(1000)
	_, dir := tree(t, map[string]string{"golden.deb": string(wrongBytes)})
	for _, second := range []string{"file://" + dir, serve(t, good(wrongBytes)).URL} {
		c, src := fetcher(t, serve(t, status(404)).URL, second)
		if err := fetchGolden(t, c, src); err == nil {
			t.Errorf("%s: wrong bytes were taken", second)
		}
		if _, err := c.Get(src)(t.Context(), "golden.deb", resolve.Promise{Size: int64(len(golden)), SHA256: cas.Sum(golden)}); err == nil {
			t.Errorf("%s: wrong bytes were taken", second)
		}
	}
}

// Offline, nothing is dialled: neither for what is missing nor for what is
// there.
func TestOffline(t *testing.T) {
	s := serve(t, good(golden))
	c, src := fetcher(t, s.URL)
	if err := fetchGolden(t, c, src); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(src)(t.Context(), "InRelease", resolve.Promise{}); err != nil {
		t.Fatal(err)
	}
	asked := s.count()
	off, src := fetcher(t, s.URL)
	off.Store, off.Offline = c.Store, true
	if err := fetchGolden(t, off, src); err != nil {
		t.Errorf("a package that is there: %v", err)
	}
	if got, err := off.Get(src)(t.Context(), "InRelease", resolve.Promise{}); err != nil || !bytes.Equal(got, golden) {
		t.Errorf("an index that was there: %d bytes, %v", len(got), err)
	}
	item := Item{Source: src, Path: "none.deb", Size: 4, Check: resolve.Check{SHA256: cas.Sum([]byte("none"))}, Name: "none 1"}
	_, err := off.Packages(t.Context(), slices.Repeat([]Item{item}, 7))
	if fault.Of(err) != fault.Offline || !strings.Contains(err.Error(), "none 1 ("+item.Check.SHA256.String()+")") || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("a package that is missing: %v", err)
	}
	for _, p := range []resolve.Promise{{}, promise("none")} {
		if _, err := off.Get(src)(t.Context(), "none", p); fault.Of(err) != fault.Offline || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("a file that is missing: %v", err)
		}
	}
	if _, err := off.Download(t.Context(), s.URL+"/key", cas.Sum([]byte("none")), 10); fault.Of(err) != fault.Offline {
		t.Errorf("a download that is missing: %v", err)
	}
	if s.count() != asked {
		t.Error("the server was asked")
	}
	_, dir := tree(t, map[string]string{"none.deb": "none"})
	item.Source.URL = "file://" + dir
	if _, err := off.Packages(t.Context(), []Item{item}); err != nil {
		t.Errorf("a file of this machine: %v", err)
	}
}

// A file that only a format can check is checked by it, once.
func TestVerify(t *testing.T) {
	bad, right := serve(t, good(flipped(5))), serve(t, good(golden))
	c, src := fetcher(t, bad.URL, right.URL)
	verified := 0
	item := Item{Source: src, Path: "golden.apk", Size: int64(len(golden)), Check: resolve.Check{Control: []byte("sha1")}, Name: "golden 1",
		Verify: func(r io.Reader) error {
			verified++
			var b bytes.Buffer
			if _, err := b.ReadFrom(r); err != nil {
				return err
			}
			if !bytes.Equal(b.Bytes(), golden) {
				return fault.New(fault.TrustHash, "data sha256 is another")
			}
			return nil
		}}
	for range 2 {
		refs, err := c.Packages(t.Context(), []Item{item})
		if err != nil || refs[0].Digest != cas.Sum(golden) {
			t.Fatalf("%v, %v", refs, err)
		}
	}
	if bad.count() != 2 || right.count() != 1 || verified != 3 {
		t.Errorf("asked %d and %d times, verified %d times", bad.count(), right.count(), verified)
	}
	other := item
	other.Source.Name = "other"
	other.Source.URL = bad.URL
	other.Check.Control = []byte("none")
	if _, err := c.Packages(t.Context(), []Item{other}); fault.Of(err) != fault.TrustHash || !strings.Contains(err.Error(), "data sha256 is another") {
		t.Errorf("got %s: %v", fault.Of(err), err)
	}
}

// Many packages: results stand by index, a file is fetched once, and the
// first error by index is the one that is told.
func TestManyPackages(t *testing.T) {
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("p%d.deb", i)] = strings.Repeat(fmt.Sprintf("package %d\n", i), i+1)
	}
	url, _ := tree(t, files)
	dir := t.TempDir()
	store, err := cas.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var mu sync.Mutex
	counts := map[string]int{}
	front := plainServer(t, &seen{handle: func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		counts[r.URL.Path]++
		mu.Unlock()
		resp, err := http.Get(url + r.URL.Path)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		w.WriteHeader(resp.StatusCode)
		w.Write(b.Bytes())
		return true
	}})
	var items []Item
	for _, name := range slices.Sorted(maps.Keys(files)) {
		items = append(items, Item{Source: resolve.Source{Name: "test", URL: front}, Path: name, Size: int64(len(files[name])),
			Check: resolve.Check{SHA256: cas.Sum([]byte(files[name]))}, Name: name})
	}
	items = append(items, items...)
	var clients sync.WaitGroup
	for range 4 { // they share the store
		clients.Go(func() {
			c, _ := fetcher(t, front)
			c.Store = store
			refs, err := c.Packages(context.Background(), items)
			if err != nil {
				t.Error(err)
				return
			}
			for i, r := range refs {
				if r.Digest != items[i].Check.SHA256 {
					t.Errorf("item %d: %v", i, r)
				}
			}
		})
	}
	clients.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	if total > len(files)*5/4 { // a lock that goes away may let one more through
		t.Errorf("%d downloads of %d files", total, len(files))
	}
	bad := slices.Clone(items[:20])
	bad[7].Path, bad[7].Check.SHA256, bad[7].Name = "gone7", cas.Sum([]byte("7")), "gone7"
	c, _ := fetcher(t, front)
	if _, err := c.Packages(t.Context(), bad); fault.Of(err) != fault.Transfer || !strings.Contains(err.Error(), "gone7") {
		t.Errorf("got %v", err)
	}
}

// An interrupted fetch ends at once, with the reason.
func TestCancelled(t *testing.T) {
	c, src := fetcher(t, serve(t, stall(10)).URL)
	c.Limits = Limits{}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := fmt.Errorf("interrupted")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	start := time.Now()
	_, err := c.Get(src)(ctx, "InRelease", resolve.Promise{})
	if err != reason || time.Since(start) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

var quiet = log.New(io.Discard, "", 0)
