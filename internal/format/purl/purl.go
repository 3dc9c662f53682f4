// Package purl writes package URLs (github.com/package-url/purl-spec) of
// operating system packages.
package purl

import (
	"strings"

	"compose/resolve"
)

// Of is the package URL of p, of the type deb or apk. distro is ID-VERSION_ID
// of the image's os-release, or ""; its ID is the namespace, and where there
// is none, id is.
func Of(kind, id string, p resolve.Locked, distro string) string {
	if name, _, _ := strings.Cut(distro, "-"); name != "" {
		id = name
	}
	s := "pkg:" + kind + "/" + encode(id) + "/" + encode(strings.ToLower(p.Name)) + "@" + encode(p.Version) + "?arch=" + encode(p.Arch)
	if distro != "" {
		s += "&distro=" + encode(distro)
	}
	return s
}

// encode writes all but the unreserved characters of RFC 3986 and the colon,
// which the specification leaves as it is, in percent-encoding.
func encode(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~:", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
