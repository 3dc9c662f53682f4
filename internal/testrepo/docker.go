package testrepo

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Daemon is a Docker daemon of the test's own, with no network and no
// images but those that the test loads.
type Daemon struct {
	host string // as the docker command wants it
}

var daemon struct {
	sync.Once
	Daemon
	err  error
	life io.Closer // the daemon ends when this does, at the latest with the test binary
}

// Docker gives the Docker daemon of this test binary, which the first call
// starts and the end of the process stops. Without root, dockerd or docker
// the test is skipped; in CI it fails.
func Docker(t testing.TB) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "starting dockerd needs root")
	}
	for _, name := range []string{"dockerd", "docker"} {
		if _, err := exec.LookPath(name); err != nil {
			Skip(t, "no %s here", name)
		}
	}
	daemon.Do(func() { daemon.Daemon, daemon.life, daemon.err = startDocker() })
	if daemon.err != nil {
		t.Fatal(daemon.err)
	}
	return &daemon.Daemon
}

// The shell outlives the test binary by as long as it takes to stop the
// daemon: its standard input ends when the binary does, in whatever way.
const dockerScript = `
dockerd --iptables=false --ip6tables=false --bridge=none --host "unix://$1/docker.sock" --pidfile "$1/pid" \
	--data-root "$1/data" --exec-root "$1/exec" </dev/null >"$1/log" 2>&1 &
read -r _
kill $!
wait $!
rm -rf "$1"
`

func startDocker() (Daemon, io.Closer, error) {
	dir, err := os.MkdirTemp("", "docker") // short: it holds a socket
	if err != nil {
		return Daemon{}, nil, err
	}
	cmd := exec.Command("sh", "-c", dockerScript, "sh", dir)
	life, err := cmd.StdinPipe()
	if err != nil {
		return Daemon{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return Daemon{}, nil, err
	}
	d := Daemon{host: "unix://" + filepath.Join(dir, "docker.sock")}
	for range 300 {
		if exec.Command("docker", "--host", d.host, "version").Run() == nil {
			return d, life, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	life.Close()
	return Daemon{}, nil, fmt.Errorf("dockerd does not answer; its log:\n%s", log)
}

// Load is docker load. It gives the name, or the number, of what was loaded.
func (d *Daemon) Load(t testing.TB, archive string) string {
	t.Helper()
	out := d.Command(t, "load", "--input", archive)
	_, name, ok := strings.Cut(out, ": ")
	if !ok || !strings.HasPrefix(out, "Loaded image") {
		t.Fatalf("docker load says %q", out)
	}
	return strings.TrimSpace(name)
}

// Run is docker run, without a network. It gives what the command printed,
// on standard output and error; the test fails if the command does.
func (d *Daemon) Run(t testing.TB, args ...string) string {
	t.Helper()
	return d.Command(t, append([]string{"run", "--rm", "--network=none"}, args...)...)
}

// Command is any docker command. It gives what the command printed; the test
// fails if the command does.
func (d *Daemon) Command(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", append([]string{"--host", d.host}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
