package format

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/rootfs"
)

// treeOf makes a tree of files by path; "-> x" is a link.
func treeOf(t *testing.T, files map[string]string) (*rootfs.Tree, rootfs.Contents) {
	t.Helper()
	mem, tree := cas.NewMem(), rootfs.NewTree()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var missing []string
		for d := path.Dir(name); tree.Lookup(d) == nil; d = path.Dir(d) {
			missing = append(missing, d)
		}
		for _, d := range slices.Backward(missing) {
			if err := tree.Add(rootfs.Node{Path: d, Type: rootfs.Dir, Mode: 0o755}); err != nil {
				t.Fatal(err)
			}
		}
		n := rootfs.Node{Path: name, Type: rootfs.Regular, Mode: 0o644}
		if to, ok := strings.CutPrefix(files[name], "-> "); ok {
			n.Type, n.Link = rootfs.Symlink, to
		} else {
			ref, err := mem.Put(strings.NewReader(files[name]))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tree, mem
}

func TestInstalled(t *testing.T) {
	const deb = "Package: app\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\nInstalled-Size: 3\nDepends: none | lib (>= 1), virtual\n\n" +
		"Package: lib\nStatus: install ok unpacked\nVersion: 2\nArchitecture: amd64\nSource: libsrc (2+x)\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n" +
		"damaged\n\n" +
		"Package: real\nStatus: install ok installed\nVersion: 3\nArchitecture: all\nProvides: virtual (= 1), other\n"
	for rule, c := range map[string]struct {
		files  map[string]string
		want   []string
		owners []string
	}{
		"nothing": {map[string]string{"etc/passwd": ""}, nil, nil},
		"dpkg's database": {
			map[string]string{"var/lib/dpkg/status": deb, "usr/bin/app": "x", "bin": "-> usr/bin", "usr/lib/lib.so": "y",
				"var/lib/dpkg/info/app.list": "/.\n/bin\n/bin/app\n/absent\n", "var/lib/dpkg/info/lib:amd64.list": "/usr\n/usr/lib/lib.so\n"},
			[]string{"app 1.0-1 app wanted []", "lib 2 libsrc  [app]", "real 3 real  [app]"},
			[]string{"bin app", "usr/bin/app app", "usr/lib/lib.so lib"},
		},
		"the form for scanners": {
			map[string]string{"var/lib/dpkg/status.d/base": "Package: base\nVersion: 12\nArchitecture: all\n", "etc/issue": "x",
				"var/lib/dpkg/status.d/base.md5sums": "d41d8cd98f00b204e9800998ecf8427e  etc/issue\n"},
			[]string{"base 12 base wanted []"},
			[]string{"etc/issue base"},
		},
		"apk's database": {
			map[string]string{"lib/apk/db/installed": "C:Q1x=\nP:app\nV:1.0-r0\nA:x86_64\nI:7\no:src\nD:so:libz.so.1 !bad\nF:usr/bin\nR:app\nF:\nR:root\n\nP:zlib\nV:1.3-r1\np:so:libz.so.1=1.3\nF:lib\nR:libz.so.1\n\nV:none\n",
				"usr/bin/app": "x", "lib/libz.so.1": "y", "root": "z"},
			[]string{"app 1.0-r0 src wanted []", "zlib 1.3-r1 zlib  [app]"},
			[]string{"lib/libz.so.1 zlib", "root app", "usr/bin/app app"},
		},
		"one that is no text": {map[string]string{"lib/apk/db/installed": "\x00\xffP", "var/lib/dpkg/status": "\x00:\n\n\n:"}, nil, nil},
	} {
		t.Run(rule, func(t *testing.T) {
			i, err := Installed(treeOf(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			var got, owners []string
			for _, p := range i.Packages {
				wanted := ""
				if p.Wanted {
					wanted = "wanted"
				}
				got = append(got, fmt.Sprintf("%s %s %s %s %v", p.Name, p.Version, p.Source, wanted, p.Why))
			}
			for _, name := range slices.Sorted(maps.Keys(i.Owner)) {
				owners = append(owners, name+" "+i.Owner[name])
			}
			if !slices.Equal(got, c.want) || !slices.Equal(owners, c.owners) {
				t.Errorf("got %q %q, want %q %q", got, owners, c.want, c.owners)
			}
		})
	}
}
