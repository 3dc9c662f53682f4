package deb

import (
	"bytes"
	"maps"
	"slices"

	"compose/internal/script"
	"compose/rootfs"
)

// Scripts gives the maintainer scripts that dpkg would call to install pkgs,
// all of them at once on nothing (Debian policy 6.5): preinst install of
// each, and when everything is unpacked postinst configure, with no version
// that was configured before, each after what its package depends on. Before
// the postinst of a package with questions, debconf calls its config script.
func (f Format) Scripts(_ *rootfs.Tree, pkgs []*rootfs.Package) []*script.Script {
	ordered := script.Order(pkgs, needs(pkgs))
	var calls []*script.Script
	for _, p := range ordered {
		calls = appendScript(calls, p, "preinst", "/var/lib/dpkg/tmp.ci/preinst", "install")
	}
	for _, p := range ordered {
		info := "/" + admin + "info/" + instance(p) + "."
		if p.Control["templates"] != nil && p.Control["postinst"] != nil {
			calls = appendScript(calls, p, "config", info+"config", "configure", "")
		}
		calls = appendScript(calls, p, "postinst", info+"postinst", "configure", "")
	}
	return calls
}

func appendScript(calls []*script.Script, p *rootfs.Package, name, path string, args ...string) []*script.Script {
	text, ok := p.Control[name]
	if !ok {
		return calls
	}
	return append(calls, &script.Script{
		Package: p.Name, Name: name, Path: path, Text: text, Args: args, Files: p.Control,
		Env: map[string]string{
			"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true",
			"DPKG_ADMINDIR": "/var/lib/dpkg", "DPKG_ROOT": "", "DPKG_RUNNING_VERSION": "1.22.21",
			"DPKG_MAINTSCRIPT_ARCH": p.Arch, "DPKG_MAINTSCRIPT_DEBUG": "0", "DPKG_MAINTSCRIPT_NAME": name,
			"DPKG_MAINTSCRIPT_PACKAGE": p.Name, "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
		},
	})
}

// needs gives the members of pkgs that a package depends on, and those that
// provide what it does.
func needs(pkgs []*rootfs.Package) func(*rootfs.Package) []string {
	providers := map[string][]string{}
	for _, p := range pkgs {
		for _, name := range atoms(p, "Provides") {
			providers[name] = append(providers[name], p.Name)
		}
	}
	return func(p *rootfs.Package) []string {
		found := map[string]bool{}
		for _, name := range slices.Concat(atoms(p, "Pre-Depends"), atoms(p, "Depends")) {
			found[name] = true
			for _, provider := range providers[name] {
				found[provider] = true
			}
		}
		return slices.Collect(maps.Keys(found))
	}
}

// atoms are the names in a field of relations. One that makes no sense has
// none: the index that chose the package was read more strictly.
func atoms(p *rootfs.Package, name string) (names []string) {
	clauses, err := appendClauses(nil, folded(p.Control["control"], name))
	if err != nil {
		return nil
	}
	for _, c := range clauses {
		for _, a := range c {
			names = append(names, a.Name)
		}
	}
	return names
}

// folded is a field with its continuation lines.
func folded(control []byte, name string) string {
	var text []byte
	in := false
	for line := range bytes.Lines(control) {
		if line[0] != ' ' && line[0] != '\t' {
			field, value, ok := bytes.Cut(line, []byte(":"))
			if in = ok && string(field) == name; in {
				text = append(text, value...)
			}
		} else if in {
			text = append(text, line...)
		}
	}
	return string(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\n"), []byte(" "))))
}
