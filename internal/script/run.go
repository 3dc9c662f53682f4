package script

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"compose/internal/cas"
	"compose/rootfs"
)

// Run interprets s over the tree. If the script is unknown or fails, the tree
// and the State are as they were before.
func (in *Interpreter) Run(ctx context.Context, s *Script) (Result, error) {
	r := &run{
		in:       in,
		ctx:      ctx,
		script:   s,
		contents: &scratch{store: in.Contents},
		steps:    in.Steps,
		used:     map[string]bool{},
	}
	if r.steps == 0 {
		r.steps = DefaultSteps
	}
	r.left = in.Bytes
	if r.left == 0 {
		r.left = DefaultBytes
	}
	r.fs = &FS{tree: in.Tree, contents: r.contents, epoch: in.Epoch, origin: "script: " + s.Package + " " + s.Name, spend: r.spend}
	state := maps.Clone(in.State)
	undo := in.Tree.Mark()
	result, err := r.interpret()
	if err == nil && result.Unknown == "" && result.Status == 0 {
		changed := undo.Changed()
		if err = r.contents.keep(in.Tree, changed); err == nil {
			undo.Keep()
			result.Changes = len(changed)
			return result, nil
		}
	}
	undo.Restore()
	in.State = state
	return result, err
}

// A run is one script being interpreted.
type run struct {
	in       *Interpreter
	ctx      context.Context
	script   *Script
	fs       *FS
	contents *scratch
	steps    int
	left     int64 // bytes that may still be written
	depth    int   // of functions, sourced files and scripts
	temp     int   // names that mktemp has given
	used     map[string]bool
	why      *unknown // the first thing that was not known
	stderr   limited
}

func (r *run) interpret() (Result, error) {
	name := r.script.Path
	if name == "" {
		name = r.script.Name
	}
	s := newShell(r, name)
	s.fds = [10]fd{{}, {w: &r.stderr}, {w: &r.stderr}}
	if r.in.stdout != nil {
		s.fds[1].w = r.in.stdout
	}
	s.params = r.script.Args
	err := s.program(r.script.Text)
	if err == nil {
		err = r.fs.flush()
	}
	res := Result{Status: s.status, Stderr: string(r.stderr.kept), Used: slices.Sorted(maps.Keys(r.used))}
	if r.why == nil && err != nil {
		u, ok := errors.AsType[*unknown](err)
		if !ok {
			return res, err
		}
		r.why = u
	}
	if r.why != nil {
		res.Unknown, res.Status = r.why.Error(), 0
	}
	return res, nil
}

// spend takes n bytes off the budget.
func (r *run) spend(n int) error {
	if r.left -= int64(n); r.left < 0 {
		return r.stop("", "writes more than its budget of bytes")
	}
	return nil
}

// stop ends the script as unknown.
func (r *run) stop(where, reason string) error {
	if r.why == nil {
		r.why = &unknown{where: where, reason: reason}
	}
	return r.why
}

// program runs a whole script in s, which is its own.
func (s *shell) program(text []byte) error {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.HasPrefix(line, []byte("#!")) {
		return s.text(text, nil)
	}
	fields := strings.Fields(string(line[2:]))
	if len(fields) > 1 && (base(fields[0]) == "env" || base(fields[0]) == "busybox") {
		fields = fields[1:]
	}
	if len(fields) == 0 || !isShell(base(fields[0])) {
		return s.run.stop(s.source, "no shell script, but for "+string(line[2:]))
	}
	if base(fields[0]) == "bash" {
		s.lang, s.dialect = syntax.LangBash, bash
	}
	return s.text(text, fields[1:])
}

// text runs all of text, with the options that the shell is called with.
func (s *shell) text(text []byte, options []string) error {
	for _, o := range options {
		if err := s.setOption(o); err != nil {
			return err
		}
	}
	stmts, err := s.parse(string(text))
	if err == nil {
		err = s.stmts(stmts)
	}
	return s.finish(err)
}

// isShell reports whether name is that of a shell whose scripts this package
// interprets.
func isShell(name string) bool {
	return name == "sh" || name == "dash" || name == "bash" || name == "ash"
}

// base is the last name of a path.
func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// limited keeps the first 64 KiB of what is written. It has no other method,
// lest a writer go past Write.
type limited struct{ kept []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p[:min(len(p), 64<<10-len(l.kept))]...)
	return len(p), nil
}

// A pipe holds what goes through a pipe or a command substitution.
type pipe struct {
	run  *run
	held bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error) { return p.held.Read(b) }

func (p *pipe) Write(b []byte) (int, error) {
	if err := p.run.spend(len(b)); err != nil {
		return 0, err
	}
	return p.held.Write(b)
}

// scratch holds in memory what a script writes: most of it is overwritten
// before the end, and all of it goes if the script fails.
type scratch struct {
	store rootfs.Contents
	mem   map[cas.Digest][]byte
}

// read gives the bytes that ref names; they must not be changed.
func (s *scratch) read(ref cas.Ref) ([]byte, error) {
	if data, ok := s.mem[ref.Digest]; ok {
		return data, nil
	}
	data, err := rootfs.Read(s.store, ref)
	return slices.Clip(data), err
}

// keep puts what is new at the paths into the store.
func (s *scratch) keep(t *rootfs.Tree, paths []string) error {
	for _, p := range paths {
		n := t.Get(p)
		if n == nil || n.Type != rootfs.Regular {
			continue
		}
		data, ok := s.mem[n.Content.Digest]
		if !ok || !n.Content.Pack.IsZero() {
			continue
		}
		if _, err := s.store.Put(bytes.NewReader(data)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scratch) put(data []byte) cas.Ref {
	ref := cas.Ref{Digest: cas.Sum(data), Size: int64(len(data))}
	if s.mem == nil {
		s.mem = map[cas.Digest][]byte{}
	}
	s.mem[ref.Digest] = data
	return ref
}
