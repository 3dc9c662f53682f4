package purl

import (
	"testing"

	"compose/resolve"

	"github.com/package-url/packageurl-go"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		rule, kind, id        string
		name, version, distro string
		want                  string
	}{
		{"a package and its distribution", "deb", "debian", "curl", "8.14.1-2", "debian-13", "pkg:deb/debian/curl@8.14.1-2?arch=amd64&distro=debian-13"},
		{"an epoch stays in the version, a plus is encoded, a tilde is not", "deb", "debian", "libstdc++6", "1:14.2.0+ds-19~bpo", "debian-13",
			"pkg:deb/debian/libstdc%2B%2B6@1:14.2.0%2Bds-19~bpo?arch=amd64&distro=debian-13"},
		{"the namespace follows the distribution", "apk", "alpine", "zlib", "1.3-r0", "wolfi-20230201", "pkg:apk/wolfi/zlib@1.3-r0?arch=amd64&distro=wolfi-20230201"},
		{"a distribution without os-release is named by its format", "apk", "alpine", "zlib", "1.3-r0", "", "pkg:apk/alpine/zlib@1.3-r0?arch=amd64"},
		{"what a version must not hold cannot break out of it", "apk", "alpine", "zlib", "1?arch=x#y/z@\n", "", "pkg:apk/alpine/zlib@1%3Farch%3Dx%23y%2Fz%40%0A?arch=amd64"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got := Of(tt.kind, tt.id, resolve.Locked{Name: tt.name, Version: tt.version, Arch: "amd64"}, tt.distro)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			u, err := packageurl.FromString(got)
			if err != nil {
				t.Fatal(err)
			}
			if u.Name != tt.name || u.Version != tt.version || u.Qualifiers.Map()["arch"] != "amd64" {
				t.Errorf("read back as name %q, version %q, %v", u.Name, u.Version, u.Qualifiers)
			}
		})
	}
}
