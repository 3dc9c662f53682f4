package script

import (
	"fmt"
	"slices"
	"strings"
)

// finalized are programs whose work a finalizer does once all scripts have
// run, by what it is called (internal/finalize): they have nothing to do here.
var finalized = map[string]string{
	"ldconfig":                    "ldconfig",
	"update-ca-certificates":      "ca-certificates",
	"update-ca-certificates-java": "java-keystore",
	"gdk-pixbuf-query-loaders":    "module-caches",
	"update-mime-database":        "mime",
	"systemd-machine-id-setup":    "machine-id",
	"dbus-uuidgen":                "machine-id",
}

// omitted are programs that make what no image should hold, with the reason.
var omitted = map[string]string{
	"ssh-keygen":         "host keys are made on the machine that has them",
	"make-ssl-cert":      "a private key is made on the machine that has it",
	"pg_createcluster":   "a database is state",
	"mariadb-install-db": "a database is state",
	"mariadbd":           "a database is state",
	"mysql_install_db":   "a database is state",

	"glib-compile-schemas":    "not made yet: programs with GSettings do not start",
	"gtk-query-immodules-2.0": "not made yet: GTK finds no input methods",
	"gtk-query-immodules-3.0": "not made yet: GTK finds no input methods",
	"update-gsfontmap":        "not made yet: ghostscript finds no fonts by name",
	"gio-querymodules":        "a cache, which saves time only",

	"fc-cache":                "a cache, which saves time only",
	"mandb":                   "a cache, which saves time only",
	"update-desktop-database": "a cache, which saves time only",
	"gtk-update-icon-cache":   "a cache, which saves time only",
	"update-icon-caches":      "a cache, which saves time only",
	"py3compile":              "a cache, which saves time only",
	"py3clean":                "a cache, which saves time only",
	"pycompile":               "a cache, which saves time only",
	"pyclean":                 "a cache, which saves time only",
	"pypy3compile":            "a cache, which saves time only",
	"systemd-hwdb":            "a cache, which saves time only",
	"helpztags":               "a cache, which saves time only",
	"update-info-dir":         "an index of documentation",
	"install-info":            "an index of documentation",
	"install-docs":            "an index of documentation",
	"update-menus":            "an index of menus",
	"journalctl":              "an index of messages",
}

// idle are programs with nothing to do: most look after running services, the
// boot or the kernel, of which an image has none.
var idle = []string{
	"update-passwd", // the accounts are there before any script
	"invoke-rc.d", "update-rc.d", "service", "deb-systemd-invoke", "rc-update", "rc-service", "openrc",
	"udevadm", "apparmor_parser", "restorecon", "update-initramfs", "update-grub", "depmod", "modprobe",
	"sysctl", "telinit", "initctl", "systemd-notify", "update-binfmts", "setfacl", "dh_bash-completion",
	"update-secureboot-policy", "busctl", "pg_lsclusters", "/usr/share/postgresql-common/pg_checksystem",
}

// triplets are the architectures below which Debian has programs that are not
// in PATH.
var triplets = []string{"x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf", "i386-linux-gnu", "powerpc64le-linux-gnu", "riscv64-linux-gnu", "s390x-linux-gnu"}

func init() {
	commands := map[string]Command{
		"deb-systemd-helper": systemdHelper, "systemctl": systemctl, "start-stop-daemon": startStopDaemon,
	}
	nothing := func(*Call) error { return nil }
	for name := range finalized {
		commands[name] = nothing
	}
	for _, triplet := range triplets {
		for _, name := range []string{"glib-2.0/glib-compile-schemas", "glib-2.0/gio-querymodules", "gdk-pixbuf-2.0/gdk-pixbuf-query-loaders", "libgtk-3-0t64/gtk-query-immodules-3.0", "libgtk-3-0/gtk-query-immodules-3.0", "libgtk2.0-0t64/gtk-query-immodules-2.0"} {
			commands["/usr/lib/"+triplet+"/"+name] = nothing
		}
	}
	for name := range omitted {
		commands[name] = nothing
	}
	for _, name := range idle {
		commands[name] = nothing
	}
	for _, name := range []string{"aa-status", "runlevel", "selinuxenabled"} {
		commands[name] = func(*Call) error { return Exit(1) }
	}
	register(commands)
}

// Finalizers are what finalizers are called that do the work of the commands
// used, sorted.
func Finalizers(used []string) []string {
	var names []string
	for _, u := range used {
		f := finalized[u]
		if u == "busybox" { // it has applets, too
			f = u
		}
		if f != "" && !slices.Contains(names, f) {
			names = append(names, f)
		}
	}
	slices.Sort(names)
	return names
}

// Omissions says what was not made of what the commands used would make: lines
// "ssh-keygen: host keys are made on the machine that has them".
func Omissions(used []string) []string {
	var lines []string
	for _, u := range used {
		reason := omitted[u]
		switch {
		case u == "sshd":
			reason = omitted["ssh-keygen"]
		case u == "openssl":
			reason = "a secret is made on the machine that has it"
		case isPython(u):
			reason = omitted["py3compile"]
		}
		if reason != "" {
			lines = append(lines, u+": "+reason)
		}
	}
	return lines
}

// systemdHelper is deb-systemd-helper(1) of a package that is new. It enables
// nothing: a container does not boot, and systemd presets do it where one
// does.
func systemdHelper(c *Call) error {
	var words []string
	for _, arg := range c.Args[1:] {
		if !strings.HasPrefix(arg, "-") {
			words = append(words, arg)
		}
	}
	if len(words) == 0 {
		return Exit(1)
	}
	switch words[0] {
	case "enable", "disable", "mask", "unmask", "purge", "update-state", "reenable", "was-enabled":
		return nil
	case "debian-installed", "is-enabled":
		return Exit(1)
	}
	return Unknown("verb %s", words[0])
}

// systemctl is systemctl(1) where no systemd runs.
func systemctl(c *Call) error {
	for _, arg := range c.Args[1:] {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		switch arg {
		case "daemon-reload", "daemon-reexec", "start", "stop", "restart", "try-restart", "reload", "reload-or-restart",
			"try-reload-or-restart", "reset-failed", "kill", "preset":
			return nil
		case "is-active":
			fmt.Fprintln(c.Stdout, "inactive")
			return Exit(3)
		case "is-enabled", "is-failed", "status":
			return Exit(1)
		case "list-units", "list-unit-files", "show":
			return nil
		}
		return Unknown("verb %s", arg)
	}
	return nil
}

// startStopDaemon is start-stop-daemon(8) where no process runs.
func startStopDaemon(c *Call) error {
	if slices.Contains(c.Args, "--start") || slices.Contains(c.Args, "-S") {
		return Unknown("starts a program")
	}
	if slices.Contains(c.Args, "--oknodo") || slices.Contains(c.Args, "-o") {
		return nil
	}
	return Exit(1)
}
