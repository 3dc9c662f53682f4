package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"compose/rootfs"
)

func init() { register(map[string]Command{"update-alternatives": updateAlternatives}) }

const (
	alternativesAdmin = "/var/lib/dpkg/alternatives/"
	alternativesLinks = "/etc/alternatives/"
)

// An alternative is a group of links and the files that they may lead to:
// a file of alternativesAdmin.
type alternative struct {
	name    string
	manual  bool
	link    string
	slaves  map[string]string // name -> link
	choices []choice          // sorted by path
}

// A choice is one of the files that a group may lead to.
type choice struct {
	path     string
	priority int
	slaves   map[string]string // name -> path
}

// updateAlternatives is update-alternatives(1).
func updateAlternatives(c *Call) error {
	call, err := parseAlternatives(c)
	if err != nil {
		return err
	}
	switch {
	case call.action == "" || call.action == "--version" || call.action == "--help":
		return Unknown("no action")
	case call.action == "--get-selections":
		return listSelections(c)
	case strings.ContainsAny(call.alt.name, "/ \t\n") || call.alt.name == "":
		return c.complain(2, "alternative name (%s) must not contain '/' and spaces", call.alt.name)
	}
	a, err := readAlternative(c, call.alt.name)
	if err != nil {
		return err
	}
	switch call.action {
	case "--install":
		return call.install(c, a)
	case "--query", "--display", "--list":
		return call.show(c, a)
	}
	if a == nil {
		if call.action == "--remove" || call.action == "--remove-all" {
			return nil
		}
		return c.complain(2, "error: no alternatives for %s", call.alt.name)
	}
	switch call.action {
	case "--auto":
		a.manual = false
	case "--set":
		if a.choice(call.choice.path) == nil {
			return c.complain(2, "error: alternative %s for %s not registered; not setting", call.choice.path, a.name)
		}
		a.manual = true
		return a.store(c, call.choice.path, true)
	case "--remove":
		return a.drop(c, call.choice.path)
	case "--remove-all":
		a.choices = nil
	default:
		return Unknown("action %s", call.action)
	}
	return a.settle(c)
}

// A alternativesCall is what the arguments say.
type alternativesCall struct {
	action string
	alt    alternative // name, link, slaves
	choice choice
	force  bool
}

func parseAlternatives(c *Call) (call alternativesCall, err error) {
	call.alt.slaves, call.choice.slaves = map[string]string{}, map[string]string{}
	args := c.Args[1:]
	take := func(n int) []string {
		if len(args) < n {
			err = Unknown("%s with too few arguments", call.action)
			return make([]string, n)
		}
		var taken []string
		taken, args = args[:n], args[n:]
		return taken
	}
	for len(args) > 0 && err == nil {
		arg := take(1)[0]
		switch arg {
		case "--quiet", "--verbose", "--skip-auto", "--debug":
		case "--force":
			call.force = true
		case "--log", "--altdir", "--admindir", "--instdir", "--root":
			err = Unknown("option %s", arg)
		case "--install":
			call.action = arg
			v := take(4)
			call.alt.link, call.alt.name, call.choice.path = v[0], v[1], v[2]
			if call.choice.priority, err = strconv.Atoi(v[3]); err != nil {
				err = Unknown("priority %q", v[3])
			}
		case "--slave", "--follower":
			v := take(3)
			call.alt.slaves[v[1]], call.choice.slaves[v[1]] = v[0], v[2]
		case "--remove", "--set":
			call.action = arg
			v := take(2)
			call.alt.name, call.choice.path = v[0], v[1]
		case "--auto", "--remove-all", "--query", "--display", "--list", "--config":
			call.action = arg
			call.alt.name = take(1)[0]
		case "--get-selections":
			call.action = arg
		default:
			err = Unknown("option %s", arg)
		}
	}
	return call, err
}

// readAlternative reads a group; nil if there is none of that name.
func readAlternative(c *Call, name string) (*alternative, error) {
	data, err := c.FS.ReadFile(alternativesAdmin + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(data), "\n")
	broken := Unknown("%s%s: not as update-alternatives writes it", alternativesAdmin, name)
	next := func() (line string) {
		if len(lines) > 0 {
			line, lines = lines[0], lines[1:]
		}
		return line
	}
	a := &alternative{name: name, manual: next() == "manual", link: next(), slaves: map[string]string{}}
	var names []string
	for s := next(); s != ""; s = next() {
		a.slaves[s] = next()
		names = append(names, s)
	}
	for p := next(); p != ""; p = next() {
		ch := choice{path: p, slaves: map[string]string{}}
		if ch.priority, err = strconv.Atoi(next()); err != nil {
			return nil, broken
		}
		for _, s := range names {
			if target := next(); target != "" {
				ch.slaves[s] = target
			}
		}
		a.choices = append(a.choices, ch)
	}
	return a, nil
}

func (a *alternative) write(c *Call) error {
	var b bytes.Buffer
	status := "auto"
	if a.manual {
		status = "manual"
	}
	fmt.Fprintf(&b, "%s\n%s\n", status, a.link)
	names := slices.Sorted(maps.Keys(a.slaves))
	for _, s := range names {
		fmt.Fprintf(&b, "%s\n%s\n", s, a.slaves[s])
	}
	b.WriteByte('\n')
	for _, ch := range a.choices {
		fmt.Fprintf(&b, "%s\n%d\n", ch.path, ch.priority)
		for _, s := range names {
			fmt.Fprintln(&b, ch.slaves[s])
		}
	}
	b.WriteByte('\n')
	if err := c.FS.mkdirAll(alternativesAdmin, 0o755); err != nil {
		return err
	}
	return c.FS.WriteFile(alternativesAdmin+a.name, b.Bytes(), 0o644)
}

func (a *alternative) choice(path string) *choice {
	for i := range a.choices {
		if a.choices[i].path == path {
			return &a.choices[i]
		}
	}
	return nil
}

// best is the choice of the highest priority; of several, the first by path.
func (a *alternative) best() *choice {
	var best *choice
	for i := range a.choices {
		if ch := &a.choices[i]; best == nil || ch.priority > best.priority {
			best = ch
		}
	}
	return best
}

// there reports whether a file is in the tree, links followed.
func (c *Call) there(p string) bool {
	_, err := c.FS.Stat(p)
	return err == nil
}

// install adds the call's choice to the group a, which may be nil.
func (call *alternativesCall) install(c *Call, a *alternative) error {
	for _, p := range append(slices.Collect(maps.Values(call.alt.slaves)), call.alt.link, call.choice.path) {
		if !strings.HasPrefix(p, "/") {
			return c.complain(2, "error: alternative link is not absolute as it should be: %s", p)
		}
	}
	if !c.there(call.choice.path) {
		return c.complain(2, "error: alternative path %s doesn't exist", call.choice.path)
	}
	if a == nil {
		a = &alternative{name: call.alt.name, link: call.alt.link, slaves: map[string]string{}}
	}
	if err := a.moveLink(c, a.name, a.link, call.alt.link); err != nil {
		return err
	}
	a.link = call.alt.link
	for _, s := range slices.Sorted(maps.Keys(call.alt.slaves)) {
		if old, ok := a.slaves[s]; ok {
			if err := a.moveLink(c, s, old, call.alt.slaves[s]); err != nil {
				return err
			}
		}
		a.slaves[s] = call.alt.slaves[s]
	}
	if old := a.choice(call.choice.path); old != nil {
		*old = call.choice
	} else {
		a.choices = append(a.choices, call.choice)
		slices.SortFunc(a.choices, func(x, y choice) int { return strings.Compare(x.path, y.path) })
	}
	if a.manual {
		if current, err := c.FS.Readlink(alternativesLinks + a.name); err == nil && current != call.choice.path && a.choice(current) != nil {
			return a.write(c)
		}
		a.manual = false
	}
	return a.store(c, a.best().path, call.force)
}

// moveLink takes away the link of a name that gets another place.
func (a *alternative) moveLink(c *Call, name, old, link string) error {
	if old == link {
		return nil
	}
	if target, err := c.FS.Readlink(old); err == nil && target == alternativesLinks+name {
		return c.FS.Remove(old)
	}
	return nil
}

// settle makes the group lead to its best choice, or nowhere.
func (a *alternative) settle(c *Call) error {
	if best := a.best(); best != nil {
		return a.store(c, best.path, false)
	}
	for name, link := range a.all() {
		if err := unlinkAlternative(c, name, link); err != nil {
			return err
		}
	}
	return c.FS.RemoveAll(alternativesAdmin + a.name)
}

// all are the links of the group by name.
func (a *alternative) all() map[string]string {
	all := maps.Clone(a.slaves)
	all[a.name] = a.link
	return all
}

// drop removes a choice.
func (a *alternative) drop(c *Call, path string) error {
	n := len(a.choices)
	a.choices = slices.DeleteFunc(a.choices, func(ch choice) bool { return ch.path == path })
	if len(a.choices) == n {
		return nil
	}
	if current, err := c.FS.Readlink(alternativesLinks + a.name); a.manual && err == nil && current != path {
		return a.write(c)
	}
	a.manual = false
	for _, s := range slices.Sorted(maps.Keys(a.slaves)) {
		if !slices.ContainsFunc(a.choices, func(ch choice) bool { return ch.slaves[s] != "" }) && len(a.choices) > 0 {
			if err := unlinkAlternative(c, s, a.slaves[s]); err != nil {
				return err
			}
			delete(a.slaves, s)
		}
	}
	return a.settle(c)
}

// store makes the group lead to the choice of that path, and writes it down.
// A link whose target is missing is not made. A file in the place of a link
// stays unless force is set.
func (a *alternative) store(c *Call, path string, force bool) error {
	ch := a.choice(path)
	if err := linkAlternative(c, a.name, a.link, ch.path, force); err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(a.slaves)) {
		target := ch.slaves[s]
		if target == "" || !c.there(target) {
			if err := unlinkAlternative(c, s, a.slaves[s]); err != nil {
				return err
			}
			continue
		}
		if err := linkAlternative(c, s, a.slaves[s], target, force); err != nil {
			return err
		}
	}
	return a.write(c)
}

func linkAlternative(c *Call, name, link, target string, force bool) error {
	if err := c.FS.mkdirAll(alternativesLinks, 0o755); err != nil {
		return err
	}
	if err := relink(c, target, alternativesLinks+name); err != nil {
		return err
	}
	n, err := c.FS.Lstat(link)
	if err == nil && n.Type != rootfs.Symlink && !force {
		fmt.Fprintf(c.Stderr, "update-alternatives: warning: not replacing %s with a link\n", link)
		return nil
	}
	if err := relink(c, alternativesLinks+name, link); err != nil {
		return c.complain(2, "error: error creating symbolic link '%s.dpkg-tmp': No such file or directory", link)
	}
	return nil
}

// relink makes link a symbolic link to target, in place of a file.
func relink(c *Call, target, link string) error {
	if old, err := c.FS.Readlink(link); err == nil && old == target {
		return nil
	}
	if _, err := c.FS.Lstat(link); err == nil {
		if err := c.FS.Remove(link); err != nil {
			return err
		}
	}
	return c.FS.Symlink(target, link)
}

func unlinkAlternative(c *Call, name, link string) error {
	if target, err := c.FS.Readlink(link); err == nil && strings.HasPrefix(target, alternativesLinks) {
		if err := c.FS.Remove(link); err != nil {
			return err
		}
	}
	if _, err := c.FS.Lstat(alternativesLinks + name); err == nil {
		return c.FS.Remove(alternativesLinks + name)
	}
	return nil
}

// show is --query, --display and --list.
func (call *alternativesCall) show(c *Call, a *alternative) error {
	if a == nil {
		return c.complain(2, "error: no alternatives for %s", call.alt.name)
	}
	names := slices.Sorted(maps.Keys(a.slaves))
	value, err := c.FS.Readlink(alternativesLinks + a.name)
	if err != nil {
		value = "none"
	}
	best := "none"
	if b := a.best(); b != nil {
		best = b.path
	}
	status := "auto"
	if a.manual {
		status = "manual"
	}
	switch call.action {
	case "--list":
		for _, ch := range a.choices {
			fmt.Fprintln(c.Stdout, ch.path)
		}
	case "--query":
		fmt.Fprintf(c.Stdout, "Name: %s\nLink: %s\n", a.name, a.link)
		if len(names) > 0 {
			fmt.Fprintln(c.Stdout, "Slaves:")
		}
		for _, s := range names {
			fmt.Fprintf(c.Stdout, " %s %s\n", s, a.slaves[s])
		}
		fmt.Fprintf(c.Stdout, "Status: %s\nBest: %s\nValue: %s\n", status, best, value)
		for _, ch := range a.choices {
			fmt.Fprintf(c.Stdout, "\nAlternative: %s\nPriority: %d\n", ch.path, ch.priority)
			if len(ch.slaves) > 0 {
				fmt.Fprintln(c.Stdout, "Slaves:")
			}
			for _, s := range names {
				if ch.slaves[s] != "" {
					fmt.Fprintf(c.Stdout, " %s %s\n", s, ch.slaves[s])
				}
			}
		}
	default:
		fmt.Fprintf(c.Stdout, "%s - %s mode\n  link best version is %s\n  link currently points to %s\n  link %s is %s\n", a.name, status, best, value, a.name, a.link)
		for _, s := range names {
			fmt.Fprintf(c.Stdout, "  slave %s is %s\n", s, a.slaves[s])
		}
		for _, ch := range a.choices {
			fmt.Fprintf(c.Stdout, "%s - priority %d\n", ch.path, ch.priority)
			for _, s := range names {
				if ch.slaves[s] != "" {
					fmt.Fprintf(c.Stdout, "  slave %s: %s\n", s, ch.slaves[s])
				}
			}
		}
	}
	return nil
}

func listSelections(c *Call) error {
	names, err := c.FS.ReadDir(strings.TrimSuffix(alternativesAdmin, "/"))
	if err != nil {
		return nil
	}
	for _, name := range names {
		a, err := readAlternative(c, name)
		if err != nil {
			return err
		}
		status := "auto"
		if a.manual {
			status = "manual"
		}
		value, err := c.FS.Readlink(alternativesLinks + name)
		if err != nil {
			continue
		}
		fmt.Fprintf(c.Stdout, "%-30s %-8s %s\n", name, status, value)
	}
	return nil
}
