package script

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// prepare makes a script's text fit to be interpreted: what would depend on
// the host or on chance is refused, or replaced where it has a harmless
// meaning ($$ is always the same number).
func prepare(text, name string) (string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(false)).Parse(strings.NewReader(text), name)
	if err != nil {
		return "", &unknown{reason: fmt.Sprintf("not a shell script: %v", err)}
	}
	var refused error
	changed := false
	refuse := func(pos syntax.Pos, reason string) {
		if refused == nil {
			refused = &unknown{line: pos.Line(), reason: reason}
		}
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Stmt:
			if n.Background || n.Coprocess {
				refuse(n.Pos(), "runs a command in the background")
			}
		case *syntax.ProcSubst:
			refuse(n.Pos(), "substitutes a process for a file")
		case *syntax.ParamExp:
			if n.Param == nil {
				break
			}
			switch n.Param.Value {
			case "$":
				n.Param.Value = pidVariable
				n.Short = false
				changed = true
			case "RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS", "EPOCHREALTIME", "PPID", "BASHPID", "HOSTNAME":
				refuse(n.Pos(), "uses $"+n.Param.Value)
			}
		}
		return true
	})
	if refused != nil {
		return "", refused
	}
	if !changed {
		return text, nil
	}
	var b strings.Builder
	if err := syntax.NewPrinter().Print(&b, file); err != nil {
		return "", &unknown{reason: err.Error()}
	}
	return b.String(), nil
}
