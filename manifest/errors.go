// Package manifest reads image.yaml, the description of one image.
//
// The package knows the file's syntax and nothing of repositories, packages
// or OCI: Parse is a pure function from the files of a project to an Image,
// or to a list of everything that is wrong with them, each with its line and
// column.
package manifest

import (
	"fmt"
	"strings"
)

// A Pos is a place in a manifest. Lines and columns count from 1; a zero Line
// stands for the whole file.
type Pos struct {
	File string
	Line int
	Col  int
}

// String is file:line:col, the form that editors follow.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Errorf is an Error at p.
func (p Pos) Errorf(format string, args ...any) *Error {
	return &Error{Pos: p, Msg: fmt.Sprintf(format, args...)}
}

// An Error is one thing wrong with a manifest.
type Error struct {
	Pos  Pos
	Msg  string // what is wrong, naming the value found
	Hint string // what to write instead; may be empty, may have several lines
}

func (e *Error) Error() string {
	s := e.Pos.String() + ": " + e.Msg
	if e.Hint != "" {
		s += "\n\thint: " + strings.ReplaceAll(e.Hint, "\n", "\n\thint: ")
	}
	return s
}

// WithHint is e with a hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Errors is everything that is wrong, in the order of the file.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}
