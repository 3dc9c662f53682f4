package fetch

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"compose/internal/fault"
)

// Credentials for a private repository come from two places, and never from a
// URL:
//
//   - COMPOSE_AUTH_<HOST>, the host in upper case with _ for anything that is
//     no letter or digit: COMPOSE_AUTH_PACKAGES_EXAMPLE_ORG for
//     https://packages.example.org, …_ORG_8443 with a port. Its value is
//     user:password, or "bearer TOKEN". It is for https; one for plain http
//     has to say so: COMPOSE_AUTH_HTTP___PACKAGES_EXAMPLE_ORG.
//   - the file that NETRC names, or ~/.netrc, as curl and apt read it. A
//     machine is for https unless it says http://, and for the scheme's own
//     port unless it names one.
//
// They are sent to that scheme, host and port, and not along with a redirect
// to any other.

// origin is what credentials are bound to: scheme://host:port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// authVariable is the environment variable that holds credentials for u.
func authVariable(u *url.URL) string {
	name := strings.ToLower(u.Hostname())
	if p := u.Port(); p != "" && p != defaultPort(u.Scheme) {
		name += ":" + p
	}
	if u.Scheme == "http" {
		name = "http://" + name
	}
	return "COMPOSE_AUTH_" + shout(name)
}

// credentials are the Authorization headers that were found, by origin.
type credentials struct {
	getenv func(string) string
	netrc  map[string]string
}

func newCredentials(getenv func(string) string) *credentials {
	path := getenv("NETRC")
	if home := getenv("HOME"); path == "" && home != "" {
		path = filepath.Join(home, ".netrc")
	}
	c := &credentials{getenv: getenv}
	if data, err := os.ReadFile(path); err == nil {
		c.netrc = parseNetrc(string(data))
	}
	return c
}

// header is the Authorization header for u, or "".
func (c *credentials) header(u *url.URL) (string, error) {
	name := authVariable(u)
	v := c.getenv(name)
	if v == "" {
		if h, ok := c.netrc[origin(u)]; ok {
			return h, nil
		}
		return "", nil
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fault.New(fault.Usage, "%s: holds a control character", name)
	}
	if len(v) > 7 && strings.EqualFold(v[:7], "bearer ") {
		return "Bearer " + strings.TrimSpace(v[7:]), nil
	}
	user, password, ok := strings.Cut(v, ":")
	if !ok {
		return "", fault.New(fault.Usage, "%s: want user:password, or bearer TOKEN", name)
	}
	return basic(user, password), nil
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// parseNetrc reads netrc(5). The first entry for an origin counts; default,
// which is for any host, is not used.
func parseNetrc(text string) map[string]string {
	found := map[string]string{}
	var machine, login, password string
	flush := func() {
		u, err := url.Parse(machineURL(machine))
		if machine != "" && (login != "" || password != "") && err == nil && u.Host != "" {
			if _, ok := found[origin(u)]; !ok {
				found[origin(u)] = basic(login, password)
			}
		}
		machine, login, password = "", "", ""
	}
	words := netrcWords(text)
	for i := 0; i < len(words); i++ {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch words[i] {
		case "machine":
			flush()
			machine = next
			i++
		case "default":
			flush()
		case "login":
			login = next
			i++
		case "password":
			password = next
			i++
		case "account":
			i++
		}
	}
	flush()
	return found
}

func machineURL(machine string) string {
	if strings.HasPrefix(machine, "http://") || strings.HasPrefix(machine, "https://") {
		return machine
	}
	return "https://" + machine
}

// netrcWords are the words of the file without comments and macros.
func netrcWords(text string) []string {
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case macro:
			macro = len(f) > 0 // an empty line ends it
		case len(f) > 0 && f[0] == "macdef":
			macro = true
		case len(f) > 0 && !strings.HasPrefix(f[0], "#"):
			words = append(words, f...)
		}
	}
	return words
}
