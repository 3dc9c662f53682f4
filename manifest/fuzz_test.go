package manifest

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// FuzzParse holds Parse to its word (threats.md F11): no panic, in bounded
// time an image or mistakes with places inside the file, and a canonical form
// that is a fixed point.
func FuzzParse(f *testing.F) {
	f.Add(everyKey)
	f.Add(Starter("apk"))
	f.Add(Starter("deb"))
	f.Add("include: [image.yaml, other.yaml]\n")
	f.Add("a: &a [x]\nb: *a\n<<: *a\n")
	f.Add("packages: [!!str 1, 1.10, 0o17, 0x1F, 1e3, .inf, ~, no, 2026-11-01]\n")
	f.Add(strings.Repeat("[", 100))
	f.Add(strings.Repeat("- ", 100))
	f.Add(strings.Repeat("{a: ", 100))
	f.Add("? [a]\n: b\n")
	f.Add("---")
	f.Add("a: |2-\n  x\n\n---\n...\n%YAML 1.1\n")
	for _, m := range mistakes {
		if len(m.yaml) < 1<<12 {
			f.Add(m.yaml)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := project(text)
		files["other.yaml"] = &fstest.MapFile{Data: []byte("users: [{name: app}]\nconfig: {env: {A: b}}\n")}
		start := time.Now()
		img, err := Parse(files, "image.yaml", Options{DefaultName: "test"})
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%d bytes took %v", len(text), d)
		}
		if err != nil {
			checkErrors(t, text, err)
			return
		}
		form := img.Canonical()
		if len(form) > maxSize {
			return
		}
		files["image.yaml"].Data = form
		again, err := Parse(files, "image.yaml", Options{DefaultName: "test"})
		if err != nil {
			t.Fatalf("canonical form is no manifest: %v\n%s", err, form)
		}
		if !bytes.Equal(form, again.Canonical()) {
			t.Errorf("once:\n%s\ntwice:\n%s", form, again.Canonical())
		}
	})
}

func checkErrors(t *testing.T, text string, err error) {
	t.Helper()
	errs, ok := err.(Errors)
	if !ok || len(errs) == 0 {
		t.Fatalf("error of type %T: %v", err, err)
	}
	lines := 1 + strings.Count(text, "\n")
	for _, e := range errs {
		if e.Pos.File != "image.yaml" || e.Pos.Line < 0 || e.Pos.Line > lines || e.Pos.Line > 0 && e.Pos.Col < 1 {
			t.Errorf("place %v, in a file of %d lines", e.Pos, lines)
		}
		for _, c := range e.Msg {
			if c != '\n' && c != '\t' && hidden(c) {
				t.Errorf("message %q holds %U", e.Msg, c)
			}
		}
	}
}
