package sbom

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"compose/internal/testrepo"
)

func TestCycloneDXIsSound(t *testing.T) { checkCycloneDX(t, write(t, example())[1]) }

// checkCycloneDX checks what the schema cannot say: references lead
// somewhere, and every file is there once.
func checkCycloneDX(t *testing.T, text []byte) {
	t.Helper()
	var bom cdxBOM
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(bom.Serial) {
		t.Errorf("serial number %q", bom.Serial)
	}
	refs, names := map[string]bool{}, map[string]bool{}
	var walk func(list []cdxComponent)
	walk = func(list []cdxComponent) {
		for _, c := range list {
			if c.Ref == "" || refs[c.Ref] {
				t.Errorf("reference %q is empty or stands twice", c.Ref)
			}
			refs[c.Ref] = true
			if c.Type == "file" && names[c.Name] {
				t.Errorf("%s stands twice", c.Name)
			}
			names[c.Name] = true
			walk(c.Components)
		}
	}
	walk(append(bom.Components, bom.Metadata.Component))
	for _, d := range bom.Dependencies {
		for _, ref := range append(d.Needs, d.Ref) {
			if !refs[ref] {
				t.Errorf("dependency on %q, which is not there", ref)
			}
		}
	}
	for _, a := range bom.Annotations {
		for _, ref := range a.Subjects {
			if !refs[ref] {
				t.Errorf("annotation of %q, which is not there", ref)
			}
		}
	}
}

func TestCycloneDXHasAll(t *testing.T) {
	text := string(write(t, example())[1])
	for _, want := range []string{
		`"expression": "LGPL-2.1-or-later"`, `"email": "libc@example.org"`, `script postinst, SHA-256`, `dependency \"debconf\" was taken`,
		`"name": "/usr/bin/hi"`, `"compose:origin"`, `"purl": "pkg:deb/debian/glibc@2.41-12?arch=source&distro=debian-13"`,
		`"url": "https://deb.example.org/debian/pool/main/g/glibc/libc6_2.41-12_amd64.deb"`, `"compose:link"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestCycloneDXSchema validates against the project's own schema, which comes
// with its Go module.
func TestCycloneDXSchema(t *testing.T) {
	schema := cycloneDXSchema(t)
	hostile := example()
	hostile.Packages[0].Maintainer, hostile.Packages[0].Homepage = "x <not an address>", "https://[bad"
	for _, m := range []*image{example(), hostile} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, m)[1]))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%#v", err)
		}
	}
	bad, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "no such type", "name": "x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(bad) == nil {
		t.Error("the schema accepts a component of no known type")
	}
}

func cycloneDXSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		testrepo.Skip(t, "go env: %v", err)
	}
	dirs, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "github.com", "!cyclone!d!x", "cyclonedx-go@*", "schema"))
	if len(dirs) == 0 {
		testrepo.Skip(t, "the module github.com/CycloneDX/cyclonedx-go, which has the schema, is not in the module cache")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for id, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		f, err := os.Open(filepath.Join(dirs[len(dirs)-1], file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		doc, err := jsonschema.UnmarshalJSON(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+id, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
