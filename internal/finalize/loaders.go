package finalize

import (
	_ "embed"
	"path"
	"slices"
	"strings"

	"compose/rootfs"
)

// loaders is gdk-pixbuf-query-loaders(1): the list of the modules that read
// image formats, without which gdk-pixbuf uses none of them. The real program
// loads each module and asks it; what those of Debian's archive answer is in
// loaders.txt, by the module's name. A module that is not there is left out
// and noted.
//
// GIO has a list of its modules too, which only saves it looking for them.
var loaders = finalizer{
	name:    "module-caches",
	program: "gdk-pixbuf-query-loaders(1)",
	applies: func(in *Input) bool { return len(loaderDirs(in.Tree)) > 0 },
	run: func(j *job) error {
		known := knownLoaders()
		for _, dir := range loaderDirs(j.Tree) {
			if err := j.file(path.Dir(dir)+"/loaders.cache", 0o644, []byte(j.loaderList(dir, known))); err != nil {
				return err
			}
		}
		return nil
	},
}

// loaderDirs are the folders of modules, of one architecture as a rule.
func loaderDirs(t *rootfs.Tree) []string {
	return slices.DeleteFunc(glob(t, "usr/lib/*/gdk-pixbuf-2.0/2.10.0/loaders"), func(dir string) bool { return !isDir(t, dir) })
}

//go:embed loaders.txt
var loaderText string

// knownLoaders gives the lines of loaders.txt by the module's name.
func knownLoaders() map[string]string {
	known := map[string]string{}
	for block := range strings.SplitSeq(loaderText, "\n\n") {
		name, lines, _ := strings.Cut(block, "\n")
		known[strings.Trim(name, `"`)] = strings.TrimSuffix(lines, "\n")
	}
	return known
}

// loaderList is the list of the modules in dir.
func (j *job) loaderList(dir string, known map[string]string) string {
	var b strings.Builder
	b.WriteString("# GdkPixbuf Image Loader Modules file\n# Automatically generated file, do not edit\n")
	b.WriteString("# Created by gdk-pixbuf-query-loaders from gdk-pixbuf-" + j.upstream("libgdk-pixbuf-2.0-0") + "\n#\n")
	b.WriteString("# LoaderDir = /" + dir + "\n#\n")
	for _, name := range j.Tree.Names(j.Tree.Lookup(dir).Path) {
		lines, ok := known[name]
		switch {
		case ok:
			b.WriteString(`"/` + dir + "/" + name + "\"\n" + lines + "\n\n")
		case strings.HasSuffix(name, ".so"):
			j.odd("/%s/%s: what it reads is not known", dir, name)
		}
	}
	return b.String()
}

// upstream is the version of a package without what the distribution adds:
// 2.42.12 of 2.42.12+dfsg-4.
func (j *job) upstream(name string) string {
	for _, p := range j.Packages {
		if p.Name == name {
			_, version, _ := strings.Cut(":"+p.Version, ":")
			version = version[strings.IndexByte(version, ':')+1:]
			version, _, _ = strings.Cut(version, "-")
			version, _, _ = strings.Cut(version, "+")
			return version
		}
	}
	return "unknown"
}
