package audit

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"compose/internal/cas"
	"compose/internal/testrepo"
	"compose/rootfs"
)

// A planted is something put into a tree, and what an audit must say of it.
type planted struct {
	node rootfs.Node
	data []byte
	want []string
}

// Numbers of machines in ELF files.
const x86, arm = 62, 183

func program(s elfSpec) []byte {
	s.typ, s.relro, s.now, s.pie = etDyn, true, true, true
	s.interp, s.needed = "/lib64/ld-linux-x86-64.so.2", append([]string{"libc.so.6"}, s.needed...)
	s.symbols = append(s.symbols, "__stack_chk_fail", "__memcpy_chk")
	if s.machine == 0 {
		s.machine = x86
	}
	return s.build()
}

func library(s elfSpec) []byte {
	s.typ, s.relro, s.now = etDyn, true, true
	s.symbols = append(s.symbols, "__stack_chk_fail", "__memcpy_chk")
	if s.machine == 0 {
		s.machine = x86
	}
	return s.build()
}

// plants is a small distribution, in which the first files are as they should
// be, and then what an audit is for.
func plants() []planted {
	file := func(name string, mode uint16, data []byte, want ...string) planted {
		return planted{rootfs.Node{Path: name, Type: rootfs.Regular, Mode: mode}, data, want}
	}
	link := func(name, to string, want ...string) planted {
		return planted{rootfs.Node{Path: name, Type: rootfs.Symlink, Mode: 0o777, Link: to}, nil, want}
	}
	text := func(s string) []byte { return []byte(s) }
	const base64 = "MHcCAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAoGCCqGSM49\n"
	bash := program(elfSpec{text: "@(#)Bash version 5.2"})
	return []planted{
		// Sound, and nothing to be said.
		file("usr/lib/x86_64-linux-gnu/libc.so.6", 0o755, library(elfSpec{soname: "libc.so.6", interp: "/lib64/ld-linux-x86-64.so.2", needed: []string{"ld-linux-x86-64.so.2"}})),
		file("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", 0o755, library(elfSpec{soname: "ld-linux-x86-64.so.2"})),
		link("lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
		file("usr/bin/app", 0o755, program(elfSpec{needed: []string{"libused.so.1", "libprivate.so"}, runpath: "$ORIGIN/../lib/app", text: "\x00libnamed.so.3\x00"})),
		file("usr/lib/x86_64-linux-gnu/libused.so.1.0", 0o644, library(elfSpec{soname: "libused.so.1", needed: []string{"libc.so.6"}})),
		link("usr/lib/x86_64-linux-gnu/libused.so.1", "libused.so.1.0"),
		file("usr/lib/app/libprivate.so", 0o644, library(elfSpec{soname: "libprivate.so"})),
		file("etc/cron.daily/dpkg", 0o755, text("#!/bin/sh\n")),
		file("etc/init.d/ssh", 0o755, text("#! /bin/sh -e\n")),
		file("usr/share/bash-completion/completions/python3", 0o644, text("complete")),
		file("usr/share/perl5/Key.pm", 0o644, text("$x = '\n-----BEGIN RSA PRIVATE KEY-----\n';\nprint $x;\n")),
		file("etc/ssl/certs/ca.pem", 0o644, text("-----BEGIN CERTIFICATE-----\n"+base64)),
		file("usr/bin/goapp", 0o755, elfSpec{typ: etExec, machine: x86, stack: 6, noDynamic: true, text: "\xff Go buildinf:"}.build()),
		file("etc/os-release", 0o644, text("ID=debian\nVERSION_ID=\"11\"\nPRETTY_NAME=\"Debian 11\"\n")),
		{rootfs.Node{Path: "tmp", Type: rootfs.Dir, Mode: 0o1777}, nil, []string{"writable /tmp"}},

		// Programs.
		file("usr/bin/bash", 0o755, bash, "shell bash /usr/bin/bash content also /bin/sh"),
		link("bin/sh", "/usr/bin/bash"),
		file("opt/tool", 0o755, bash, "shell bash /opt/tool content"),
		file("opt/static", 0o755, elfSpec{typ: etExec, machine: x86, stack: 6, relro: true, noDynamic: true, text: "BusyBox v1.36.1 ()"}.build(),
			"shell busybox /opt/static content also /opt/sh", "network wget /opt/wget applet of /opt/static", "nopie /opt/static", "partial /opt/static"),
		link("opt/sh", "static"),
		link("opt/wget", "static"),
		file("usr/local/bin/zsh", 0o755, text("#!/bin/sh\n"), "shell zsh /usr/local/bin/zsh name"),
		file("usr/bin/python3.13", 0o755, program(elfSpec{symbols: []string{"Py_BytesMain"}}), "interpreter python /usr/bin/python3.13 content also /usr/bin/python3"),
		link("usr/bin/python3", "python3.13"),
		file("usr/bin/perl5.40-x86_64-linux-gnu", 0o755, program(elfSpec{}), "interpreter perl /usr/bin/perl5.40-x86_64-linux-gnu name"),
		file("usr/bin/x86_64-linux-gnu-gcc-14", 0o755, program(elfSpec{}), "compiler gcc /usr/bin/x86_64-linux-gnu-gcc-14 name"),
		file("usr/bin/apt", 0o755, program(elfSpec{}), "package-manager apt /usr/bin/apt name"),
		file("usr/bin/pip3", 0o755, text("#!/usr/bin/python3\n"), "package-manager pip /usr/bin/pip3 name"),
		file("usr/bin/strace", 0o755, program(elfSpec{}), "debugger strace /usr/bin/strace name"),
		file("usr/bin/curl", 0o755, program(elfSpec{}), "network curl /usr/bin/curl name"),

		// Libraries.
		file("usr/lib/x86_64-linux-gnu/libidle.so.2", 0o644, library(elfSpec{soname: "libidle.so.2"}), "idle /usr/lib/x86_64-linux-gnu/libidle.so.2"),
		file("usr/lib/x86_64-linux-gnu/libnamed.so.3", 0o644, library(elfSpec{soname: "libnamed.so.3"}), "idle /usr/lib/x86_64-linux-gnu/libnamed.so.3 named by /usr/bin/app"),
		file("usr/lib/x86_64-linux-gnu/libnss_files.so.2", 0o644, library(elfSpec{soname: "libnss_files.so.2"}), "idle /usr/lib/x86_64-linux-gnu/libnss_files.so.2 name service (nss)"),
		file("usr/lib/x86_64-linux-gnu/libused-2.0.so.2", 0o644, library(elfSpec{soname: "libused-2.0.so.2"}),
			"idle /usr/lib/x86_64-linux-gnu/libused-2.0.so.2", "twice libused /usr/lib/x86_64-linux-gnu/libused-2.0.so.2 /usr/lib/x86_64-linux-gnu/libused.so.1.0"),
		file("usr/bin/broken", 0o755, program(elfSpec{needed: []string{"libgone.so.7"}}), "missing libgone.so.7 for /usr/bin/broken"),
		file("usr/bin/lost", 0o755, program(elfSpec{needed: []string{"libhidden.so"}}), "missing libhidden.so for /usr/bin/lost, is at /opt/hidden/libhidden.so"),
		file("opt/hidden/libhidden.so", 0o644, library(elfSpec{soname: "libhidden.so"})),
		file("usr/bin/foreign", 0o755, elfSpec{typ: etDyn, machine: arm, pie: true, relro: true, now: true, stack: 6, interp: "/lib/ld-linux-aarch64.so.1",
			symbols: []string{"__stack_chk_fail", "__memcpy_chk"}}.build(), "foreign /usr/bin/foreign aarch64", "cannot start /usr/bin/foreign without /lib/ld-linux-aarch64.so.1"),
		file("usr/bin/musl", 0o755, elfSpec{typ: etDyn, machine: x86, pie: true, relro: true, now: true, stack: 6, interp: "/lib/ld-musl-x86_64.so.1", needed: []string{"libc.musl-x86_64.so.1"},
			symbols: []string{"__stack_chk_fail", "__memcpy_chk"}}.build(), "foreign /usr/bin/musl musl", "cannot start /usr/bin/musl without /lib/ld-musl-x86_64.so.1", "missing libc.musl-x86_64.so.1 for /usr/bin/musl"),

		// Hardening.
		file("usr/bin/old", 0o755, elfSpec{typ: etExec, machine: x86, stack: 7, textrel: true, interp: "/lib64/ld-linux-x86-64.so.2", needed: []string{"libc.so.6"}}.build(),
			"nopie /usr/bin/old", "norelro /usr/bin/old", "execstack /usr/bin/old", "textrel /usr/bin/old", "unprotected /usr/bin/old", "unfortified /usr/bin/old"),
		file("usr/bin/plugins", 0o755, program(elfSpec{runpath: "/tmp/plugins"}), "runpath /usr/bin/plugins /tmp/plugins"),
		file("usr/bin/relative", 0o755, program(elfSpec{rpath: "lib"}), "runpath /usr/bin/relative lib"),

		// Privileges.
		file("usr/bin/copy", 0o4755, program(elfSpec{}), "set-id /usr/bin/copy set-uid root"),
		file("usr/bin/shadowed", 0o2755, program(elfSpec{}), "set-id /usr/bin/shadowed set-gid shadow"),
		{rootfs.Node{Path: "usr/bin/pinger", Type: rootfs.Regular, Mode: 0o755, Xattrs: []rootfs.Xattr{{Name: "security.capability",
			Value: []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}}, program(elfSpec{}), []string{"capability /usr/bin/pinger cap_net_raw=ep"}},
		file("srv/open", 0o666, text("x"), "everyone /srv/open", "writable /srv/open"),
		{rootfs.Node{Path: "srv/all", Type: rootfs.Dir, Mode: 0o777}, nil, []string{"everyone /srv/all", "writable /srv/all"}},
		{rootfs.Node{Path: "dev/mem", Type: rootfs.Char, Mode: 0o600, Major: 1, Minor: 1}, nil, []string{"device /dev/mem device c 1,1"}},
		file("etc/ssh/host_key", 0o600, text("-----BEGIN OPENSSH PRIVATE KEY-----\n"+base64+"-----END OPENSSH PRIVATE KEY-----\n"), "secret /etc/ssh/host_key openssh private key"),
		file("srv/tls.pem", 0o600, text("Bag Attributes\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+base64), "secret /srv/tls.pem encrypted private key"),
		file("root/.ssh/authorized_keys", 0o600, text("ssh-ed25519 AAAA"), "secret /root/.ssh/authorized_keys keys that may log in"),
		file("etc/sudoers", 0o440, text("# text\nDefaults env_reset\nroot ALL=(ALL:ALL) ALL\n"), "rule root ALL=(ALL:ALL) ALL"),
		file("etc/sudoers.d/app", 0o440, text("app  ALL=(ALL) NOPASSWD: ALL\n"), "rule app ALL=(ALL) NOPASSWD: ALL"),
		file("etc/passwd", 0o644, text("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/root:/sbin/nologin\napp:x:1000:1000::/home/app:/sbin/nologin\n"+
			"guest::1001:1001::/:/bin/gone\nadmin:x:1002:1002::/:/usr/bin/bash\nnot a line\n"),
			"user root 0 locked", "user toor 0 locked", "user guest 1001 none", "user admin 1002 set"),
		file("etc/shadow", 0o640, text("root:*:1::::::\ntoor:!:1::::::\napp:!*:1::::::\nadmin:$y$j9T$x:1::::::\n")),
		file("etc/group", 0o644, text("root:x:0:\nshadow:x:42:\ndata:x:50:app\n")),
		{rootfs.Node{Path: "home/app", Type: rootfs.Dir, Mode: 0o700, UID: 1000, GID: 1000}, nil, []string{"writable /home/app"}},
		{rootfs.Node{Path: "home/app/.profile", Type: rootfs.Regular, Mode: 0o644, UID: 1000, GID: 1000}, text("x"), nil},
		{rootfs.Node{Path: "srv/data", Type: rootfs.Dir, Mode: 0o770, GID: 50}, nil, []string{"writable /srv/data"}},

		// What does not start.
		file("usr/bin/report", 0o755, text("#!/usr/bin/ruby\n"), "cannot start /usr/bin/report without /usr/bin/ruby"),
		file("usr/bin/task", 0o755, text("#!/usr/bin/env -S node --x\n"), "cannot start /usr/bin/task without node"),
		file("usr/bin/env", 0o755, program(elfSpec{})),
		file("usr/bin/fine", 0o755, text("#!/usr/bin/env python3\n")),
	}
}

// plant makes the tree, with every parent there must be.
func plant(t testing.TB, list []planted) Input {
	t.Helper()
	mem := cas.NewMem()
	tree := rootfs.NewTree()
	for _, p := range list {
		for _, dir := range parents(p.node.Path) {
			if tree.Get(dir) == nil {
				if err := tree.Add(rootfs.Node{Path: dir, Type: rootfs.Dir, Mode: 0o755}); err != nil {
					t.Fatal(err)
				}
			}
		}
		n := p.node
		if n.Path == "usr/bin/shadowed" {
			n.GID = 42
		}
		if n.Type == rootfs.Regular {
			ref, err := mem.Put(bytes.NewReader(p.data))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if old := tree.Get(n.Path); old != nil && old.Type == rootfs.Dir {
			old.Mode, old.UID, old.GID = n.Mode, n.UID, n.GID
			continue
		}
		if err := tree.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return Input{Tree: tree, Contents: mem, Platform: "linux/amd64", Jobs: 4, Config: Config{User: "app"}, Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
}

func parents(name string) (dirs []string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

// claims are what a report says, a line each.
func claims(r *Report) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, p := range r.Programs {
		also := ""
		if p.Also != nil {
			also = " also " + strings.Join(p.Also, " ")
		}
		say("%s %s %s %s%s", p.Kind, p.Name, p.Path, p.Evidence, also)
	}
	for _, m := range r.Libraries.Missing {
		at := ""
		if m.Elsewhere != "" {
			at = ", is at " + m.Elsewhere
		}
		say("missing %s for %s%s", m.Name, m.Object, at)
	}
	for _, i := range r.Libraries.Unused {
		named := ""
		if i.NamedBy != nil {
			named = " named by " + strings.Join(i.NamedBy, " ")
		}
		say("%s", strings.TrimSpace("idle "+i.Path+" "+i.Family)+named)
	}
	for _, d := range r.Libraries.Duplicates {
		say("twice %s %s", d.Library, strings.Join(d.Paths, " "))
	}
	for _, f := range r.Libraries.Foreign {
		say("foreign %s %s", f.Path, f.Is)
	}
	h := r.Hardening
	for name, list := range map[string][]string{"nopie": h.NoPIE, "norelro": h.NoRelro, "partial": h.PartialRelro, "execstack": h.ExecStack, "textrel": h.Textrel,
		"unprotected": h.NoProtector, "unfortified": h.NoFortify} {
		for _, p := range list {
			say("%s %s", name, p)
		}
	}
	for _, p := range h.Runpaths {
		say("runpath %s %s", p.Object, p.Folder)
	}
	for _, p := range r.Privileges.SetID {
		say("set-id %s %s", p.Path, p.What)
	}
	for _, p := range r.Privileges.Capabilities {
		say("capability %s %s", p.Path, p.What)
	}
	for _, p := range r.Privileges.WorldWritable {
		say("everyone %s", p.Path)
	}
	for _, p := range r.Privileges.Devices {
		say("device %s %s", p.Path, p.What)
	}
	for _, p := range r.Privileges.Secrets {
		say("secret %s %s", p.Path, p.What)
	}
	for _, p := range r.Privileges.Rules {
		say("rule %s", p.What)
	}
	for _, u := range r.Privileges.Users {
		say("user %s %d %s", u.Name, u.UID, u.Password)
	}
	for _, p := range r.Privileges.Writable {
		say("writable %s", p)
	}
	for _, s := range r.Scripts {
		say("cannot start %s without %s", s.Path, s.Interpreter)
	}
	slices.Sort(out)
	return out
}

// Every planted fact is told, and nothing else is claimed.
func TestPlantedFacts(t *testing.T) {
	list := plants()
	r, err := Run(t.Context(), plant(t, list))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, p := range list {
		for _, w := range p.want {
			want[w] = true
		}
	}
	if len(want) < 40 {
		t.Errorf("%d facts are planted, want 40", len(want))
	}
	for _, c := range claims(r) {
		if !want[c] {
			t.Errorf("a false claim: %s", c)
		}
		delete(want, c)
	}
	for _, w := range slices.Sorted(maps.Keys(want)) {
		t.Errorf("not told: %s", w)
	}
	if !r.Distribution.Ended || r.Privileges.RunsAs != "app (1000)" || r.Privileges.Root {
		t.Errorf("%+v, runs as %s", r.Distribution, r.Privileges.RunsAs)
	}
}

// The order in which files come, what the cache has, and how much is done at
// once change nothing.
func TestReportsAreDeterministic(t *testing.T) {
	first := ""
	cache := cas.NewMem()
	for i := range 6 {
		list := plants()
		if i > 0 {
			rand.New(rand.NewSource(int64(i))).Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
		}
		in := plant(t, list)
		in.Jobs = 1 + i
		in.Cache = cache
		r, err := Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := r.Text(&text, 0); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = text.String()
		} else if text.String() != first {
			t.Errorf("run %d differs", i)
		}
	}
}

// What was read of the files of a package is not read again.
func TestFactsAreKept(t *testing.T) {
	store := cas.NewMem()
	pack, err := store.NewPack(cas.Sum([]byte("p")))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := pack.Append(bytes.NewReader(program(elfSpec{text: "ZSH_EVAL_CONTEXT"})))
	if err != nil || pack.Commit() != nil {
		t.Fatal(err)
	}
	tree := rootfs.NewTree()
	if err := tree.Add(rootfs.Node{Path: "tool", Type: rootfs.Regular, Mode: 0o755, Content: ref}); err != nil {
		t.Fatal(err)
	}
	for _, contents := range []rootfs.Contents{store, cas.NewMem()} { // the second has nothing to read
		r, err := Run(t.Context(), Input{Tree: tree, Contents: contents, Cache: store})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Programs) != 1 || r.Programs[0].Name != "zsh" {
			t.Errorf("%+v", r.Programs)
		}
	}
}

// The shell of this machine is known by what it holds, whatever its name.
func TestRealShellsAreKnownByContent(t *testing.T) {
	for name, file := range map[string]string{"bash": "/bin/bash", "dash": "/bin/dash", "busybox": "/bin/busybox", "zsh": "/bin/zsh", "mawk": "/usr/bin/mawk", "perl": "/usr/bin/perl", "python": "/usr/bin/python3"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				if name == "bash" {
					testrepo.Skip(t, "no %s on this machine", file)
				}
				t.Skipf("no %s on this machine", file)
			}
			r, err := Run(t.Context(), plant(t, []planted{{rootfs.Node{Path: "opt/x", Type: rootfs.Regular, Mode: 0o700}, data, nil}}))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Programs) != 1 || r.Programs[0].Name != name || r.Programs[0].Evidence != "content" {
				t.Errorf("%+v", r.Programs)
			}
		})
	}
}
