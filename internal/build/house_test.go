package build

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"compose/internal/testrepo"
)

// The house of DESIGN.md part 2: who may import whom. A line forbids what
// stands behind the arrow to every package below the path before it.
var forbidden = []struct{ from, to, why string }{
	{"manifest", "compose/", "the manifest knows its own syntax only; internal/cas and internal/near excepted"},
	{"resolve", "compose/manifest", "the resolver takes wants, not manifests"},
	{"resolve", "compose/internal/format", "versions and relations are opaque to it"},
	{"rootfs", "compose/manifest", "the tree takes nodes, not manifests"},
	{"rootfs", "compose/internal/format", "a format satisfies the interfaces that rootfs declares"},
	{"sbom", "compose/internal/format", "it asks for a function that names packages"},
	{"fetch", "compose/internal/format", "bytes have no format"},
	{"fetch", "compose/rootfs", "bytes have no format"},
	{"internal/cas", "compose/resolve", "the store knows digests only"},
	{"internal/format/apk", "compose/internal/format/deb", "formats do not know each other"},
	{"internal/format/deb", "compose/internal/format/apk", "formats do not know each other"},
	{"internal/format", "compose/fetch", "a format reads through a function"},
	{"internal/oci", "compose/manifest", "images are made of trees"},
	{"internal/oci", "compose/resolve", "images are made of trees"},
}

var excepted = map[string]bool{"compose/internal/cas": true, "compose/internal/near": true, "compose/internal/fault": true}

func TestImportsPointOneWay(t *testing.T) {
	eachFile(t, func(path string, imports []string) {
		for _, rule := range forbidden {
			if path != rule.from && !strings.HasPrefix(path, rule.from+"/") {
				continue
			}
			for _, imp := range imports {
				if strings.HasPrefix(imp, rule.to) && !excepted[imp] {
					t.Errorf("%s imports %s: %s", path, imp, rule.why)
				}
			}
		}
	})
}

// No stage and no format reaches the network, a process or a clock: only cmd,
// fetch, the registry and the signer's libraries do.
func TestTheNetworkIsReachedOnlyFromFetch(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}", "compose/manifest", "compose/resolve", "compose/rootfs",
		"compose/internal/format", "compose/internal/cas", "compose/internal/oci").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if p == "net/http" || p == "os/exec" {
			t.Errorf("a stage, a format or the OCI writer depends on %s", p)
		}
	}
}

func TestClockEnvironmentAndRandomnessAreReachedOnlyAtTheEdge(t *testing.T) {
	edge := []string{"cmd", "fetch", "internal/cas", "internal/sign", "internal/oci/registry", "internal/testrepo", "internal/testtree", "internal/format/formattest", "examples"}
	root := testrepo.Root(t)
	forbid := []string{"time.Now(", "os.Getenv(", "os.LookupEnv(", "os.Environ(", "rand.", "os.Hostname("}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return err
		}
		for _, e := range edge {
			if strings.HasPrefix(filepath.ToSlash(rel), e+"/") {
				return nil
			}
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, bad := range callsOf(f) {
			for _, w := range forbid {
				if strings.HasPrefix(bad+"(", w) {
					t.Errorf("%s calls %s", rel, bad)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
