package fetch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hostMirrors are the mirrors that the host's own apt takes the archive from,
// in its order; suites are those that we are about to read.
func (c *Client) hostMirrors(name string, suites []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := name + " " + strings.Join(suites, " ")
	if list, ok := c.hosts[key]; ok {
		return list
	}
	var list []string
	for _, e := range aptEntries(c.Root) {
		if !e.serves(name, suites) {
			continue
		}
		for _, uri := range e.uris {
			uri = strings.TrimRight(uri, "/")
			if checkBase(uri) == nil && !slices.Contains(list, uri) {
				list = append(list, uri)
			}
		}
	}
	if c.hosts == nil {
		c.hosts = map[string][]string{}
	}
	c.hosts[key] = list
	return list
}

// An aptEntry is one entry of sources.list(5).
type aptEntry struct {
	uris, suites, components []string
	signedBy                 string
}

// aptEntries reads the host's /etc/apt. What cannot be read or makes no sense
// is left out: it is apt's to complain.
func aptEntries(root string) []aptEntry {
	etc := filepath.Join("/", root, "etc/apt")
	parts, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	slices.Sort(parts)
	var list []aptEntry
	for _, path := range append([]string{filepath.Join(etc, "sources.list")}, parts...) {
		data, err := os.ReadFile(path)
		switch {
		case err != nil:
		case strings.HasSuffix(path, ".list"):
			list = append(list, parseList(string(data))...)
		case strings.HasSuffix(path, ".sources"):
			list = append(list, parseSources(string(data))...)
		}
	}
	return list
}

// parseList reads the one-line form: deb [ option=value … ] uri suite component…
func parseList(text string) []aptEntry {
	var list []aptEntry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t[") {
			continue
		}
		var e aptEntry
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			options, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			for _, o := range strings.Fields(options) {
				if v, ok := strings.CutPrefix(o, "signed-by="); ok {
					e.signedBy = v
				}
			}
			rest = after
		}
		if f := strings.Fields(rest); len(f) >= 3 {
			e.uris, e.suites, e.components = f[:1], f[1:2], f[2:]
			list = append(list, e)
		}
	}
	return list
}

// parseSources reads the deb822 form.
func parseSources(text string) []aptEntry {
	var list []aptEntry
	fields := map[string]string{}
	last := ""
	flush := func() {
		e := aptEntry{
			uris: strings.Fields(fields["uris"]), suites: strings.Fields(fields["suites"]),
			components: strings.Fields(fields["components"]), signedBy: strings.TrimSpace(fields["signed-by"]),
		}
		on := strings.ToLower(strings.TrimSpace(fields["enabled"]))
		if slices.Contains(strings.Fields(fields["types"]), "deb") && !slices.Contains([]string{"no", "false", "off", "0", "without", "disable"}, on) {
			list = append(list, e)
		}
		fields, last = map[string]string{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += "\n" + strings.TrimSpace(line)
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(name)
			fields[last] = value
		}
	}
	flush()
	return list
}

// debianSuites are the names that Debian's archive uses, so that the
// repository of another distribution or of a vendor is not taken for a mirror
// of it.
var debianSuites = []string{
	"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid", "experimental",
	"buster", "bullseye", "bookworm", "trixie", "forky", "duke",
}

// serves reports whether e is a mirror of the Debian archive of that name.
// Vendors use Debian's suite names too, but their entries are signed by their
// own key or have other components.
func (e aptEntry) serves(name string, suites []string) bool {
	if !slices.Contains(e.components, "main") {
		return false
	}
	if e.signedBy != "" && !strings.Contains(filepath.Base(e.signedBy), "debian-archive") {
		return false
	}
	for _, s := range e.suites {
		base, security := strings.CutSuffix(s, "-security")
		if before, ok := strings.CutSuffix(s, "/updates"); ok {
			base, security = before, true
		}
		for _, pocket := range []string{"-updates", "-backports", "-proposed-updates"} {
			base = strings.TrimSuffix(base, pocket)
		}
		known := slices.Contains(debianSuites, base) || slices.Contains(suites, s)
		if known && security == (name == "debian-security") {
			return true
		}
	}
	return false
}
