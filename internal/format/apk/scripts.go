package apk

import (
	"path"
	"slices"
	"strings"

	"compose/internal/script"
	"compose/rootfs"
)

// Scripts gives the scripts that apk would call to install pkgs on nothing
// (apk-package(5)): .pre-install and .post-install of each package with its
// version, after those of what it depends on; then every .trigger with the
// directories of packages that it watches.
//
// apk calls .pre-install before it unpacks the package. Here everything is
// unpacked already.
func (Format) Scripts(t *rootfs.Tree, pkgs []*rootfs.Package) []*script.Script {
	ordered := script.Order(pkgs, needs(pkgs))
	var calls []*script.Script
	for _, p := range ordered {
		calls = appendScript(calls, p, ".pre-install", p.Version)
		calls = appendScript(calls, p, ".post-install", p.Version)
	}
	for _, p := range ordered {
		if dirs := watched(t, fields(p)["triggers"]); len(dirs) > 0 {
			calls = appendScript(calls, p, ".trigger", dirs...)
		}
	}
	return calls
}

func appendScript(calls []*script.Script, p *rootfs.Package, name string, args ...string) []*script.Script {
	text, ok := p.Control[name]
	if !ok {
		return calls
	}
	return append(calls, &script.Script{
		Package: p.Name, Name: name, Text: text, Args: args,
		Path: "/lib/apk/exec/" + p.Name + "-" + p.Version + "." + checksum(p.Checksum) + name,
	})
}

// watched are the directories of packages that triggers match: globs that no
// star or question mark leads over a slash; a plus before one means those
// that changed, which on a new tree are all.
func watched(t *rootfs.Tree, triggers []string) (dirs []string) {
	var globs []string
	for _, list := range triggers {
		for g := range strings.FieldsSeq(list) {
			globs = append(globs, strings.TrimPrefix(g, "+"))
		}
	}
	if len(globs) == 0 {
		return nil
	}
	for n := range t.All() {
		if n.Type != rootfs.Dir || n.Package == "" {
			continue
		}
		if slices.ContainsFunc(globs, func(g string) bool { ok, err := path.Match(g, "/"+n.Path); return ok && err == nil }) {
			dirs = append(dirs, "/"+n.Path)
		}
	}
	return dirs
}

// needs gives the members of pkgs that a package depends on, or that provide
// what it does.
func needs(pkgs []*rootfs.Package) func(*rootfs.Package) []string {
	providers := map[string][]string{}
	for _, p := range pkgs {
		for _, name := range append(names(p, "provides"), p.Name) {
			providers[name] = append(providers[name], p.Name)
		}
	}
	return func(p *rootfs.Package) (found []string) {
		for _, name := range names(p, "depend") {
			found = append(found, providers[name]...)
		}
		return found
	}
}

// names are those of the atoms in a field of .PKGINFO.
func names(p *rootfs.Package, field string) (list []string) {
	for _, text := range fields(p)[field] {
		for word := range strings.FieldsSeq(text) {
			if a, conflict, err := parseAtom(word); err == nil && !conflict {
				list = append(list, a.Name)
			}
		}
	}
	return list
}
