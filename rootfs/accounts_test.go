package rootfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
)

// TestAllocate has the rules of numbers. The order of names never matters.
func TestAllocate(t *testing.T) {
	for _, tt := range []struct {
		rule           string
		want           []ID
		previous       map[string]int
		taken          []ID
		result, refuse string
	}{
		{rule: "nobody wants nothing"},
		{rule: "a stated number is kept", want: []ID{{"app", 65532}}, result: "app=65532"},
		{rule: "others get the lowest from 1000, by name", want: []ID{{"b", -1}, {"a", -1}, {"c", -1}}, result: "a=1000 b=1001 c=1002"},
		{rule: "a stated number is not given away", want: []ID{{"a", -1}, {"z", 1000}}, result: "a=1001 z=1000"},
		{rule: "a number that is taken is not given away", want: []ID{{"a", -1}}, taken: []ID{{"x", 1000}, {"y", 1001}}, result: "a=1002"},
		{rule: "a number of before stays", want: []ID{{"a", -1}, {"b", -1}}, previous: map[string]int{"b": 1000, "gone": 1001}, result: "a=1001 b=1000"},
		{rule: "unless another states it", want: []ID{{"a", 1000}, {"b", -1}}, previous: map[string]int{"b": 1000}, result: "a=1000 b=1001"},
		{rule: "or a package has it", want: []ID{{"b", -1}}, previous: map[string]int{"b": 33}, taken: []ID{{"www", 33}}, result: "b=1000"},
		{rule: "a stated number overrides one of before", want: []ID{{"b", 7}}, previous: map[string]int{"b": 1000}, result: "b=7"},
		{rule: "an account that is there keeps its number", want: []ID{{"www", -1}}, previous: map[string]int{"www": 1000}, taken: []ID{{"www", 33}}, result: "www=33"},
		{rule: "which may be stated", want: []ID{{"www", 33}}, taken: []ID{{"www", 33}}, result: "www=33"},
		{rule: "but not another", want: []ID{{"www", 34}}, taken: []ID{{"www", 33}}, refuse: `"www": number 34, but a package gives it 33`},
		{rule: "no two of one name", want: []ID{{"a", 5}, {"a", 6}}, refuse: `"a" stands twice`},
		{rule: "no two of one number", want: []ID{{"a", 5}, {"b", 5}}, refuse: `"b": number 5 is that of "a"`},
		{rule: "no number of a package's account", want: []ID{{"a", 0}}, taken: []ID{{"root", 0}}, refuse: `"a": number 0 is that of "root"`},
	} {
		for range 4 {
			rand.Shuffle(len(tt.want), func(i, j int) { tt.want[i], tt.want[j] = tt.want[j], tt.want[i] })
			ids, err := Allocate(tt.want, tt.previous, tt.taken...)
			if tt.refuse != "" {
				if err == nil || err.Error() != tt.refuse {
					t.Errorf("%s: got error %v, want %s", tt.rule, err, tt.refuse)
				}
				continue
			}
			var got []string
			for _, name := range slices.Sorted(maps.Keys(ids)) {
				got = append(got, name+"="+strconv.Itoa(ids[name]))
			}
			if err != nil || strings.Join(got, " ") != tt.result {
				t.Errorf("%s: got %v, %v, want %s", tt.rule, got, err, tt.result)
			}
		}
	}
	var all []ID
	for i := range lastID - firstID + 2 {
		all = append(all, ID{"u" + strconv.Itoa(i), -1})
	}
	if _, err := Allocate(all, nil); err == nil {
		t.Error("more accounts than numbers were accepted")
	}
}

// TestAccounts has the rules of users and groups: what they add to the files
// of the distribution simple.
func TestAccounts(t *testing.T) {
	const locked = ":!:1:0:99999:7:::\n"
	for _, tt := range []struct {
		rule     string
		packages string
		users    []User
		groups   []Group
		uids     map[string]int
		gids     map[string]int
		want     string // the lines of passwd, group and shadow after the distribution's
		made     string // directories
	}{{
		rule:  "a user has a group of its own, of its own number",
		users: []User{{Name: "app", UID: 65532, GID: -1}},
		want:  "app:x:65532:65532::/:/sbin/nologin\napp:x:65532:\napp" + locked,
	}, {
		rule:  "a user's group of a number that nobody has is its own",
		users: []User{{Name: "app", UID: 5, GID: 6, Comment: "The app", Shell: "/bin/sh"}},
		want:  "app:x:5:6:The app:/:/bin/sh\napp:x:6:\napp" + locked,
	}, {
		rule:  "a user's group may be somebody's",
		users: []User{{Name: "app", UID: 5, GID: 34}},
		want:  "app:x:5:34::/:/sbin/nologin\napp" + locked,
	}, {
		rule:  "two users may have one group",
		users: []User{{Name: "b", UID: 6, GID: 7}, {Name: "a", UID: 5, GID: 7}},
		want:  "a:x:5:7::/:/sbin/nologin\nb:x:6:7::/:/sbin/nologin\na:x:7:\na" + locked + "b" + locked,
	}, {
		rule:   "a user's group is the group of its name",
		users:  []User{{Name: "app", UID: 5, GID: -1}},
		groups: []Group{{Name: "app", GID: 9}},
		want:   "app:x:5:9::/:/sbin/nologin\napp:x:9:\napp" + locked,
	}, {
		rule:     "also one of the distribution's",
		users:    []User{{Name: "shadow", UID: 5, GID: -1}},
		want:     "shadow:x:5:42::/:/sbin/nologin\nshadow" + locked,
		packages: "",
	}, {
		rule:  "numbers of the lock",
		users: []User{{Name: "app", UID: -1, GID: -1}},
		uids:  map[string]int{"app": 1234}, gids: map[string]int{"app": 1235},
		want: "app:x:1234:1235::/:/sbin/nologin\napp:x:1235:\napp" + locked,
	}, {
		rule:   "without a lock, numbers from 1000",
		users:  []User{{Name: "b", UID: -1, GID: -1}, {Name: "a", UID: -1, GID: -1}},
		groups: []Group{{Name: "g", GID: -1}},
		want:   "a:x:1000:1000::/:/sbin/nologin\nb:x:1001:1001::/:/sbin/nologin\na:x:1000:\nb:x:1001:\ng:x:1002:\na" + locked + "b" + locked,
	}, {
		rule:   "further groups and members are added once",
		users:  []User{{Name: "app", UID: 5, GID: 34, Groups: []string{"g", "shadow"}}},
		groups: []Group{{Name: "g", GID: 9, Members: []string{"app", "root"}}},
		want:   "app:x:5:34::/:/sbin/nologin\nshadow:x:42:app\ng:x:9:app,root\napp" + locked,
	}, {
		rule:  "a home is made, of mode 0700",
		users: []User{{Name: "app", UID: 5, GID: 34, Home: "/home/app"}},
		want:  "app:x:5:34::/home/app:/sbin/nologin\napp" + locked,
		made:  "drwxr-xr-x 0:0 /home\ndrwx------ 5:34 /home/app\n",
	}, {
		rule:     "a home that is there stays as it is",
		packages: "a\n\tsrv/app/ 0711\n",
		users:    []User{{Name: "app", UID: 5, GID: 34, Home: "/srv/app"}},
		want:     "app:x:5:34::/srv/app:/sbin/nologin\napp" + locked,
		made:     "drwxr-xr-x 0:0 /srv\ndrwx--x--x 0:0 /srv/app\n",
	}, {
		rule:  "no home is made of what stands for none",
		users: []User{{Name: "app", UID: 5, GID: 34, Home: "/nonexistent"}},
		want:  "app:x:5:34::/nonexistent:/sbin/nologin\napp" + locked,
	}, {
		rule:  "a user that is there is left alone",
		users: []User{{Name: "www", UID: -1, GID: -1, Home: "/x", Groups: []string{"shadow"}}},
		want:  "shadow:x:42:www\n",
	}, {
		rule:  "but not of another group",
		users: []User{{Name: "www", UID: -1, GID: 7}},
		want:  `error: USAGE: users: "www": gid 7, but a package gives it 34`,
	}, {
		rule:  "no second root",
		users: []User{{Name: "toor", UID: 0, GID: -1}},
		want:  `error: USAGE: users: "toor": number 0 is that of "root"`,
	}, {
		rule:   "no group twice",
		groups: []Group{{Name: "g", GID: 7}, {Name: "h", GID: 7}},
		want:   `error: USAGE: groups: "h": number 7 is that of "g"`,
	}, {
		rule:  "no group that is not there",
		users: []User{{Name: "app", UID: 5, GID: -1, Groups: []string{"none"}}},
		want:  `error: USAGE: users: "app": no group "none"`,
	}, {
		rule:   "no member that is not there",
		groups: []Group{{Name: "g", GID: 7, Members: []string{"none"}}},
		want:   `error: USAGE: groups: "g": no user "none"`,
	}, {
		rule:  "no line in a name (M-07)",
		users: []User{{Name: "app\nroot", UID: 5, GID: -1}},
		want:  `error: USAGE: users: "app\nroot": want a name of at most 32 of a-z 0-9 _ and -, beginning with a letter or _`,
	}, {
		rule:  "no field in a comment (M-07)",
		users: []User{{Name: "app", UID: 5, GID: -1, Comment: "a:b"}},
		want:  `error: USAGE: users: "app": comment "a:b": a colon or control character`,
	}, {
		rule:  "no line in a shell (M-07)",
		users: []User{{Name: "app", UID: 5, GID: -1, Shell: "/bin/sh\nroot::0:0::/:"}},
		want:  `error: USAGE: users: "app": shell "/bin/sh\nroot::0:0::/:": want an absolute path without colon or control character`,
	}, {
		rule:  "no home that is not absolute (M-07)",
		users: []User{{Name: "app", UID: 5, GID: -1, Home: "home"}},
		want:  `error: USAGE: users: "app": home "home": want an absolute path without colon or control character`,
	}, {
		rule:   "no colon in a group (M-07)",
		groups: []Group{{Name: "g:x", GID: 5}},
		want:   `error: USAGE: groups: "g:x": want a name of at most 32 of a-z 0-9 _ and -, beginning with a letter or _`,
	}, {
		rule:     "a home below a file cannot be made",
		packages: "a\n\tsrv/file\n",
		users:    []User{{Name: "app", UID: 5, GID: 34, Home: "/srv/file/x"}},
		want:     `error: USAGE: users: "app": home /srv/file/x: /srv/file is no directory`,
	}, {
		rule:     "a package's file is the one to add to, and what it leaves open is locked",
		packages: "a\n\tetc/passwd 0600 0:0 root::0:0::/:/bin/sh\n\tetc/shadow 0640 0:7 root:::0:::::\n",
		users:    []User{{Name: "app", UID: 5, GID: 34}},
		want:     "root:x:0:0::/:/bin/sh\napp:x:5:34::/:/sbin/nologin\nroot:*::0:::::\napp" + locked,
	}} {
		t.Run(tt.rule, func(t *testing.T) {
			store := cas.NewMem()
			r := Recipe{Packages: pkgs(t, store, tt.packages), Users: tt.users, Groups: tt.groups, UIDs: tt.uids, GIDs: tt.gids, Contents: store}
			tree, _, err := Assemble(r, simple{})
			if err != nil {
				if got := "error: " + string(fault.Of(err)) + ": " + err.Error(); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				return
			}
			base, _ := simple{}.Accounts(nil, nil, 0)
			got := added(string(base.Passwd), text(t, tree, store, "etc/passwd")) +
				added(string(base.Group), text(t, tree, store, "etc/group")) +
				added(string(base.Shadow), text(t, tree, store, "etc/shadow"))
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if made := directories(tree); made != tt.made {
				t.Errorf("made:\n%s\nwant:\n%s", made, tt.made)
			}
		})
	}
}

// The numbers of a lock are those of the tree.
func TestNumbers(t *testing.T) {
	users := []User{{Name: "b", UID: 65532, GID: -1}, {Name: "a", UID: -1, GID: -1}, {Name: "c", UID: 7, GID: 8}, {Name: "d", UID: 9, GID: 8}}
	groups := []Group{{Name: "g", GID: -1}}
	uids, gids, err := Numbers(users, groups, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if want := map[string]int{"a": 1000, "b": 65532, "c": 7, "d": 9}; !maps.Equal(uids, want) {
			t.Errorf("users %v, want %v", uids, want)
		}
		if want := map[string]int{"a": 1000, "b": 65532, "c": 8, "g": 1001}; !maps.Equal(gids, want) {
			t.Errorf("groups %v, want %v", gids, want)
		}
		slices.Reverse(users[:2])
		if uids, gids, err = Numbers(users, groups, uids, gids); err != nil {
			t.Fatal(err)
		}
	}
	tree, _, err := Assemble(Recipe{Users: users, Groups: groups, UIDs: uids, GIDs: gids, Contents: cas.NewMem()}, nil)
	if err != nil || tree == nil {
		t.Fatal(err)
	}
}

// added is the lines of text that base does not have.
func added(base, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text + "\n") {
		if !strings.Contains(base, line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// directories is the lines of the tree's dump about directories that not
// every tree has.
func directories(tree *Tree) string {
	var b strings.Builder
	for line := range strings.Lines(tree.Dump()) {
		if line[0] == 'd' && !slices.Contains([]string{"etc", "usr", "usr/bin", "tmp", "var", "var/lib"}, strings.TrimSpace(line[strings.IndexByte(line, '/')+1:])) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The files of accounts have the modes that login programs want, or those
// that the package gave them.
func TestAccountModes(t *testing.T) {
	store := cas.NewMem()
	for packages, want := range map[string]string{
		"":                                  "-rw-r--r-- 0:0 /etc/passwd -rw-r----- 0:42 /etc/shadow ",
		"a\n\tetc/shadow 0600 0:7 root::::": "-rw-r--r-- 0:0 /etc/passwd -rw------- 0:7 /etc/shadow ",
	} {
		tree, _, err := Assemble(Recipe{Packages: pkgs(t, store, packages), Contents: store}, simple{})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for line := range strings.Lines(tree.Dump()) {
			if f := strings.Fields(line); f[len(f)-1] == "/etc/passwd" || f[len(f)-1] == "/etc/shadow" {
				got += f[0] + " " + f[1] + " " + f[len(f)-1] + " "
			}
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", packages, got, want)
		}
	}
}

// FuzzAccounts takes account files of packages as they come: the manifest's
// user is in the result, once, and nobody's password is empty.
func FuzzAccounts(f *testing.F) {
	f.Add("root:x:0:0::/:/bin/sh\n", "root:x:0:\n", "root:*:::::::\n")
	f.Add("root::0:0::/:/bin/sh", "app:x\n\n:::\n", "root::::\n:\n")
	f.Add("app:x:99999999999:x", "app", "app")
	f.Fuzz(func(t *testing.T, users, groups, passwords string) {
		store := cas.NewMem()
		p := &Package{Name: "a"}
		for path, content := range map[string]string{"etc/passwd": users, "etc/group": groups, "etc/shadow": passwords} {
			ref, err := store.Put(strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			p.Nodes = append(p.Nodes, Node{Path: path, Type: Regular, Mode: 0o644, Content: ref, Package: "a"})
		}
		tree, _, err := Assemble(Recipe{
			Packages: []*Package{p}, Contents: store,
			Users:  []User{{Name: "app", UID: 7777, GID: -1, Groups: []string{"more"}}},
			Groups: []Group{{Name: "more", GID: 7778}},
		}, simple{})
		if err != nil {
			return
		}
		if got := text(t, tree, store, "etc/passwd"); strings.Count("\n"+got, "\napp:") < 1 {
			t.Errorf("passwd: no app in %q", got)
		}
		shadow, err := Read(store, tree.Get("etc/shadow").Content)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(shadow)) {
			if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) > 1 && f[1] == "" {
				t.Errorf("shadow: an empty password in %q", line)
			}
		}
	})
}
