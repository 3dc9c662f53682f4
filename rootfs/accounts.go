package rootfs

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"compose/internal/fault"
)

// A User is an account that the manifest asks for.
type User struct {
	Name     string
	UID, GID int      // -1: to be allocated; a GID of -1 is that of the group of the same name
	Groups   []string // names of further groups
	Home     string   // absolute; "": /
	Shell    string   // absolute; "": /sbin/nologin
	Comment  string   // the GECOS field
}

// A Group is a group that the manifest asks for.
type Group struct {
	Name    string
	GID     int // -1: to be allocated
	Members []string
}

// An ID is the number of an account, below zero where it has none.
type ID struct {
	Name string
	ID   int
}

// Numbers that Allocate gives. Debian and Alpine leave them to the
// administrator (Debian policy 9.2.2).
const (
	firstID = 1000
	lastID  = 59999
)

// Allocate gives a number to every one of want that has none, in the order of
// names: the one that previous has, unless another of want states it, or else
// the lowest that is free. taken are accounts that are there already: one
// that want names too must have the same number.
//
// The result has all names of want.
func Allocate(want []ID, previous map[string]int, taken ...ID) (map[string]int, error) {
	ids := make(map[string]int, len(want))
	used := map[int]string{}
	there := make(map[string]int, len(taken))
	for _, t := range taken {
		there[t.Name], used[t.ID] = t.ID, t.Name
	}
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b ID) int { return strings.Compare(a.Name, b.Name) })
	var open []string
	for i, w := range want {
		if i > 0 && want[i-1].Name == w.Name {
			return nil, fmt.Errorf("%q stands twice", w.Name)
		}
		id, isThere := there[w.Name]
		switch {
		case isThere && w.ID >= 0 && w.ID != id:
			return nil, fmt.Errorf("%q: number %d, but a package gives it %d", w.Name, w.ID, id)
		case isThere:
			ids[w.Name] = id
		case w.ID < 0:
			open = append(open, w.Name)
		case used[w.ID] != "":
			return nil, fmt.Errorf("%q: number %d is that of %q", w.Name, w.ID, used[w.ID])
		default:
			ids[w.Name], used[w.ID] = w.ID, w.Name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(previous)) {
		if id := previous[name]; slices.Contains(open, name) && used[id] == "" {
			ids[name], used[id] = id, name
		}
	}
	next := firstID
	for _, name := range open {
		if _, ok := ids[name]; ok {
			continue
		}
		for used[next] != "" {
			next++
		}
		if next > lastID {
			return nil, fmt.Errorf("%q: all numbers from %d to %d are taken", name, firstID, lastID)
		}
		ids[name], used[next] = next, name
	}
	return ids, nil
}

// The account files, in the order in which they are written.
const (
	passwd = iota
	group
	shadow
	gshadow
)

var accountPaths = [4]string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"}

// accountFiles are the files of accounts while they change.
type accountFiles struct {
	text    [4][]byte
	there   [4]*Node // as a package brought it
	changed [4]bool
	locked  string // what follows "name:" in shadow
}

// accounts writes the account files: what a package or the distribution has,
// and the manifest's after it. It makes the home directories, of mode 0700 as
// adduser(8) and useradd(8) do, that nobody else has made.
func (a *assembly) accounts() error {
	f, err := a.readAccounts()
	if err != nil {
		return err
	}
	if err := a.addAccounts(f); err != nil {
		return err
	}
	a.owners = newOwners(f) // for the group shadow
	return a.writeAccounts(f)
}

// members writes who of the manifest's users belongs to which groups, which
// may be groups that a script made.
func (a *assembly) members() error {
	f, err := a.readAccounts()
	if err != nil {
		return err
	}
	a.owners = newOwners(f)
	users := slices.Clone(a.Users)
	slices.SortFunc(users, func(x, y User) int { return strings.Compare(x.Name, y.Name) })
	if err := a.addMembers(f, users); err != nil {
		return err
	}
	return a.writeAccounts(f)
}

// generic is for an image of no distribution.
var generic = Accounts{
	Passwd: []byte("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"),
	Group:  []byte("root:x:0:\nnogroup:x:65534:\n"),
}

// readAccounts gives the files as they are without the manifest's accounts.
func (a *assembly) readAccounts() (*accountFiles, error) {
	base := &generic
	if a.conv != nil {
		var err error
		if base, err = a.conv.Accounts(a.tree, a.Contents, a.Epoch); err != nil {
			return nil, fmt.Errorf("accounts: %w", err)
		}
	}
	f := &accountFiles{text: [4][]byte{base.Passwd, base.Group, base.Shadow, base.Gshadow}, locked: base.Locked}
	for i, path := range accountPaths {
		n := a.tree.Lookup(path)
		if n == nil || n.Type != Regular {
			f.changed[i] = f.text[i] != nil
			continue
		}
		text, err := Read(a.Contents, n.Content)
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", path, err)
		}
		f.text[i], f.there[i] = text, n
	}
	f.lock(passwd, "x")
	f.lock(shadow, "*")
	return f, nil
}

// lock replaces empty passwords, with which anybody may log in. Alpine's
// root has one, for its installer; in its Docker images that was
// CVE-2019-5021.
func (f *accountFiles) lock(file int, password string) {
	lines := f.lines(file)
	for _, l := range lines {
		if len(l) > 1 && l[1] == "" {
			l[1] = password
			f.rewrite(file, lines)
		}
	}
}

// writeAccounts puts the files that changed into the tree. shadow and gshadow
// are for root and the group shadow alone.
func (a *assembly) writeAccounts(f *accountFiles) error {
	for i, path := range accountPaths {
		if !f.changed[i] {
			continue
		}
		n, err := a.put(path, f.text[i])
		if err != nil {
			return fmt.Errorf("/%s: %w", path, err)
		}
		n.Origin = "accounts"
		if old := f.there[i]; old != nil {
			n.Path, n.Mode, n.UID, n.GID = old.Path, old.Mode, old.UID, old.GID
		} else if i == shadow || i == gshadow {
			n.Mode, n.GID = 0o640, a.owners.groups["shadow"]
		}
		if err := a.tree.Add(n); err != nil {
			return fmt.Errorf("accounts: %w", err)
		}
	}
	return nil
}

// addAccounts appends the manifest's groups and users, in the order of names.
func (a *assembly) addAccounts(f *accountFiles) error {
	if len(a.Users)+len(a.Groups) == 0 {
		return nil
	}
	users := slices.Clone(a.Users)
	slices.SortFunc(users, func(x, y User) int { return strings.Compare(x.Name, y.Name) })
	if err := checkAccounts(users, a.Groups); err != nil {
		return err
	}
	n, err := numbers(users, a.Groups, a.UIDs, a.GIDs, f.ids(passwd), f.ids(group))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(n.gids)) {
		f.addGroup(name, n.gids[name])
	}
	for _, u := range users {
		u.UID = n.uids[u.Name]
		if err := a.addUser(f, u); err != nil {
			return err
		}
	}
	return nil
}

// Numbers gives every user and group a number, by name, for a lock: what the
// manifest says, or else what the lock had before (uids, gids), or else one
// that is free. Accounts of packages are not known yet: where one has such a
// name or number, Assemble decides.
//
// A user whose GID is -1 gets a group of its own name, of its own number
// where that is free.
func Numbers(users []User, groups []Group, uids, gids map[string]int) (map[string]int, map[string]int, error) {
	n, err := numbers(users, groups, uids, gids, nil, nil)
	return n.uids, n.gids, err
}

// An accountNumbers has the numbers of the manifest's users and groups, and
// of groups of a user's own.
type accountNumbers struct{ uids, gids map[string]int }

// numbers is Numbers where some accounts are taken.
func numbers(users []User, groups []Group, uids, gids map[string]int, takenUsers, takenGroups []ID) (n accountNumbers, err error) {
	var want []ID
	for _, u := range users {
		want = append(want, ID{u.Name, u.UID})
	}
	if n.uids, err = Allocate(want, uids, takenUsers...); err != nil {
		return n, fault.New(fault.Usage, "users: %w", err)
	}
	want = nil
	for _, g := range groups {
		want = append(want, ID{g.Name, g.GID})
	}
	want = append(want, ownGroups(users, n.uids, gids, slices.Concat(want, takenGroups), takenUsers)...)
	if n.gids, err = Allocate(want, gids, takenGroups...); err != nil {
		return n, fault.New(fault.Usage, "groups: %w", err)
	}
	return n, nil
}

// ownGroups gives the groups that users have of their own: those whose group
// nobody has, of the number that the user asks for, or that the group had
// before, or of the user's own number if that is free.
func ownGroups(users []User, uids, before map[string]int, groups, takenUsers []ID) []ID {
	names, taken, had := map[string]bool{}, map[int]bool{}, slices.Collect(maps.Values(before)) // of groups
	for _, g := range groups {
		names[g.Name], taken[g.ID] = true, true
	}
	isThere := func(u User) bool {
		return slices.ContainsFunc(takenUsers, func(t ID) bool { return t.Name == u.Name })
	}
	var own []ID
	for _, u := range users {
		if names[u.Name] || u.GID >= 0 && taken[u.GID] || isThere(u) {
			continue
		}
		gid := u.GID
		if _, again := before[u.Name]; gid < 0 && !again && !taken[uids[u.Name]] && !slices.Contains(had, uids[u.Name]) {
			gid = uids[u.Name]
		}
		own = append(own, ID{u.Name, gid})
		names[u.Name], taken[gid] = true, true
	}
	return own
}

// addUser appends a user, unless it is there, and makes its home. Its group
// is in the files.
func (a *assembly) addUser(f *accountFiles, u User) error {
	if l := f.line(passwd, u.Name); l != nil {
		if u.GID >= 0 && len(l) > 3 && l[3] != strconv.Itoa(u.GID) {
			return fault.New(fault.Usage, "users: %q: gid %d, but a package gives it %s", u.Name, u.GID, l[3])
		}
		return nil
	}
	if u.GID < 0 {
		u.GID = f.id(group, u.Name)
	}
	u.Home, u.Shell = cmp.Or(u.Home, "/"), cmp.Or(u.Shell, "/sbin/nologin")
	f.append(passwd, fmt.Sprintf("%s:x:%d:%d:%s:%s:%s", u.Name, u.UID, u.GID, u.Comment, u.Home, u.Shell))
	if f.text[shadow] != nil && f.line(shadow, u.Name) == nil {
		f.append(shadow, u.Name+":"+f.locked)
	}
	home := strings.Trim(u.Home, "/")
	if home == "" || home == "nonexistent" || home == "dev/null" || a.tree.Lookup(home) != nil {
		return nil
	}
	if err := a.tree.Add(Node{Path: home, Type: Dir, Mode: 0o700, UID: u.UID, GID: u.GID, Origin: "accounts"}); err != nil {
		return fault.New(fault.Usage, "users: %q: home %s: %w", u.Name, u.Home, err)
	}
	return nil
}

// addMembers writes who belongs to which groups.
func (a *assembly) addMembers(f *accountFiles, users []User) error {
	for _, u := range users {
		for _, g := range u.Groups {
			if !f.addMember(g, u.Name) {
				return fault.New(fault.Usage, "users: %q: no group %q", u.Name, g)
			}
		}
	}
	for _, g := range a.Groups {
		for _, m := range g.Members {
			if f.line(passwd, m) == nil {
				return fault.New(fault.Usage, "groups: %q: no user %q", g.Name, m)
			}
			f.addMember(g.Name, m)
		}
	}
	return nil
}

// lines gives the fields of each line of a file.
func (f *accountFiles) lines(file int) [][]string {
	var lines [][]string
	for line := range strings.Lines(string(f.text[file])) {
		lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), ":"))
	}
	return lines
}

// line gives the fields of an account's line, nil if it has none. passwd and
// group must have its number.
func (f *accountFiles) line(file int, name string) []string {
	if file <= group && f.id(file, name) < 0 {
		return nil
	}
	for _, l := range f.lines(file) {
		if l[0] == name {
			return l
		}
	}
	return nil
}

// ids gives the accounts in passwd or group.
func (f *accountFiles) ids(file int) []ID {
	var ids []ID
	for _, l := range f.lines(file) {
		if len(l) < 3 {
			continue
		}
		if id, err := strconv.Atoi(l[2]); err == nil && id >= 0 {
			ids = append(ids, ID{l[0], id})
		}
	}
	return ids
}

// id is the number of an account, -1 if it has none.
func (f *accountFiles) id(file int, name string) int {
	for _, id := range f.ids(file) {
		if id.Name == name {
			return id.ID
		}
	}
	return -1
}

// append adds a line to a file.
func (f *accountFiles) append(file int, line string) {
	text := slices.Clip(f.text[file])
	if n := len(text); n > 0 && text[n-1] != '\n' {
		text = append(text, '\n')
	}
	f.text[file], f.changed[file] = append(text, line+"\n"...), true
}

func (f *accountFiles) addGroup(name string, gid int) {
	if f.line(group, name) == nil {
		f.append(group, fmt.Sprintf("%s:x:%d:", name, gid))
	}
	if f.text[gshadow] != nil && f.line(gshadow, name) == nil {
		f.append(gshadow, name+":!::")
	}
}

// addMember adds user to a group, and reports whether there is such a group.
func (f *accountFiles) addMember(name, user string) bool {
	if f.line(group, name) == nil {
		return false
	}
	for _, file := range []int{group, gshadow} {
		lines := f.lines(file)
		for _, l := range lines {
			if l[0] == name && len(l) > 3 && !slices.Contains(strings.Split(l[3], ","), user) {
				l[3] = strings.TrimPrefix(l[3]+","+user, ",")
				f.rewrite(file, lines)
			}
		}
	}
	return true
}

func (f *accountFiles) rewrite(file int, lines [][]string) {
	var b []byte
	for _, l := range lines {
		b = append(b, strings.Join(l, ":")...)
		b = append(b, '\n')
	}
	f.text[file], f.changed[file] = b, true
}

// Grammars of the fields of account files. A name is what shadow's and
// busybox's adduser both take; the other fields must not end their line or
// themselves (threats.md M-07).
var (
	accountName  = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}\$?$`)
	accountField = regexp.MustCompile(`^[^:\x00-\x1f\x7f]*$`)
)

func checkAccounts(users []User, groups []Group) error {
	for _, u := range users {
		switch {
		case !accountName.MatchString(u.Name):
			return fault.New(fault.Usage, "users: %q: want a name of at most 32 of a-z 0-9 _ and -, beginning with a letter or _", u.Name)
		case !accountField.MatchString(u.Comment):
			return fault.New(fault.Usage, "users: %q: comment %q: a colon or control character", u.Name, u.Comment)
		case u.Home != "" && (u.Home[0] != '/' || !accountField.MatchString(u.Home)):
			return fault.New(fault.Usage, "users: %q: home %q: want an absolute path without colon or control character", u.Name, u.Home)
		case u.Shell != "" && (u.Shell[0] != '/' || !accountField.MatchString(u.Shell)):
			return fault.New(fault.Usage, "users: %q: shell %q: want an absolute path without colon or control character", u.Name, u.Shell)
		}
	}
	for _, g := range groups {
		if !accountName.MatchString(g.Name) {
			return fault.New(fault.Usage, "groups: %q: want a name of at most 32 of a-z 0-9 _ and -, beginning with a letter or _", g.Name)
		}
	}
	return nil
}

// owners resolves names of accounts.
type owners struct {
	users, groups map[string]int
	login         map[int]int // uid -> gid
}

func newOwners(f *accountFiles) owners {
	o := owners{users: map[string]int{}, groups: map[string]int{}, login: map[int]int{}}
	for _, l := range slices.Backward(f.lines(passwd)) { // the first of a name or number counts
		if len(l) < 4 {
			continue
		}
		uid, err1 := strconv.Atoi(l[2])
		gid, err2 := strconv.Atoi(l[3])
		if err1 == nil && err2 == nil {
			o.users[l[0]], o.login[uid] = uid, gid
		}
	}
	for _, id := range slices.Backward(f.ids(group)) {
		o.groups[id.Name] = id.ID
	}
	return o
}

// parse reads user, user:group, or numbers.
func (o owners) parse(s string) (uid, gid int, err error) {
	user, group, both := strings.Cut(s, ":")
	if uid, err = number(user, "user", o.users); err != nil {
		return 0, 0, fmt.Errorf("owner %q: %w", s, err)
	}
	if !both {
		if gid, ok := o.login[uid]; ok {
			return uid, gid, nil
		}
		return uid, uid, nil
	}
	if gid, err = number(group, "group", o.groups); err != nil {
		return 0, 0, fmt.Errorf("owner %q: %w", s, err)
	}
	return uid, gid, nil
}

// number is the number that names gives name, or that name is.
func number(name, kind string, names map[string]int) (int, error) {
	if id, ok := names[name]; ok {
		return id, nil
	}
	id, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("no %s %q", kind, name)
	}
	return int(id), nil
}
