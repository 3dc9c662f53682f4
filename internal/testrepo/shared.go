// Package testrepo gives tests real repositories: those that stand beside
// the checkout, and small signed ones made from a text description.
package testrepo

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Shared is the absolute path of a file or folder under ../shared, beside the
// checkout, where real mirrors and oracles are kept. Where it is absent the
// test is skipped; in CI (the variable CI is set) it fails.
func Shared(t testing.TB, path string) string {
	t.Helper()
	p := filepath.Join(Root(t), "..", "shared", filepath.FromSlash(path))
	if _, err := os.Stat(p); err != nil {
		Skip(t, "shared/%s is not beside the checkout", path)
	}
	return p
}

// Root is the absolute path of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// Skip skips the test with a message; in CI, where nothing may be skipped, it
// fails the test.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("would be skipped, but not in CI: "+format, args...)
	}
	t.Skipf(format, args...)
}

// HostMirror is the mirror that the machine's own apt takes an archive from,
// debian or debian-security; without a slash at the end. Where it has none
// the test is skipped; in CI it fails.
func HostMirror(t testing.TB, archive string) string {
	t.Helper()
	const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
	out, _ := exec.Command("apt-get", "indextargets", "--no-release-info", "--format", format, "Created-By: Packages").Output()
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "main" {
			continue
		}
		uri := strings.TrimRight(f[0], "/")
		if strings.HasSuffix(f[1], "-security") == (archive == "debian-security") && strings.HasPrefix(path.Base(uri), "debian") {
			return uri
		}
	}
	Skip(t, "apt on this machine has no mirror of %s", archive)
	return ""
}
