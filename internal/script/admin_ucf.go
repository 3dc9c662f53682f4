package script

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

func init() { register(map[string]Command{"ucf": ucf, "ucfr": ucfr, "ucfq": ucfq}) }

// Where ucf remembers what it installed and for whom. Without the package
// ucf in the image there is nobody to remember it for.
const (
	ucfFolder   = "/var/lib/ucf"
	ucfHashes   = ucfFolder + "/hashfile"
	ucfRegistry = ucfFolder + "/registry"
)

// ucf is ucf(1): it installs a configuration file that is not there yet. One
// that is there and differs would be a question to the administrator.
func ucf(c *Call) error {
	o, args, err := getopt(c.Args[1:], "three-way debconf-ok debconf-template= sum-file= purge|p src-dir= state-dir= no-action|n debug|d= verbose|v")
	if err != nil {
		return err
	}
	if o.has("state-dir") || o.has("no-action") {
		return Unknown("option --state-dir or --no-action")
	}
	if o.has("purge") && len(args) == 1 {
		if err := c.forget(ucfHashes, args[0]); err != nil {
			return err
		}
		return c.FS.RemoveAll(ucfCache(args[0]))
	}
	if len(args) != 2 {
		return c.complain(2, "Usage: ucf [options] new_file destination")
	}
	from, to := c.Path(args[0]), args[1]
	if !strings.HasPrefix(to, "/") {
		to = path.Clean(c.Path(to))
	}
	data, err := c.FS.ReadFile(from)
	if err != nil {
		return c.complain(1, "Error: The new file %s does not exist!", from)
	}
	n, err := c.FS.Stat(from)
	if err != nil {
		return err
	}
	mode, uid, gid := n.Mode, n.UID, n.GID
	if old, err := c.FS.ReadFile(to); err == nil {
		if string(old) != string(data) {
			return Unknown("%s is there and differs from %s", to, from)
		}
		return c.remember(to, data, mode)
	}
	fmt.Fprintf(c.Stderr, "\nCreating config file %s with new version\n", to)
	if err := c.FS.WriteFile(to, data, mode); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return c.complain(1, "cp: cannot create regular file '%s': No such file or directory", to)
		}
		return err
	}
	if err := c.own(to, uid, gid, mode); err != nil {
		return err
	}
	return c.remember(to, data, mode)
}

// remember writes down what was installed, as ucf does for its next run.
func (c *Call) remember(p string, data []byte, mode uint16) error {
	if !c.there(ucfFolder) {
		return nil
	}
	if err := c.forget(ucfHashes, p); err != nil {
		return err
	}
	if err := c.appendLine(ucfHashes, fmt.Sprintf("%x  %s", md5.Sum(data), p)); err != nil {
		return err
	}
	if err := c.FS.mkdirAll(ucfFolder+"/cache", 0o755); err != nil {
		return err
	}
	return c.FS.WriteFile(ucfCache(p), data, mode)
}

func ucfCache(p string) string { return ucfFolder + "/cache/" + strings.ReplaceAll(p, "/", ":") }

func (c *Call) appendLine(p, line string) error {
	old, err := c.FS.ReadFile(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.FS.WriteFile(p, append(slices.Clip(old), line+"\n"...), 0o644)
}

// forget drops the lines of p whose last word is name.
func (c *Call) forget(p, name string) error {
	old, err := c.FS.ReadFile(p)
	if err != nil {
		return nil
	}
	var kept []byte
	for line := range strings.Lines(string(old)) {
		if f := strings.Fields(line); len(f) == 0 || f[len(f)-1] != name {
			kept = append(kept, line...)
		}
	}
	if len(kept) == len(old) {
		return nil
	}
	return c.FS.WriteFile(p, kept, 0o644)
}

// ucfr is ucfr(1): which package a configuration file belongs to.
func ucfr(c *Call) error {
	o, args, err := getopt(c.Args[1:], "force|f purge|p debug|d= verbose|v no-action|n state-dir=")
	if err != nil {
		return err
	}
	if len(args) != 2 || o.has("state-dir") {
		return Unknown("these arguments")
	}
	if !c.there(ucfFolder) {
		return nil
	}
	pkg, file := args[0], args[1]
	owner := c.ucfOwner(file)
	if owner != "" && owner != pkg && !o.has("force") {
		return c.complain(4, "Attempt from package %s to take %s away from package %s", pkg, file, owner)
	}
	if owner == pkg && !o.has("purge") {
		return nil
	}
	if err := c.forget(ucfRegistry, file); err != nil || o.has("purge") {
		return err
	}
	return c.appendLine(ucfRegistry, pkg+" \t "+file)
}

func (c *Call) ucfOwner(file string) string {
	data, err := c.FS.ReadFile(ucfRegistry)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == file {
			return f[0]
		}
	}
	return ""
}

// ucfq is ucfq(1), which reports what ucf knows.
func ucfq(*Call) error { return Unknown("a report") }
