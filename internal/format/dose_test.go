package format_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"compose/internal/testrepo"
)

// dose-debcheck, an independent solver, finds every closure consistent: no
// dependency is missing, and all packages can be installed together.
func TestDoseFindsNothingBroken(t *testing.T) {
	dose, err := exec.LookPath("dose-debcheck")
	if err != nil {
		testrepo.Skip(t, "dose-debcheck is not installed (Debian: dose-distcheck)")
	}
	p := parities[1]
	data, err := os.ReadFile(testrepo.Shared(t, "oracles/"+p.oracle+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var o oracle
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	u := p.universe(t)
	stanzas := stanzasOf(gunzip(t, testrepo.Shared(t, "mirrors/debian/dists/trixie/main/binary-amd64/Packages.gz")))
	checked := 0
	for _, c := range o.Cases {
		if checked == 50 {
			break
		}
		closure, err := p.ask(t, u, c)
		if err != nil {
			continue
		}
		checked++
		var packages bytes.Buffer
		together := make([]string, len(closure)) // the dependencies of a package that needs them all
		for i, k := range closure {
			stanza, ok := stanzas[k]
			if !ok {
				t.Fatalf("%v: no stanza %s", c.Roots, k)
			}
			packages.WriteString(stanza + "\n\n")
			name, version, _ := strings.Cut(k, "=")
			together[i] = name + " (= " + version + ")"
		}
		packages.WriteString("Package: together\nVersion: 1\nArchitecture: all\nDepends: " + strings.Join(together, ", ") + "\n")
		file := filepath.Join(t.TempDir(), "Packages")
		if err := os.WriteFile(file, packages.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(dose, "-e", "-f", "--deb-native-arch=amd64", file).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", c.Roots, err, out)
		}
	}
	if checked != 50 {
		t.Errorf("%d closures checked, want 50", checked)
	}
}

// stanzasOf cuts a Packages file, by name=version.
func stanzasOf(text string) map[string]string {
	all := map[string]string{}
	for stanza := range strings.SplitSeq(text, "\n\n") {
		var name, version string
		for line := range strings.SplitSeq(stanza, "\n") {
			if v, ok := strings.CutPrefix(line, "Package: "); ok {
				name = v
			}
			if v, ok := strings.CutPrefix(line, "Version: "); ok {
				version = v
			}
		}
		all[name+"="+version] = stanza
	}
	return all
}
