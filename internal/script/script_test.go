package script

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/rootfs"
)

// tree makes a tree of lines such as
//
//	/etc/passwd "root:x:0:0:root:/root:/bin/sh\n"
//	/usr/bin/tool 0755 "#!/bin/sh\necho hi\n"
//	/var/lib/ 2775 0:50
//	/bin -> usr/bin
//	/usr/bin/other = /usr/bin/tool
func tree(t testing.TB, store cas.Store, text string) *rootfs.Tree {
	t.Helper()
	tr := rootfs.NewTree()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		n := rootfs.Node{Path: strings.Trim(name, "/"), Type: rootfs.Regular, Mode: 0o644, Package: "base"}
		if strings.HasSuffix(name, "/") {
			n.Type, n.Mode = rootfs.Dir, 0o755
		}
		var content string
		for rest != "" {
			var word string
			if rest[0] == '"' {
				q, err := strconv.QuotedPrefix(rest)
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				content, _ = strconv.Unquote(q)
				rest = strings.TrimSpace(rest[len(q):])
				continue
			}
			word, rest, _ = strings.Cut(rest, " ")
			switch {
			case word == "->":
				n.Type, n.Mode, n.Link, rest = rootfs.Symlink, 0o777, rest, ""
			case word == "=":
				n.Type, n.Mode, n.Link, rest = rootfs.Hardlink, 0, strings.Trim(rest, "/"), ""
			case strings.Contains(word, ":"):
				if _, err := fmt.Sscanf(word, "%d:%d", &n.UID, &n.GID); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			default:
				if _, err := fmt.Sscanf(word, "%o", &n.Mode); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
		}
		if n.Type == rootfs.Regular {
			ref, err := store.Put(strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			n.Content = ref
		}
		if err := tr.Add(n); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return tr
}

// list is a tree as text: mode, owner, path and what it holds.
func list(t testing.TB, store cas.Store, tr *rootfs.Tree) map[string]string {
	t.Helper()
	out := map[string]string{}
	for n := range tr.All() {
		s := fmt.Sprintf("%c%04o", n.Type, n.Mode)
		if n.UID != 0 || n.GID != 0 {
			s += fmt.Sprintf(" %d:%d", n.UID, n.GID)
		}
		switch n.Type {
		case rootfs.Regular:
			data, err := rootfs.Read(store, n.Content)
			if err != nil {
				t.Fatal(err)
			}
			s += " " + strconv.Quote(string(data))
		case rootfs.Symlink:
			s = "-> " + n.Link
		case rootfs.Hardlink:
			s = "= /" + n.Link
		}
		out["/"+n.Path] = s
	}
	return out
}

// changes is what differs between two lists, a line each.
func changes(before, after map[string]string) string {
	var b strings.Builder
	for _, p := range sortedKeys(before, after) {
		switch was, is := before[p], after[p]; {
		case was == is:
		case is == "":
			fmt.Fprintf(&b, "%s gone\n", p)
		default:
			fmt.Fprintf(&b, "%s %s\n", p, is)
		}
	}
	return b.String()
}

// A harness runs scripts over a small tree.
type harness struct {
	store cas.Store
	in    *Interpreter
	out   strings.Builder
}

// base is the tree that most tests begin with.
const baseTree = `
/bin -> usr/bin
/sbin -> usr/sbin
/lib -> usr/lib
/usr/bin/
/usr/sbin/
/usr/lib/
/usr/bin/dash 0755 "\x7fELF"
/usr/bin/sh -> dash
/usr/bin/ls 0755 "\x7fELF"
/etc/passwd "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nmail:x:8:8::/var/mail:/bin/false\n"
/etc/group "root:x:0:\nadm:x:4:syslog\nmail:x:8:\nstaff:x:50:\n"
/root/ 0700
/tmp/ 1777
/var/run -> /run
/run/
/var/lib/
`

func newHarness(t testing.TB, extra string) *harness {
	t.Helper()
	h := &harness{store: cas.NewMem()}
	h.in = &Interpreter{Tree: tree(t, h.store, baseTree+extra), Contents: h.store, Epoch: 1_700_000_000, Arch: "amd64"}
	h.in.stdout = &h.out
	return h
}

// run runs text.
func (h *harness) run(t testing.TB, text string, args ...string) Result {
	t.Helper()
	h.out.Reset()
	res, err := h.in.Run(context.Background(), &Script{Package: "p", Name: "postinst", Text: []byte(text), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func sortedKeys(maps ...map[string]string) []string {
	seen := map[string]bool{}
	var keys []string
	for _, m := range maps {
		for k := range m {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}
