// Package testtree lays trees out as real files, so that the programs of a
// distribution can judge them (tests only).
package testtree

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"compose/internal/testrepo"
	"compose/rootfs"
)

// Export unpacks the tree into a new folder, with owners and modes as they
// are, which takes root and tar; without them the test is skipped. The folder
// is removed when the test ends.
func Export(t testing.TB, tree *rootfs.Tree, contents rootfs.Contents, epoch int64) string {
	t.Helper()
	Root(t)
	segments, err := rootfs.Segments(tree)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := rootfs.WriteTar(&stream, segments, contents, epoch); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(Tool(t, "tar"), "-xpf", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", dir)
	cmd.Stdin = &stream
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	return dir
}

// Root skips the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		testrepo.Skip(t, "not root")
	}
}

// Tool is the path of a program; without it the test is skipped.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testrepo.Skip(t, "no %s on this machine", name)
	}
	return path
}

// Run runs a program and gives what it prints; it must succeed.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(Tool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
