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
	Rule    string   `json:"rule"`
	Item    string   `json:"item"` // the file, or the package for unknown-scripts
	Text    string   `json:"text"` // what is wrong with Item
	Package string   `json:"package,omitempty"`
	Why     []string `json:"why,omitempty"` // the chain that brought the package
	Hint    string   `json:"hint"`          // the way out

	also []string
}

// String is the violation in one line: the file, what it is, who brought it.
func (v Violation) String() string {
	s := v.Item + ": " + v.Text
	switch {
	case v.Package == "":
		return s + ", of no package"
	case v.Item == v.Package:
	default:
		s += ", from package " + v.Package
	}
	if chain := Chain(v.Why); strings.Contains(chain, " > ") {
		s += " (" + chain + ")"
	}
	return s
}

// Violations are what p forbids and the image has, in the order of p's rules
// and the report's lists.
func (r *Report) Violations(p Policy) []Violation {
	list := []Violation{}
	for _, rule := range p.Forbid {
		for _, v := range r.breaches(rule) {
			if slices.Contains(p.Allow, v.Item) || v.Package != "" && slices.Contains(p.Allow, v.Package) ||
				slices.ContainsFunc(v.also, func(path string) bool { return slices.Contains(p.Allow, path) }) {
				continue
			}
			v.Rule = rule
			list = append(list, v)
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
				list = append(list, Violation{Item: p.Path, Text: p.describe(), Package: p.Package, Why: p.Why, Hint: wayOut(p.Path, p.Package, p.Why), also: p.Also})
			}
		}
	case "set-uid":
		list = privileged(r.Privileges.SetID)
	case "world-writable":
		list = privileged(r.Privileges.WorldWritable)
	case "unknown-scripts":
		for _, p := range r.Packages {
			if scripts := UnknownScripts(p); len(scripts) > 0 {
				list = append(list, Violation{Item: p.Name, Text: "its scripts were not run: " + strings.Join(scripts, ", "), Package: p.Name, Why: p.Why,
					Hint: "do with files: what they would have done, and allow " + p.Name})
			}
		}
	case "missing-interpreter":
		for _, s := range r.Scripts {
			list = append(list, Violation{Item: s.Path, Text: "wants " + s.Interpreter + ", which is not there", Package: s.Package, Why: s.Why,
				Hint: "add a package that brings " + s.Interpreter + ", or remove: [" + s.Path + "]"})
		}
	case "missing-library":
		for _, m := range r.Libraries.Missing {
			if m.Broken() {
				_, text, _ := strings.Cut(m.String(), " ")
				list = append(list, Violation{Item: m.Object, Text: text, Package: m.Package, Why: m.Why,
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
		list = append(list, Violation{Item: f.Path, Text: "is " + f.What + ", mode " + f.Mode, Package: f.Package, Why: f.Why, Hint: wayOut(f.Path, f.Package, f.Why)})
	}
	return list
}

// wayOut is what to write into the manifest.
func wayOut(path, pkg string, why []string) string {
	out := fmt.Sprintf("remove: [%s], or policy.allow: [{item: %s, reason: ...}]", path, path)
	if pkg != "" && strings.Contains(Chain(why), " > ") {
		out = fmt.Sprintf("do without %s; or %s", pkg, out)
	}
	return out
}
