package audit

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"compose/rootfs"
)

// Libraries is what the dynamic linker would find.
type Libraries struct {
	Objects    []*Object   `json:"objects"` // every ELF file
	Links      []Link      `json:"links"`
	Missing    []Missing   `json:"missing"`
	Unused     []Idle      `json:"unused"` // nothing links to them
	Duplicates []Duplicate `json:"duplicates"`
	Foreign    []Foreign   `json:"foreign"`
	Machine    string      `json:"machine,omitempty"` // what the image is for
	Libc       string      `json:"libc,omitempty"`
}

// A Link is one object's need of another.
type Link struct {
	From string `json:"from"`
	Name string `json:"name"`
	To   string `json:"to"`
}

// A Missing library is one that an object needs and the dynamic linker does
// not find.
type Missing struct {
	Name   string `json:"name"`
	Object string `json:"object"` // who needs it
	Source
	// Elsewhere is a library of that name where Object does not look. A
	// program that loads Object may have found it before.
	Elsewhere string `json:"elsewhere,omitempty"`
	Loader    string `json:"loader,omitempty"` // a program that does not start because of it
}

// An Idle library has nobody that links to it. That is as it should be for
// those that are loaded by name: Family says which, NamedBy who has its name
// among its strings.
type Idle struct {
	Path    string   `json:"path"`
	Package string   `json:"package,omitempty"`
	Size    int64    `json:"size"`
	Family  string   `json:"family,omitempty"`
	NamedBy []string `json:"namedBy,omitempty"`
}

// A Duplicate is a library that is there more than once.
type Duplicate struct {
	Library string   `json:"library"`
	Paths   []string `json:"paths"`
}

// A Foreign object is made for another machine or C library.
type Foreign struct {
	Path    string `json:"path"`
	Is      string `json:"is"`
	Package string `json:"package,omitempty"`
}

func (a *audit) libraries(r *Report) error {
	a.collect()
	if err := a.systemFolders(); err != nil {
		return err
	}
	l := linker{audit: a, byName: map[string][]*Object{}}
	for _, o := range a.objects {
		if o.Kind == "library" {
			for _, n := range slices.Compact([]string{path.Base(o.Path), o.Soname}) {
				l.byName[n] = append(l.byName[n], o)
			}
		}
	}
	lib := &r.Libraries
	lib.Objects = a.objects
	lib.Machine, lib.Libc = a.majority()
	lib.Foreign = a.foreign(lib.Machine, lib.Libc)
	lib.Links, lib.Missing = l.links()
	lib.Unused = l.unused(lib.Links)
	lib.Duplicates = l.duplicates()
	return nil
}

// collect gives each ELF file of the tree an Object of its own.
func (a *audit) collect() {
	a.objects, a.byPath = []*Object{}, map[string]*Object{}
	for _, f := range a.files {
		if f.facts.Object == nil {
			continue
		}
		o := *f.facts.Object
		o.Path, o.Package = "/"+f.Path, f.Package
		a.objects = append(a.objects, &o)
		a.byPath[f.Path] = &o
	}
}

// majority is what most objects are made for.
func (a *audit) majority() (machine, libc string) {
	machines, libcs := map[string]int{}, map[string]int{}
	for _, o := range a.objects {
		machines[o.Machine]++
		if c := o.libc(); c != "" {
			libcs[c]++
		}
	}
	most := func(count map[string]int) (best string) {
		for _, k := range slices.Sorted(maps.Keys(count)) {
			if best == "" || count[k] > count[best] {
				best = k
			}
		}
		return best
	}
	machine = most(machines)
	if m := machineOf[strings.TrimPrefix(a.Platform, "linux/")]; m != "" {
		machine = m
	}
	return machine, most(libcs)
}

var machineOf = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm/v7": "arm", "arm/v6": "arm", "arm/v5": "arm", "riscv64": "riscv64", "s390x": "s390x", "ppc64le": "ppc64", "loong64": "loongarch64"}

func (a *audit) foreign(machine, libc string) []Foreign {
	list := []Foreign{}
	for _, o := range a.objects {
		switch c := o.libc(); {
		case o.Machine != machine:
			list = append(list, Foreign{o.Path, o.Machine, o.Package})
		case c != "" && c != libc:
			list = append(list, Foreign{o.Path, c, o.Package})
		}
	}
	return list
}

// systemFolders finds out where the dynamic linker looks without being told:
// with glibc its own folders, and those of ld.so.conf once ldconfig has seen
// them; with musl one list.
func (a *audit) systemFolders() error {
	for n := range a.Tree.All() {
		if strings.HasPrefix(path.Base(n.Path), "ld-musl-") && strings.HasSuffix(n.Path, ".so.1") {
			a.musl = true
		}
	}
	if a.musl {
		a.system = []string{"lib", "usr/local/lib", "usr/lib"}
		return a.muslFolders()
	}
	a.system = []string{"lib", "usr/lib", "lib64", "usr/lib64", "lib32", "usr/lib32", "libx32", "usr/libx32"}
	for n := range a.Tree.All() {
		// Debian's glibc has the folder of its triplet built in.
		if parent, base := path.Split(n.Path); n.Type == rootfs.Dir && (parent == "usr/lib/" || parent == "lib/") && glibcTriplet.MatchString(base) {
			a.system = append(a.system, n.Path)
		}
	}
	if a.Tree.Lookup("etc/ld.so.cache") == nil {
		return nil
	}
	return a.confFolders("etc/ld.so.conf", 0)
}

var glibcTriplet = regexp.MustCompile(`^[a-z0-9_]+-linux-gnu[a-z0-9]*$`)

func (a *audit) muslFolders() error {
	for n := range a.Tree.All() {
		if dir, base := path.Split(n.Path); dir == "etc/" && strings.HasPrefix(base, "ld-musl-") && strings.HasSuffix(base, ".path") {
			text, err := a.text(n.Path)
			if err != nil {
				return err
			}
			a.system = nil
			for _, d := range strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '\n' }) {
				a.system = append(a.system, strings.Trim(path.Clean(d), "/"))
			}
		}
	}
	return nil
}

// confFolders reads ld.so.conf and what it includes.
func (a *audit) confFolders(name string, depth int) error {
	text, err := a.text(name)
	if err != nil || depth > 4 {
		return err
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "include" && len(words) > 1:
			pattern := strings.TrimPrefix(words[1], "/")
			for n := range a.Tree.All() {
				if ok, _ := path.Match(pattern, n.Path); ok {
					if err := a.confFolders(n.Path, depth+1); err != nil {
						return err
					}
				}
			}
		default:
			a.system = append(a.system, strings.Trim(path.Clean(words[0]), "/"))
		}
	}
	return nil
}

// A linker looks for libraries as ld.so(8) does.
type linker struct {
	*audit
	byName map[string][]*Object // libraries, by file name and by soname
}

// find is the library that o's need of name comes to, o having been loaded by
// those of loaders; nil if there is none.
func (l *linker) find(o *Object, name string, loaders []*Object) *Object {
	if strings.Contains(name, "/") {
		return l.at(strings.TrimLeft(l.expand(o, name), "/"), o)
	}
	if l.musl {
		if c := l.muslItself(name); c != nil {
			return c
		}
	}
	var dirs []string
	if len(o.Runpath) == 0 {
		for _, by := range append([]*Object{o}, loaders...) {
			dirs = append(dirs, l.folders(by, by.Rpath)...)
		}
	}
	dirs = append(dirs, l.folders(o, o.Runpath)...)
	if l.musl { // musl inherits either kind of path
		for _, by := range loaders {
			dirs = append(dirs, l.folders(by, by.Runpath)...)
		}
	}
	for _, d := range append(dirs, l.system...) {
		if f := l.at(path.Join(d, name), o); f != nil {
			return f
		}
	}
	return nil
}

// muslItself answers for the libraries that musl has in one.
func (l *linker) muslItself(name string) *Object {
	stem, _, _ := strings.Cut(strings.TrimPrefix(name, "lib"), ".")
	if !slices.Contains([]string{"c", "pthread", "rt", "m", "dl", "util", "xnet"}, stem) {
		return nil
	}
	for _, o := range l.objects {
		if strings.HasPrefix(path.Base(o.Path), "ld-musl-") {
			return o
		}
	}
	return nil
}

// at is the object at a path, if o could load it.
func (l *linker) at(name string, o *Object) *Object {
	n := l.Tree.Lookup(name)
	if n == nil {
		return nil
	}
	f := l.byPath[n.Path]
	if f == nil || f.Bits != o.Bits || f.Machine != o.Machine || f.Big != o.Big {
		return nil
	}
	return f
}

// folders are the folders of a runpath, as paths in the tree.
func (l *linker) folders(o *Object, list []string) []string {
	var dirs []string
	for _, d := range list {
		if d = l.expand(o, d); strings.HasPrefix(d, "/") {
			dirs = append(dirs, strings.Trim(path.Clean(d), "/"))
		}
	}
	return dirs
}

// expand replaces what ld.so(8) calls dynamic string tokens.
func (l *linker) expand(o *Object, s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	lib := "lib"
	if o.Bits == 64 {
		lib = "lib64"
	}
	for _, d := range l.system {
		if base := path.Base(d); strings.HasPrefix(base, o.Machine+"-") {
			lib = "lib/" + base
		}
	}
	return strings.NewReplacer("$ORIGIN", path.Dir(o.Path), "${ORIGIN}", path.Dir(o.Path), "$LIB", lib, "${LIB}", lib, "$PLATFORM", o.Machine, "${PLATFORM}", o.Machine).Replace(s)
}

// links resolves every need, first as programs would when they start, then on
// behalf of the libraries that no program reaches.
func (l *linker) links() ([]Link, []Missing) {
	s := resolution{linker: l, links: map[Link]bool{}, missing: map[[2]string]Missing{}, reached: map[*Object]bool{}}
	for _, o := range l.objects {
		if o.program() && o.dynamic() {
			s.start(o)
		}
	}
	for _, o := range l.objects {
		if o.Kind == "library" && !s.reached[o] {
			s.load(o)
		}
	}
	links := slices.SortedFunc(maps.Keys(s.links), func(a, b Link) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Name, b.Name), strings.Compare(a.To, b.To))
	})
	missing := slices.SortedFunc(maps.Values(s.missing), func(a, b Missing) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Object, b.Object))
	})
	if links == nil {
		links = []Link{}
	}
	if missing == nil {
		missing = []Missing{}
	}
	return links, missing
}

type resolution struct {
	*linker
	links   map[Link]bool
	missing map[[2]string]Missing
	reached map[*Object]bool
}

// start loads a program and all that it needs, breadth first: what is loaded
// already is not searched for again.
func (s *resolution) start(program *Object) {
	loaded := map[string]*Object{}
	parent := map[*Object]*Object{program: nil}
	if n := s.Tree.Lookup(strings.TrimLeft(program.Interpreter, "/")); n != nil && s.byPath[n.Path] != nil {
		ld := s.byPath[n.Path]
		s.links[Link{program.Path, program.Interpreter, ld.Path}] = true
		s.reached[ld] = true
		loaded[ld.Soname], loaded[path.Base(program.Interpreter)], parent[ld] = ld, ld, nil
	}
	for queue := []*Object{program}; len(queue) > 0; queue = queue[1:] {
		o := queue[0]
		var loaders []*Object
		for p := parent[o]; p != nil; p = parent[p] {
			loaders = append(loaders, p)
		}
		for _, name := range o.Needed {
			to := loaded[name]
			if to == nil {
				to = s.find(o, name, loaders)
			}
			if to == nil {
				s.miss(o, name, program)
				continue
			}
			s.links[Link{o.Path, name, to.Path}] = true
			loaded[name], loaded[cmp.Or(to.Soname, name)] = to, to
			if _, ok := parent[to]; !ok {
				parent[to] = o
				s.reached[to] = true
				queue = append(queue, to)
			}
		}
	}
}

// load resolves what a library needs that some program may load by name.
func (s *resolution) load(o *Object) {
	for _, name := range o.Needed {
		to := s.find(o, name, nil)
		if to == nil {
			s.miss(o, name, nil)
			continue
		}
		s.links[Link{o.Path, name, to.Path}] = true
	}
}

// miss notes that a need is not met. A library of that name elsewhere counts
// as linked: it is not idle.
func (s *resolution) miss(o *Object, name string, program *Object) {
	key := [2]string{o.Path, name}
	if m, ok := s.missing[key]; ok && (m.Loader != "" || program == nil) {
		return
	}
	m := Missing{Name: name, Object: o.Path, Source: s.source(s.Tree.Get(strings.TrimPrefix(o.Path, "/")))}
	if program != nil {
		m.Loader = program.Path
	}
	for _, other := range s.byName[path.Base(name)] {
		if other.Bits == o.Bits && other.Machine == o.Machine {
			m.Elsewhere = other.Path
			s.links[Link{o.Path, name, other.Path}] = true
			break
		}
	}
	s.missing[key] = m
}

// Broken reports whether m is sure to fail: nothing of that name is there, or
// a program was seen not to find it.
func (m Missing) Broken() bool { return m.Elsewhere == "" || m.Loader != "" }

// families of libraries that are loaded by name, by the path of the file.
var families = []struct {
	name string
	path *regexp.Regexp
}{
	{"name service (nss)", regexp.MustCompile(`/libnss_[a-z0-9_-]+\.so(\.2|-[0-9.]+)?$`)},
	{"character sets (gconv)", regexp.MustCompile(`/gconv/`)},
	{"authentication (pam)", regexp.MustCompile(`/security/pam_|/pam_[a-z0-9_]+\.so$`)},
	{"python module", regexp.MustCompile(`/python[0-9.]*/|/(site|dist)-packages/`)},
	{"perl module", regexp.MustCompile(`/perl[0-9]*(-base)?/`)},
	{"ruby module", regexp.MustCompile(`/ruby/`)},
	{"lua module", regexp.MustCompile(`/lua/`)},
	{"tcl module", regexp.MustCompile(`/tcl`)},
	{"php module", regexp.MustCompile(`/php`)},
	{"openssl module", regexp.MustCompile(`/(engines-[0-9.]+|ossl-modules)/`)},
	{"processor variant (hwcaps)", regexp.MustCompile(`/glibc-hwcaps/`)},
	{"audit (ld.so)", regexp.MustCompile(`/audit/`)},
	{"authentication (sasl)", regexp.MustCompile(`/sasl2/`)},
	{"kerberos plugin", regexp.MustCompile(`/krb5/plugins/`)},
	{"preloaded", regexp.MustCompile(`/libexec/coreutils/libstdbuf\.so$|/coreutils/libstdbuf\.so$|/libeatmydata|/libfakeroot`)},
}

// unused are the libraries that no object is linked with.
func (l *linker) unused(links []Link) []Idle {
	used := map[string]bool{}
	for _, k := range links {
		if k.From != k.To {
			used[k.To] = true
		}
	}
	by := map[string][]string{}
	for _, f := range l.files {
		for _, name := range f.facts.Loads {
			by[name] = append(by[name], "/"+f.Path)
		}
	}
	list := []Idle{}
	for _, f := range l.files {
		o := l.byPath[f.Path]
		if o == nil || o.Kind != "library" || used[o.Path] || l.isLinker(o) {
			continue
		}
		i := Idle{Path: o.Path, Package: o.Package, Size: f.Content.Size, Family: l.family(o)}
		for _, name := range slices.Compact([]string{path.Base(o.Path), o.Soname}) {
			i.NamedBy = append(i.NamedBy, slices.DeleteFunc(slices.Clone(by[name]), func(p string) bool { return p == o.Path })...)
		}
		slices.Sort(i.NamedBy)
		i.NamedBy = slices.Compact(i.NamedBy)
		list = append(list, i)
	}
	return list
}

// isLinker reports whether o is a dynamic linker: the kernel loads it.
func (l *linker) isLinker(o *Object) bool {
	return strings.HasPrefix(path.Base(o.Path), "ld-") || strings.HasPrefix(path.Base(o.Path), "ld.so") || strings.HasPrefix(o.Soname, "ld-linux")
}

// family names the kind of plugin that a library is by its place; "" for one
// that stands where programs look for libraries.
func (l *linker) family(o *Object) string {
	for _, f := range families {
		if f.path.MatchString(o.Path) {
			return f.name
		}
	}
	dir := strings.Trim(path.Dir(o.Path), "/")
	if slices.Contains(l.system, dir) || l.Tree.Real(path.Dir(o.Path)) == "" {
		return ""
	}
	for _, d := range l.system {
		if n := l.Tree.Lookup(d); n != nil && n.Path == dir {
			return ""
		}
	}
	return "plugin in /" + dir
}

var libraryStem = regexp.MustCompile(`^(lib.+?)(?:-[0-9][0-9.]*)?\.so(?:\.[0-9.]+)?$`)

// duplicates are libraries at two versions in the folders of the system, and
// sonames with two different contents.
func (l *linker) duplicates() []Duplicate {
	type place struct {
		name    string
		machine string
		bits    int
	}
	by := map[place]map[string]bool{}
	add := func(name string, o *Object) {
		p := place{name, o.Machine, o.Bits}
		if by[p] == nil {
			by[p] = map[string]bool{}
		}
		by[p][o.Path] = true
	}
	for _, o := range l.objects {
		if o.Kind != "library" || o.Soname == "" || strings.Contains(o.Path, "/glibc-hwcaps/") {
			continue
		}
		if l.family(o) == "" {
			if m := libraryStem.FindStringSubmatch(o.Soname); m != nil {
				add(m[1], o)
				continue
			}
		}
		if !strings.HasPrefix(l.family(o), "plugin") {
			continue
		}
		for _, other := range l.byName[o.Soname] {
			if other != o && other.Machine == o.Machine && other.Bits == o.Bits && l.family(other) == "" {
				add(o.Soname, o)
				add(o.Soname, other)
			}
		}
	}
	list := []Duplicate{}
	for p, paths := range by {
		if len(paths) > 1 {
			list = append(list, Duplicate{p.name, slices.Sorted(maps.Keys(paths))})
		}
	}
	slices.SortFunc(list, func(a, b Duplicate) int {
		return cmp.Or(strings.Compare(a.Library, b.Library), slices.Compare(a.Paths, b.Paths))
	})
	return list
}
