package manifest

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"compose/internal/cas"
)

// everyKey has all keys, each with another value than its default.
const everyKey = `name: python
platforms: [linux/amd64, linux/arm/v7]
repositories:
  - debian: trixie
    snapshot: 20261101T000000Z
    components: [main, contrib]
  - deb: https://packages.example.org/debian/
    suites: [stable, stable/updates]
    components: [main]
    keyring: [keys/a.pub, {url: https://example.org/b.asc, sha256: ` + digits + `}]
    name: extra
  - deb: file:///srv/debian
    suites: [stable]
    trusted: insecure
packages:
  - python3-minimal
  - openssl>=3.5
  - "!perl-base"
  - so:libz.so.1
  - libstdc++6~14
  - zlib1g@extra
recommends: true
essential: true
prefer: [systemd-standalone-sysusers, mawk]
elide: [debconf, adduser]
files:
  - {path: /app/hello, source: ./hello, mode: "4755", owner: "app:app"}
  - {path: /etc, source: conf}
  - {path: /opt/x, source: {url: https://example.org/x, sha256: sha256:` + digits + `}}
  - {path: /etc/motd, content: "hello\n"}
  - {path: /etc/empty, content: ""}
  - {path: /var/lib/app, type: dir, mode: "0750", owner: app}
  - {path: /bin/sh, link: /usr/bin/busybox, owner: "1:1"}
remove: [/usr/share/info/**, "!/usr/share/info/dir"]
slim: [docs, man, locales, licences, info]
users:
  - {name: app, uid: 65532, gid: 65533, groups: [audio], home: /home/app, shell: /bin/sh, comment: "The app, itself"}
  - name: _x$
groups:
  - {name: app, gid: 65533, members: [app]}
  - name: y
config:
  user: "65532:app"
  entrypoint: [/usr/bin/python3, -c, "print(1)\nprint(2)"]
  cmd: [--version]
  env: {LANG: C.UTF-8, EMPTY: "", ON: off}
  workdir: /app
  ports: [8080/tcp, 53/udp]
  volumes: [/data]
  labels: {org.example.a/b: "c: d"}
  stop-signal: SIGRTMIN+3
annotations: {org.opencontainers.image.title: "A \u202e title"}
layers: {by: origin, max: 10}
compression: zstd
package-database: full
policy:
  forbid: [shell, set-uid, package-manager, world-writable, unknown-scripts, missing-interpreter, missing-library]
  allow: [/usr/bin/su, linux-image, {item: /bin/sh, reason: debugging}]
  max-size: 1.5GiB
platform-skew: allow
`

func parse(t *testing.T, yaml string) *Image {
	t.Helper()
	img, err := Parse(project(yaml), "image.yaml", Options{DefaultName: "test"})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return img
}

func TestEveryKey(t *testing.T) {
	img := parse(t, everyKey)
	sum, _ := cas.ParseDigest(digits)
	text := func(s string) *string { return &s }
	at := func(line, col int) Pos { return Pos{"image.yaml", line, col} }
	want := &Image{
		File:      "image.yaml",
		Name:      "python",
		Platforms: []Platform{{"linux", "amd64", ""}, {"linux", "arm", "v7"}},
		Repositories: []Repository{
			{Pos: at(4, 5), Format: "deb", Distribution: "debian", Release: "trixie", Snapshot: "20261101T000000Z", Components: []string{"main", "contrib"}},
			{Pos: at(7, 5), Format: "deb", URL: "https://packages.example.org/debian", Suites: []string{"stable", "stable/updates"}, Components: []string{"main"},
				Keyring: []Source{{Pos: at(10, 15), Path: "keys/a.pub"}, {Pos: at(10, 27), URL: "https://example.org/b.asc", SHA256: sum}}, Name: "extra"},
			{Pos: at(12, 5), Format: "deb", URL: "file:///srv/debian", Suites: []string{"stable"}, Insecure: true},
		},
		Packages: []Atom{{"python3-minimal", at(16, 5)}, {"openssl>=3.5", at(17, 5)}, {"!perl-base", at(18, 5)}, {"so:libz.so.1", at(19, 5)},
			{"libstdc++6~14", at(20, 5)}, {"zlib1g@extra", at(21, 5)}},
		Recommends: true,
		Essential:  true,
		Prefer:     []Atom{{"systemd-standalone-sysusers", at(24, 10)}, {"mawk", at(24, 39)}},
		Elide:      Elide{Names: []Atom{{"debconf", at(25, 9)}, {"adduser", at(25, 18)}}, Pos: at(25, 8)},
		Files: []File{
			{Pos: at(27, 5), Path: "/app/hello", Source: &Source{Pos: at(27, 32), Path: "hello"}, Mode: 0o4755, Owner: "app:app"},
			{Pos: at(28, 5), Path: "/etc", Source: &Source{Pos: at(28, 26), Path: "conf"}, Mode: -1},
			{Pos: at(29, 5), Path: "/opt/x", Source: &Source{Pos: at(29, 28), URL: "https://example.org/x", SHA256: sum}, Mode: -1},
			{Pos: at(30, 5), Path: "/etc/motd", Content: text("hello\n"), Mode: -1},
			{Pos: at(31, 5), Path: "/etc/empty", Content: text(""), Mode: -1},
			{Pos: at(32, 5), Path: "/var/lib/app", Type: "dir", Mode: 0o750, Owner: "app"},
			{Pos: at(33, 5), Path: "/bin/sh", Link: "/usr/bin/busybox", Mode: -1, Owner: "1:1"},
		},
		Remove: []Glob{{Pos: at(34, 10), Text: "/usr/share/info/**"}, {Pos: at(34, 30), Keep: true, Text: "/usr/share/info/dir"}},
		Slim:   []Atom{{"docs", at(35, 8)}, {"man", at(35, 14)}, {"locales", at(35, 19)}, {"licences", at(35, 28)}, {"info", at(35, 38)}},
		Users: []User{
			{Pos: at(37, 5), Name: "app", UID: 65532, GID: 65533, Groups: []string{"audio"}, Home: "/home/app", Shell: "/bin/sh", Comment: "The app, itself"},
			{Pos: at(38, 5), Name: "_x$", UID: -1, GID: -1, Home: "/", Shell: "/sbin/nologin"},
		},
		Groups: []Group{
			{Pos: at(40, 5), Name: "app", GID: 65533, Members: []string{"app"}},
			{Pos: at(41, 5), Name: "y", GID: -1},
		},
		Config: Config{
			User: "65532:app", Entrypoint: []string{"/usr/bin/python3", "-c", "print(1)\nprint(2)"}, Cmd: []string{"--version"},
			Env: map[string]string{"LANG": "C.UTF-8", "EMPTY": "", "ON": "off"}, Workdir: "/app", Ports: []string{"8080/tcp", "53/udp"},
			Volumes: []string{"/data"}, Labels: map[string]string{"org.example.a/b": "c: d"}, StopSignal: "SIGRTMIN+3",
		},
		Annotations: map[string]string{"org.opencontainers.image.title": "A \u202e title"},
		Layers:      Layers{By: "origin", Max: 10},
		Compression: "zstd", SkewAllowed: true,
		Database: "full",
		Policy: Policy{
			Pos: at(57, 3),
			Forbid: []Atom{{"shell", at(57, 12)}, {"set-uid", at(57, 19)}, {"package-manager", at(57, 28)}, {"world-writable", at(57, 45)},
				{"unknown-scripts", at(57, 61)}, {"missing-interpreter", at(57, 78)}, {"missing-library", at(57, 99)}},
			Allow:   []Allow{{Pos: at(58, 11), Item: "/usr/bin/su"}, {Pos: at(58, 24), Item: "linux-image"}, {Pos: at(58, 37), Item: "/bin/sh", Reason: "debugging"}},
			MaxSize: 3 << 29,
		},
	}
	g, w := reflect.ValueOf(*img), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
}

// A key that the table has and no test uses would be a key that nobody reads.
func TestEveryKeyHasEveryKey(t *testing.T) {
	n, errs := readYAML("image.yaml", []byte(everyKey+"include: x\n"))
	if errs != nil {
		t.Fatal(errs)
	}
	for _, k := range image.keys {
		if n.get(k.name) == nil {
			t.Errorf("everyKey lacks %s", k.name)
		}
	}
	for _, k := range config.keys {
		if n.get("config").get(k.name) == nil {
			t.Errorf("everyKey lacks config.%s", k.name)
		}
	}
}

func TestDefaults(t *testing.T) {
	img := parse(t, "repositories: [{alpine: v3.22}]\npackages: [busybox]\n")
	want := &Image{
		File: "image.yaml", Name: "test",
		Repositories: []Repository{{Pos: Pos{"image.yaml", 1, 16}, Format: "apk", Distribution: "alpine", Release: "v3.22"}},
		Packages:     []Atom{{"busybox", Pos{"image.yaml", 2, 12}}},
		Layers:       Layers{By: "single", Max: 1}, Compression: "gzip", Database: "auto",
	}
	if !reflect.DeepEqual(img, want) {
		t.Errorf("got  %+v\nwant %+v", img, want)
	}
}

func TestName(t *testing.T) {
	tests := []struct{ rule, file, folder, yaml, want string }{
		{"the manifest's own", "a/image.yaml", "x", "name: b\n", "b"},
		{"else its folder's", "examples/python/image.yaml", "x", "slim: []\n", "python"},
		{"else the project's", "image.yaml", "x", "slim: []\n", "x"},
		{"made an image name", "My Images/Image.No_1 (new)/image.yaml", "x", "slim: []\n", "image-no-1-new"},
		{"a good name is left alone", "image.yaml", "a_b.c-d", "slim: []\n", "a_b.c-d"},
		{"nothing makes no name", "image.yaml", "", "slim: []\n", "image.yaml: no name, and the folder's name makes none\n\thint: write name: at the top"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			project := fstest.MapFS{tt.file: {Data: []byte(tt.yaml)}}
			img, err := Parse(project, tt.file, Options{DefaultName: tt.folder})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = img.Name
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParsePlatforms(t *testing.T) {
	got, err := ParsePlatforms([]string{"linux/amd64", "linux/arm/v7"})
	if want := []Platform{{"linux", "amd64", ""}, {"linux", "arm", "v7"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, error %v; want %v", got, err, want)
	}
	const names = "not one of linux/amd64, linux/arm64, linux/arm/v7, linux/arm/v6, linux/arm/v5, linux/386, linux/loong64, linux/mips64le, linux/ppc64le, linux/riscv64, linux/s390x"
	for text, want := range map[string]string{
		"x86_64":    `platform "x86_64": ` + names + `; write "linux/amd64"`,
		"windows/x": `platform "windows/x": ` + names,
	} {
		if _, err := ParsePlatforms([]string{"linux/arm64", text}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct{ rule, yaml string }{
		{"a byte order mark is skipped", "\uFEFFname: a\n"},
		{"lines end as on Windows, too", "name: a\r\nslim: []\r\n"},
		{"quotes change nothing", "\"name\": 'a'\n"},
		{"a comment may hold a tab", "name: a\t# b\tc\n"},
		{"an indicator of the document's start and end", "---\nname: a\n...\n"},
		{"JSON is YAML", "{\"name\": \"a\"}"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if img := parse(t, tt.yaml); img.Name != "a" {
				t.Errorf("name is %q", img.Name)
			}
		})
	}
}

func TestIncludes(t *testing.T) {
	many := fstest.MapFS{}
	for i := range 10 {
		many["image"+string(rune('0'+i))+".yaml"] = &fstest.MapFile{Data: []byte("include: image" + string(rune('1'+i)) + ".yaml\n")}
	}
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	tests := []struct {
		rule  string
		file  string
		files fstest.MapFS
		want  string // the image, as a manifest that says the same, or "error: " and what is wrong
	}{{
		rule: "lists append, included first",
		file: "b/image.yaml",
		files: fstest.MapFS{
			"b/image.yaml": file("include: ../a/image.yaml\nprefer: [z, b]\nremove: [/b]\n"),
			"a/image.yaml": file("prefer: [y, z]\nremove: [/a]\n"),
		},
		want: "prefer: [y, z, b]\nremove: [/a, /b]\n",
	}, {
		rule: "maps merge, and the includer's values count",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: base.yaml\nconfig: {env: {A: a, B: b}}\npolicy: {max-size: 2B}\nannotations: {y: y}\n"),
			"base.yaml":  file("config: {env: {B: x, C: c}, user: app}\npolicy: {max-size: 1B, forbid: [shell]}\nannotations: {x: x}\n"),
		},
		want: "config: {env: {A: a, B: b, C: c}, user: app}\npolicy: {max-size: 2B, forbid: [shell]}\nannotations: {x: x, y: y}\n",
	}, {
		rule: "other values are the includer's, else those of the file that was included last",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: [a.yaml, b.yaml]\ncompression: none\n"),
			"a.yaml":     file("compression: gzip\npackage-database: full\nlayers: single\n"),
			"b.yaml":     file("compression: zstd\npackage-database: none\nlayers: {by: origin, max: 3}\n"),
		},
		want: "compression: none\npackage-database: none\nlayers: {by: origin, max: 3}\n",
	}, {
		rule: "platforms and the two halves of the command are one value each",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: base.yaml\nplatforms: [linux/arm64]\nconfig: {entrypoint: [/b]}\n"),
			"base.yaml":  file("platforms: [linux/amd64, linux/arm64]\nconfig: {entrypoint: [/a, x], cmd: [c]}\n"),
		},
		want: "platforms: [linux/arm64]\nconfig: {entrypoint: [/b], cmd: [c]}\n",
	}, {
		rule: "paths are relative to the file that they stand in",
		file: "b/image.yaml",
		files: fstest.MapFS{
			"b/image.yaml": file("include: ../a/x/base.yaml\nfiles: [{path: /b, source: f}]\n"),
			"a/x/base.yaml": file("include: ../more.yaml\nrepositories: [{apk: https://example.org/os, keyring: k.pub}]\n" +
				"files: [{path: /a, source: ../f}]\n"),
			"a/more.yaml": file("files: [{path: /more, source: ./f}]\n"),
			"a/x/k.pub":   file(""), "a/f": file(""), "b/f": file(""),
		},
		want: "repositories: [{apk: https://example.org/os, keyring: ../a/x/k.pub}]\n" +
			"files: [{path: /more, source: ../a/f}, {path: /a, source: ../a/f}, {path: /b, source: f}]\n",
	}, {
		rule: "a file that is included twice counts once",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: [a.yaml, b.yaml]\n"),
			"a.yaml":     file("include: c.yaml\nremove: [/a]\n"),
			"b.yaml":     file("include: c.yaml\nremove: [/b]\n"),
			"c.yaml":     file("remove: [/c]\n"),
		},
		want: "remove: [/c, /a, /b]\n",
	}, {
		rule: "what both files name is there once",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: a.yaml\nrepositories: [{debian: trixie}]\npackages: [b, a]\n"),
			"a.yaml":     file("packages: [a, c]\n"),
		},
		want: "repositories: [{debian: trixie}]\npackages: [a, c, b]\n",
	}, {
		rule: "mistakes are reported file by file, where they stand",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: [b.yaml, a.yaml]\ncompression: x\n"),
			"b.yaml":     file("compression: y\n"),
			"a.yaml":     file("slim: [a: b]\nfoo: bar\nusers: [{name: a}]\n"),
		},
		want: "error: image.yaml:2:14: compression \"x\": not one of gzip, zstd, none\n" +
			"b.yaml:1:14: compression \"y\": not one of gzip, zstd, none\n" +
			"a.yaml:1:8: slim: a map, text is wanted\n" +
			"a.yaml:2:1: key \"foo\": no such key\n" +
			"\thint: keys here: name, platforms, include, repositories, packages, recommends, essential, prefer, elide, files, remove, slim, users, groups, config, annotations, layers, platform-skew, compression, package-database, policy",
	}, {
		rule:  "an included file is there",
		file:  "image.yaml",
		files: fstest.MapFS{"image.yaml": file("include: nope/base.yaml\n")},
		want:  "error: image.yaml:1:10: include \"nope/base.yaml\": no such file",
	}, {
		rule:  "a manifest is there",
		file:  "image.yaml",
		files: fstest.MapFS{},
		want:  "error: image.yaml: no such file",
	}, {
		rule:  "a manifest is a file",
		file:  "image.yaml",
		files: fstest.MapFS{"image.yaml/x": file("")},
		want:  "error: image.yaml: a folder, a file is wanted",
	}, {
		rule:  "a manifest lies in the project (M-04)",
		file:  "../image.yaml",
		files: fstest.MapFS{},
		want:  "error: ../image.yaml: outside the project",
	}, {
		rule: "includes stay in the project (M-04, M-05)",
		file: "a/image.yaml",
		files: fstest.MapFS{
			"a/image.yaml":  file("include: [x/base.yaml, /base.yaml]\n"),
			"a/x/base.yaml": file("include: ../../../a/image.yaml\n"),
		},
		want: "error: a/image.yaml:1:24: include \"/base.yaml\": not a path relative to the manifest\n" +
			"a/x/base.yaml:1:10: include \"../../../a/image.yaml\": leaves the project (a/image.yaml -> a/x/base.yaml -> ../a/image.yaml)",
	}, {
		rule: "cycles are refused, naming the chain (M-04)",
		file: "image.yaml",
		files: fstest.MapFS{
			"image.yaml": file("include: a.yaml\n"),
			"a.yaml":     file("include: [b.yaml]\n"),
			"b.yaml":     file("include: ./image.yaml\n"),
		},
		want: "error: b.yaml:1:10: include \"./image.yaml\": includes itself (image.yaml -> a.yaml -> b.yaml -> image.yaml)",
	}, {
		rule:  "includes go 8 deep (M-04)",
		file:  "image0.yaml",
		files: many,
		want: "error: image8.yaml:1:10: include \"image9.yaml\": more than 8 deep (image0.yaml -> image1.yaml -> image2.yaml -> " +
			"image3.yaml -> image4.yaml -> image5.yaml -> image6.yaml -> image7.yaml -> image8.yaml -> image9.yaml)",
	}}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			img, err := Parse(tt.files, tt.file, Options{DefaultName: "test"})
			if want, wrong := strings.CutPrefix(tt.want, "error: "); wrong {
				if got := outcome(img, err); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
				return
			}
			tt.files[filepath.Dir(tt.file)+"/want.yaml"] = file(tt.want)
			if dir := filepath.Dir(tt.file); dir == "." {
				tt.files["want.yaml"] = file(tt.want)
			}
			want := outcome(Parse(tt.files, filepath.ToSlash(filepath.Join(filepath.Dir(tt.file), "want.yaml")), Options{DefaultName: "test"}))
			if got := outcome(img, err); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestNameIsNotIncluded(t *testing.T) {
	files := fstest.MapFS{
		"image.yaml": {Data: []byte("include: base.yaml\n")},
		"base.yaml":  {Data: []byte("name: base\n")},
	}
	img, err := Parse(files, "image.yaml", Options{DefaultName: "test"})
	if err != nil || img.Name != "test" {
		t.Errorf("name is %q, error %v; want test", img.Name, err)
	}
}

// The rooted file system is what keeps links inside (M-04).
func TestLinksStayInTheProject(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("outside", "name: a\n")
	if err := os.Mkdir(filepath.Join(dir, "project"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("project/image.yaml", "include: link.yaml\nfiles: [{path: /a, source: link.yaml}, {path: /b, source: good}]\n")
	write("project/file", "")
	for name, target := range map[string]string{"link.yaml": "../outside", "good": "file"} {
		if err := os.Symlink(target, filepath.Join(dir, "project", name)); err != nil {
			t.Skip(err)
		}
	}
	root, err := os.OpenRoot(filepath.Join(dir, "project"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got := outcome(Parse(root.FS(), "image.yaml", Options{DefaultName: "test"}))
	want := "image.yaml:1:10: include \"link.yaml\": path escapes from parent\n" +
		"image.yaml:2:28: source \"link.yaml\": path escapes from parent"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestStarter(t *testing.T) {
	for _, format := range []string{"apk", "deb"} {
		img := parse(t, Starter(format))
		if img.Format() != format || len(img.Packages) == 0 {
			t.Errorf("%s: format %q, packages %v", format, img.Format(), img.Packages)
		}
		// What is commented out is right as well.
		var all []string
		for line := range strings.Lines(Starter(format)) {
			bare := strings.TrimLeft(line, " ")
			if rest, ok := strings.CutPrefix(bare, "# "); ok && !strings.HasPrefix(rest, "An image") {
				line = line[:len(line)-len(bare)] + rest
			}
			all = append(all, line)
		}
		if got := outcome(Parse(project(strings.Join(all, "")), "image.yaml", Options{DefaultName: "test"})); !strings.HasPrefix(got, "an image") {
			t.Errorf("%s, with its comments: %s", format, got)
		}
	}
	if got := Starter("rpm"); got != "" {
		t.Errorf("rpm: %q", got)
	}
}
