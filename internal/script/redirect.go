package script

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/syntax"
)

// redirect opens what redirections name. It reports whether all could be
// opened; if not, it has said so and set the status.
func (s *shell) redirect(list []*syntax.Redirect) (bool, error) {
	for _, r := range list {
		ok, err := s.redirectOne(r)
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *shell) redirectOne(r *syntax.Redirect) (bool, error) {
	n, err := s.descriptor(r)
	if err != nil {
		return false, err
	}
	if r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc {
		text, err := s.hereDocument(r)
		s.fds[n] = fd{r: strings.NewReader(text)}
		return err == nil, err
	}
	word, err := s.literal(r.Word)
	if err != nil {
		return false, err
	}
	var f fd
	switch r.Op {
	case syntax.WordHdoc:
		f = fd{r: strings.NewReader(word + "\n")}
	case syntax.DplIn, syntax.DplOut:
		f, err = s.duplicate(word)
	case syntax.RdrIn:
		f, err = s.open(word, reading)
	case syntax.RdrInOut:
		f, err = s.open(word, updating)
	case syntax.RdrOut, syntax.RdrClob, syntax.RdrAll:
		how := writing
		if r.Op == syntax.RdrOut && s.opts['C'] {
			how = creating
		}
		f, err = s.open(word, how)
	case syntax.AppOut, syntax.AppAll:
		f, err = s.open(word, appending)
	default:
		return false, s.unknown("a redirection that is not of POSIX")
	}
	if err != nil {
		return false, s.cannotOpen(word, err)
	}
	s.fds[n] = f
	if r.Op == syntax.RdrAll || r.Op == syntax.AppAll {
		s.fds[2] = f
	}
	return true, nil
}

// descriptor is the number of the descriptor that r redirects.
func (s *shell) descriptor(r *syntax.Redirect) (int, error) {
	if r.N == nil {
		switch r.Op {
		case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
			return 0, nil
		}
		return 1, nil
	}
	n, err := strconv.Atoi(r.N.Value)
	if err != nil || n >= len(s.fds) {
		return 0, s.unknown("a redirection of descriptor %s", r.N.Value)
	}
	return n, nil
}

// cannotOpen says that a file could not be opened; an error that is no
// matter of the tree ends the script.
func (s *shell) cannotOpen(name string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		return err
	}
	s.errorf("cannot open %s: %v", name, reason(err))
	s.status = 2
	return nil
}

// reason is what is behind an error of a file.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// duplicate is what <& and >& give.
func (s *shell) duplicate(word string) (fd, error) {
	if word == "-" {
		return fd{}, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n >= len(s.fds) {
		return fd{}, s.unknown("a redirection to descriptor %q", word)
	}
	if s.fds[n] == (fd{}) && n > 0 {
		return fd{}, fail("dup", word, syscall.EBADF)
	}
	return s.fds[n], nil
}

// hereDocument is the text of a here-document.
func (s *shell) hereDocument(r *syntax.Redirect) (string, error) {
	if r.Hdoc == nil {
		return "", nil
	}
	quoted := false
	for _, part := range r.Word.Parts {
		lit, ok := part.(*syntax.Lit)
		quoted = quoted || !ok || strings.Contains(lit.Value, `\`)
	}
	w := r.Hdoc
	if r.Op == syntax.DashHdoc {
		w = withoutTabs(w)
	}
	if !quoted {
		return s.document(w)
	}
	var b strings.Builder
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			return "", s.unknown("a here-document with quotes in its delimiter")
		}
		b.WriteString(lit.Value)
	}
	return showBytes(b.String()), nil
}

// withoutTabs is a here-document without the tabs that its lines begin with.
func withoutTabs(w *syntax.Word) *syntax.Word {
	out := &syntax.Word{}
	start := true // of a line
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			out.Parts = append(out.Parts, part)
			start = false
			continue
		}
		var b strings.Builder
		for line := range strings.Lines(lit.Value) {
			if start {
				line = strings.TrimLeft(line, "\t")
			}
			b.WriteString(line)
			start = strings.HasSuffix(line, "\n")
		}
		out.Parts = append(out.Parts, &syntax.Lit{Value: b.String()})
	}
	return out
}

// How a file is opened.
type opening int

const (
	reading   opening = iota // <
	writing                  // >
	creating                 // > with set -C
	appending                // >>
	updating                 // <>
)

// open opens a file of the tree, or one of the devices that every system has.
func (s *shell) open(name string, how opening) (fd, error) {
	p := absolute(s.dir, name)
	switch p {
	case "/dev/null":
		return fd{nowhere{}, nowhere{}}, nil
	case "/dev/stdin":
		return s.fds[0], nil
	case "/dev/stdout":
		return s.fds[1], nil
	case "/dev/stderr":
		return s.fds[2], nil
	case "/dev/tty", "/dev/console":
		return fd{}, fail("open", name, syscall.ENXIO)
	}
	if n, ok := strings.CutPrefix(p, "/dev/fd/"); ok {
		return s.duplicate(n)
	}
	if strings.HasPrefix(p, "/dev/") {
		if _, err := s.run.fs.Stat(p); err != nil || how == reading {
			return fd{}, s.unknown("opens %s", p)
		}
	}
	f := s.run.fs
	n, err := f.Stat(p)
	switch {
	case err != nil && how == reading:
		return fd{}, err
	case err != nil, how == writing:
		if err := f.WriteFile(p, nil, 0o666&^s.umask); err != nil {
			return fd{}, err
		}
	case how == creating && n.Type == '-':
		return fd{}, fail("open", name, syscall.EEXIST)
	case n.Type == 'd' && how != reading:
		return fd{}, fail("open", name, syscall.EISDIR)
	}
	if how == reading {
		if n.Type == 'd' {
			return fd{r: &stream{fs: f, path: p}}, nil
		}
		data, err := f.ReadFile(p)
		return fd{r: bytes.NewReader(data)}, err
	}
	st := &stream{fs: f, path: p, end: how == appending}
	if how == updating {
		return fd{st, st}, nil
	}
	return fd{w: st}, nil
}

// nowhere is /dev/null.
type nowhere struct{}

func (nowhere) Read([]byte) (int, error)    { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
