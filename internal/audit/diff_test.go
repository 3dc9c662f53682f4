package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"compose/rootfs"
)

// reportOf audits a tree of these nodes.
func reportOf(t testing.TB, change func(*Input), list ...planted) *Report {
	t.Helper()
	in := plant(t, list)
	if change != nil {
		change(&in)
	}
	r, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFieldsOfFilesThatDiffer(t *testing.T) {
	base := planted{node: rootfs.Node{Path: "usr/bin/x", Type: rootfs.Regular, Mode: 0o755, MTime: 5}, data: []byte("x")}
	for rule, c := range map[string]struct {
		change func(p *planted)
		want   string
	}{
		"nothing": {func(*planted) {}, ""},
		"content": {func(p *planted) { p.data = []byte("xyz") }, "changed /usr/bin/x 2 content"},
		"mode":    {func(p *planted) { p.node.Mode = 0o4755 }, "changed /usr/bin/x 0 mode 0755 4755"},
		"owner":   {func(p *planted) { p.node.UID = 7 }, "changed /usr/bin/x 0 owner 0:0 7:0"},
		"time":    {func(p *planted) { p.node.MTime = 6 }, "changed /usr/bin/x 0 time 5 6"},
		"capabilities": {func(p *planted) {
			p.node.Xattrs = []rootfs.Xattr{{Name: "security.capability", Value: make([]byte, 20)}}
		}, "changed /usr/bin/x 0 xattrs  "},
		"attributes": {func(p *planted) { p.node.Xattrs = []rootfs.Xattr{{Name: "user.a", Value: []byte{1}}} }, "changed /usr/bin/x 0 xattrs  user.a=01"},
		"type":       {func(p *planted) { p.node.Type, p.node.Link = rootfs.Symlink, "y" }, "changed /usr/bin/x -1 type - l"},
		"path":       {func(p *planted) { p.node.Path = "usr/bin/y" }, "removed /usr/bin/x -1; added /usr/bin/y 1"},
	} {
		t.Run(rule, func(t *testing.T) {
			other := base
			c.change(&other)
			d := Compare(reportOf(t, nil, base), reportOf(t, nil, other))
			var got []string
			for _, f := range d.Files {
				line := f.Change + " " + f.Path + " " + sizeText(f.Size)
				for _, c := range f.Fields {
					if line += " " + c.Name; c.Name != "content" {
						line += " " + c.Was + " " + c.Is
					}
				}
				got = append(got, line)
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
			if d.Same() != (c.want == "") {
				t.Errorf("Same is %v", d.Same())
			}
		})
	}
}

func sizeText(n int64) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(grown(n), " B", ""), "+"), " ") + zero(n)
}

func zero(n int64) string {
	if n == 0 {
		return "0"
	}
	return ""
}

func TestWhatADiffTells(t *testing.T) {
	was := reportOf(t, func(in *Input) { in.Packages = []Package{{Name: "a", Version: "1"}, {Name: "b", Version: "1"}} },
		planted{node: rootfs.Node{Path: "usr/lib/libx.so.1.0", Type: rootfs.Regular}, data: library(elfSpec{soname: "libx.so.1"})})
	is := reportOf(t, func(in *Input) {
		in.Packages = []Package{{Name: "a", Version: "2|3"}, {Name: "c", Version: "1"}}
		in.Config = Config{User: "root", Entrypoint: []string{"/bin/zsh"}}
	},
		planted{node: rootfs.Node{Path: "usr/lib/libx.so.1.1", Type: rootfs.Regular}, data: library(elfSpec{soname: "libx.so.1"})},
		planted{node: rootfs.Node{Path: "bin/zsh", Type: rootfs.Regular, Mode: 0o4755}, data: program(elfSpec{text: "ZSH_EVAL_CONTEXT", needed: []string{"libgone.so"}})})
	var text, markdown bytes.Buffer
	d := Compare(was, is)
	if err := d.Text(&text, 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"~  a  1 -> 2|3", "-  b  1", "+  c  1", "+  /bin/zsh  shell zsh", "+  /bin/zsh  set-uid root", "~  libx.so.1  /usr/lib/libx.so.1.0 -> /usr/lib/libx.so.1.1",
		"+  libgone.so  needed by /bin/zsh", "user        app -> root", "entrypoint  /bin/zsh"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if want := `| ~ | a | 1 | 2\|3 |`; !strings.Contains(markdown.String(), want) {
		t.Errorf("no %q in\n%s", want, markdown.String())
	}
}

func TestPolicies(t *testing.T) {
	r := reportOf(t, func(in *Input) {
		in.Packages = []Package{{Name: "tools", Version: "1", Scripts: []string{"postinst (line 1: frobnicate)"}}}
		for n := range in.Tree.All() {
			if strings.HasPrefix(n.Path, "usr/bin/") {
				n.Package = "tools"
			}
		}
	}, plants()...)
	items := func(rule string, allow ...string) (list []string) {
		for _, v := range r.Violations(Policy{Forbid: []string{rule}, Allow: allow}) {
			if v.Rule != rule || v.Hint == "" || v.Text == "" {
				t.Errorf("%+v", v)
			}
			list = append(list, v.Item)
		}
		return list
	}
	for rule, want := range map[string][]string{
		"shell":               {"/opt/static", "/opt/tool", "/usr/bin/bash", "/usr/local/bin/zsh"},
		"set-uid":             {"/usr/bin/copy", "/usr/bin/shadowed"},
		"package-manager":     {"/usr/bin/apt", "/usr/bin/pip3"},
		"world-writable":      {"/srv/all", "/srv/open"},
		"unknown-scripts":     {"tools"},
		"missing-interpreter": {"/usr/bin/foreign", "/usr/bin/musl", "/usr/bin/report", "/usr/bin/task"},
		"missing-library":     {"/usr/bin/musl", "/usr/bin/broken", "/usr/bin/lost"},
	} {
		if got := items(rule); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", rule, got, want)
		}
	}
	if got := items("shell", "/bin/sh", "/opt/sh"); !slices.Equal(got, []string{"/opt/tool", "/usr/local/bin/zsh"}) {
		t.Errorf("allowed by other names: %q", got)
	}
	if got := items("set-uid", "tools"); got != nil {
		t.Errorf("allowed by package: %q", got)
	}
}

// A SARIF log has for each result a rule that it declares, and a place.
func TestSARIF(t *testing.T) {
	p := Policy{Forbid: []string{"shell", "set-uid"}}
	list := reportOf(t, nil, plants()...).Violations(p)
	data, err := json.Marshal(NewSARIF("1.0", p, list, "image.yaml", func(string) int { return 0 }))
	if err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != len(list) || len(list) == 0 {
		t.Fatalf("%s", data)
	}
	for _, r := range log.Runs[0].Results {
		known := slices.ContainsFunc(log.Runs[0].Tool.Driver.Rules, func(d struct{ ID string }) bool { return d.ID == r.RuleID })
		at := r.Locations[0].PhysicalLocation
		if !known || r.Message.Text == "" || at.ArtifactLocation.URI != "image.yaml" || at.Region.StartLine < 1 {
			t.Errorf("%+v", r)
		}
	}
}
