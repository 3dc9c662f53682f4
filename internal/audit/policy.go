package audit

import (
	"fmt"
	"slices"
	"strings"
)

// A Policy is what must not be in an image (DESIGN.md part 3).
type Policy struct {
	Forbid []string // shell, set-uid, package-manager, world-writable, unknown-scripts, missing-interpreter, missing-library
	Allow  []string // absolute paths, and names of packages
}

// A Violation is something that a policy forbids.
type Violation struct {
	Rule string `json:"rule"`
	Item string `json:"item"` // the file, or the package for unknown-scripts
	Text string `json:"text"` // what is wrong with Item
	Source
	Hint string `json:"hint"` // the way out

	also []string
}

// String is the violation in one line: the file, what it is, who brought it.
func (v Violation) String() string {
	if v.Item == v.Package && !strings.Contains(Chain(v.Why), " > ") {
		return v.Item + ": " + v.Text
	}
	return v.Item + ": " + v.Text + ", " + v.Source.String()
}

// Violations are what p forbids and the image has, in the order of p's rules
// and the report's lists.
func (r *Report) Violations(p Policy) []Violation {
	list := []Violation{}
	allowed := map[string]bool{}
	for _, item := range p.Allow {
		allowed[item] = true
		if path, ok := strings.CutPrefix(item, "/"); ok { // /bin/su, where /bin is a link
			allowed["/"+r.tree.Real(path)] = true
		}
	}
	for _, rule := range p.Forbid {
		for _, v := range r.breaches(rule) {
			if !slices.ContainsFunc(slices.Concat(v.also, []string{v.Item, v.Package}), func(item string) bool { return item != "" && allowed[item] }) {
				v.Rule = rule
				list = append(list, v)
			}
		}
	}
	return list
}

// breaches are what a rule is about.
func (r *Report) breaches(rule string) (list []Violation) {
	switch rule {
	case "shell", "package-manager":
		for _, p := range r.Programs {
			if p.Kind == rule {
				list = append(list, Violation{Item: p.Path, Text: p.describe(), Source: p.Source, Hint: wayOut(p.Path, p.Source), also: p.Also})
			}
		}
	case "set-uid":
		list = privileged(r.Privileges.SetID)
	case "world-writable":
		list = privileged(r.Privileges.WorldWritable)
	case "unknown-scripts":
		for _, p := range r.Packages {
			if scripts := UnknownScripts(p); len(scripts) > 0 {
				list = append(list, Violation{Item: p.Name, Text: "its scripts were not run: " + strings.Join(scripts, ", "), Source: Source{Package: p.Name, Why: p.Why},
					Hint: "do with files: what they would have done, and allow " + p.Name})
			}
		}
	case "missing-interpreter":
		for _, s := range r.Scripts {
			list = append(list, Violation{Item: s.Path, Text: "wants " + s.Interpreter + ", which is not there", Source: s.Source,
				Hint: "add a package that brings " + s.Interpreter + ", or remove: [" + s.Path + "]"})
		}
	case "missing-library":
		for _, m := range r.Libraries.Missing {
			if m.Broken() {
				_, text, _ := strings.Cut(m.String(), " ")
				list = append(list, Violation{Item: m.Object, Text: text, Source: m.Source,
					Hint: "add a package that brings " + m.Name + ", or remove: [" + m.Object + "]"})
			}
		}
	}
	return list
}

// UnknownScripts are the scripts of a package of which nobody can say what
// they would have done.
func UnknownScripts(p Package) []string { return p.Scripts }

func (p Program) describe() string {
	what := fmt.Sprintf("is %s, a %s", p.Name, strings.ReplaceAll(p.Kind, "-", " "))
	if strings.HasPrefix(p.Evidence, "applet") {
		what = "is " + p.Evidence
	}
	if len(p.Also) > 0 {
		what += ", also reached as " + abridged(p.Also, 3)
	}
	return what
}

func privileged(files []Privileged) (list []Violation) {
	for _, f := range files {
		list = append(list, Violation{Item: f.Path, Text: "is " + f.What + ", mode " + f.Mode, Source: f.Source, Hint: wayOut(f.Path, f.Source)})
	}
	return list
}

// wayOut is what to write into the manifest.
func wayOut(path string, s Source) string {
	out := fmt.Sprintf("remove: [%s], or policy.allow: [{item: %s, reason: ...}]", path, path)
	if strings.Contains(Chain(s.Why), " > ") {
		out = fmt.Sprintf("do without %s; or %s", s.Package, out)
	}
	return out
}
