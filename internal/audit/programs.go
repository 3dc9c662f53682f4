package audit

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"compose/rootfs"
)

// A Program is a file that lets whoever reaches it do more than the image is
// for: run commands, run code, install, compile, speak to the network, look
// into processes.
type Program struct {
	Kind     string   `json:"kind"` // shell, interpreter, package-manager, compiler, network, debugger
	Name     string   `json:"name"` // what it is: bash
	Path     string   `json:"path"`
	Also     []string `json:"also,omitempty"` // further paths that lead to it
	Evidence string   `json:"evidence"`       // content, name, or applet of a file
	Mode     string   `json:"mode"`
	Source
}

// kinds in the order in which they matter.
var kinds = []string{"shell", "interpreter", "package-manager", "compiler", "debugger", "network"}

// programs that are known by name, without versions and triplets.
var named = kindsOf(map[string]string{
	"shell": `ash bash busybox csh dash elvish fish hush ksh ksh93 lksh mksh nu oksh posh pwsh rbash rc rksh rzsh sh tcsh toybox
		xonsh yash zsh`,
	"interpreter": `awk bun deno erl escript gawk groovy guile irb java jruby jshell julia lua luajit mawk nawk node nodejs ocaml
		original-awk perl php php-cgi pypy python qjs racket ruby tclsh wish wish`,
	"package-manager": `apk apt apt-get aptitude bundle bundler cargo composer conda cpan cpanm dnf dpkg dpkg-deb easy_install flatpak gem
		luarocks mamba microdnf npm npx opkg pacman pip pipx pnpm poetry rpm rpmdb snap synaptic tdnf uv yarn yum zypper`,
	"compiler": `as c++ c89 c99 cc clang clang++ cpp g++ gcc gcj gfortran ghc go gold ld ld.bfd ld.gold ld.lld lld ld.mold make ninja nasm rustc
		tcc javac yasm`,
	"debugger": `bpftrace crash gdb gdbserver lldb lldb-server ltrace perf rr strace systemtap tcpdump valgrind`,
	"network": `aria2c curl dbclient dig ftp ftpget ftpput http links lftp lynx nc nc.openbsd nc.traditional ncat netcat nmap nslookup openssl
		rlogin rsh rsync scp sftp socat ssh telnet tftp w3m wget`,
})

func kindsOf(lists map[string]string) map[string]string {
	kind := map[string]string{}
	for k, names := range lists {
		for _, n := range strings.Fields(names) {
			kind[n] = k
		}
	}
	return kind
}

// A mark is a text that one program alone has among its bytes.
type mark struct{ text, program, kind string }

// The more special come first.
var marks = []mark{
	{"BusyBox v", "busybox", "shell"},
	{"@(#)Bash version", "bash", "shell"},
	{"@(#)MIRBSD KSH", "mksh", "shell"},
	{"@(#)PD KSH", "ksh", "shell"},
	{"ZSH_EVAL_CONTEXT", "zsh", "shell"},
	{"YASH_VERSION", "yash", "shell"},
	{"Use \"exit\" to leave shell.", "dash", "shell"},
	{"fish_user_paths", "fish", "shell"},
	{"This is perl", "perl", "interpreter"},
	{"Py_BytesMain", "python", "interpreter"},
	{"ruby_run_node", "ruby", "interpreter"},
	{"MAWK_LONG_OPTIONS", "mawk", "interpreter"},
	{"GAWK_READ_TIMEOUT", "gawk", "interpreter"},
	{"LUA_INIT", "lua", "interpreter"},
}

var (
	triplet = regexp.MustCompile(`^[a-z0-9_]+-(linux|alpine-linux)-(gnu|musl)[a-z0-9]*-`)
	version = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)*(-[a-z0-9_]+-linux-gnu[a-z0-9]*)?$`)
)

// kindOf is what kind of program a name promises, and which.
func kindOf(base string) (kind, name string) {
	for _, n := range []string{base, version.ReplaceAllString(base, ""), triplet.ReplaceAllString(base, ""),
		version.ReplaceAllString(triplet.ReplaceAllString(base, ""), "")} {
		if kind = named[n]; kind != "" {
			return kind, n
		}
	}
	return "", ""
}

// programs finds them: by their marks wherever they stand and whatever their
// names, by their names in folders of programs, and the applets that links
// make of a busybox.
func (a *audit) programs(r *Report) error {
	links := a.links()
	r.Programs = []Program{}
	for _, f := range a.files {
		names := slices.Concat([]string{f.Path}, f.names, links[f.Path])
		p, ok := a.identify(f, names)
		if !ok {
			continue
		}
		p.Path, p.Mode, p.Source = "/"+f.Path, modeString(f.Mode), a.source(f.Node)
		applets := map[string]*Program{}
		for _, n := range names[1:] {
			kind, name := kindOf(path.Base(n))
			if p.Name != "busybox" || kind == "" || kind == "shell" {
				if p.Name != "busybox" || kind == "shell" || path.Base(n) == "busybox" {
					p.Also = append(p.Also, "/"+n)
				}
				continue
			}
			if applets[name] == nil {
				applets[name] = &Program{Kind: kind, Name: name, Path: "/" + n, Evidence: "applet of /" + f.Path, Mode: p.Mode, Source: p.Source}
				continue
			}
			applets[name].Also = append(applets[name].Also, "/"+n)
		}
		slices.Sort(p.Also)
		r.Programs = append(r.Programs, p)
		for _, applet := range applets {
			slices.Sort(applet.Also)
			r.Programs = append(r.Programs, *applet)
		}
	}
	slices.SortFunc(r.Programs, func(a, b Program) int {
		return cmp.Or(slices.Index(kinds, a.Kind)-slices.Index(kinds, b.Kind), strings.Compare(a.Path, b.Path))
	})
	return nil
}

// identify tells what program a file is.
func (a *audit) identify(f file, names []string) (Program, bool) {
	for _, m := range marks {
		if slices.Contains(f.facts.Marks, m.program) {
			return Program{Kind: m.kind, Name: m.program, Evidence: "content"}, true
		}
	}
	elf := f.facts.Object != nil && f.facts.Object.program()
	if f.Mode&0o111 == 0 || !elf && f.facts.Shebang == "" {
		return Program{}, false
	}
	for _, n := range names {
		if kind, name := kindOf(path.Base(n)); kind != "" && a.programFolder(path.Dir(n)) {
			return Program{Kind: kind, Name: name, Evidence: "name"}, true
		}
	}
	return Program{}, false
}

// programFolder reports whether a folder is one that programs are started
// from: the names of files elsewhere, /etc/cron.daily/dpkg, promise nothing.
func (a *audit) programFolder(dir string) bool {
	switch path.Base(dir) {
	case "bin", "sbin":
		return true
	}
	return slices.Contains(a.searchPath(), "/"+dir)
}

// searchPath is where the image looks for commands.
func (a *audit) searchPath() []string {
	for _, e := range a.Config.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			return strings.Split(v, ":")
		}
	}
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

// links gives the symbolic links that lead to each regular file, by its path.
func (a *audit) links() map[string][]string {
	to := map[string][]string{}
	for n := range a.Tree.All() {
		if n.Type != rootfs.Symlink {
			continue
		}
		if f := a.Tree.Lookup(n.Path); f != nil && f.Type == rootfs.Regular {
			to[f.Path] = append(to[f.Path], n.Path)
		}
	}
	return to
}

// modeString is a mode as chmod takes it: 4755.
func modeString(m uint16) string {
	const digits = "01234567"
	return string([]byte{digits[m>>9&7], digits[m>>6&7], digits[m>>3&7], digits[m&7]})
}

// A Script is an executable text whose interpreter is missing.
type Script struct {
	Path        string `json:"path"`
	Interpreter string `json:"interpreter"`
	Source
	Object bool `json:"elf,omitempty"` // it is no script: its dynamic linker is missing
}

// scripts finds what cannot start because what would run it is not there.
func (a *audit) scripts(r *Report) error {
	r.Scripts = []Script{}
	for _, f := range a.files {
		if f.Mode&0o111 == 0 {
			continue
		}
		interpreter, elf := a.interpreter(f), false
		if o := f.facts.Object; o != nil && o.program() {
			interpreter, elf = o.Interpreter, true
		}
		if interpreter == "" || a.starts(interpreter) {
			continue
		}
		r.Scripts = append(r.Scripts, Script{Path: "/" + f.Path, Interpreter: interpreter, Source: a.source(f.Node), Object: elf})
	}
	return nil
}

// interpreter is what runs a script: a path, or a bare name where env looks
// for it.
func (a *audit) interpreter(f file) string {
	words := strings.Fields(f.facts.Shebang)
	if len(words) == 0 {
		return ""
	}
	if path.Base(words[0]) != "env" || !a.starts(words[0]) {
		return words[0]
	}
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
			return w
		}
	}
	return words[0]
}

// starts reports whether a program is there to be started.
func (a *audit) starts(program string) bool {
	if strings.HasPrefix(program, "/") {
		n := a.Tree.Lookup(strings.TrimLeft(program, "/"))
		return n != nil && n.Type == rootfs.Regular
	}
	return slices.ContainsFunc(a.searchPath(), func(dir string) bool {
		n := a.Tree.Lookup(strings.TrimLeft(path.Join(dir, program), "/"))
		return n != nil && n.Type == rootfs.Regular
	})
}
