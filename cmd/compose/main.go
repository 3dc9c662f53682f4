// Command compose turns a manifest of packages into a container image, bit
// for bit the same wherever it runs.
//
// This package is the edge: flags, the environment, the clock, the terminal,
// exit codes. One file per verb; what a verb does stands in internal/build.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"compose/internal/build"
	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
)

func main() { os.Exit(run()) }

// run is main with an exit code, for the scripts in testdata.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interrupted := context.AfterFunc(ctx, stop) // a second signal ends the process at once
	defer interrupted()

	a := &app{stdout: os.Stdout, stderr: os.Stderr}
	err := a.command().ExecuteContext(ctx)
	for _, c := range a.closers {
		err = errors.Join(err, c())
	}
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "compose: interrupted; nothing was written")
		return 130
	}
	a.report(err)
	return exitCode(err)
}

// report prints an error as its kind deserves: mistakes in a manifest a line
// each, in the form that editors follow; a refusal with its stable name.
func (a *app) report(err error) {
	var mistakes manifest.Errors
	var placed *build.PosError
	id := fault.Of(err)
	if e, ok := errors.AsType[*resolve.Unsatisfied](err); ok && a.asData {
		if data, err := json.MarshalIndent(e, "", "  "); err == nil {
			fmt.Fprintln(a.stderr, printable(string(data)))
			return
		}
	}
	plain := id == "" || id == fault.Usage || id == fault.NoSolution
	switch {
	case errors.As(err, &mistakes):
		for _, e := range mistakes {
			e.Pos = a.displayed(e.Pos)
		}
		fmt.Fprintln(a.stderr, printable(mistakes.Error()))
	case errors.As(err, &placed) && plain:
		placed.Pos = a.displayed(placed.Pos)
		for i := range placed.Also {
			placed.Also[i] = a.displayed(placed.Also[i])
		}
		fmt.Fprintln(a.stderr, printable(placed.Error()))
	case plain:
		fmt.Fprintf(a.stderr, "compose: %s\n", printable(err.Error()))
	default:
		if placed != nil {
			placed.Pos = a.displayed(placed.Pos)
		}
		fmt.Fprintf(a.stderr, "error[%s]: %s\n", id, printable(err.Error()))
	}
}

// displayed is a place in a manifest with the file's path as seen from the
// current folder; positions themselves are relative to the project.
func (a *app) displayed(p manifest.Pos) manifest.Pos {
	if a.root == "" {
		return p
	}
	here, err := os.Getwd()
	if err != nil {
		return p
	}
	full := filepath.Join(a.root, filepath.FromSlash(p.File))
	if rel, err := filepath.Rel(here, full); err == nil && len(rel) < len(full) {
		p.File = rel
	} else {
		p.File = full
	}
	return p
}

// exitCode is that of DESIGN.md part 5.
func exitCode(err error) int {
	if _, ok := errors.AsType[manifest.Errors](err); ok {
		return fault.Usage.Exit()
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return fault.Usage.Exit()
	}
	if id := fault.Of(err); id != "" {
		return id.Exit()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, os.ErrPermission):
		return fault.LocalSpace.Exit()
	}
	return 1
}

// A usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + " (see compose --help)" }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// printable keeps text from outside from steering the terminal: control
// characters other than newline and tab, and those that reorder text, are
// shown as escapes (threats.md M-08).
func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			out = append(out, r)
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f:
			out = append(out, []rune(fmt.Sprintf("\\u%04x", r))...)
		default:
			out = append(out, r)
		}
	}
	return string(out)
}
