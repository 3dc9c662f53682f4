package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"compose/internal/fault"
	"compose/resolve"
)

// archives are the archives that have mirrors, by the name that --mirror uses
// for them, with the address that a short form stands for.
var archives = map[string]string{
	"debian":          "http://ftp.debian.org/debian",
	"debian-security": "http://ftp.debian.org/debian-security",
	"alpine":          "https://dl-cdn.alpinelinux.org/alpine",
	"debian-snapshot": "http://snapshot.debian.org/archive",
}

// archive finds the archive that src belongs to, and where in it src lies:
// "alpine" and "/v3.22/main". No name means that src has no mirrors.
func archive(src resolve.Source) (name, rest string) {
	base, ok := archives[src.Mirror]
	if rest, below := strings.CutPrefix(src.URL, base); ok && below && (rest == "" || rest[0] == '/') {
		return src.Mirror, rest
	}
	return "", ""
}

// bases are the addresses to try for src, best first (DESIGN.md part 6): what
// --mirror says, what the environment says, for Debian's default address what
// the host's own apt uses, and the address itself.
func (c *Client) bases(src resolve.Source) ([]string, error) {
	name, rest := archive(src)
	var list []string
	if _, reserved := archives[src.Name]; !reserved {
		list = append(list, c.overrides(src.Name)...)
	}
	if name != "" {
		for _, m := range c.overrides(name) {
			list = append(list, m+rest)
		}
		if name == "debian" || name == "debian-security" {
			for _, m := range c.hostMirrors(name, src.Suites) {
				list = append(list, m+rest)
			}
		}
	}
	list = append(list, src.URL)
	var unique []string
	for _, base := range list {
		if err := checkBase(base); err != nil {
			return nil, fault.New(fault.Usage, "repository %q: %w", src.Name, err)
		}
		if !slices.Contains(unique, base) {
			unique = append(unique, base)
		}
	}
	return unique, nil
}

// overrides are the addresses that the command line and the environment name
// for an archive or a repository.
func (c *Client) overrides(name string) []string {
	variable := "COMPOSE_MIRROR_" + shout(name)
	var list []string
	for _, m := range slices.Concat(c.Mirrors[name], strings.Fields(c.getenv(variable))) {
		if !strings.Contains(m, "://") {
			m = folderURL(m)
		}
		list = append(list, strings.TrimRight(m, "/"))
	}
	return list
}

// shout is a name as part of an environment variable: upper case, and _ for
// anything but a letter or a digit.
func shout(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

func folderURL(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

func isFile(base string) bool { return strings.HasPrefix(base, "file:") }

// local are the addresses that need no socket.
func local(bases []string) []string {
	var list []string
	for _, b := range bases {
		if isFile(b) {
			list = append(list, b)
		}
	}
	return list
}

// checkBase refuses an address that cannot be a mirror, or that says more
// than where it is. It repeats nothing that could be a secret.
func checkBase(base string) error {
	u, err := parseURL(base)
	if err != nil {
		return err
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q: the address of a repository has no query and no fragment", Redact(base))
	}
	return nil
}

// parseURL reads an address that a person wrote.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%q: not a URL", Redact(s))
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%q: credentials do not belong in a URL; they go in ~/.netrc or %s", Redact(s), authVariable(u))
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && u.Path != "":
		return u, nil
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q: want http, https or file", Redact(s))
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q: has no host", Redact(s))
	case !asciiOnly(u.Host):
		return nil, fmt.Errorf("%q: write the host in its ASCII form, xn--…", Redact(s))
	}
	return u, nil
}

func asciiOnly(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// Redact is an address fit to be shown: without credentials, and without its
// query, which may hold some.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		if len(scheme) > 5 {
			scheme = ""
		}
		return scheme + ":…"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.Opaque != "" {
		return u.Scheme + ":…"
	}
	if u.RawQuery != "" || u.ForceQuery {
		return shown.String() + "?…"
	}
	return shown.String()
}

// join is the address of a file of a repository. A plus sign is escaped for
// servers that take it for a space.
func join(base, path string) string {
	if path == "" {
		return base
	}
	if !isFile(base) {
		path = strings.ReplaceAll(path, "+", "%2B")
	}
	return strings.TrimRight(base, "/") + "/" + path
}

// filePath is the path that a file:// address names.
func filePath(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Path == "" {
		return "", errors.New("not a file:// URL")
	}
	return filepath.FromSlash(u.Path), nil
}
