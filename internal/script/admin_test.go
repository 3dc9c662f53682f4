package script

import (
	"strings"
	"testing"

	"compose/rootfs"
)

// adminTree has what administrative commands work on. Epoch 1700000000 is
// day 19675.
const adminTree = `
/etc/shadow 0640 0:42 "root:*:19675:0:99999:7:::\nmail:*:19675:0:99999:7:::\n"
/etc/gshadow 0640 0:42 "root:*::\nmail:*::\nusers:*::\n"
/etc/group "root:x:0:\nmail:x:8:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n"
/usr/bin/mawk 0755 "mawk"
/usr/bin/gawk 0755 "gawk"
/usr/share/man/man1/
/usr/share/man/man1/gawk.1.gz "gz"
/var/lib/dpkg/
/home/
`

// What the commands do is what the real ones of Debian 13 did with the same
// arguments, unless the rule says otherwise.
var adminRules = []struct {
	rule, tree, script string
	want               string // changes to the tree, a line each
	out                string
}{
	{"adduser --system --group numbers user and group apart", "", `adduser --system --home /var/lib/redis --quiet --group redis`,
		`/etc/group -0644 "root:x:0:\nmail:x:8:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\nredis:x:101:\n"
/etc/gshadow -0640 0:42 "root:*::\nmail:*::\nusers:*::\nredis:!::\n"
/etc/passwd -0644 "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nmail:x:8:8::/var/mail:/bin/false\nredis:x:100:101::/var/lib/redis:/usr/sbin/nologin\n"
/etc/shadow -0640 0:42 "root:*:19675:0:99999:7:::\nmail:*:19675:0:99999:7:::\nredis:!:19675::::::\n"
/var/lib/redis d0755 100:101
`, ""},
	{"adduser --ingroup, without a home", "", `addgroup --system mysql
adduser --system --disabled-login --ingroup mysql --no-create-home --home /nonexistent --gecos "MariaDB Server" --shell /bin/false mysql
getent passwd mysql; getent group mysql; id -u mysql; id -gn mysql; id mysql; getent shadow mysql`, "*",
		"mysql:x:100:101:MariaDB Server:/nonexistent:/bin/false\nmysql:x:101:\n100\nmysql\nuid=100(mysql) gid=101(mysql) groups=101(mysql)\nmysql:!:19675::::::\n"},
	{"adduser of a system user that is there does nothing", "", `adduser --system a; adduser --system a; adduser --system --group a; echo $?`, "*", "0\n"},
	{"adduser joins a group", "", `adduser --quiet mail users; getent group users; adduser mail none; echo $?`, "*", "users:x:100:mail\n12\n"},
	{"adduser without a group is in nogroup", "", `adduser --system plain; getent passwd plain`, "*", "plain:x:100:65534::/nonexistent:/usr/sbin/nologin\n"},
	{"useradd -r counts down", "", `useradd --prefix=/ -r -d/nonexistent -s/sbin/nologin _log; usermod -c"log user" _log; groupadd -r abc; getent passwd _log; getent group abc; getent gshadow _log`, "*",
		"_log:x:999:999:log user:/nonexistent:/sbin/nologin\nabc:x:998:\n_log:!::\n"},
	{"getent knows numbers, and says no", "", `getent passwd 8; getent group 42; getent passwd nobody || echo $?`, "", "mail:x:8:8::/var/mail:/bin/false\nshadow:x:42:\n2\n"},
	{"busybox adduser", "", `addgroup -S nginx; adduser -S -D -H -h /var/lib/nginx -s /sbin/nologin -G nginx -g nginx nginx; addgroup -S nginx || echo $?; adduser -S -D -H nginx 2>/dev/null || echo $?; addgroup nginx users; getent passwd nginx; getent group nginx; getent group users`, "*",
		"1\n1\nnginx:x:100:101:nginx:/var/lib/nginx:/sbin/nologin\nnginx:x:101:nginx\nusers:x:100:nginx\n"},
	{"a script for busybox sh, and applets by busybox's name", "", "#!/bin/busybox sh\n/bin/busybox mkdir -p /opt/x\nexec /bin/busybox --install -s", "/opt d0755\n/opt/x d0755\n", ""},
	{"shadowconfig on lets the group shadow read", "/etc/shadow 0600 \"root:*::::::\"", `shadowconfig on`,
		`/etc/shadow -0640 0:42 "root:*::::::"
`, ""},

	{"update-alternatives makes links and writes them down", "", `update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/gawk.1.gz --slave /usr/bin/nawk nawk /usr/bin/nope`,
		`/etc/alternatives d0755
/etc/alternatives/awk -> /usr/bin/gawk
/etc/alternatives/awk.1.gz -> /usr/share/man/man1/gawk.1.gz
/usr/bin/awk -> /etc/alternatives/awk
/usr/share/man/man1/awk.1.gz -> /etc/alternatives/awk.1.gz
/var/lib/dpkg/alternatives d0755
/var/lib/dpkg/alternatives/awk -0644 "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n/usr/bin/gawk\n10\n/usr/share/man/man1/gawk.1.gz\n/usr/bin/nope\n\n"
`, ""},
	{"the highest priority wins, in any order", "", `update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10; update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5; update-alternatives --query awk; update-alternatives --list awk`, "*",
		"Name: awk\nLink: /usr/bin/awk\nStatus: auto\nBest: /usr/bin/gawk\nValue: /usr/bin/gawk\n\nAlternative: /usr/bin/gawk\nPriority: 10\n\nAlternative: /usr/bin/mawk\nPriority: 5\n/usr/bin/gawk\n/usr/bin/mawk\n"},
	{"update-alternatives --set, --auto, --remove", "", `update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10; update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5
update-alternatives --set awk /usr/bin/mawk; cat /usr/bin/awk; update-alternatives --auto awk; cat /usr/bin/awk
update-alternatives --set awk /usr/bin/mawk; update-alternatives --remove awk /usr/bin/mawk; cat /usr/bin/awk; update-alternatives --remove awk /usr/bin/gawk`,
		"/etc/alternatives d0755\n/var/lib/dpkg/alternatives d0755\n", "mawkgawkgawk"},
	{"an alternative must be there", "", `update-alternatives --install /usr/bin/awk awk /usr/bin/nope 10; echo $?; update-alternatives --query awk; echo $?; update-alternatives --remove awk /x; echo $?`, "", "2\n2\n0\n"},
	{"a file in the place of a link stays", "/usr/bin/awk \"mine\"", `update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10; cat /usr/bin/awk`, "*", "mine"},

	{"dpkg-statoverride sets and remembers, in dpkg's order", "/tmp/f1 \"\"\n/tmp/f2 \"\"\n/tmp/f3 \"\"\n/tmp/d4/\n/var/lib/php/sessions/",
		`for p in /tmp/f1 /tmp/d4 /var/lib/php/sessions /tmp/f3 /tmp/f2; do dpkg-statoverride --update --add root mail 02750 $p; done; dpkg-statoverride --list /nope || echo $?; dpkg-statoverride --list '/tmp/d*'; dpkg-statoverride --add root root 644 /tmp/f1 || echo $?; dpkg-statoverride --remove /tmp/f1`,
		`/tmp/d4 d2750 0:8
/tmp/f1 -2750 0:8 ""
/tmp/f2 -2750 0:8 ""
/tmp/f3 -2750 0:8 ""
/var/lib/dpkg/statoverride -0644 "root mail 2750 /tmp/f3\nroot mail 2750 /tmp/f2\nroot mail 2750 /var/lib/php/sessions\nroot mail 2750 /tmp/d4\n"
/var/lib/php/sessions d2750 0:8
`, "1\nroot mail 2750 /tmp/d4\n2\n"},
	{"dpkg-statoverride refuses an unknown group", "", `dpkg-statoverride --update --add root nosuch 640 /etc/passwd; echo $?`, "", "2\n"},
	{"dpkg-divert renames what another package brought", "/usr/share/x \"theirs\"", `dpkg-divert --package p --rename --divert /usr/share/x.d --add /usr/share/x; dpkg-divert --quiet --package p --no-rename --divert /y.d --add /y; dpkg-divert --truename /usr/share/x; dpkg-divert --list; dpkg-divert --listpackage /y`,
		`/usr/share/x gone
/usr/share/x.d -0644 "theirs"
/var/lib/dpkg/diversions -0644 "/y\n/y.d\np\n/usr/share/x\n/usr/share/x.d\np\n"
`, "Adding 'diversion of /usr/share/x to /usr/share/x.d by p'\n/usr/share/x.d\ndiversion of /y to /y.d by p\ndiversion of /usr/share/x to /usr/share/x.d by p\np\n"},
	{"dpkg-divert --remove of nothing", "", `dpkg-divert --package p --rename --remove /tmp/v2; echo $?`, "", "No diversion 'diversion of /tmp/v2 by p', none removed.\n0\n"},

	{"ucf copies with mode and owner, and remembers", "/var/lib/ucf/\n/usr/share/a.conf 0600 3:4 \"a\\n\"", `ucf --three-way /usr/share/a.conf /etc/a.conf; ucfr p /etc/a.conf; ucfr q /etc/a.conf || echo $?`,
		`/etc/a.conf -0600 3:4 "a\n"
/var/lib/ucf/cache d0755
/var/lib/ucf/cache/:etc:a.conf -0600 "a\n"
/var/lib/ucf/hashfile -0644 "60b725f10c9c85c70d97880dfe8191b3  /etc/a.conf\n"
/var/lib/ucf/registry -0644 "p \t /etc/a.conf\n"
`, "4\n"},
	{"ucf without the package ucf keeps no records", "/usr/share/a.conf \"a\"", `ucf --debconf-ok /usr/share/a.conf /etc/a.conf; ucfr p /etc/a.conf; ucf --purge /etc/a.conf`, "/etc/a.conf -0644 \"a\"\n", ""},
	{"ucf into a folder that is missing fails", "/usr/share/a.conf \"a\"", `ucf /usr/share/a.conf /etc/y/a.conf || echo $?`, "", "1\n"},

	{"dpkg compares versions, and no version", "", `for op in lt le eq ne ge gt lt-nl le-nl ge-nl gt-nl; do dpkg --compare-versions "" $op 1 && echo $op; done; dpkg --compare-versions 1 gt 0 && dpkg --compare-versions -- 1 '<<' 2 && echo y`, "",
		"lt\nle\nne\nge-nl\ngt-nl\ny\n"},
	{"dpkg knows the packages of the image", "", `dpkg --print-architecture; dpkg -L one; dpkg-query -W -f='${Package} ${Version} ${Status}\n' 'o*'; dpkg-query -W none || echo $?; dpkg -s two; dpkg-query -f '${binary:Package}' -W two; dpkg -S /usr/one`, "",
		"amd64\n/.\n/usr\n/usr/one\none 1.0 install ok installed\n1\nPackage: two\nStatus: install ok installed\nSection: x\nMulti-Arch: same\ntwo:amd64one: /usr/one\n"},
	{"dpkg-maintscript-helper does nothing when a package is new", "/etc/old \"\"", `dpkg-maintscript-helper supports rm_conffile && dpkg-maintscript-helper rm_conffile /etc/old 1.0 p -- configure ""; dpkg-maintscript-helper mv_conffile /etc/old /etc/new 1.0~ -- install`, "", ""},

	{"debconf answers by the defaults of templates", "", `. /usr/share/debconf/confmodule
db_version 2.0
db_get one/port; echo "$RET" >/tmp/a; db_input high one/port || true; db_go; db_set one/port 99; db_get one/port; echo "$RET" >>/tmp/a
db_get one/none || echo $? >>/tmp/a; db_fget one/port seen; echo $RET >>/tmp/a; db_fset one/port seen true; db_fget one/port seen; echo $RET >> /tmp/a; db_register one/port two/port; db_get two/port; echo $RET >> /tmp/a; db_metaget one/port type; echo $RET >>/tmp/a; db_stop`,
		"/tmp/a -0644 \"80\\n99\\n10\\nfalse\\ntrue\\n80\\nstring\\n\"\n", ""},

	{"pam-auth-update joins the profiles, the highest priority first", pamTree, `pam-auth-update --root "" --package --force`, `/etc/pam.d/common-account -0644 "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \naccount\trequisite\tpam_deny.so\n"
/etc/pam.d/common-auth -0644 "auth\t[success=2 default=ignore]\tpam_unix.so nullok\nauth\t[success=1 default=ignore]\tpam_sss.so use_first_pass\nauth\trequisite\tpam_deny.so\n"
/etc/pam.d/common-password -0644 "password\t[default=1]\t\t\tpam_permit.so\n"
/etc/pam.d/common-session -0644 "session\t[default=1]\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so \nsession\toptional\tpam_systemd.so \n"
/etc/pam.d/common-session-noninteractive -0644 "session\t[default=1]\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so \n"
/var/lib/pam d0755
/var/lib/pam/account -0644 "Module: unix\n[success=end new_authtok_reqd=done default=ignore]\tpam_unix.so\n"
/var/lib/pam/auth -0644 "Module: unix\n[success=end default=ignore]\tpam_unix.so nullok\nModule: sss\n[success=end default=ignore]\tpam_sss.so use_first_pass\n"
/var/lib/pam/password -0644 "Module: null\n[default=1]\t\t\tpam_permit.so\n"
/var/lib/pam/seen -0644 "unix\nsss\nsystemd\nmkhomedir\n"
/var/lib/pam/session -0644 "Module: null\n[default=1]\t\t\tpam_permit.so\nModule: unix\nrequired\tpam_unix.so\nModule: systemd\noptional\tpam_systemd.so\n"
/var/lib/pam/session-noninteractive -0644 "Module: null\n[default=1]\t\t\tpam_permit.so\nModule: unix\nrequired\tpam_unix.so\n"
`, ""},
	{"setcap writes the attribute, getcap reads it", "", `setcap cap_net_raw+ep /usr/bin/mawk; getcap /usr/bin/mawk /usr/bin/gawk; setcap cap_dac_override,cap_bpf,cap_net_admin=ep /usr/bin/gawk; getcap /usr/bin/gawk; setcap -r /usr/bin/gawk; getcap /usr/bin/gawk`, "", "/usr/bin/mawk cap_net_raw=ep\n/usr/bin/gawk cap_dac_override,cap_net_admin,cap_bpf=ep\n"},
	{"su tells what a user owns", "/var/lib/m/ 8:8", `su -s /bin/sh mail -c "test -O /var/lib/m && test -G /var/lib/m" && echo y; su -s /bin/sh mail -c "test -O /var/lib" || echo n`, "", "y\nn\n"},
	{"systemd-sysusers counts down, groups first", "/usr/lib/sysusers.d/a.conf \"# c\\nu bus - \\\"System Bus\\\" /nonexistent\\ng kvm -\\nu sshd -:nogroup \\\"sshd user\\\" /run/sshd\\nu! net - \\\"x\\\"\\nm sshd kvm\\nu www 555 - /x /bin/sh\\nu a 600:kvm\\n\"", `systemd-sysusers a.conf; systemd-sysusers; for u in bus sshd net www a; do getent passwd $u; getent shadow $u; done; getent group kvm bus net www; getent gshadow kvm`, "*",
		"bus:x:998:998:System Bus:/nonexistent:/usr/sbin/nologin\nbus:!*:19675::::::\nsshd:x:997:65534:sshd user:/run/sshd:/usr/sbin/nologin\nsshd:!*:19675::::::\nnet:x:996:996:x:/:/usr/sbin/nologin\nnet:!*:19675:::::1:\nwww:x:555:555::/x:/bin/sh\nwww:!*:19675::::::\na:x:600:999::/:/usr/sbin/nologin\na:!*:19675::::::\nkvm:x:999:sshd\nbus:x:998:\nnet:x:996:\nwww:x:555:\nkvm:!*::sshd\n"},
	{"systemd-tmpfiles makes what an image needs", "/usr/lib/tmpfiles.d/a.conf \"d /run/php 0755 mail mail - -\\nL /var/lib/l - - - - /etc/machine-id\\nL+ /etc/passwd2 - - - - passwd\\nr! /etc/gshadow.lock\\nd$ /run/s/t 2775 root mail -\\nz /etc/shadow 0600 - - -\\nf+! /run/nologin 0644 - - - x\\nC /etc/copy - - - - /etc/group\\nx /tmp/*\\nd /var/lib - - - -\\n\"", `systemd-tmpfiles --create a.conf`,
		`/etc/copy -0644 "root:x:0:\nmail:x:8:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n"
/etc/passwd2 -> passwd
/etc/shadow -0600 0:42 "root:*:19675:0:99999:7:::\nmail:*:19675:0:99999:7:::\n"
/run/php d0755 8:8
/run/s d0755
/run/s/t d2775 0:8
/var/lib/l -> /etc/machine-id
`, ""},

	{"services are left alone", "", `if deb-systemd-helper --quiet was-enabled x.service; then deb-systemd-helper enable x.service; fi; deb-systemd-helper debian-installed x.service || echo new; invoke-rc.d x start || exit 1; update-rc.d x defaults; deb-systemd-invoke start x; systemctl daemon-reload; ldconfig`, "", "new\n"},
}

// pamTree has four profiles, one of them off by default.
const pamTree = `
/usr/share/pam/common-auth "$auth_primary\nauth\trequisite\tpam_deny.so\n$auth_additional\n"
/usr/share/pam/common-account "$account_primary\naccount\trequisite\tpam_deny.so\n"
/usr/share/pam/common-password "$password_primary\n"
/usr/share/pam/common-session "$session_primary\n$session_additional\n"
/usr/share/pam/common-session-noninteractive "$session_primary\n$session_additional\n"
/usr/share/pam-configs/unix "Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_unix.so nullok try_first_pass\nAuth-Initial:\n\t[success=end default=ignore]\tpam_unix.so nullok\nAccount-Type: Primary\nAccount:\n\t[success=end new_authtok_reqd=done default=ignore]\tpam_unix.so\nSession-Type: Additional\nSession:\n\trequired\tpam_unix.so\n"
/usr/share/pam-configs/sss "Name: S\nDefault: yes\nPriority: 128\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_sss.so use_first_pass\n"
/usr/share/pam-configs/systemd "Name: Y\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional\tpam_systemd.so\n"
/usr/share/pam-configs/mkhomedir "Name: Z\nDefault: no\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional\tpam_mkhomedir.so\n"
/etc/pam.d/
`

// adminPackages are those that dpkg knows in the tests.
var adminPackages = map[string]*rootfs.Package{
	"one": {Name: "one", Version: "1.0", Arch: "amd64", Nodes: []rootfs.Node{{Path: "usr", Type: rootfs.Dir}, {Path: "usr/one"}},
		Control: map[string][]byte{
			"control":   []byte("Package: one\nVersion: 1.0\n"),
			"templates": []byte("Template: one/port\nType: string\nDefault: 80\nDescription: Port:\n A port.\n .\n More.\n\nTemplate: one/other\nType: boolean\n"),
		}},
	"two": {Name: "two", Version: "2", Arch: "amd64", Control: map[string][]byte{"control": []byte("Package: two\nSection: x\nMulti-Arch: same\n")}},
}

func newAdmin(t *testing.T, extra string) *harness {
	h := newHarness(t, adminTree+extra)
	h.in.Tell(Facts{Packages: adminPackages, Compare: strings.Compare})
	return h
}

func TestAdministrativeCommands(t *testing.T) {
	for _, tt := range adminRules {
		t.Run(tt.rule, func(t *testing.T) {
			h := newAdmin(t, tt.tree)
			before := list(t, h.store, h.in.Tree)
			res := h.run(t, tt.script)
			if res.Unknown != "" || res.Status != 0 {
				t.Fatalf("unknown %q, status %d\n%s", res.Unknown, res.Status, res.Stderr)
			}
			if got := changes(before, list(t, h.store, h.in.Tree)); tt.want != "*" && got != tt.want {
				t.Errorf("tree:\n%s\nwant:\n%s\nstderr: %s", got, tt.want, res.Stderr)
			}
			if got := h.out.String(); got != tt.out {
				t.Errorf("out:  %q\nwant: %q\nstderr: %s", got, tt.out, res.Stderr)
			}
		})
	}
}

func TestWhatIsNotKnownStopsTheScript(t *testing.T) {
	for _, script := range []string{
		`adduser joe`,
		`passwd root`,
		`adduser --system --conf /x y`,
		`useradd -R /x y`,
		`usermod -G a root`,
		`dpkg -i x.deb`,
		`dpkg-query -l --bogus`,
		`getent hosts x`,
		`update-alternatives --root /x --auto awk`,
		`ucf /etc/passwd /etc/group`,
		`systemctl enable x`,
		`start-stop-daemon --start --exec /x`,
		`dpkg-maintscript-helper rm_conffile /etc/old 1.0 p -- configure 0.9`,
		`dpkg-divert --test /x`,
	} {
		h := newAdmin(t, "")
		before := list(t, h.store, h.in.Tree)
		if res := h.run(t, "touch /tmp/trace\n"+script); res.Unknown == "" {
			t.Errorf("%s: status %d, not unknown\n%s", script, res.Status, res.Stderr)
		}
		if got := changes(before, list(t, h.store, h.in.Tree)); got != "" {
			t.Errorf("%s: left a trace\n%s", script, got)
		}
	}
}

// A number that the lock has for a name is that name's, whoever comes first.
func TestNumbersOfTheLockAreKept(t *testing.T) {
	h := newAdmin(t, "")
	h.in.Tell(Facts{UIDs: map[string]int{"b": 100, "c": 0}, GIDs: map[string]int{"b": 105, "z": 101}})
	res := h.run(t, "for u in a b c; do adduser --system --group $u; getent passwd $u; done")
	want := "a:x:101:102::/nonexistent:/usr/sbin/nologin\nb:x:100:105::/nonexistent:/usr/sbin/nologin\nc:x:102:103::/nonexistent:/usr/sbin/nologin\n"
	if h.out.String() != want || res.Unknown != "" {
		t.Errorf("got %q (%s), want %q", h.out.String(), res.Unknown, want)
	}
}

func TestFinalizersAndOmissions(t *testing.T) {
	used := []string{"ldconfig", "mkdir", "ssh-keygen", "update-ca-certificates"}
	if got := strings.Join(Finalizers(used), " "); got != "ca-certificates ldconfig" {
		t.Errorf("finalizers %q", got)
	}
	if got := Omissions(used); len(got) != 1 || !strings.HasPrefix(got[0], "ssh-keygen: ") {
		t.Errorf("omitted %q", got)
	}
}
