package sbom

import (
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
	"compose/rootfs"
)

func TestCheckFiles(t *testing.T) {
	text := write(t, example())[0]
	tests := []struct {
		rule   string
		change func(*image, *[]byte)
		want   string // part of the error; "": none
	}{
		{"an image agrees with its own SBOM", func(*image, *[]byte) {}, ""},
		{"a changed file is noticed", func(m *image, _ *[]byte) { m.nodes.Get("usr/bin/hello").Content = m.content("evil") }, `"/usr/bin/hello" has SHA-256`},
		{"a changed link is noticed", func(m *image, _ *[]byte) { m.nodes.Get("usr/lib/libc.so").Link = "evil" }, `"/usr/lib/libc.so" has SHA-256`},
		{"a further file is noticed", func(m *image, _ *[]byte) { m.file("", "bin/sh", "") }, `"/bin/sh" is in the image and not in the SBOM`},
		{"a missing file is noticed", func(m *image, _ *[]byte) { m.nodes = m.nodes[:len(m.nodes)-1] }, `"/etc/os-release" is in the SBOM and not in the image`},
		{"folders do not matter", func(m *image, _ *[]byte) { m.node(&rootfs.Node{Path: "srv", Type: rootfs.Dir}) }, ""},
		{"another image is noticed", func(m *image, _ *[]byte) { m.Image = cas.Sum(nil) }, "it describes the image"},
		{"a file stated twice is noticed", func(_ *image, b *[]byte) {
			*b = []byte(strings.Replace(string(*b), `"fileName": "/etc/passwd"`, `"fileName": "/usr/bin/hi"`, 1))
		}, `"/usr/bin/hi" stands twice`},
		{"an SBOM of something else is noticed", func(_ *image, b *[]byte) { *b = []byte("{}") }, "it describes no image"},
		{"what is no SBOM is noticed", func(_ *image, b *[]byte) { *b = []byte("<") }, "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m, doc := example(), text
			tt.change(m, &doc)
			checkFault(t, CheckFiles(doc, m.Image, m.nodes), tt.want)
		})
	}
}

func checkFault(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || fault.Of(err) != fault.TrustAttestation):
		t.Errorf("got %v (%s), want %s", err, fault.Of(err), want)
	}
}

func TestCheckProvenance(t *testing.T) {
	build := func(l *resolve.Lock) Build {
		return Build{Lock: l, Platforms: []string{"linux/amd64"}, PURL: func(resolve.Locked) string { return "" }}
	}
	text, err := Provenance(build(example().Lock))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule   string
		change func(*resolve.Lock, *string)
		want   string
	}{
		{"a lock agrees with its own provenance", func(*resolve.Lock, *string) {}, ""},
		{"another lock is noticed", func(l *resolve.Lock, _ *string) { l.Epoch++ }, "the build was from"},
		{"another kind of build is noticed", func(_ *resolve.Lock, s *string) { *s = strings.Replace(*s, BuildType, "urn:x", 1) }, `build type "urn:x"`},
		{"a package that was left out is noticed", func(_ *resolve.Lock, s *string) {
			*s = strings.Replace(*s, cas.Sum([]byte("hello.deb")).Hex(), cas.Sum([]byte("libc6.deb")).Hex(), 1)
		}, `package "hello"`},
		{"a package under another name is noticed", func(_ *resolve.Lock, s *string) { *s = strings.Replace(*s, `"name": "hello"`, `"name": "hullo"`, 1) }, `package "hello"`},
		{"a package more is noticed", func(_ *resolve.Lock, s *string) {
			*s = strings.Replace(*s, `"resolvedDependencies": [`, `"resolvedDependencies": [{"name": "evil", "digest": {"sha256": "00"}},`, 1)
		}, `package "evil"`},
		{"another platform is noticed", func(_ *resolve.Lock, s *string) { *s = strings.Replace(*s, `"linux/amd64"`, `"linux/arm64"`, 1) }, `platform "linux/arm64"`},
		{"what is no provenance is noticed", func(_ *resolve.Lock, s *string) { *s = "[]" }, "cannot unmarshal"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			l, doc := example().Lock, string(text)
			tt.change(l, &doc)
			checkFault(t, CheckProvenance([]byte(doc), l), tt.want)
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"packages":[{"SPDXID":"SPDXRef-Image"}],"files":[{"fileName":"/a"}]}`))
	f.Add([]byte(`{"buildDefinition":{"buildType":"urn:compose:build:1"}}`))
	m := example()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, err := range []error{CheckFiles(b, m.Image, m.nodes), CheckProvenance(b, m.Lock)} {
			if fault.Of(err) != fault.TrustAttestation {
				t.Errorf("%q was believed: %v", b, err)
			}
		}
	})
}
