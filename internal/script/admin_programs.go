package script

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Programs that scripts call for a little of what they can do.
func init() {
	register(map[string]Command{
		"perl": perl, "su": su, "runuser": su, "sshd": sshd, "dpkg-realpath": dpkgRealpath, "busybox": busybox,
		"openssl": openssl, "chronyd": chronyd, "pg_updatedicts": pgUpdatedicts,
		"update-locale": updateLocale,
	})
	register(map[string]Command{"python3": python})
	for minor := 8; minor < 30; minor++ {
		register(map[string]Command{fmt.Sprintf("python3.%d", minor): python})
	}
}

func isPython(name string) bool { return name == "python3" || strings.HasPrefix(name, "python3.") }

// perl runs a program that is empty: a question whether there is a perl.
func perl(c *Call) error {
	if len(c.Args) != 3 || c.Args[1] != "-e" || strings.TrimSpace(c.Args[2]) != "" {
		return Unknown("a program of its own")
	}
	if c.LookPath("perl") == "" {
		return Exit(127)
	}
	return nil
}

// python compiles modules to byte code, which is omitted.
func python(c *Call) error {
	for _, arg := range c.Args[1:] {
		if strings.HasSuffix(arg, "/py_compile.py") || strings.HasSuffix(arg, "/compileall.py") || arg == "compileall" || arg == "py_compile" {
			return nil
		}
	}
	return Unknown("a program of its own")
}

// sshd tells its configuration. It is asked for the host keys that it wants,
// which are not made.
func sshd(c *Call) error {
	if len(c.Args) == 2 && (c.Args[1] == "-G" || c.Args[1] == "-T") {
		return nil
	}
	return Unknown("these arguments")
}

// dpkgRealpath is dpkg-realpath(1).
func dpkgRealpath(c *Call) error {
	o, args, err := getopt(c.Args[1:], "root= instdir= z|zero")
	if err != nil {
		return err
	}
	if len(args) != 1 || !ownRoot(o["root"]) || !ownRoot(o["instdir"]) || o.has("zero") {
		return Unknown("these arguments")
	}
	return c.Exec([]string{"realpath", "-m", args[0]}, nil, nil, nil, nil)
}

// su answers one question as another user: whether it owns some files.
func su(c *Call) error {
	o, args, err := getopt(c.Args[1:], "s|shell= c|command= u|user= l|login")
	if err != nil {
		return err
	}
	args = slices.DeleteFunc(args, func(a string) bool { return a == "-" })
	if name := o["u"]; name != "" {
		args = append([]string{name}, args...)
	}
	if len(args) != 1 {
		return Unknown("these arguments")
	}
	a, err := readAccounts(c)
	if err != nil {
		return err
	}
	user := a.find("passwd", args[0])
	if len(user) < 4 {
		return c.complain(1, "user %s does not exist", args[0])
	}
	gids, _ := a.groupsOf(user)
	for clause := range strings.SplitSeq(o["c"], "&&") {
		words := strings.Fields(clause)
		if len(words) != 3 || words[0] != "test" || words[1] != "-O" && words[1] != "-G" || strings.ContainsAny(words[2], "'\"$`*?\\") {
			return Unknown("a command as %s: %s", args[0], o["c"])
		}
		n, err := c.FS.Stat(words[2])
		if err != nil || words[1] == "-O" && fmt.Sprint(n.UID) != user[2] || words[1] == "-G" && fmt.Sprint(n.GID) != gids[0] {
			return Exit(1)
		}
	}
	return nil
}

// busybox runs one of its applets. The links to it that --install makes are a
// finalizer's.
func busybox(c *Call) error {
	if len(c.Args) < 2 {
		return Unknown("no applet")
	}
	if c.Args[1] == "--install" {
		return nil
	}
	if strings.HasPrefix(c.Args[1], "-") {
		return Unknown("option %s", c.Args[1])
	}
	return c.Exec(c.Args[1:], c.Stdin, c.Stdout, c.Stderr, nil)
}

// openssl makes nothing at random: the file that it would write is there for
// the rest of the script only.
func openssl(c *Call) error {
	if len(c.Args) < 2 || c.Args[1] != "rand" {
		return Unknown("command %q", strings.Join(c.Args[1:], " "))
	}
	i := slices.Index(c.Args, "-out")
	if i < 0 || i+1 >= len(c.Args) {
		return Unknown("random bytes for itself")
	}
	p := c.Path(c.Args[i+1])
	if err := c.FS.WriteFile(p, nil, 0o600&^c.Umask); err != nil {
		return err
	}
	unwanted, _ := c.State("unwanted").([]string)
	c.SetState("unwanted", append(slices.Clone(unwanted), p))
	return nil
}

// discard takes away what a script needed to go on and no image should hold.
func (in *Interpreter) discard() {
	unwanted, _ := in.State["unwanted"].([]string)
	for _, p := range unwanted {
		in.Tree.Remove(strings.TrimPrefix(path.Clean(p), "/"))
	}
	delete(in.State, "unwanted")
}

// chronyd prints its configuration.
func chronyd(c *Call) error {
	if len(c.Args) != 2 || c.Args[1] != "-p" {
		return Unknown("these arguments")
	}
	files := []string{"/etc/chrony/chrony.conf"}
	names, err := c.FS.ReadDir("/etc/chrony/conf.d")
	for _, name := range names {
		if err == nil && strings.HasSuffix(name, ".conf") {
			files = append(files, "/etc/chrony/conf.d/"+name)
		}
	}
	for _, f := range files {
		data, err := c.FS.ReadFile(f)
		if err != nil {
			return c.complain(1, "%v", err)
		}
		if _, err := c.Stdout.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// pgUpdatedicts makes PostgreSQL's dictionaries of those for spelling.
func pgUpdatedicts(c *Call) error {
	for _, dir := range []string{"/usr/share/hunspell", "/usr/share/myspell/dicts"} {
		if names, err := c.FS.ReadDir(dir); err == nil && len(names) > 0 {
			return Unknown("dictionaries in %s", dir)
		}
	}
	return c.FS.mkdirAll("/var/cache/postgresql/dicts", 0o755)
}

// mountpoint is mountpoint(1) in a container, where the kernel's own file
// systems are mounted.
func mountpoint(c *Call) error {
	switch c.Args[len(c.Args)-1] {
	case "/proc", "/sys", "/dev":
		return nil
	}
	return Exit(1)
}

// updateLocale is update-locale(8): variables of /etc/default/locale, those
// without a value being removed.
func updateLocale(c *Call) error {
	const file = "/etc/default/locale"
	o, args, err := getopt(c.Args[1:], "no-checks reset locale-file=")
	if err != nil {
		return err
	}
	if o.has("reset") || o.has("locale-file") {
		return Unknown("option --reset or --locale-file")
	}
	text, err := c.FS.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := strings.SplitAfter(string(text), "\n")
	for _, arg := range args {
		name, value, set := strings.Cut(arg, "=")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+"=") })
		if set {
			lines = append(lines, name+"="+value+"\n")
		}
	}
	joined := strings.Join(lines, "")
	if joined == string(text) {
		return nil
	}
	return c.FS.WriteFile(file, []byte(joined), 0o644)
}
