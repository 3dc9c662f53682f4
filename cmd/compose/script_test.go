package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"compose/internal/oci"
	"compose/internal/testrepo"
)

func TestMain(m *testing.M) {
	if os.Getenv("COMPOSE_RUN_MAIN") != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){"compose": func() { os.Exit(run()) }})
}

// The scripts are the manual of the command: one script a behaviour. Beside
// testscript's own commands they have
//
//	repo deb|apk pkgs.txt   makes a signed repository of the description in
//	                        ./repo, serves it on loopback, and puts its URL in
//	                        place of $REPO in every *.yaml; its key is repo.key
//	stop                    stops serving
//	damage FOLDER           changes a byte in the middle of each file below it
//	shared-layers A B N     wants two layouts to have N layers in common, and
//	                        not all
//	registry                starts an empty image registry on loopback, at
//	                        $REGISTRY
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("CI", "")
			env.Setenv("COSIGN_PASSWORD", "")
			return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"repo":          serveRepo,
			"exits":         exits,
			"shared-layers": sharedLayers,
			"damage":        damage,
			"registry": func(ts *testscript.TestScript, _ bool, _ []string) {
				srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
				ts.Defer(srv.Close)
				ts.Setenv("REGISTRY", strings.TrimPrefix(srv.URL, "http://"))
			},
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) { stopServing(ts) },
		},
		RequireUniqueNames: true,
	})
}

// serving holds the server of each script's folder.
var serving sync.Map

func serveRepo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: repo deb|apk FILE")
	}
	stopServing(ts)
	dir := ts.MkAbs("repo")
	ts.Check(os.RemoveAll(dir))
	key, err := testrepo.Write(dir, args[0], ts.ReadFile(args[1]))
	ts.Check(err)
	data, err := os.ReadFile(key)
	ts.Check(err)
	for _, name := range []string{"repo.key", filepath.Base(key)} { // an apk index names the key's file
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o644))
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	serving.Store(ts.MkAbs("."), srv)
	ts.Defer(func() { stopServing(ts) })
	ts.Setenv("REPO", srv.URL)
	yamls, err := filepath.Glob(ts.MkAbs("*.yaml"))
	ts.Check(err)
	for _, y := range yamls {
		data, err := os.ReadFile(y)
		ts.Check(err)
		ts.Check(os.WriteFile(y, []byte(strings.NewReplacer("$REPO", srv.URL, "$KEY", filepath.Base(key)).Replace(string(data))), 0o644))
	}
}

func stopServing(ts *testscript.TestScript) {
	if srv, ok := serving.LoadAndDelete(ts.MkAbs(".")); ok {
		srv.(*httptest.Server).Close()
	}
}

// exits runs a command that must end with the given code:
//
//	exits 4 compose build image.yaml
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		code = ee.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// damage changes a byte in the middle of every file below a folder.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage FOLDER")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			return err
		}
		data[len(data)/2] ^= 1
		return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, data, 0o600))
	}))
}

// sharedLayers compares the layers of the first image of two layouts.
func sharedLayers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: shared-layers LAYOUT LAYOUT N")
	}
	var layers [2]map[string]bool
	for i := range layers {
		img, err := oci.Open(context.Background(), ts.MkAbs(args[i]))
		ts.Check(err)
		layers[i] = map[string]bool{}
		for _, l := range img.Images[0].Layers {
			layers[i][string(l.Descriptor.Digest)] = true
		}
		ts.Check(img.Close())
	}
	common := 0
	for d := range layers[0] {
		if layers[1][d] {
			common++
		}
	}
	if strconv.Itoa(common) != args[2] || common == len(layers[0]) {
		ts.Fatalf("%d of %d and %d layers in common, want %s", common, len(layers[0]), len(layers[1]), args[2])
	}
}
