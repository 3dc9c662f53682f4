package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"compose/internal/testrepo"
)

// On a full disk there is one error that says so, exit code 7, and nothing at
// the place of the output; what stood there before is untouched.
func TestAFullDisk(t *testing.T) {
	repo := t.TempDir()
	key, err := testrepo.Write(repo, "deb", "app 1.0-1\n\tusr/bin/app 0755 \""+noise(3<<20)+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	image := filepath.Join(work, "image.yaml")
	text := "name: app\nplatforms: [linux/amd64]\nrepositories: [{deb: \"file://" + repo + "\", suites: [stable], components: [main], keyring: repo.key}]\npackages: [app]\ncompression: none\n"
	data, err := os.ReadFile(key)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(work, "repo.key"), data, 0o644), os.WriteFile(image, []byte(text), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(work, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		testrepo.Skip(t, "mount: %v; only root may", err)
	}
	defer unix.Unmount(small, 0)
	before := filepath.Join(small, "out.tar")
	if err := os.WriteFile(before, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"the output's", []string{"-o", before, "--cache-dir", filepath.Join(work, "cache")}},
		{"a layout's", []string{"-o", filepath.Join(small, "layout"), "--cache-dir", filepath.Join(work, "cache")}},
		{"the store's", []string{"-o", filepath.Join(work, "out.tar"), "--cache-dir", filepath.Join(small, "cache")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], append([]string{"build", image}, tt.args...)...)
			cmd.Env = append(os.Environ(), "COMPOSE_RUN_MAIN=1")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if cmd.ProcessState.ExitCode() != 7 {
				t.Errorf("exit: %v\n%s", err, &stderr)
			}
			if n := strings.Count(stderr.String(), "error["); n != 1 || stdout.Len() > 0 {
				t.Errorf("%d errors, stdout %q:\n%s", n, &stdout, &stderr)
			}
			if data, err := os.ReadFile(before); err != nil || string(data) != "before" {
				t.Errorf("the file that was there: %q, %v", data, err)
			}
			for _, p := range []string{filepath.Join(small, "layout"), filepath.Join(work, "out.tar")} {
				if _, err := os.Lstat(p); err == nil {
					t.Errorf("%s is there", p)
				}
			}
		})
	}
}

// noise is n bytes that no compressor makes smaller than half.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdef"[x>>28]
	}
	return string(b)
}
