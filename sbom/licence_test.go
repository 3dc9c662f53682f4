package sbom

import (
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/rootfs"
)

func TestNormalise(t *testing.T) {
	tests := []struct{ rule, field, want string }{
		{"an identifier stays", "MIT", "MIT"},
		{"the spelling of the list is used", "mit and apache-2.0", "MIT AND Apache-2.0"},
		{"operators are upper case", "MIT or (BSD-2-Clause and ISC)", "MIT OR (BSD-2-Clause AND ISC)"},
		{"exceptions are known", "GPL-2.0-or-later with Classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"},
		{"a plus means or later", "GPL-2.0+", "GPL-2.0+"},
		{"an unknown word is a reference", "MIT AND custom", "MIT AND LicenseRef-custom-6c3ae2ae0c33"},
		{"a bare list does not say how its words relate", "MIT BSD", "LicenseRef-MIT-BSD-e7e7f2fd5ce2"},
		{"an unknown exception makes all of it a reference", "GPL-2.0-only WITH foo", "LicenseRef-GPL-2.0-only-WITH-foo-9c1f1f2b0a34"},
		{"unbalanced parentheses make all of it a reference", "(MIT", "LicenseRef--MIT-98d2ea5a2a3a"},
		{"an operator alone is no expression", "AND", "LicenseRef-AND-e8a5ae6a9d34"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := normalise(tt.field)
			if !sameButHash(got.Expression, tt.want) {
				t.Errorf("normalise(%q) = %q, want %q", tt.field, got.Expression, tt.want)
			}
			checkRefs(t, got)
		})
	}
}

// sameButHash compares licence expressions; the hash of a LicenseRef in want
// stands for any.
func sameButHash(got, want string) bool {
	g, w := words(got), words(want)
	if len(g) != len(w) {
		return false
	}
	for i := range g {
		if strings.HasPrefix(w[i], "LicenseRef-") && len(w[i]) == len(g[i]) {
			cut := len(w[i]) - 12
			g[i], w[i] = g[i][:cut], w[i][:cut]
		}
		if g[i] != w[i] {
			return false
		}
	}
	return true
}

func checkRefs(t *testing.T, l Licence) {
	t.Helper()
	refs := map[string]bool{}
	for _, r := range l.Refs {
		refs[r.ID] = true
	}
	checkExpression(t, l.Expression, refs)
}

const dep5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"

func TestMachineReadable(t *testing.T) {
	const hash = "-000000000000" // any
	tests := []struct{ rule, text, want string }{
		{"stanzas add up", dep5 + "\nFiles: *\nLicense: GPL-2+\n\nFiles: debian/*\nLicense: Expat\n", "GPL-2.0-or-later AND MIT"},
		{"a licence named twice counts once", dep5 + "\nFiles: a\nLicense: ISC\n\nFiles: b\nLicense: ISC\n", "ISC"},
		{"the head may name a licence", dep5 + "License: Zlib\n\nFiles: *\nLicense: ISC\n", "ISC AND Zlib"},
		{"a text alone declares nothing", dep5 + "\nFiles: *\nLicense: LGPL-2.1\n\nLicense: GPL-3\n text\n", "LGPL-2.1-only"},
		{"or is kept together", dep5 + "\nFiles: *\nLicense: GPL-1+ or LGPL-3\n\nFiles: x\nLicense: ISC\n", "(GPL-1.0-or-later OR LGPL-3.0-only) AND ISC"},
		{"or is kept together, however it begins", dep5 + "\nFiles: *\nLicense: ISC and Zlib, or Expat\n\nFiles: x\nLicense: GPL-2\n", "((ISC AND Zlib) OR MIT) AND GPL-2.0-only"},
		{"a comma binds less tightly", dep5 + "\nFiles: *\nLicense: GPL-1+ or LGPL-3, and BSD-3-clause\n", "(GPL-1.0-or-later OR LGPL-3.0-only) AND BSD-3-Clause"},
		{"two kinds of comma are not guessed at", dep5 + "\nFiles: *\nLicense: ISC, or Expat, and Zlib\n", "LicenseRef-ISC--or-Expat--and-Zlib" + hash},
		{"an exception is not guessed at", dep5 + "\nFiles: *\nLicense: GPL-2+ with OpenSSL exception\n", "LicenseRef-GPL-2--with-OpenSSL-exception" + hash},
		{"a known exception is taken", dep5 + "\nFiles: *\nLicense: Apache-2.0 with LLVM exception\n\nFiles: x\nLicense: GPL-2 with Linux-syscall-note exception\n", "Apache-2.0 WITH LLVM-exception AND GPL-2.0-only WITH Linux-syscall-note"},
		{"terms are counted within a field, too", dep5 + "\nFiles: a\nLicense: ISC and Zlib\n\nFiles: b\nLicense: ISC or Expat, and Zlib\n", "(ISC OR MIT) AND ISC AND Zlib"},
		{"the head's remark is no name", dep5 + "License:\n some remark\n\nFiles: *\nLicense: ISC\n", "ISC"},
		{"MIT is Expat where the text says so", dep5 + "\nFiles: *\nLicense: MIT\n\nLicense: MIT\n " + strings.ReplaceAll(strings.ReplaceAll(strings.ToUpper(expat), ". ", ".\n .\n "), "\"", "''") + "\n", "MIT"},
		{"but not where it says more", dep5 + "\nFiles: *\nLicense: MIT\n " + expat + " Or else.\n", "LicenseRef-MIT" + hash},
		{"nor where it says two things", dep5 + "\nFiles: *\nLicense: MIT\n " + expat + "\n\nFiles: x\nLicense: MIT\n something else\n", "LicenseRef-MIT" + hash},
		{"MIT means many things", dep5 + "\nFiles: *\nLicense: MIT\n", "LicenseRef-MIT" + hash},
		{"so do BSD and Artistic", dep5 + "\nFiles: *\nLicense: BSD or Artistic\n", "LicenseRef-BSD" + hash + " OR LicenseRef-Artistic" + hash},
		{"public domain is no listed licence", dep5 + "\nFiles: *\nLicense: public-domain\n", "LicenseRef-public-domain" + hash},
		{"a versioned name of the list is taken", dep5 + "\nFiles: *\nLicense: BSL-1.0\n", "BSL-1.0"},
		{"an invariant section matters", dep5 + "\nFiles: *\nLicense: GFDL-NIV-1.3+ or GFDL-1.3\n", "GFDL-1.3-no-invariants-or-later OR GFDL-1.3-only"},
		{"there is no GPL 9", dep5 + "\nFiles: *\nLicense: GPL-9\n", "LicenseRef-GPL-9" + hash},
		{"an older form is free text", "Format: http://dep.debian.net/deps/dep5\n\nFiles: *\nLicense: ISC\n", ""},
		{"an unnamed licence makes it free text", dep5 + "\nFiles: *\nLicense:\n do what you like\n", ""},
		{"nothing declared is free text", dep5, ""},
		{"a file may end its lines as it likes", strings.ReplaceAll(dep5+"\nFiles: *\nLicense: ISC\n", "\n", "\r\n"), "ISC"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, ok := machineReadable(tt.text, cas.Sum([]byte(tt.text)), "usr/share/doc/x/copyright")
			if ok != (tt.want != "") || !sameButHash(got.Expression, tt.want) {
				t.Errorf("got %q, %v; want %q", got.Expression, ok, tt.want)
			}
			if ok {
				checkRefs(t, got)
			}
		})
	}
}

func TestCopyrightIsFound(t *testing.T) {
	tests := []struct {
		rule  string
		nodes map[string][]rootfs.Node
		want  string // path of a's copyright file
	}{
		{"in the package's own folder", map[string][]rootfs.Node{"a": {regular("usr/share/doc/a/copyright")}}, "usr/share/doc/a/copyright"},
		{"where the folder is a link", map[string][]rootfs.Node{"a": {link("usr/share/doc/a", "b")}, "b": {regular("usr/share/doc/b/copyright")}}, "usr/share/doc/b/copyright"},
		{"where the file is a link", map[string][]rootfs.Node{"a": {link("usr/share/doc/a/copyright", "../b/copyright")}, "b": {regular("usr/share/doc/b/copyright")}}, "usr/share/doc/b/copyright"},
		{"not outside of doc", map[string][]rootfs.Node{"a": {link("usr/share/doc/a", "../../../etc")}}, ""},
		{"not in a circle", map[string][]rootfs.Node{"a": {link("usr/share/doc/a", "b")}, "b": {link("usr/share/doc/b", "a")}}, ""},
		{"nor where there is none", map[string][]rootfs.Node{"a": nil}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			all := map[string]*rootfs.Package{}
			for name, nodes := range tt.nodes {
				all[name] = &rootfs.Package{Name: name, Nodes: nodes}
			}
			_, at, ok := copyright(all["a"], all)
			if at != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", at, ok, tt.want)
			}
		})
	}
}

func regular(path string) rootfs.Node { return rootfs.Node{Path: path, Type: rootfs.Regular} }
func link(path, to string) rootfs.Node {
	return rootfs.Node{Path: path, Type: rootfs.Symlink, Link: to}
}

func TestSupplier(t *testing.T) {
	tests := []struct{ rule, maintainer, want string }{
		{"a team is an organisation", "Python Team <p@example.org>", "Organization: Python Team (p@example.org)"},
		{"anybody else is a person", "Ann Other <a@example.org>", "Person: Ann Other (a@example.org)"},
		{"a team is a word, not a part of one", "Jan Steamer <j@example.org>", "Person: Jan Steamer (j@example.org)"},
		{"an address may be missing", "Ann Other", "Person: Ann Other"},
		{"nobody is nobody", "", "NOASSERTION"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := supplier(tt.maintainer); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzLicence wants every text to become a valid expression whose references
// are explained.
func FuzzLicence(f *testing.F) {
	for _, s := range []string{"MIT", "GPL-2+ or Artistic, and BSD", "(MIT OR (ISC AND x", "a WITH b", "((((((", ", and ", "MIT WITH LLVM-exception"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkRefs(t, normalise(s))
		if l, ok := machineReadable(dep5+"\nFiles: *\nLicense: "+s+"\n", cas.Digest{}, "x"); ok {
			checkRefs(t, l)
		}
	})
}
