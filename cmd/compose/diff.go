package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"compose/internal/audit"
	"compose/internal/fault"
)

type diffFlags struct {
	platforms []string
	asJSON    bool
	markdown  bool
	exitCode  bool
	all       bool
}

func (a *app) diffCommand() *cobra.Command {
	var flags diffFlags
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two images: packages, files, libraries, shells, sizes",
		Long: `Diff tells what became of A in B, each a manifest (built as it is locked) or an
image that is there: packages, shells and other programs, privileges,
libraries, configuration, and every file that was added, removed or changed,
with the fields that differ.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), args[0], args[1], flags) },
	}
	f := c.Flags()
	f.StringSliceVar(&flags.platforms, "platform", nil, "compare these `PLATFORMS` only")
	f.BoolVar(&flags.asJSON, "json", false, "print JSON")
	f.BoolVar(&flags.markdown, "markdown", false, "print Markdown, for a comment on a change")
	f.BoolVar(&flags.exitCode, "exit-code", false, "exit with 9 when the two differ")
	f.BoolVar(&flags.all, "all", false, "print lists in full")
	return c
}

func (a *app) diff(ctx context.Context, was, is string, flags diffFlags) error {
	var sides [2][]*audit.Report
	for i, arg := range []string{was, is} {
		inputs, _, err := a.auditInputs(ctx, arg, flags.platforms)
		if err != nil {
			return err
		}
		for _, in := range inputs {
			in.Image = arg
			r, err := audit.Run(ctx, in)
			if err != nil {
				return err
			}
			sides[i] = append(sides[i], r)
		}
	}
	diffs, err := pairs(was, is, sides)
	if err != nil {
		return err
	}
	if err := a.printDiffs(diffs, flags); err != nil {
		return err
	}
	if flags.exitCode && slices.ContainsFunc(diffs, func(d *audit.Diff) bool { return !d.Same() }) {
		return fault.New(fault.Repro, "%s and %s differ", was, is)
	}
	return nil
}

// pairs compares the images of each platform. Two single images are compared
// whatever their platforms.
func pairs(was, is string, sides [2][]*audit.Report) ([]*audit.Diff, error) {
	if len(sides[0]) == 1 && len(sides[1]) == 1 {
		return []*audit.Diff{audit.Compare(sides[0][0], sides[1][0])}, nil
	}
	var diffs []*audit.Diff
	for _, a := range sides[0] {
		i := slices.IndexFunc(sides[1], func(b *audit.Report) bool { return a.Platform == b.Platform })
		if i < 0 {
			return nil, fault.New(fault.Usage, "%s: has no image for %s, %s does; name those to compare with --platform", is, a.Platform, was)
		}
		diffs = append(diffs, audit.Compare(a, sides[1][i]))
	}
	for _, b := range sides[1] {
		if !slices.ContainsFunc(sides[0], func(a *audit.Report) bool { return a.Platform == b.Platform }) {
			return nil, fault.New(fault.Usage, "%s: has no image for %s, %s does; name those to compare with --platform", was, b.Platform, is)
		}
	}
	return diffs, nil
}

func (a *app) printDiffs(diffs []*audit.Diff, flags diffFlags) error {
	if flags.asJSON {
		return a.printJSON(diffs)
	}
	limit := 30
	if flags.all {
		limit = 0
	}
	var text strings.Builder
	for i, d := range diffs {
		if i > 0 {
			text.WriteByte('\n')
		}
		write := func() error { return d.Text(&text, limit) }
		if flags.markdown {
			write = func() error { return d.Markdown(&text) }
		}
		if err := write(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(a.stdout, printable(text.String()))
	return err
}
