package apk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/resolve"
)

// listed is a package with some fields beside, or in place of, those it needs.
func listed(fields ...string) string {
	lines := strings.Split(strings.TrimSuffix(listed1, "\n\n"), "\n")
	for _, f := range fields {
		lines = slices.DeleteFunc(lines, func(l string) bool { return l[:2] == f[:2] })
		if len(f) > 2 {
			lines = append(lines, f)
		}
	}
	return strings.Join(lines, "\n") + "\n\n"
}

func showAtoms(word string, atoms []resolve.Atom) string {
	s := ""
	for _, a := range atoms {
		s += " " + word + " " + a.Name + a.Op + a.Version
	}
	return s
}

// show is a package as text.
func show(p *resolve.Package) string {
	s := fmt.Sprintf("%s %s %s %s %d/%d", p.Name, p.Version, p.Arch, p.Path, p.Size, p.InstalledSize)
	if p.Source != p.Name {
		s += " of " + p.Source
	}
	if p.Priority != 0 {
		s += fmt.Sprintf(" priority %d", p.Priority)
	}
	s += showAtoms("provides", p.Provides) + showAtoms("when", p.When) + showAtoms("unless", p.Unless)
	if p.Fields.Depends != "" {
		s += fmt.Sprintf(" depends %q", p.Fields.Depends)
	}
	return s
}

func TestParseIndex(t *testing.T) {
	const hello = "hello 1.0-r0 x86_64 x86_64/hello-1.0-r0.apk 100/200"
	for _, tt := range []struct {
		rule string
		text string
		want string // packages, a line each; or
		id   fault.ID
		says string
	}{
		{rule: "no packages at all", text: ""},
		{rule: "two", text: listed() + listed("P:bye"), want: hello + "\nbye 1.0-r0 x86_64 x86_64/bye-1.0-r0.apk 100/200"},
		{rule: "origin and priority", text: listed("o:greet", "k:10"), want: hello + " of greet priority 10"},
		{rule: "what is provided", text: listed("p:so:libhello.so.1=1.2 cmd:hello=1.0-r0 greeter"), want: hello + " provides so:libhello.so.1=1.2 provides cmd:hello=1.0-r0 provides greeter"},
		{rule: "a malformed version may be provided", text: listed("p:pc:hello=v2.4"), want: hello + " provides pc:hello=v2.4"},
		{rule: "install_if", text: listed("i:docs bye=1.0-r0"), want: hello + " when docs when bye=1.0-r0"},
		{rule: "install_if with an exception", text: listed("i:docs !man"), want: hello + " when docs unless man"},
		{rule: "install_if of a malformed version has no effect", text: listed("i:docs bye=7.4.0p1-r1"), want: hello},
		{rule: "relations stay text", text: listed("D:a !b c>1"), want: hello + ` depends "a !b c>1"`},
		{rule: "noarch belongs to each architecture, and lies beside its index", text: listed("A:noarch"), want: "hello 1.0-r0 noarch x86_64/hello-1.0-r0.apk 100/200"},
		{rule: "other architectures are left out", text: listed("A:aarch64")},
		{rule: "unknown fields in lower case are allowed", text: listed("z:?"), want: hello},
		{rule: "one in upper case means that the package must not be used", text: listed("X:?") + listed("P:bye"), want: "bye 1.0-r0 x86_64 x86_64/bye-1.0-r0.apk 100/200"},
		{rule: "a version need not be well-formed", text: listed("V:7.4.0p1-r1"), want: "hello 7.4.0p1-r1 x86_64 x86_64/hello-7.4.0p1-r1.apk 100/200"},
		{rule: "the same package twice is harmless", text: listed() + listed(), want: hello + "\n" + hello},

		{rule: "K-06: the last line is cut off", text: strings.TrimSuffix(listed(), "\n\n"), id: fault.FormatInvalid, says: "cut off"},
		{rule: "K-06: the last package is cut off", text: strings.TrimSuffix(listed(), "\n"), id: fault.FormatInvalid, says: "APKINDEX:1: no empty line"},
		{rule: "K-06: an overlong line", text: listed("T:" + strings.Repeat("x", maxLine)), id: fault.FormatInvalid, says: "APKINDEX:8"},
		{rule: "K-06: P twice", text: "P:a\n" + listed(), id: fault.FormatInvalid, says: "APKINDEX:3: a second P:"},
		{rule: "K-06: V twice", text: "V:1\n" + listed(), id: fault.FormatInvalid, says: "a second V:"},
		{rule: "K-06: C twice", text: "C:Q1\n" + listed(), id: fault.FormatInvalid, says: "a second C:"},
		{rule: "K-06: A twice", text: "A:x\n" + listed(), id: fault.FormatInvalid, says: "a second A:"},
		{rule: "K-06: D twice", text: "D:x\n" + listed("D:y"), id: fault.FormatInvalid, says: "a second D:"},
		{rule: "K-06: one version twice with different contents", text: listed() + listed("P:aa") + listed("C:Q1AQAAAAAAAAAAAAAAAAAAAAAAAAA="),
			id: fault.TrustHash, says: "APKINDEX:17: package \"hello\" 1.0-r0: line 1"},
		{rule: "an empty line too many", text: listed() + "\n", id: fault.FormatInvalid, says: "APKINDEX:9"},
		{rule: "a line that is no field", text: "hello\n\n", id: fault.FormatInvalid, says: `APKINDEX:1: "hello" is no field`},
		{rule: "K-05: no name", text: listed("P:"), id: fault.FormatInvalid, says: "APKINDEX:1: P:"},
		{rule: "K-05: a name with a slash", text: listed("P:a/b"), id: fault.FormatInvalid, says: `"a/b"`},
		{rule: "K-05: a name of dots", text: listed("P:.."), id: fault.FormatInvalid},
		{rule: "K-05: a name with a space", text: listed("P:a b"), id: fault.FormatInvalid},
		{rule: "K-05: a version with a slash", text: listed("V:1/../../x"), id: fault.FormatInvalid, says: `"1/../../x"`},
		{rule: "K-05: no version", text: listed("V:"), id: fault.FormatInvalid},
		{rule: "D-11: an address glued from a name with a query", text: listed("P:a?b#c"), id: fault.FormatInvalid},
		{rule: "D-11: an architecture with a slash", text: listed("A:../x"), id: fault.FormatInvalid},
		{rule: "M-08: an escape in a name is quoted", text: listed("P:a\x1b[31m\u202e"), id: fault.FormatInvalid, says: `"a\x1b[31m\u202e"`},
		{rule: "no size", text: listed("S:"), id: fault.FormatInvalid, says: "no size"},
		{rule: "a size below zero", text: listed("S:-1"), id: fault.FormatInvalid, says: `"-1"`},
		{rule: "a time that is no number", text: listed("t:now"), id: fault.FormatInvalid, says: `"now"`},
		{rule: "something provided in more than one version", text: listed("p:a>=1"), id: fault.FormatInvalid, says: "only name or name=version"},
		{rule: "something not provided", text: listed("p:!a"), id: fault.FormatInvalid},
		{rule: "an unknown operator in install_if", text: listed("i:a<=>1"), id: fault.FormatInvalid, says: "unknown operator"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			pkgs, err := ParseIndex("APKINDEX", tt.text, "x86_64")
			if fault.Of(err) != tt.id || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v (%s), want %q saying %q", err, fault.Of(err), tt.id, tt.says)
			}
			var got []string
			for i := range pkgs {
				got = append(got, show(&pkgs[i]))
			}
			if s := strings.Join(got, "\n"); s != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s, tt.want)
			}
		})
	}
}

// The order of packages, and of their fields, does not matter.
func TestParseIndexOrder(t *testing.T) {
	var stanzas, want []string
	for i := range 50 {
		stanzas = append(stanzas, listed(fmt.Sprintf("P:p%d", i), fmt.Sprintf("p:v%d=%d w", i, i), "i:a !b"))
	}
	for range 10 {
		for i, s := range stanzas {
			lines := strings.Split(strings.TrimSuffix(s, "\n\n"), "\n")
			rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			stanzas[i] = strings.Join(lines, "\n") + "\n\n"
		}
		rand.Shuffle(len(stanzas), func(i, j int) { stanzas[i], stanzas[j] = stanzas[j], stanzas[i] })
		pkgs, err := ParseIndex("APKINDEX", strings.Join(stanzas, ""), "x86_64")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range pkgs {
			got = append(got, show(&pkgs[i]))
		}
		slices.Sort(got)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add(listed())
	f.Add(listed("p:so:a=1 b", "i:c !d", "D:e>1 !f", "k:1") + listed("P:aa", "o:x"))
	f.Add("P:x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		pkgs, err := ParseIndex("APKINDEX", text, "x86_64")
		if err != nil {
			if fault.Of(err) == "" {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		for i := range pkgs {
			p := &pkgs[i]
			if checkName(p.Name) != nil || checkStored(p.Version) != nil || !resolve.CleanPath(p.Path) || p.Size <= 0 || len(p.Check.Control) != 20 {
				t.Errorf("accepted %+v", p)
			}
			if _, err := (Format{}).Relations(p); err != nil && fault.Of(err) != fault.FormatInvalid {
				t.Errorf("relations of %+v: %v", p, err)
			}
		}
	})
}
