package script

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// A Status is what became of a script, in a word.
type Status string

// The statuses. A package without scripts has no entry in a ledger.
const (
	NoOp        Status = "no-op"       // it had nothing to do
	Interpreted Status = "interpreted" // it did its work on the tree
	Finalizer   Status = "finalizer"   // finalizers do all of its work
	Omitted     Status = "omitted"     // it did its work but for what no image should hold
	NotRun      Status = "unknown"     // it was not run
)

// An Entry is a line of a ledger: one script of one package.
type Entry struct {
	Package    string
	Script     string // postinst, .post-install
	SHA256     cas.Digest
	Status     Status
	Changes    int      // nodes of the tree that it made, changed or removed
	Finalizers []string // that do a part of its work, by name
	Omitted    []string // "ssh-keygen: host keys are made on the machine that has them"
	Reason     string   // of unknown: "line 12: command ..."
}

// String is the entry for people: "openssh-server postinst: omitted
// (ssh-keygen: ...)".
func (e Entry) String() string { return e.Package + " " + e.Script + ": " + e.Outcome() }

// Outcome is the status with what there is to say of it.
func (e Entry) Outcome() string {
	switch e.Status {
	case Finalizer:
		return "finalizer " + strings.Join(e.Finalizers, ", ")
	case Omitted:
		return "omitted (" + strings.Join(e.Omitted, "; ") + ")"
	case NotRun:
		return "unknown (" + e.Reason + ")"
	}
	return string(e.Status)
}

// A Ledger tells of every script, in the order in which they were called.
type Ledger []Entry

// Of says what became of a package's script; "" if it was not called.
func (l Ledger) Of(pkg, script string) string {
	for _, e := range l {
		if e.Package == pkg && e.Script == script {
			return e.Outcome()
		}
	}
	return ""
}

// Unknown gives the entries of scripts that were not run.
func (l Ledger) Unknown() Ledger {
	return slices.DeleteFunc(slices.Clone(l), func(e Entry) bool { return e.Status != NotRun })
}

// List is the entries in a line, "; " between them.
func (l Ledger) List() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.String()
	}
	return strings.Join(lines, "; ")
}

// Finished reports whether all scripts of a package have had their effect.
func (l Ledger) Finished(pkg string) bool {
	return !slices.ContainsFunc(l, func(e Entry) bool { return e.Package == pkg && e.Status == NotRun })
}

// Summary is the ledger in a line: "31 packages, 9 with scripts: 5 no-op, 3
// interpreted, 1 unknown". Packages is how many the image has.
func (l Ledger) Summary(packages int) string {
	with, counts := map[string]bool{}, map[Status]int{}
	for _, e := range l {
		with[e.Package] = true
		counts[e.Status]++
	}
	if len(l) == 0 {
		return fmt.Sprintf("%d packages, none with scripts", packages)
	}
	var parts []string
	for _, s := range []Status{NoOp, Interpreted, Finalizer, Omitted, NotRun} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return fmt.Sprintf("%d packages, %d with %d scripts: %s", packages, len(with), len(l), strings.Join(parts, ", "))
}

// RunAll runs scripts one after the other, and tells what became of each.
func (in *Interpreter) RunAll(ctx context.Context, scripts []*Script) (Ledger, error) {
	var ledger Ledger
	for _, s := range scripts {
		result, err := in.Run(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("package %s: %s: %w", s.Package, s.Name, err)
		}
		in.discard()
		ledger = append(ledger, entry(s, result))
	}
	return ledger, nil
}

// entry judges the result of a script.
func entry(s *Script, r Result) Entry {
	e := Entry{
		Package: s.Package, Script: s.Name, SHA256: cas.Sum(s.Text), Changes: r.Changes,
		Finalizers: Finalizers(r.Used), Omitted: Omissions(r.Used), Reason: r.Unknown,
	}
	if r.Status != 0 && e.Reason == "" {
		e.Reason = fmt.Sprintf("exit status %d", r.Status)
		if said := lastLine(r.Stderr); said != "" {
			e.Reason += ": " + said
		}
	}
	switch {
	case e.Reason != "":
		e.Status = NotRun
	case len(e.Omitted) > 0:
		e.Status = Omitted
	case e.Changes > 0:
		e.Status = Interpreted
	case len(e.Finalizers) > 0:
		e.Status = Finalizer
	default:
		e.Status = NoOp
	}
	return e
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Order sorts packages so that each comes after those that it needs, and
// otherwise by name. Needs gives names of packages, which need not be in the
// list. In a circle, the first by name waits for the others.
func Order(pkgs []*rootfs.Package, needs func(*rootfs.Package) []string) []*rootfs.Package {
	byName := map[string]*rootfs.Package{}
	for _, p := range pkgs {
		byName[p.Name] = p
	}
	var ordered []*rootfs.Package
	seen := map[string]bool{}
	var visit func(p *rootfs.Package)
	visit = func(p *rootfs.Package) {
		if p == nil || seen[p.Name] {
			return
		}
		seen[p.Name] = true
		for _, name := range slices.Sorted(slices.Values(needs(p))) {
			visit(byName[name])
		}
		ordered = append(ordered, p)
	}
	sorted := slices.SortedFunc(slices.Values(pkgs), func(a, b *rootfs.Package) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range sorted {
		visit(p)
	}
	return ordered
}
