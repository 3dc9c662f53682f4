// Command compose turns a manifest of packages into a container image, bit
// for bit the same wherever it runs.
//
// This package is the edge: flags, the environment, the clock, the terminal,
// exit codes. One file per verb; what a verb does stands in internal/build.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"compose/internal/build"
	"compose/internal/fault"
	"compose/manifest"
)

func main() { os.Exit(run()) }

// run is main with an exit code, for the scripts in testdata.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	interrupted := context.AfterFunc(ctx, stop) // a second signal ends the process at once
	defer interrupted()

	err := command(os.Stdout, os.Stderr).ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "compose: interrupted; nothing was written")
		return 130
	}
	report(os.Stderr, err)
	return exitCode(err)
}

// report prints an error as its kind deserves: mistakes in a manifest a line
// each, in the form that editors follow; a refusal with its stable name.
func report(w io.Writer, err error) {
	var mistakes manifest.Errors
	var placed *build.PosError
	id := fault.Of(err)
	switch {
	case errors.As(err, &mistakes):
		fmt.Fprintln(w, printable(mistakes.Error()))
	case errors.As(err, &placed) && (id == fault.Usage || id == fault.NoSolution):
		fmt.Fprintln(w, printable(err.Error()))
	case id != "" && id != fault.Usage && id != fault.NoSolution:
		fmt.Fprintf(w, "error[%s]: %s\n", id, printable(err.Error()))
	default:
		fmt.Fprintf(w, "compose: %s\n", printable(err.Error()))
	}
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
