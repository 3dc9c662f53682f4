package deb

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"compose/internal/testrepo"
	"compose/resolve"
)

// folder is a repository on disk.
func folder(dir string) resolve.Get {
	return func(_ context.Context, path string, _ resolve.Promise) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	}
}

// Debian's own repository is accepted with the embedded keys.
func TestRealRepositories(t *testing.T) {
	dir := testrepo.Shared(t, "mirrors/debian")
	for _, tt := range []struct {
		suite    string
		packages int
	}{{"trixie", 68825}, {"bookworm", 63440}} {
		src := resolve.Source{Name: "debian", Suites: []string{tt.suite}, Components: []string{"main"}, Builtin: true, Releases: []string{tt.suite}}
		pkgs, indexes, err := (Format{}).Index(t.Context(), src, "amd64", nil, folder(dir), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != tt.packages || len(indexes) != 2 || indexes[0].Key != "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8" || indexes[1].Date == "" {
			t.Errorf("%s: %d packages, %+v", tt.suite, len(pkgs), indexes)
		}
	}
}
