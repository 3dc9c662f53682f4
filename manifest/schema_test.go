package manifest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"compose/internal/testrepo"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write image.schema.json anew")

func TestSchemaIsCommitted(t *testing.T) {
	const file = "image.schema.json"
	if *update {
		if err := os.WriteFile(file, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, Schema()) {
		t.Errorf("%s differs from Schema(); go test ./manifest -run Schema -update writes it", file)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("image.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("image.schema.json") // which checks it against the draft's own schema
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is what an editor hands to a validator; not all YAML has such a form.
func asJSON(text string) (any, bool) {
	var v any
	if yaml.Unmarshal([]byte(text), &v) != nil {
		return nil, false
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	return v, err == nil
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := compileSchema(t)
	texts := map[string]string{
		"everyKey": everyKey, "canonical": string(parse(t, everyKey).Canonical()),
		"deb starter": Starter("deb"), "apk starter": Starter("apk"),
		"short forms": "include: [a.yaml]\nelide: helpers\nlayers: single\nrepositories: [{apk: https://example.org/os, keyring: a.pub}]\n",
	}
	examples, err := filepath.Glob(filepath.Join(testrepo.Root(t), "examples", "*", "image.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for name, text := range texts {
		v, ok := asJSON(text)
		if !ok {
			t.Fatalf("%s: no JSON form", name)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each mistake is one that an editor shows too, or is marked as one that it
// cannot.
func TestSchemaSeesMistakes(t *testing.T) {
	s := compileSchema(t)
	for _, tt := range mistakes {
		t.Run(tt.rule, func(t *testing.T) {
			v, ok := asJSON(tt.yaml)
			if seen := ok && s.Validate(v) != nil; seen == tt.blind {
				t.Errorf("the schema sees it: %v", seen)
			}
		})
	}
}

// Words, patterns and examples of the table agree with one another.
func TestShapesAgree(t *testing.T) {
	var walk func(name string, s shape)
	walkKeys := func(name string, keys []key) {
		for _, k := range keys {
			if k.doc == "" || k.doc[len(k.doc)-1] != '.' {
				t.Errorf("%s.%s: doc %q is no sentence", name, k.name, k.doc)
			}
			walk(name+"."+k.name, k.shape)
		}
	}
	walk = func(name string, s shape) {
		switch s := s.(type) {
		case *text:
			if s.example != "" && s.wrong(s.example) != "" {
				t.Errorf("%s: example %q: %s", name, s.example, s.wrong(s.example))
			}
			for from, to := range s.also {
				if slices.Contains(s.words, from) || !slices.Contains(s.words, to) {
					t.Errorf("%s: %q for %q", name, from, to)
				}
			}
		case list:
			walk(name+"[]", s.of)
		case table:
			walk(name, s.key)
			walk(name, s.value)
		case either:
			for _, s := range []shape{s.scalar, s.list, s.record} {
				if s != nil {
					walk(name, s)
				}
			}
		case choice:
			for _, r := range s.records {
				walkKeys(name, r.keys)
			}
		case record:
			walkKeys(name, s.keys)
		}
	}
	walk("", image)
}
