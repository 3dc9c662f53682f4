package apk

import (
	"compose/internal/format/purl"
	"compose/resolve"
)

// PURL is the package URL of p.
func (Format) PURL(p resolve.Locked, distro string) string {
	return purl.Of("apk", "alpine", p, distro)
}
