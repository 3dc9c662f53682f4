// Package script interprets maintainer scripts over a file tree.
//
// A script is run by a POSIX shell that knows no other world than the tree:
// files are those of the tree, and commands are Go functions with the
// semantics that scripts rely on. Nothing is executed, so no privilege is
// needed and any architecture will do; there is no clock, no randomness and
// no network, so the outcome is a function of the tree and the script. A
// script that meets a command or a construct that this package does not know
// leaves no trace in the tree, and is reported.
//
// The parser is mvdan.cc/sh's; evaluation is our own. Its interpreter keeps
// to bash where Debian's scripts expect dash (set -e below conditions, echo,
// test with three words, fields of IFS, a pipe's last command), has no file
// descriptors beyond 2, runs both sides of a pipe at once, which no
// reproducible build can have, and reaches the host wherever no handler of
// ours stands in between.
package script

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"compose/rootfs"
)

// A Command is a program as a Go function. It gives its exit status as
// Exit(n), nil standing for 0; any other error ends the script, which is then
// reported as unknown, with the error as the reason.
type Command func(*Call) error

// A Call is one run of a Command.
type Call struct {
	Context context.Context
	Args    []string // Args[0] is the name it was called by
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Dir     string // current directory, absolute
	Umask   uint16
	FS      *FS
	Getenv  func(string) string // variables that are exported
	Script  *Script

	shell *shell // that called it
}

// Exec runs another command, as find -exec and xargs do. A nil stdin is
// empty; nil writers are the call's own; env is added to the environment.
func (c *Call) Exec(args []string, stdin io.Reader, stdout, stderr io.Writer, env map[string]string) error {
	s := c.shell.subshell()
	s.fds = [10]fd{{r: stdin}, {w: c.Stdout}, {w: c.Stderr}}
	if stdout != nil {
		s.fds[1].w = stdout
	}
	if stderr != nil {
		s.fds[2].w = stderr
	}
	s.dir = c.Dir
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if err := s.set(name, env[name], true); err != nil {
			return err
		}
	}
	if err := s.external(args); err != nil {
		return err
	}
	return Exit(s.status)
}

// Var is a variable of the shell that called the command, exported or not.
func (c *Call) Var(name string) string { return c.shell.value(name) }

// SetVar sets a variable of the shell that called the command: what a
// function of a sourced file would do, such as debconf's db_get.
func (c *Call) SetVar(name, value string) error { return c.shell.set(name, value, false) }

// LookPath finds an executable file of the tree by PATH, "" if there is none.
func (c *Call) LookPath(name string) string { return c.shell.lookPath(name, true) }

// Path is p as seen from the current directory, absolute; it is not cleaned.
func (c *Call) Path(p string) string { return absolute(c.Dir, p) }

// Errorf writes a message to standard error, after the command's name.
func (c *Call) Errorf(format string, args ...any) {
	fmt.Fprintf(c.Stderr, "%s: %s\n", c.Args[0], fmt.Sprintf(format, args...))
}

// A Script is one script of one package, and how it is called.
type Script struct {
	Package string
	Name    string            // postinst, .post-install
	Path    string            // $0; "": Name
	Text    []byte            //
	Args    []string          // configure ""; the version for apk
	Env     map[string]string // DPKG_MAINTSCRIPT_PACKAGE and the like
	Files   map[string][]byte // further members of the package's control part: templates, config
}

// A Result is what became of a script.
type Result struct {
	Status  int      // exit status; 0 unless the script failed
	Unknown string   // why the script could not be interpreted, with its line; "" if it was
	Stderr  string   // what it said, at most 64 KiB
	Changes int      // to the tree; 0 where the script had nothing to do
	Used    []string // commands that it called, sorted
}

// An Interpreter runs scripts over one tree. It is for one goroutine.
type Interpreter struct {
	Tree     *rootfs.Tree
	Contents rootfs.Contents
	Epoch    int64 // mtime of what scripts write, in seconds since 1970
	Arch     string

	// Commands by name, before those of this package: those of a format.
	Commands map[string]Command
	// State is kept between scripts for commands that need memory:
	// alternatives, triggers, overrides. Keys are the commands' own. A
	// command replaces a value, and never changes it in place: a script that
	// fails leaves the State as it was.
	State map[string]any
	// Steps and Bytes bound each script: statements run, and bytes that it
	// writes, pipes and variables included. Zero stands for the defaults.
	Steps int
	Bytes int64

	stdout io.Writer // tests look at it; nil: as standard error
}

// State is what the interpreter keeps between scripts under key.
func (c *Call) State(key string) any { return c.shell.run.in.State[key] }

// SetState replaces what State gives.
func (c *Call) SetState(key string, value any) {
	in := c.shell.run.in
	if in.State == nil {
		in.State = map[string]any{}
	}
	in.State[key] = value
}

// Arch is the architecture of the tree, in the format's own words.
func (c *Call) Arch() string { return c.shell.run.in.Arch }

// Epoch is the time at which scripts run, in seconds since 1970.
func (c *Call) Epoch() int64 { return c.shell.run.in.Epoch }

// Defaults for Interpreter.Steps and Bytes; the largest script of Debian's
// archive runs some thousands of commands and writes some megabytes.
const (
	DefaultSteps = 200_000
	DefaultBytes = 256 << 20
)

// builtin are the commands by name, or by path where they are not in one of
// the directories of PATH.
var builtin = map[string]Command{}

// register adds commands to those that every Interpreter has. It is called by
// init functions only.
func register(commands map[string]Command) {
	for name, f := range commands {
		if builtin[name] != nil {
			panic("two commands " + name)
		}
		builtin[name] = f
	}
}

// sourced are files that scripts read with ".", by path, whether they ship or
// not: the text that is read instead of theirs.
var sourced = map[string]string{}

// Names lists the commands that every Interpreter has, sorted.
func Names() []string { return slices.Sorted(maps.Keys(builtin)) }

// Exit is the exit status n of a command; 0 is no error.
func Exit(n int) error {
	if n == 0 {
		return nil
	}
	return exitStatus(n)
}

type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// An unknown ends a script that cannot be interpreted.
type unknown struct {
	where  string
	reason string
}

func (u *unknown) Error() string {
	if u.where == "" {
		return u.reason
	}
	return u.where + ": " + u.reason
}

// Unknown is the error of a command that meets an option or a case that it
// does not know: the script is not interpreted at all, rather than wrongly.
func Unknown(format string, args ...any) error {
	return &unknown{reason: fmt.Sprintf(format, args...)}
}
