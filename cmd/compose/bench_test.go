package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"compose/internal/testrepo"
)

// BenchmarkBuild measures whole processes that build a Debian image with
// Python from a mirror on loopback: cold (empty store), warm (nothing
// changed, the output there already) and relayed (the store full, the output
// gone). It prints wall and CPU seconds and the peak of resident memory.
func BenchmarkBuild(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "compose")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	mirrors := localMirror(b)
	manifest := filepath.Join(testrepo.Root(b), "examples", "debian-python3", "image.yaml")
	work := b.TempDir()
	build := func(b *testing.B, cache, out string) {
		args := append([]string{"build", manifest, "-o", out, "--cache-dir", cache, "-q"}, mirrors...)
		measure(b, exec.Command(bin, args...))
	}
	prime := filepath.Join(work, "prime")
	if out, err := exec.Command(bin, append([]string{"build", manifest, "-o", filepath.Join(work, "prime.oci"), "--cache-dir", prime}, mirrors...)...).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.Run("cold", func(b *testing.B) {
		for i := range b.N {
			build(b, filepath.Join(work, fmt.Sprint("cold", b.N, i)), filepath.Join(work, fmt.Sprint("cold", b.N, i, ".oci")))
		}
	})
	b.Run("warm", func(b *testing.B) {
		for range b.N {
			build(b, prime, filepath.Join(work, "prime.oci"))
		}
	})
	b.Run("relayed", func(b *testing.B) {
		for i := range b.N {
			build(b, prime, filepath.Join(work, fmt.Sprint("relayed", b.N, i, ".oci")))
		}
	})
}

// BenchmarkResolve measures whole processes that choose a closure from
// indexes that were fetched before: compose resolve, and beside it
// apt-get --simulate install with nothing installed, over the same release.
func BenchmarkResolve(b *testing.B) {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		testrepo.Skip(b, "apt-get is not installed")
	}
	bin := filepath.Join(b.TempDir(), "compose")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	release, err := exec.Command("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").Output()
	if err != nil {
		b.Fatal(err)
	}
	wants := []string{"ffmpeg", "python3-numpy", "nginx", "git"}
	work := b.TempDir()
	manifest := filepath.Join(work, "image.yaml")
	text := fmt.Sprintf("name: bench\nplatforms: [linux/amd64]\nrepositories: [{debian: %s}]\npackages: [%s]\n", strings.TrimSpace(string(release)), strings.Join(wants, ", "))
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	resolve := func() *exec.Cmd {
		return exec.Command(bin, "resolve", manifest, "-q", "--cache-dir", filepath.Join(work, "cache"))
	}
	if out, err := resolve().CombinedOutput(); err != nil { // fetches the indexes
		b.Fatalf("%v\n%s", err, out)
	}
	var ours, theirs float64
	b.Run("compose", func(b *testing.B) {
		for range b.N {
			ours = measure(b, resolve())
		}
	})
	b.Run("apt-get", func(b *testing.B) {
		for range b.N {
			theirs = measure(b, exec.Command(apt, append([]string{"-o", "Dir::State::status=/dev/null", "--no-install-recommends", "--simulate", "install"}, wants...)...))
		}
		b.ReportMetric(ours/theirs, "compose/apt-wall")
	})
}

// measure runs cmd once, reports what the system says it took, and gives its
// wall seconds.
func measure(b *testing.B, cmd *exec.Cmd) float64 {
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	wall := time.Since(start).Seconds()
	b.ReportMetric(wall, "wall-s")
	b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
	b.ReportMetric(float64(usage.Maxrss)/1024, "peak-MiB")
	return wall
}

// localMirror serves the host's Debian mirror on loopback from a folder,
// which it fills on the first request for each file. It gives the flags that
// lead compose there.
func localMirror(b *testing.B) []string {
	var flags []string
	for _, name := range []string{"debian", "debian-security"} {
		upstream := testrepo.HostMirror(b, name)
		dir := b.TempDir()
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(filepath.Clean(r.URL.Path), "/")))
			if _, err := os.Stat(path); err != nil {
				if err := keep(upstream+r.URL.Path, path); err != nil {
					http.Error(w, err.Error(), http.StatusNotFound)
					return
				}
			}
			http.ServeFile(w, r, path)
		}))
		b.Cleanup(srv.Close)
		flags = append(flags, "--mirror", name+"="+srv.URL)
	}
	return flags
}

func keep(url, path string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
