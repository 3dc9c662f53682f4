package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text writes the report for people, the most important first. Lists are cut
// after limit lines; 0 cuts none. The JSON form has everything.
func (r *Report) Text(w io.Writer, limit int) error {
	t := &writer{limit: limit}
	t.line("%s", strings.Join(nonEmpty(r.Image, r.Platform, r.Distribution.Name), ", "))
	t.line("%s, %s, %s; runs as %s", count(len(r.Packages), "package"), count(r.Files, "file"), size(r.Size), r.Privileges.RunsAs)
	t.notable(r.Notable())
	for _, k := range kinds {
		t.programs(k, r.Programs)
	}
	t.privileges(&r.Privileges)
	t.libraries(&r.Libraries)
	t.broken(r.Scripts)
	t.hardening(&r.Hardening)
	t.packages(r)
	_, err := io.WriteString(w, t.String())
	return err
}

// Notable says in a sentence each what is broken, and what somebody should
// know of before the image is used.
func (r *Report) Notable() []string {
	var out []string
	say := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	broken, scripts := r.broken()
	out = append(out, broken...)
	for _, s := range r.Privileges.Secrets {
		say(true, "%s holds a secret: %s", s.Path, s.What)
	}
	for _, u := range r.Privileges.Users {
		say(u.Password == "none", "user %s has no password: nobody is asked for one", u.Name)
		say(u.UID == 0 && u.Name != "root", "user %s is another root", u.Name)
	}
	for _, p := range slices.Concat(r.Privileges.Capabilities, r.Privileges.WorldWritable, r.Privileges.Devices) {
		say(true, "%s: %s", p.Path, p.What)
	}
	for _, p := range r.Hardening.Runpaths {
		say(true, "%s loads libraries from %s, and %s", p.Object, p.Folder, p.Reason)
	}
	for _, p := range r.Hardening.ExecStack {
		say(true, "%s has an executable stack", p)
	}
	d := r.Distribution
	say(d.Ended, "%s has been without fixes since %s", cmp.Or(d.Name, d.ID+" "+d.Version), d.SupportEnds)
	for _, f := range r.Libraries.Foreign {
		say(true, "%s is made for %s, the image for %s %s", f.Path, f.Is, r.Libraries.Machine, r.Libraries.Libc)
	}
	say(len(r.Privileges.SetID) > 0, "%s: %s", plural(len(r.Privileges.SetID), "one file is set-uid or set-gid", "%d files are set-uid or set-gid"), paths(r.Privileges.SetID))
	say(r.Privileges.Root, "the image runs as root")
	return append(out, scripts...)
}

// Broken says in a sentence each what cannot work.
func (r *Report) Broken() []string {
	broken, scripts := r.broken()
	return append(broken, scripts...)
}

// broken tells of objects and, in one sentence, of scripts: packages bring
// many that an image has no use for.
func (r *Report) broken() (objects, scripts []string) {
	for _, m := range r.Libraries.Missing {
		if m.Broken() {
			objects = append(objects, m.String())
		}
	}
	var list []string
	for _, s := range r.Scripts {
		if s.Object {
			objects = append(objects, fmt.Sprintf("%s cannot start: its dynamic linker %s is not there", s.Path, s.Interpreter))
			continue
		}
		list = append(list, s.Path+" ("+s.Interpreter+")")
	}
	if list != nil {
		scripts = []string{plural(len(list), "one script has no interpreter to run it", "%d scripts have no interpreter to run them") + ": " + abridged(list, 3)}
	}
	return objects, scripts
}

func (m Missing) String() string {
	s := fmt.Sprintf("%s needs %s, which is not there", m.Object, m.Name)
	if m.Elsewhere != "" {
		s = fmt.Sprintf("%s needs %s and does not look where it is, at %s", m.Object, m.Name, m.Elsewhere)
	}
	if m.Loader != "" && m.Loader != m.Object {
		s += fmt.Sprintf("; %s needs it to start", m.Loader)
	}
	return s
}

// A writer collects the text.
type writer struct {
	strings.Builder
	limit int
}

func (t *writer) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// section writes a heading and rows of cells, as a table.
func (t *writer) section(heading string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t.line("\n%s", heading)
	shown := rows
	if t.limit > 0 && len(rows) > t.limit+1 {
		shown = rows[:t.limit]
	}
	w := tabwriter.NewWriter(t, 0, 8, 2, ' ', 0)
	for _, cells := range shown {
		for len(cells) > 1 && cells[len(cells)-1] == "" {
			cells = cells[:len(cells)-1]
		}
		fmt.Fprintf(w, "  %s\n", strings.Join(cells, "\t"))
	}
	w.Flush()
	if n := len(rows) - len(shown); n > 0 {
		t.line("  and %d more (--all, --json)", n)
	}
}

func (t *writer) notable(list []string) {
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s})
	}
	if rows == nil {
		t.line("\nNothing stands out.")
	}
	t.section("Worth a look", rows)
}

var headings = map[string]string{"shell": "Shells", "interpreter": "Interpreters", "package-manager": "Package managers", "compiler": "Compilers and linkers", "debugger": "Debuggers", "network": "Network clients"}

func (t *writer) programs(kind string, list []Program) {
	var rows [][]string
	for _, p := range list {
		if p.Kind != kind {
			continue
		}
		name := p.Name
		if strings.HasPrefix(p.Evidence, "applet") {
			name = p.Evidence
		}
		also := ""
		if len(p.Also) > 0 {
			also = "also " + abridged(p.Also, 4)
		}
		rows = append(rows, []string{p.Path, name, p.Source.String(), also})
	}
	if kind == "shell" && rows == nil {
		t.line("\nNo shell.")
	}
	t.section(fmt.Sprintf("%s (%d)", headings[kind], len(rows)), rows)
}

// Chain is a chain of packages as text. The want at its head stands for
// itself where it is more than the name of the package after it.
func Chain(why []string) string {
	if len(why) > 1 && why[0] == fmt.Sprintf("want %q", why[1]) {
		why = why[1:]
	}
	return strings.Join(why, " > ")
}

func (t *writer) privileges(p *Privileges) {
	for _, part := range []struct {
		heading string
		list    []Privileged
	}{
		{"Set-uid and set-gid files", p.SetID}, {"File capabilities", p.Capabilities}, {"Writable by everyone", p.WorldWritable},
		{"Devices", p.Devices}, {"Keys", p.Secrets}, {"Rules of sudo and doas", p.Rules},
	} {
		var rows [][]string
		for _, f := range part.list {
			rows = append(rows, []string{f.Path, f.Mode, f.What, f.Source.String()})
		}
		t.section(fmt.Sprintf("%s (%d)", part.heading, len(rows)), rows)
	}
	var rows [][]string
	for _, u := range p.Users {
		rows = append(rows, []string{u.Name, fmt.Sprint(u.UID), "shell " + cmp.Or(u.Shell, "/bin/sh"), "password " + u.Password})
	}
	t.section(fmt.Sprintf("Users who can log in or have a shell (%d)", len(rows)), rows)
	rows = nil
	for _, w := range p.Writable {
		rows = append(rows, []string{w})
	}
	t.section(fmt.Sprintf("What %s can change (%d)", p.RunsAs, len(rows)), rows)
}

func (t *writer) libraries(l *Libraries) {
	var rows [][]string
	for _, m := range l.Missing {
		rows = append(rows, []string{m.Name, "needed by " + m.Object, m.Source.String(), onlyAt(m.Elsewhere)})
	}
	libraries := 0
	for _, o := range l.Objects {
		if o.Kind == "library" {
			libraries++
		}
	}
	t.section(fmt.Sprintf("Missing libraries (%d)", len(rows)), rows)
	var idle, named [][]string
	for _, i := range l.Unused {
		switch {
		case i.Family != "":
			continue
		case len(i.NamedBy) > 0:
			named = append(named, []string{i.Path, size(i.Size), "named by " + abridged(i.NamedBy, 3), Source{Package: i.Package}.String()})
		default:
			idle = append(idle, []string{i.Path, size(i.Size), Source{Package: i.Package}.String()})
		}
	}
	t.section(fmt.Sprintf("Libraries that nothing links to or names (%d)", len(idle)), idle)
	t.section(fmt.Sprintf("Libraries that nothing links to, but something names and may load (%d)", len(named)), named)
	t.section(fmt.Sprintf("Libraries loaded by name, by family (%d)", len(l.Unused)-len(idle)-len(named)), familyRows(l.Unused))
	rows = nil
	for _, d := range l.Duplicates {
		rows = append(rows, []string{d.Library, strings.Join(d.Paths, " ")})
	}
	t.section(fmt.Sprintf("Libraries at two versions (%d)", len(rows)), rows)
	t.line("\n%s of code, %d of them libraries; %s, %s", count(len(l.Objects), "file"), libraries, cmp.Or(l.Machine, "no machine"), cmp.Or(l.Libc, "no C library"))
}

func onlyAt(p string) string {
	if p == "" {
		return ""
	}
	return "is at " + p
}

func familyRows(list []Idle) [][]string {
	by := map[string]int{}
	bytes := map[string]int64{}
	for _, i := range list {
		if i.Family != "" {
			by[i.Family]++
			bytes[i.Family] += i.Size
		}
	}
	var rows [][]string
	for f, n := range by {
		rows = append(rows, []string{f, count(n, "file"), size(bytes[f])})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

func (t *writer) broken(list []Script) {
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.Path, "wants " + s.Interpreter, s.Source.String()})
	}
	t.section(fmt.Sprintf("Without an interpreter (%d)", len(rows)), rows)
}

func (t *writer) hardening(h *Hardening) {
	var rows [][]string
	for _, part := range []struct {
		what string
		list []string
	}{
		{"executable stack", h.ExecStack}, {"text relocations", h.Textrel}, {"not position independent", h.NoPIE}, {"no RELRO", h.NoRelro},
		{"partial RELRO", h.PartialRelro}, {"no stack protector seen", h.NoProtector}, {"no fortified call seen", h.NoFortify},
	} {
		if len(part.list) > 0 {
			rows = append(rows, []string{fmt.Sprintf("%s: %d", part.what, len(part.list)), abridged(part.list, 3)})
		}
	}
	t.section(fmt.Sprintf("Hardening of %s", count(h.Objects, "file")), rows)
}

func (t *writer) packages(r *Report) {
	list := slices.Clone(r.Packages)
	slices.SortStableFunc(list, func(a, b Package) int { return cmp.Compare(b.Size, a.Size) })
	var rows, scripts [][]string
	for _, p := range list {
		rows = append(rows, []string{p.Name, p.Version, size(p.Size), because(p)})
	}
	for _, p := range r.Packages {
		if len(p.Scripts) > 0 {
			scripts = append(scripts, []string{p.Name, strings.Join(p.Scripts, ", ")})
		}
	}
	t.section(fmt.Sprintf("Scripts of packages that were not run (%d)", len(scripts)), scripts)
	t.section(fmt.Sprintf("Packages, largest first (%d)", len(rows)), rows)
	if d := r.Distribution; d.SupportEnds != "" && !d.Ended {
		t.line("\n%s gets fixes until %s.", cmp.Or(d.Name, d.ID), d.SupportEnds)
	}
}

func because(p Package) string {
	chain := strings.TrimSuffix(strings.TrimSuffix(Chain(p.Why), p.Name), " > ")
	if chain == "" {
		return ""
	}
	return "because " + chain
}

// abridged is a list as text, cut after n.
func abridged(list []string, n int) string {
	if len(list) <= n+1 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

func paths(list []Privileged) string {
	var out []string
	for _, p := range list {
		out = append(out, p.Path)
	}
	return abridged(out, 6)
}

func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size is a number of bytes for people: 1.4 MiB.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}
