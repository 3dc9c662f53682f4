package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	digest "github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/testrepo"
	"compose/rootfs"
)

// readTree opens the image at path and gives its tree for the platform.
func readTree(t testing.TB, path string, p v1.Platform, pack rootfs.Pack) *rootfs.Tree {
	t.Helper()
	s, err := Open(t.Context(), path)
	must(t, err)
	defer s.Close()
	img, err := s.Image(p)
	must(t, err)
	tree, err := img.Tree(t.Context(), pack)
	must(t, err)
	return tree
}

// checkSample compares a tree that was read with the sample.
func checkSample(t *testing.T, tree *rootfs.Tree) {
	t.Helper()
	if tree.Len() != len(sample)+1 {
		t.Errorf("%d nodes, want %d", tree.Len(), len(sample)+1)
	}
	for _, f := range sample {
		want := f.Node
		want.Package, want.Origin = "", "layer 1"
		switch want.Type {
		case rootfs.Regular:
			want.Content = cas.Ref{Digest: cas.Sum([]byte(f.text)), Size: int64(len(f.text))}
		case rootfs.Dir:
			want.MTime = testEpoch
		}
		got := tree.Get(want.Path)
		if got == nil {
			t.Errorf("/%s is not there", want.Path)
			continue
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("got  %+v\nwant %+v", *got, want)
		}
	}
}

func TestOpenReadsWhatWasWritten(t *testing.T) {
	store := cas.NewMem()
	arm64 := v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	for _, compression := range []string{"gzip", "zstd", "none"} {
		b := newBundle(t, store, compression, amd64, arm64)
		b.Artifacts = []Artifact{note("a signature")}
		dir := t.TempDir()
		layout, archive := filepath.Join(dir, "layout"), filepath.Join(dir, "sample.tar")
		write(t, b, layout, store)
		_, err := b.WriteArchive(t.Context(), archive, store)
		must(t, err)
		for _, path := range []string{layout, archive} {
			t.Run(compression+" "+filepath.Base(path), func(t *testing.T) {
				s, err := Open(t.Context(), path)
				must(t, err)
				defer s.Close()
				if string(s.Root.Digest) != b.Index.Digest().String() || len(s.Images) != 2 || len(s.Others) != 1 {
					t.Errorf("root %s, %d images, %d others", s.Root.Digest, len(s.Images), len(s.Others))
				}
				if cmd := s.Images[0].Config.Config.Cmd; len(cmd) != 1 || cmd[0] != "-V" {
					t.Errorf("the configuration is %+v", s.Images[0].Config)
				}
				checkSample(t, readTree(t, path, v1.Platform{OS: "linux", Architecture: "arm64"}, nil))
				if _, err := s.Image(v1.Platform{OS: "plan9", Architecture: "mips"}); fault.Of(err) != fault.Usage || !strings.HasSuffix(err.Error(), "no image for plan9/mips; it has linux/amd64, linux/arm64/v8") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestTreeKeepsContents(t *testing.T) {
	store := cas.NewMem()
	layout := filepath.Join(t.TempDir(), "layout")
	write(t, newBundle(t, store, "gzip", amd64), layout, store)
	pack, err := store.NewPack(cas.Sum([]byte("pack")))
	must(t, err)
	tree := readTree(t, layout, amd64, pack)
	must(t, pack.Commit())
	r, err := store.Open(tree.Get("usr/bin/hello").Content)
	must(t, err)
	if b, err := io.ReadAll(r); err != nil || string(b) != "#!/bin/sh\necho hello\n" {
		t.Errorf("got %q, %v", b, err)
	}
}

// An image of several layers is the same tree as one of one.
func TestSplitLayersMergeAgain(t *testing.T) {
	store := cas.NewMem()
	layers := splitLayers(t, store, sample, "gzip")
	if len(layers) != 5 { // base, hello, links, words and the top
		t.Fatalf("%d layers, want 5", len(layers))
	}
	x, err := NewIndex([]*Image{newImage(t, Config{}, amd64, layers...)}, nil)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "layout")
	write(t, &Bundle{Name: "sample", Index: x}, dir, store)
	if got, want := readTree(t, dir, amd64, nil).Dump(), treeOfFiles(t, store, sample).Dump(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// An entry of a layer, in short.
type entry struct {
	name string // with a slash at the end: a directory
	link string // -> symbolic, => hard
	text string
	mode int64
}

// tarOf is a layer as a foreign tool writes it.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Size: int64(len(e.text)), Mode: 0o644}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if to, ok := strings.CutPrefix(e.link, "-> "); ok {
			h.Typeflag, h.Linkname = tar.TypeSymlink, to
		}
		if to, ok := strings.CutPrefix(e.link, "=> "); ok {
			h.Typeflag, h.Linkname = tar.TypeLink, to
		}
		if e.mode != 0 {
			h.Mode = e.mode
		}
		must(t, w.WriteHeader(h))
		_, err := w.Write([]byte(e.text))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// treeOf merges layers.
func treeOf(t testing.TB, layers ...[]entry) (*rootfs.Tree, error) {
	t.Helper()
	img := &StoredImage{name: "image"}
	for _, l := range layers {
		data := tarOf(t, l...)
		img.Layers = append(img.Layers, StoredLayer{DiffID: cas.Sum(data), open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		}})
	}
	return img.Tree(t.Context(), nil)
}

func TestLayersMerge(t *testing.T) {
	base := []entry{{name: "etc/"}, {name: "etc/a", text: "a"}, {name: "etc/b", text: "b"}, {name: "etc/d/"}, {name: "etc/d/x", text: "x"}, {name: "lib", link: "-> usr/lib"}, {name: "usr/lib/"}}
	tests := []struct {
		rule  string
		layer []entry
		want  string // what differs: + and - lines; or the error
	}{
		{"a file takes the place of a file", []entry{{name: "etc/a", text: "other"}}, "-/etc/a 1\n+/etc/a 5\n"},
		{"a whiteout removes a file", []entry{{name: "etc/.wh.a"}}, "-/etc/a 1\n"},
		{"a whiteout removes a folder and all in it", []entry{{name: "etc/.wh.d"}}, "-/etc/d/\n-/etc/d/x 1\n"},
		{"a whiteout of nothing does nothing", []entry{{name: ".wh.nothing"}}, ""},
		{"a whiteout does not hide its own layer", []entry{{name: "etc/a", text: "own"}, {name: "etc/.wh.a"}}, "-/etc/a 1\n+/etc/a 3\n"},
		{"an opaque folder has only its own layer's content, in any order",
			[]entry{{name: "etc/new", text: "new"}, {name: "etc/.wh..wh..opq"}}, "-/etc/a 1\n-/etc/b 1\n-/etc/d/\n-/etc/d/x 1\n+/etc/new 3\n"},
		{"the root may be opaque", []entry{{name: ".wh..wh..opq"}, {name: "new"}},
			"-/etc/\n-/etc/a 1\n-/etc/b 1\n-/etc/d/\n-/etc/d/x 1\n-/lib -> usr/lib\n-/usr/\n-/usr/lib/\n+/new 0\n"},
		{"a file takes the place of a folder", []entry{{name: "etc/d", text: "d"}}, "-/etc/d/\n-/etc/d/x 1\n+/etc/d 1\n"},
		{"a folder takes the place of a file", []entry{{name: "etc/a/"}}, "-/etc/a 1\n+/etc/a/\n"},
		{"a folder takes the place of a link", []entry{{name: "lib/"}}, "-/lib -> usr/lib\n+/lib/\n"},
		{"a folder keeps what it holds", []entry{{name: "etc/", mode: 0o700}}, ""},
		{"a name below a link goes where the link leads", []entry{{name: "lib/c", text: "c"}}, "+/usr/lib/c 1\n"},
		{"a hard link may lead to a lower layer", []entry{{name: "etc/link", link: "=> etc/a"}}, "+/etc/link => etc/a\n"},
		{"a hard link to a symbolic link is one more of it", []entry{{name: "lib64", link: "=> lib"}}, "+/lib64 -> usr/lib\n"},
		{"a hard link to itself changes nothing", []entry{{name: "etc/a", link: "=> etc/a"}}, ""},
		{"names may begin with a dot or a slash", []entry{{name: "./etc/.wh.a"}, {name: "/etc/.wh.b"}}, "-/etc/a 1\n-/etc/b 1\n"},
		{"aufs's own files are none", []entry{{name: ".wh..wh.plnk/"}, {name: ".wh..wh.aufs"}}, ""},
		{"A-25: a control character in a name", []entry{{name: "a\nb"}}, `UNSAFE-ENTRY image: layer 2: entry "a\nb": a control character in the name`},
		{"a name that leaves the tree", []entry{{name: "etc/../../a"}}, `UNSAFE-ENTRY image: layer 2: entry "etc/../../a": the name leaves the image`},
		{"a hard link that leaves the tree", []entry{{name: "a", link: "=> ../a"}}, `UNSAFE-ENTRY image: layer 2: entry "a": the name leaves the image`},
		{"a hard link to nothing", []entry{{name: "a", link: "=> b"}}, `FORMAT-INVALID image: layer 2: entry "a": `},
		{"a path of too many parts", []entry{{name: strings.Repeat("a/", 200)}}, `LIMIT-SIZE image: layer 2: `},
		{"a name of too many bytes", []entry{{name: strings.Repeat("a", 256)}}, `LIMIT-SIZE image: layer 2: `},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			old, err := treeOf(t, base)
			must(t, err)
			tree, err := treeOf(t, base, tt.layer)
			if err != nil {
				if got := string(fault.Of(err)) + " " + err.Error(); !strings.HasPrefix(got, tt.want) || tt.want == "" {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				return
			}
			if got := difference(old, tree); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// difference is what one tree has and the other has not.
func difference(old, tree *rootfs.Tree) string {
	lines := func(t *rootfs.Tree) (list []string) {
		for n := range t.All() {
			switch n.Type {
			case rootfs.Dir:
				list = append(list, "/"+n.Path+"/\n")
			case rootfs.Regular:
				list = append(list, fmt.Sprintf("/%s %d\n", n.Path, n.Content.Size))
			case rootfs.Symlink:
				list = append(list, "/"+n.Path+" -> "+n.Link+"\n")
			case rootfs.Hardlink:
				list = append(list, "/"+n.Path+" => "+n.Link+"\n")
			}
		}
		return list
	}
	var b strings.Builder
	before, after := strings.Join(lines(old), ""), strings.Join(lines(tree), "")
	for _, l := range lines(old) {
		if !strings.Contains("\n"+after, "\n"+l) {
			b.WriteString("-" + l)
		}
	}
	for _, l := range lines(tree) {
		if !strings.Contains("\n"+before, "\n"+l) {
			b.WriteString("+" + l)
		}
	}
	return b.String()
}

// dockerArchive is what docker save writes: with the given names of members.
func dockerArchive(t testing.TB, layers [][]byte, change func(members map[string]any, entry *dockerEntry)) string {
	t.Helper()
	config := v1.Image{Platform: amd64, RootFS: v1.RootFS{Type: "layers"}}
	members := map[string]any{}
	e := dockerEntry{RepoTags: []string{"sample:latest"}}
	for i, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.Digest(cas.Sum(l).String()))
		name := fmt.Sprintf("%d/layer.tar", i)
		members[name] = l
		e.Layers = append(e.Layers, name)
	}
	text := []byte(jsonOf(config))
	e.Config = cas.Sum(text).Hex() + ".json"
	members[e.Config] = text
	if change != nil {
		change(members, &e)
	}
	members["manifest.json"] = []byte(jsonOf([]dockerEntry{e}))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, m := range members {
		switch m := m.(type) {
		case []byte:
			must(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(m)), Mode: 0o644}))
			_, err := w.Write(m)
			must(t, err)
		case string:
			must(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: m, Mode: 0o777}))
		}
	}
	must(t, w.Close())
	file := filepath.Join(t.TempDir(), "docker.tar")
	must(t, os.WriteFile(file, b.Bytes(), 0o600))
	return file
}

func TestOpenDockerArchive(t *testing.T) {
	one, two := tarOf(t, entry{name: "a", text: "1"}), tarOf(t, entry{name: ".wh.a"}, entry{name: "b", text: "2"})
	tests := []struct {
		rule   string
		layers [][]byte
		change func(map[string]any, *dockerEntry)
		want   string // the tree's regular files, or the error
	}{
		{"layers are merged", [][]byte{one, two}, nil, "b"},
		{"a layer may be compressed", [][]byte{one}, func(m map[string]any, _ *dockerEntry) {
			m["0/layer.tar"] = gzipped(t, m["0/layer.tar"].([]byte))
		}, "a"},
		{"a layer may be a link to another", [][]byte{one, one}, func(m map[string]any, _ *dockerEntry) { m["1/layer.tar"] = "../0/layer.tar" }, "a"},
		{"a layer that is not its DiffID", [][]byte{one}, func(m map[string]any, _ *dockerEntry) { m["0/layer.tar"] = two }, "TRUST-HASH layer 1: uncompressed sha256 expected"},
		{"a configuration that is not its name", [][]byte{one}, func(m map[string]any, e *dockerEntry) {
			m[e.Config] = append(m[e.Config].([]byte), ' ')
		}, "TRUST-HASH configuration"},
		{"a layer that is missing", [][]byte{one}, func(m map[string]any, _ *dockerEntry) { delete(m, "0/layer.tar") }, " layer 1: open 0/layer.tar: file does not exist"},
		{"a link in a circle", [][]byte{one}, func(m map[string]any, _ *dockerEntry) { m["0/layer.tar"] = "layer.tar" }, " layer 1: open"},
		{"fewer layers than the configuration has", [][]byte{one, two}, func(_ map[string]any, e *dockerEntry) { e.Layers = e.Layers[:1] },
			"FORMAT-INVALID configuration names 2 layers, manifest 1"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			path := dockerArchive(t, tt.layers, tt.change)
			got, err := regularFiles(t, path)
			if err != nil {
				got = string(fault.Of(err)) + " " + strings.TrimPrefix(err.Error(), path+": ")
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

// regularFiles names the files of the only image at path.
func regularFiles(t testing.TB, path string) (string, error) {
	s, err := Open(t.Context(), path)
	if err != nil {
		return "", err
	}
	defer s.Close()
	tree, err := s.Images[0].Tree(t.Context(), nil)
	if err != nil {
		return "", err
	}
	var list []string
	for n := range tree.All() {
		if n.Type == rootfs.Regular {
			list = append(list, n.Path)
		}
	}
	return strings.Join(list, " "), nil
}

// What is wrong with a layout is found, whatever file it is in (P-04, C-01).
func TestOpenRefuses(t *testing.T) {
	store := cas.NewMem()
	b := newBundle(t, store, "gzip", amd64, v1.Platform{OS: "linux", Architecture: "arm64"})
	img := b.Index.Images[0]
	at := func(d v1.Descriptor) string { return blobPath(d.Digest) }
	replace := func(name, old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Contains(data, []byte(old)) {
				t.Fatalf("%s has no %q", name, old)
			}
			must(t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(new)), 0o600))
		}
	}
	layer := img.Layers[0].descriptor()
	tests := []struct {
		rule   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"another version", replace("oci-layout", "1.0.0", "2.0.0"), `FORMAT-INVALID oci-layout: version "2.0.0", want "1.0.0"`},
		{"no index.json", remove("index.json"), "FORMAT-INVALID "},
		{"index.json is no JSON", replace("index.json", "{", "["), "FORMAT-INVALID "},
		{"a digest that is none (P-07)", replace("index.json", "sha256:", "sha256:../../"), "FORMAT-INVALID digest"},
		{"the index is altered", replace(at(b.Index.Root.Descriptor), "arm64", "ARM64"), "TRUST-HASH blob sha256:"},
		{"a manifest is altered", replace(at(img.Manifest.Descriptor), `{"`, `["`), "TRUST-HASH blob sha256:"},
		{"a configuration is altered", replace(at(img.Config.Descriptor), "amd64", "AMD64"), "TRUST-HASH blob sha256:"},
		{"a configuration is longer", replace(at(img.Config.Descriptor), "amd64", "amd64 "), "TRUST-HASH blob sha256:"},
		{"a configuration is missing", remove(at(img.Config.Descriptor)), " sha256:"},
		{"a layer has bytes more", func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, at(layer)))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, at(layer)), append(data, gzipped(t, nil)...), 0o600))
		}, "TRUST-HASH layer 1: expected sha256:"},
		{"a layer is missing", remove(at(layer)), " layer 1: "},
		{"a blob is a link out of the layout", func(t *testing.T, dir string) {
			path := filepath.Join(dir, at(layer))
			must(t, os.Rename(path, filepath.Join(filepath.Dir(dir), "outside")))
			must(t, os.Symlink("../../../outside", path))
		}, " layer 1: "},
		{"the type of a manifest differs from what the index says", replace("index.json", `"mediaType":"application/vnd.oci.image.index.v1+json","digest"`, `"mediaType":"application/vnd.oci.image.manifest.v1+json","digest"`),
			"FORMAT-INVALID a document named as application/vnd.oci.image.manifest.v1+json says that it is application/vnd.oci.image.index.v1+json"},
		{"the image is of another type altogether", replace("index.json", `"mediaType":"application/vnd.oci.image.index.v1+json","digest"`, `"mediaType":"text/plain","digest"`),
			`FORMAT-INVALID sha256:`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			write(t, b, dir, store)
			tt.damage(t, dir)
			_, err := regularFiles(t, dir)
			if err == nil {
				t.Fatal("no error")
			}
			if got := string(fault.Of(err)) + " " + strings.TrimPrefix(err.Error(), dir+": "); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func remove(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, name))) }
}

func TestOpenOfWhatIsNoImage(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "text"), []byte("text"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "empty.tar"), tarOf(t), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for name, want := range map[string]fault.ID{"text": fault.FormatInvalid, "empty.tar": fault.FormatInvalid, "folder": fault.FormatInvalid, "nothing": fault.Usage} {
		if _, err := Open(t.Context(), filepath.Join(dir, name)); fault.Of(err) != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// One document must not be a manifest to one reader and an index to another
// (CVE-2021-41190).
func TestParseAmbiguous(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"manifests":[]}`:             true,
		`{"layers":[]}`:                true,
		`{"manifests":[],"layers":[]}`: false,
		`{"manifests":[],"config":{}}`: false,
		`{"mediaType":"b"}`:            false,
		`{} {}`:                        false,
	} {
		var v json.RawMessage
		if err := parse("x", []byte(text), "a", &v); (err == nil) != ok || err != nil && fault.Of(err) != fault.FormatInvalid {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// What Docker saves of an image that it loaded is the same tree.
func TestOpenWhatDockerSaves(t *testing.T) {
	d := testrepo.Docker(t)
	store := cas.NewMem()
	host := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	b := newBundle(t, store, "gzip", host)
	b.Name = "saved"
	dir := t.TempDir()
	_, err := b.WriteArchive(t.Context(), filepath.Join(dir, "in.tar"), store)
	must(t, err)
	d.Load(t, filepath.Join(dir, "in.tar"))
	out := filepath.Join(dir, "out.tar")
	d.Command(t, "save", "--output", out, "saved:latest")
	checkSample(t, readTree(t, out, host, nil))
}

// And what skopeo makes of a layout, in the oldest form of docker archives.
func TestOpenWhatSkopeoWrites(t *testing.T) {
	store := cas.NewMem()
	dir := t.TempDir()
	layout, out := filepath.Join(dir, "layout"), filepath.Join(dir, "out.tar")
	write(t, newBundle(t, store, "gzip", amd64), layout, store)
	run(t, "skopeo", "copy", "--insecure-policy", "oci:"+layout+":latest", "docker-archive:"+out+":sample:latest")
	checkSample(t, readTree(t, out, amd64, nil))
}

// Whatever the bytes are, reading them ends, with a tree or an error, and the
// tree can be written again.
func FuzzLayer(f *testing.F) {
	for _, data := range [][]byte{
		tarOf(f, entry{name: "a", text: "1"}, entry{name: "b", link: "=> a"}, entry{name: ".wh.a"}),
		gzipped(f, tarOf(f, entry{name: "d/"}, entry{name: "d/.wh..wh..opq"}, entry{name: "d/l", link: "-> ../x"})),
		tarOf(f, entry{name: "é/" + strings.Repeat("long/", 30)}),
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &merger{tree: rootfs.NewTree()}
		plain, err := decompressor(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer plain.Close()
		d := newDigester(plain)
		d.limit = 1 << 20
		c, err := m.read(d)
		if err != nil {
			return
		}
		if m.apply(c) != nil {
			return
		}
		segments, err := rootfs.Segments(m.tree)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segments {
			if err := s.Entries(0, func([]byte, cas.Ref) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// memory is the files of a layout, without a disk.
type memory map[string][]byte

func (m memory) has(name string) bool { return m[name] != nil }

func (m memory) open(name string) (io.ReadCloser, error) {
	if !m.has(name) {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(m[name])), nil
}

func (m memory) Close() error { return nil }

// Whatever index.json and a manifest say, opening the layout ends, with a
// refusal that has a name or with an image whose configuration was found.
func FuzzOpenLayout(f *testing.F) {
	store := cas.NewMem()
	b := newBundle(f, store, "none", amd64)
	index, err := b.indexJSON()
	must(f, err)
	img := b.Index.Images[0]
	f.Add(index.Data, img.Manifest.Data, img.Config.Data)
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`), []byte(`{}`), []byte(`{}`))
	f.Add([]byte(`{"manifests":[{"mediaType":"`+v1.MediaTypeImageIndex+`","digest":"M","size":0}]}`), []byte(`{"manifests":[{"digest":"C"}]}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, index, manifest, config []byte) {
		// References to whatever stands there now are set right, so that more
		// than the check of digests is tried.
		for _, r := range []struct{ in, of *[]byte }{{&manifest, &config}, {&index, &manifest}} {
			for _, old := range []string{"M", "C", img.Manifest.Descriptor.Digest.String(), img.Config.Descriptor.Digest.String()} {
				*r.in = bytes.ReplaceAll(*r.in, []byte(`"digest":"`+old+`"`), []byte(`"digest":"`+cas.Sum(*r.of).String()+`"`))
			}
			for _, size := range []int64{0, img.Manifest.Descriptor.Size, img.Config.Descriptor.Size} {
				*r.in = bytes.ReplaceAll(*r.in, fmt.Appendf(nil, `"size":%d`, size), fmt.Appendf(nil, `"size":%d`, len(*r.of)))
			}
		}
		files := memory{"index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
		for _, blob := range [][]byte{manifest, config} {
			files["blobs/sha256/"+cas.Sum(blob).Hex()] = blob
		}
		s, err := openLayout(t.Context(), "fuzz", files)
		if err != nil {
			if fault.Of(err) == "" && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		for _, i := range s.Images {
			if len(i.Layers) != len(i.Config.RootFS.DiffIDs) {
				t.Fatalf("%d layers, %d DiffIDs", len(i.Layers), len(i.Config.RootFS.DiffIDs))
			}
		}
	})
}
