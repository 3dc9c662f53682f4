package deb

import (
	"path"
	"strings"

	"compose/resolve"
	"compose/rootfs"
)

// Installed reads dpkg's database, and the form of it that images for
// scanners have (see Database). A stanza that is damaged is passed over.
func (Format) Installed(t *rootfs.Tree, c rootfs.Contents) (pkgs []resolve.Package, owner map[string]string, err error) {
	i := inventory{tree: t, contents: c, owner: map[string]string{}}
	i.stanzas(admin+"status", true)
	for n := range t.All() {
		dir, base := path.Split(n.Path)
		switch {
		case dir == admin+"status.d/" && strings.HasSuffix(base, ".md5sums"):
			i.owned(n.Path, packageOf(base, ".md5sums"), func(line string) string {
				_, p, _ := strings.Cut(line, "  ")
				return p
			})
		case dir == admin+"status.d/":
			i.stanzas(n.Path, false)
		case dir == admin+"info/" && strings.HasSuffix(base, ".list"):
			i.owned(n.Path, packageOf(base, ".list"), func(line string) string { return line })
		}
	}
	return i.pkgs, i.owner, i.err
}

// packageOf is the package that a file of the database is about: libc6 of
// libc6:amd64.list.
func packageOf(base, suffix string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(base, suffix), ":")
	return name
}

// An inventory is being read.
type inventory struct {
	tree     *rootfs.Tree
	contents rootfs.Contents
	pkgs     []resolve.Package
	owner    map[string]string
	err      error
}

// text is the content of a file of the database.
func (i *inventory) text(name string) string {
	const limit = 256 << 20 // Debian's whole archive installed would have 60 MB
	n := i.tree.Lookup(name)
	if i.err != nil || n == nil || n.Type != rootfs.Regular || n.Content.Size > limit {
		return ""
	}
	data, err := rootfs.Read(i.contents, n.Content)
	i.err = err
	return string(data)
}

// stanzas reads a file of control stanzas. In dpkg's own, a package may be
// listed that is not there any more.
func (i *inventory) stanzas(name string, states bool) {
	for text := range strings.SplitSeq(i.text(name), "\n\n") {
		if strings.Trim(text, "\n") == "" {
			continue
		}
		s, err := parseControl([]byte(strings.Trim(text, "\n")))
		if err != nil || s["package"] == "" || states && !present(s["status"]) {
			continue
		}
		var p rootfs.Package
		if s.describe(&p) != nil {
			continue
		}
		k := resolve.Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, SourceVersion: p.SourceVersion, InstalledSize: p.InstalledSize,
			Fields: resolve.Fields{Depends: s["depends"], PreDepends: s["pre-depends"]},
		}
		if s["provides"] != "" {
			k.Provides, _ = appendAtoms(nil, s["provides"])
		}
		i.pkgs = append(i.pkgs, k)
	}
}

// present reports whether a Status says that the files of a package are there.
func present(status string) bool {
	words := strings.Fields(status)
	return len(words) == 3 && words[2] != "not-installed" && words[2] != "config-files"
}

// owned reads a list of a package's files, by its lines.
func (i *inventory) owned(name, pkg string, file func(line string) string) {
	for line := range strings.Lines(i.text(name)) {
		p := i.tree.Real(strings.TrimPrefix(strings.TrimPrefix(file(strings.TrimRight(line, "\n")), "/"), "./"))
		if n := i.tree.Get(p); n != nil && n.Type != rootfs.Dir {
			i.owner[p] = pkg
		}
	}
}
