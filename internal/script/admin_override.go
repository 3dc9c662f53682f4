package script

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

func init() {
	register(map[string]Command{"dpkg-statoverride": statoverride, "dpkg-divert": divert})
}

// dpkgFile reads a file of dpkg's own, as lines.
func dpkgFile(c *Call, name string) ([]string, error) {
	data, err := c.FS.ReadFile("/var/lib/dpkg/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' }), err
}

func writeDpkgFile(c *Call, name string, lines []string) error {
	if err := c.FS.mkdirAll("/var/lib/dpkg", 0o755); err != nil {
		return err
	}
	text := strings.Join(lines, "\n")
	if text != "" {
		text += "\n"
	}
	return c.FS.WriteFile("/var/lib/dpkg/"+name, []byte(text), 0o644)
}

// statoverride is dpkg-statoverride(1). Its file has lines "user group mode
// path", in the order of dpkg's table of names.
func statoverride(c *Call) error {
	o, args, err := getopt(c.Args[1:], "add remove list update force force-all force-statoverride-add force-statoverride-remove quiet|q")
	if err != nil {
		return err
	}
	lines, err := dpkgFile(c, "statoverride")
	if err != nil {
		return err
	}
	forced := o.has("force") || o.has("force-all") || o.has("force-statoverride-add") || o.has("force-statoverride-remove")
	at := func(p string) int {
		return slices.IndexFunc(lines, func(l string) bool { return strings.HasSuffix(l, " "+p) && strings.Count(l, " ") == 3 })
	}
	switch {
	case o.has("list"):
		pattern, found := "*", false
		if len(args) > 0 {
			pattern = path.Clean(args[0])
		}
		for _, l := range lines {
			if f := strings.SplitN(l, " ", 4); len(f) == 4 && (pattern == "*" || globMatch(pattern, f[3])) {
				fmt.Fprintln(c.Stdout, l)
				found = true
			}
		}
		if !found {
			return Exit(1)
		}
		return nil
	case o.has("remove") && len(args) == 1:
		p := path.Clean(args[0])
		if at(p) < 0 {
			c.complain(0, "warning: no override present")
			if forced {
				return nil
			}
			return Exit(2)
		}
		return writeDpkgFile(c, "statoverride", slices.Delete(lines, at(p), at(p)+1))
	case !o.has("add") || len(args) != 4:
		return Unknown("these arguments")
	}
	p := path.Clean(args[3])
	mode, err := strconv.ParseUint(args[2], 8, 12)
	if err != nil || !strings.HasPrefix(p, "/") {
		return c.complain(2, "error: mode %s or path %s is invalid", args[2], p)
	}
	if i := at(p); i >= 0 {
		if !forced {
			return c.complain(2, "error: an override for '%s' already exists; aborting", p)
		}
		lines = slices.Delete(lines, i, i+1)
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	uid, ok := a.number("passwd", args[0])
	if !ok {
		return c.complain(2, "error: user '%s' does not exist", args[0])
	}
	gid, ok := a.number("group", args[1])
	if !ok {
		return c.complain(2, "error: group '%s' does not exist", args[1])
	}
	if o.has("update") {
		if !c.there(p) {
			c.complain(0, "warning: --update given but %s does not exist", p)
		} else if err := c.own(p, uid, gid, uint16(mode)); err != nil {
			return err
		}
	}
	lines = append(lines, fmt.Sprintf("%s %s %o %s", args[0], args[1], mode, p))
	slices.SortStableFunc(lines, func(x, y string) int { return bin(overridden(x)) - bin(overridden(y)) })
	return writeDpkgFile(c, "statoverride", lines)
}

// overridden is the path in a line of statoverride.
func overridden(line string) string {
	f := strings.SplitN(line, " ", 4)
	return f[len(f)-1]
}

// bin is the place of a path in dpkg's table (lib/dpkg/fsys-hash.c), in whose
// order it writes its files.
func bin(path string) int {
	h := fnv.New32a()
	h.Write([]byte(strings.TrimPrefix(path, "/")))
	return int(h.Sum32() % 262139)
}

// number is the id of an account, or the one that "#id" states.
func (a *accounts) number(file, name string) (int, bool) {
	if text, ok := strings.CutPrefix(name, "#"); ok {
		id, err := strconv.Atoi(text)
		return id, err == nil && id >= 0
	}
	id := accountID(a.find(file, name))
	return id, id >= 0
}

// own sets owner and mode.
func (c *Call) own(p string, uid, gid int, mode uint16) error {
	if err := c.FS.Chown(p, uid, gid, true); err != nil {
		return err
	}
	return c.FS.Chmod(p, mode)
}

// globMatch is fnmatch(3) without flags, where * matches slashes too.
func globMatch(pattern, s string) bool {
	pattern, s = strings.ReplaceAll(pattern, "/", "\x01"), strings.ReplaceAll(s, "/", "\x01")
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// A diversion sends the files of all packages but one elsewhere.
type diversion struct{ from, to, pkg string }

// divert is dpkg-divert(1). Its file has three lines for each diversion, in
// the order of dpkg's table of names.
func divert(c *Call) error {
	o, args, err := getopt(c.Args[1:], "add remove list listpackage= truename= divert= package= local rename no-rename quiet test")
	if err != nil {
		return err
	}
	lines, err := dpkgFile(c, "diversions")
	if err != nil {
		return err
	}
	var list []diversion
	for i := 0; i+2 < len(lines); i += 3 {
		list = append(list, diversion{lines[i], lines[i+1], lines[i+2]})
	}
	if o.has("test") {
		return Unknown("option --test")
	}
	if o.has("truename") || o.has("listpackage") {
		return askDivert(c, list, o)
	}
	if o.has("list") {
		for _, d := range list {
			if len(args) == 0 || slices.ContainsFunc(args, func(p string) bool { return globMatch(p, d.from) || globMatch(p, d.to) || globMatch(p, d.pkg) }) {
				fmt.Fprintln(c.Stdout, d)
			}
		}
		return nil
	}
	if len(args) != 1 || !strings.HasPrefix(args[0], "/") {
		return Unknown("these arguments")
	}
	want := diversion{from: path.Clean(args[0]), to: o["divert"], pkg: o["package"]}
	if want.pkg == "" {
		want.pkg = c.Getenv("DPKG_MAINTSCRIPT_PACKAGE")
	}
	if o.has("local") || want.pkg == "" {
		want.pkg = ":"
	}
	if o.has("remove") {
		return undivert(c, list, want, o)
	}
	if want.to == "" {
		want.to = want.from + ".distrib"
	}
	for _, d := range list {
		if d == want {
			return nil
		}
		if d.from == want.from || d.to == want.to || d.from == want.to || d.to == want.from {
			return c.complain(2, "error: '%s' clashes with '%s'", want, d)
		}
	}
	if !o.has("quiet") {
		fmt.Fprintf(c.Stdout, "Adding '%s'\n", want)
	}
	if o.has("rename") && !o.has("no-rename") {
		if n, err := c.FS.Lstat(want.from); err == nil && n.Package != want.pkg {
			if err := c.FS.Rename(want.from, want.to); err != nil {
				return err
			}
		}
	}
	return writeDiversions(c, append([]diversion{want}, list...))
}

func (d diversion) String() string {
	s := fmt.Sprintf("diversion of %s", d.from)
	if d.pkg == ":" {
		s = "local " + s
	}
	if d.to != "" {
		s += " to " + d.to
	}
	if d.pkg != ":" {
		s += " by " + d.pkg
	}
	return s
}

func askDivert(c *Call, list []diversion, o options) error {
	if p, ok := o["truename"]; ok {
		for _, d := range list {
			if d.from == p {
				p = d.to
				break
			}
		}
		fmt.Fprintln(c.Stdout, p)
		return nil
	}
	for _, d := range list {
		if d.from != o["listpackage"] {
			continue
		}
		if d.pkg == ":" {
			d.pkg = "LOCAL"
		}
		fmt.Fprintln(c.Stdout, d.pkg)
	}
	return nil
}

func undivert(c *Call, list []diversion, want diversion, o options) error {
	i := slices.IndexFunc(list, func(d diversion) bool { return d.from == want.from })
	if i < 0 {
		if !o.has("quiet") {
			fmt.Fprintf(c.Stdout, "No diversion '%s', none removed.\n", want)
		}
		return nil
	}
	d := list[i]
	if d.pkg != want.pkg && (o.has("package") || o.has("local")) || want.to != "" && want.to != d.to {
		return c.complain(2, "error: mismatch on '%s' when removing '%s'", d, want)
	}
	if o.has("rename") && !o.has("no-rename") {
		if _, err := c.FS.Lstat(d.to); err == nil {
			if err := c.FS.Rename(d.to, d.from); err != nil {
				return err
			}
		}
	}
	return writeDiversions(c, slices.Delete(list, i, i+1))
}

func writeDiversions(c *Call, list []diversion) error {
	slices.SortStableFunc(list, func(a, b diversion) int { return bin(a.from) - bin(b.from) })
	var lines []string
	for _, d := range list {
		lines = append(lines, d.from, d.to, d.pkg)
	}
	return writeDpkgFile(c, "diversions", lines)
}
