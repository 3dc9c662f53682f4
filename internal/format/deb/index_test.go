package deb

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/resolve"
)

// listed is a package with some fields beside, or in place of, those it needs.
func listed(fields ...string) string {
	lines := strings.Split(strings.TrimSuffix(stanza1, "\n"), "\n")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		if value != "" {
			lines = append(lines, f)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// show is a package as text.
func show(p *resolve.Package) string {
	s := fmt.Sprintf("%s %s %s %s %d/%d", p.Name, p.Version, p.Arch, p.Path, p.Size, p.InstalledSize)
	if p.Source != p.Name || p.SourceVersion != p.Version {
		s += " source " + p.Source + " " + p.SourceVersion
	}
	for _, a := range p.Provides {
		s += " provides " + showAtom(a)
	}
	if p.Essential {
		s += " essential"
	}
	if f := p.Fields; f != (resolve.Fields{}) {
		s += fmt.Sprintf(" %+v", f)
	}
	return s
}

func showAtom(a resolve.Atom) string {
	s := a.Name
	if a.Arch != "" {
		s += ":" + a.Arch
	}
	if a.Pin != "" {
		s += "@" + a.Pin
	}
	return s + a.Op + a.Version
}

func TestParsePackages(t *testing.T) {
	none := resolve.Fields{}
	for _, tt := range []struct {
		rule string
		text string
		want string // packages, a line each; or
		id   fault.ID
		says string
	}{
		{rule: "no packages at all", text: ""},
		{rule: "the last stanza needs no empty line", text: listed(), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0"},
		{rule: "empty lines may be many", text: "\n\n" + listed() + "\n\n\n" + listed("Package: bye") + "\n\n",
			want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0\nbye 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0"},
		{rule: "the installed size is in KiB", text: listed("Installed-Size: 3"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/3072"},
		{rule: "the source may have a name", text: listed("Source: greet"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0 source greet 1.0-1"},
		{rule: "and a version", text: listed("Source: greet (1.0)"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0 source greet 1.0"},
		{rule: "names of fields ignore case", text: listed("essential: YES"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0 essential"},
		{rule: "unknown fields are allowed, folded ones too", text: listed("Tag: a,\n b,\n Package: c"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0"},
		{rule: "what is provided is parsed", text: listed("Provides: greeter, hello-api (= 2:1)\n , hello:any"),
			want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0 provides greeter provides hello-api=2:1 provides hello:any"},
		{rule: "relations stay text", text: listed("Depends: a |\n b (>= 1)"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0 " +
			fmt.Sprintf("%+v", func() resolve.Fields { f := none; f.Depends = "a |\n b (>= 1)"; return f }())},
		{rule: "packages of all architectures belong to each", text: listed("Architecture: all"), want: "hello 1.0-1 all pool/hello_1.0-1_amd64.deb 100/0"},
		{rule: "those of another are left out", text: listed("Architecture: arm64")},
		{rule: "a leading ./ is dropped from Filename", text: listed("Filename: ./hello.deb"), want: "hello 1.0-1 amd64 hello.deb 100/0"},
		{rule: "Multi-Arch: no says nothing", text: listed("Multi-Arch: no"), want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0"},
		{rule: "the same stanza twice is harmless", text: listed() + "\n" + listed(),
			want: "hello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0\nhello 1.0-1 amd64 pool/hello_1.0-1_amd64.deb 100/0"},

		{rule: "K-06: the last line is cut off", text: strings.TrimSuffix(listed(), "\n"), id: fault.FormatInvalid, says: "cut off"},
		{rule: "K-06: an overlong line", text: listed("Description: " + strings.Repeat("x", maxLine)), id: fault.FormatInvalid, says: "Packages:7"},
		{rule: "K-06: a field twice", text: listed("Source: a") + "Source: b\n", id: fault.FormatInvalid, says: "Packages:8: a second Source"},
		{rule: "K-06: one version twice with different contents", text: listed() + "\n" + listed("SHA256: "+strings.Repeat("1", 64)),
			id: fault.TrustHash, says: "Packages:8: package \"hello\" 1.0-1: line 1"},
		{rule: "K-06: also far apart", text: listed() + "\n" + listed("Package: aa") + "\n" + listed("SHA256: "+strings.Repeat("1", 64)), id: fault.TrustHash, says: "Packages:15"},
		{rule: "a line that is no field", text: "hello\n", id: fault.FormatInvalid, says: `Packages:1: "hello" is no field`},
		{rule: "a continuation of nothing", text: " x\n", id: fault.FormatInvalid, says: "continuation"},
		{rule: "the line of a mistake is that of its stanza", text: listed() + "\n" + listed("Version: 1 2"), id: fault.FormatInvalid, says: "Packages:8: package \"hello\": Version"},
		{rule: "K-05: no name", text: listed("Package:"), id: fault.FormatInvalid, says: "Package"},
		{rule: "K-05: a name with a slash", text: listed("Package: a/b"), id: fault.FormatInvalid, says: `"a/b"`},
		{rule: "K-05: a name of dots", text: listed("Package: .."), id: fault.FormatInvalid},
		{rule: "K-05: a name with a newline", text: listed("Package: a\n b"), id: fault.FormatInvalid, says: `"a\n b"`},
		{rule: "K-05: a version with a slash", text: listed("Version: 1/../2"), id: fault.FormatInvalid, says: "'/'"},
		{rule: "K-05: a version of dots", text: listed("Version: .."), id: fault.FormatInvalid},
		{rule: "K-05: an epoch that is no number", text: listed("Version: x:1"), id: fault.FormatInvalid, says: "epoch"},
		{rule: "M-08: an escape in a name is quoted", text: listed("Package: a\x1b[31m\u202e"), id: fault.FormatInvalid, says: `"a\x1b[31m\u202e"`},
		{rule: "no architecture", text: listed("Architecture:"), id: fault.FormatInvalid, says: "architecture"},
		{rule: "no Filename", text: listed("Filename:"), id: fault.TrustPath},
		{rule: "D-11: an absolute Filename", text: listed("Filename: /etc/passwd"), id: fault.TrustPath, says: `"/etc/passwd"`},
		{rule: "D-11: a Filename with dot segments", text: listed("Filename: pool/../../x.deb"), id: fault.TrustPath, says: `"pool/../../x.deb"`},
		{rule: "D-11: a Filename with a scheme", text: listed("Filename: http://example.org/x.deb"), id: fault.TrustPath},
		{rule: "D-11: a Filename with a host", text: listed("Filename: //example.org/x.deb"), id: fault.TrustPath},
		{rule: "D-11: a Filename with a query", text: listed("Filename: pool/x.deb?y"), id: fault.TrustPath},
		{rule: "D-11: a Filename with escapes", text: listed("Filename: pool/%2e%2e/x.deb"), id: fault.TrustPath},
		{rule: "D-11: a Filename with a backslash", text: listed(`Filename: pool\..\x.deb`), id: fault.TrustPath},
		{rule: "a Source that is no name", text: listed("Source: a/b"), id: fault.FormatInvalid, says: "Source"},
		{rule: "a Source with half a version", text: listed("Source: a (1"), id: fault.FormatInvalid, says: "Source"},
		{rule: "a Multi-Arch that nobody knows", text: listed("Multi-Arch: maybe"), id: fault.FormatInvalid, says: "maybe"},
		{rule: "an installed size that is no number", text: listed("Installed-Size: big"), id: fault.FormatInvalid, says: "big"},
		{rule: "something provided in more than one version", text: listed("Provides: a (>= 1)"), id: fault.FormatInvalid, says: "only ="},
		{rule: "something provided alternatively", text: listed("Provides: a | b"), id: fault.FormatInvalid, says: "alternatives"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			pkgs, err := ParsePackages("Packages", tt.text, "amd64")
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

// The order of stanzas, and of fields in them, does not matter.
func TestParsePackagesOrder(t *testing.T) {
	var stanzas []string
	for i := range 50 {
		stanzas = append(stanzas, listed(fmt.Sprintf("Package: p%d", i), fmt.Sprintf("Provides: v%d (= %d), w", i, i), "Depends: a | b"))
	}
	var want []string
	for range 10 {
		for i, s := range stanzas {
			lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
			rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			stanzas[i] = strings.Join(lines, "\n") + "\n"
		}
		rand.Shuffle(len(stanzas), func(i, j int) { stanzas[i], stanzas[j] = stanzas[j], stanzas[i] })
		pkgs, err := ParsePackages("Packages", strings.Join(stanzas, "\n"), "amd64")
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

func FuzzParsePackages(f *testing.F) {
	f.Add(listed())
	f.Add(listed("Provides: a (= 1), b", "Source: x (2)", "Tag: a\n b") + "\n" + listed("Package: aa", "Installed-Size: 9"))
	f.Add("Package: x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		pkgs, err := ParsePackages("Packages", text, "amd64")
		if err != nil {
			if fault.Of(err) == "" {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		for i := range pkgs {
			p := &pkgs[i]
			if checkName(p.Name) != nil || checkVersion(p.Version) != nil || !resolve.CleanPath(p.Path) || p.Size <= 0 || p.Check.SHA256.IsZero() && !strings.Contains(text, strings.Repeat("0", 64)) {
				t.Errorf("accepted %+v", p)
			}
			if _, err := (Format{}).Relations(p); err != nil && fault.Of(err) != fault.FormatInvalid {
				t.Errorf("relations of %+v: %v", p, err)
			}
		}
	})
}

// What an excerpt says of packages is what the index says, on real indexes
// and under every damage that leaves the index readable.
func TestAnExcerptSaysTheSame(t *testing.T) {
	text := realPackages(t, "trixie")
	want, err := ParsePackages("Packages", text, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	short := excerpt(text)
	got, err := ParsePackages("Packages", string(short), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if len(short) > len(text)*2/3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d packages of %d bytes, from an excerpt of %d bytes %d", len(want), len(text), len(short), len(got))
	}
	if again := excerpt(string(short)); !bytes.Equal(again, short) {
		t.Error("the excerpt of an excerpt differs from it")
	}
}
