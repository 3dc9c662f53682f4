package script

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func init() {
	commands := map[string]Command{}
	for _, name := range []string{"a2enmod", "a2enconf", "a2ensite", "a2dismod", "a2disconf", "a2dissite"} {
		commands[name] = apacheLink
	}
	commands["a2query"] = apacheQuery
	register(commands)
}

// An apacheKind is a kind of thing that apache2 can have enabled.
type apacheKind struct{ dir, suffix, state string }

var apacheKinds = map[string]apacheKind{
	"mod":  {"mods", ".load", "module"},
	"conf": {"conf", ".conf", "conf"},
	"site": {"sites", ".conf", "site"},
}

// apacheLink is a2enmod(8) and its kin: links in *-enabled to what is in
// *-available, and marks of who enabled or disabled it.
func apacheLink(c *Call) error {
	o, names, err := getopt(c.Args[1:], "quiet|q maintmode|m force|f purge|p")
	if err != nil {
		return err
	}
	name := base(c.Args[0])
	enable := strings.HasPrefix(name, "a2en")
	kind := apacheKinds[strings.TrimPrefix(strings.TrimPrefix(name, "a2en"), "a2dis")]
	if len(names) == 0 || o.has("purge") || c.Getenv("APACHE_CONFDIR") != "" || c.Getenv("APACHE_ENVVARS") != "" {
		return Unknown("these arguments")
	}
	by := "admin"
	if o.has("maintmode") {
		by = "maint"
	}
	for _, n := range names {
		if strings.ContainsAny(n, "*?[") {
			return Unknown("the pattern %q", n)
		}
		if err := kind.set(c, strings.TrimSuffix(n, kind.suffix), enable, by, nil); err != nil {
			return err
		}
	}
	return nil
}

func (k apacheKind) available(name string) string {
	return "/etc/apache2/" + k.dir + "-available/" + name + k.suffix
}

func (k apacheKind) enabled(name string) string {
	return "/etc/apache2/" + k.dir + "-enabled/" + name + k.suffix
}

// set enables or disables a name, after what it depends on. Above are the
// names that wait for it.
func (k apacheKind) set(c *Call, name string, enable bool, by string, above []string) error {
	if !c.there(k.available(name)) {
		return c.complain(1, "ERROR: %s %s does not exist!", k.state, name)
	}
	_, err := c.FS.Lstat(k.enabled(name))
	if is := err == nil; is == enable {
		return nil
	}
	if k.dir == "mods" && enable {
		if err := k.enableNeeds(c, name, by, above); err != nil {
			return err
		}
	}
	files := []string{name + k.suffix}
	if k.dir == "mods" && c.there("/etc/apache2/mods-available/"+name+".conf") {
		files = []string{name + ".conf", name + k.suffix}
	}
	for _, f := range files {
		link := "/etc/apache2/" + k.dir + "-enabled/" + f
		if !enable {
			if err := c.FS.RemoveAll(link); err != nil {
				return err
			}
			continue
		}
		if err := relink(c, "../"+k.dir+"-available/"+f, link); err != nil {
			return err
		}
	}
	return k.mark(c, name, enable, by)
}

// enableNeeds enables what a module depends on, and refuses it beside one
// that it conflicts with.
func (k apacheKind) enableNeeds(c *Call, name, by string, above []string) error {
	if slices.Contains(above, name) {
		return nil
	}
	text, err := c.FS.ReadFile(k.available(name))
	if err != nil {
		return err
	}
	for _, need := range apacheComment(string(text), "Depends") {
		if err := k.set(c, need, true, by, append(above, name)); err != nil {
			return err
		}
	}
	for _, other := range apacheComment(string(text), "Conflicts") {
		if _, err := c.FS.Lstat(k.enabled(other)); err == nil {
			return c.complain(1, "ERROR: Module %s is enabled - cannot proceed due to conflicts. It needs to be disabled first!", other)
		}
	}
	return nil
}

// apacheComment are the words behind a key in the comments that begin a file.
func apacheComment(text, key string) []string {
	for line := range strings.Lines(text) {
		if words, ok := strings.CutPrefix(line, "# "+key+":"); ok {
			return strings.Fields(words)
		}
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			break
		}
	}
	return nil
}

// mark writes down who enabled or disabled a name last.
func (k apacheKind) mark(c *Call, name string, enable bool, by string) error {
	state := "/var/lib/apache2/" + k.state
	for _, old := range []string{"enabled_by_maint", "enabled_by_admin", "disabled_by_maint", "disabled_by_admin"} {
		if err := c.FS.RemoveAll(path.Join(state, old, name)); err != nil {
			return err
		}
	}
	dir := state + "/disabled_by_" + by
	if enable {
		dir = state + "/enabled_by_" + by
	}
	if err := c.FS.mkdirAll(dir, 0o755); err != nil {
		return err
	}
	return c.FS.WriteFile(dir+"/"+name, nil, 0o644)
}

// apacheOptions are the kinds by a2query's options.
var apacheOptions = map[string]apacheKind{"m": apacheKinds["mod"], "s": apacheKinds["site"], "c": apacheKinds["conf"]}

// listApache lists all of a kind that is enabled.
func listApache(c *Call, option string) error {
	k := apacheOptions[option]
	names, err := c.FS.ReadDir("/etc/apache2/" + k.dir + "-enabled")
	if err != nil {
		return Exit(1)
	}
	for _, name := range names {
		if name, ok := strings.CutSuffix(name, k.suffix); ok {
			fmt.Fprintf(c.Stdout, "%s (enabled by maintainer script)\n", name)
		}
	}
	return nil
}

// apacheQuery is a2query(1): whether something is enabled, or which module
// processes requests.
func apacheQuery(c *Call) error {
	if len(c.Args) == 2 && len(c.Args[1]) == 2 && strings.Contains("msc", c.Args[1][1:]) {
		return listApache(c, c.Args[1][1:])
	}
	o, args, err := getopt(c.Args[1:], "q m= s= c= M")
	if err != nil {
		return err
	}
	if len(args) > 0 || len(o) == 0 {
		return Unknown("these arguments")
	}
	if o.has("M") { // the module that processes requests
		names, err := c.FS.ReadDir("/etc/apache2/mods-enabled")
		if err != nil {
			return Exit(1)
		}
		for _, name := range names {
			if mpm, ok := strings.CutSuffix(name, ".load"); ok && strings.HasPrefix(mpm, "mpm_") {
				fmt.Fprintln(c.Stdout, strings.TrimPrefix(mpm, "mpm_"))
				return nil
			}
		}
		return Exit(1)
	}
	for option, k := range apacheOptions {
		name, ok := o[option]
		if !ok {
			continue
		}
		if _, err := c.FS.Lstat(k.enabled(strings.TrimSuffix(name, k.suffix))); err != nil {
			return Exit(1)
		}
		if !o.has("q") {
			fmt.Fprintf(c.Stdout, "%s (enabled by maintainer script)\n", name)
		}
	}
	return nil
}
