package oci

import (
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

func newImage(t testing.TB, c Config, p v1.Platform, layers ...Layer) *Image {
	t.Helper()
	i, err := NewImage(c, p, testEpoch, layers, map[string]string{"org.example.note": "<&>"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var fullConfig = Config{
	User: "app", Entrypoint: []string{"/usr/bin/python3"}, Cmd: []string{"-V"}, Env: map[string]string{"LANG": "C.UTF-8", "A": "b"},
	Workdir: "/app", Ports: []string{"8080/tcp", "53/udp"}, Volumes: []string{"/data"}, Labels: map[string]string{"z": "1", "a": "2"}, StopSignal: "SIGINT",
}

// The documents of an image, byte for byte: a change here is a new layer
// format epoch.
func TestImageGolden(t *testing.T) {
	layer := Layer{MediaType: v1.MediaTypeImageLayerGzip, Digest: cas.Sum([]byte("blob")), Size: 4, DiffID: cas.Sum([]byte("tar"))}
	i := newImage(t, fullConfig, amd64, layer)
	const config = `{"created":"2023-11-14T22:13:20Z","architecture":"amd64","os":"linux",` +
		`"config":{"User":"app","ExposedPorts":{"53/udp":{},"8080/tcp":{}},"Env":["A=b","LANG=C.UTF-8"],"Entrypoint":["/usr/bin/python3"],"Cmd":["-V"],` +
		`"Volumes":{"/data":{}},"WorkingDir":"/app","Labels":{"a":"2","z":"1"},"StopSignal":"SIGINT"},` +
		`"rootfs":{"type":"layers","diff_ids":["sha256:DIFF"]},"history":[{"created":"2023-11-14T22:13:20Z","created_by":"compose"}]}`
	if got, want := string(i.Config.Data), strings.ReplaceAll(config, "DIFF", layer.DiffID.Hex()); got != want {
		t.Errorf("config\ngot  %s\nwant %s", got, want)
	}
	const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"CONFIG","size":SIZE},` +
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"BLOB","size":4}],"annotations":{"org.example.note":"<&>"}}`
	want := strings.NewReplacer("CONFIG", cas.Sum(i.Config.Data).String(), "BLOB", layer.Digest.String(), "SIZE", jsonOf(len(i.Config.Data))).Replace(manifest)
	if got := string(i.Manifest.Data); got != want {
		t.Errorf("manifest\ngot  %s\nwant %s", got, want)
	}
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestNewIndex(t *testing.T) {
	arm := newImage(t, Config{}, v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"})
	amd := newImage(t, Config{}, amd64)
	t.Run("one image needs no index", func(t *testing.T) {
		x, err := NewIndex([]*Image{amd}, nil)
		if err != nil || x.Digest() != amd.Digest() {
			t.Errorf("got %v, %v", x.Digest(), err)
		}
	})
	t.Run("images are sorted by platform", func(t *testing.T) {
		a, err := NewIndex([]*Image{arm, amd}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewIndex([]*Image{amd, arm}, nil)
		if err != nil || a.Digest() != b.Digest() {
			t.Errorf("%s and %s, %v", a.Digest(), b.Digest(), err)
		}
		var doc v1.Index
		if err := json.Unmarshal(a.Root.Data, &doc); err != nil || len(doc.Manifests) != 2 || PlatformName(*doc.Manifests[1].Platform) != "linux/arm/v7" {
			t.Errorf("index %s, %v", a.Root.Data, err)
		}
	})
	t.Run("no image is a mistake", func(t *testing.T) {
		if _, err := NewIndex(nil, nil); err == nil {
			t.Error("no error")
		}
	})
	t.Run("one platform twice is a mistake", func(t *testing.T) {
		if _, err := NewIndex([]*Image{amd, amd}, nil); err == nil || err.Error() != "index: two images for linux/amd64" {
			t.Errorf("got %v", err)
		}
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"python":                     "latest python:latest docker.io/library/python:latest",
		"python:3.13":                "3.13 python:3.13 docker.io/library/python:3.13",
		"team/python":                "latest team/python:latest docker.io/team/python:latest",
		"example.org/python:3":       "3 example.org/python:3 example.org/python:3",
		"localhost:5000/team/python": "latest localhost:5000/team/python:latest localhost:5000/team/python:latest",
	} {
		tag, short, full := (&Bundle{Name: name}).names()
		if got := tag + " " + short + " " + full; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
