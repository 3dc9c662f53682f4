package apk

import (
	"fmt"
	"strings"

	"compose/resolve"
)

// OSRelease is the text of os-release(5) that names the release of Alpine
// which the first source of Alpine's archive belongs to: as alpine-release
// has it, without the point release and the addresses. It is nil where none
// of them is of that archive.
func (Format) OSRelease(sources []resolve.Source) []byte {
	for _, s := range sources {
		_, path, ok := strings.Cut(s.URL, strings.TrimPrefix(alpineURL, "https:")+"/")
		if s.Mirror != "alpine" || !ok {
			continue
		}
		release, _, _ := strings.Cut(path, "/")
		const form = "NAME=\"Alpine Linux\"\nID=alpine\n%sPRETTY_NAME=\"Alpine Linux %s\"\n"
		if _, ok := minor(release); ok {
			return fmt.Appendf(nil, form, "VERSION_ID="+strings.TrimPrefix(release, "v")+"\n", release)
		}
		if release == "edge" {
			return fmt.Appendf(nil, form, "", release)
		}
	}
	return nil
}
