package script

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"compose/rootfs"
)

// accounts are the account files of the tree while a command changes them.
type accounts struct {
	c       *Call
	lines   map[string][][]string // by file: passwd, group, shadow, gshadow; nil where the tree has none
	changed map[string]bool
}

var accountFiles = []string{"passwd", "group", "shadow", "gshadow"}

func readAccounts(c *Call) (*accounts, error) {
	a := &accounts{c: c, lines: map[string][][]string{}, changed: map[string]bool{}}
	for _, name := range accountFiles {
		text, err := c.FS.ReadFile("/etc/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		a.lines[name] = [][]string{}
		for line := range strings.Lines(string(text)) {
			a.lines[name] = append(a.lines[name], strings.Split(strings.TrimSuffix(line, "\n"), ":"))
		}
	}
	return a, nil
}

// write puts what has changed into the tree.
func (a *accounts) write() error {
	for _, name := range accountFiles {
		if !a.changed[name] {
			continue
		}
		var b []byte
		for _, fields := range a.lines[name] {
			b = append(append(b, strings.Join(fields, ":")...), '\n')
		}
		mode := uint16(0o644)
		if name == "shadow" || name == "gshadow" {
			mode = 0o640
		}
		if err := a.c.FS.WriteFile("/etc/"+name, b, mode); err != nil {
			return err
		}
	}
	return nil
}

// find is the line of an account by its name, or by its number.
func (a *accounts) find(file, key string) []string {
	for _, l := range a.lines[file] {
		if l[0] == key {
			return l
		}
	}
	return nil
}

func (a *accounts) byID(file string, id int) []string {
	for _, l := range a.lines[file] {
		if len(l) > 2 && l[2] == strconv.Itoa(id) {
			return l
		}
	}
	return nil
}

// lookup is find, and byID where key is a number.
func (a *accounts) lookup(file, key string) []string {
	if l := a.find(file, key); l != nil {
		return l
	}
	if id, err := strconv.Atoi(key); err == nil {
		return a.byID(file, id)
	}
	return nil
}

// id is the number in an account's line, -1 for none.
func accountID(line []string) int {
	if len(line) > 2 {
		if id, err := strconv.Atoi(line[2]); err == nil {
			return id
		}
	}
	return -1
}

// add appends a line, if the tree has the file.
func (a *accounts) add(file string, fields ...string) {
	if a.lines[file] == nil && (file == "shadow" || file == "gshadow") {
		return
	}
	a.lines[file] = append(a.lines[file], fields)
	a.changed[file] = true
}

func (a *accounts) remove(file, name string) {
	n := len(a.lines[file])
	a.lines[file] = slices.DeleteFunc(a.lines[file], func(l []string) bool { return l[0] == name })
	a.changed[file] = a.changed[file] || len(a.lines[file]) != n
}

// A range of numbers, from one end to the other.
type idRange struct{ from, to int }

var (
	adduserSystem = idRange{100, 999} // adduser.conf(5); busybox has the same
	useraddSystem = idRange{999, 100} // login.defs(5): from the top; systemd has the same
	ordinary      = idRange{1000, 59999}
)

// free picks a number for name: what the lock has for it, or the first of the
// range that nobody has, nor the lock for another name. Where both is set it
// must be free of users and of groups.
func (a *accounts) free(file, name string, r idRange, both bool) (int, error) {
	locked := a.c.facts().UIDs
	if file == "group" {
		locked = a.c.facts().GIDs
	}
	taken := func(id int) bool {
		return a.byID(file, id) != nil || both && (a.byID("passwd", id) != nil || a.byID("group", id) != nil)
	}
	if id, ok := locked[name]; ok && !taken(id) {
		return id, nil
	}
	reserved := map[int]bool{}
	for other, id := range a.c.facts().UIDs {
		reserved[id] = reserved[id] || other != name && (file == "passwd" || both)
	}
	for other, id := range a.c.facts().GIDs {
		reserved[id] = reserved[id] || other != name && (file == "group" || both)
	}
	step := cmp.Compare(r.to, r.from)
	for id := r.from; id != r.to+step; id += step {
		if !taken(id) && !reserved[id] {
			return id, nil
		}
	}
	return 0, Unknown("no number from %d to %d is free for %q", r.from, r.to, name)
}

// day is the day of a change of password that goes into shadow.
func (c *Call) day() string { return strconv.FormatInt(c.Epoch()/86400, 10) }

// addGroup adds a group; password is what gshadow has of it.
func (a *accounts) addGroup(name string, gid int, password string) {
	a.add("group", name, "x", strconv.Itoa(gid), "")
	a.add("gshadow", name, password, "", "")
}

// aging is what follows the password in shadow.
var (
	noAging      = []string{"", "", "", "", "", ""}
	defaultAging = []string{"0", "99999", "7", "", "", ""}
)

// addUser adds a user.
func (a *accounts) addUser(name string, uid, gid int, comment, home, shell, password string, aging []string) {
	a.add("passwd", name, "x", strconv.Itoa(uid), strconv.Itoa(gid), comment, home, shell)
	a.add("shadow", append([]string{name, password, a.c.day()}, aging...)...)
}

// addMember adds a user to a group, and reports whether it was not yet in it.
func (a *accounts) addMember(group, user string) bool {
	added := false
	for _, file := range []string{"group", "gshadow"} {
		l := a.find(file, group)
		if len(l) < 4 || slices.Contains(strings.Split(l[3], ","), user) {
			continue
		}
		l[3] = strings.TrimPrefix(l[3]+","+user, ",")
		a.changed[file], added = true, true
	}
	return added
}

// dropMember takes a user out of a group.
func (a *accounts) dropMember(group, user string) {
	for _, file := range []string{"group", "gshadow"} {
		if l := a.find(file, group); len(l) > 3 {
			members := strings.Split(l[3], ",")
			kept := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return m == user })
			l[3] = strings.Join(kept, ",")
			a.changed[file] = a.changed[file] || len(kept) != len(members)
		}
	}
}

// groupsOf are the groups of a user: its own, then those it is a member of.
func (a *accounts) groupsOf(user []string) (ids []string, names []string) {
	own := a.lookup("group", user[3])
	ids = append(ids, user[3])
	if own != nil {
		names = append(names, own[0])
	} else {
		names = append(names, user[3])
	}
	for _, g := range a.lines["group"] {
		if len(g) > 3 && g[2] != user[3] && slices.Contains(strings.Split(g[3], ","), user[0]) {
			ids, names = append(ids, g[2]), append(names, g[0])
		}
	}
	return ids, names
}

// makeHome makes a home directory and what is above it; one that is there
// stays as it is.
func (a *accounts) makeHome(home string, mode uint16, uid, gid int, skel bool) error {
	if _, err := a.c.FS.Lstat(home); err == nil {
		return nil
	}
	if err := a.c.FS.mkdirAll(home, 0o755); err != nil {
		return err
	}
	if skel {
		if names, err := a.c.FS.ReadDir("/etc/skel"); err == nil && len(names) > 0 {
			if err := a.copySkel(home, names, uid, gid); err != nil {
				return err
			}
		}
	}
	if err := a.c.FS.Chown(home, uid, gid, true); err != nil {
		return err
	}
	return a.c.FS.Chmod(home, mode)
}

func (a *accounts) copySkel(home string, names []string, uid, gid int) error {
	for _, name := range names {
		n, err := a.c.FS.Lstat("/etc/skel/" + name)
		if err != nil || n.Type != rootfs.Regular {
			return Unknown("/etc/skel/%s is no file", name)
		}
		data, err := a.c.FS.ReadFile("/etc/skel/" + name)
		if err != nil {
			return err
		}
		if err := a.c.FS.WriteFile(home+"/"+name, data, n.Mode); err != nil {
			return err
		}
		if err := a.c.FS.Chown(home+"/"+name, uid, gid, true); err != nil {
			return err
		}
	}
	return nil
}

// mkdirAll makes a directory and those above it that are missing.
func (f *FS) mkdirAll(p string, mode uint16) error {
	p = path.Clean("/" + p)
	if n, err := f.Stat(p); err == nil {
		if n.Type != rootfs.Dir {
			return fail("mkdir", p, fs.ErrExist)
		}
		return nil
	}
	if err := f.mkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	return f.Mkdir(p, mode)
}

func init() {
	register(map[string]Command{
		"getent": getent, "id": id, "groups": id,
		"adduser": adduser, "addgroup": addgroup, "deluser": deluser, "delgroup": delgroup,
		"useradd": useradd, "groupadd": groupadd, "usermod": usermod, "groupmod": groupmod,
		"userdel": deluser, "groupdel": delgroup,
		"gpasswd": gpasswd, "passwd": passwdCommand, "chsh": chsh, "chfn": chfn, "chage": chage,
		"shadowconfig": shadowconfig, "pwconv": shadowed, "grpconv": shadowed, "pwck": shadowed, "grpck": shadowed,
	})
}

// getent(1): passwd, group, shadow and gshadow, from the tree's files.
func getent(c *Call) error {
	_, args, err := getopt(c.Args[1:], "s|service= i|no-idn")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return Exit(1)
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	file := args[0]
	if !slices.Contains(accountFiles, file) {
		return Unknown("database %s", file)
	}
	if len(args) == 1 {
		for _, l := range a.lines[file] {
			fmt.Fprintln(c.Stdout, strings.Join(l, ":"))
		}
		return nil
	}
	status := 0
	for _, key := range args[1:] {
		l := a.find(file, key)
		if file == "passwd" || file == "group" {
			l = a.lookup(file, key)
		}
		if l == nil {
			status = 2
			continue
		}
		fmt.Fprintln(c.Stdout, strings.Join(l, ":"))
	}
	return Exit(status)
}

// id(1) and groups(1); whoever asks is root.
func id(c *Call) error {
	o, args, err := getopt(c.Args[1:], "u|user g|group G|groups n|name r|real")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	name := "root"
	if len(args) > 0 {
		name = args[0]
	}
	user := a.lookup("passwd", name)
	if user == nil && len(args) == 0 {
		user = []string{"root", "x", "0", "0", "", "/root", "/bin/sh"}
	}
	if len(user) < 4 {
		fmt.Fprintf(c.Stderr, "id: '%s': no such user\n", name)
		return Exit(1)
	}
	ids, names := a.groupsOf(user)
	pick := func(id, name string) {
		if o.has("n") {
			id = name
		}
		fmt.Fprintln(c.Stdout, id)
	}
	switch {
	case path.Base(c.Args[0]) == "groups" && len(args) > 0:
		fmt.Fprintf(c.Stdout, "%s : %s\n", name, strings.Join(names, " "))
	case path.Base(c.Args[0]) == "groups":
		fmt.Fprintln(c.Stdout, strings.Join(names, " "))
	case o.has("u"):
		pick(user[2], user[0])
	case o.has("g"):
		pick(ids[0], names[0])
	case o.has("G"):
		pick(strings.Join(ids, " "), strings.Join(names, " "))
	default:
		for i := range ids {
			names[i] = ids[i] + "(" + names[i] + ")"
		}
		fmt.Fprintf(c.Stdout, "uid=%s(%s) gid=%s groups=%s\n", user[2], user[0], names[0], strings.Join(names, ","))
	}
	return nil
}

// complain prints a message and gives an exit status.
func (c *Call) complain(status int, format string, args ...any) error {
	fmt.Fprintf(c.Stderr, path.Base(c.Args[0])+": "+format+"\n", args...)
	return Exit(status)
}

// isBusybox reports whether args are in busybox's way for adduser: letters.
func isBusybox(c *Call) bool {
	for _, arg := range c.Args[1:] {
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && arg != "-q" && arg != "-c" {
			return true
		}
	}
	if _, err := c.FS.Stat("/etc/alpine-release"); err == nil {
		return true
	}
	_, err := c.FS.Stat("/lib/apk")
	return err == nil
}

const adduserOptions = "system group home= shell= gecos|comment= uid= gid= ingroup= firstuid= lastuid= firstgid= lastgid= " +
	"no-create-home disabled-login disabled-password quiet|q verbose debug force-badname allow-badname allow-bad-names allow-all-names " +
	"add-extra-groups add_extra_groups conf|c= stdoutmsglevel= stderrmsglevel= logmsglevel="

// adduser is Debian's adduser(8), and busybox's.
func adduser(c *Call) error {
	if isBusybox(c) {
		return busyboxAdduser(c)
	}
	o, names, err := getopt(c.Args[1:], adduserOptions)
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	switch {
	case o.has("conf") || o.has("firstuid") || o.has("lastuid") || o.has("firstgid") || o.has("lastgid"):
		return Unknown("a range of its own")
	case len(names) == 2:
		return a.join(names[0], names[1])
	case len(names) != 1:
		return c.complain(1, "Only one or two names allowed.")
	case o.has("group") && !o.has("system"):
		return addgroup(c)
	}
	name := names[0]
	if old := a.find("passwd", name); old != nil {
		uid := accountID(old)
		switch {
		case o.has("system") && uid >= 100 && uid <= 999 && (!o.has("uid") || o["uid"] == old[2]):
			return nil
		case o.has("system"):
			return c.complain(13, "The user `%s' already exists, but is not a system user. Exiting.", name)
		}
		return c.complain(11, "The user `%s' already exists.", name)
	}
	if o.has("system") {
		return a.addSystemUser(name, o)
	}
	return a.addOrdinaryUser(name, o)
}

// join is "adduser user group".
func (a *accounts) join(user, group string) error {
	switch {
	case a.find("passwd", user) == nil:
		return a.c.complain(12, "The user `%s' does not exist.", user)
	case a.find("group", group) == nil:
		return a.c.complain(12, "The group `%s' does not exist.", group)
	}
	a.addMember(group, user)
	return a.write()
}

func (a *accounts) addSystemUser(name string, o options) error {
	uid, err := a.wanted(o, "uid", "passwd", name, adduserSystem)
	if err != nil {
		return err
	}
	gid := 0
	switch {
	case o.has("ingroup"):
		g := a.find("group", o["ingroup"])
		if g == nil {
			return a.c.complain(11, "The group `%s' does not exist.", o["ingroup"])
		}
		gid = accountID(g)
	case o.has("gid"):
		if a.lookup("group", o["gid"]) == nil {
			return a.c.complain(11, "The GID `%s' does not exist.", o["gid"])
		}
		gid, _ = strconv.Atoi(o["gid"])
	case o.has("group"):
		if gid = accountID(a.find("group", name)); gid < 0 {
			gid = uid
			if !o.has("uid") {
				if gid, err = a.free("group", name, adduserSystem, false); err != nil {
					return err
				}
			}
			a.addGroup(name, gid, "!")
		}
	default:
		if gid = accountID(a.find("group", "nogroup")); gid < 0 {
			gid = 65534
		}
	}
	home := cmp.Or(o["home"], "/nonexistent")
	a.addUser(name, uid, gid, o["gecos"], home, cmp.Or(o["shell"], "/usr/sbin/nologin"), "!", noAging)
	if err := a.write(); err != nil {
		return err
	}
	if o.has("no-create-home") || home == "/nonexistent" || strings.HasPrefix(home, "/nonexistent/") {
		return nil
	}
	return a.makeHome(home, 0o755, uid, gid, false)
}

// wanted is the number that the option states, or a free one.
func (a *accounts) wanted(o options, option, file, name string, r idRange) (int, error) {
	if !o.has(option) {
		return a.free(file, name, r, false)
	}
	id, err := strconv.Atoi(o[option])
	if err != nil || id < 0 {
		return 0, Unknown("%s %q", option, o[option])
	}
	if a.byID(file, id) != nil && !o.has("non-unique") {
		return 0, a.c.complain(4, "The %s `%d' is already in use.", strings.ToUpper(option), id)
	}
	return id, nil
}

func (a *accounts) addOrdinaryUser(name string, o options) error {
	if !o.has("disabled-password") && !o.has("disabled-login") {
		return Unknown("asks for a password")
	}
	r := ordinary
	uid, err := 0, error(nil)
	if o.has("uid") {
		uid, err = a.wanted(o, "uid", "passwd", name, r)
	} else {
		uid, err = a.free("passwd", name, r, true)
	}
	if err != nil {
		return err
	}
	gid := uid
	switch {
	case o.has("ingroup"):
		if gid = accountID(a.find("group", o["ingroup"])); gid < 0 {
			return a.c.complain(11, "The group `%s' does not exist.", o["ingroup"])
		}
	case o.has("gid"):
		if gid, err = strconv.Atoi(o["gid"]); err != nil {
			return Unknown("gid %q", o["gid"])
		}
	default:
		if accountID(a.find("group", name)) >= 0 || a.byID("group", gid) != nil {
			return Unknown("group %q or %d is there already", name, gid)
		}
		a.addGroup(name, gid, "!")
	}
	home := cmp.Or(o["home"], "/home/"+name)
	shell := "/bin/bash"
	if o.has("disabled-login") {
		shell = "/usr/sbin/nologin"
	}
	a.addUser(name, uid, gid, cmp.Or(o["gecos"], ",,,"), home, cmp.Or(o["shell"], shell), "!", defaultAging)
	if !o.has("ingroup") && !o.has("gid") {
		a.addMember("users", name)
	}
	if err := a.write(); err != nil {
		return err
	}
	if o.has("no-create-home") {
		return nil
	}
	return a.makeHome(home, 0o700, uid, gid, true)
}

// addgroup is Debian's addgroup(8), and busybox's.
func addgroup(c *Call) error {
	if isBusybox(c) {
		return busyboxAddgroup(c)
	}
	o, names, err := getopt(c.Args[1:], adduserOptions)
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) == 2 && len(o) == 0:
		return a.join(names[0], names[1]) // busybox; Debian's leaves it undefined
	case len(names) != 1:
		return c.complain(1, "Only one name allowed.")
	}
	name, r := names[0], ordinary
	if o.has("system") {
		r = adduserSystem
	}
	if old := a.find("group", name); old != nil {
		if gid := accountID(old); o.has("system") && (gid >= 1 && gid <= 999) && (!o.has("gid") || o["gid"] == old[2]) {
			return nil
		}
		return c.complain(13, "The group `%s' already exists.", name)
	}
	gid, err := a.wanted(o, "gid", "group", name, r)
	if err != nil {
		return err
	}
	a.addGroup(name, gid, "!")
	return a.write()
}

const busyboxOptions = "h|home= g|gecos= s|shell= G|ingroup= D|disabled-password E|empty-password S|system H|no-create-home u|uid= k|skel= gid="

// busyboxAdduser is adduser of busybox (loginutils/adduser.c).
func busyboxAdduser(c *Call) error {
	o, names, err := getopt(c.Args[1:], busyboxOptions)
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	if len(names) == 2 && len(o) == 0 {
		return a.join(names[0], names[1])
	}
	if len(names) != 1 {
		return Exit(1)
	}
	name := names[0]
	if a.find("passwd", name) != nil {
		return c.complain(1, "user '%s' in use", name)
	}
	if !o.has("D") && !o.has("S") {
		return Unknown("asks for a password")
	}
	r, shell, group := ordinary, "/bin/sh", o["G"]
	if o.has("S") {
		r, shell, group = adduserSystem, "/bin/false", cmp.Or(group, "nogroup")
	}
	own := group == ""
	var uid int
	if o.has("u") {
		uid, err = a.wanted(options{"uid": o["u"]}, "uid", "passwd", name, r)
	} else {
		uid, err = a.free("passwd", name, r, own)
	}
	if err != nil {
		return err
	}
	gid := uid
	if own {
		group = name
		if a.find("group", name) == nil {
			a.addGroup(name, gid, "!")
		}
	} else if gid = accountID(a.lookup("group", group)); gid < 0 {
		return c.complain(1, "unknown group %s", group)
	}
	home := cmp.Or(o["h"], "/home/"+name)
	comment := o["g"]
	if !o.has("g") {
		comment = "Linux User,,,"
	}
	a.addUser(name, uid, gid, comment, home, cmp.Or(o["s"], shell), "!", defaultAging)
	if !own {
		a.addMember(a.lookup("group", group)[0], name)
	}
	if err := a.write(); err != nil || o.has("H") {
		return err
	}
	if _, err := c.FS.Lstat(home); err == nil {
		return c.FS.Chown(home, uid, gid, true)
	}
	return a.makeHome(home, 0o2755, uid, gid, !o.has("S"))
}

// busyboxAddgroup is addgroup of busybox (loginutils/addgroup.c).
func busyboxAddgroup(c *Call) error {
	o, names, err := getopt(c.Args[1:], "g|gid= S|system")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	switch {
	case len(names) == 2:
		return a.join(names[0], names[1])
	case len(names) != 1:
		return Exit(1)
	case a.find("group", names[0]) != nil:
		return c.complain(1, "group '%s' in use", names[0])
	}
	r := ordinary
	if o.has("S") {
		r = adduserSystem
	}
	return a.newGroup(o, names[0], r)
}

// newGroup makes a group, of the number that -g states or of one that is free.
func (a *accounts) newGroup(o options, name string, r idRange) error {
	given := options{}
	if o.has("g") {
		given["gid"] = o["g"]
	}
	gid, err := a.wanted(given, "gid", "group", name, r)
	if err != nil {
		return err
	}
	a.addGroup(name, gid, "!")
	return a.write()
}

// useradd is useradd(8) of shadow, as maintainer scripts call it.
func useradd(c *Call) error {
	o, names, err := getopt(c.Args[1:], "r|system d|home|home-dir= s|shell= g|gid= u|uid= c|comment= m|create-home M|no-create-home "+
		"N|no-user-group U|user-group G|groups= o|non-unique prefix|P= root|R= K|key= badname|badnames l|no-log-init e|expiredate=")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) != 1:
		return Exit(2)
	case !ownRoot(o["prefix"]) || !ownRoot(o["root"]) || o.has("K") || o["e"] != "":
		return Unknown("option -K, -R, -P or -e")
	}
	name := names[0]
	if a.find("passwd", name) != nil {
		return c.complain(9, "user '%s' already exists", name)
	}
	own := !o.has("g") && !o.has("N")
	if own && a.find("group", name) != nil {
		return c.complain(9, "group %s exists - if you want to add this user to that group, use -g.", name)
	}
	r := ordinary
	if o.has("r") {
		r = useraddSystem
	}
	if o.has("non-unique") {
		return Unknown("option -o")
	}
	var uid int
	if o.has("u") {
		uid, err = a.wanted(options{"uid": o["u"]}, "uid", "passwd", name, r)
	} else {
		uid, err = a.free("passwd", name, r, own)
	}
	if err != nil {
		return err
	}
	gid := uid
	switch {
	case o.has("g"):
		if gid = accountID(a.lookup("group", o["g"])); gid < 0 {
			return c.complain(6, "group '%s' does not exist", o["g"])
		}
	case own && a.byID("group", gid) != nil:
		if gid, err = a.free("group", name, r, false); err != nil {
			return err
		}
		a.addGroup(name, gid, "!")
	case own:
		a.addGroup(name, gid, "!")
	default:
		gid = 100
	}
	aging, shell := defaultAging, "/bin/sh"
	if o.has("r") {
		aging = noAging
	}
	home := cmp.Or(o["d"], "/home/"+name)
	a.addUser(name, uid, gid, o["c"], home, cmp.Or(o["s"], shell), "!", aging)
	for g := range strings.SplitSeq(o["G"], ",") {
		if g == "" {
			continue
		}
		l := a.lookup("group", g)
		if l == nil {
			return c.complain(6, "group '%s' does not exist", g)
		}
		a.addMember(l[0], name)
	}
	if err := a.write(); err != nil || !o.has("m") || o.has("M") {
		return err
	}
	return a.makeHome(home, 0o700, uid, gid, true)
}

// ownRoot reports whether an option names the root that scripts have anyway.
func ownRoot(p string) bool { return p == "" || p == "/" }

// groupadd is groupadd(8) of shadow.
func groupadd(c *Call) error {
	o, names, err := getopt(c.Args[1:], "r|system g|gid= f|force o|non-unique prefix|P= root|R=")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) != 1:
		return Exit(2)
	case !ownRoot(o["prefix"]) || !ownRoot(o["root"]):
		return Unknown("option -R or -P")
	}
	if a.find("group", names[0]) != nil {
		if o.has("f") {
			return nil
		}
		return c.complain(9, "group '%s' already exists", names[0])
	}
	r := ordinary
	if o.has("r") {
		r = useraddSystem
	}
	return a.newGroup(o, names[0], r)
}

// usermod is usermod(8) of shadow.
func usermod(c *Call) error {
	o, names, err := getopt(c.Args[1:], "c|comment= d|home= s|shell= g|gid= u|uid= a|append G|groups= L|lock U|unlock p|password= e|expiredate= R|root= P|prefix=")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) != 1:
		return Exit(2)
	case o.has("U") || o.has("u") || o.has("e") && o["e"] != "" || !ownRoot(o["R"]) || !ownRoot(o["P"]):
		return Unknown("option -U, -u, -e, -R or -P")
	case o.has("G") && !o.has("a"):
		return Unknown("option -G without -a")
	}
	user := a.find("passwd", names[0])
	if len(user) < 7 {
		return c.complain(6, "user '%s' does not exist", names[0])
	}
	set := func(field int, value string) {
		a.changed["passwd"] = a.changed["passwd"] || user[field] != value
		user[field] = value
	}
	for option, field := range map[string]int{"c": 4, "d": 5, "s": 6} {
		if o.has(option) {
			set(field, o[option])
		}
	}
	if o.has("g") {
		g := a.lookup("group", o["g"])
		if g == nil {
			return c.complain(6, "group '%s' does not exist", o["g"])
		}
		set(3, g[2])
	}
	if o.has("G") {
		for g := range strings.SplitSeq(o["G"], ",") {
			l := a.lookup("group", g)
			if l == nil {
				return c.complain(6, "group '%s' does not exist", g)
			}
			a.addMember(l[0], user[0])
		}
	}
	if o.has("p") {
		a.password(user[0], o["p"])
	}
	if o.has("L") {
		a.lock(user[0])
	}
	return a.write()
}

// password sets what shadow has as a user's password.
func (a *accounts) password(user, password string) {
	if l := a.find("shadow", user); len(l) > 1 && l[1] != password {
		l[1] = password
		a.changed["shadow"] = true
	}
}

func (a *accounts) lock(user string) {
	if l := a.find("shadow", user); len(l) > 1 && !strings.HasPrefix(l[1], "!") {
		a.password(user, "!"+l[1])
	}
}

// groupmod is groupmod(8): a new name or number.
func groupmod(c *Call) error { return Unknown("no image needs it") }

// deluser removes a user, or takes it out of a group; of a user that is not
// there it says so (deluser(8), userdel(8) and busybox's).
func deluser(c *Call) error {
	o, names, err := getopt(c.Args[1:], "system quiet|q group remove-home remove|r f|force")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) == 2:
		a.dropMember(names[1], names[0])
		return a.write()
	case len(names) != 1:
		return Exit(1)
	case o.has("group"):
		return delgroup(c)
	case o.has("remove") || o.has("remove-home"):
		return Unknown("removes a home")
	}
	if a.find("passwd", names[0]) == nil {
		if o.has("system") {
			return nil
		}
		return c.complain(6, "user '%s' does not exist", names[0])
	}
	a.remove("passwd", names[0])
	a.remove("shadow", names[0])
	for _, g := range a.lines["group"] {
		a.dropMember(g[0], names[0])
	}
	return a.write()
}

// delgroup removes a group.
func delgroup(c *Call) error {
	o, names, err := getopt(c.Args[1:], "system quiet|q only-if-empty group")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	switch {
	case err != nil:
		return err
	case len(names) == 2:
		a.dropMember(names[1], names[0])
		return a.write()
	case len(names) != 1:
		return Exit(1)
	}
	if a.find("group", names[0]) == nil {
		if o.has("system") {
			return nil
		}
		return c.complain(6, "group '%s' does not exist", names[0])
	}
	a.remove("group", names[0])
	a.remove("gshadow", names[0])
	return a.write()
}

// gpasswd(1): members of a group.
func gpasswd(c *Call) error {
	o, names, err := getopt(c.Args[1:], "a|add= d|delete= q")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	if len(names) != 1 || a.find("group", names[0]) == nil {
		return c.complain(3, "group does not exist")
	}
	if o.has("a") {
		return a.join(o["a"], names[0])
	}
	a.dropMember(names[0], o["d"])
	return a.write()
}

// passwdCommand is passwd(1), as far as it asks for nothing.
func passwdCommand(c *Call) error {
	o, names, err := getopt(c.Args[1:], "l|lock d|delete q|quiet")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	if len(names) != 1 || len(o) == 0 {
		return Unknown("asks for a password")
	}
	if a.find("passwd", names[0]) == nil {
		return c.complain(1, "user '%s' does not exist", names[0])
	}
	if o.has("d") {
		a.password(names[0], "")
	}
	if o.has("l") {
		a.lock(names[0])
	}
	return a.write()
}

// chsh(1) sets a login shell.
func chsh(c *Call) error { return setField(c, "s|shell=", "s", 6) }

// chfn(1) sets the full name.
func chfn(c *Call) error { return setField(c, "f|full-name=", "f", 4) }

func setField(c *Call, spec, option string, field int) error {
	o, names, err := getopt(c.Args[1:], spec)
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	if len(names) != 1 || !o.has(option) {
		return Unknown("asks for something")
	}
	user := a.find("passwd", names[0])
	if len(user) < 7 {
		return c.complain(1, "user '%s' does not exist", names[0])
	}
	if user[field] != o[option] {
		user[field] = o[option]
		a.changed["passwd"] = true
	}
	return a.write()
}

// chage(1) sets the fields of aging in shadow.
func chage(c *Call) error {
	o, names, err := getopt(c.Args[1:], "d|lastday= E|expiredate= I|inactive= m|mindays= M|maxdays= W|warndays=")
	if err != nil {
		return err
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return Exit(2)
	}
	l := a.find("shadow", names[0])
	if len(l) < 8 {
		return c.complain(1, "user '%s' does not exist", names[0])
	}
	for option, field := range map[string]int{"d": 2, "m": 3, "M": 4, "W": 5, "I": 6, "E": 7} {
		v, ok := o[option]
		if !ok {
			continue
		}
		if _, err := strconv.Atoi(v); err != nil {
			return Unknown("a date, %q", v)
		}
		if v == "-1" {
			v = ""
		}
		l[field] = v
		a.changed["shadow"] = true
	}
	return a.write()
}

// shadowconfig(8) on: the files are shadowed from the start; who may read
// them remains.
func shadowconfig(c *Call) error {
	if len(c.Args) != 2 || c.Args[1] != "on" {
		return Unknown("anything but on")
	}
	return shadowed(c)
}

// shadowed stands for the programs that move passwords to shadow and check
// the result.
func shadowed(c *Call) error {
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	gid := accountID(a.find("group", "shadow"))
	for _, name := range []string{"shadow", "gshadow"} {
		if _, err := c.FS.Stat("/etc/" + name); err != nil || gid < 0 {
			continue
		}
		if err := c.FS.Chown("/etc/"+name, 0, gid, true); err != nil {
			return err
		}
		if err := c.FS.Chmod("/etc/"+name, 0o640); err != nil {
			return err
		}
	}
	return nil
}
