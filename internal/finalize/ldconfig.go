package finalize

import (
	"encoding/binary"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"compose/internal/cas"
	"compose/rootfs"
)

// ldconfig is ldconfig(8) of glibc as Debian builds it: the cache that the
// dynamic linker looks libraries up in, byte for byte, and the links that
// libraries are found by.
//
// Where /etc/ld.so.conf is missing, since libc-bin is not in the image, the
// line of Debian's stands for it: there is nothing else that would find the
// libraries of /usr/local, or of packages with a folder of their own. A link
// that leads nowhere stays, other than with the real program: it is a
// package's own file, and the manifest may yet bring what it leads to. The
// auxiliary cache, which only saves a later ldconfig time, is not made.
var ldconfig = finalizer{
	name:    "ldconfig",
	program: "ldconfig(8) of glibc",
	applies: func(in *Input) bool {
		return slices.ContainsFunc(platforms, func(p platform) bool { return p.arch == in.Arch && isFile(in.Tree, p.loader) })
	},
	run: func(j *job) error {
		l := &linker{job: j, libraries: map[cas.Digest]library{}}
		return l.run()
	},
}

// A platform is what glibc's ldconfig is built with for an architecture.
type platform struct {
	arch    string // dpkg's name
	triplet string // of the multiarch directories
	loader  string // the dynamic linker's path
	order   binary.AppendByteOrder
	flags   func(library) (uint32, bool) // of the cache, for a library; false: none of this platform's
}

// Numbers of elf.h and of glibc's sysdeps/generic/ldconfig.h.
const (
	em386, emPPC64, emS390, emARM, emX8664, emAArch64, emRISCV, emLoong = 3, 21, 22, 40, 62, 183, 243, 258

	flagLibc6 = 3
)

var platforms = []platform{
	{"amd64", "x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2", binary.LittleEndian, func(l library) (uint32, bool) {
		switch {
		case l.machine == emX8664 && l.class == 2:
			return 0x0300 | flagLibc6, true
		case l.machine == emX8664:
			return 0x0800 | flagLibc6, true
		}
		return flagLibc6, l.machine == em386 && l.class == 1
	}},
	{"arm64", "aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1", binary.LittleEndian, func(l library) (uint32, bool) {
		if l.class == 1 {
			return armFlags(l)
		}
		return 0x0a00 | flagLibc6, l.machine == emAArch64
	}},
	{"armhf", "arm-linux-gnueabihf", "lib/ld-linux-armhf.so.3", binary.LittleEndian, armFlags},
	{"armel", "arm-linux-gnueabi", "lib/ld-linux.so.3", binary.LittleEndian, armFlags},
	{"i386", "i386-linux-gnu", "lib/ld-linux.so.2", binary.LittleEndian, only(1, em386, flagLibc6)},
	{"ppc64el", "powerpc64le-linux-gnu", "lib64/ld64.so.2", binary.LittleEndian, only(2, emPPC64, 0x0500|flagLibc6)},
	{"riscv64", "riscv64-linux-gnu", "lib/ld-linux-riscv64-lp64d.so.1", binary.LittleEndian, func(l library) (uint32, bool) {
		const doubles = 4 // EF_RISCV_FLOAT_ABI_DOUBLE
		switch l.flags & 6 {
		case doubles:
			return 0x1000 | flagLibc6, l.machine == emRISCV
		case 0:
			return 0x0f00 | flagLibc6, l.machine == emRISCV
		}
		return 0, false
	}},
	{"loong64", "loongarch64-linux-gnu", "lib64/ld-linux-loongarch-lp64d.so.1", binary.LittleEndian, only(2, emLoong, 0x1200|flagLibc6)},
	{"s390x", "s390x-linux-gnu", "lib/ld64.so.1", binary.BigEndian, only(2, emS390, 0x0400|flagLibc6)},
}

// only is the flags of a platform that has one kind of library.
func only(class byte, machine uint16, flags uint32) func(library) (uint32, bool) {
	return func(l library) (uint32, bool) { return flags, l.class == class && l.machine == machine }
}

// armFlags tells the two ways apart that 32-bit ARM passes numbers in.
func armFlags(l library) (uint32, bool) {
	const version5, hard, soft = 0x05000000, 0x400, 0x200 // EF_ARM_EABI_VER5, EF_ARM_ABI_FLOAT_*
	flags := uint32(flagLibc6)
	if l.flags&0xff000000 == version5 {
		switch {
		case l.flags&hard != 0:
			flags |= 0x0900
		case l.flags&soft != 0:
			flags |= 0x0b00
		}
	}
	return flags, l.class == 1 && l.machine == emARM
}

// A linker is one run of ldconfig.
type linker struct {
	*job
	platform  platform
	dirs      []libraryDir
	libraries map[cas.Digest]library // what is known, by content
}

// A libraryDir is a directory that is searched.
type libraryDir struct {
	name  string // as it was given, absolute: what the cache says
	real  string // in the tree
	hwcap string // name of the folder in glibc-hwcaps; "" for others
}

func (l *linker) run() error {
	i := slices.IndexFunc(platforms, func(p platform) bool { return p.arch == l.Arch })
	l.platform = platforms[i]
	if err := l.search(); err != nil {
		return err
	}
	if err := l.inspect(); err != nil {
		return err
	}
	var entries []cacheEntry
	for _, d := range l.dirs {
		found, err := l.directory(d)
		if err != nil {
			return err
		}
		entries = append(entries, found...)
	}
	return l.file("etc/ld.so.cache", 0o644, encodeCache(entries, l.generator(), l.platform.order))
}

// generator is the line by which glibc's ldconfig says who wrote the cache.
func (l *linker) generator() string {
	for _, name := range []string{"libc-bin", "libc6"} {
		i := slices.IndexFunc(l.Packages, func(p *rootfs.Package) bool { return p.Name == name })
		if i < 0 {
			continue
		}
		version := l.Packages[i].Version
		vendor := "Debian"
		if strings.Contains(version, "ubuntu") {
			vendor = "Ubuntu"
		}
		upstream, _, _ := strings.Cut(version, "-")
		return "ldconfig (" + vendor + " GLIBC " + version + ") stable release version " + upstream
	}
	return "ldconfig"
}

// search lists the directories: those of ld.so.conf, then Debian's own.
func (l *linker) search() error {
	c := &conf{linker: l, read: map[string]bool{}}
	if isFile(l.Tree, "etc/ld.so.conf") {
		if err := c.file("etc/ld.so.conf"); err != nil {
			return err
		}
	} else if err := c.include("etc", "ld.so.conf.d/*.conf"); err != nil {
		return err
	}
	for _, d := range []string{"/lib/" + l.platform.triplet, "/usr/lib/" + l.platform.triplet, "/lib", "/usr/lib"} {
		l.addDir(d)
	}
	return nil
}

// addDir adds a directory, unless it is there under another name.
func (l *linker) addDir(line string) {
	name := strings.TrimRight(strings.TrimRight(line, " \t\v\f\r\n"), "/")
	if !strings.HasPrefix(name, "/") {
		return
	}
	n := l.Tree.Lookup(clean(name))
	if n == nil || n.Type != rootfs.Dir || slices.ContainsFunc(l.dirs, func(d libraryDir) bool { return d.real == n.Path }) {
		return
	}
	l.dirs = append(l.dirs, libraryDir{name: name, real: n.Path})
	caps := n.Path + "/glibc-hwcaps"
	for _, h := range l.Tree.Names(caps) {
		if isDir(l.Tree, caps+"/"+h) {
			l.dirs = append(l.dirs, libraryDir{name + "/glibc-hwcaps/" + h, l.Tree.Lookup(caps + "/" + h).Path, h})
		}
	}
}

// clean is an absolute path as the tree spells it.
func clean(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p == "" {
		return "."
	}
	return p
}

// A conf reads ld.so.conf and what it includes.
type conf struct {
	*linker
	read map[string]bool // files that were read: each counts once
}

func (c *conf) file(name string) error {
	n := c.Tree.Lookup(name)
	if n == nil || c.read[n.Path] || len(c.read) > 1000 {
		return nil
	}
	c.read[n.Path] = true
	data, err := c.text(name)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "#")
		line = strings.TrimLeft(line, " \t\v\f\r")
		rest, isInclude := strings.CutPrefix(line, "include")
		switch {
		case isInclude && strings.HasPrefix(strings.ReplaceAll(rest, "\t", " "), " "):
			for _, pattern := range strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '\t' }) {
				if err := c.include(path.Dir(name), pattern); err != nil {
					return err
				}
			}
		case len(line) > 5 && strings.EqualFold(line[:5], "hwcap") && (line[5] == ' ' || line[5] == '\t'):
			// glibc ignores the directive since 2.37
		default:
			c.addDir(line)
		}
	}
	return nil
}

// include reads the files that match, in the order of their names.
func (c *conf) include(dir, pattern string) error {
	if !strings.HasPrefix(pattern, "/") {
		pattern = dir + "/" + pattern
	}
	for _, name := range glob(c.Tree, clean(pattern)) {
		if err := c.file(name); err != nil {
			return err
		}
	}
	return nil
}

// glob gives the paths that match, sorted. A pattern's every name is matched
// on its own, as glob(7) says; what begins with a dot needs one in the
// pattern.
func glob(t *rootfs.Tree, pattern string) []string {
	paths := []string{"."}
	for name := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range paths {
			n := t.Lookup(dir)
			if n == nil {
				continue
			}
			if !strings.ContainsAny(name, "*?[\\") {
				if t.Get(t.Real(path.Join(dir, name))) != nil {
					next = append(next, path.Join(dir, name))
				}
				continue
			}
			for _, is := range t.Names(n.Path) {
				if ok, _ := path.Match(name, is); ok && (is[0] != '.' || name[0] == '.') {
					next = append(next, path.Join(dir, is))
				}
			}
		}
		paths = next
	}
	slices.Sort(paths)
	return paths
}

// isLibrary reports whether ldconfig looks at a file of that name.
func isLibrary(name string) bool {
	var prefix bool
	for _, p := range []string{"lib", "ld-", "ld.so", "ld64.so"} {
		prefix = prefix || strings.HasPrefix(name, p)
	}
	return prefix && strings.Contains(name, ".so") && !isTemporary(name)
}

// isTemporary reports names of files that rpm, dpkg and prelink have not
// finished.
func isTemporary(name string) bool {
	const prelink = ".#prelink#"
	i := strings.LastIndex(name, prelink)
	return strings.Contains(name, ";") || strings.HasSuffix(name, ".dpkg-new") || strings.HasSuffix(name, ".dpkg-tmp") ||
		i >= 0 && (i+len(prelink) == len(name) || i+len(prelink+".XXXXXX") == len(name) && name[i+len(prelink)] == '.')
}

// candidates calls f for each file of a directory that may be a library.
func (l *linker) candidates(d libraryDir, f func(name string, n, file *rootfs.Node)) {
	for _, name := range l.Tree.Names(d.real) {
		if !isLibrary(name) {
			continue
		}
		p := path.Join(d.real, name)
		if file := l.Tree.Lookup(p); file != nil && file.Type == rootfs.Regular {
			f(name, l.Tree.Get(p), file)
		}
	}
}

// A derived store keeps what was computed from a content.
type derived interface {
	Derived(kind string, key cas.Digest) ([]byte, bool)
	PutDerived(kind string, key cas.Digest, data []byte) error
}

// inspect reads every candidate once, several at a time. What a store keeps
// of an earlier run is not read again.
func (l *linker) inspect() error {
	store, _ := l.Contents.(derived)
	var refs []cas.Ref
	for _, d := range l.dirs {
		l.candidates(d, func(_ string, _, file *rootfs.Node) {
			ref := file.Content
			if _, ok := l.libraries[ref.Digest]; ok {
				return
			}
			l.libraries[ref.Digest] = library{}
			if store != nil {
				if b, ok := store.Derived("library", ref.Digest); ok {
					if known, ok := decodeLibrary(b); ok {
						l.libraries[ref.Digest] = known
						return
					}
				}
			}
			refs = append(refs, ref)
		})
	}
	found := make([]library, len(refs))
	g, ctx := errgroup.WithContext(l.ctx)
	workers := min(runtime.GOMAXPROCS(0), len(refs))
	for w := range workers {
		g.Go(func() error {
			head := make([]byte, 512<<10) // most libraries have their names within
			for i := w; i < len(refs); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				var err error
				if found[i], err = inspect(l.Contents, refs[i], head); err != nil {
					return err
				}
				if store != nil {
					if err := store.PutDerived("library", refs[i].Digest, found[i].encode()); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, ref := range refs {
		l.libraries[ref.Digest] = found[i]
	}
	return nil
}

// A found library is the one of its soname in a directory.
type found struct {
	name, soname string
	flags        uint32
	isa          byte
	isLink       bool // a link that is what it should be: the soname, or the linker's .so
}

// directory gives the entries of one directory, and makes the links by which
// its libraries are found.
func (l *linker) directory(d libraryDir) ([]cacheEntry, error) {
	var list []*found
	bySoname := map[string]*found{}
	l.candidates(d, func(name string, n, file *rootfs.Node) {
		lib := l.libraries[file.Content.Digest]
		flags, ok := l.platform.flags(lib)
		if !lib.ok || !ok {
			return
		}
		f := &found{name, lib.soname, flags, lib.isa, n.Type == rootfs.Symlink}
		if f.soname == "" {
			f.soname = name
		}
		f.settle()
		old := bySoname[f.soname]
		switch {
		case old == nil:
			list = append(list, f)
			bySoname[f.soname] = f
		case !f.isLink && old.isLink, f.isLink == old.isLink && compareLibraries(old.name, name) < 0:
			old.name, old.isLink, old.isa, old.flags = f.name, f.isLink, f.isa, f.flags
		}
	})
	var entries []cacheEntry
	for _, f := range list {
		e := cacheEntry{name: f.soname, path: d.name + "/" + f.soname, flags: f.flags, hwcap: d.hwcap, isa: f.isa}
		if d.hwcap != "" {
			e.path = d.name + "/" + f.name
		} else if !f.isLink && f.name != f.soname {
			if err := l.soname(d, f); err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// settle decides what a link counts as: under its own name where that is the
// soname, or the beginning of it that ld(1) looks for; else as a file.
func (f *found) settle() {
	if !f.isLink {
		return
	}
	if f.name != f.soname && !(strings.HasSuffix(f.name, ".so") && strings.HasPrefix(f.soname, f.name)) {
		f.isLink = false
		return
	}
	f.soname = f.name
}

// soname makes the link by which f is found, where nothing has the name yet
// or another link does.
func (l *linker) soname(d libraryDir, f *found) error {
	if strings.Contains(f.soname, "/") || f.soname == "." || f.soname == ".." {
		l.odd("%s/%s: its soname is %q", d.name, f.name, f.soname)
		return nil
	}
	at := path.Join(d.real, f.soname)
	old := l.Tree.Get(at)
	switch {
	case old == nil:
	case l.Tree.Lookup(at) == l.Tree.Lookup(path.Join(d.real, f.name)):
		return nil
	case old.Type != rootfs.Symlink:
		l.odd("/%s: is not a symbolic link", at)
		return nil
	}
	return l.link(at, f.name)
}
