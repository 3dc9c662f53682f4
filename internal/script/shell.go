package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"compose/internal/cas"
	"compose/rootfs"
)

// Exit is the exit status n of a command; 0 is no error.
func Exit(n int) error {
	if n == 0 {
		return nil
	}
	return interp.ExitStatus(n)
}

// An unknown ends a script that cannot be interpreted.
type unknown struct {
	line   uint
	reason string
}

func (u *unknown) Error() string {
	if u.line == 0 {
		return u.reason
	}
	return fmt.Sprintf("line %d: %s", u.line, u.reason)
}

// Unknown is the error of a command that meets an option or a case that it
// does not know: the script is not interpreted at all, rather than wrongly.
func Unknown(format string, args ...any) error {
	return &unknown{reason: fmt.Sprintf(format, args...)}
}

// Run interprets s over the tree. If the script is unknown or fails, the tree
// is as it was before.
func (in *Interpreter) Run(ctx context.Context, s *Script) (Result, error) {
	r := &run{
		in:       in,
		script:   s,
		contents: &scratch{Contents: in.Contents},
		steps:    in.Steps,
		umask:    0o022,
		used:     map[string]bool{},
	}
	if r.steps == 0 {
		r.steps = DefaultSteps
	}
	r.fs = &FS{tree: in.Tree, contents: r.contents, epoch: in.Epoch, origin: "script: " + s.Package + " " + s.Name, left: in.Bytes}
	if r.fs.left == 0 {
		r.fs.left = DefaultBytes
	}
	state := maps.Clone(in.State)
	result, err := r.interpret(ctx)
	if err == nil && result.Unknown == "" && result.Status == 0 {
		err = r.contents.keep(in.Contents, in.Tree)
		result.Changes = r.fs.changes
		return result, err
	}
	if r.fs.backup != nil {
		in.Tree.Restore(r.fs.backup)
	}
	in.State = state
	return result, err
}

// A run is one script being interpreted.
type run struct {
	in       *Interpreter
	script   *Script
	fs       *FS
	contents *scratch
	steps    int
	umask    uint16
	used     map[string]bool
	why      *unknown // the first thing that was not known
	stderr   limited
}

func (r *run) interpret(ctx context.Context) (Result, error) {
	text, err := prepare(string(r.script.Text), r.script.Name)
	if err != nil {
		return r.result(err)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), r.script.Name)
	if err != nil {
		return r.result(&unknown{reason: err.Error()})
	}
	shell, err := r.shell(nil, &r.stderr, &r.stderr, nil, "/")
	if err != nil {
		return Result{}, err
	}
	if err := interp.Params(append([]string{"--"}, r.script.Args...)...)(shell); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the budget of steps ends it long before, the same on every machine
	defer cancel()
	return r.result(shell.Run(ctx, file))
}

// result says what err, of the shell, means.
func (r *run) result(err error) (Result, error) {
	res := Result{Stderr: r.stderr.String(), Used: slices.Sorted(maps.Keys(r.used))}
	u, isUnknown := errors.AsType[*unknown](err)
	status, isStatus := interp.IsExitStatus(err)
	switch {
	case r.why != nil:
		res.Unknown = r.why.Error()
	case isUnknown:
		res.Unknown = u.Error()
	case isStatus:
		res.Status = int(status)
	case errors.Is(err, errBudget):
		res.Unknown = errBudget.Error()
	case err != nil:
		return res, err
	}
	return res, nil
}

// shell is an interpreter of the shell language whose every door leads into
// the tree.
func (r *run) shell(stdin io.Reader, stdout, stderr io.Writer, env map[string]string, dir string) (*interp.Runner, error) {
	shell, err := interp.New(
		interp.StdIO(stdin, stdout, stderr),
		interp.Env(expand.ListEnviron(r.environ(env)...)),
		interp.Dir("/"), // the one folder that is there on every host; it is not looked into
		interp.CallHandler(r.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return r.exec }),
		interp.OpenHandler(r.openFile),
		interp.StatHandler(r.stat),
		interp.AccessHandler(r.access),
		interp.ReadDirHandler2(r.readDir),
	)
	if err != nil {
		return nil, err
	}
	shell.Dir = dir
	return shell, nil
}

// environ is the environment of a script: nothing of the host's.
func (r *run) environ(more map[string]string) []string {
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/root", "PWD": "/", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8", "TZ": "UTC0",
		"UID": "0", "EUID": "0", "GID": "0", pidVariable: "2",
	}
	maps.Copy(env, r.script.Env)
	maps.Copy(env, more)
	var list []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}

// pidVariable stands for $$.
const pidVariable = "__compose_pid"

// call is asked before every simple command. It counts steps, and takes over
// the builtins that would look at the host.
func (r *run) call(ctx context.Context, args []string) ([]string, error) {
	if r.steps--; r.steps < 0 {
		return nil, r.stop(ctx, "more commands than its budget")
	}
	hc := interp.HandlerCtx(ctx)
	switch args[0] {
	case "umask", "hash", "type", "which", "ulimit", "wait", "times", "jobs", "kill":
		return append([]string{"builtin-" + args[0]}, args[1:]...), nil
	case "command":
		if len(args) > 1 && (args[1] == "-v" || args[1] == "-V") {
			return append([]string{"builtin-command-v"}, args[2:]...), nil
		}
	case "eval":
		text, err := prepare(strings.Join(args[1:], " "), "eval")
		if err != nil {
			return nil, r.stop(ctx, err.Error())
		}
		return []string{"eval", text}, nil
	case "trap":
		if len(args) > 2 && !strings.HasPrefix(args[1], "-") && args[1] != "" {
			text, err := prepare(args[1], "trap")
			if err != nil {
				return nil, r.stop(ctx, err.Error())
			}
			return append([]string{"trap", text}, signals(args[2:])...), nil
		}
		if len(args) > 1 {
			return append(args[:2:2], signals(args[2:])...), nil
		}
	case ".", "source":
		if len(args) > 1 && !strings.Contains(args[1], "/") {
			if p := r.lookPath(args[1], hc.Env.Get("PATH").String(), false); p != "" {
				args = append([]string{".", p}, args[2:]...)
			}
		}
	}
	return args, nil
}

// signals keeps of a trap's conditions those that can happen here: a script
// that is interpreted gets no signals.
func signals(list []string) []string {
	var kept []string
	for _, s := range list {
		switch s {
		case "0", "EXIT":
			kept = append(kept, "EXIT")
		case "ERR":
			kept = append(kept, s)
		}
	}
	if kept == nil {
		return []string{"INT"}
	}
	return kept
}

// stop ends the script as unknown.
func (r *run) stop(ctx context.Context, reason string) error {
	u := &unknown{line: interp.HandlerCtx(ctx).Pos.Line(), reason: reason}
	if r.why == nil {
		r.why = u
	}
	return u
}

// exec runs a command that is no function and no builtin of the shell.
func (r *run) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	c := &Call{
		Context: ctx, Args: args, Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr, Dir: hc.Dir,
		FS: r.fs, Script: r.script,
		Getenv: func(name string) string { return hc.Env.Get(name).String() },
	}
	if c.Stdin == nil {
		c.Stdin = strings.NewReader("")
	}
	env := map[string]string{}
	hc.Env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.Kind == expand.String {
			env[name] = v.Str
		}
		return true
	})
	return r.program(c, env, hc.Env.Get("PATH").String())
}

// program runs c's command. A name with a slash must be there as a file; one
// without must be found in the tree, or belong to the helpers that compose
// stands for whether they ship or not.
func (r *run) program(c *Call, env map[string]string, pathVar string) error {
	c.exec = func(args []string, stdin io.Reader, stdout, stderr io.Writer, more map[string]string) error {
		sub := *c
		sub.Args, sub.Stdin, sub.Stdout, sub.Stderr = args, stdin, stdout, stderr
		if sub.Stdin == nil {
			sub.Stdin = strings.NewReader("")
		}
		joined := maps.Clone(env)
		maps.Copy(joined, more)
		sub.Getenv = func(name string) string { return joined[name] }
		if r.steps--; r.steps < 0 {
			return r.stop(c.Context, "more commands than its budget")
		}
		return r.program(&sub, joined, joined["PATH"])
	}
	name := path.Base(c.Args[0])
	r.used[name] = true
	if f, ok := r.command(name); ok {
		err := f(c)
		if u, ok := errors.AsType[*unknown](err); ok {
			return r.stop(c.Context, name+": "+u.reason)
		}
		if errors.Is(err, errBudget) {
			return r.stop(c.Context, err.Error())
		}
		return err
	}
	file := c.Args[0]
	if !strings.Contains(file, "/") {
		file = r.lookPath(file, pathVar, true)
	}
	if file == "" {
		return r.stop(c.Context, "command "+quote(c.Args[0])+" is not known")
	}
	return r.shellScript(c, file, env)
}

// shellScript runs a script of the tree that begins with a shell's "#!".
func (r *run) shellScript(c *Call, file string, env map[string]string) error {
	data, err := r.fs.ReadFile(absolute(c.Dir, file))
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: not found\n", c.Args[0])
		return Exit(127)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := strings.Fields(strings.TrimPrefix(string(line), "#!"))
	if !bytes.HasPrefix(data, []byte("#!")) || len(fields) == 0 || !isShell(path.Base(fields[0])) {
		return r.stop(c.Context, "program "+quote(file)+" is not known")
	}
	return r.sh(c, string(data), file, append([]string{}, c.Args[1:]...), slices.Contains(fields[1:], "-e"), env)
}

func isShell(name string) bool {
	return name == "sh" || name == "dash" || name == "bash" || name == "ash"
}

// sh interprets text as another shell would, with parameters.
func (r *run) sh(c *Call, text, name string, params []string, errexit bool, env map[string]string) error {
	text, err := prepare(text, name)
	if err != nil {
		return r.stop(c.Context, err.Error())
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
	if err != nil {
		return r.stop(c.Context, err.Error())
	}
	shell, err := r.shell(c.Stdin, c.Stdout, c.Stderr, env, c.Dir)
	if err != nil {
		return err
	}
	flags := []string{"--"}
	if errexit {
		flags = []string{"-e", "--"}
	}
	if err := interp.Params(append(flags, params...)...)(shell); err != nil {
		return err
	}
	return shell.Run(c.Context, file)
}

func (r *run) command(name string) (Command, bool) {
	if f, ok := r.in.Commands[name]; ok {
		return f, true
	}
	if f, ok := r.shellCommands()[name]; ok {
		return f, true
	}
	f, ok := builtin[name]
	return f, ok
}

// shellCommands are those that need the shell itself.
func (r *run) shellCommands() map[string]Command {
	sh := func(c *Call) error {
		args, errexit := c.Args[1:], false
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			switch args[0] {
			case "-c":
				if len(args) < 2 {
					return Exit(2)
				}
				return r.sh(c, args[1], "sh", args[min(3, len(args)):], errexit, nil)
			case "-e":
				errexit = true
			case "-ec":
				if len(args) < 2 {
					return Exit(2)
				}
				return r.sh(c, args[1], "sh", args[min(3, len(args)):], true, nil)
			default:
				return Unknown("option %s", args[0])
			}
			args = args[1:]
		}
		if len(args) == 0 {
			data, err := io.ReadAll(c.Stdin)
			if err != nil {
				return err
			}
			return r.sh(c, string(data), "stdin", nil, errexit, nil)
		}
		data, err := r.fs.ReadFile(absolute(c.Dir, args[0]))
		if err != nil {
			fmt.Fprintf(c.Stderr, "sh: %s: not found\n", args[0])
			return Exit(127)
		}
		return r.sh(c, string(data), args[0], args[1:], errexit, nil)
	}
	return map[string]Command{
		"sh": sh, "bash": sh, "dash": sh, "ash": sh,
		"builtin-umask":     r.umaskCommand,
		"builtin-command-v": r.commandV,
		"builtin-type":      r.commandV,
		"builtin-which":     r.commandV,
		"builtin-hash":      func(*Call) error { return nil },
		"builtin-wait":      func(*Call) error { return nil },
	}
}

func (r *run) umaskCommand(c *Call) error {
	if len(c.Args) == 1 {
		fmt.Fprintf(c.Stdout, "%04o\n", r.umask)
		return nil
	}
	var m uint16
	if _, err := fmt.Sscanf(c.Args[1], "%o", &m); err != nil || m > 0o777 {
		return Unknown("mask %q", c.Args[1])
	}
	r.umask = m
	return nil
}

// commandV answers where a command is: in the tree, or, for the helpers that
// compose stands for, where Debian has it.
func (r *run) commandV(c *Call) error {
	status := 0
	for _, name := range c.Args[1:] {
		if strings.HasPrefix(name, "-") {
			continue
		}
		if p := r.lookPath(name, c.Getenv("PATH"), true); p != "" {
			fmt.Fprintln(c.Stdout, p)
		} else {
			status = 1
		}
	}
	return Exit(status)
}

// lookPath finds a file of the tree by the directories of PATH; "" if there
// is none.
func (r *run) lookPath(name, pathVar string, executable bool) string {
	dirs := strings.Split(pathVar, ":")
	if strings.Contains(name, "/") {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		p := path.Join("/", dir, name)
		n, err := r.fs.Stat(p)
		if err == nil && n.Type == rootfs.Regular && (!executable || n.Mode&0o111 != 0) {
			return p
		}
	}
	if executable && interp.IsBuiltin(name) {
		return name
	}
	return ""
}

func absolute(dir, p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return strings.TrimSuffix(dir, "/") + "/" + p
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// openFile opens a file of the tree, for redirections and sourcing.
func (r *run) openFile(ctx context.Context, name string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	p := absolute(interp.HandlerCtx(ctx).Dir, name)
	switch p {
	case "/dev/null":
		return nowhere{}, nil
	case "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty":
		return nil, r.stop(ctx, p+" is opened")
	}
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		data, err := r.fs.ReadFile(p)
		if err != nil {
			return nil, pathError(err, name)
		}
		return &stream{fs: r.fs, path: p, read: bytes.NewReader(data)}, nil
	}
	s := &stream{fs: r.fs, path: p, mode: uint16(perm.Perm()) &^ r.umask, end: flag&os.O_APPEND != 0}
	_, err := r.fs.Stat(p)
	switch {
	case err != nil && flag&os.O_CREATE == 0:
		return nil, pathError(err, name)
	case err == nil && flag&os.O_EXCL != 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case err != nil || flag&os.O_TRUNC != 0:
		if err := r.fs.WriteFile(p, nil, s.mode); err != nil {
			return nil, pathError(err, name)
		}
	}
	return s, nil
}

// pathError is err in the form that lets the shell print it and go on.
func pathError(err error, name string) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &os.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

func (r *run) stat(ctx context.Context, name string, follow bool) (fs.FileInfo, error) {
	p := absolute(interp.HandlerCtx(ctx).Dir, name)
	if p == "/dev/null" {
		return info{&rootfs.Node{Path: "dev/null", Type: rootfs.Char, Mode: 0o666}}, nil
	}
	find := r.fs.Lstat
	if follow {
		find = r.fs.Stat
	}
	n, err := find(p)
	if err != nil {
		return nil, err
	}
	return info{n}, nil
}

// access is what root may do: everything, but for executing what nobody may.
func (r *run) access(ctx context.Context, name string, mode interp.AccessMode) error {
	n, err := r.fs.Stat(absolute(interp.HandlerCtx(ctx).Dir, name))
	if err != nil {
		return err
	}
	if mode&interp.AccessExec != 0 && n.Type != rootfs.Dir && n.Mode&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}

func (r *run) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	p := absolute(interp.HandlerCtx(ctx).Dir, name)
	names, err := r.fs.ReadDir(p)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for _, base := range names {
		n, err := r.fs.Lstat(p + "/" + base)
		if err != nil {
			return nil, err
		}
		list = append(list, fs.FileInfoToDirEntry(info{n}))
	}
	return list, nil
}

// info is a node as the shell's tests ask about it.
type info struct{ n *rootfs.Node }

func (i info) Name() string       { return path.Base(i.n.Path) }
func (i info) Size() int64        { return i.n.Content.Size }
func (i info) ModTime() time.Time { return time.Unix(i.n.MTime, 0) }
func (i info) IsDir() bool        { return i.n.Type == rootfs.Dir }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	m := fs.FileMode(i.n.Mode & 0o777)
	for bit, flag := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if i.n.Mode&bit != 0 {
			m |= flag
		}
	}
	switch i.n.Type {
	case rootfs.Dir:
		m |= fs.ModeDir
	case rootfs.Symlink:
		m |= fs.ModeSymlink
	case rootfs.Char:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case rootfs.Block:
		m |= fs.ModeDevice
	case rootfs.Fifo:
		m |= fs.ModeNamedPipe
	}
	return m
}

// nowhere is /dev/null.
type nowhere struct{}

func (nowhere) Read([]byte) (int, error)    { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }

// limited keeps the first 64 KiB of what is written.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 64<<10 - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// scratch holds in memory what a script writes: most of it is overwritten
// before the end, and all of it goes if the script fails.
type scratch struct {
	rootfs.Contents
	mem map[cas.Digest][]byte
}

func (s *scratch) Put(r io.Reader) (cas.Ref, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return cas.Ref{}, err
	}
	ref := cas.Ref{Digest: cas.Sum(data), Size: int64(len(data))}
	if s.mem == nil {
		s.mem = map[cas.Digest][]byte{}
	}
	s.mem[ref.Digest] = data
	return ref, nil
}

func (s *scratch) Open(ref cas.Ref) (io.ReadCloser, error) {
	if data, ok := s.mem[ref.Digest]; ok && ref.Pack.IsZero() {
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	return s.Contents.Open(ref)
}

// keep puts what t refers to into contents.
func (s *scratch) keep(contents rootfs.Contents, t *rootfs.Tree) error {
	if len(s.mem) == 0 {
		return nil
	}
	for n := range t.All() {
		if data, ok := s.mem[n.Content.Digest]; ok && n.Type == rootfs.Regular && n.Content.Pack.IsZero() {
			if _, err := contents.Put(bytes.NewReader(data)); err != nil {
				return err
			}
		}
	}
	return nil
}
