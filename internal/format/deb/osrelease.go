package deb

import (
	"fmt"
	"slices"
	"strings"

	"compose/resolve"
)

// numbers of Debian's releases, by codename. Sid has none.
var numbers = map[string]string{"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15", "sid": ""}

// OSRelease is the text of os-release(5) that names the release of Debian
// which the sources belong to: as base-files has it, without the point
// release and the addresses. It is nil where none of them is of Debian's
// archive, or names its suite by a word such as stable, whose release moves.
func (Format) OSRelease(sources []resolve.Source) []byte {
	for _, s := range sources {
		if !slices.Contains([]string{"debian", "debian-security", "debian-snapshot"}, s.Mirror) {
			continue
		}
		for _, suite := range s.Suites {
			codename := release(strings.TrimSuffix(suite, "-security"))
			if is, ok := rolling[codename]; ok {
				codename = is
			}
			if number, ok := numbers[codename]; ok {
				return osRelease(codename, number)
			}
		}
	}
	return nil
}

func osRelease(codename, number string) []byte {
	const form = "PRETTY_NAME=\"Debian GNU/Linux %s\"\nNAME=\"Debian GNU/Linux\"\n%sVERSION_CODENAME=%s\nID=debian\n"
	if number == "" {
		return fmt.Appendf(nil, form, codename, "", codename)
	}
	version := fmt.Sprintf("%s (%s)", number, codename)
	return fmt.Appendf(nil, form, version, fmt.Sprintf("VERSION_ID=%q\nVERSION=%q\n", number, version), codename)
}
