package script

import (
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"compose/rootfs"
)

// A shell is one process of the shell: the script itself, or a subshell,
// which is a copy.
type shell struct {
	run     *run
	dialect dialect
	lang    syntax.LangVariant
	name    string // $0
	source  string // name of the file that lines are counted in; "" for the script
	line    uint
	vars    map[string]variable
	funcs   map[string]*syntax.Stmt
	params  []string
	aliases map[string]alias
	opts    map[byte]bool // -e, -u, ...
	fds     [10]fd
	dir     string
	umask   uint16
	status  int      // $?
	subst   int      // status of the last command substitution
	onExit  string   // trap ... EXIT
	frames  []*frame // of the functions that run
	loops   int      // that run in this function
	tested  int      // above zero: the status is asked for, so that set -e does not count
	getopts int      // letters of the current argument that getopts has given
	keep    bool     // redirections of this statement stay: exec
}

// The dialect of a shell, where they differ.
type dialect int

const (
	dash dialect = iota
	ash          // busybox
	bash
)

type variable struct {
	value              string
	exported, readOnly bool
	unset              bool // exported or local, but without a value
}

// A frame remembers what a function's local variables hid.
type frame struct {
	hidden map[string]*variable // nil: there was none
}

// An fd is an open file descriptor; nil: not open for that.
type fd struct {
	r io.Reader
	w io.Writer
}

// newShell is the shell that runs a script, with nothing but the environment
// that dpkg and apk give.
func newShell(r *run, name string) *shell {
	s := &shell{
		run: r, name: name, dir: "/", umask: 0o022, lang: syntax.LangPOSIX,
		vars:  map[string]variable{},
		funcs: map[string]*syntax.Stmt{}, aliases: map[string]alias{},
		opts: map[byte]bool{},
	}
	if n, err := r.fs.Stat("/bin/sh"); err == nil && base(n.Path) == "busybox" {
		s.dialect = ash
	}
	for name, value := range map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/root", "PWD": "/", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8", "TZ": "UTC0",
	} {
		s.vars[name] = variable{value: value, exported: true}
	}
	for name, value := range r.script.Env {
		s.vars[name] = variable{value: value, exported: true}
	}
	s.vars["OPTIND"], s.vars["IFS"] = variable{value: "1"}, variable{value: " \t\n"}
	return s
}

// subshell is a copy of s, as fork(2) would make it.
func (s *shell) subshell() *shell {
	sub := *s
	sub.vars, sub.funcs, sub.opts, sub.aliases = maps.Clone(s.vars), maps.Clone(s.funcs), maps.Clone(s.opts), maps.Clone(s.aliases)
	sub.onExit, sub.loops, sub.keep = "", 0, false
	sub.frames = nil
	for _, f := range s.frames {
		sub.frames = append(sub.frames, &frame{maps.Clone(f.hidden)})
	}
	return &sub
}

// A jump leaves statements early.
type jump struct {
	kind  jumpKind
	count int // loops to leave, for breaking and continuing
}

type jumpKind int

const (
	exiting jumpKind = iota
	returning
	breaking
	continuing
)

func (j *jump) Error() string { return "jump out of place" }

// where names the line that runs.
func (s *shell) where() string {
	at := "line " + strconv.Itoa(int(s.line))
	if s.source != "" {
		at = s.source + " " + at
	}
	return at
}

// unknown ends the script as unknown, at the line that runs.
func (s *shell) unknown(format string, args ...any) error {
	return s.run.stop(s.where(), fmt.Sprintf(format, args...))
}

// whyErr is the reason why the script is unknown, if it is already.
func (r *run) whyErr() error {
	if r.why != nil {
		return r.why
	}
	return r.ctx.Err()
}

// fatal says message and leaves the shell with status 2, as POSIX demands for
// errors of expansion and of special builtins.
func (s *shell) fatal(message string) error {
	s.errorf("%s", message)
	s.status = 2
	return &jump{kind: exiting}
}

func (s *shell) unset(name string) error { return s.fatal(name + ": parameter not set") }

func (s *shell) errorf(format string, args ...any) {
	if w := s.fds[2].w; w != nil {
		fmt.Fprintf(w, "%s: %d: %s\n", s.name, s.line, fmt.Sprintf(format, args...))
	}
}

// parse gives the statements of text.
func (s *shell) parse(text string) ([]*syntax.Stmt, error) {
	file, err := syntax.NewParser(syntax.Variant(s.lang)).Parse(strings.NewReader(hideBytes(text)), "")
	if err != nil {
		return nil, s.run.stop(s.source, "not understood: "+strings.TrimPrefix(err.Error(), ":"))
	}
	return file.Stmts, nil
}

// finish ends a shell, err being what its statements gave: it runs its trap.
func (s *shell) finish(err error) error {
	if _, ok := err.(*jump); ok {
		err = nil
	}
	if err != nil || s.onExit == "" {
		return err
	}
	text := s.onExit
	s.onExit = ""
	status := s.status
	err = s.eval(text)
	if j, ok := err.(*jump); ok {
		if j.kind == exiting {
			return nil // its own status
		}
		err = nil
	}
	s.status = status
	return err
}

// eval runs text in this shell.
func (s *shell) eval(text string) error {
	line := s.line
	stmts, err := s.parse(text)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		s.status = 0
	}
	err = s.stmts(stmts)
	s.line = line
	return err
}

func (s *shell) stmts(list []*syntax.Stmt) error {
	for _, st := range list {
		if err := s.stmt(st); err != nil {
			return err
		}
	}
	return nil
}

// step counts a statement.
func (s *shell) step(pos syntax.Pos) error {
	if pos.IsValid() {
		s.line = pos.Line()
	}
	if s.run.steps--; s.run.steps < 0 {
		return s.unknown("more statements than its budget")
	}
	return s.run.whyErr()
}

func (s *shell) stmt(st *syntax.Stmt) error {
	if err := s.step(st.Pos()); err != nil {
		return err
	}
	if st.Background || st.Coprocess || st.Disown {
		return s.unknown("a command in the background")
	}
	if st.Negated {
		s.tested++
	}
	err := s.redirected(st)
	if st.Negated {
		s.tested--
		if err == nil {
			s.status = int(truth(s.status == 0))
		}
		return err
	}
	if err == nil && s.status != 0 && s.tested == 0 && s.opts['e'] && counts(st.Cmd) {
		return &jump{kind: exiting}
	}
	return err
}

// counts reports whether set -e looks at a command's status. In a compound
// command it has looked at the parts.
func counts(cmd syntax.Command) bool {
	switch cmd := cmd.(type) {
	case *syntax.BinaryCmd:
		return cmd.Op == syntax.Pipe || cmd.Op == syntax.PipeAll
	case nil, *syntax.CallExpr, *syntax.Subshell, *syntax.DeclClause, *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause:
		return true
	}
	return false
}

// redirected runs a statement's command with its redirections.
func (s *shell) redirected(st *syntax.Stmt) error {
	if call, ok := st.Cmd.(*syntax.CallExpr); ok {
		return s.simple(call, st.Redirs)
	}
	before := s.fds
	if ok, err := s.redirect(st.Redirs); !ok {
		s.fds = before
		return err
	}
	err := s.command(st.Cmd)
	s.fds = before
	return err
}

func (s *shell) command(cmd syntax.Command) error {
	switch cmd := cmd.(type) {
	case nil:
		s.status = 0
		return nil
	case *syntax.Block:
		return s.stmts(cmd.Stmts)
	case *syntax.Subshell:
		sub := s.subshell()
		err := sub.finish(sub.stmts(cmd.Stmts))
		s.status = sub.status
		return err
	case *syntax.BinaryCmd:
		return s.binaryCmd(cmd)
	case *syntax.IfClause:
		return s.ifClause(cmd)
	case *syntax.WhileClause:
		return s.whileClause(cmd)
	case *syntax.ForClause:
		return s.forClause(cmd)
	case *syntax.CaseClause:
		return s.caseClause(cmd)
	case *syntax.FuncDecl:
		if cmd.Name == nil {
			return s.unknown("a function without a name")
		}
		s.funcs[cmd.Name.Value] = cmd.Body
		s.status = 0
		return nil
	case *syntax.DeclClause:
		return s.declare(cmd)
	case *syntax.TestClause:
		ok, err := s.bashTest(cmd.X)
		s.status = int(truth(!ok))
		return err
	case *syntax.ArithmCmd:
		n, err := s.arithm(cmd.X)
		s.status = int(truth(n == 0))
		return err
	}
	return s.unknown("a command that is not of POSIX")
}

func (s *shell) binaryCmd(cmd *syntax.BinaryCmd) error {
	switch cmd.Op {
	case syntax.AndStmt, syntax.OrStmt:
		s.tested++
		err := s.stmt(cmd.X)
		s.tested--
		if err == nil && (s.status == 0) == (cmd.Op == syntax.AndStmt) {
			return s.stmt(cmd.Y)
		}
		return err
	}
	return s.pipe(cmd)
}

// pipe runs the left side to its end, and then the right side: one of the
// orders that real processes may take, and always the same one.
func (s *shell) pipe(cmd *syntax.BinaryCmd) error {
	between := &pipe{run: s.run}
	left := s.subshell()
	left.fds[1].w = between
	if cmd.Op == syntax.PipeAll {
		left.fds[2].w = between
	}
	if err := left.finish(left.stmt(cmd.X)); err != nil {
		return err
	}
	right := s.subshell()
	right.fds[0].r = between
	err := right.finish(right.stmt(cmd.Y))
	s.status = right.status
	if s.opts['P'] && s.status == 0 {
		s.status = left.status
	}
	return err
}

func (s *shell) ifClause(cmd *syntax.IfClause) error {
	for ; cmd != nil; cmd = cmd.Else {
		if len(cmd.Cond) == 0 { // else
			return s.stmts(cmd.Then)
		}
		ok, err := s.condition(cmd.Cond)
		if err != nil {
			return err
		}
		if ok {
			return s.stmts(cmd.Then)
		}
	}
	s.status = 0
	return nil
}

func (s *shell) condition(list []*syntax.Stmt) (bool, error) {
	s.tested++
	err := s.stmts(list)
	s.tested--
	return s.status == 0, err
}

func (s *shell) whileClause(cmd *syntax.WhileClause) error {
	s.loops++
	defer func() { s.loops-- }()
	status := 0
	for {
		ok, err := s.condition(cmd.Cond)
		if err == nil && ok == cmd.Until {
			s.status = status
			return nil
		}
		if err == nil {
			err = s.stmts(cmd.Do)
			status = s.status
		}
		if done, err := leave(err); done {
			return err
		}
	}
}

// leave says what err, of a loop's body, means to the loop.
func leave(err error) (done bool, _ error) {
	j, ok := err.(*jump)
	if !ok || j.kind != breaking && j.kind != continuing {
		return err != nil, err
	}
	if j.count > 1 {
		return true, &jump{j.kind, j.count - 1}
	}
	return j.kind == breaking, nil
}

func (s *shell) forClause(cmd *syntax.ForClause) error {
	words, ok := cmd.Loop.(*syntax.WordIter)
	if !ok || cmd.Select {
		return s.unknown("a loop that is not of POSIX")
	}
	items := s.params
	if words.InPos.IsValid() {
		var err error
		if items, err = s.fields(words.Items...); err != nil {
			return err
		}
	}
	s.loops++
	defer func() { s.loops-- }()
	s.status = 0
	for _, item := range items {
		if err := s.step(cmd.Pos()); err != nil {
			return err
		}
		if err := s.set(words.Name.Value, item, false); err != nil {
			return err
		}
		if done, err := leave(s.stmts(cmd.Do)); done {
			return err
		}
	}
	return nil
}

func (s *shell) caseClause(cmd *syntax.CaseClause) error {
	word, err := s.literal(cmd.Word)
	if err != nil {
		return err
	}
	for _, item := range cmd.Items {
		for _, p := range item.Patterns {
			pattern, err := s.pattern(p)
			if err != nil {
				return err
			}
			if !match(pattern, word) {
				continue
			}
			if item.Op != syntax.Break {
				return s.unknown("a case that falls through")
			}
			s.status = 0
			return s.stmts(item.Stmts)
		}
	}
	s.status = 0
	return nil
}

// substitute is the output of $(...), without the newlines at its end.
func (s *shell) substitute(cmd *syntax.CmdSubst) (string, error) {
	if cmd.TempFile || cmd.ReplyVar {
		return "", s.unknown("a command substitution that is not of POSIX")
	}
	out := &pipe{run: s.run}
	sub := s.subshell()
	sub.fds[1].w = out
	sub.tested = 0
	sub.status = s.status
	stmts := cmd.Stmts
	if len(stmts) == 0 {
		sub.status = 0
	}
	err := sub.finish(sub.stmts(stmts))
	s.subst = sub.status
	return strings.TrimRight(strings.ReplaceAll(out.held.String(), "\x00", ""), "\n"), err
}

// simple runs a simple command: POSIX.1 "Simple Commands".
func (s *shell) simple(call *syntax.CallExpr, redirs []*syntax.Redirect) error {
	s.subst = 0
	call, err := s.unalias(call)
	if err != nil {
		return err
	}
	args, err := s.arguments(call.Args)
	if err != nil {
		return err
	}
	before := s.fds
	special := len(args) > 0 && isSpecial(args[0]) && s.dialect != bash
	ok, err := s.redirect(redirs)
	switch {
	case err == nil && !ok && special:
		err = &jump{kind: exiting}
	case err != nil || !ok:
	case len(args) == 0:
		if err = s.assign(call.Assigns, false); err == nil {
			s.status = s.subst
		}
	case special:
		if err = s.assign(call.Assigns, false); err == nil {
			err = s.call(args)
		}
	default:
		err = s.assigned(call.Assigns, args)
	}
	if !s.keep {
		s.fds = before
	}
	s.keep = false
	return err
}

// arguments expands the words of a simple command. What local assigns is not
// split.
func (s *shell) arguments(words []*syntax.Word) ([]string, error) {
	if len(words) == 0 || words[0].Lit() != "local" {
		return s.fields(words...)
	}
	args := []string{"local"}
	for _, w := range words[1:] {
		lit, ok := w.Parts[0].(*syntax.Lit)
		if ok {
			name, _, isAssign := strings.Cut(lit.Value, "=")
			ok = isAssign && syntax.ValidName(name)
		}
		if !ok {
			list, err := s.fields(w)
			if err != nil {
				return nil, err
			}
			args = append(args, list...)
			continue
		}
		text, err := s.literal(w)
		if err != nil {
			return nil, err
		}
		args = append(args, text)
	}
	return args, nil
}

// assign sets variables.
func (s *shell) assign(list []*syntax.Assign, export bool) error {
	for _, as := range list {
		if as.Array != nil || as.Index != nil || as.Naked {
			return s.unknown("an array")
		}
		value, err := s.literal(as.Value)
		if err != nil {
			return err
		}
		if as.Append {
			value = s.value(as.Name.Value) + value
		}
		if err := s.set(as.Name.Value, value, export); err != nil {
			return err
		}
	}
	return nil
}

// assigned runs a command for which some variables have other values.
func (s *shell) assigned(list []*syntax.Assign, args []string) error {
	if len(list) == 0 {
		return s.call(args)
	}
	old := map[string]*variable{}
	for _, as := range list {
		old[as.Name.Value] = nil
		if v, ok := s.vars[as.Name.Value]; ok {
			old[as.Name.Value] = &v
		}
	}
	err := s.assign(list, true)
	if err == nil {
		err = s.call(args)
	}
	s.unhide(old)
	return err
}

// unhide gives variables back the values that they had.
func (s *shell) unhide(old map[string]*variable) {
	for name, v := range old {
		if v == nil {
			delete(s.vars, name)
		} else {
			s.vars[name] = *v
		}
	}
}

// maxDepth bounds functions that call each other.
const maxDepth = 200

// nested runs f, one level deeper.
func (s *shell) nested(f func() error) error {
	if s.run.depth++; s.run.depth > maxDepth {
		return s.unknown("calls nested more than %d deep", maxDepth)
	}
	defer func() { s.run.depth-- }()
	return f()
}

// call runs a command whose words are expanded.
func (s *shell) call(args []string) error {
	if isSpecial(args[0]) {
		return shellBuiltin[args[0]](s, args)
	}
	if body, ok := s.funcs[args[0]]; ok {
		return s.nested(func() error { return s.function(body, args) })
	}
	if f, ok := shellBuiltin[args[0]]; ok {
		return f(s, args)
	}
	return s.external(args)
}

func (s *shell) function(body *syntax.Stmt, args []string) error {
	params, loops := s.params, s.loops
	f := &frame{hidden: map[string]*variable{}}
	s.params, s.loops, s.frames = args[1:], 0, append(s.frames, f)
	err := s.stmt(body)
	s.params, s.loops, s.frames = params, loops, s.frames[:len(s.frames)-1]
	s.unhide(f.hidden)
	if j, ok := err.(*jump); ok && j.kind != exiting {
		return nil
	}
	return err
}

// param is the value of a parameter, and whether it is set.
func (s *shell) param(name string) (string, bool) {
	switch name {
	case "#":
		return strconv.Itoa(len(s.params)), true
	case "?":
		return strconv.Itoa(s.status), true
	case "$":
		return "2", true
	case "!":
		return "", false
	case "-":
		var flags []byte
		for _, c := range []byte("aCefnux") {
			if s.opts[c] {
				flags = append(flags, c)
			}
		}
		return string(flags), true
	case "@", "*":
		return strings.Join(s.params, " "), len(s.params) > 0
	case "0":
		return s.name, true
	case "LINENO":
		return strconv.Itoa(int(s.line)), true
	case "PPID":
		return "1", true
	case "RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS", "EPOCHREALTIME", "BASHPID", "BASH_SOURCE":
		if _, ok := s.vars[name]; !ok && s.dialect != dash {
			_ = s.unknown("$%s", name)
		}
	}
	if c := name[0]; '0' <= c && c <= '9' {
		n, err := strconv.Atoi(name)
		if err != nil || n > len(s.params) {
			return "", false
		}
		return s.params[n-1], true
	}
	v, ok := s.vars[name]
	return v.value, ok && !v.unset
}

// value is that of a variable, "" if it is not set.
func (s *shell) value(name string) string { return s.vars[name].value }

// maxValue bounds a variable, in bytes.
const maxValue = 4 << 20

// set gives a variable a value.
func (s *shell) set(name, value string, export bool) error {
	v := s.vars[name]
	if v.readOnly {
		return s.fatal(name + ": is read only")
	}
	if len(value) > maxValue {
		return s.unknown("a variable of more than %d bytes", maxValue)
	}
	if err := s.run.spend(len(value)); err != nil {
		return err
	}
	v.value, v.unset = value, false
	v.exported = v.exported || export || s.opts['a']
	s.vars[name] = v
	if name == "OPTIND" {
		s.getopts = 0
	}
	return nil
}

// lookPath finds a file of the tree by the directories of PATH; "" if there
// is none.
func (s *shell) lookPath(name string, executable bool) string {
	find := func(p string) bool {
		n, err := s.run.fs.Stat(p)
		return err == nil && n.Type == rootfs.Regular && (!executable || n.Mode&0o111 != 0)
	}
	if strings.Contains(name, "/") {
		if find(absolute(s.dir, name)) {
			return name
		}
		return ""
	}
	for dir := range strings.SplitSeq(s.value("PATH"), ":") {
		p := strings.TrimSuffix(dir, "/") + "/" + name
		if dir == "" {
			p = name
		}
		if find(absolute(s.dir, p)) {
			return p
		}
	}
	return ""
}

func absolute(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return strings.TrimSuffix(dir, "/") + "/" + p
}
