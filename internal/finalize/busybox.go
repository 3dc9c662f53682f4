package finalize

import (
	"slices"
	"strings"
)

// busybox is busybox --install -s, and bbsuid --install, which goes before
// it: a link for every applet where nothing has its name yet. Alpine's
// packages list the applets in /etc/busybox-paths.d.
var busybox = finalizer{
	name:    "busybox",
	program: "busybox --install -s",
	applies: func(in *Input) bool { return isFile(in.Tree, appletLists+"/busybox") && isFile(in.Tree, "bin/busybox") },
	run: func(j *job) error {
		if isFile(j.Tree, "bin/bbsuid") {
			if err := applets(j, "/bin/bbsuid", suidApplets); err != nil {
				return err
			}
		}
		for _, list := range []string{"busybox-extras", "busybox"} {
			text, err := j.text(appletLists + "/" + list)
			if err != nil {
				return err
			}
			if !isFile(j.Tree, "bin/"+list) {
				continue
			}
			if err := applets(j, "/bin/"+list, strings.Fields(string(text))); err != nil {
				return err
			}
		}
		return nil
	},
}

const appletLists = "etc/busybox-paths.d"

// suidApplets are those of bbsuid, which has no list.
var suidApplets = []string{
	"bin/mount", "bin/su", "bin/umount",
	"usr/bin/crontab", "usr/bin/passwd", "usr/bin/traceroute", "usr/bin/traceroute6", "usr/bin/vlock",
}

// applets makes the links to a program where there is nothing, or, for
// bbsuid, another program's link.
func applets(j *job, program string, paths []string) error {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	for _, path := range paths {
		path = clean(path)
		old := j.at(path)
		if old != nil && (program != "/bin/bbsuid" || old.Link != "/bin/busybox") {
			continue
		}
		if err := j.link(path, program); err != nil {
			return err
		}
	}
	return nil
}
