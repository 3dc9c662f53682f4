package deb

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"maps"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// AutoDatabase is full where dpkg or apt ships and somebody may want to go on
// with them, and otherwise what scanners need to know.
func (Format) AutoDatabase(pkgs []*rootfs.Package) string {
	if has(pkgs, "dpkg") || has(pkgs, "apt") {
		return "full"
	}
	return "scanners"
}

// Database writes what dpkg knows of installed packages.
//
// full is dpkg's own database in /var/lib/dpkg: status, and in info the list
// of files, the control files and scripts of each package; with apt also its
// record of what was installed automatically. A package whose scripts have
// not all run is "unpacked", which is what dpkg itself would call it: dpkg
// --configure -a, or the next apt, finishes the job.
//
// scanners is the form that distroless images have, in status.d: the control
// file and md5sums of each package. dpkg does not read it.
//
// Files that are not in the tree are in no list: the database says what is
// there. A file that the manifest changed is one that dpkg --verify reports.
func (Format) Database(t *rootfs.Tree, pkgs []*rootfs.Package, kind string, c rootfs.Contents) ([]rootfs.Node, error) {
	d := database{tree: t, contents: c}
	switch kind {
	case "none":
		forget(t)
	case "scanners":
		forget(t)
		d.scanners(pkgs)
	case "full":
		d.full(pkgs)
	default:
		return nil, fmt.Errorf("%q: want full, scanners or none", kind)
	}
	return d.nodes, d.err
}

// forget takes away what scripts have told dpkg to remember, where no dpkg will
// ask for it.
func forget(t *rootfs.Tree) {
	for _, path := range []string{admin + "alternatives", admin + "diversions", admin + "statoverride", "var/lib/dpkg"} {
		n := t.Get(path)
		if n != nil && n.Package == "" && (path != "var/lib/dpkg" || len(t.Names(path)) == 0) {
			t.Remove(path)
		}
	}
}

// A database is the files of a database in the making, and the first mistake.
type database struct {
	tree     *rootfs.Tree
	contents rootfs.Contents
	nodes    []rootfs.Node
	err      error
}

// file adds a file.
func (d *database) file(path string, mode uint16, content []byte) {
	if d.err != nil {
		return
	}
	var ref cas.Ref
	ref, d.err = d.contents.Put(bytes.NewReader(content))
	d.nodes = append(d.nodes, rootfs.Node{Path: path, Type: rootfs.Regular, Mode: mode, Content: ref})
}

const admin = "var/lib/dpkg/"

func (d *database) scanners(pkgs []*rootfs.Package) {
	for _, p := range pkgs {
		i := d.installed(p)
		d.file(admin+"status.d/"+p.Name, 0o644, ended(p.Control["control"]))
		d.file(admin+"status.d/"+p.Name+".md5sums", 0o644, i.md5sums())
	}
}

func (d *database) full(pkgs []*rootfs.Package) {
	for _, path := range []string{"alternatives", "info", "parts", "triggers", "updates"} {
		d.nodes = append(d.nodes, dir(admin+path, 0o755))
	}
	var status bytes.Buffer
	for _, p := range pkgs {
		d.status(&status, p)
		d.info(p)
	}
	d.file(admin+"status", 0o644, status.Bytes())
	d.file(admin+"available", 0o644, nil)
	d.file(admin+"info/format", 0o644, []byte("1\n"))
	d.triggers(pkgs)
	if has(pkgs, "apt") {
		d.automatic(pkgs)
	}
}

// status writes a package's paragraph of the file status.
func (d *database) status(b *bytes.Buffer, p *rootfs.Package) {
	state := "installed"
	if len(p.Scripts) > 0 && !p.Configured {
		state = "unpacked"
	}
	for line := range bytes.Lines(ended(p.Control["control"])) {
		b.Write(line)
		if name, _, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Package")) {
			fmt.Fprintf(b, "Status: install ok %s\n", state)
		}
	}
	if files := d.conffiles(p); len(files) > 0 {
		b.WriteString("Conffiles:\n")
		b.Write(files)
	}
	b.WriteByte('\n')
}

// conffiles gives the package's configuration files with the MD5 sums that
// they had in the package (deb-conffiles(5)); a line with a flag is about a
// file that the package no longer has.
func (d *database) conffiles(p *rootfs.Package) []byte {
	var b []byte
	var nodes map[string]*rootfs.Node
	for line := range strings.Lines(string(p.Control["conffiles"])) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "/")
		if !ok || d.err != nil {
			continue
		}
		if nodes == nil {
			nodes = make(map[string]*rootfs.Node, len(p.Nodes))
			for i := range p.Nodes {
				nodes[p.Nodes[i].Path] = &p.Nodes[i]
			}
		}
		n := nodes[path]
		if n == nil || n.Type != rootfs.Regular || d.tree.Installed(n) == nil {
			continue
		}
		var content []byte
		if content, d.err = rootfs.Read(d.contents, n.Content); d.err == nil {
			b = fmt.Appendf(b, " /%s %x\n", path, md5.Sum(content))
		}
	}
	return b
}

// info writes a package's files in info. Those of a package that may be
// installed for several architectures at once have its architecture in their
// names.
func (d *database) info(p *rootfs.Package) {
	base := admin + "info/" + instance(p)
	i := d.installed(p)
	d.file(base+".list", 0o644, i.list())
	for _, name := range slices.Sorted(maps.Keys(p.Control)) {
		switch name {
		case "control":
		case "md5sums":
			d.file(base+".md5sums", 0o644, i.md5sums())
		case "config", "postinst", "postrm", "preinst", "prerm":
			d.file(base+"."+name, 0o755, p.Control[name])
		default:
			d.file(base+"."+name, 0o644, p.Control[name])
		}
	}
}

// instance is how dpkg's files name a package.
func instance(p *rootfs.Package) string {
	if field(p, "Multi-Arch") == "same" {
		return p.Name + ":" + p.Arch
	}
	return p.Name
}

// field is the first line of a control field, whose name is spelled as usual.
func field(p *rootfs.Package, name string) string {
	for line := range bytes.Lines(p.Control["control"]) {
		if f, value, ok := bytes.Cut(line, []byte(":")); ok && string(f) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// ended is a file that ends with a newline.
func ended(b []byte) []byte {
	return append(slices.Clip(bytes.TrimRight(b, "\n")), '\n')
}

// An installed is what is in the tree of a package.
type installed struct {
	*rootfs.Package
	gone map[string]bool // paths that are not
}

func (d *database) installed(p *rootfs.Package) installed {
	i := installed{p, map[string]bool{}}
	for k := range p.Nodes {
		if n := &p.Nodes[k]; d.tree.Installed(n) == nil {
			i.gone[n.Path] = true
		}
	}
	return i
}

// list is the file NAME.list: all paths, in the order of the archive, the
// root being "/.".
func (i installed) list() []byte {
	b := []byte("/.\n")
	for k := range i.Nodes {
		if path := i.Nodes[k].Path; path != "." && !i.gone[path] {
			b = fmt.Appendf(b, "/%s\n", path)
		}
	}
	return b
}

// md5sums is the package's own file of sums without what is gone.
func (i installed) md5sums() []byte {
	if len(i.gone) == 0 {
		return i.Control["md5sums"]
	}
	var b []byte
	for line := range bytes.Lines(i.Control["md5sums"]) {
		_, path, _ := bytes.Cut(bytes.TrimRight(line, "\n"), []byte("  "))
		if !i.gone[strings.TrimPrefix(string(path), "./")] {
			b = append(b, line...)
		}
	}
	return b
}

// triggers writes which package wants to know of what (deb-triggers(5)): the
// file File has paths, and every trigger with a name has its own file.
func (d *database) triggers(pkgs []*rootfs.Package) {
	files := map[string][]byte{"File": nil, "Unincorp": nil}
	for _, p := range pkgs {
		for line := range strings.Lines(string(p.Control["triggers"])) {
			f := strings.Fields(line)
			if len(f) != 2 || !strings.HasPrefix(f[0], "interest") {
				continue
			}
			name := instance(p)
			if f[0] == "interest-noawait" {
				name += "/noawait"
			}
			switch trigger := f[1]; {
			case strings.HasPrefix(trigger, "/"):
				files["File"] = fmt.Appendf(files["File"], "%s %s\n", trigger, name)
			case !strings.Contains(trigger, "/"):
				files[trigger] = fmt.Appendf(files[trigger], "%s\n", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		d.file(admin+"triggers/"+name, 0o644, files[name])
	}
}

// automatic writes what apt may remove again when nothing needs it any more:
// all that the manifest does not name. It does not know packages of
// architecture all by that, but by the machine's.
func (d *database) automatic(pkgs []*rootfs.Package) {
	native := ""
	for _, p := range pkgs {
		if p.Arch != "all" {
			native = p.Arch
		}
	}
	var b []byte
	for _, p := range pkgs {
		if !p.Wanted {
			b = fmt.Appendf(b, "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", p.Name, native)
		}
	}
	d.file("var/lib/apt/extended_states", 0o644, b)
}
