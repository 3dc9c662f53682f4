package audit

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"compose/rootfs"
)

// Privileges is what lets somebody do more than its user may.
type Privileges struct {
	RunsAs        string       `json:"runsAs"` // the image's user, with its number
	Root          bool         `json:"root"`   // that is root
	SetID         []Privileged `json:"setID"`
	Capabilities  []Privileged `json:"capabilities"`
	WorldWritable []Privileged `json:"worldWritable"`
	Devices       []Privileged `json:"devices"`
	Secrets       []Privileged `json:"secrets"`
	Rules         []Privileged `json:"rules"`    // of sudo and doas
	Users         []User       `json:"users"`    // who can log in
	Writable      []string     `json:"writable"` // what the image's user can change, topmost paths; of root: nothing
}

// A Privileged is a file and why it is named.
type Privileged struct {
	Path string `json:"path"`
	What string `json:"what"` // "set-uid root", "cap_net_raw=ep"
	Mode string `json:"mode"`
	Source
}

// A User can log in: it has a shell that is there, or a password, or is
// another root.
type User struct {
	Name     string `json:"name"`
	UID      int    `json:"uid"`
	Shell    string `json:"shell"`
	Password string `json:"password"` // none (no password is asked), set, locked
}

type account struct {
	name        string
	uid, gid    int
	home, shell string
	password    string
}

type group struct {
	name    string
	gid     int
	members []string
}

// readAccounts reads /etc/passwd, group and shadow. Lines that make no sense
// are passed over, as the C library does.
func (a *audit) readAccounts() error {
	var text [3]string
	for i, name := range []string{"etc/passwd", "etc/group", "etc/shadow"} {
		var err error
		if text[i], err = a.text(name); err != nil {
			return err
		}
	}
	for line := range strings.Lines(text[0]) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) != 7 {
			continue
		}
		uid, err := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if _, twice := a.accounts[f[0]]; twice || err != nil || err2 != nil {
			continue
		}
		a.accounts[f[0]] = account{f[0], uid, gid, f[5], f[6], f[1]}
	}
	for line := range strings.Lines(text[2]) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if u, ok := a.accounts[f[0]]; ok && len(f) > 1 && u.password == "x" {
			u.password = f[1]
			a.accounts[f[0]] = u
		}
	}
	for line := range strings.Lines(text[1]) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) != 4 {
			continue
		}
		if gid, err := strconv.Atoi(f[2]); err == nil {
			a.groups = append(a.groups, group{f[0], gid, strings.Split(f[3], ",")})
		}
	}
	return nil
}

func (a *audit) userName(uid int) string {
	var names []string
	for _, u := range a.accounts {
		if u.uid == uid {
			names = append(names, u.name)
		}
	}
	if names == nil && uid == 0 {
		return "root"
	}
	if names == nil {
		return "user " + strconv.Itoa(uid)
	}
	slices.Sort(names)
	return names[0]
}

func (a *audit) groupName(gid int) string {
	for _, g := range a.groups {
		if g.gid == gid {
			return g.name
		}
	}
	return "group " + strconv.Itoa(gid)
}

func (a *audit) privileges(r *Report) error {
	p := &r.Privileges
	*p = Privileges{SetID: []Privileged{}, Capabilities: []Privileged{}, WorldWritable: []Privileged{}, Devices: []Privileged{},
		Secrets: []Privileged{}, Rules: []Privileged{}, Users: []User{}, Writable: []string{}}
	add := func(list *[]Privileged, n *rootfs.Node, format string, args ...any) {
		*list = append(*list, Privileged{"/" + n.Path, fmt.Sprintf(format, args...), modeString(n.Mode), a.source(n)})
	}
	for n := range a.Tree.All() {
		if what := a.setID(n); what != "" {
			add(&p.SetID, n, "%s", what)
		}
		if what := capabilities(n); what != "" {
			add(&p.Capabilities, n, "%s", what)
		}
		if what := worldWritable(n); what != "" {
			add(&p.WorldWritable, n, "%s", what)
		}
		if n.Type == rootfs.Char || n.Type == rootfs.Block {
			add(&p.Devices, n, "device %c %d,%d", n.Type, n.Major, n.Minor)
		}
		if n.Type == rootfs.Regular && strings.HasSuffix(n.Path, "/.ssh/authorized_keys") {
			add(&p.Secrets, n, "keys that may log in")
		}
	}
	for _, f := range a.files {
		if f.facts.Secret != "" {
			add(&p.Secrets, f.Node, "%s", strings.ToLower(f.facts.Secret))
		}
		if err := a.sudo(f.Node, func(what string) { add(&p.Rules, f.Node, "%s", what) }); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.Secrets, func(a, b Privileged) int { return strings.Compare(a.Path, b.Path) })
	a.users(p)
	a.runAs(p)
	return nil
}

func (a *audit) setID(n *rootfs.Node) string {
	if n.Type != rootfs.Regular || n.Mode&0o6000 == 0 {
		return ""
	}
	var what []string
	if n.Mode&0o4000 != 0 {
		what = append(what, "set-uid "+a.userName(n.UID))
	}
	if n.Mode&0o2000 != 0 {
		what = append(what, "set-gid "+a.groupName(n.GID))
	}
	return strings.Join(what, ", ")
}

func worldWritable(n *rootfs.Node) string {
	switch {
	case n.Mode&0o002 == 0:
	case n.Type == rootfs.Dir && n.Mode&0o1000 == 0:
		return "a folder that everyone can write to, not sticky"
	case n.Type == rootfs.Regular:
		return "a file that everyone can write to"
	}
	return ""
}

// capabilityNames by number (capabilities(7)).
var capabilityNames = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
	net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
	sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override
	mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

// capabilities are those of a file, as getcap(8) prints them; "" for none.
func capabilities(n *rootfs.Node) string {
	for _, x := range n.Xattrs {
		if x.Name == "security.capability" {
			return capabilityText(x.Value)
		}
	}
	return ""
}

// capabilityText reads struct vfs_cap_data of linux/capability.h.
func capabilityText(b []byte) string {
	if len(b) < 12 {
		return "unreadable capabilities"
	}
	le := binary.LittleEndian
	revision, sets := le.Uint32(b)>>24, map[string][]string{}
	words := 2
	if revision == 1 {
		words = 1
	} else if len(b) < 20 {
		return "unreadable capabilities"
	}
	var order []string
	for i := range 32 * words {
		permitted, inheritable := le.Uint32(b[4+8*(i/32):])>>(i%32)&1, le.Uint32(b[8+8*(i/32):])>>(i%32)&1
		flags := ""
		if permitted|inheritable != 0 && b[0]&1 != 0 {
			flags += "e"
		}
		if inheritable != 0 {
			flags += "i"
		}
		if permitted != 0 {
			flags += "p"
		}
		if flags == "" {
			continue
		}
		name := fmt.Sprintf("%d", i)
		if i < len(capabilityNames) {
			name = "cap_" + capabilityNames[i]
		}
		if sets[flags] == nil {
			order = append(order, flags)
		}
		sets[flags] = append(sets[flags], name)
	}
	var parts []string
	for _, flags := range order {
		parts = append(parts, strings.Join(sets[flags], ",")+"="+flags)
	}
	return strings.Join(parts, " ")
}

// sudo tells of the rules of sudoers and doas.conf.
func (a *audit) sudo(n *rootfs.Node, tell func(string)) error {
	dir := path.Dir(n.Path)
	if n.Path != "etc/sudoers" && n.Path != "etc/doas.conf" && dir != "etc/sudoers.d" && dir != "etc/doas.d" {
		return nil
	}
	text, err := a.text(n.Path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "@") && !strings.HasPrefix(line, "Defaults") {
			tell(line)
		}
	}
	return nil
}

// users finds who can log in.
func (a *audit) users(p *Privileges) {
	for _, u := range a.accounts {
		password := "set"
		switch {
		case u.password == "":
			password = "none"
		case strings.HasPrefix(u.password, "!"), strings.HasPrefix(u.password, "*"), u.password == "x":
			password = "locked"
		}
		base := path.Base(u.shell)
		shell := base != "nologin" && base != "false" && base != "true" && base != "sync" && base != "halt" && base != "shutdown" && a.starts(u.shell)
		if shell && (u.shell != "") || password != "locked" || u.uid == 0 && u.name != "root" {
			p.Users = append(p.Users, User{u.name, u.uid, u.shell, password})
		}
	}
	slices.SortFunc(p.Users, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
}

// runAs tells who the image's user is and what that user can change.
func (a *audit) runAs(p *Privileges) {
	name, grp, _ := strings.Cut(a.Config.User, ":")
	u, known := a.accounts[name]
	if name == "" {
		u, known = account{name: "root"}, true
	}
	if uid, err := strconv.Atoi(name); err == nil && !known {
		u, known = account{name: a.userName(uid), uid: uid}, true
		if entry, ok := a.accounts[u.name]; ok {
			u = entry
		}
	}
	if !known {
		p.RunsAs = name + ", whom /etc/passwd does not know"
		return
	}
	p.RunsAs, p.Root = fmt.Sprintf("%s (%d)", u.name, u.uid), u.uid == 0
	if p.Root {
		return
	}
	gids := map[int]bool{u.gid: true}
	if gid, err := strconv.Atoi(grp); err == nil {
		gids = map[int]bool{gid: true}
	}
	for _, g := range a.groups {
		if g.name == grp {
			gids = map[int]bool{g.gid: true}
		}
	}
	if grp == "" {
		for _, g := range a.groups {
			if slices.Contains(g.members, u.name) {
				gids[g.gid] = true
			}
		}
	}
	p.Writable = a.writable(u.uid, gids)
}

// writable lists what a user can change: topmost paths only.
func (a *audit) writable(uid int, gids map[int]bool) []string {
	list := []string{}
	top := ""
	for n := range a.Tree.All() {
		if n.Type != rootfs.Regular && n.Type != rootfs.Dir || top != "" && strings.HasPrefix(n.Path, top+"/") {
			continue
		}
		bit := uint16(0o002)
		switch {
		case n.UID == uid:
			bit = 0o200
		case gids[n.GID]:
			bit = 0o020
		}
		if n.Mode&bit != 0 {
			list = append(list, "/"+n.Path)
			if n.Type == rootfs.Dir {
				top = n.Path
			}
		}
	}
	return list
}
