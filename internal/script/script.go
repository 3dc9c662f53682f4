// Package script interprets maintainer scripts over a file tree.
//
// A script is run by a POSIX shell (mvdan.cc/sh) of which every door to the
// host is closed: files are those of the tree, and commands are Go functions
// with the semantics that scripts rely on. Nothing is executed, so no
// privilege is needed and any architecture will do; there is no clock, no
// randomness and no network, so the outcome is a function of the tree and the
// script. A script that meets a command or a construct that this package does
// not know leaves no trace in the tree, and is reported.
package script

import (
	"context"
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
	FS      *FS
	Getenv  func(string) string
	Script  *Script

	exec func(args []string, stdin io.Reader, stdout, stderr io.Writer, env map[string]string) error
}

// Exec runs another command, as find -exec and xargs do. A nil stdin is
// empty; nil writers are the call's own.
func (c *Call) Exec(args []string, stdin io.Reader, stdout, stderr io.Writer, env map[string]string) error {
	if stdout == nil {
		stdout = c.Stdout
	}
	if stderr == nil {
		stderr = c.Stderr
	}
	return c.exec(args, stdin, stdout, stderr, env)
}

// A Script is one script of one package, and how it is called.
type Script struct {
	Package string
	Name    string            // postinst, .post-install
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

	// Commands by name, beside Builtin: those of a format.
	Commands map[string]Command
	// State is kept between scripts for commands that need memory:
	// alternatives, triggers, overrides. Keys are the commands' own.
	State map[string]any
	// Steps and Bytes bound each script: simple commands called, and bytes
	// that it writes. Zero stands for the defaults.
	Steps int
	Bytes int64
}

// Defaults for Interpreter.Steps and Bytes; the largest script of Debian's
// archive calls some thousands of commands and writes some megabytes.
const (
	DefaultSteps = 200_000
	DefaultBytes = 256 << 20
)

var builtin = map[string]Command{}

// register adds commands to those that every Interpreter has.
func register(commands map[string]Command) { maps.Copy(builtin, commands) }

// Names lists the commands that every Interpreter has, sorted.
func Names() []string { return slices.Sorted(maps.Keys(builtin)) }
