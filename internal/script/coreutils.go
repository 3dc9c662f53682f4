package script

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"compose/rootfs"
)

func init() {
	nothing := func(*Call) error { return nil }
	no := func(*Call) error { return Exit(1) }
	register(map[string]Command{
		"basename": basename, "dirname": dirname, "readlink": readlink, "realpath": realpath, "pathfind": which, "which": which,
		"stat": stat, "ls": ls, "date": date, "uname": uname, "hostname": hostname, "whoami": whoami, "env": env, "printenv": printenv,
		"seq": seq, "pwd": pwdCommand, "test": testCommand, "[": testCommand,
		"nproc": func(c *Call) error { return c.println("1") },
		// A script has a machine of its own, and there nothing runs.
		"sleep": nothing, "sync": nothing, "logger": nothing, "pidof": no, "pgrep": no, "pkill": no, "killall": no, "mountpoint": mountpoint, "tty": no,
		"aa-enabled": no, "lpstat": no, "stty": no, "df": df, "getopt": getoptCommand, "setpriv": setpriv,
		"md5sum": sum(md5.New), "sha1sum": sum(sha1.New), "sha256sum": sum(sha256.New), "sha512sum": sum(sha512.New),
		"nice": wrapper("n|adjustment="), "ionice": wrapper("c|class= n|classdata= t|ignore"), "nohup": wrapper(""),
	})
}

// println writes a line to standard output.
func (c *Call) println(text string) error {
	_, err := io.WriteString(c.Stdout, text+"\n")
	return err
}

// input opens the files that a filter is given, "-" being standard input; all
// of it where there are none. It says which files cannot be read, and gives
// the status that comes of it.
func (c *Call) input(files []string, each func(name string, r io.Reader) error) (status int, _ error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		f := fd{r: c.Stdin}
		var err error
		if name != "-" {
			f, err = c.shell.open(name, reading)
		}
		if err == nil {
			err = each(name, f.r)
		}
		if err != nil {
			var fatal error
			if status, fatal = c.complaint(name, err); fatal != nil {
				return status, fatal
			}
		}
	}
	return status, nil
}

// readAll gives all input.
func (c *Call) readAll(files []string) (data []byte, status int, err error) {
	status, err = c.input(files, func(_ string, r io.Reader) error {
		d, err := io.ReadAll(r)
		data = append(data, d...)
		return err
	})
	return data, status, err
}

// wrapper is a command that runs another one, whatever its own options say.
func wrapper(options string) Command {
	return func(c *Call) error {
		args := c.Args[1:]
		var own []string
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			own = append(own, args[0])
			if len(args[0]) == 2 && strings.Contains(options, args[0][1:]) && len(args) > 1 {
				own = append(own, args[1])
				args = args[1:]
			}
			args = args[1:]
		}
		if _, _, err := getopt(own, options); err != nil {
			return err
		}
		if len(args) == 0 {
			return Unknown("no command")
		}
		return c.Exec(args, c.Stdin, nil, nil, nil)
	}
}

func basename(c *Call) error {
	o, args, err := getopt(c.Args[1:], "a|multiple s|suffix= z|zero")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return c.missing()
	}
	suffix := o["s"]
	if len(args) == 2 && !o.has("a") && !o.has("s") {
		suffix, args = args[1], args[:1]
	}
	for _, p := range args {
		name := base(strings.TrimRight(p, "/"))
		if name == "" && p != "" {
			name = "/"
		}
		if name != suffix {
			name = strings.TrimSuffix(name, suffix)
		}
		if err := c.println(name); err != nil {
			return err
		}
	}
	return nil
}

func dirname(c *Call) error {
	_, args, err := getopt(c.Args[1:], "")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return c.missing()
	}
	for _, p := range args {
		trimmed := strings.TrimRight(p, "/")
		i := strings.LastIndexByte(trimmed, '/')
		dir := "."
		switch {
		case trimmed == "" && p != "", i == 0:
			dir = "/"
		case i > 0:
			if dir = strings.TrimRight(trimmed[:i], "/"); dir == "" {
				dir = "/"
			}
		}
		if err := c.println(dir); err != nil {
			return err
		}
	}
	return nil
}

// What may be missing of a path that is made canonical.
type canonicalMode int

const (
	canonicalLast     canonicalMode = iota // its last name: readlink -f
	canonicalExisting                      // nothing: -e
	canonicalMissing                       // anything: -m
)

// canonical is the absolute path, without links, that p leads to.
func (c *Call) canonical(p string, mode canonicalMode) (string, error) {
	real, err := c.FS.Real(p)
	switch {
	case err == nil:
		if _, missing := c.FS.Lstat(real); missing == nil || mode != canonicalExisting {
			return real, nil
		}
		return "", fail("readlink", p, syscall.ENOENT)
	case mode != canonicalMissing || p == "/":
		return "", err
	}
	dir, err := c.canonical(path.Dir(path.Clean(p)), mode)
	return strings.TrimSuffix(dir, "/") + "/" + path.Base(p), err
}

func readlink(c *Call) error {
	o, args, err := getopt(c.Args[1:], "f|canonicalize e|canonicalize-existing m|canonicalize-missing n|no-newline q|quiet s|silent v|verbose z|zero")
	if err != nil {
		return err
	}
	if o.has("z") {
		return Unknown("option -z")
	}
	if len(args) == 0 {
		return c.missing()
	}
	status := 0
	for _, p := range args {
		text, err := "", error(nil)
		switch {
		case o.has("f"):
			text, err = c.canonical(c.Path(p), canonicalLast)
		case o.has("e"):
			text, err = c.canonical(c.Path(p), canonicalExisting)
		case o.has("m"):
			text, err = c.canonical(c.Path(p), canonicalMissing)
		default:
			text, err = c.FS.Readlink(c.Path(p))
		}
		if err != nil {
			status = 1
			continue
		}
		if !o.has("n") {
			text += "\n"
		}
		if _, err := io.WriteString(c.Stdout, text); err != nil {
			return err
		}
	}
	return Exit(status)
}

func realpath(c *Call) error {
	o, args, err := getopt(c.Args[1:], "e|canonicalize-existing m|canonicalize-missing q|quiet s|strip|no-symlinks L P z relative-to=")
	if err != nil {
		return err
	}
	if o.has("z") || o.has("L") {
		return Unknown("option -z or -L")
	}
	mode := canonicalLast
	if o.has("e") {
		mode = canonicalExisting
	}
	if o.has("m") {
		mode = canonicalMissing
	}
	return c.each(args, func(p string) error {
		full := path.Clean(c.Path(p))
		if !o.has("s") {
			var err error
			if full, err = c.canonical(c.Path(p), mode); err != nil {
				return err
			}
		}
		if o.has("relative-to") {
			dir, err := c.canonical(c.Path(o["relative-to"]), canonicalMissing)
			if err != nil {
				return err
			}
			full = relativePath(dir, full)
		}
		return c.println(full)
	})
}

// which finds commands of the tree.
func which(c *Call) error {
	o, args, err := getopt(c.Args[1:], "a s")
	if err != nil {
		return err
	}
	status := 0
	for _, name := range args {
		p := c.LookPath(name)
		if p == "" {
			status = 1
			continue
		}
		if !o.has("s") && c.Args[0] != "pathfind" {
			if err := c.println(p); err != nil {
				return err
			}
		}
	}
	return Exit(status)
}

// stat prints what -c asks for.
func stat(c *Call) error {
	o, args, err := getopt(c.Args[1:], "c|format= L|dereference printf= t|terse f|file-system")
	if err != nil {
		return err
	}
	format, end := o["c"], "\n"
	if o.has("printf") {
		format, _ = unescape(o["printf"], false)
		end = ""
	}
	if format == "" || o.has("t") || o.has("f") {
		return Unknown("no format")
	}
	return c.each(args, func(p string) error {
		n, err := c.FS.Lstat(c.Path(p))
		if err == nil && (o.has("L") || n.Type == rootfs.Hardlink) {
			n, err = c.FS.Stat(c.Path(p))
		}
		if d := device(c.Path(p)); d != nil {
			n, err = d, nil
		}
		if err != nil {
			return err
		}
		text, err := c.statFormat(format, p, n)
		if err != nil {
			return err
		}
		_, err = io.WriteString(c.Stdout, text+end)
		return err
	})
}

func (c *Call) statFormat(format, p string, n *rootfs.Node) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case '%':
			b.WriteByte('%')
		case 'a':
			fmt.Fprintf(&b, "%o", n.Mode)
		case 'A':
			b.WriteString(modeString(n))
		case 'u':
			b.WriteString(strconv.Itoa(n.UID))
		case 'g':
			b.WriteString(strconv.Itoa(n.GID))
		case 'U':
			b.WriteString(c.nameOf("/etc/passwd", n.UID))
		case 'G':
			b.WriteString(c.nameOf("/etc/group", n.GID))
		case 's':
			size := n.Content.Size
			switch n.Type {
			case rootfs.Symlink:
				size = int64(len(n.Link))
			case rootfs.Dir:
				size = 4096
			}
			b.WriteString(strconv.FormatInt(size, 10))
		case 'n':
			b.WriteString(p)
		case 'N':
			b.WriteString("'" + p + "'")
			if n.Type == rootfs.Symlink {
				b.WriteString(" -> '" + n.Link + "'")
			}
		case 'F':
			b.WriteString(typeName(n))
		case 'Y':
			b.WriteString(strconv.FormatInt(n.MTime, 10))
		case 't':
			fmt.Fprintf(&b, "%x", n.Major)
		case 'T':
			fmt.Fprintf(&b, "%x", n.Minor)
		default:
			return "", Unknown("format %%%c", format[i])
		}
	}
	return b.String(), nil
}

func typeName(n *rootfs.Node) string {
	switch n.Type {
	case rootfs.Dir:
		return "directory"
	case rootfs.Symlink:
		return "symbolic link"
	case rootfs.Char:
		return "character special file"
	case rootfs.Block:
		return "block special file"
	case rootfs.Fifo:
		return "fifo"
	}
	if n.Content.Size == 0 {
		return "regular empty file"
	}
	return "regular file"
}

// modeString is a mode as ls -l prints it.
func modeString(n *rootfs.Node) string {
	s := []byte("-rwxrwxrwx")
	s[0] = byte(n.Type)
	for i := range 9 {
		if n.Mode>>(8-i)&1 == 0 {
			s[1+i] = '-'
		}
	}
	for i, bit := range []uint16{0o4000, 0o2000, 0o1000} {
		if at := 3 * (i + 1); n.Mode&bit != 0 {
			if s[at] == '-' {
				s[at] = "SST"[i]
			} else {
				s[at] = "sst"[i]
			}
		}
	}
	return string(s)
}

// nameOf is the name of a number in passwd or group.
func (c *Call) nameOf(file string, id int) string {
	data, err := c.FS.ReadFile(file)
	if err != nil {
		return "UNKNOWN"
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(id) {
			return f[0]
		}
	}
	return "UNKNOWN"
}

// ls lists names, a line each, as it does when it writes to no terminal.
func ls(c *Call) error {
	o, args, err := getopt(c.Args[1:], "1 a|all A|almost-all d|directory L|dereference v r|reverse U q")
	if err != nil {
		return err
	}
	if o.has("v") && len(args) > 1 || o.has("r") {
		return Unknown("an order of its own")
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	var files, dirs []string
	status := 0
	for _, p := range args {
		n, err := c.FS.Stat(c.Path(p))
		if err != nil {
			if n, err = c.FS.Lstat(c.Path(p)); err != nil {
				c.Errorf("cannot access '%s': %v", p, reason(err))
				status = 2
				continue
			}
		}
		if n.Type == rootfs.Dir && !o.has("d") {
			dirs = append(dirs, p)
		} else {
			files = append(files, p)
		}
	}
	slices.Sort(files)
	slices.Sort(dirs)
	lines := files
	for i, dir := range dirs {
		if len(args) > 1 {
			if i > 0 || len(files) > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, dir+":")
		}
		names, err := c.FS.ReadDir(c.Path(dir))
		if err != nil {
			return err
		}
		if o.has("a") {
			lines = append(lines, ".", "..")
		}
		for _, name := range names {
			if name[0] != '.' || o.has("a") || o.has("A") {
				lines = append(lines, name)
			}
		}
	}
	for _, l := range lines {
		if err := c.println(l); err != nil {
			return err
		}
	}
	return Exit(status)
}

// date prints the time at which all scripts run.
func date(c *Call) error {
	o, args, err := getopt(c.Args[1:], "u|utc|universal d|date= r|reference= R|rfc-email I")
	if err != nil {
		return err
	}
	when := c.Epoch()
	if o.has("d") {
		if when, err = parseTime(o["d"], when); err != nil {
			return err
		}
	}
	if o.has("r") {
		n, err := c.FS.Stat(c.Path(o["r"]))
		if err != nil {
			return c.giveUp(o["r"], err)
		}
		when = n.MTime
	}
	format := "+%a %b %e %H:%M:%S UTC %Y"
	switch {
	case o.has("R"):
		format = "+%a, %d %b %Y %H:%M:%S +0000"
	case o.has("I"):
		format = "+%Y-%m-%d"
	case len(args) == 1 && args[0] != "" && args[0][0] == '+':
		format = args[0]
	case len(args) > 0:
		return Unknown("setting the clock")
	}
	text, err := strftime(format[1:], time.Unix(when, 0).UTC())
	if err != nil {
		return err
	}
	return c.println(text)
}

// parseTime understands the few forms in which scripts state a time.
func parseTime(text string, now int64) (int64, error) {
	if text == "now" {
		return now, nil
	}
	if n, ok := strings.CutPrefix(text, "@"); ok {
		if t, err := strconv.ParseInt(n, 10, 64); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04:05", "Mon Jan _2 15:04:05 UTC 2006", time.RFC3339, time.RFC1123Z} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, Unknown("time %q", text)
}

// strftime is strftime(3) in the C locale.
func strftime(format string, t time.Time) (string, error) {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'j': "002",
		'm': "01", 'M': "04", 'p': "PM", 'S': "05", 'y': "06", 'Y': "2006", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04",
		'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch f := format[i]; f {
		case 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case 'N':
			b.WriteString("000000000")
		case 'Z':
			b.WriteString("UTC")
		case 'z':
			b.WriteString("+0000")
		case 'u':
			b.WriteString(strconv.Itoa((int(t.Weekday())+6)%7 + 1))
		case 'w':
			b.WriteString(strconv.Itoa(int(t.Weekday())))
		case 'n':
			b.WriteByte('\n')
		case '%':
			b.WriteByte('%')
		default:
			if layouts[f] == "" {
				return "", Unknown("format %%%c", f)
			}
			b.WriteString(t.Format(layouts[f]))
		}
	}
	return b.String(), nil
}

// machines are the names that Linux has for architectures.
var machines = map[string]string{
	"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64", "i386": "i686", "x86": "i686",
	"armhf": "armv7l", "armv7": "armv7l", "armel": "armv5tel", "ppc64el": "ppc64le", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
}

// kernel is the release that uname states: that of Debian 13. Scripts refuse
// kernels that are too old, and the image may run on any.
const kernel = "6.12.0"

func uname(c *Call) error {
	o, _, err := getopt(c.Args[1:], "s|kernel-name n|nodename r|kernel-release m|machine o|operating-system")
	if err != nil {
		return err
	}
	machine := machines[c.Arch()]
	if machine == "" && o.has("m") {
		return Unknown("the machine of architecture %q", c.Arch())
	}
	var words []string
	for _, w := range []struct{ option, value string }{{"s", "Linux"}, {"n", "localhost"}, {"r", kernel}, {"m", machine}, {"o", "GNU/Linux"}} {
		if o.has(w.option) || len(o) == 0 && w.option == "s" {
			words = append(words, w.value)
		}
	}
	return c.println(strings.Join(words, " "))
}

// hostname is "localhost": an image has no name.
func hostname(c *Call) error {
	o, args, err := getopt(c.Args[1:], "f|fqdn|long s|short d|domain")
	if err != nil {
		return err
	}
	switch {
	case len(args) > 0:
		return Unknown("setting the name")
	case o.has("d"):
		return c.println("")
	}
	return c.println("localhost")
}

// setpriv runs a command as somebody else: one that no image needs, since
// who owns what another one makes is not known here.
func setpriv(c *Call) error {
	args := c.Args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "--reuid", "--regid", "--ruid", "--euid", "--rgid", "--egid":
			args = args[1:]
		case "--init-groups", "--clear-groups", "--reset-env", "--":
		default:
			return Unknown("option %s", args[0])
		}
		args = args[min(1, len(args)):]
	}
	if len(args) == 0 || len(Omissions([]string{base(args[0])})) == 0 {
		return Unknown("a command as another user: %s", strings.Join(args, " "))
	}
	return c.Exec(args, c.Stdin, nil, nil, nil)
}

// getoptCommand is getopt(1) of util-linux: it puts options in order, before
// "--", and quotes all words for eval.
func getoptCommand(c *Call) error {
	args := c.Args[1:]
	short, long, name, quiet := "", "", "getopt", false
	for len(args) > 0 && args[0] != "--" {
		opt, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		take := func() string {
			if !joined && len(args) > 0 {
				value, args = args[0], args[1:]
			}
			return value
		}
		switch opt {
		case "-o", "--options":
			short = take()
		case "-l", "--long", "--longoptions":
			long += "," + take()
		case "-n", "--name":
			name = take()
		case "-q", "--quiet":
			quiet = true
		case "-s", "--shell":
			if v := take(); v != "sh" && v != "bash" {
				return Unknown("shell %s", v)
			}
		case "-T", "--test":
			return Exit(4)
		default:
			return Unknown("option %s", opt)
		}
	}
	if len(args) > 0 {
		args = args[1:]
	}
	if short == "" && len(args) > 0 { // the old form, without -o
		short, args = args[0], args[1:]
	}
	short, inOrder := strings.CutPrefix(short, "+")
	if strings.HasPrefix(short, "-") || strings.Contains(short+long, "::") {
		return Unknown("these arguments")
	}
	names := strings.NewReplacer(",", " ", ":", "=").Replace(long)
	for i := 0; i < len(short); i++ {
		names += " " + short[i:i+1]
		if i+1 < len(short) && short[i+1] == ':' {
			names += "="
			i++
		}
	}
	out, bad := sortOptions(args, names, inOrder)
	if bad != "" && !quiet {
		fmt.Fprintf(c.Stderr, "%s: unrecognized option '%s'\n", name, bad)
	}
	if err := c.println(out); err != nil {
		return err
	}
	return Exit(int(truth(bad != "")))
}

// sortOptions is the line that getopt(1) prints, and a word that it does not
// understand. The options end at the first argument if they stand in order.
func sortOptions(args []string, names string, inOrder bool) (line, bad string) {
	quote := func(s string) string { return " '" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	var options, rest strings.Builder
	for len(args) > 0 {
		word := args[0]
		isOption := len(word) > 1 && word[0] == '-'
		if isOption {
			args = args[1:]
		}
		if word == "--" || !isOption && inOrder {
			for _, a := range args {
				rest.WriteString(quote(a))
			}
			break
		}
		if !isOption {
			args = args[1:]
			rest.WriteString(quote(word))
			continue
		}
		// As many words as the option takes.
		o, left, err := getopt([]string{word}, names)
		if err != nil && len(args) > 0 {
			if o, left, err = getopt([]string{word, args[0]}, names); err == nil {
				args = args[1:]
			}
		}
		if err != nil || len(left) > 0 {
			bad = word
			continue
		}
		if strings.HasPrefix(word, "--") {
			long, _, _ := strings.Cut(word, "=")
			options.WriteString(" " + long)
			if strings.Contains(" "+names+" ", " "+long[2:]+"= ") {
				options.WriteString(quote(o[long[2:]]))
			}
			continue
		}
		for i := 1; i < len(word); i++ {
			letter := word[i : i+1]
			options.WriteString(" -" + letter)
			if strings.Contains(names+" ", " "+letter+"= ") {
				options.WriteString(quote(o[letter]))
				break
			}
		}
	}
	return options.String() + " --" + rest.String(), bad
}

// df says that there is room, wherever a script asks for nothing else.
func df(c *Call) error {
	o, _, err := getopt(c.Args[1:], "output= B= k P")
	if err != nil {
		return err
	}
	if o["output"] != "avail" || len(o) > 1 {
		return Unknown("its columns")
	}
	return c.println("     Avail\n1073741824")
}

func whoami(c *Call) error { return c.println("root") }

func env(c *Call) error {
	args := c.Args[1:]
	s := c.shell.subshell()
	for len(args) > 0 {
		name, value, assigned := strings.Cut(args[0], "=")
		switch {
		case args[0] == "-i", args[0] == "-":
			for name := range s.vars {
				delete(s.vars, name)
			}
		case args[0] == "-u" && len(args) > 1:
			delete(s.vars, args[1])
			args = args[1:]
		case args[0] == "--":
		case strings.HasPrefix(args[0], "-"):
			return Unknown("option %s", args[0])
		case assigned:
			if err := s.set(name, value, true); err != nil {
				return err
			}
		default:
			s.fds = [10]fd{{r: c.Stdin}, {w: c.Stdout}, {w: c.Stderr}}
			if err := s.external(args); err != nil {
				return err
			}
			return Exit(s.status)
		}
		args = args[1:]
	}
	return s.printEnvironment(c)
}

func (s *shell) printEnvironment(c *Call) error {
	var lines []string
	for name, v := range s.vars {
		if v.exported && !v.unset {
			lines = append(lines, name+"="+v.value)
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		if err := c.println(l); err != nil {
			return err
		}
	}
	return nil
}

func printenv(c *Call) error {
	if len(c.Args) == 1 {
		return c.shell.printEnvironment(c)
	}
	status := 0
	for _, name := range c.Args[1:] {
		if v, ok := c.shell.vars[name]; ok && v.exported && !v.unset {
			if err := c.println(v.value); err != nil {
				return err
			}
		} else {
			status = 1
		}
	}
	return Exit(status)
}

func pwdCommand(c *Call) error {
	n, err := c.FS.Stat(c.Dir)
	if err != nil {
		return c.giveUp(c.Dir, err)
	}
	return c.println(real(n))
}

// testCommand is /usr/bin/test, as find -exec calls it.
func testCommand(c *Call) error {
	s := c.shell.subshell()
	s.fds[2].w = c.Stderr
	if err := s.test(append([]string{base(c.Args[0])}, c.Args[1:]...)); err != nil {
		return err
	}
	return Exit(s.status)
}

func seq(c *Call) error {
	args, sep := c.Args[1:], "\n"
	if len(args) > 1 && args[0] == "-s" {
		sep, args = args[1], args[2:]
	}
	if len(args) == 0 || len(args) > 3 {
		return Unknown("its arguments")
	}
	numbers := []int64{1, 1, 0}
	for i, a := range args {
		n, err := strconv.ParseInt(a, 10, 32)
		if err != nil {
			return Unknown("number %q", a)
		}
		at := i
		if i == len(args)-1 {
			at = 2
		}
		numbers[at] = n
	}
	first, step, last := numbers[0], numbers[1], numbers[2]
	written := false
	for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
		text := strconv.FormatInt(n, 10)
		if written {
			text = sep + text
		}
		if _, err := io.WriteString(c.Stdout, text); err != nil {
			return err
		}
		written = true
	}
	if step == 0 {
		return Unknown("a step of 0")
	}
	if written {
		return c.println("")
	}
	return nil
}

// sum is md5sum and its like.
func sum(algorithm func() hash.Hash) Command {
	digest := func(r io.Reader) (string, error) {
		h := algorithm()
		if _, err := io.Copy(h, r); err != nil {
			return "", err
		}
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	return func(c *Call) error {
		o, files, err := getopt(c.Args[1:], "c|check status quiet w|warn b|binary t|text strict")
		if err != nil {
			return err
		}
		if o.has("c") {
			return checkSums(c, o, files, digest)
		}
		mark := "  "
		if o.has("b") {
			mark = " *"
		}
		status, err := c.input(files, func(name string, r io.Reader) error {
			d, err := digest(r)
			if err != nil {
				return err
			}
			return c.println(d + mark + name)
		})
		if err != nil {
			return err
		}
		return Exit(status)
	}
}

func checkSums(c *Call, o options, files []string, digest func(io.Reader) (string, error)) error {
	list, status, err := c.readAll(files)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		want, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || len(name) < 2 {
			return Unknown("line %q", line)
		}
		name = name[1:]
		verdict := "FAILED"
		if data, err := c.FS.ReadFile(c.Path(name)); err == nil {
			if got, err := digest(strings.NewReader(string(data))); err == nil && got == want {
				verdict = "OK"
			}
		}
		if verdict != "OK" {
			status = 1
		}
		if o.has("status") || o.has("quiet") && verdict == "OK" {
			continue
		}
		if err := c.println(name + ": " + verdict); err != nil {
			return err
		}
	}
	return Exit(status)
}
