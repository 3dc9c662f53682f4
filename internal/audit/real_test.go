package audit_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"compose/fetch"
	"compose/internal/audit"
	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/testrepo"
	"compose/internal/testtree"
	"compose/manifest"
)

// real builds a closure, audits it, and lays it out as files.
func real(t *testing.T, repository string, mirrors map[string][]string, packages ...string) (*audit.Report, string) {
	t.Helper()
	in, epoch := input(t, repository, mirrors, packages...)
	r, err := audit.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r, testtree.Export(t, in.Tree, in.Contents, epoch)
}

// input builds a closure.
func input(t testing.TB, repository string, mirrors map[string][]string, packages ...string) (audit.Input, int64) {
	t.Helper()
	dir := os.Getenv("COMPOSE_TEST_CACHE")
	if dir == "" {
		dir = t.TempDir()
	}
	store, err := cas.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	text := "name: x\nplatforms: [linux/amd64]\nrepositories:\n" + repository + "packages: [" + strings.Join(packages, ", ") + "]\n"
	project := fstest.MapFS{"image.yaml": {Data: []byte(text)}}
	img, err := manifest.Parse(project, "image.yaml", manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env := build.Env{Store: store, Fetch: &fetch.Client{Store: store, Mirrors: mirrors}, Project: project, Now: time.Now(), Jobs: 2, Warn: t.Logf}
	ctx := context.Background()
	choices, err := build.Closures(ctx, env, img, nil)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := build.Lock(ctx, env, img, choices, nil)
	if err != nil {
		t.Fatal(err)
	}
	built, err := build.Images(ctx, env, img, lock)
	if err != nil {
		t.Fatal(err)
	}
	return build.AuditInput(env, img, lock, built[0]), lock.Epoch
}

// debian has the mirrors of this machine.
func debian(t testing.TB) map[string][]string {
	mirrors := map[string][]string{}
	for _, archive := range []string{"debian", "debian-security"} {
		mirrors[archive] = []string{testrepo.HostMirror(t, archive)}
	}
	return mirrors
}

// A second audit of the same packages, as every build after the first has it.
func BenchmarkAgain(b *testing.B) {
	in, _ := input(b, "  - debian: trixie\n", debian(b), "python3", "apt", "bash", "git")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := audit.Run(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// What an audit says of a real Debian, its own tools and those of this machine
// say too.
func TestDebianIsWhatItsToolsSay(t *testing.T) {
	testtree.Root(t)
	r, root := real(t, "  - debian: trixie\n", debian(t), "bash", "coreutils", "perl-base", "python3-minimal", "apt", "util-linux", "iputils-ping", "passwd", "openssh-client", "libc-bin")
	same(t, "set-uid and set-gid files", paths(r.Privileges.SetID), find(t, root, "-type", "f", "-perm", "/6000"))
	same(t, "what everyone can write to", paths(r.Privileges.WorldWritable),
		append(find(t, root, "-type", "f", "-perm", "-002"), find(t, root, "-type", "d", "-perm", "-002", "!", "-perm", "-1000")...))
	same(t, "capabilities", capabilities(r), getcap(t, root))
	same(t, "executable ELF files", objects(r), elfFiles(t, root))
	t.Run("missing libraries are those that ld.so does not find", func(t *testing.T) { missing(t, r, root) })
	t.Run("unused libraries are those that no object needs", func(t *testing.T) { unused(t, r, root) })
	t.Run("packages are those that dpkg lists", func(t *testing.T) {
		var got []string
		for _, p := range r.Packages {
			got = append(got, p.Name+" "+p.Version)
		}
		same(t, "packages", got, strings.Split(strings.TrimSpace(testtree.Run(t, "dpkg-query", "--admindir="+root+"/var/lib/dpkg", "-f", "${Package} ${Version}\n", "-W")), "\n"))
	})
	t.Run("shells are those of /etc/shells, and interpreters those that are there", func(t *testing.T) {
		var got []string
		for _, p := range r.Programs {
			if p.Kind == "shell" || p.Kind == "interpreter" {
				got = append(got, p.Path)
				for _, a := range p.Also {
					if !strings.HasPrefix(a, "/etc/alternatives/") {
						got = append(got, a)
					}
				}
			}
		}
		same(t, "shells and interpreters", got, find(t, root, "-path", "*bin/*", "-regextype", "posix-extended", "-regex", ".*/(sh|dash|r?bash|[mn]?awk|perl(5[0-9.]*)?|python3(\\.[0-9]+)?)"))
	})
}

// So it is with Alpine: musl, busybox.
func TestAlpineIsWhatItsFilesSay(t *testing.T) {
	testtree.Root(t)
	r, root := real(t, "  - apk: file://"+testrepo.Shared(t, "mirrors/alpine/lab")+"\n    trusted: insecure\n", nil, "git", "openssh-client-default", "busybox")
	same(t, "set-uid and set-gid files", paths(r.Privileges.SetID), find(t, root, "-type", "f", "-perm", "/6000"))
	same(t, "ELF files", objects(r), elfFiles(t, root))
	if len(r.Libraries.Missing) > 0 || r.Libraries.Libc != "musl" {
		t.Errorf("%s, missing %v", r.Libraries.Libc, r.Libraries.Missing)
	}
	unused(t, r, root)
	if !slices.ContainsFunc(r.Programs, func(p audit.Program) bool { return p.Kind == "shell" && p.Path == "/bin/busybox" }) {
		t.Errorf("busybox is not told: %+v", r.Programs)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	got, want = slices.Compact(got), slices.Compact(want)
	if slices.Equal(got, want) {
		return
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: %s is told and is none", what, g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: %s is not told", what, w)
		}
	}
}

func paths(list []audit.Privileged) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Path)
	}
	return out
}

func find(t *testing.T, root string, args ...string) []string {
	t.Helper()
	var out []string
	for name := range strings.Lines(testtree.Run(t, "find", append([]string{root}, args...)...)) {
		out = append(out, strings.TrimPrefix(strings.TrimSpace(name), root))
	}
	return out
}

func capabilities(r *audit.Report) []string {
	var out []string
	for _, p := range r.Privileges.Capabilities {
		out = append(out, p.Path+" "+p.What)
	}
	return out
}

func getcap(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(testtree.Run(t, "getcap", "-r", root)) {
		out = append(out, strings.TrimPrefix(strings.TrimSpace(line), root))
	}
	return out
}

func objects(r *audit.Report) []string {
	var out []string
	for _, o := range r.Libraries.Objects {
		out = append(out, o.Path)
	}
	return out
}

// elfFiles are those that file(1) takes for ELF. Of hard links it is the first
// by path that counts: one file is told once.
func elfFiles(t *testing.T, root string) []string {
	t.Helper()
	seen := map[string]bool{}
	names := find(t, root, "-type", "f", "-printf", "%p %i\n")
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(line string) bool {
		_, inode, _ := strings.Cut(line, " ")
		again := seen[inode]
		seen[inode] = true
		return again
	})
	cmd := exec.Command(testtree.Tool(t, "file"), "-b", "-f", "-")
	var list strings.Builder
	for i, line := range names {
		names[i], _, _ = strings.Cut(line, " ")
		list.WriteString(root + names[i] + "\n")
	}
	cmd.Stdin = strings.NewReader(list.String())
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	i := 0
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "ELF ") && strings.Index(line, "ELF ") < 30 { // "setuid ELF 64-bit"
			out = append(out, names[i])
		}
		i++
	}
	if i != len(names) {
		t.Fatalf("file(1) answered for %d of %d files", i, len(names))
	}
	return out
}

// missing asks the image's own dynamic linker what each program would load.
func missing(t *testing.T, r *audit.Report, root string) {
	want := map[string]bool{}
	for _, m := range r.Libraries.Missing {
		if m.Loader != "" {
			want[m.Loader+" "+m.Name] = true
		}
	}
	asked := 0
	for _, o := range r.Libraries.Objects {
		if o.Interpreter == "" || o.Kind == "library" {
			continue
		}
		asked++
		out, err := exec.Command("chroot", root, o.Interpreter, "--list", o.Path).CombinedOutput()
		for _, m := range regexp.MustCompile(`(\S+) => not found`).FindAllStringSubmatch(string(out), -1) {
			if !want[o.Path+" "+m[1]] {
				t.Errorf("%s: ld.so does not find %s", o.Path, m[1])
			}
		}
		if err == nil {
			for _, k := range r.Libraries.Links {
				if k.From == o.Path && k.Name != o.Interpreter && !strings.Contains(string(out), k.Name+" => ") && !strings.Contains(string(out), "/"+filepath.Base(k.Name)+" (") {
					t.Errorf("%s: ld.so does not load %s:\n%s", o.Path, k.Name, out)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no program was asked for")
	}
}

// unused compares with what readelf says that objects need, by soname alone.
func unused(t *testing.T, r *audit.Report, root string) {
	readelf := testtree.Tool(t, "readelf")
	needed, soname := map[string]bool{}, map[string]string{}
	for _, o := range r.Libraries.Objects {
		out, err := exec.Command(readelf, "-W", "-d", "-l", root+o.Path).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Shared library: \[(.*)\]`).FindAllStringSubmatch(string(out), -1) {
			needed[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`program interpreter: (.*)\]`).FindAllStringSubmatch(string(out), -1) {
			needed[filepath.Base(m[1])] = true
		}
		if m := regexp.MustCompile(`Library soname: \[(.*)\]`).FindStringSubmatch(string(out)); m != nil {
			soname[o.Path] = m[1]
		}
	}
	needed["ld-linux-x86-64.so.2"], needed["libc.musl-x86_64.so.1"] = true, true
	var got, want []string
	for _, i := range r.Libraries.Unused {
		got = append(got, i.Path)
	}
	for _, o := range r.Libraries.Objects {
		name := soname[o.Path]
		if name == "" {
			name = filepath.Base(o.Path)
		}
		if o.Kind == "library" && !needed[name] {
			want = append(want, o.Path)
		}
	}
	same(t, "unused libraries", got, want)
}

// The JSON form has every section, and none is null.
func TestJSONHasNoNulls(t *testing.T) {
	r, _ := real(t, "  - apk: file://"+testrepo.Shared(t, "mirrors/alpine/lab")+"\n    trusted: insecure\n", nil, "busybox")
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(data, &sections); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if string(sections[name]) == "null" {
			t.Errorf("%s is null", name)
		}
	}
	if strings.Contains(string(data), ":null") {
		t.Errorf("a null in %s", data)
	}
}
