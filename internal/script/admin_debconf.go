package script

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// confmodule is what a script gets that sources debconf's confmodule, whether
// debconf is in the tree or not: its functions are commands here. Standard
// output goes where the real one sends it.
const confmodule = `DEBIAN_HAS_FRONTEND=1
DEBCONF_REDIR=1
export DEBIAN_HAS_FRONTEND DEBCONF_REDIR
exec 3>&1
exec 1>&2
`

func init() {
	for _, name := range []string{"/usr/share/debconf/confmodule", "/usr/share/debconf/confmodule.sh"} {
		sourced[name] = confmodule
	}
	commands := map[string]Command{}
	for _, verb := range []string{
		"capb", "set", "reset", "title", "input", "beginblock", "endblock", "go", "get", "register", "unregister", "subst",
		"fset", "fget", "purge", "metaget", "version", "clear", "settitle", "previous_module", "info", "progress", "data",
		"stop", "text",
	} {
		commands["db_"+verb] = debconf
	}
	register(commands)
}

// A question is one of debconf's, and its answer.
type question struct {
	template map[string]string // fields of the template by name
	value    string
	flags    map[string]string
}

// debconf is a command of debconf-devel(7), with an administrator that never
// answers: every question keeps the default of its template unless a script
// sets it.
func debconf(c *Call) error {
	questions, err := c.questions()
	if err != nil {
		return err
	}
	args := c.Args[1:]
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	answer := func(status int, text string) error {
		if err := c.SetVar("RET", text); err != nil {
			return err
		}
		return Exit(status)
	}
	verb := strings.TrimPrefix(c.Args[0], "db_")
	switch verb {
	case "stop":
		return nil
	case "capb":
		return answer(0, "multiselect escape")
	case "version":
		return answer(0, "2.0")
	case "title", "settitle", "beginblock", "endblock", "go", "info", "progress", "data", "clear", "previous_module":
		return answer(0, "ok")
	case "register":
		if q, ok := questions[arg(0)]; ok {
			return c.answered(arg(1), question{template: q.template, value: q.template["Default"]})
		}
		return answer(20, fmt.Sprintf("No such template, \"%s\"", arg(0)))
	case "purge":
		return answer(0, "")
	}
	name := arg(0)
	if verb == "input" || verb == "text" {
		name = arg(1)
	}
	q, ok := questions[name]
	if !ok {
		return answer(10, fmt.Sprintf("%s doesn't exist", name))
	}
	switch verb {
	case "input", "text":
		return answer(30, "question skipped")
	case "get":
		return answer(0, q.value)
	case "set":
		q.value = strings.Join(args[1:], " ")
	case "reset":
		q.value, q.flags = q.template["Default"], nil
	case "fget":
		if v, ok := q.flags[arg(1)]; ok {
			return answer(0, v)
		}
		return answer(0, "false")
	case "fset":
		q.flags = maps.Clone(q.flags)
		if q.flags == nil {
			q.flags = map[string]string{}
		}
		q.flags[arg(1)] = arg(2)
	case "metaget":
		for field, value := range q.template {
			if strings.EqualFold(field, arg(1)) {
				return answer(0, value)
			}
		}
		return answer(20, arg(1)+" does not exist")
	case "subst", "unregister":
		return answer(0, "")
	default:
		return Unknown("%s", c.Args[0])
	}
	if err := c.answered(name, q); err != nil {
		return err
	}
	return answer(0, "value set")
}

// questions are those of the templates of all packages, and what scripts have
// made of them.
func (c *Call) questions() (map[string]question, error) {
	if q, ok := c.State("debconf").(map[string]question); ok {
		return q, nil
	}
	questions := map[string]question{}
	packages := c.facts().Packages
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		addTemplates(questions, packages[name].Control["templates"])
	}
	addTemplates(questions, c.Script.Files["templates"])
	c.SetState("debconf", questions)
	return questions, nil
}

// answered keeps q under name.
func (c *Call) answered(name string, q question) error {
	old, err := c.questions()
	if err != nil {
		return err
	}
	questions := maps.Clone(old)
	questions[name] = q
	c.SetState("debconf", questions)
	return nil
}

// addTemplates reads a templates file (debconf-devel(7)). The first package
// to bring a template keeps it.
func addTemplates(questions map[string]question, text []byte) {
	fields, last := map[string]string{}, ""
	end := func() {
		if name := fields["Template"]; name != "" {
			if _, ok := questions[name]; !ok {
				questions[name] = question{template: fields, value: fields["Default"]}
			}
		}
		fields, last = map[string]string{}, ""
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			end()
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				fields[last] += "\n" + strings.TrimSpace(line)
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if ok {
				last = name
				fields[name] = strings.TrimSpace(value)
			}
		}
	}
	end()
}
