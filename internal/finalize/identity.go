package finalize

// timezone is what tzdata's postinst does on Debian with its default: local
// time is UTC. The manifest says otherwise with a link of its own. Alpine's
// tzdata makes no such link.
var timezone = finalizer{
	name:    "tz",
	program: "the postinst of tzdata",
	applies: func(in *Input) bool {
		return isFile(in.Tree, utc) && !isAlpine(in.Tree) && absent(in.Tree, "etc/localtime")
	},
	run: func(j *job) error { return j.link("etc/localtime", "/"+utc) },
}

const utc = "usr/share/zoneinfo/Etc/UTC"

// machineID is systemd-machine-id-setup(1) and dbus-uuidgen(1), but for the
// number: that of an image would be the same on all machines that run it. An
// empty file has the first start fill it in (machine-id(5)).
var machineID = finalizer{
	name:    "machine-id",
	program: "systemd-machine-id-setup(1) and dbus-uuidgen(1)",
	applies: func(in *Input) bool {
		return isFile(in.Tree, "usr/lib/systemd/systemd") || isFile(in.Tree, "usr/bin/dbus-daemon") && !isAlpine(in.Tree)
	},
	run: func(j *job) error {
		if err := j.file("etc/machine-id", 0o444, nil); err != nil {
			return err
		}
		if !isFile(j.Tree, "usr/bin/dbus-daemon") || !isDir(j.Tree, "var/lib/dbus") {
			return nil
		}
		return j.link("var/lib/dbus/machine-id", "/etc/machine-id")
	},
}
