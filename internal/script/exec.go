package script

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// external runs a command that is no function and no builtin of the shell: a
// Command, or a shell script of the tree.
func (s *shell) external(args []string) error {
	if args[0] == "" {
		s.errorf("%s: not found", args[0])
		s.status = 127
		return nil
	}
	if f := s.lookup(args[0]); f != nil {
		return s.exec(f, args)
	}
	file := s.lookPath(args[0], false)
	if file == "" && strings.Contains(args[0], "/") {
		s.errorf("%s: not found", args[0])
		s.status = 127
		return nil
	}
	s.run.used[base(args[0])] = true
	if file == "" {
		return s.unknown("command %q is not known", args[0])
	}
	return s.nested(func() error { return s.scriptFile(file, args) })
}

// lookup finds a Command: by its path, or by its name if it has no path or
// one of the usual directories.
func (s *shell) lookup(name string) Command {
	find := func(name string) Command {
		if f, ok := s.run.in.Commands[name]; ok {
			return f
		}
		return builtin[name]
	}
	if f := find(name); f != nil {
		return f
	}
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return nil
	}
	switch name[:i] {
	case "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin":
		return find(name[i+1:])
	}
	return nil
}

func (s *shell) exec(f Command, args []string) error {
	c := &Call{
		Context: s.run.ctx, Args: args, Dir: s.dir, Umask: s.umask, FS: s.run.fs, Script: s.run.script,
		Stdin: s.fds[0].r, Stdout: s.fds[1].w, Stderr: s.fds[2].w, shell: s,
	}
	if c.Stdin == nil {
		c.Stdin = strings.NewReader("")
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	c.Getenv = func(name string) string {
		if v := s.vars[name]; v.exported {
			return v.value
		}
		return ""
	}
	name := base(args[0])
	s.run.used[name] = true
	err := f(c)
	if status, ok := errors.AsType[exitStatus](err); ok {
		s.status = int(status) & 0xff
		return s.run.whyErr()
	}
	s.status = 0
	if why := s.run.whyErr(); why != nil {
		return why
	}
	if err != nil {
		return s.unknown("%s: %v", name, err)
	}
	return nil
}

// scriptFile runs a file of the tree that is a script for a shell.
func (s *shell) scriptFile(file string, args []string) error {
	data, err := s.run.fs.ReadFile(absolute(s.dir, file))
	if err != nil {
		s.errorf("%s: %v", args[0], err)
		s.status = 126
		return nil
	}
	if !bytes.HasPrefix(data, []byte("#!")) {
		return s.unknown("program %s is not known", file)
	}
	return s.child(file, args[1:], func(sub *shell) error { return sub.program(data) })
}

// child runs a shell script as a process of its own.
func (s *shell) child(file string, params []string, run func(*shell) error) error {
	sub := newShell(s.run, file)
	sub.source = file
	sub.vars = map[string]variable{"OPTIND": {value: "1"}, "IFS": {value: " \t\n"}}
	for name, v := range s.vars {
		if v.exported && !v.unset && name != "IFS" {
			sub.vars[name] = variable{value: v.value, exported: true}
		}
	}
	sub.fds, sub.dir, sub.umask, sub.params = s.fds, s.dir, s.umask, params
	err := run(sub)
	s.status = sub.status
	return err
}

func init() {
	register(map[string]Command{"sh": shCommand, "bash": shCommand, "dash": shCommand, "ash": shCommand})
}

// shCommand is sh: -c and a text, or a file, or standard input.
func shCommand(c *Call) error {
	var opts []string
	args := c.Args[1:]
	command := false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		opt := args[0]
		args = args[1:]
		if opt == "--" {
			break
		}
		if strings.Contains(opt, "c") {
			command = true
			opt = strings.ReplaceAll(opt, "c", "")
		}
		if opt != "-" {
			opts = append(opts, opt)
		}
	}
	var text []byte
	var err error
	file := c.Args[0]
	switch {
	case command && len(args) == 0:
		return Exit(2)
	case command:
		text = []byte(args[0])
		if args = args[1:]; len(args) > 0 {
			file, args = args[0], args[1:]
		}
	case len(args) == 0:
		text, err = io.ReadAll(c.Stdin)
	default:
		file = args[0]
		if f := c.shell.lookup(file); f != nil && strings.Contains(file, "/") {
			other := *c
			other.Args = args
			c.shell.run.used[base(file)] = true
			return f(&other)
		}
		if text, err = c.FS.ReadFile(c.Path(file)); err != nil {
			c.Errorf("cannot open %s", file)
			return Exit(2)
		}
		args = args[1:]
	}
	if err != nil {
		return err
	}
	s := c.shell.subshell()
	s.fds = [10]fd{{r: c.Stdin}, {w: c.Stdout}, {w: c.Stderr}}
	err = s.nested(func() error {
		return s.child(file, args, func(sub *shell) error {
			if base(c.Args[0]) == "bash" {
				sub.lang, sub.dialect = syntax.LangBash, bash
			}
			return sub.text(text, opts)
		})
	})
	if err != nil {
		return err
	}
	return Exit(s.status)
}
