package deb_test

import (
	"slices"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/format/deb"
	"compose/rootfs"
)

// lines is what of the tree's dump is about the given paths.
func lines(tree *rootfs.Tree, paths ...string) string {
	var b strings.Builder
	for line := range strings.Lines(tree.Dump()) {
		_, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " /")
		path, _, _ = strings.Cut(path, " ")
		if slices.Contains(paths, path) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestLayout has the rules of the tree before packages.
func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		rule, arch string
		packages   []string // name, then paths; "->" as in pkg
		paths      []string
		want       string
	}{{
		rule: "the links of a merged /usr are there without base-files", arch: "amd64",
		packages: []string{"a", "lib/x", "x"}, paths: []string{"bin", "sbin", "lib", "lib64", "usr/lib64", "usr/lib/x"},
		want: "lrwxrwxrwx 0:0 /bin -> usr/bin\nlrwxrwxrwx 0:0 /lib -> usr/lib\nlrwxrwxrwx 0:0 /lib64 -> usr/lib64\n" +
			"lrwxrwxrwx 0:0 /sbin -> usr/sbin\n-rw-r--r-- 0:0 1 2d711642 /usr/lib/x\ndrwxr-xr-x 0:0 /usr/lib64\n",
	}, {
		rule: "arm64 has its loader in /lib", arch: "arm64",
		paths: []string{"lib", "lib64", "usr/lib64"}, want: "lrwxrwxrwx 0:0 /lib -> usr/lib\n",
	}, {
		rule: "base-files' own links are the same", arch: "amd64",
		packages: []string{"base-files", "bin", "-> usr/bin", "var/run/", "", "var/lock/", "", "run/", ""},
		paths:    []string{"bin", "var/run", "var/lock", "run/lock", "var/spool/mail", "var/mail", "srv"},
		want: "lrwxrwxrwx 0:0 /bin -> usr/bin\ndrwxrwxrwt 0:0 /run/lock\ndrwxr-xr-x 0:0 /srv\nlrwxrwxrwx 0:0 /var/lock -> /run/lock\n" +
			"drwxrwsr-x 0:8 /var/mail\nlrwxrwxrwx 0:0 /var/run -> /run\nlrwxrwxrwx 0:0 /var/spool/mail -> ../mail\n",
	}, {
		rule: "an unmerged base-files (Debian 12) is merged", arch: "amd64",
		packages: []string{"base-files", "bin/", "", "lib/", "", "bin/x", "x"}, paths: []string{"bin", "lib", "usr/bin/x"},
		want: "lrwxrwxrwx 0:0 /bin -> usr/bin\nlrwxrwxrwx 0:0 /lib -> usr/lib\n-rw-r--r-- 0:0 1 2d711642 /usr/bin/x\n",
	}, {
		rule: "the directories of base-files come with it alone", arch: "amd64",
		packages: []string{"a", "lib/x", "x"}, paths: []string{"srv", "var/mail", "usr/local", "tmp", "var/tmp", "root", "proc"},
		want: "drwxr-xr-x 0:0 /proc\ndrwx------ 0:0 /root\ndrwxrwxrwt 0:0 /tmp\ndrwxrwxrwt 0:0 /var/tmp\n",
	}} {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			r := rootfs.Recipe{Arch: tt.arch, Contents: store, Epoch: epoch}
			if len(tt.packages) > 0 {
				r.Packages = []*rootfs.Package{pkg(t, store, tt.packages[0], "", nil, tt.packages[1:]...)}
			}
			tree, _, err := rootfs.Assemble(r, deb.Format{})
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(tree, tt.paths...); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestPrefer has the rules of Replaces.
func TestPrefer(t *testing.T) {
	p := func(name, version string, replaces ...rootfs.Replace) *rootfs.Package {
		return &rootfs.Package{Name: name, Version: version, Replaces: replaces}
	}
	for _, tt := range []struct {
		rule, want string
		a, b       *rootfs.Package
	}{
		{"nobody replaces", "", p("a", "1"), p("b", "1")},
		{"the first replaces", "a", p("a", "1", rootfs.Replace{Name: "b"}), p("b", "1")},
		{"the second replaces", "b", p("a", "1"), p("b", "1", rootfs.Replace{Name: "a"})},
		{"the second replaces older versions", "b", p("a", "1"), p("b", "1", rootfs.Replace{Name: "a", Op: "<", Version: "2~"})},
		{"this version is not replaced", "", p("a", "2"), p("b", "1", rootfs.Replace{Name: "a", Op: "<", Version: "2~"})},
		{"each replaces the other: the first name", "a", p("a", "2", rootfs.Replace{Name: "b"}), p("b", "1", rootfs.Replace{Name: "a"})},
	} {
		got := ""
		if w := (deb.Format{}).Prefer(tt.a, tt.b); w != nil {
			got = w.Name
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

// TestAccounts has Debian's static accounts, with and without base-passwd.
func TestAccounts(t *testing.T) {
	store := cas.NewMem()
	user := rootfs.User{Name: "app", UID: 65532, GID: -1, Groups: []string{"audio"}, Home: "/home/app"}
	for _, tt := range []struct {
		rule     string
		packages []*rootfs.Package
		want     map[string]string // file -> what it begins and ends with, "..." between
	}{{
		rule: "without base-passwd, its accounts are there all the same",
		want: map[string]string{
			"etc/passwd":  "root:x:0:0:root:/root:/bin/bash\ndaemon:...nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\napp:x:65532:65532::/home/app:/sbin/nologin\n",
			"etc/group":   "root:x:0:\ndaemon:x:1:\n...app:x:65532:\n",
			"etc/shadow":  "root:*:20833:0:99999:7:::\n...app:!:20833:0:99999:7:::\n",
			"etc/gshadow": "root:*::\n...nogroup:*::\napp:!::\n",
		},
	}, {
		rule: "with base-passwd, its own are",
		packages: []*rootfs.Package{pkg(t, store, "base-passwd", "", nil,
			"usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n",
			"usr/share/base-passwd/group.master", "root:*:0:\naudio:*:29:\nshadow:*:42:\n")},
		want: map[string]string{
			"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n...app:x:65532:65532::/home/app:/sbin/nologin\n",
			"etc/group":  "root:x:0:\naudio:x:29:app\nshadow:x:42:\n...app:x:65532:\n",
		},
	}} {
		tree := assemble(t, store, rootfs.Recipe{Packages: tt.packages, Users: []rootfs.User{user}})
		for path, want := range tt.want {
			begin, end, _ := strings.Cut(want, "...")
			if got := text(t, store, tree, path); !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) {
				t.Errorf("%s: %s: got\n%s", tt.rule, path, got)
			}
		}
		if got, want := lines(tree, "etc/passwd", "etc/shadow", "home/app"), "-rw-r----- 0:42 "; !strings.Contains(got, want) || !strings.Contains(got, "drwx------ 65532:65532 /home/app\n") {
			t.Errorf("%s: got %s", tt.rule, got)
		}
	}
}
