package deb

import (
	"slices"

	"compose/rootfs"
)

// loaderDirs are the directories beside /usr/lib where the dynamic loader of
// an architecture is looked for (base-files' debian/rules): programs name
// /lib64/ld-linux-x86-64.so.2, and libc6 ships it below /usr.
var loaderDirs = map[string]string{
	"amd64": "lib64", "loong64": "lib64", "mips64el": "lib64", "ppc64": "lib64", "ppc64el": "lib64", "sparc64": "lib64", "x32": "libx32",
}

// Layout lays what debootstrap and base-files do, in two steps.
//
// Every tree gets the links of a merged /usr, without which no dynamic
// program runs, the directories on which a container runtime or chroot mounts
// something, and those that programs may always rely on: /tmp, /run and their
// like. With base-files in the tree there are also the directories that its
// postinst makes (all of Debian's hier(7) beyond its own archive).
//
// base-files' archive has /var/run and /var/lock as directories, which its
// postinst replaces with links; here the links are first and stay.
func (Format) Layout(arch string, pkgs []*rootfs.Package) []rootfs.Node {
	nodes := []rootfs.Node{
		dir("dev", 0o755), dir("etc", 0o755), dir("home", 0o755), dir("proc", 0o755), dir("root", 0o700),
		dir("run", 0o755), dir("run/lock", 0o1777), dir("sys", 0o755), dir("tmp", 0o1777),
		dir("usr", 0o755), dir("usr/bin", 0o755), dir("usr/lib", 0o755), dir("usr/sbin", 0o755), dir("usr/share", 0o755),
		dir("var", 0o755), dir("var/cache", 0o755), dir("var/lib", 0o755), dir("var/log", 0o755), dir("var/tmp", 0o1777),
		link("bin", "usr/bin"), link("lib", "usr/lib"), link("sbin", "usr/sbin"),
		link("var/lock", "/run/lock"), link("var/run", "/run"),
	}
	if name, ok := loaderDirs[arch]; ok {
		nodes = append(nodes, dir("usr/"+name, 0o755), link(name, "usr/"+name))
	}
	if has(pkgs, "base-files") {
		nodes = append(nodes, baseFiles...)
	}
	return nodes
}

// baseFiles is what base-files' postinst makes, but for the copies of its
// dot files and the empty logs. mail is group 8 in base-passwd.
var baseFiles = []rootfs.Node{
	dir("etc/opt", 0o755), dir("media", 0o755), dir("mnt", 0o755), dir("opt", 0o755), dir("srv", 0o755), dir("var/opt", 0o755),
	{Path: "var/mail", Type: rootfs.Dir, Mode: 0o2775, GID: 8},
	dir("var/spool", 0o755), link("var/spool/mail", "../mail"),
	dir("usr/local", 0o755), dir("usr/local/bin", 0o755), dir("usr/local/etc", 0o755), dir("usr/local/games", 0o755),
	dir("usr/local/include", 0o755), dir("usr/local/lib", 0o755), dir("usr/local/libexec", 0o755), dir("usr/local/sbin", 0o755),
	dir("usr/local/share", 0o755), dir("usr/local/share/man", 0o755), dir("usr/local/src", 0o755),
	link("usr/local/man", "share/man"),
	dir("etc/dpkg", 0o755), dir("etc/dpkg/origins", 0o755), link("etc/dpkg/origins/default", "debian"),
}

func has(pkgs []*rootfs.Package, name string) bool {
	return slices.ContainsFunc(pkgs, func(p *rootfs.Package) bool { return p.Name == name })
}

func dir(path string, mode uint16) rootfs.Node {
	return rootfs.Node{Path: path, Type: rootfs.Dir, Mode: mode}
}

func link(path, target string) rootfs.Node {
	return rootfs.Node{Path: path, Type: rootfs.Symlink, Mode: 0o777, Link: target}
}

// Prefer is the field Replaces (Debian policy 7.6.1): the package that names
// the other, at its version, takes over its files. dpkg asks the one that is
// unpacked later; where both name each other, that depends on its order, and
// here the first in the order of names keeps the file.
func (Format) Prefer(a, b *rootfs.Package) *rootfs.Package {
	switch {
	case mayReplace(a, b):
		return a
	case mayReplace(b, a):
		return b
	}
	return nil
}

// mayReplace reports whether a replaces b.
func mayReplace(a, b *rootfs.Package) bool {
	return slices.ContainsFunc(a.Replaces, func(r rootfs.Replace) bool {
		return r.Name == b.Name && Format{}.Satisfies(b.Version, r.Op, r.Version)
	})
}
