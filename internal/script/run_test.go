package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"compose/rootfs"
)

// A script sees the tree and nothing of the host: names that every host has
// are missing, or are the tree's.
func TestHermetic(t *testing.T) {
	host := t.TempDir()
	if err := os.WriteFile(host+"/here", []byte("echo leaked\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(host)
	t.Setenv("COMPOSE_LEAK", "leaked")
	t.Setenv("HOME", host)
	rules := []rule{
		{"files are the tree's", `cat /etc/passwd | head -n 1; cat /etc/hostname 2>/dev/null || echo none`, "root:x:0:0:root:/root:/bin/sh\nnone\n"},
		{"globs are the tree's", `echo /* /etc/*`, "/bin /etc /lib /root /run /sbin /tmp /usr /var /etc/group /etc/passwd\n"},
		{"tests are the tree's", `[ -x /bin/ls ] && echo ls; [ -e /proc ] || [ -d /sys ] || [ -x /bin/cat ] || echo none; [ -c /dev/null ] && echo null`, "ls\nnone\nnull\n"},
		{"commands are found in the tree", `command -v ls; which ls cat; command -v cat || type cat 2>/dev/null || echo none`, "/usr/bin/ls\n/usr/bin/ls\nnone\n"},
		{"sourcing is the tree's", `(. ` + host + `/here) 2>/dev/null || echo none; (. ./here) 2>/dev/null || echo none; (. here) 2>/dev/null || echo none`, "none\nnone\nnone\n"},
		{"scripts are the tree's", host + `/here 2>/dev/null || echo $?; sh ` + host + `/here 2>/dev/null || echo $?`, "127\n2\n"},
		{"directories are the tree's", `pwd; cd ` + host + ` 2>/dev/null || echo none; cd /usr/lib; cd -P /bin; pwd; pwd -P; cd /var/run; pwd; pwd -P`, "/\nnone\n/usr/bin\n/usr/bin\n/var/run\n/run\n"},
		{"redirections are the tree's", `echo a > ` + host + `/new 2>/dev/null || echo none; echo b > /tmp/x; cat < /tmp/x`, "none\nb\n"},
		{"here-documents make no file", "cat <<E\n$HOME\nE\nls /tmp", "/root\n"},
		{"the environment is the script's own", `echo "<$COMPOSE_LEAK>" $HOME $PATH ${USER-} ${LANG-}; env | sort | head -n 2`, "<> /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/root\nLC_ALL=C.UTF-8\n"},
		{"numbers of processes are always the same", `echo $$ $PPID "$!"; (echo $$); umask`, "2 1 \n2\n0022\n"},
		{"there is no chance", `echo "<$RANDOM>"; mktemp; mktemp -d /tmp/a.XXX; date +%s; hostname; uname -rm`, "<>\n/tmp/tmp.0000000001\n/tmp/a.002\n1700000000\nlocalhost\n6.12.0 x86_64\n"},
		{"homes are those of the tree", `echo ~ ~root ~daemon ~nobody`, "/root /root /usr/sbin ~nobody\n"},
		{"pipes, subshells and traps stay inside", `(cd /tmp; echo a | tee b | (read x; echo $x$PWD)); trap 'ls /tmp' EXIT; exec >/tmp/log; echo gone`, "a/tmp\n"},
		{"links do not lead out", `ln -s ` + host + ` /out; ls /out/here 2>/dev/null || echo none; ln -s ../../../../../../etc /up; ls /up; cat /../../etc/passwd | wc -l`, "none\ngroup\npasswd\n3\n"},
	}
	for _, tt := range rules {
		t.Run(tt.rule, func(t *testing.T) {
			h := newHarness(t, "")
			res := h.run(t, tt.script)
			if got := outcome(h.out.String(), res.Status); got != tt.want || res.Unknown != "" {
				t.Errorf("got:\n%s\nwant:\n%s\nunknown: %s\nstderr: %s", got, tt.want, res.Unknown, res.Stderr)
			}
		})
	}
}

// What a script does to the tree.
func TestEffects(t *testing.T) {
	for _, tt := range []struct{ rule, before, script, want string }{
		{"new files belong to root and have the umask's mode", "", "echo a > /etc/x; mkdir /etc/d; umask 077; touch /etc/y", "/etc/d d0755\n/etc/x -0644 \"a\\n\"\n/etc/y -0600 \"\"\n"},
		{"a file that is written keeps its mode and owner", `/etc/x 0600 5:6 "a"`, "echo b > /etc/x; echo c >> /etc/x", "/etc/x -0600 5:6 \"b\\nc\\n\"\n"},
		{"links are written through", `/etc/l -> ../usr/real`, "echo a > /etc/l", "/usr/real -0644 \"a\\n\"\n"},
		{"merged directories are written through", "", "touch /bin/tool; mkdir -p /lib/a/b; rm /sbin/none || true", "/usr/bin/tool -0644 \"\"\n/usr/lib/a d0755\n/usr/lib/a/b d0755\n"},
		{"directories of a group give it on", "/var/mail/ 2775 0:8", "mkdir /var/mail/a; touch /var/mail/b; mkdir -m 700 /var/mail/c", "/var/mail/a d2755 0:8\n/var/mail/b -0644 0:8 \"\"\n/var/mail/c d2700 0:8\n"},
		{"owners are those of the tree's accounts", "/etc/x \"\"\n/etc/y \"\"\n/etc/z \"\"", "chown daemon:staff /etc/x; chown mail: /etc/y; chown :50 /etc/z; chgrp adm /etc/z", "/etc/x -0644 1:50 \"\"\n/etc/y -0644 8:8 \"\"\n/etc/z -0644 0:4 \"\"\n"},
		{"a new owner takes the set-user-id bit", "/usr/bin/su 4755 \"\"", "chown mail /usr/bin/su", "/usr/bin/su -0755 8:0 \"\"\n"},
		{"chown -R does not follow links", "/srv/a/ \n/srv/a/l -> /etc/passwd\n/srv/a/f \"\"", "chown -R 5:5 /srv/a", "/srv/a d0755 5:5\n/srv/a/f -0644 5:5 \"\"\n"},
		{"chown -h changes a link, and no link changes what it leads to", "/srv/l -> f\n/srv/f \"\"", "chown 7 /srv/l", "/srv/f -0644 7:0 \"\"\n"},
		{"install -d", "", "install -d -m 2750 -o mail -g adm /var/log/x", "/var/log d0755\n/var/log/x d2750 8:4\n"},
		{"cp -a keeps all", "/srv/a/ 0750 3:4\n/srv/a/f 4711 8:8 \"x\"\n/srv/a/l -> f", "cp -a /srv/a /srv/b", "/srv/b d0750 3:4\n/srv/b/f -4711 8:8 \"x\"\n/srv/b/l -> f\n"},
		{"mv takes all below along", "/srv/a/b/f \"x\"", "mv /srv/a /srv/c", "/srv/a gone\n/srv/a/b gone\n/srv/a/b/f gone\n/srv/c d0755\n/srv/c/b d0755\n/srv/c/b/f -0644 \"x\"\n"},
		{"a file behind a hard link is the same file", "/srv/a \"x\"\n/srv/b = /srv/a", "echo y > /srv/b; chmod 600 /srv/b", "/srv/a -0600 \"y\\n\"\n"},
		{"what goes leaves its other name", "/srv/a \"x\"\n/srv/b = /srv/a", "rm /srv/a", "/srv/a gone\n/srv/b -0644 \"x\"\n"},
		{"rm -rf of a merged directory's link takes the link alone", "", "rm -rf /sbin", "/sbin gone\n"},
		{"the root stays", "", "rm -rf / 2>/dev/null || true; rm -rf /. 2>/dev/null || true", ""},
		{"writing what is there is no change", "/etc/x \"a\\n\"", "echo a > /etc/x.new; mv /etc/x.new /etc/y; rm /etc/y; chmod 644 /etc/x; chown root:root /etc/x", ""},
		{"output of a loop into a file", "", "for i in 1 2 3; do echo $i; done > /etc/x; while read n; do echo $n$n; done < /etc/x > /etc/y", "/etc/x -0644 \"1\\n2\\n3\\n\"\n/etc/y -0644 \"11\\n22\\n33\\n\"\n"},
		{"a file may be read while it is written", "", "exec 3> /etc/x; echo a >&3; cat /etc/x > /etc/y; echo b >&3; exec 3>&-", "/etc/x -0644 \"a\\nb\\n\"\n/etc/y -0644 \"a\\n\"\n"},
		{"a file that is removed while it is open is gone", "", "{ echo a; rm /etc/x; echo b; } > /etc/x", ""},
		{"a script of the tree runs with its own variables", `/usr/lib/tool 0755 "#!/bin/sh -e\necho \"$1 ${x-} ${y-}\" > /etc/x\ncd /etc\nfalse\necho no > /etc/y\n"`, "x=1; y=2; export y; /usr/lib/tool a || echo $? > z", "/etc/x -0644 \"a  2\\n\"\n/z -0644 \"1\\n\"\n"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			h := newHarness(t, tt.before)
			before := list(t, h.store, h.in.Tree)
			res := h.run(t, "set -e\n"+tt.script)
			if res.Unknown != "" || res.Status != 0 {
				t.Fatalf("%+v", res)
			}
			got := changes(before, list(t, h.store, h.in.Tree))
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if (res.Changes == 0) != (got == "") {
				t.Errorf("%d changes are said of:\n%s", res.Changes, got)
			}
		})
	}
}

// Each of these leaves the tree and the State as they were, and says why.
func TestUnknown(t *testing.T) {
	const does = "mkdir /new; echo a > /etc/passwd; rm -rf /usr/bin; mv /etc /cte; ln /cte/group /g; remember\n"
	for _, tt := range []struct{ rule, script, want string }{
		{"a command that is not known", "frob -x", `line 2: command "frob" is not known`},
		{"a command below a condition", "if ! frob 2>/dev/null; then :; fi || true", `line 2: command "frob" is not known`},
		{"a command in a substitution", "x=$(frob) || true", `line 2: command "frob" is not known`},
		{"a command in a pipe", "echo a | frob | cat", `line 2: command "frob" is not known`},
		{"a command in a function", "f() {\nfrob\n}\nf", `line 3: command "frob" is not known`},
		{"a command that find runs", "find /cte -exec frob {} ';'", `line 2: command "frob" is not known`},
		{"a command on exit", "trap frob EXIT", `command "frob" is not known`},
		{"an option that is not known", "cp --sparse=always a b", "line 2: cp: option --sparse=always"},
		{"a program that is no script", "/usr/lib/prog", "line 2: program /usr/lib/prog is not known"},
		{"a script in another language", "/usr/lib/perl", "/usr/lib/perl: no shell script, but for /usr/bin/perl -w"},
		{"the background", "sleep 1 &", "line 2: a command in the background"},
		{"a syntax error", "if", "not understood"},
		{"a device", "cat < /dev/urandom", "line 2: opens /dev/urandom"},
		{"a script that fails", "exit 3", ""},
		{"a script that ends for set -e", "set -e; false", ""},
		{"too many steps", "while :; do :; done", "line 2: more statements than its budget"},
		{"too many steps in sed", "echo a | sed ':x; bx'", "sed: more steps than its budget"},
		{"too many steps in awk", "awk 'BEGIN { while (1) x++ }'", "awk: more steps than its budget"},
		{"a function that calls itself", "f() { f; }; f", "calls nested more than 200 deep"},
		{"a script that calls itself", "eval_it() { eval \"$1\"; }; eval_it 'eval_it \"$1\"'", "calls nested more than 200 deep"},
		{"a variable that grows", "x=0123456789; while :; do x=$x$x; done", "line 2: a variable of more than 4194304 bytes"},
		{"a file that grows", "echo 0123456789 > /big; for i in 1 2 3 4 5 6 7 8 9; do cat /big /big > /b; mv /b /big; done; while :; do cat /big /big > /bigger; mv /bigger /big; done", "writes more than its budget of bytes"},
		{"output that grows", "x=$(while :; do printf %0999d%0999d%0999d; done)", "writes more than its budget of bytes"},
		{"parameters that grow", "while :; do set -- \"$@\" \"$@\" xxxxxxxxx; done", "line 2: more than 4194304 bytes of words"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			h := newHarness(t, "/usr/lib/prog 0755 \"\\x7fELF\"\n/usr/lib/perl 0755 \"#!/usr/bin/perl -w\\nprint 1\"\n/usr/hard = /usr/bin/ls")
			h.in.Steps, h.in.Bytes = 20_000, 8<<20
			h.in.State = map[string]any{"memory": 1}
			h.in.Commands = map[string]Command{"remember": func(c *Call) error {
				c.SetState("memory", 2)
				c.SetState("more", true)
				return nil
			}}
			before := list(t, h.store, h.in.Tree)
			res := h.run(t, does+tt.script)
			if !strings.Contains(res.Unknown, tt.want) || tt.want != "" && res.Unknown == "" || res.Unknown == "" && res.Status == 0 {
				t.Errorf("got: %+v\nwant: %s", res, tt.want)
			}
			if diff := changes(before, list(t, h.store, h.in.Tree)); diff != "" {
				t.Errorf("it left a trace:\n%s", diff)
			}
			if len(h.in.State) != 1 || h.in.State["memory"] != 1 {
				t.Errorf("State is %v", h.in.State)
			}
			if res.Changes != 0 {
				t.Errorf("%d changes are said", res.Changes)
			}
		})
	}
}

// A script's own errors are told, and what it used.
func TestResult(t *testing.T) {
	h := newHarness(t, "")
	res := h.run(t, "cat /none; /bin/mkdir /a; cat /none; exit 4", "configure", "")
	want := "cat: /none: no such file or directory\n"
	if res.Status != 4 || res.Stderr != want+want || fmt.Sprint(res.Used) != "[cat mkdir]" {
		t.Errorf("%+v", res)
	}
	if res = h.run(t, `[ "$1" = configure ] && [ -z "$2" ] && [ $# = 2 ] && [ "$0" = postinst ] && mkdir /a /b`, "configure", ""); res.Status != 0 || res.Changes != 2 {
		t.Errorf("%+v", res)
	}
}

// A build that is called off ends its scripts.
func TestCancelled(t *testing.T) {
	h := newHarness(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := h.in.Run(ctx, &Script{Text: []byte("mkdir /a")})
	if !errors.Is(err, context.Canceled) || h.in.Tree.Get("a") != nil {
		t.Errorf("%v", err)
	}
}

// The nodes that a script makes say so, and have the time of the build; what
// it only touches stays its package's.
func TestOrigin(t *testing.T) {
	h := newHarness(t, "/etc/x \"a\"\n/etc/y \"a\"")
	h.run(t, "echo b > /etc/x; chmod 600 /etc/y; touch /etc/z")
	for _, tt := range []struct{ path, pkg, origin string }{
		{"etc/x", "base", "script: p postinst"}, {"etc/y", "base", ""}, {"etc/z", "", "script: p postinst"},
	} {
		n := h.in.Tree.Get(tt.path)
		if n == nil || n.Package != tt.pkg || n.Origin != tt.origin || (n.MTime == h.in.Epoch) != (tt.origin != "") {
			t.Errorf("%s: %+v", tt.path, n)
		}
	}
}

// Undoing a script costs what it changed, not what the tree holds.
func BenchmarkUndo(b *testing.B) {
	h := newHarness(b, "")
	for i := range 60_000 {
		if err := h.in.Tree.Add(rootfs.Node{Path: fmt.Sprintf("usr/share/%d/%d", i/100, i), Type: rootfs.Dir, Mode: 0o755}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if res := h.run(b, "mkdir /a; exit 1"); res.Status != 1 {
			b.Fatal(res)
		}
	}
}

// Scripts of any kind are either interpreted or refused, leave no trace if
// they fail, and do the same when they are run again.
func FuzzScript(f *testing.F) {
	for _, list := range [][]rule{shellRules, commandRules, awkRules} {
		for _, tt := range list {
			f.Add(tt.script)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		var first string
		for i := range 2 {
			h := newHarness(t, "/w/")
			h.in.Steps, h.in.Bytes = 2000, 1<<20
			before := list(t, h.store, h.in.Tree)
			res := h.run(t, "cd /w\n"+text)
			after := list(t, h.store, h.in.Tree)
			diff := changes(before, after)
			if (res.Unknown != "" || res.Status != 0) && diff != "" {
				t.Fatalf("it left a trace:\n%s", diff)
			}
			all := fmt.Sprint(res, diff, h.out.String())
			if i == 0 {
				first = all
			} else if all != first {
				t.Fatalf("first:\n%s\nthen:\n%s", first, all)
			}
		}
	})
}

// Every rule's script, with the words of the others' between, is too much
// for a table; pairs of commands on one tree are not.
func TestRestore(t *testing.T) {
	steps := []string{"rm -rf /usr", "mv /usr/bin /usr/b", "ln /usr/bin/ls /usr/x", "rm /usr/bin/ls", "chmod 600 /usr/bin/ls", "mv /usr/hard /h", "echo z > /usr/hard", "mkdir /usr/bin/d", "rm /usr/hard; mkdir /usr/hard; touch /usr/hard/f", "mv /usr/lib /usr/bin", "cp -a /usr /copy", "rm -rf /etc; ln -s usr /etc", "chown -R 4:4 /usr"}
	h := newHarness(t, "/usr/hard = /usr/bin/ls\n/usr/hard2 = /usr/bin/ls")
	before := list(t, h.store, h.in.Tree)
	for _, a := range steps {
		for _, b := range steps {
			for _, c := range steps {
				h.run(t, a+"; "+b+"; "+c+"; exit 1")
				if diff := changes(before, list(t, h.store, h.in.Tree)); diff != "" {
					t.Fatalf("%s; %s; %s left a trace:\n%s", a, b, c, diff)
				}
			}
		}
	}
}

// Where shells differ, a script gets its own: the tree's /bin/sh, or bash.
func TestDialects(t *testing.T) {
	const busybox = "/usr/bin/busybox 0755 \"\\x7fELF\"\n/usr/bin/sh -> busybox\n"
	for _, tt := range []struct{ rule, tree, script, want string }{
		{"dash's echo takes escapes", "", `echo 'a\tb' -e`, "a\tb -e\n"},
		{"busybox's echo takes escapes with -e", busybox, `echo 'a\tb'; echo -e 'a\tb'; echo -en x`, "a\\tb\na\tb\nx"},
		{"bash's echo takes escapes with -e", "", "#!/bin/bash\necho 'a\\tb'; echo -e 'a\\tb'", "a\\tb\na\tb\n"},
		{"dash gives up on a shift too far", "", `(shift 9; echo no) 2>/dev/null; echo $?`, "2\n"},
		{"busybox goes on after a shift too far", busybox, `shift 9; echo $?`, "1\n"},
		{"bash's locals begin unset", "", "#!/bin/bash\nx=1; f() { local x; echo ${x-unset}; }; f; echo $x", "unset\n1\n"},
		{"dash's locals begin with the value outside", "", `x=1; f() { local x; echo ${x-unset}; x=2; }; f; echo $x`, "1\n1\n"},
		{"bash's tests", "", "#!/bin/bash\nx=abc; [[ $x == a* && -n $x && ! -e /none ]] && echo y; [[ $x = 'a*' ]] || echo n; (( 1 + 1 == 2 )) && echo z", "y\nn\nz\n"},
		{"bash's expansions", "", "#!/usr/bin/env bash\nx=hello; echo ${x:1:3} ${x: -2} ${x/l/L} ${x//l/L}; cat <<< $x", "ell lo heLlo heLLo\nhello\n"},
		{"bash's pipefail", "", "#!/bin/bash\nset -o pipefail; false | true; echo $?", "1\n"},
		{"options behind #!", "", "#!/bin/sh -eu\nfalse\necho no", "status 1"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			h := newHarness(t, tt.tree)
			res := h.run(t, tt.script)
			if got := outcome(h.out.String(), res.Status); got != tt.want || res.Unknown != "" {
				t.Errorf("got:  %q\nwant: %q\n%+v", got, tt.want, res)
			}
		})
	}
}
