package script

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"compose/rootfs"
)

func init() {
	register(map[string]Command{
		"dpkg": dpkg, "dpkg-query": dpkgQuery,
		"dpkg-trigger": dpkgTrigger, "dpkg-maintscript-helper": maintscriptHelper,
		"dpkg-architecture": func(*Call) error { return Unknown("is for building packages") },
	})
}

// dpkg is dpkg(1), as far as it only asks.
func dpkg(c *Call) error {
	args := c.Args[1:]
	if len(args) == 0 {
		return Exit(2)
	}
	switch args[0] {
	case "--compare-versions":
		return compareVersions(c, args[1:])
	case "--print-architecture":
		fmt.Fprintln(c.Stdout, c.Arch())
		return nil
	case "--print-foreign-architectures":
		return nil
	case "-L", "--listfiles", "-s", "--status", "-S", "--search", "-W", "--show", "-l", "--list":
		return query(c, args)
	case "--validate-pkgname", "--validate-version", "--validate-archname", "--validate-trigname":
		return Unknown("%s", args[0])
	}
	if strings.HasPrefix(args[0], "--assert-") {
		return nil
	}
	return Unknown("action %s", args[0])
}

// compareVersions is dpkg --compare-versions: a version that is empty is
// earlier than every other, or later for the operators that end in -nl.
func compareVersions(c *Call, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) != 3 {
		return c.complain(2, "--compare-versions takes three arguments: <version> <relation> <version>")
	}
	compare := c.facts().Compare
	if compare == nil {
		return Unknown("no order of versions")
	}
	a, op, b := args[0], args[1], args[2]
	order := 0
	switch {
	case a == "" && b == "":
	case a == "":
		order = -1
	case b == "":
		order = 1
	default:
		order = compare(a, b)
	}
	if strings.HasSuffix(op, "-nl") && (a == "") != (b == "") {
		order = -order
	}
	var holds bool
	switch op {
	case "lt", "lt-nl", "<<":
		holds = order < 0
	case "le", "le-nl", "<=", "<":
		holds = order <= 0
	case "eq", "=":
		holds = order == 0
	case "ne":
		holds = order != 0
	case "ge", "ge-nl", ">=", ">":
		holds = order >= 0
	case "gt", "gt-nl", ">>":
		holds = order > 0
	default:
		return c.complain(2, "bad relation %s", op)
	}
	if !holds {
		return Exit(1)
	}
	return nil
}

// dpkgQuery is dpkg-query(1).
func dpkgQuery(c *Call) error { return query(c, c.Args[1:]) }

// query answers about packages. What is in the image counts as installed.
func query(c *Call, args []string) error {
	format, action := "${binary:Package}\t${Version}\n", ""
	var names []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "-f" || arg == "--showformat":
			i++
			if i < len(args) {
				format = args[i]
			}
		case strings.HasPrefix(arg, "--showformat="):
			format = strings.TrimPrefix(arg, "--showformat=")
		case strings.HasPrefix(arg, "-f"):
			format = strings.TrimPrefix(strings.TrimPrefix(arg, "-f"), "=")
		case arg == "--":
		case arg == "--no-pager":
		case strings.HasPrefix(arg, "-"):
			action = arg
		default:
			names = append(names, arg)
		}
	}
	switch action {
	case "-W", "--show":
		return queryShow(c, format, names)
	case "-L", "--listfiles":
		return queryFiles(c, names)
	case "-s", "--status":
		return queryStatus(c, names)
	case "-S", "--search":
		return querySearch(c, names)
	case "-c", "--control-path":
		return queryControl(c, names)
	}
	return Unknown("action %s", action)
}

// installed is the package of a name, or name:arch.
func (c *Call) installed(name string) *rootfs.Package {
	name, arch, qualified := strings.Cut(name, ":")
	p := c.facts().Packages[name]
	if p != nil && qualified && p.Arch != arch && arch != "all" && arch != "any" {
		return nil
	}
	return p
}

func queryShow(c *Call, format string, patterns []string) error {
	format = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(format)
	all := c.facts().Packages
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	status := 0
	shown := map[string]bool{}
	var names []string
	for _, pattern := range patterns {
		found := false
		for name, p := range all {
			base, _, _ := strings.Cut(pattern, ":")
			match, err := path.Match(base, name)
			if err != nil {
				return Unknown("pattern %q", pattern)
			}
			if match && c.installed(strings.Replace(pattern, base, name, 1)) == p {
				found = true
				if !shown[name] {
					names, shown[name] = append(names, name), true
				}
			}
		}
		if !found {
			c.complain(1, "no packages found matching %s", pattern)
			status = 1
		}
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := expandFormat(format, all[name])
		if err != nil {
			return err
		}
		fmt.Fprint(c.Stdout, text)
	}
	return Exit(status)
}

// expandFormat fills in the fields of a --showformat.
func expandFormat(format string, p *rootfs.Package) (string, error) {
	var b strings.Builder
	for format != "" {
		text, rest, ok := strings.Cut(format, "${")
		b.WriteString(text)
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok || strings.Contains(name, ";") {
			return "", Unknown("format %q", format)
		}
		b.WriteString(formatField(name, p))
		format = after
	}
	return b.String(), nil
}

func formatField(name string, p *rootfs.Package) string {
	switch name {
	case "Package":
		return p.Name
	case "binary:Package":
		if controlField(p, "Multi-Arch") == "same" {
			return p.Name + ":" + p.Arch
		}
		return p.Name
	case "Version":
		return p.Version
	case "Status":
		return "install ok installed"
	case "db:Status-Abbrev":
		return "ii "
	case "db:Status-Want":
		return "install"
	case "db:Status-Status":
		return "installed"
	case "db:Status-Eflag":
		return "ok"
	case "source:Package":
		return p.Source
	case "source:Version":
		return p.SourceVersion
	}
	return controlField(p, name)
}

// controlField is the first line of a field of a deb's control file.
func controlField(p *rootfs.Package, name string) string {
	for line := range strings.Lines(string(p.Control["control"])) {
		if f, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(f, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func queryFiles(c *Call, names []string) error {
	status := 0
	for _, name := range names {
		p := c.installed(name)
		if p == nil {
			c.complain(1, "package '%s' is not installed", name)
			status = 1
			continue
		}
		fmt.Fprintln(c.Stdout, "/.")
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Path != "." {
				fmt.Fprintln(c.Stdout, "/"+n.Path)
			}
		}
	}
	return Exit(status)
}

func queryStatus(c *Call, names []string) error {
	status := 0
	for _, name := range names {
		p := c.installed(name)
		if p == nil {
			c.complain(1, "package '%s' is not installed and no information is available", name)
			status = 1
			continue
		}
		for line := range strings.Lines(string(p.Control["control"])) {
			fmt.Fprintln(c.Stdout, strings.TrimSuffix(line, "\n"))
			if strings.HasPrefix(line, "Package:") {
				fmt.Fprintln(c.Stdout, "Status: install ok installed")
			}
		}
	}
	return Exit(status)
}

// querySearch finds the packages that have a path.
func querySearch(c *Call, paths []string) error {
	status := 0
	for _, want := range paths {
		if strings.ContainsAny(want, "*?[") {
			if !c.searchPattern(want) {
				c.complain(1, "no path found matching pattern %s", want)
				status = 1
			}
			continue
		}
		if !strings.HasPrefix(want, "/") {
			return Unknown("search for the pattern %q", want)
		}
		var owners []string
		for name, p := range c.facts().Packages {
			if slices.ContainsFunc(p.Nodes, func(n rootfs.Node) bool { return "/"+n.Path == path.Clean(want) }) {
				owners = append(owners, formatField("binary:Package", c.facts().Packages[name]))
			}
		}
		if len(owners) == 0 {
			c.complain(1, "no path found matching pattern %s", want)
			status = 1
			continue
		}
		slices.Sort(owners)
		fmt.Fprintf(c.Stdout, "%s: %s\n", strings.Join(owners, ", "), want)
	}
	return Exit(status)
}

// searchPattern lists all paths of packages that match, and reports whether
// there are any.
func (c *Call) searchPattern(pattern string) bool {
	var lines []string
	for _, p := range c.facts().Packages {
		for i := range p.Nodes {
			if at := "/" + p.Nodes[i].Path; globMatch(pattern, at) {
				lines = append(lines, formatField("binary:Package", p)+": "+at)
			}
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(c.Stdout, line)
	}
	return len(lines) > 0
}

// queryControl prints where dpkg has the control files of a package.
func queryControl(c *Call, args []string) error {
	if len(args) == 0 {
		return Exit(2)
	}
	p := c.installed(args[0])
	if p == nil {
		return c.complain(1, "package '%s' is not installed", args[0])
	}
	for _, name := range args[1:] {
		if _, ok := p.Control[name]; ok {
			fmt.Fprintf(c.Stdout, "/var/lib/dpkg/info/%s.%s\n", formatField("binary:Package", p), name)
		}
	}
	return nil
}

// dpkgTrigger has nothing to do: finalizers look at the finished tree.
func dpkgTrigger(c *Call) error { return nil }

// maintscriptHelper does what it does when a package is new: nothing. All
// its commands ask for the version that is replaced.
func maintscriptHelper(c *Call) error {
	if len(c.Args) < 2 {
		return Exit(2)
	}
	switch c.Args[1] {
	case "supports", "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink":
	default:
		return Unknown("command %s", c.Args[1])
	}
	for i, arg := range c.Args {
		if arg != "--" {
			continue
		}
		if rest := c.Args[i+1:]; len(rest) > 1 && rest[1] != "" {
			return Unknown("an upgrade from %s", rest[1])
		}
	}
	return nil
}
