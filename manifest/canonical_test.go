package manifest

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

func canonical(t *testing.T, files fstest.MapFS, name string) string {
	t.Helper()
	img, err := Parse(files, name, Options{DefaultName: "test"})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(img.Canonical())
}

func TestCanonical(t *testing.T) {
	got := string(parse(t, `# a comment
repositories: [{alpine: v3.22}, {apk: https://example.org/os/, keyring: ./keys/a.pub, name: edge}]
packages: [zlib@edge, busybox]
files: [{path: /a, content: "\u202e\U0001F600\x7f<", mode: "0600"}]
users: [{name: app, uid: 1}]
policy: {max-size: 2KiB}
`).Canonical())
	want := `{
  "compression": "gzip",
  "files": [
    {
      "content": "\u202e😀\u007f<",
      "mode": "0600",
      "path": "/a"
    }
  ],
  "layers": "single",
  "package-database": "auto",
  "packages": [
    "busybox",
    "zlib@edge"
  ],
  "policy": {
    "max-size": "2048B"
  },
  "repositories": [
    {
      "alpine": "v3.22"
    },
    {
      "apk": "https://example.org/os",
      "keyring": [
        "keys/a.pub"
      ],
      "name": "edge"
    }
  ],
  "users": [
    {
      "home": "/",
      "name": "app",
      "shell": "/sbin/nologin",
      "uid": 1
    }
  ]
}
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestCanonicalIsAFixedPoint(t *testing.T) {
	once := parse(t, everyKey).Canonical()
	if twice := parse(t, string(once)).Canonical(); !bytes.Equal(once, twice) {
		t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
	}
}

// Order of keys, quotes, comments and the split into files mean nothing.
func TestCanonicalForgetsForm(t *testing.T) {
	want := canonical(t, project(everyKey), "image.yaml")
	var v map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(everyKey), &v); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		keys := slices.Collect(maps.Keys(v))
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		cut := rand.Intn(len(keys) + 1)
		files := project("include: more.yaml\n" + rewrite(t, v, keys[:cut]))
		files["more.yaml"] = &fstest.MapFile{Data: []byte("# nothing but this\n{}\n")}
		if cut < len(keys) {
			files["more.yaml"].Data = []byte(rewrite(t, v, keys[cut:]))
		}
		if got := canonical(t, files, "image.yaml"); got != want {
			t.Fatalf("keys here: %v\ngot:\n%s\nwant:\n%s", keys[:cut], got, want)
		}
	}
}

// rewrite is the named keys of v, in that order and another style.
func rewrite(t *testing.T, v map[string]yaml.Node, keys []string) string {
	t.Helper()
	var b strings.Builder
	for _, k := range keys {
		value := v[k]
		restyle(&value)
		text, err := yaml.Marshal(map[string]*yaml.Node{k: &value})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n%s\n", k, text)
	}
	return strings.ReplaceAll(b.String(), "\u202e", `\u202e`) // which the writer of YAML leaves as it is
}

func restyle(n *yaml.Node) {
	switch {
	case n.Kind != yaml.ScalarNode:
		n.Style = 0 // a block
	case n.ShortTag() == "!!str":
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		restyle(c)
	}
}

func TestCanonicalForgetsPlaceAndName(t *testing.T) {
	yaml := "files: [{path: /a, source: ../f}, {path: /b, source: .}, {path: /c, source: g/h}]\n"
	at := func(dir string) string {
		return canonical(t, fstest.MapFS{
			dir + "x/image.yaml": {Data: []byte(yaml)}, dir + "f": {}, dir + "x/g/h": {},
		}, dir+"x/image.yaml")
	}
	want := at("")
	for _, source := range []string{`"../f"`, `"."`, `"g/h"`} {
		if !strings.Contains(want, `"source": `+source) {
			t.Errorf("no source %s in:\n%s", source, want)
		}
	}
	if got := at("some/where/else/"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if a, b := parse(t, "name: a\n").Canonical(), parse(t, "name: b\n").Canonical(); !bytes.Equal(a, b) {
		t.Errorf("name a:\n%s\nname b:\n%s", a, b)
	}
}

// Each of these changes the image, and so the form.
func TestCanonicalTellsImagesApart(t *testing.T) {
	texts := []string{
		"slim: []\n",
		"platforms: [linux/amd64]\n",
		"repositories: [{debian: trixie}]\n",
		"repositories: [{debian: bookworm}]\n",
		"repositories: [{alpine: v3.22}]\n",
		"repositories: [{debian: trixie, snapshot: 20261101T000000Z}]\n",
		"repositories: [{debian: trixie, components: [main, contrib]}]\n",
		"repositories: [{debian: trixie, name: x}]\n",
		"repositories: [{apk: https://example.org/os, trusted: insecure}]\n",
		"repositories: [{apk: https://example.org/os, keyring: keys/a.pub}]\n",
		"repositories: [{deb: https://example.org/os, trusted: insecure, suites: [a]}]\n",
		"repositories: [{deb: https://example.org/os, trusted: insecure, suites: [b]}]\n",
		debian + "packages: [a]\n",
		debian + "packages: [a, b]\n",
		"recommends: true\n",
		"essential: true\n",
		"prefer: [a, b]\n",
		"prefer: [b, a]\n",
		"elide: helpers\n",
		"elide: [helpers]\n",
		"files: [{path: /a, content: x}]\n",
		"files: [{path: /a, content: \"\"}]\n",
		"files: [{path: /a, content: x, mode: \"0000\"}]\n",
		"files: [{path: /a, content: x, owner: a}]\n",
		"files: [{path: /a, type: dir}]\n",
		"files: [{path: /a, link: x}]\n",
		"files: [{path: /a, source: hello}]\n",
		"files: [{path: /a, source: {url: https://example.org/x, sha256: " + digits + "}}]\n",
		"remove: [/a, \"!/b\"]\n",
		"remove: [\"!/b\", /a]\n",
		"slim: [man]\n",
		"users: [{name: a}]\n",
		"users: [{name: a, uid: 0}]\n",
		"users: [{name: a, gid: 0}]\n",
		"users: [{name: a, home: /a}]\n",
		"users: [{name: a, shell: /a}]\n",
		"users: [{name: a, comment: a}]\n",
		"users: [{name: a, groups: [a]}]\n",
		"groups: [{name: a}]\n",
		"groups: [{name: a, gid: 0}]\n",
		"groups: [{name: a, members: [a]}]\n",
		"config: {user: a}\n",
		"config: {entrypoint: [a]}\n",
		"config: {cmd: [a]}\n",
		"config: {cmd: [a, b]}\n",
		"config: {cmd: [b, a]}\n",
		"config: {env: {a: \"\"}}\n",
		"config: {workdir: /a}\n",
		"config: {ports: [1/tcp]}\n",
		"config: {volumes: [/a]}\n",
		"config: {labels: {a: b}}\n",
		"config: {stop-signal: SIGINT}\n",
		"annotations: {a: b}\n",
		"layers: {by: origin}\n",
		"layers: {by: origin, max: 21}\n",
		"compression: none\n",
		"package-database: none\n",
		"policy: {forbid: [shell]}\n",
		"policy: {allow: [a]}\n",
		"policy: {allow: [{item: a, reason: b}]}\n",
		"policy: {max-size: 1MiB}\n",
	}
	seen := map[string]string{}
	for _, text := range texts {
		form := string(parse(t, text).Canonical())
		if other, again := seen[form]; again {
			t.Errorf("one form:\n%s%s", other, text)
		}
		seen[form] = text
	}
}

func TestCanonicalForgetsOrderOfSets(t *testing.T) {
	for _, texts := range [][2]string{
		{debian + "packages: [a, b]\n", debian + "packages: [b, a]\n"},
		{"platforms: [linux/amd64, linux/arm64]\n", "platforms: [linux/arm64, linux/amd64]\n"},
		{"slim: [docs, man]\n", "slim: [man, docs]\n"},
		{"elide: [a, b]\n", "elide: [b, a]\n"},
		{"config: {ports: [1/tcp, 2/tcp], volumes: [/a, /b]}\n", "config: {volumes: [/b, /a], ports: [2/tcp, 1/tcp]}\n"},
		{"policy: {max-size: 1KiB}\n", "policy: {max-size: 1024B}\n"},
		{"config: {cmd: []}\nslim: []\n", "users: []\n"},
		{"compression: gzip\nlayers: single\npackage-database: auto\nrecommends: false\n", "{}\n"},
		{"layers: {by: origin}\n", "layers: {by: origin, max: 20}\n"},
		{"files: [{path: /a, source: ./hello}]\n", "files: [{path: /a, source: hello}]\n"},
	} {
		a, b := parse(t, texts[0]).Canonical(), parse(t, texts[1]).Canonical()
		if !bytes.Equal(a, b) {
			t.Errorf("%s:\n%s\n%s:\n%s", texts[0], a, texts[1], b)
		}
	}
}
