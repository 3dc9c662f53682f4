package apk

import (
	"strings"
	"testing"

	"compose/resolve"
)

func TestOSRelease(t *testing.T) {
	const archive = "https://dl-cdn.alpinelinux.org/alpine/"
	for rule, c := range map[string]struct {
		source resolve.Source
		want   string // a line; "": there is no text
	}{
		"the release stands in the address":  {resolve.Source{Mirror: "alpine", URL: archive + "v3.22/main"}, "VERSION_ID=3.22"},
		"edge has a name and no number":      {resolve.Source{Mirror: "alpine", URL: archive + "edge/main"}, `PRETTY_NAME="Alpine Linux edge"`},
		"plain http is the same archive":     {resolve.Source{Mirror: "alpine", URL: "http" + archive[5:] + "v3.19/community"}, "VERSION_ID=3.19"},
		"another folder is no release":       {resolve.Source{Mirror: "alpine", URL: archive + "latest-stable/main"}, ""},
		"an archive of others tells nothing": {resolve.Source{URL: "https://packages.example.org/alpine/v3.22/main"}, ""},
	} {
		text := string(Format{}.OSRelease([]resolve.Source{{URL: "https://packages.example.org/os"}, c.source}))
		if (text == "") != (c.want == "") || !strings.Contains("\n"+text, "\n"+c.want+"\n") && c.want != "" {
			t.Errorf("%s: %q, want %q", rule, text, c.want)
		}
		if strings.Contains(c.want, "edge") && strings.Contains(text, "VERSION_ID") {
			t.Errorf("%s: edge with a number: %q", rule, text)
		}
	}
}
