package audit

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"compose/rootfs"
)

// A Diff is what distinguishes two images.
type Diff struct {
	Was       string       `json:"was"`
	Is        string       `json:"is"`
	Platform  string       `json:"platform,omitempty"`
	Size      [2]int64     `json:"size"` // of all contents, in bytes
	Packages  []Change     `json:"packages"`
	Programs  []Change     `json:"programs"`   // shells and the like, by path
	Privilege []Change     `json:"privileges"` // set-uid files, capabilities, what everyone can write to, devices, by path
	Libraries []Change     `json:"libraries"`  // by soname: where they are
	Missing   []Change     `json:"missingLibraries"`
	Config    []Change     `json:"config"`
	Files     []FileChange `json:"files"`
}

// A Change is something that was one way and is another; "" stands for
// something that was not there, or is not any more.
type Change struct {
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// A FileChange is a path that was added, removed or changed.
type FileChange struct {
	Path    string   `json:"path"`
	Package string   `json:"package,omitempty"`
	Change  string   `json:"change"`           // added, removed, changed
	Fields  []Change `json:"fields,omitempty"` // what differs: content, mode, owner, link, type, time, xattrs, device
	Size    int64    `json:"size"`             // by how much it grew, in bytes
}

// Same reports whether the images do not differ.
func (d *Diff) Same() bool {
	return len(d.Packages) == 0 && len(d.Files) == 0 && len(d.Config) == 0
}

// Compare tells what became of image a in image b.
func Compare(a, b *Report) *Diff {
	d := &Diff{Was: a.Image, Is: b.Image, Platform: b.Platform, Size: [2]int64{a.Size, b.Size}, Files: files(a.tree, b.tree)}
	d.Packages = changes(a, b, func(r *Report, add func(name, is string)) {
		for _, p := range r.Packages {
			add(p.Name, p.Version)
		}
	})
	d.Programs = changes(a, b, func(r *Report, add func(name, is string)) {
		for _, p := range r.Programs {
			add(p.Path, p.Kind+" "+p.Name)
		}
	})
	d.Privilege = changes(a, b, func(r *Report, add func(name, is string)) {
		for _, p := range slices.Concat(r.Privileges.SetID, r.Privileges.Capabilities, r.Privileges.WorldWritable, r.Privileges.Devices, r.Privileges.Secrets) {
			add(p.Path, p.What)
		}
	})
	d.Libraries = changes(a, b, func(r *Report, add func(name, is string)) {
		for _, o := range r.Libraries.Objects {
			if o.Kind == "library" && o.Soname != "" {
				add(o.Soname, o.Path)
			}
		}
	})
	d.Missing = changes(a, b, func(r *Report, add func(name, is string)) {
		for _, m := range r.Libraries.Missing {
			if m.Broken() {
				add(m.Name, "needed by "+m.Object)
			}
		}
	})
	d.Config = changes(a, b, func(r *Report, add func(name, is string)) {
		add("user", r.Config.User)
		add("entrypoint", strings.Join(r.Config.Entrypoint, " "))
		add("cmd", strings.Join(r.Config.Cmd, " "))
		for _, e := range r.Config.Env {
			name, value, _ := strings.Cut(e, "=")
			add("env "+name, value)
		}
	})
	return d
}

// changes compares what list gives of two reports. What has one name more
// than once is compared as a whole.
func changes(a, b *Report, list func(r *Report, add func(name, is string))) []Change {
	var all [2]map[string][]string
	var names []string
	for i, r := range []*Report{a, b} {
		all[i] = map[string][]string{}
		list(r, func(name, is string) {
			all[i][name] = append(all[i][name], is)
			names = append(names, name)
		})
	}
	slices.Sort(names)
	out := []Change{}
	for _, n := range slices.Compact(names) {
		if c := (Change{n, strings.Join(all[0][n], ", "), strings.Join(all[1][n], ", ")}); c.Was != c.Is {
			out = append(out, c)
		}
	}
	return out
}

// files compares two trees, path by path.
func files(a, b *rootfs.Tree) []FileChange {
	out := []FileChange{}
	for n := range a.All() {
		if b.Get(n.Path) == nil {
			out = append(out, FileChange{Path: "/" + n.Path, Package: n.Package, Change: "removed", Size: -contentSize(n)})
		}
	}
	for n := range b.All() {
		old := a.Get(n.Path)
		if old == nil {
			out = append(out, FileChange{Path: "/" + n.Path, Package: n.Package, Change: "added", Size: contentSize(n)})
			continue
		}
		if fields := fields(old, n); len(fields) > 0 {
			out = append(out, FileChange{Path: "/" + n.Path, Package: n.Package, Change: "changed", Fields: fields, Size: contentSize(n) - contentSize(old)})
		}
	}
	slices.SortFunc(out, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func contentSize(n *rootfs.Node) int64 {
	if n.Type != rootfs.Regular {
		return 0
	}
	return n.Content.Size
}

// fields are those in which two nodes of one path differ.
func fields(a, b *rootfs.Node) (list []Change) {
	note := func(name string, same bool, was, is string) {
		if !same {
			list = append(list, Change{name, was, is})
		}
	}
	note("type", a.Type == b.Type, string(a.Type), string(b.Type))
	if a.Type != b.Type {
		return list
	}
	note("content", a.Content.Digest == b.Content.Digest, a.Content.Digest.String(), b.Content.Digest.String())
	note("mode", a.Mode == b.Mode, modeString(a.Mode), modeString(b.Mode))
	note("owner", a.UID == b.UID && a.GID == b.GID, fmt.Sprintf("%d:%d", a.UID, a.GID), fmt.Sprintf("%d:%d", b.UID, b.GID))
	note("link", a.Link == b.Link, a.Link, b.Link)
	note("device", a.Major == b.Major && a.Minor == b.Minor, fmt.Sprintf("%d,%d", a.Major, a.Minor), fmt.Sprintf("%d,%d", b.Major, b.Minor))
	sameXattr := func(x, y rootfs.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) }
	note("xattrs", slices.EqualFunc(a.Xattrs, b.Xattrs, sameXattr), xattrText(a), xattrText(b))
	if a.Type == rootfs.Regular || a.Type == rootfs.Symlink {
		note("time", a.MTime == b.MTime, fmt.Sprint(a.MTime), fmt.Sprint(b.MTime))
	}
	return list
}

// xattrText is capabilities as getcap prints them, other attributes in hex.
func xattrText(n *rootfs.Node) string {
	var list []string
	for _, x := range n.Xattrs {
		if x.Name == "security.capability" {
			list = append(list, capabilityText(x.Value))
			continue
		}
		list = append(list, fmt.Sprintf("%s=%x", x.Name, x.Value))
	}
	return strings.Join(list, " ")
}

// A part of a diff is a list with its heading.
type part struct {
	heading string
	list    []Change
}

// parts are all but the files.
func (d *Diff) parts() []part {
	return []part{
		{"Packages", d.Packages}, {"Shells and other programs", d.Programs}, {"Privileges", d.Privilege},
		{"Missing libraries", d.Missing}, {"Libraries", d.Libraries}, {"Configuration", d.Config},
	}
}

// Text writes the diff for people. Lists are cut after limit lines; 0 cuts
// none.
func (d *Diff) Text(w io.Writer, limit int) error {
	t := &writer{limit: limit}
	t.line("%s", d.headline())
	for _, s := range d.parts() {
		var rows [][]string
		for _, c := range s.list {
			rows = append(rows, []string{c.sign(), c.Name, c.text(" -> ")})
		}
		t.section(fmt.Sprintf("%s (%d)", s.heading, len(rows)), rows)
	}
	var rows [][]string
	for _, f := range d.Files {
		rows = append(rows, []string{f.sign(), f.Path, grown(f.Size), f.text()})
	}
	t.section(fmt.Sprintf("Files (%d)", len(rows)), rows)
	_, err := io.WriteString(w, t.String())
	return err
}

// Markdown writes the diff as a comment on a change: tables, files folded.
func (d *Diff) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", markdown(d.headline()))
	for _, s := range d.parts() {
		if len(s.list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n**%s**\n\n| | | was | is |\n|-|-|-|-|\n", s.heading)
		for _, c := range s.list {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.sign(), markdown(c.Name), markdown(c.Was), markdown(c.Is))
		}
	}
	if len(d.Files) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%s differ</summary>\n\n| | file | size | |\n|-|-|-|-|\n", count(len(d.Files), "path"))
		for _, f := range d.Files {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.sign(), markdown(f.Path), grown(f.Size), markdown(f.text()))
		}
		b.WriteString("\n</details>\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown escapes what would be markup.
func markdown(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "@", "&#64;", "\n", " ").Replace(s)
}

func (d *Diff) headline() string {
	names := d.Was + " -> " + d.Is
	if d.Platform != "" {
		names += ", " + d.Platform
	}
	if d.Same() {
		return names + ": the same files, packages and configuration"
	}
	return fmt.Sprintf("%s: %s, %s; %s -> %s (%s)", names, differ(len(d.Packages), "package"), differ(len(d.Files), "path"),
		size(d.Size[0]), size(d.Size[1]), cmp.Or(grown(d.Size[1]-d.Size[0]), "no change"))
}

func differ(n int, what string) string {
	if n == 1 {
		return "1 " + what + " differs"
	}
	return fmt.Sprintf("%d %ss differ", n, what)
}

func (c Change) sign() string {
	switch {
	case c.Was == "":
		return "+"
	case c.Is == "":
		return "-"
	}
	return "~"
}

func (c Change) text(arrow string) string {
	if c.Was == "" || c.Is == "" {
		return c.Was + c.Is
	}
	return c.Was + arrow + c.Is
}

func (f FileChange) sign() string {
	switch f.Change {
	case "added":
		return "+"
	case "removed":
		return "-"
	}
	return "~"
}

// text names the fields that differ; digests say nothing to people.
func (f FileChange) text() string {
	var list []string
	for _, c := range f.Fields {
		switch c.Name {
		case "content", "time":
			list = append(list, c.Name)
		default:
			list = append(list, c.Name+" "+cmp.Or(c.Was, "none")+" -> "+cmp.Or(c.Is, "none"))
		}
	}
	return strings.Join(list, ", ")
}

// grown is a difference of sizes: +1.2 KiB; "" for none.
func grown(n int64) string {
	switch {
	case n > 0:
		return "+" + size(n)
	case n < 0:
		return "-" + size(-n)
	}
	return ""
}
