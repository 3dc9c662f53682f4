package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/net/http/httpproxy"

	"compose/internal/fault"
)

// A network sends requests. It follows redirects itself, since a library
// would take credentials and cookies to places that they are not for.
type network struct {
	limits Limits
	proxy  func(*url.URL) (*url.URL, error)
	auth   *credentials
	direct *http.Transport
	// away carries redirects, which may lead to public addresses, and to
	// those of the kind that the first address was of.
	away map[kind]*http.Transport

	mu   sync.Mutex
	down map[string]bool // origins that could not be reached
}

func newNetwork(l Limits, config *tls.Config, getenv func(string) string, jobs int) *network {
	either := func(name string) string {
		if v := getenv(strings.ToLower(name)); v != "" {
			return v
		}
		return getenv(name)
	}
	proxies := httpproxy.Config{HTTPProxy: either("HTTP_PROXY"), HTTPSProxy: either("HTTPS_PROXY"), NoProxy: either("NO_PROXY")}
	n := &network{
		limits: l, proxy: proxies.ProxyFunc(), auth: newCredentials(getenv),
		away: map[kind]*http.Transport{}, down: map[string]bool{},
	}
	transport := func(guard func(network, address string, c syscall.RawConn) error) *http.Transport {
		return &http.Transport{
			Proxy:                  func(r *http.Request) (*url.URL, error) { return n.proxy(r.URL) },
			DialContext:            (&net.Dialer{Timeout: l.Connect, Control: guard}).DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    l.Connect,
			ResponseHeaderTimeout:  l.Header,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    jobs,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // what is hashed is what was sent
			ForceAttemptHTTP2:      true,
		}
	}
	n.direct = transport(nil)
	for _, k := range []kind{public, loopback, private, linkLocal} {
		n.away[k] = transport(k.guard)
	}
	return n
}

func (n *network) close() {
	n.direct.CloseIdleConnections()
	for _, t := range n.away {
		t.CloseIdleConnections()
	}
}

// A kind is a kind of network address.
type kind int

const (
	public kind = iota
	loopback
	private
	linkLocal
)

func (k kind) String() string {
	return [...]string{"public", "loopback", "private", "link-local"}[k]
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

func kindOf(a netip.Addr) kind {
	a = a.Unmap()
	switch {
	case a.IsLoopback(), a.IsUnspecified():
		return loopback
	case a.IsPrivate(), carrierNAT.Contains(a):
		return private
	case a.IsLinkLocalUnicast(), a.IsMulticast():
		return linkLocal
	}
	return public
}

// kindOfHost is the kind of a host that is written as an address; a name is
// taken to be public.
func kindOfHost(host string) kind {
	if a, err := netip.ParseAddr(host); err == nil {
		return kindOf(a)
	}
	if h := strings.ToLower(strings.TrimSuffix(host, ".")); h == "localhost" || strings.HasSuffix(h, ".localhost") {
		return loopback
	}
	return public
}

// guard refuses to connect to an address that a redirect must not lead to
// (threats.md N-12). It sees the address that the name was resolved to.
func (k kind) guard(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return k.leadsTo(kindOf(ap.Addr()))
}

// leadsTo judges a redirect from an address of kind k to one of kind to.
func (k kind) leadsTo(to kind) error {
	if to == public || to == k {
		return nil
	}
	return fault.New(fault.NetRedirect, "redirect from a %v to a %v address refused", k, to)
}

// send asks for u and follows its redirects.
func (n *network) send(ctx context.Context, u *url.URL, header http.Header) (*http.Response, error) {
	const maxHops = 5
	first, from := u, kindOfHost(u.Hostname())
	trusted := true // we have not left the first origin
	var seen []string
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("%q: not a URL", Redact(u.String()))
		}
		req.Header = header.Clone()
		if trusted = trusted && origin(u) == origin(first); trusted {
			v, err := n.auth.header(u)
			if err != nil {
				return nil, err
			}
			if v != "" {
				req.Header.Set("Authorization", v)
			}
		}
		resp, err := n.roundTrip(req, len(seen) > 0, &from)
		if err != nil {
			return nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		resp.Body.Close()
		next, err := target(u, resp.Header["Location"])
		if err != nil {
			return nil, err
		}
		seen = append(seen, u.String())
		if slices.Contains(seen, next.String()) {
			return nil, fault.New(fault.NetRedirect, "redirect comes back to %s", Redact(next.String()))
		}
		if len(seen) > maxHops {
			return nil, fault.New(fault.NetRedirect, "more than %d redirects", maxHops)
		}
		u = next
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// target is where a redirect from u leads (threats.md N-10, N-11, N-14).
func target(u *url.URL, location []string) (*url.URL, error) {
	if len(location) != 1 {
		return nil, fault.New(fault.NetRedirect, "redirect with %d addresses, not one", len(location))
	}
	next, err := u.Parse(location[0])
	if err != nil || strings.ContainsFunc(location[0]+next.Path, unicode.IsControl) {
		return nil, fault.New(fault.NetRedirect, "redirect to something that is no URL")
	}
	switch {
	case u.Scheme == "https" && next.Scheme == "http":
		return nil, fault.New(fault.NetDowngrade, "redirect from https to http refused before the request was sent")
	case next.Scheme != "http" && next.Scheme != "https":
		return nil, fault.New(fault.NetRedirect, "redirect to scheme %q refused", next.Scheme)
	case next.User != nil:
		return nil, fault.New(fault.NetRedirect, "redirect to an address with credentials refused")
	case next.Hostname() == "" || !asciiOnly(next.Host):
		return nil, fault.New(fault.NetRedirect, "redirect to host %q refused", next.Host)
	}
	next.Fragment = ""
	return next, nil
}

// roundTrip sends one request. The first of a chain goes wherever the user
// wants it to go, and tells what kind of address that was.
func (n *network) roundTrip(req *http.Request, redirected bool, from *kind) (*http.Response, error) {
	proxy, err := n.proxy(req.URL)
	if err != nil {
		return nil, fault.New(fault.Usage, "proxy for %s: its address is not a URL", req.URL.Host)
	}
	via := n.direct
	switch {
	case redirected && proxy != nil: // the proxy connects: all we can judge is how the host is written
		if err := from.leadsTo(kindOfHost(req.URL.Hostname())); err != nil {
			return nil, err
		}
	case redirected:
		via = n.away[*from]
	case proxy == nil:
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			GotConn: func(i httptrace.GotConnInfo) {
				if ap, err := netip.ParseAddrPort(i.Conn.RemoteAddr().String()); err == nil {
					*from = kindOf(ap.Addr())
				}
			},
		}))
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return nil, wireError(req, proxy, err)
	}
	return resp, nil
}

// A temporary is an error that may be gone at the next try.
type temporary struct {
	err   error
	after time.Duration // how long the server asked us to wait; 0: it did not
	dial  bool          // nobody was there
}

func (e *temporary) Error() string { return e.err.Error() }
func (e *temporary) Unwrap() error { return e.err }

// wireError words what went wrong before an answer came.
func wireError(req *http.Request, proxy *url.URL, err error) error {
	if cause := context.Cause(req.Context()); cause != nil {
		return cause
	}
	if refused, ok := errors.AsType[*fault.Error](err); ok {
		return refused
	}
	text := printable(err.Error())
	if proxy != nil {
		text += " (by way of the proxy " + proxy.Scheme + "://" + proxy.Host + ")"
	}
	if isTLS(err) {
		return fault.New(fault.NetTLS, "%s", text)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return &unreachable{errors.New(text)}
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &temporary{err: errors.New(text), dial: ok && (op.Op == "dial" || op.Op == "proxyconnect") || isTimeout(err)}
}

// An unreachable is the error of a host that does not exist.
type unreachable struct{ err error }

func (e *unreachable) Error() string { return e.err.Error() }

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// isTLS reports whether the other side is not who it should be, or speaks no
// TLS: nothing that trying again would change (threats.md N-19).
func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// printable is text from outside on one line, with nothing that could steer a
// terminal.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// livingFirst are the addresses in their order, but those of hosts that could
// not be reached before last.
func (n *network) livingFirst(bases []string) []string {
	var living, dead []string
	for _, b := range bases {
		if n.isDown(b) {
			dead = append(dead, b)
		} else {
			living = append(living, b)
		}
	}
	return append(living, dead...)
}

func (n *network) isDown(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down[origin(u)]
}

func (n *network) setDown(u *url.URL, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if down {
		n.down[origin(u)] = true
	} else {
		delete(n.down, origin(u))
	}
}
