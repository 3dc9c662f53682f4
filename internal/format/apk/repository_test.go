package apk

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

// Alpine's own indexes are accepted with the embedded keys, and the lab's with
// a key that a manifest names.
func TestRealRepositories(t *testing.T) {
	labKey, err := os.ReadFile(testrepo.Shared(t, "keys/lab.rsa.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir      string
		src      resolve.Source
		keys     []resolve.Key
		packages int
		key      string
	}{
		{"iso", resolve.Source{Builtin: true, Releases: []string{"v3.19"}}, nil, 100, "8a70fc55f1a6fb2a392ad5a3e71aff82a637b2b33659c046f6b6a909bb5d1ab7"},
		{"v3.19/main", resolve.Source{Builtin: true, Releases: []string{"v3.19"}}, nil, 5443, "8a70fc55f1a6fb2a392ad5a3e71aff82a637b2b33659c046f6b6a909bb5d1ab7"},
		{"v3.19/community", resolve.Source{Builtin: true}, nil, 17587, "8a70fc55f1a6fb2a392ad5a3e71aff82a637b2b33659c046f6b6a909bb5d1ab7"},
		{"lab", resolve.Source{}, []resolve.Key{{Name: "lab.rsa.pub", Data: labKey}}, 194, "3b9cccf84c396d55fe0497a767b426ba411d23a88baca8b3bd8b3eb6826b25e7"},
	} {
		dir := testrepo.Shared(t, "mirrors/alpine/"+tt.dir)
		pkgs, indexes, err := (Format{}).Index(t.Context(), tt.src, "x86_64", tt.keys, folder(dir), nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != tt.packages || len(indexes) != 1 || indexes[0].Key != tt.key || !indexes[0].Legacy || indexes[0].Date == "" {
			t.Errorf("%s: %d packages, %+v", tt.dir, len(pkgs), indexes)
		}
	}
}
