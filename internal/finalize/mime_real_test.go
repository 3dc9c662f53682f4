package finalize_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"compose/internal/finalize"
	"compose/internal/testtree"
	"compose/rootfs"
)

// Every table has the lines of the real one: in the same order, but for those
// that have none of their own, and repeat some.
func TestMimeTablesAreThoseOfTheRealProgram(t *testing.T) {
	in := debian(t, "base-files", "libc-bin", "shared-mime-info", "chemical-mime-data", "libkitinerary-data")
	root := testtree.Export(t, in.Tree, in.Contents, in.Epoch)
	testtree.Run(t, "chroot", root, "update-mime-database", "/usr/share/mime")
	notes, err := finalize.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		t.Logf("%s: %d changes %v", n.Finalizer, n.Changes, n.Odd)
	}
	unordered := []string{"globs", "globs2", "generic-icons", "subclasses"}
	for _, name := range []string{"XMLnamespaces", "aliases", "generic-icons", "globs", "globs2", "icons", "magic", "subclasses", "treemagic", "types", "version"} {
		real, err := os.ReadFile(root + "/usr/share/mime/" + name)
		if err != nil {
			t.Fatal(err)
		}
		n := in.Tree.Get("usr/share/mime/" + name)
		if n == nil {
			t.Errorf("no table %s", name)
			continue
		}
		ours, err := rootfs.Read(in.Contents, n.Content)
		if err != nil {
			t.Fatal(err)
		}
		got, want := strings.SplitAfter(string(ours), "\n"), strings.SplitAfter(string(real), "\n")
		if slices.Contains(unordered, name) {
			slices.Sort(got)
			slices.Sort(want)
			want = slices.Compact(want)
		}
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Errorf("%s: from line %d on %q, want %q", name, i+1, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
				break
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d lines, want %d", name, len(got), len(want))
		}
	}
}
