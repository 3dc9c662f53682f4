package apk

import (
	"slices"

	"compose/rootfs"
)

// Layout lays the directories on which a container runtime or chroot mounts
// something, and those that programs may always rely on. alpine-baselayout
// brings the rest; where it is in the tree there is no more to do.
//
// Whether /usr is merged is not decided here: a release that merges it brings
// the links in a package, and these are laid before anything below them.
func (Format) Layout(arch string, pkgs []*rootfs.Package) []rootfs.Node {
	return []rootfs.Node{
		dir("dev", 0o755), dir("etc", 0o755), dir("home", 0o755), dir("proc", 0o755), dir("root", 0o700),
		dir("run", 0o755), dir("sys", 0o755), dir("tmp", 0o1777), dir("usr", 0o755),
		dir("var", 0o755), dir("var/tmp", 0o1777), {Path: "var/run", Type: rootfs.Symlink, Mode: 0o777, Link: "/run"},
	}
}

func dir(path string, mode uint16) rootfs.Node {
	return rootfs.Node{Path: path, Type: rootfs.Dir, Mode: mode}
}

// Prefer is the field replaces with replaces_priority, as apk-tools reads
// them (src/database.c, apk_db_install_archive_entry): a package that
// replaces the other keeps its file unless the other replaces it too, with a
// higher priority. Packages of one origin may always share a path. apk then
// lets the later installed win; here it is the first in the order of names.
func (Format) Prefer(a, b *rootfs.Package) *rootfs.Package {
	pa, pb := priority(a, b), priority(b, a)
	switch {
	case pb > pa:
		return b
	case pa >= 0, a.Source != "" && a.Source == b.Source:
		return a
	}
	return nil
}

// priority is with what right a takes over files of b, below zero if it has
// none.
func priority(a, b *rootfs.Package) int {
	if slices.ContainsFunc(a.Replaces, func(r rootfs.Replace) bool {
		return r.Name == b.Name && Format{}.Satisfies(b.Version, r.Op, r.Version)
	}) {
		return a.Priority
	}
	return -1
}
