package script

import (
	"io"
	"path"
	"strconv"
	"strings"

	"compose/rootfs"
)

func init() { register(map[string]Command{"find": find}) }

// A finder is one run of find.
type finder struct {
	c              *Call
	words          []string
	follow, depth  bool
	minLevel, most int // -mindepth, -maxdepth
	acts           bool
	extended       bool // -regextype
	pruned         bool
	status         int
	err            error
}

// A found is what an expression is asked about.
type found struct {
	name string // as it is printed
	full string // absolute
	node *rootfs.Node
}

// A findTest is a compiled expression.
type findTest func(*found) bool

func find(c *Call) error {
	args := c.Args[1:]
	f := &finder{c: c, most: 1 << 20}
	for len(args) > 0 && (args[0] == "-H" || args[0] == "-L" || args[0] == "-P") {
		f.follow = args[0] == "-L"
		args = args[1:]
	}
	var starts []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		starts = append(starts, args[0])
		args = args[1:]
	}
	if len(starts) == 0 {
		starts = []string{"."}
	}
	f.words = args
	test, err := f.or()
	if err == nil && len(f.words) > 0 {
		err = Unknown("expression %q", f.words[0])
	}
	if err != nil {
		return err
	}
	if !f.acts {
		inner := test
		test = func(p *found) bool { return inner(p) && f.print(p, "\n") }
	}
	for _, s := range starts {
		if err := f.visit(s, 0, test); err != nil {
			return err
		}
	}
	return Exit(f.status)
}

// visit asks about name and, if it is a directory, all below it.
func (f *finder) visit(name string, level int, test findTest) error {
	full := f.c.Path(name)
	n, err := f.c.FS.Lstat(full)
	if err == nil && (f.follow && n.Type == rootfs.Symlink || n.Type == rootfs.Hardlink) {
		if to, missing := f.c.FS.Stat(full); missing == nil {
			n = to
		}
	}
	if err != nil {
		status, fatal := f.c.complaint(name, err)
		f.status = max(f.status, status)
		return fatal
	}
	if level > 100 {
		return Unknown("more than 100 levels of directories")
	}
	p := &found{name: name, full: full, node: n}
	f.pruned = false
	ask := func() error {
		if level >= f.minLevel {
			test(p)
		}
		return f.err
	}
	isDir := n.Type == rootfs.Dir
	if !f.depth {
		if err := ask(); err != nil {
			return err
		}
	}
	if isDir && level < f.most && !f.pruned {
		names, err := f.c.FS.ReadDir(full)
		if err != nil {
			return nil // it has just been removed
		}
		for _, base := range names {
			if err := f.visit(strings.TrimSuffix(name, "/")+"/"+base, level+1, test); err != nil {
				return err
			}
		}
	}
	if f.depth {
		return ask()
	}
	return nil
}

func (f *finder) print(p *found, end string) bool {
	if _, err := io.WriteString(f.c.Stdout, p.name+end); err != nil {
		f.err = err
	}
	return true
}

func (f *finder) or() (findTest, error) {
	left, err := f.and()
	for err == nil && len(f.words) > 0 && (f.words[0] == "-o" || f.words[0] == "-or") {
		f.words = f.words[1:]
		var right findTest
		right, err = f.and()
		before := left
		left = func(p *found) bool { return before(p) || right(p) }
	}
	return left, err
}

func (f *finder) and() (findTest, error) {
	left := func(*found) bool { return true }
	for len(f.words) > 0 && f.words[0] != "-o" && f.words[0] != "-or" && f.words[0] != ")" {
		if f.words[0] == "-a" || f.words[0] == "-and" {
			f.words = f.words[1:]
			continue
		}
		right, err := f.not()
		if err != nil {
			return nil, err
		}
		before := left
		left = func(p *found) bool { return before(p) && right(p) }
	}
	return left, nil
}

func (f *finder) not() (findTest, error) {
	if len(f.words) > 0 && (f.words[0] == "!" || f.words[0] == "-not") {
		f.words = f.words[1:]
		test, err := f.not()
		return func(p *found) bool { return !test(p) }, err
	}
	return f.primary()
}

// value is the word behind an option.
func (f *finder) value() (string, error) {
	if len(f.words) == 0 {
		return "", Unknown("an expression without its value")
	}
	w := f.words[0]
	f.words = f.words[1:]
	return w, nil
}

// primary compiles what stands between the operators.
func (f *finder) primary() (findTest, error) {
	if len(f.words) == 0 {
		return nil, Unknown("an expression that ends early")
	}
	word := f.words[0]
	f.words = f.words[1:]
	always := func(*found) bool { return true }
	switch word {
	case "(":
		test, err := f.or()
		if err == nil && (len(f.words) == 0 || f.words[0] != ")") {
			err = Unknown("a parenthesis that is not closed")
		}
		if err == nil {
			f.words = f.words[1:]
		}
		return test, err
	case "-true", "-xdev", "-mount", "-noleaf", "-ignore_readdir_race", "-warn", "-nowarn":
		return always, nil
	case "-false":
		return func(*found) bool { return false }, nil
	case "-depth", "-d":
		f.depth = true
		return always, nil
	case "-follow":
		f.follow = true
		return always, nil
	case "-prune":
		return func(*found) bool { f.pruned = true; return true }, nil
	case "-empty":
		return f.empty, nil
	case "-nouser":
		return func(p *found) bool { return f.c.nameOf("/etc/passwd", p.node.UID) == "UNKNOWN" }, nil
	case "-nogroup":
		return func(p *found) bool { return f.c.nameOf("/etc/group", p.node.GID) == "UNKNOWN" }, nil
	case "-executable":
		return func(p *found) bool { return p.node.Type == rootfs.Dir || p.node.Mode&0o111 != 0 }, nil
	}
	return f.action(word)
}

func (f *finder) empty(p *found) bool {
	switch p.node.Type {
	case rootfs.Regular:
		return p.node.Content.Size == 0
	case rootfs.Dir:
		names, err := f.c.FS.ReadDir(p.full)
		return err == nil && len(names) == 0
	}
	return false
}

// action compiles what does something.
func (f *finder) action(word string) (findTest, error) {
	switch word {
	case "-print", "-print0":
		f.acts = true
		end := map[string]string{"-print": "\n", "-print0": "\x00"}[word]
		return func(p *found) bool { return f.print(p, end) }, nil
	case "-delete":
		f.acts, f.depth = true, true
		return f.remove, nil
	case "-quit":
		return nil, Unknown("-quit")
	case "-exec", "-execdir":
		f.acts = true
		return f.exec(word)
	case "-printf":
		f.acts = true
		format, err := f.value()
		if err != nil {
			return nil, err
		}
		return f.printf(format), nil
	}
	return f.test(word)
}

func (f *finder) remove(p *found) bool {
	if err := f.c.FS.Remove(p.full); err != nil {
		var status int
		if status, f.err = f.c.complaint(p.name, err); f.err == nil {
			f.status = status
		}
		return false
	}
	return true
}

// exec compiles -exec command ; and -exec command {} +, which here is run for
// each file as well.
func (f *finder) exec(word string) (findTest, error) {
	var words []string
	for len(f.words) > 0 && f.words[0] != ";" && (f.words[0] != "+" || len(words) == 0 || words[len(words)-1] != "{}") {
		words = append(words, f.words[0])
		f.words = f.words[1:]
	}
	if len(f.words) == 0 || len(words) == 0 || word == "-execdir" {
		return nil, Unknown("%s", word)
	}
	plus := f.words[0] == "+"
	f.words = f.words[1:]
	return func(p *found) bool {
		args := make([]string, len(words))
		for i, w := range words {
			args[i] = strings.ReplaceAll(w, "{}", p.name)
		}
		err := f.c.Exec(args, nil, nil, nil, nil)
		if _, failed := err.(exitStatus); failed {
			if plus {
				f.status = 1
			}
			return plus
		}
		if err != nil && f.err == nil {
			f.err = err
		}
		return err == nil
	}, nil
}

// printf compiles the few directives of -printf that scripts use.
func (f *finder) printf(format string) findTest {
	text, _ := unescape(format, false)
	return func(p *found) bool {
		var b strings.Builder
		for i := 0; i < len(text); i++ {
			if text[i] != '%' || i+1 == len(text) {
				b.WriteByte(text[i])
				continue
			}
			i++
			switch text[i] {
			case '%':
				b.WriteByte('%')
			case 'p':
				b.WriteString(p.name)
			case 'f':
				b.WriteString(path.Base(p.name))
			case 'h':
				b.WriteString(path.Dir(p.name))
			case 'l':
				b.WriteString(p.node.Link)
			case 'm':
				b.WriteString(strconv.FormatUint(uint64(p.node.Mode), 8))
			case 'u':
				b.WriteString(f.c.nameOf("/etc/passwd", p.node.UID))
			case 'g':
				b.WriteString(f.c.nameOf("/etc/group", p.node.GID))
			case 's':
				b.WriteString(strconv.FormatInt(p.node.Content.Size, 10))
			default:
				f.err = Unknown("-printf %%%c", text[i])
				return false
			}
		}
		_, err := io.WriteString(f.c.Stdout, b.String())
		if f.err == nil {
			f.err = err
		}
		return true
	}
}

// test compiles a test with a value.
func (f *finder) test(word string) (findTest, error) {
	value, err := f.value()
	if err != nil {
		return nil, err
	}
	switch word {
	case "-name":
		return func(p *found) bool { return match(value, path.Base(p.name)) }, nil
	case "-iname":
		return func(p *found) bool { return match(strings.ToLower(value), strings.ToLower(path.Base(p.name))) }, nil
	case "-path", "-wholename":
		return func(p *found) bool { return match(value, p.name) }, nil
	case "-lname":
		return func(p *found) bool { return p.node.Type == rootfs.Symlink && match(value, p.node.Link) }, nil
	case "-type", "-xtype":
		return f.typeTest(word, value)
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return nil, Unknown("%s %s", word, value)
		}
		if word == "-maxdepth" {
			f.most = n
		} else {
			f.minLevel = n
		}
		return func(*found) bool { return true }, nil
	case "-perm":
		return permTest(value)
	case "-user", "-uid":
		return ownerTest(f.c.number("/etc/passwd", value), value, func(n *rootfs.Node) int { return n.UID })
	case "-group", "-gid":
		return ownerTest(f.c.number("/etc/group", value), value, func(n *rootfs.Node) int { return n.GID })
	case "-newer":
		n, err := f.c.FS.Stat(f.c.Path(value))
		if err != nil {
			return nil, Unknown("-newer than a missing file")
		}
		return func(p *found) bool { return p.node.MTime > n.MTime }, nil
	case "-samefile":
		n, err := f.c.FS.Stat(f.c.Path(value))
		return func(p *found) bool { return err == nil && p.node == n }, nil
	case "-regextype":
		if f.extended = value == "posix-extended" || value == "posix-egrep" || value == "egrep"; f.extended {
			return func(*found) bool { return true }, nil
		}
	case "-size":
		if value == "0" || value == "+0" {
			return func(p *found) bool { return (p.node.Content.Size == 0) == (value == "0") }, nil
		}
	case "-regex":
		re, err := compile("^("+value+")$", true, false)
		if err != nil || !f.extended && strings.ContainsAny(value, `\+?|(){}`) { // where Emacs' syntax is another
			return nil, Unknown("-regex %s", value)
		}
		return func(p *found) bool { return re.re.MatchString(p.name) }, nil
	}
	return nil, Unknown("expression %q", word)
}

func (f *finder) typeTest(word, value string) (findTest, error) {
	for _, t := range strings.Split(value, ",") {
		if len(t) != 1 || !strings.Contains("fdlbcps", t) {
			return nil, Unknown("-type %s", value)
		}
	}
	return func(p *found) bool {
		n := p.node
		if word == "-xtype" {
			if to, err := f.c.FS.Stat(p.full); err == nil {
				n = to
			}
		}
		letter := string(n.Type)
		if n.Type == rootfs.Regular {
			letter = "f"
		}
		return strings.Contains(value, letter)
	}, nil
}

// permTest compiles -perm 755, -perm -755 (all of them) and -perm /755 (any).
func permTest(value string) (findTest, error) {
	how := byte(0)
	if value != "" && (value[0] == '-' || value[0] == '/') {
		how, value = value[0], value[1:]
	}
	mode, err := changeMode(value, 0, false, 0)
	if err != nil {
		return nil, err
	}
	return func(p *found) bool {
		switch have := p.node.Mode; how {
		case '-':
			return have&mode == mode
		case '/':
			return have&mode != 0 || mode == 0
		default:
			return have == mode
		}
	}, nil
}

func ownerTest(id int, value string, of func(*rootfs.Node) int) (findTest, error) {
	if id < 0 || strings.HasPrefix(value, "+") {
		return nil, Unknown("owner %q", value)
	}
	return func(p *found) bool { return of(p.node) == id }, nil
}
