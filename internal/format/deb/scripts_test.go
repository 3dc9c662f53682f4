package deb_test

import (
	"fmt"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/format/deb"
	"compose/rootfs"
)

// scripted is a package with the control file's lines and empty scripts.
func scripted(name, control string, scripts ...string) *rootfs.Package {
	p := &rootfs.Package{Name: name, Version: "1", Arch: "amd64", Control: map[string][]byte{"control": []byte("Package: " + name + "\n" + control)}}
	for _, s := range scripts {
		p.Control[s] = []byte("#!/bin/sh\n")
	}
	return p
}

func TestScriptsAreCalledAsDpkgCallsThem(t *testing.T) {
	pkgs := []*rootfs.Package{
		scripted("app", "Depends: one | zlib (>= 1),\n virtual\nMulti-Arch: same\n", "postinst", "preinst", "templates", "config", "prerm"),
		scripted("zlib", "", "postinst"),
		scripted("provider", "Provides: virtual (= 2)\nPre-Depends: last\n", "postinst", "config"),
		scripted("last", "Depends: app\n", "postinst", "preinst"), // in a circle with the two above
	}
	var got strings.Builder
	for _, s := range (deb.Format{}).Scripts(nil, pkgs) {
		fmt.Fprintf(&got, "%s %s %q %s\n", s.Package, s.Name, s.Args, s.Path)
		if s.Env["DPKG_MAINTSCRIPT_PACKAGE"] != s.Package || s.Env["DPKG_MAINTSCRIPT_NAME"] != s.Name || s.Env["DPKG_MAINTSCRIPT_ARCH"] != "amd64" {
			t.Errorf("%s %s: environment %q", s.Package, s.Name, s.Env)
		}
	}
	want := `last preinst ["install"] /var/lib/dpkg/tmp.ci/preinst
app preinst ["install"] /var/lib/dpkg/tmp.ci/preinst
last postinst ["configure" ""] /var/lib/dpkg/info/last.postinst
provider postinst ["configure" ""] /var/lib/dpkg/info/provider.postinst
zlib postinst ["configure" ""] /var/lib/dpkg/info/zlib.postinst
app config ["configure" ""] /var/lib/dpkg/info/app:amd64.config
app postinst ["configure" ""] /var/lib/dpkg/info/app:amd64.postinst
`
	if got.String() != want {
		t.Errorf("got:\n%swant:\n%s", got.String(), want)
	}
}

// What commands in scripts tell dpkg to remember ships with its database only.
func TestRecordsOfScriptsGoWithTheDatabase(t *testing.T) {
	for kind, want := range map[string]bool{"full": true, "scanners": false, "none": false} {
		tree := rootfs.NewTree()
		for _, path := range []string{"var/lib/dpkg/alternatives/awk", "var/lib/dpkg/statoverride"} {
			if err := tree.Add(rootfs.Node{Path: path, Type: rootfs.Regular}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := (deb.Format{}).Database(tree, nil, kind, cas.NewMem()); err != nil {
			t.Fatal(err)
		}
		if got := tree.Get("var/lib/dpkg/alternatives/awk") != nil; got != want {
			t.Errorf("%s: alternatives are there: %v, want %v", kind, got, want)
		}
		if got := tree.Get("var/lib/dpkg") != nil; got != want {
			t.Errorf("%s: var/lib/dpkg is there: %v, want %v", kind, got, want)
		}
	}
}
