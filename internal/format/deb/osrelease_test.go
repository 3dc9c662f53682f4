package deb

import (
	"strings"
	"testing"

	"compose/resolve"
)

func TestOSRelease(t *testing.T) {
	for rule, c := range map[string]struct {
		sources []resolve.Source
		want    string // a line; "": there is no text
	}{
		"the release is that of the archive":     {[]resolve.Source{{Mirror: "debian", Suites: []string{"trixie", "trixie-updates"}}}, `VERSION_ID="13"`},
		"security updates have it too":           {[]resolve.Source{{Mirror: "debian-security", Suites: []string{"bookworm-security"}}}, "VERSION_CODENAME=bookworm"},
		"so does a snapshot":                     {[]resolve.Source{{Mirror: "debian-snapshot", Suites: []string{"trixie"}}}, `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"`},
		"an archive of others does not":          {[]resolve.Source{{Suites: []string{"trixie"}}}, ""},
		"the first of Debian's decides":          {[]resolve.Source{{Suites: []string{"sid"}}, {Mirror: "debian", Suites: []string{"forky"}}}, `VERSION="14 (forky)"`},
		"a suite that moves names no release":    {[]resolve.Source{{Mirror: "debian", Suites: []string{"stable"}}}, ""},
		"sid has a name":                         {[]resolve.Source{{Mirror: "debian", Suites: []string{"unstable"}}}, "VERSION_CODENAME=sid"},
		"the distribution has a name for others": {[]resolve.Source{{Mirror: "debian", Suites: []string{"sid"}}}, "ID=debian"},
	} {
		text := string(Format{}.OSRelease(c.sources))
		if (text == "") != (c.want == "") || !strings.Contains("\n"+text, "\n"+c.want) {
			t.Errorf("%s: %q, want %q", rule, text, c.want)
		}
		if strings.Contains(text, "sid") && strings.Contains(text, "VERSION_ID") {
			t.Errorf("%s: sid with a number: %q", rule, text)
		}
	}
}
