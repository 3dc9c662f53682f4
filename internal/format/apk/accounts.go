package apk

import (
	"strings"

	"compose/rootfs"
)

// Accounts gives what alpine-baselayout-data would bring, cut down to root
// and nobody, for a tree without it. Alpine has no gshadow, and its shadow
// no days: what the manifest adds looks the same.
func (Format) Accounts(*rootfs.Tree, rootfs.Contents, int64) (*rootfs.Accounts, error) {
	return &rootfs.Accounts{
		Passwd: []byte(strings.Join([]string{
			"root:x:0:0:root:/root:/bin/ash",
			"nobody:x:65534:65534:nobody:/:/sbin/nologin",
			""}, "\n")),
		Group: []byte(strings.Join([]string{
			"root:x:0:root",
			"shadow:x:42:",
			"nobody:x:65534:",
			""}, "\n")),
		Shadow: []byte(strings.Join([]string{
			"root:*::0:::::",
			"nobody:!::0:::::",
			""}, "\n")),
		Locked: "!::0:::::",
	}, nil
}
