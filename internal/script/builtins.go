package script

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"compose/rootfs"
)

// shellBuiltin are the commands that are part of the shell.
var shellBuiltin map[string]func(*shell, []string) error

func init() {
	shellBuiltin = map[string]func(*shell, []string) error{
		".": (*shell).dot, "source": (*shell).dot, ":": (*shell).yes, "break": (*shell).leaveLoop, "continue": (*shell).leaveLoop,
		"eval": (*shell).evalCommand, "exec": (*shell).execCommand, "exit": (*shell).exit, "export": (*shell).export,
		"readonly": (*shell).export, "return": (*shell).exit, "set": (*shell).setCommand, "shift": (*shell).shift,
		"trap": (*shell).trap, "unset": (*shell).unsetCommand, "times": (*shell).refuse,

		"[": (*shell).test, "test": (*shell).test, "true": (*shell).yes, "false": (*shell).no, "cd": (*shell).cd, "pwd": (*shell).pwd,
		"command": (*shell).commandCommand, "type": (*shell).typeCommand, "local": (*shell).local, "read": (*shell).read,
		"getopts": (*shell).getoptsCommand, "umask": (*shell).umaskCommand, "hash": (*shell).yes, "ulimit": (*shell).yes,
		"wait": (*shell).yes, "alias": (*shell).alias, "unalias": (*shell).refuse, "kill": (*shell).refuse, "jobs": (*shell).yes,
		"bg": (*shell).refuse, "fg": (*shell).refuse, "shopt": (*shell).yes,
	}
}

// isSpecial reports whether name is a special builtin: its errors end the
// shell, and what is assigned before it stays.
func isSpecial(name string) bool {
	switch name {
	case ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset":
		return true
	}
	return false
}

func (s *shell) yes([]string) error         { s.status = 0; return nil }
func (s *shell) no([]string) error          { s.status = 1; return nil }
func (s *shell) refuse(args []string) error { return s.unknown("command %q", args[0]) }

// print writes to standard output.
func (s *shell) print(text string) error {
	if w := s.fds[1].w; w != nil {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *shell) dot(args []string) error {
	if len(args) < 2 {
		return s.fatal(".: argument expected")
	}
	file := args[1]
	if !strings.Contains(file, "/") {
		if p := s.lookPath(file, false); p != "" {
			file = p
		}
	}
	file = absolute(s.dir, file)
	text, ok := sourced[file]
	if !ok {
		data, err := s.run.fs.ReadFile(file)
		if err != nil {
			return s.fatal(".: cannot open " + args[1])
		}
		text = string(data)
	}
	source, tested, params := s.source, s.tested, s.params
	s.source, s.tested = file, 0
	if len(args) > 2 && s.dialect != dash {
		s.params = args[2:]
	}
	err := s.nested(func() error { return s.eval(text) })
	s.source, s.tested = source, tested
	if len(args) > 2 && s.dialect != dash {
		s.params = params
	}
	if j, ok := err.(*jump); ok && j.kind == returning {
		return nil
	}
	return err
}

func (s *shell) evalCommand(args []string) error {
	return s.nested(func() error { return s.eval(strings.Join(args[1:], " ")) })
}

func (s *shell) execCommand(args []string) error {
	if len(args) == 1 {
		s.keep = true
		s.status = 0
		return nil
	}
	if err := s.external(args[1:]); err != nil {
		return err
	}
	s.onExit = ""
	return &jump{kind: exiting}
}

// exit is exit and return.
func (s *shell) exit(args []string) error {
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return s.fatal(args[0] + ": Illegal number: " + args[1])
		}
		s.status = n & 0xff
	}
	if args[0] == "return" {
		return &jump{kind: returning}
	}
	return &jump{kind: exiting}
}

// leaveLoop is break and continue.
func (s *shell) leaveLoop(args []string) error {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 1 {
			return s.fatal(args[0] + ": Illegal number: " + args[1])
		}
	}
	s.status = 0
	if n = min(n, s.loops); n == 0 {
		return nil
	}
	if args[0] == "break" {
		return &jump{breaking, n}
	}
	return &jump{continuing, n}
}

// declare is export, readonly, local and declare where the parser knows them.
func (s *shell) declare(cmd *syntax.DeclClause) error {
	s.subst = 0
	args := []string{cmd.Variant.Value}
	for _, as := range cmd.Args {
		switch {
		case as.Array != nil || as.Index != nil || as.Append:
			return s.unknown("an array")
		case as.Name == nil:
			list, err := s.fields(as.Value)
			if err != nil {
				return err
			}
			args = append(args, list...)
		case as.Naked:
			args = append(args, as.Name.Value)
		default:
			value, err := s.literal(as.Value)
			if err != nil {
				return err
			}
			args = append(args, as.Name.Value+"="+value)
		}
	}
	switch args[0] {
	case "export", "readonly":
		return s.export(args)
	case "local":
		return s.local(args)
	case "declare", "typeset":
		if len(s.frames) > 0 {
			return s.local(args)
		}
	}
	return s.unknown("%s", args[0])
}

// export is export and readonly.
func (s *shell) export(args []string) error {
	names := args[1:]
	off := false
	for len(names) > 0 && strings.HasPrefix(names[0], "-") {
		switch names[0] {
		case "--":
		case "-n":
			off = true
		default:
			return s.unknown("%s %s", args[0], names[0])
		}
		names = names[1:]
	}
	if len(names) == 0 {
		return s.unknown("%s without names", args[0])
	}
	for _, name := range names {
		name, value, assigned := strings.Cut(name, "=")
		if !syntax.ValidName(name) {
			return s.fatal(args[0] + ": " + name + ": bad variable name")
		}
		if assigned {
			if err := s.set(name, value, false); err != nil {
				return err
			}
		}
		v, there := s.vars[name]
		v.unset = v.unset || !there
		if args[0] == "export" {
			v.exported = !off
		} else {
			v.readOnly = true
		}
		s.vars[name] = v
	}
	s.status = 0
	return nil
}

func (s *shell) local(args []string) error {
	if len(s.frames) == 0 {
		return s.fatal("local: not in a function")
	}
	hidden := s.frames[len(s.frames)-1].hidden
	for _, name := range args[1:] {
		name, value, assigned := strings.Cut(name, "=")
		if !syntax.ValidName(name) {
			return s.unknown("%s %s", args[0], name)
		}
		v, there := s.vars[name]
		if _, again := hidden[name]; !again {
			hidden[name] = nil
			if there {
				hidden[name] = &v
			}
			switch {
			case !there:
				s.vars[name] = variable{unset: true}
			case s.dialect == bash:
				s.vars[name] = variable{unset: true, exported: v.exported}
			}
		}
		if assigned {
			if err := s.set(name, value, false); err != nil {
				return err
			}
		}
	}
	s.status = 0
	return nil
}

func (s *shell) unsetCommand(args []string) error {
	functions := false
	s.status = 0
	for _, name := range args[1:] {
		switch {
		case name == "-f":
			functions = true
		case name == "-v", name == "--":
		case functions:
			delete(s.funcs, name)
		case s.vars[name].readOnly:
			return s.fatal("unset: " + name + ": is read only")
		default:
			delete(s.vars, name)
		}
	}
	return nil
}

func (s *shell) shift(args []string) error {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 0 {
			return s.fatal("shift: Illegal number: " + args[1])
		}
	}
	if n > len(s.params) {
		if s.dialect == dash {
			return s.fatal("shift: can't shift that many")
		}
		s.status = 1
		return nil
	}
	s.params, s.status = s.params[n:], 0
	return nil
}

func (s *shell) setCommand(args []string) error {
	args = args[1:]
	if len(args) == 0 {
		return s.unknown("set without arguments")
	}
	s.status = 0
	for len(args) > 0 {
		a := args[0]
		if a == "--" || a == "-" {
			if a == "--" || len(args) > 1 {
				s.params = args[1:]
			}
			return nil
		}
		if len(a) < 2 || a[0] != '-' && a[0] != '+' {
			break
		}
		args = args[1:]
		if a == "-o" || a == "+o" {
			if len(args) == 0 {
				return s.unknown("set %s", a)
			}
			a = a[:1] + optionLetter(args[0])
			args = args[1:]
		}
		if err := s.setOption(a); err != nil {
			return err
		}
	}
	if len(args) > 0 {
		s.params = args
	}
	return nil
}

// optionLetter is the letter of an option's long name; "P" for pipefail,
// which has none.
func optionLetter(name string) string {
	switch name {
	case "errexit":
		return "e"
	case "nounset":
		return "u"
	case "noglob":
		return "f"
	case "allexport":
		return "a"
	case "noclobber":
		return "C"
	case "xtrace":
		return "x"
	case "pipefail":
		return "P"
	case "posix":
		return "p"
	}
	return "?" + name
}

// setOption sets what "-ex" or "+e" says.
func (s *shell) setOption(flags string) error {
	if len(flags) < 2 || flags[0] != '-' && flags[0] != '+' {
		return s.unknown("shell option %q", flags)
	}
	for i := 1; i < len(flags); i++ {
		switch c := flags[i]; c {
		case 'e', 'u', 'f', 'a', 'C', 'P':
			s.opts[c] = flags[0] == '-'
		case 'x', 'v', 'h', 'm', 'b', 'p': // what it would print, or say of jobs
		default:
			return s.unknown("shell option %q", flags)
		}
	}
	return nil
}

func (s *shell) trap(args []string) error {
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	s.status = 0
	if len(args) == 0 {
		return nil
	}
	action := args[0]
	if len(args) == 1 || isNumber(action) {
		action = "-"
	} else {
		args = args[1:]
	}
	if action == "-" {
		action = ""
	}
	for _, name := range args {
		switch name {
		case "EXIT", "0":
			s.onExit = action
		case "ERR", "DEBUG", "RETURN":
			return s.unknown("trap of %s", name)
		}
	}
	return nil // no signal ever comes
}

func isNumber(v string) bool {
	_, err := strconv.ParseUint(v, 10, 31)
	return err == nil
}

func (s *shell) cd(args []string) error {
	physical := false
	args = args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		physical = args[0] == "-P"
		args = args[1:]
	}
	to := s.value("HOME")
	if len(args) > 0 {
		to = args[0]
	}
	if to == "-" {
		to = s.value("OLDPWD")
		if err := s.print(to + "\n"); err != nil {
			return err
		}
	}
	p := absolute(s.dir, to)
	n, err := s.run.fs.Stat(p)
	if err != nil || n.Type != rootfs.Dir || to == "" {
		s.errorf("cd: can't cd to %s", to)
		s.status = 2
		if s.dialect == bash {
			s.status = 1
		}
		return nil
	}
	if physical {
		p = real(n)
	} else {
		p = path.Clean(p)
	}
	s.vars["OLDPWD"] = variable{value: s.dir, exported: s.vars["OLDPWD"].exported}
	s.vars["PWD"] = variable{value: p, exported: s.vars["PWD"].exported}
	s.dir, s.status = p, 0
	return nil
}

// real is the path of a node, without links.
func real(n *rootfs.Node) string { return "/" + strings.TrimPrefix(n.Path, ".") }

func (s *shell) pwd(args []string) error {
	dir := s.dir
	if slices.Contains(args, "-P") {
		if n, err := s.run.fs.Stat(dir); err == nil {
			dir = real(n)
		}
	}
	s.status = 0
	return s.print(dir + "\n")
}

func (s *shell) commandCommand(args []string) error {
	args = args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		switch args[0] {
		case "-v", "-V":
			return s.describe(args[1:], args[0] == "-V")
		case "-p", "--":
		default:
			return s.unknown("command %s", args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		s.status = 0
		return nil
	}
	if f, ok := shellBuiltin[args[0]]; ok {
		err := f(s, args)
		if j, isJump := err.(*jump); isJump && j.kind == exiting && args[0] != "exit" && args[0] != "exec" {
			return nil // the errors of a special builtin do not end the shell
		}
		return err
	}
	return s.external(args)
}

func (s *shell) typeCommand(args []string) error { return s.describe(args[1:], true) }

// describe says what names stand for: commands are those of the tree.
func (s *shell) describe(names []string, long bool) error {
	s.status = 0
	for _, name := range names {
		what := name
		switch _, isFunc := s.funcs[name]; {
		case isFunc:
			if long {
				what = name + " is a shell function"
			}
		case shellBuiltin[name] != nil || name == "echo" || name == "printf":
			if long {
				what = name + " is a shell builtin"
			}
		default:
			p := s.lookPath(name, true)
			switch {
			case p == "":
				s.status = 127
				if long {
					s.errorf("%s: not found", name)
				}
				continue
			case long:
				what = name + " is " + p
			default:
				what = p
			}
		}
		if err := s.print(what + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// read reads a line into variables.
func (s *shell) read(args []string) error {
	raw := false
	args = args[1:]
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		switch args[0] {
		case "-r":
			raw = true
		case "--":
		case "-p":
			if args = args[1:]; len(args) == 0 {
				return s.unknown("read -p")
			}
		default:
			return s.unknown("read %s", args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		args = []string{"REPLY"}
	}
	line, end, err := s.readLine(raw)
	if err != nil {
		return err
	}
	values := readFields(line, s.ifs(), len(args))
	for i, name := range args {
		if !syntax.ValidName(name) {
			return s.fatal("read: " + name + ": bad variable name")
		}
		value := ""
		if i < len(values) {
			value = values[i]
		}
		if err := s.set(name, value, false); err != nil {
			return err
		}
	}
	s.status = int(truth(end))
	return nil
}

// A lineByte is one of a line that read reads: one behind a backslash does
// not separate.
type lineByte struct {
	c       byte
	escaped bool
}

// readLine reads one byte after the other, so that what follows is left to
// others; end reports whether the input ended before the line did.
func (s *shell) readLine(raw bool) (line []lineByte, end bool, err error) {
	r := s.fds[0].r
	if r == nil {
		return nil, true, nil
	}
	var one [1]byte
	escaped := false
	for {
		n, err := r.Read(one[:])
		if n == 0 {
			if err == nil {
				continue
			}
			if !errors.Is(err, io.EOF) {
				s.errorf("read: %v", reason(err))
			}
			return line, true, nil
		}
		switch c := one[0]; {
		case escaped:
			if escaped = false; c != '\n' {
				line = append(line, lineByte{c, true})
			}
		case c == '\\' && !raw:
			escaped = true
		case c == '\n':
			return line, false, nil
		case c != 0:
			line = append(line, lineByte{c, false})
		}
	}
}

// readFields splits a line into at most n fields, the last of which has all
// that is left.
func readFields(line []lineByte, ifs string, n int) []string {
	is := func(b lineByte, white bool) bool {
		return !b.escaped && strings.IndexByte(ifs, b.c) >= 0 && (b.c == ' ' || b.c == '\t' || b.c == '\n') == white
	}
	for len(line) > 0 && is(line[0], true) {
		line = line[1:]
	}
	var fields []string
	for len(line) > 0 && len(fields) < n-1 {
		i := 0
		for i < len(line) && !is(line[i], true) && !is(line[i], false) {
			i++
		}
		fields = append(fields, lineText(line[:i]))
		line = line[i:]
		for len(line) > 0 && is(line[0], true) {
			line = line[1:]
		}
		if len(line) > 0 && is(line[0], false) {
			line = line[1:]
			for len(line) > 0 && is(line[0], true) {
				line = line[1:]
			}
		}
	}
	if len(line) == 0 {
		return fields
	}
	for len(line) > 0 && is(line[len(line)-1], true) {
		line = line[:len(line)-1]
	}
	// One delimiter at the very end belongs to the last field only if
	// another stands within it.
	if end := len(line) - 1; end >= 0 && is(line[end], false) {
		within := slices.ContainsFunc(line[:end], func(b lineByte) bool { return is(b, false) || is(b, true) })
		if !within {
			line = line[:end]
		}
	}
	return append(fields, lineText(line))
}

func lineText(line []lineByte) string {
	b := make([]byte, len(line))
	for i := range line {
		b[i] = line[i].c
	}
	return string(b)
}

func (s *shell) umaskCommand(args []string) error {
	s.status = 0
	switch {
	case len(args) == 1:
		return s.print(fmt.Sprintf("%04o\n", s.umask))
	case args[1] == "-S":
		return s.unknown("umask -S")
	}
	n, err := strconv.ParseUint(args[1], 8, 16)
	if err != nil || n > 0o777 {
		return s.unknown("umask %s", args[1])
	}
	s.umask = uint16(n)
	return nil
}

// getoptsCommand is getopts: POSIX.1.
func (s *shell) getoptsCommand(args []string) error {
	if len(args) < 3 {
		return s.fatal("getopts: usage: getopts optstring var")
	}
	letters, name, words := args[1], args[2], s.params
	if len(args) > 3 {
		words = args[3:]
	}
	silent := strings.HasPrefix(letters, ":")
	index, err := strconv.Atoi(s.value("OPTIND"))
	if err != nil || index < 1 {
		index, s.getopts = 1, 0
	}
	at := s.getopts
	if index > len(words) || at == 0 && (len(words[index-1]) < 2 || words[index-1][0] != '-') {
		return s.getoptsDone(name, index)
	}
	word := words[index-1]
	if at == 0 {
		if word == "--" {
			return s.getoptsDone(name, index+1)
		}
		at = 1
	}
	letter, value, hasValue := word[at:at+1], "", false
	at++
	i := strings.Index(strings.TrimPrefix(letters, ":"), letter)
	spec := strings.TrimPrefix(letters, ":")
	result := letter
	switch {
	case i < 0 || letter == ":":
		if result = "?"; silent {
			value, hasValue = letter, true
		} else {
			s.errorf("Illegal option -%s", letter)
		}
	case strings.HasPrefix(spec[i+1:], ":"):
		hasValue = true
		if value = word[at:]; value == "" {
			if index++; index > len(words) {
				value, result = letter, ":"
				if !silent {
					s.errorf("No arg for -%s option", letter)
					value, hasValue, result = "", false, "?"
				}
			} else {
				value = words[index-1]
			}
		}
		at = len(word)
	}
	if at >= len(word) {
		index, at = index+1, 0
	}
	delete(s.vars, "OPTARG")
	if hasValue {
		if err := s.set("OPTARG", value, false); err != nil {
			return err
		}
	}
	if err := s.set("OPTIND", strconv.Itoa(index), false); err != nil {
		return err
	}
	s.getopts = at
	s.status = 0
	return s.set(name, result, false)
}

func (s *shell) getoptsDone(name string, index int) error {
	if err := s.set("OPTIND", strconv.Itoa(index), false); err != nil {
		return err
	}
	s.status = 1
	return s.set(name, "?", false)
}

// An alias is a simple command that another word stands for.
type alias struct {
	call   *syntax.CallExpr
	source string
	line   uint // an alias counts in what is read after it
}

func (s *shell) alias(args []string) error {
	for _, a := range args[1:] {
		name, text, ok := strings.Cut(a, "=")
		if !ok {
			return s.unknown("alias %s", a)
		}
		stmts, err := s.parse(text)
		if err != nil {
			return err
		}
		if len(stmts) != 1 || stmts[0].Negated || len(stmts[0].Redirs) > 0 {
			return s.unknown("alias %s", a)
		}
		call, ok := stmts[0].Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 || strings.HasSuffix(text, " ") {
			return s.unknown("alias %s", a)
		}
		s.aliases[name] = alias{call, s.source, s.line}
	}
	s.status = 0
	return nil
}

// unalias puts what an alias stands for in place of a command's first word.
func (s *shell) unalias(call *syntax.CallExpr) (*syntax.CallExpr, error) {
	if len(s.aliases) == 0 || len(call.Args) == 0 {
		return call, nil
	}
	a, ok := s.aliases[call.Args[0].Lit()]
	if !ok || a.source != s.source {
		return call, nil
	}
	if call.Pos().Line() <= a.line {
		return nil, s.unknown("an alias that may not count yet")
	}
	return &syntax.CallExpr{
		Assigns: slices.Concat(call.Assigns, a.call.Assigns),
		Args:    slices.Concat(a.call.Args, call.Args[1:]),
	}, nil
}
