package finalize_test

import (
	"os"
	"testing"

	"compose/internal/testtree"
)

func TestAppletLinksAreThoseOfTheRealBusybox(t *testing.T) {
	in := alpine(t, "alpine-baselayout", "busybox-suid", "coreutils")
	judge(t, in, "busybox", nil, func(root string) {
		testtree.Run(t, "chroot", root, "/bin/bbsuid", "--install") // in the order of busybox's trigger
		testtree.Run(t, "chroot", root, "/bin/busybox", "--install", "-s")
	})
}

func TestLocalTimeIsWhatTzdataMakesIt(t *testing.T) {
	in := debian(t, "base-files", "dash", "coreutils", "debconf", "perl-base", "sed", "tzdata")
	in.Tree.Remove("etc/localtime") // the postinst as a build interprets it makes it, too
	judge(t, in, "tz", []string{"dev/null", "var/cache/debconf", "tmp/"}, func(root string) {
		for _, p := range in.Packages {
			if p.Name != "tzdata" {
				continue
			}
			if err := os.WriteFile(root+"/tmp/postinst", p.Control["postinst"], 0o755); err != nil {
				t.Fatal(err)
			}
		}
		testtree.Run(t, "chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "/tmp/postinst", "configure", "")
	})
}
