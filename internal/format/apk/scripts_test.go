package apk_test

import (
	"fmt"
	"strings"
	"testing"

	"compose/internal/format/apk"
	"compose/rootfs"
)

func TestScriptsAreCalledAsApkCallsThem(t *testing.T) {
	tree := rootfs.NewTree()
	for _, path := range []string{"bin", "usr/bin", "usr/share/deep/er"} {
		if err := tree.Add(rootfs.Node{Path: path, Type: rootfs.Dir, Mode: 0o755, Package: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	script := []byte("#!/bin/sh\n")
	pkgs := []*rootfs.Package{
		{Name: "app", Version: "1-r0", Control: map[string][]byte{
			".PKGINFO": []byte("depend = so:libz.so.1\ndepend = !old\n"), ".post-install": script, ".pre-install": script, ".pre-deinstall": script}},
		{Name: "busybox", Version: "2-r0", Control: map[string][]byte{
			".PKGINFO": []byte("triggers = /bin /usr/* /usr/share/*/er\n"), ".trigger": script}},
		{Name: "silent", Version: "2-r0", Control: map[string][]byte{".PKGINFO": []byte("triggers = /nowhere\n"), ".trigger": script}},
		{Name: "zlib", Version: "3-r0", Control: map[string][]byte{".PKGINFO": []byte("provides = so:libz.so.1=1.3\n"), ".post-install": script}},
	}
	var got strings.Builder
	for _, s := range (apk.Format{}).Scripts(tree, pkgs) {
		fmt.Fprintf(&got, "%s %s %q\n", s.Package, s.Name, s.Args)
	}
	want := `zlib .post-install ["3-r0"]
app .pre-install ["1-r0"]
app .post-install ["1-r0"]
busybox .trigger ["/bin" "/usr/bin" "/usr/share/deep/er"]
`
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}
