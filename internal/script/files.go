package script

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"

	"compose/rootfs"
)

func init() {
	register(map[string]Command{
		"mkdir": mkdir, "rmdir": rmdir, "rm": rm, "unlink": rm, "touch": touch, "ln": ln, "link": linkCommand, "cp": cp, "mv": mv,
		"install": install, "chmod": chmod, "chown": chown, "chgrp": chgrp, "mktemp": mktemp, "tempfile": mktemp,
	})
}

// complaint says what is wrong with a file, and gives the status 1; an error
// that is no matter of the tree stays.
func (c *Call) complaint(p string, err error) (int, error) {
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		return 1, err
	}
	c.Errorf("%s: %v", p, reason(err))
	return 1, nil
}

// giveUp is complaint where the command ends with it.
func (c *Call) giveUp(p string, err error) error {
	status, fatal := c.complaint(p, err)
	if fatal != nil {
		return fatal
	}
	return Exit(status)
}

// each calls f for every path, and goes on behind those that fail.
func (c *Call) each(paths []string, f func(p string) error) error {
	status := 0
	for _, p := range paths {
		if err := f(p); err != nil {
			var fatal error
			if status, fatal = c.complaint(p, err); fatal != nil {
				return fatal
			}
		}
	}
	return Exit(status)
}

// missing says that operands are missing.
func (c *Call) missing() error {
	c.Errorf("missing operand")
	return Exit(1)
}

func mkdir(c *Call) error {
	o, dirs, err := getopt(c.Args[1:], "p|parents m|mode= v|verbose Z")
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		return c.missing()
	}
	mode := 0o777 &^ c.Umask
	if o.has("m") {
		if mode, err = changeMode(o["m"], 0o777, true, c.Umask); err != nil {
			return err
		}
	}
	return c.each(dirs, func(p string) error {
		p = c.Path(p)
		if o.has("p") {
			if n, err := c.FS.Stat(p); err == nil && n.Type == rootfs.Dir {
				return nil
			}
			if err := c.parents(p, 0o777&^c.Umask|0o300); err != nil {
				return err
			}
		}
		return c.FS.Mkdir(p, mode)
	})
}

// parents makes the directories above p that are missing.
func (c *Call) parents(p string, mode uint16) error {
	dir := path.Dir(strings.TrimRight(p, "/"))
	if n, err := c.FS.Stat(dir); err == nil {
		if n.Type != rootfs.Dir {
			return fail("mkdir", dir, syscall.ENOTDIR)
		}
		return nil
	}
	if err := c.parents(dir, mode); err != nil {
		return err
	}
	return c.FS.Mkdir(dir, mode)
}

func rmdir(c *Call) error {
	o, dirs, err := getopt(c.Args[1:], "p|parents v|verbose ignore-fail-on-non-empty")
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		return c.missing()
	}
	one := func(p string) error {
		n, err := c.FS.Lstat(c.Path(p))
		if err == nil && n.Type != rootfs.Dir {
			err = fail("rmdir", p, syscall.ENOTDIR)
		}
		if err == nil {
			err = c.FS.Remove(c.Path(p))
		}
		if o.has("ignore-fail-on-non-empty") && errors.Is(err, syscall.ENOTEMPTY) {
			return nil
		}
		return err
	}
	return c.each(dirs, func(p string) error {
		err := one(p)
		for o.has("p") && err == nil {
			if p = path.Dir(strings.TrimRight(p, "/")); p == "." || p == "/" {
				break
			}
			err = one(p)
		}
		return err
	})
}

func rm(c *Call) error {
	o, paths, err := getopt(c.Args[1:], "r|R|recursive f|force d|dir v|verbose one-file-system preserve-root i I")
	if err != nil {
		return err
	}
	if len(paths) == 0 && !o.has("f") {
		return c.missing()
	}
	return c.each(paths, func(p string) error {
		n, err := c.FS.Lstat(c.Path(p))
		switch {
		case err != nil && o.has("f"):
			return nil
		case err != nil:
			return err
		case n.Type != rootfs.Dir:
			return c.FS.Remove(c.Path(p))
		case o.has("r"):
			if last := base(strings.TrimRight(p, "/")); last == "." || last == ".." {
				return fail("remove", p, syscall.EINVAL)
			}
			return c.FS.RemoveAll(c.Path(p))
		case o.has("d"):
			return c.FS.Remove(c.Path(p))
		}
		return fail("remove", p, syscall.EISDIR)
	})
}

func touch(c *Call) error {
	o, paths, err := getopt(c.Args[1:], "a c|no-create m h|no-dereference r|reference= d|date= t=")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return c.missing()
	}
	when := c.Epoch()
	switch {
	case o.has("r"):
		n, err := c.FS.Stat(c.Path(o["r"]))
		if err != nil {
			return c.giveUp(o["r"], err)
		}
		when = n.MTime
	case o.has("d"):
		if when, err = parseTime(o["d"], c.Epoch()); err != nil {
			return err
		}
	case o.has("t"):
		return Unknown("option -t")
	}
	return c.each(paths, func(p string) error {
		p = c.Path(p)
		if _, err := c.FS.Stat(p); err != nil {
			if o.has("c") {
				return nil
			}
			if strings.HasSuffix(p, "/") {
				return fail("touch", p, syscall.ENOENT)
			}
			if err := c.FS.WriteFile(p, nil, 0o666&^c.Umask); err != nil {
				return err
			}
		}
		if o.has("a") && !o.has("m") {
			return nil
		}
		return c.FS.SetTime(p, when)
	})
}

// A placement is where ln, cp, mv and install put things.
type placement struct {
	sources []string
	dir     string // into it, under their own names; "": dest
	dest    string
}

// place understands "SOURCE DEST", "SOURCE... DIR" and "-t DIR SOURCE...".
// noDir is -T; follow is whether a link to a directory is one.
func (c *Call) place(o options, args []string, follow bool) (placement, error) {
	if o.has("t") {
		return placement{sources: args, dir: c.Path(o["t"])}, nil
	}
	if len(args) < 2 {
		c.Errorf("missing operand")
		return placement{}, Exit(1)
	}
	sources, dest := args[:len(args)-1], c.Path(args[len(args)-1])
	if !o.has("T") {
		find := c.FS.Lstat
		if follow {
			find = c.FS.Stat
		}
		if n, err := find(dest); err == nil && n.Type == rootfs.Dir {
			return placement{sources: sources, dir: dest}, nil
		}
	}
	if len(sources) > 1 {
		c.Errorf("target %s: not a directory", args[len(args)-1])
		return placement{}, Exit(1)
	}
	return placement{sources: sources, dest: dest}, nil
}

// to is where a source goes.
func (p placement) to(source string) string {
	if p.dir == "" {
		return p.dest
	}
	return strings.TrimRight(p.dir, "/") + "/" + base(strings.TrimRight(source, "/"))
}

func ln(c *Call) error {
	o, args, err := getopt(c.Args[1:], "s|symbolic f|force n|no-dereference T|no-target-directory t|target-directory= r|relative v|verbose L P")
	if err != nil {
		return err
	}
	if len(args) == 1 && !o.has("t") {
		args = append(args, ".")
	}
	pl, err := c.place(o, args, !o.has("n"))
	if err != nil {
		return err
	}
	return c.each(pl.sources, func(source string) error {
		to := pl.to(source)
		if there, err := c.FS.Lstat(to); err == nil {
			if !o.has("f") {
				return fail("link", to, syscall.EEXIST)
			}
			if there.Type == rootfs.Dir {
				return fail("link", to, syscall.EISDIR)
			}
			if !o.has("s") {
				if n, err := c.FS.Lstat(c.Path(source)); err == nil && n == there {
					return fail("link", to, syscall.EEXIST)
				}
			}
			if err := c.FS.Remove(to); err != nil {
				return err
			}
		}
		if !o.has("s") {
			return c.FS.Link(c.Path(source), to)
		}
		if o.has("r") {
			if source, err = c.relative(source, to); err != nil {
				return err
			}
		}
		return c.FS.Symlink(source, to)
	})
}

// linkCommand is link(1).
func linkCommand(c *Call) error {
	if len(c.Args) != 3 {
		return c.missing()
	}
	return c.each(c.Args[1:2], func(p string) error { return c.FS.Link(c.Path(p), c.Path(c.Args[2])) })
}

// relative is what a link at to must hold to lead to target.
func (c *Call) relative(target, to string) (string, error) {
	dir, err := c.canonical(path.Dir(to), canonicalMissing)
	if err != nil {
		return "", err
	}
	full, err := c.canonical(c.Path(target), canonicalMissing)
	if err != nil {
		return "", err
	}
	return relativePath(dir, full), nil
}

// relativePath leads from the directory dir to the path p; both are clean and
// absolute.
func relativePath(dir, p string) string {
	from, to := strings.Split(strings.Trim(dir, "/"), "/"), strings.Split(strings.Trim(p, "/"), "/")
	if from[0] == "" {
		from = nil
	}
	if to[0] == "" {
		to = nil
	}
	for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	parts := strings.Repeat("../", len(from)) + strings.Join(to, "/")
	if parts == "" {
		return "."
	}
	return strings.TrimSuffix(parts, "/")
}

// A copier is how cp copies.
type copier struct {
	c                        *Call
	recursive, follow        bool
	mode, owner, time, xattr bool // what is preserved
	clobber                  bool
	depth                    int
}

func cp(c *Call) error {
	o, args, err := getopt(c.Args[1:], "a|archive p r R|recursive d P|no-dereference L|dereference H f|force n|no-clobber u|update v|verbose T|no-target-directory t|target-directory= Z preserve= no-preserve= l|link s|symbolic-link remove-destination x reflink= backup= b S=")
	if err != nil {
		return err
	}
	for _, name := range []string{"l", "s", "u", "backup", "b", "S", "remove-destination"} {
		if o.has(name) {
			return Unknown("option %s", name)
		}
	}
	all := o.has("a")
	k := &copier{
		c: c, recursive: all || o.has("r") || o.has("R"), clobber: !o.has("n"),
		mode: all || o.has("p"), owner: all || o.has("p"), time: all || o.has("p"), xattr: all,
	}
	k.follow = !all && !o.has("d") && !o.has("P") && !k.recursive || o.has("L")
	for what := range strings.SplitSeq(o["preserve"], ",") {
		switch what {
		case "":
			if o.has("preserve") {
				k.mode, k.owner, k.time = true, true, true
			}
		case "all":
			k.mode, k.owner, k.time, k.xattr = true, true, true, true
		case "mode":
			k.mode = true
		case "ownership":
			k.owner = true
		case "timestamps":
			k.time = true
		case "xattr":
			k.xattr = true
		case "links", "context":
		default:
			return Unknown("option --preserve=%s", what)
		}
	}
	for what := range strings.SplitSeq(o["no-preserve"], ",") {
		switch what {
		case "":
		case "mode":
			k.mode = false
		case "ownership":
			k.owner = false
		case "timestamps":
			k.time = false
		default:
			return Unknown("option --no-preserve=%s", what)
		}
	}
	pl, err := c.place(o, args, true)
	if err != nil {
		return err
	}
	return c.each(pl.sources, func(source string) error {
		to := pl.to(source)
		if last := base(strings.TrimRight(source, "/")); pl.dir != "" && (last == "." || last == "..") {
			to = pl.dir // cp -r x/. y
		}
		return k.copy(c.Path(source), to, o.has("H"))
	})
}

// copy copies what stands at source to the path to.
func (k *copier) copy(source, to string, follow bool) error {
	f := k.c.FS
	find := f.Lstat
	if k.follow || follow {
		find = f.Stat
	}
	if device(source) != nil {
		return f.WriteFile(to, nil, 0o666&^k.c.Umask)
	}
	n, err := find(source)
	if err != nil {
		return err
	}
	was := *n
	there, _ := f.Lstat(to)
	switch {
	case there != nil && there.Type != rootfs.Dir && !k.clobber:
		return nil
	case was.Type == rootfs.Dir:
		return k.copyDir(source, to, &was)
	case was.Type == rootfs.Symlink:
		if there != nil {
			if there.Type == rootfs.Dir {
				return fail("copy", to, syscall.EISDIR)
			}
			if err := f.Remove(to); err != nil {
				return err
			}
		}
		if err := f.Symlink(was.Link, to); err != nil {
			return err
		}
	case was.Type == rootfs.Regular || was.Type == rootfs.Hardlink:
		data, err := f.Stat(source)
		if err != nil {
			return err
		}
		was = *data
		if there, err := f.Stat(to); err == nil && there == data {
			return fail("copy", to, errors.New("are the same file"))
		}
		if err := f.Copy(&was, to, was.Mode&0o777&^k.c.Umask); err != nil {
			return err
		}
	default:
		return Unknown("a copy of a special file")
	}
	return k.preserve(&was, to)
}

func (k *copier) copyDir(source, to string, was *rootfs.Node) error {
	f := k.c.FS
	if !k.recursive {
		return fail("copy", source, errors.New("-r not specified; omitting directory"))
	}
	if k.depth++; k.depth > 100 || strings.HasPrefix(to+"/", strings.TrimRight(source, "/")+"/") && to != source {
		return fail("copy", to, errors.New("cannot copy a directory into itself"))
	}
	defer func() { k.depth-- }()
	names, err := f.ReadDir(source)
	if err != nil {
		return err
	}
	there, err := f.Stat(to)
	switch {
	case err != nil:
		if err := f.Mkdir(to, was.Mode&0o777&^k.c.Umask); err != nil {
			return err
		}
	case there.Type != rootfs.Dir:
		return fail("copy", to, syscall.ENOTDIR)
	}
	for _, name := range names {
		if err := k.copy(source+"/"+name, to+"/"+name, false); err != nil {
			return err
		}
	}
	return k.preserve(was, to)
}

// preserve gives what stands at to the properties of what was copied.
func (k *copier) preserve(was *rootfs.Node, to string) error {
	f := k.c.FS
	if k.owner {
		if err := f.Chown(to, was.UID, was.GID, false); err != nil {
			return err
		}
	}
	if was.Type == rootfs.Symlink {
		return nil
	}
	if k.mode {
		if err := f.Chmod(to, was.Mode); err != nil {
			return err
		}
	}
	if k.xattr {
		for _, x := range was.Xattrs {
			if err := f.SetXattr(to, x.Name, x.Value); err != nil {
				return err
			}
		}
	}
	if k.time {
		return f.SetTime(to, was.MTime)
	}
	return nil
}

func mv(c *Call) error {
	o, args, err := getopt(c.Args[1:], "f|force n|no-clobber v|verbose T|no-target-directory t|target-directory= Z i u")
	if err != nil {
		return err
	}
	if o.has("u") {
		return Unknown("option -u")
	}
	pl, err := c.place(o, args, true)
	if err != nil {
		return err
	}
	return c.each(pl.sources, func(source string) error {
		to := pl.to(source)
		n, err := c.FS.Lstat(c.Path(source))
		if err != nil {
			return err
		}
		there, err := c.FS.Lstat(to)
		switch {
		case err != nil:
		case o.has("n"):
			return nil
		case there == n:
			return fail("rename", to, errors.New("are the same file"))
		case there.Type == rootfs.Dir && n.Type != rootfs.Dir:
			return fail("rename", to, syscall.EISDIR)
		case there.Type != rootfs.Dir && n.Type == rootfs.Dir:
			return fail("rename", to, syscall.ENOTDIR)
		}
		return c.FS.Rename(c.Path(source), to)
	})
}

func install(c *Call) error {
	o, args, err := getopt(c.Args[1:], "d|directory m|mode= o|owner= g|group= D p|preserve-timestamps t|target-directory= T|no-target-directory v|verbose c C|compare s Z")
	if err != nil {
		return err
	}
	if o.has("s") {
		return Unknown("option -s")
	}
	mode, dirMode := uint16(0o755), uint16(0o755)
	if o.has("m") {
		if mode, err = changeMode(o["m"], 0, false, 0); err != nil {
			return err
		}
		if dirMode, err = changeMode(o["m"], 0, true, 0); err != nil {
			return err
		}
	}
	uid, gid := -1, -1
	if o.has("o") {
		if uid = c.number("/etc/passwd", o["o"]); uid < 0 {
			c.Errorf("invalid user %s", o["o"])
			return Exit(1)
		}
	}
	if o.has("g") {
		if gid = c.number("/etc/group", o["g"]); gid < 0 {
			c.Errorf("invalid group %s", o["g"])
			return Exit(1)
		}
	}
	finish := func(p string, mode uint16) error {
		if uid >= 0 || gid >= 0 {
			if err := c.FS.Chown(p, uid, gid, true); err != nil {
				return err
			}
		}
		return c.FS.Chmod(p, mode)
	}
	if o.has("d") {
		return c.each(args, func(p string) error {
			p = c.Path(p)
			if n, err := c.FS.Stat(p); err != nil {
				if err := c.parents(p, 0o755); err != nil {
					return err
				}
				if err := c.FS.Mkdir(p, dirMode); err != nil {
					return err
				}
			} else if n.Type != rootfs.Dir {
				return fail("install", p, syscall.EEXIST)
			}
			return finish(p, dirMode)
		})
	}
	if o.has("D") && len(args) == 2 && !o.has("t") {
		if err := c.parents(c.Path(args[1]), 0o755); err != nil {
			return c.giveUp(args[1], err)
		}
	}
	pl, err := c.place(o, args, true)
	if err != nil {
		return err
	}
	k := &copier{c: c, follow: true, clobber: true, time: o.has("p")}
	return c.each(pl.sources, func(source string) error {
		to := pl.to(source)
		if _, err := c.FS.Lstat(to); err == nil {
			if err := c.FS.Remove(to); err != nil {
				return err
			}
		}
		if err := k.copy(c.Path(source), to, true); err != nil {
			return err
		}
		return finish(to, mode)
	})
}

// walk calls f for p and, for directories, all below it; links are not
// followed.
func (c *Call) walk(p string, f func(p string) error) error {
	n, err := c.FS.Lstat(p)
	if err != nil {
		return err
	}
	isDir := n.Type == rootfs.Dir
	if err := f(p); err != nil || !isDir {
		return err
	}
	names, err := c.FS.ReadDir(p)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.walk(strings.TrimSuffix(p, "/")+"/"+name, f); err != nil {
			return err
		}
	}
	return nil
}

func chmod(c *Call) error {
	// A mode may look like an option: chmod -x f.
	args := c.Args[1:]
	var flags, rest []string
	for i, a := range args {
		if a == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "rwxXstugoa,+=-") != "" || a == "-R" {
			flags = append(flags, a)
			continue
		}
		rest = append(rest, a)
	}
	o, _, err := getopt(flags, "R|recursive f|silent|quiet v|verbose c|changes reference=")
	if err != nil {
		return err
	}
	if o.has("reference") {
		n, err := c.FS.Stat(c.Path(o["reference"]))
		if err != nil {
			return Unknown("option --reference of a missing file")
		}
		rest = append([]string{"0" + strconv.FormatUint(uint64(n.Mode), 8)}, rest...)
	}
	if len(rest) < 2 {
		return c.missing()
	}
	change := func(p string) error {
		n, err := c.FS.Stat(p)
		if err != nil {
			return err
		}
		mode, err := changeMode(rest[0], n.Mode, n.Type == rootfs.Dir, c.Umask)
		if err != nil {
			return err
		}
		return c.FS.Chmod(p, mode)
	}
	err = c.each(rest[1:], func(p string) error {
		p = c.Path(p)
		if !o.has("R") {
			return change(p)
		}
		return c.walk(p, func(p string) error {
			if n, err := c.FS.Lstat(p); err != nil || n.Type == rootfs.Symlink {
				return err
			}
			return change(p)
		})
	})
	return err
}

// changeMode gives the mode that chmod makes of mode.
func changeMode(spec string, mode uint16, dir bool, umask uint16) (uint16, error) {
	if spec != "" && strings.Trim(spec, "01234567") == "" {
		n, err := strconv.ParseUint(spec, 8, 16)
		if err != nil || n > 0o7777 {
			return 0, Unknown("mode %q", spec)
		}
		if dir && len(spec) < 5 {
			return uint16(n) | mode&0o6000, nil // as GNU's does
		}
		return uint16(n), nil
	}
	for clause := range strings.SplitSeq(spec, ",") {
		var err error
		if mode, err = symbolicMode(clause, mode, dir, umask); err != nil {
			return 0, err
		}
	}
	return mode, nil
}

// symbolicMode applies one clause, "ug+rw-x" for instance.
func symbolicMode(clause string, mode uint16, dir bool, umask uint16) (uint16, error) {
	rest := strings.TrimLeft(clause, "ugoa")
	who := whoMask(clause[:len(clause)-len(rest)])
	masked := who == 0
	if masked {
		who = 0o7777
	}
	if rest == "" {
		return 0, Unknown("mode %q", clause)
	}
	for rest != "" {
		op := rest[0]
		if strings.IndexByte("+-=", op) < 0 {
			return 0, Unknown("mode %q", clause)
		}
		end := strings.IndexAny(rest[1:], "+-=") + 1
		if end == 0 {
			end = len(rest)
		}
		bits, err := permissions(rest[1:end], mode, dir)
		if err != nil {
			return 0, err
		}
		bits &= who
		if masked {
			bits &^= umask
		}
		switch op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		case '=':
			clear := who
			if masked {
				clear = 0o7777
			}
			if dir {
				clear &^= 0o6000 // as GNU's does
			}
			mode = mode&^clear | bits
		}
		rest = rest[end:]
	}
	return mode, nil
}

// whoMask is the bits that "ug" may change.
func whoMask(who string) (mask uint16) {
	for _, w := range who {
		switch w {
		case 'u':
			mask |= 0o4700
		case 'g':
			mask |= 0o2070
		case 'o':
			mask |= 0o1007
		case 'a':
			mask |= 0o7777
		}
	}
	return mask
}

// permissions is the bits that "rwX" stands for.
func permissions(letters string, mode uint16, dir bool) (bits uint16, err error) {
	for _, l := range letters {
		switch l {
		case 'r':
			bits |= 0o444
		case 'w':
			bits |= 0o222
		case 'x':
			bits |= 0o111
		case 'X':
			if dir || mode&0o111 != 0 {
				bits |= 0o111
			}
		case 's':
			bits |= 0o6000
		case 't':
			bits |= 0o1000
		case 'u':
			bits |= mode >> 6 & 7 * 0o111
		case 'g':
			bits |= mode >> 3 & 7 * 0o111
		case 'o':
			bits |= mode & 7 * 0o111
		default:
			return 0, Unknown("mode %q", letters)
		}
	}
	return bits, nil
}

func chown(c *Call) error { return changeOwner(c, true) }
func chgrp(c *Call) error { return changeOwner(c, false) }

func changeOwner(c *Call, user bool) error {
	o, args, err := getopt(c.Args[1:], "R|recursive h|no-dereference f|silent|quiet v|verbose c|changes from= reference= dereference preserve-root H L P")
	if err != nil {
		return err
	}
	if o.has("L") || o.has("H") {
		return Unknown("option -L")
	}
	uid, gid := -1, -1
	if o.has("reference") {
		n, err := c.FS.Stat(c.Path(o["reference"]))
		if err != nil {
			return Unknown("option --reference of a missing file")
		}
		if gid = n.GID; user {
			uid = n.UID
		}
	} else {
		if len(args) < 2 {
			return c.missing()
		}
		spec := args[0]
		if !user {
			spec = ":" + spec
		}
		var ok bool
		if uid, gid, ok = c.owner(spec); !ok {
			c.Errorf("invalid owner %s", args[0])
			return Exit(1)
		}
		args = args[1:]
	}
	fromUID, fromGID := -1, -1
	if o.has("from") {
		var ok bool
		if fromUID, fromGID, ok = c.owner(o["from"]); !ok {
			c.Errorf("invalid owner %s", o["from"])
			return Exit(1)
		}
	}
	change := func(p string, follow bool) error {
		find := c.FS.Lstat
		if follow {
			find = c.FS.Stat
		}
		n, err := find(p)
		if err == nil && n.Type == rootfs.Hardlink {
			n, err = c.FS.Stat(p)
		}
		if err != nil {
			return err
		}
		if fromUID >= 0 && n.UID != fromUID || fromGID >= 0 && n.GID != fromGID {
			return nil
		}
		return c.FS.Chown(p, uid, gid, follow)
	}
	quiet := *c
	if o.has("f") {
		quiet.Stderr = nowhere{}
	}
	return quiet.each(args, func(p string) error {
		p = c.Path(p)
		if o.has("R") {
			return c.walk(p, func(p string) error { return change(p, false) })
		}
		return change(p, !o.has("h"))
	})
}

// owner understands "user:group", "user", "user:" (the user's own group) and
// ":group"; -1 stands for what does not change.
func (c *Call) owner(spec string) (uid, gid int, ok bool) {
	user, group, both := strings.Cut(spec, ":")
	if !both && c.number("/etc/passwd", spec) < 0 {
		user, group, both = strings.Cut(spec, ".")
	}
	uid, gid = -1, -1
	if user != "" {
		if uid = c.number("/etc/passwd", user); uid < 0 {
			return 0, 0, false
		}
	}
	switch {
	case group != "":
		if gid = c.number("/etc/group", group); gid < 0 {
			return 0, 0, false
		}
	case both && user != "":
		f := c.entry("/etc/passwd", user)
		if len(f) < 4 {
			return 0, 0, false
		}
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return 0, 0, false
		}
		gid = n
	}
	return uid, gid, true
}

// entry is the line of a name in passwd or group.
func (c *Call) entry(file, name string) []string {
	data, err := c.FS.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); f[0] == name && len(f) > 2 {
			return f
		}
	}
	return nil
}

// number is the number of a user or group, by its name or its digits; -1 if
// there is none.
func (c *Call) number(file, name string) int {
	if f := c.entry(file, name); f != nil {
		if n, err := strconv.ParseUint(f[2], 10, 31); err == nil {
			return int(n)
		}
		return -1
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "+"), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// mktemp gives the first names that are free: there is nobody who could guess
// them.
func mktemp(c *Call) error {
	args := c.Args[1:]
	for i, a := range args { // --tmpdir's value is optional, and only behind "="
		if a == "--tmpdir" {
			args = append(append([]string{}, args[:i]...), append([]string{"-t"}, args[i+1:]...)...)
			break
		}
	}
	o, rest, err := getopt(args, "d|directory u|dry-run q|quiet t p|tmpdir= suffix=")
	if err != nil {
		return err
	}
	template := "tmp.XXXXXXXXXX"
	dir := ""
	if len(rest) == 0 || o.has("t") {
		dir = "/tmp"
		if v := c.Getenv("TMPDIR"); v != "" {
			dir = v
		}
	}
	if o["p"] != "" {
		dir = o["p"]
	}
	if len(rest) > 0 {
		template = rest[0]
	}
	if dir != "" {
		template = strings.TrimRight(dir, "/") + "/" + template
	}
	end := strings.LastIndexByte(template, 'X') + 1
	start := len(strings.TrimRight(template[:end], "X"))
	if end-start < 3 || strings.Contains(template[end:], "/") {
		c.Errorf("too few X's in template %s", template)
		return Exit(1)
	}
	for {
		c.shell.run.temp++
		digits := strconv.FormatInt(int64(c.shell.run.temp), 36)
		if len(digits) > end-start {
			return Unknown("no name left for %s", template)
		}
		name := template[:start] + strings.Repeat("0", end-start-len(digits)) + digits + template[end:] + o["suffix"]
		p := c.Path(name)
		if _, err := c.FS.Lstat(p); err == nil {
			continue
		}
		switch {
		case o.has("u"):
		case o.has("d"):
			err = c.FS.Mkdir(p, 0o700)
		default:
			err = c.FS.WriteFile(p, nil, 0o600)
		}
		if err != nil {
			return c.giveUp(name, err)
		}
		return c.println(name)
	}
}
