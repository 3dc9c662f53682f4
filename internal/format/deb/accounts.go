package deb

import (
	"fmt"
	"strings"

	"compose/rootfs"
)

// Accounts gives Debian's static accounts as base-passwd has them: from its
// master files if it is in the tree, and otherwise from the table below.
// base-passwd is Essential, so any package may take them for granted without
// saying so (nginx runs as www-data), and an image without it needs them all
// the same.
//
// The password field of the masters is moved to shadow, as shadowconfig(8)
// does; the day of the last change is the image's own.
func (Format) Accounts(t *rootfs.Tree, c rootfs.Contents, epoch int64) (*rootfs.Accounts, error) {
	users, err := master(t, c, "usr/share/base-passwd/passwd.master", staticUsers)
	if err != nil {
		return nil, err
	}
	groups, err := master(t, c, "usr/share/base-passwd/group.master", staticGroups)
	if err != nil {
		return nil, err
	}
	aging := fmt.Sprintf("%d:0:99999:7:::", epoch/86400)
	var a rootfs.Accounts
	for line := range strings.Lines(users) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), ":*:"); ok {
			a.Passwd = fmt.Appendf(a.Passwd, "%s:x:%s\n", name, rest)
			a.Shadow = fmt.Appendf(a.Shadow, "%s:*:%s\n", name, aging)
		}
	}
	for line := range strings.Lines(groups) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), ":*:"); ok {
			a.Group = fmt.Appendf(a.Group, "%s:x:%s\n", name, rest)
			a.Gshadow = fmt.Appendf(a.Gshadow, "%s:*::\n", name)
		}
	}
	a.Locked = "!:" + aging
	return &a, nil
}

// master is the text of a master file, or text if the tree has no such file.
func master(t *rootfs.Tree, c rootfs.Contents, path, text string) (string, error) {
	n := t.Lookup(path)
	if n == nil || n.Type != rootfs.Regular {
		return text, nil
	}
	b, err := rootfs.Read(c, n.Content)
	if err != nil {
		return "", fmt.Errorf("/%s: %w", path, err)
	}
	return string(b), nil
}

// The static accounts of Debian 13 (base-passwd 3.6.7). Numbers below 100
// are the same in every release (Debian policy 9.2.2).
const (
	staticUsers = `root:*:0:0:root:/root:/bin/bash
daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:*:2:2:bin:/bin:/usr/sbin/nologin
sys:*:3:3:sys:/dev:/usr/sbin/nologin
sync:*:4:65534:sync:/bin:/bin/sync
games:*:5:60:games:/usr/games:/usr/sbin/nologin
man:*:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:*:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:*:8:8:mail:/var/mail:/usr/sbin/nologin
news:*:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:*:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:*:13:13:proxy:/bin:/usr/sbin/nologin
www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin
backup:*:34:34:backup:/var/backups:/usr/sbin/nologin
list:*:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:*:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:*:42:65534::/nonexistent:/usr/sbin/nologin
nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`
	staticGroups = `root:*:0:
daemon:*:1:
bin:*:2:
sys:*:3:
adm:*:4:
tty:*:5:
disk:*:6:
lp:*:7:
mail:*:8:
news:*:9:
uucp:*:10:
man:*:12:
proxy:*:13:
kmem:*:15:
dialout:*:20:
fax:*:21:
voice:*:22:
cdrom:*:24:
floppy:*:25:
tape:*:26:
sudo:*:27:
audio:*:29:
dip:*:30:
www-data:*:33:
backup:*:34:
operator:*:37:
list:*:38:
irc:*:39:
src:*:40:
shadow:*:42:
utmp:*:43:
video:*:44:
sasl:*:45:
plugdev:*:46:
staff:*:50:
games:*:60:
users:*:100:
nogroup:*:65534:
`
)
