package script

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"compose/rootfs"
)

func init() {
	register(map[string]Command{
		"systemd-sysusers": sysusers, "/usr/lib/systemd/systemd-sysusers": sysusers,
		"systemd-tmpfiles": tmpfiles, "/usr/lib/systemd/systemd-tmpfiles": tmpfiles,
	})
}

// configLines reads the named files of a folder of systemd's, or all of them,
// in the order of their names: one in /etc hides that of the same name in
// /run, and that one in /usr/lib. A name with a slash is a path.
func (c *Call) configLines(folder string, names []string) ([][]string, error) {
	dirs := []string{"/etc/" + folder, "/run/" + folder, "/usr/local/lib/" + folder, "/usr/lib/" + folder}
	if len(names) == 0 {
		for _, dir := range dirs {
			found, err := c.FS.ReadDir(dir)
			if err != nil {
				continue
			}
			for _, name := range found {
				if strings.HasSuffix(name, ".conf") && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
	}
	var lines [][]string
	for _, name := range names {
		text, err := c.configFile(dirs, name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines = append(lines, configFields(line))
			}
		}
	}
	return lines, nil
}

func (c *Call) configFile(dirs []string, name string) (string, error) {
	if name == "-" {
		return "", Unknown("lines from standard input")
	}
	if strings.Contains(name, "/") {
		data, err := c.FS.ReadFile(c.Path(name))
		return string(data), err
	}
	for _, dir := range dirs {
		data, err := c.FS.ReadFile(dir + "/" + name)
		if err == nil {
			return string(data), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", c.complain(1, "%s: no such file", name)
}

// configFields splits a line at blanks; quotes hold a field together.
func configFields(line string) []string {
	var fields []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var b strings.Builder
		quote := byte(0)
		i := 0
		for ; i < len(line); i++ {
			ch := line[i]
			if quote == 0 && (ch == ' ' || ch == '\t') {
				break
			}
			switch {
			case quote != 0 && ch == quote:
				quote = 0
			case quote == 0 && (ch == '"' || ch == '\''):
				quote = ch
			case ch == '\\' && i+1 < len(line):
				i++
				b.WriteByte(line[i])
			default:
				b.WriteByte(ch)
			}
		}
		fields = append(fields, b.String())
		line = line[i:]
	}
	return fields
}

// column is the i-th field, "" where it is missing or a dash.
func column(fields []string, i int) string {
	if i >= len(fields) || fields[i] == "-" {
		return ""
	}
	return fields[i]
}

// sysusers is systemd-sysusers(8): explicit groups first, then each user
// after the group of its name, then members. Numbers that a line leaves open
// go down from 999, and are free of users and groups.
func sysusers(c *Call) error {
	o, names, err := getopt(c.Args[1:], "root= replace= no-pager inline dry-run image= cat-config")
	if err != nil {
		return err
	}
	if o.has("inline") || o.has("dry-run") || o.has("cat-config") || !ownRoot(o["root"]) || o.has("image") {
		return Unknown("these options")
	}
	lines, err := c.configLines("sysusers.d", names)
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	for _, kinds := range []string{"g", "u", "m"} {
		for _, l := range lines {
			if l[0][:1] != kinds {
				continue
			}
			if err := a.sysuser(l); err != nil {
				return err
			}
		}
	}
	return a.write()
}

// sysuser carries out one line of sysusers.d(5).
func (a *accounts) sysuser(l []string) error {
	kind, locked := strings.CutSuffix(l[0], "!")
	name, id := column(l, 1), column(l, 2)
	if name == "" || strings.Contains(name, "%") || strings.HasPrefix(id, "/") {
		return Unknown("the line %q", strings.Join(l, " "))
	}
	switch kind {
	case "g":
		_, err := a.sysgroup(name, id)
		return err
	case "m":
		if a.find("passwd", name) == nil {
			return Unknown("a member %q that is no user", name)
		}
		if _, err := a.sysgroup(id, ""); err != nil {
			return err
		}
		a.addMember(id, name)
		return nil
	case "u":
	default:
		return Unknown("the line %q", strings.Join(l, " "))
	}
	if a.find("passwd", name) != nil {
		return nil
	}
	uidText, group, other := strings.Cut(id, ":")
	if uidText == "-" {
		uidText = ""
	}
	uid, gid := -1, -1
	var err error
	if uidText != "" {
		if uid, err = strconv.Atoi(uidText); err != nil {
			return Unknown("the line %q", strings.Join(l, " "))
		}
		if a.byID("passwd", uid) != nil {
			uid = -1
		}
	}
	if other {
		if gid = accountID(a.lookup("group", group)); gid < 0 {
			return Unknown("group %q is not there", group)
		}
	} else if gid, err = a.sysgroup(name, uidText); err != nil {
		return err
	} else if uid < 0 && a.byID("passwd", gid) == nil {
		uid = gid
	}
	if want, ok := a.c.facts().UIDs[name]; ok && uidText == "" && a.byID("passwd", want) == nil {
		uid = want
	}
	if uid < 0 {
		if uid, err = a.free("passwd", name, useraddSystem, true); err != nil {
			return err
		}
	}
	home, shell := column(l, 4), column(l, 5)
	if home == "" {
		home = "/"
	}
	if shell == "" {
		shell = "/usr/sbin/nologin"
		if uid == 0 {
			shell = "/bin/sh"
		}
	}
	aging := slices.Clone(noAging)
	if locked {
		aging[4] = "1" // expired since the second day of 1970
	}
	a.addUser(name, uid, gid, column(l, 3), home, shell, "!*", aging)
	return nil
}

// sysgroup makes a group, unless it is there, and gives its number.
func (a *accounts) sysgroup(name, id string) (int, error) {
	if g := a.find("group", name); g != nil {
		return accountID(g), nil
	}
	gid := -1
	if id != "" && id != "-" {
		var err error
		if gid, err = strconv.Atoi(id); err != nil {
			return 0, Unknown("group number %q", id)
		}
		if a.byID("group", gid) != nil {
			gid = -1
		}
	}
	if gid < 0 {
		var err error
		if gid, err = a.free("group", name, useraddSystem, true); err != nil {
			return 0, err
		}
	}
	a.addGroup(name, gid, "!*")
	return gid, nil
}

// tmpfiles is systemd-tmpfiles(8) --create: directories, links, copies and
// files that are missing, and modes and owners. What is for the boot only, or
// for cleaning up, is left alone, as are attributes of file systems.
func tmpfiles(c *Call) error {
	o, names, err := getopt(c.Args[1:], "create remove clean boot root= prefix= exclude-prefix= replace= no-pager graceful")
	if err != nil {
		return err
	}
	if !ownRoot(o["root"]) || o.has("prefix") || o.has("exclude-prefix") {
		return Unknown("these options")
	}
	if !o.has("create") {
		return nil
	}
	lines, err := c.configLines("tmpfiles.d", names)
	if err != nil {
		return err
	}
	// What is above comes first, whatever the order of the lines.
	slices.SortStableFunc(lines, func(a, b []string) int { return strings.Compare(column(a, 1), column(b, 1)) })
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := a.tmpfile(l); err != nil {
			return err
		}
	}
	return nil
}

// tmpfile carries out one line of tmpfiles.d(5).
func (a *accounts) tmpfile(l []string) error {
	c, kind, p := a.c, l[0], column(l, 1)
	if strings.ContainsAny(kind, "!") && !strings.HasPrefix(kind, "L") || strings.ContainsAny(kind[1:], "^") {
		return nil
	}
	if strings.Contains(p, "%") || strings.Contains(column(l, 6), "%") {
		return nil // of the machine or the boot
	}
	kind = strings.Trim(kind, "-=$?!~")
	if !strings.HasPrefix(p, "/") {
		return Unknown("the line %q", strings.Join(l, " "))
	}
	switch kind {
	case "d", "D", "q", "Q", "v":
		return a.tmpDir(l, p)
	case "L", "L+":
		return a.tmpLink(l, p, kind == "L+")
	case "f", "f+", "C", "C+":
		return a.tmpFile(l, p, kind)
	case "z", "Z":
		return a.tmpAdjust(l, p, kind == "Z")
	case "r", "R", "x", "X", "h", "H", "a", "a+", "A", "A+", "t", "T", "w", "w+", "e":
		return nil
	case "p", "p+", "c", "c+", "b", "b+":
		return c.note("%s: no device or FIFO is made", p)
	}
	return Unknown("the line %q", strings.Join(l, " "))
}

// note writes to standard error and goes on.
func (c *Call) note(format string, args ...any) error {
	fmt.Fprintf(c.Stderr, format+"\n", args...)
	return nil
}

// A tmpMode is the mode and owner that a line asks for.
type tmpMode struct {
	mode           uint16
	masked, always bool // ~: only bits that are there; without ":" also for what is there
	uid, gid       int
}

func (a *accounts) tmpMode(l []string, usual uint16) (m tmpMode, err error) {
	m = tmpMode{mode: usual, always: column(l, 2) != ""}
	text := column(l, 2)
	for text != "" && (text[0] == '~' || text[0] == ':') {
		m.masked = m.masked || text[0] == '~'
		m.always = m.always && text[0] != ':'
		text = text[1:]
	}
	if text != "" {
		mode, err := strconv.ParseUint(text, 8, 12)
		if err != nil {
			return m, Unknown("mode %q", text)
		}
		m.mode = uint16(mode)
	}
	var ok bool
	if m.uid, ok = a.tmpOwner("passwd", column(l, 3)); !ok {
		return m, Unknown("user %q is not there", column(l, 3))
	}
	if m.gid, ok = a.tmpOwner("group", column(l, 4)); !ok {
		return m, Unknown("group %q is not there", column(l, 4))
	}
	return m, nil
}

// tmpOwner is the number of an account, -1 where a line names none.
func (a *accounts) tmpOwner(file, name string) (int, bool) {
	name = strings.TrimPrefix(name, ":")
	if name == "" {
		return -1, true
	}
	id := accountID(a.lookup(file, name))
	if id < 0 && name == "root" {
		id = 0
	}
	return id, id >= 0
}

func (a *accounts) tmpDir(l []string, p string) error {
	m, err := a.tmpMode(l, 0o755)
	if err != nil {
		return err
	}
	p = path.Clean(p)
	n, err := a.c.FS.Stat(p)
	switch {
	case err == nil && n.Type != rootfs.Dir:
		return a.c.note("%s: is no directory", p)
	case err == nil && !m.always:
		return a.c.FS.Chown(p, m.uid, m.gid, true)
	case err != nil:
		if err := a.c.FS.mkdirAll(p, m.mode); err != nil {
			return err
		}
	}
	if err := a.c.FS.Chown(p, m.uid, m.gid, true); err != nil {
		return err
	}
	return a.c.FS.Chmod(p, m.mode)
}

func (a *accounts) tmpLink(l []string, p string, force bool) error {
	target := column(l, 6)
	if target == "" {
		target = "/usr/share/factory" + p
	}
	if _, err := a.c.FS.Lstat(p); err == nil {
		if !force {
			return nil
		}
		if old, err := a.c.FS.Readlink(p); err == nil && old == target {
			return nil
		}
		if err := a.c.FS.RemoveAll(p); err != nil {
			return err
		}
	}
	if err := a.c.FS.mkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	return a.c.FS.Symlink(target, p)
}

func (a *accounts) tmpFile(l []string, p, kind string) error {
	m, err := a.tmpMode(l, 0o644)
	if err != nil {
		return err
	}
	content := []byte(column(l, 6))
	if strings.HasPrefix(kind, "C") {
		source := column(l, 6)
		if source == "" {
			source = "/usr/share/factory" + p
		}
		n, err := a.c.FS.Stat(source)
		if err != nil {
			return nil
		}
		if n.Type != rootfs.Regular {
			return Unknown("copies the folder %s", source)
		}
		if content, err = a.c.FS.ReadFile(source); err != nil {
			return err
		}
	}
	if _, err := a.c.FS.Lstat(p); err == nil && kind != "f+" {
		return nil
	}
	if err := a.c.FS.mkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	if err := a.c.FS.WriteFile(p, content, m.mode); err != nil {
		return err
	}
	return a.c.FS.Chown(p, m.uid, m.gid, true)
}

// tmpAdjust sets mode and owner of what is there.
func (a *accounts) tmpAdjust(l []string, p string, below bool) error {
	if strings.ContainsAny(p, "*?[") {
		return Unknown("the pattern %q", p)
	}
	n, err := a.c.FS.Stat(p)
	if err != nil {
		return nil
	}
	m, err := a.tmpMode(l, n.Mode)
	if err != nil {
		return err
	}
	if below {
		return Unknown("all below %s", p)
	}
	mode := m.mode
	if m.masked && n.Type != rootfs.Dir && n.Mode&0o111 == 0 {
		mode &^= 0o111
	}
	if err := a.c.FS.Chown(p, m.uid, m.gid, true); err != nil || !m.always {
		return err
	}
	return a.c.FS.Chmod(p, mode)
}
