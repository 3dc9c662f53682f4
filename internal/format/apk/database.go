package apk

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// AutoDatabase is full: apk's database is small, and scanners read it too.
func (Format) AutoDatabase([]*rootfs.Package) string { return "full" }

// Where apk-tools 2 and 3 have their database. Where /lib is a link, it is
// followed.
const (
	database = "lib/apk/db/"
	world    = "etc/apk/world"
)

// Database writes what apk knows of installed packages: the file installed,
// and for full also scripts.tar, triggers and what the user asked for, world.
// Without world the next apk add would remove everything else.
//
// Files that are not in the tree are not in the database. One that the
// manifest changed is one that apk audit reports.
func (Format) Database(t *rootfs.Tree, pkgs []*rootfs.Package, kind string, c rootfs.Contents) ([]rootfs.Node, error) {
	files := map[string][]byte{}
	switch kind {
	case "none":
		return nil, nil
	case "full":
		var err error
		if files[database+"scripts.tar"], err = scripts(pkgs); err != nil {
			return nil, err
		}
		files[database+"triggers"] = triggers(pkgs)
		files[world] = wanted(pkgs)
	case "scanners":
	default:
		return nil, fmt.Errorf("%q: want full, scanners or none", kind)
	}
	var b bytes.Buffer
	for _, p := range pkgs {
		if err := installed(&b, t, p, c); err != nil {
			return nil, err
		}
	}
	files[database+"installed"] = b.Bytes()
	var nodes []rootfs.Node
	for _, path := range slices.Sorted(maps.Keys(files)) {
		ref, err := c.Put(bytes.NewReader(files[path]))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, rootfs.Node{Path: path, Type: rootfs.Regular, Mode: 0o644, Content: ref})
	}
	return nodes, nil
}

// checksum is how apk writes a SHA-1: Q1 and base64.
func checksum(sum []byte) string { return "Q1" + base64.StdEncoding.EncodeToString(sum) }

// fields reads .PKGINFO, all values of a name in their order.
func fields(p *rootfs.Package) map[string][]string {
	f := map[string][]string{}
	for line := range strings.Lines(string(p.Control[".PKGINFO"])) {
		if name, value, ok := strings.Cut(line, " = "); ok && line[0] != '#' {
			f[name] = append(f[name], strings.TrimSpace(value))
		}
	}
	return f
}

// installed writes a package's paragraph as apk-tools 2 does: the lines of
// its index entry, then its directories with their files (src/package.c,
// apk_pkg_write_index_header; src/database.c, apk_db_write_fdb).
func installed(b *bytes.Buffer, t *rootfs.Tree, p *rootfs.Package, c rootfs.Contents) error {
	f := fields(p)
	fmt.Fprintf(b, "C:%s\nP:%s\nV:%s\nA:%s\nS:%d\nI:%d\nT:%s\nU:%s\nL:%s\n",
		checksum(p.Checksum), p.Name, p.Version, p.Arch, p.Size, p.InstalledSize, p.Description, p.Homepage, p.Licence)
	for _, l := range []struct{ letter, name string }{
		{"o", "origin"}, {"m", "maintainer"}, {"t", "builddate"}, {"c", "commit"}, {"k", "provider_priority"},
		{"D", "depend"}, {"p", "provides"}, {"i", "install_if"}, {"r", "replaces"}, {"q", "replaces_priority"},
	} {
		if value := strings.Join(f[l.name], " "); value != "" && value != "0" {
			fmt.Fprintf(b, "%s:%s\n", l.letter, value)
		}
	}
	if err := files(b, t, p, c); err != nil {
		return err
	}
	b.WriteByte('\n')
	return nil
}

// A listing is a directory of a package and what the package has in it.
type listing struct {
	node  *rootfs.Node // nil: the package does not bring it
	files []*rootfs.Node
}

// files writes the directories and files that are in the tree, in the order
// of the archive. Metadata is the package's; 0755 and 0644 of root are not
// written.
func files(b *bytes.Buffer, t *rootfs.Tree, p *rootfs.Package, c rootfs.Contents) error {
	folders, order := byFolder(t, p)
	for _, dir := range order {
		d := folders[dir]
		fmt.Fprintf(b, "F:%s\n", dir)
		if d.node != nil {
			acl(b, 'M', d.node, 0o755)
		}
		for _, n := range d.files {
			sum, err := fileSum(n, c)
			if err != nil {
				return fmt.Errorf("/%s: %w", n.Path, err)
			}
			fmt.Fprintf(b, "R:%s\n", n.Path[strings.LastIndexByte(n.Path, '/')+1:])
			acl(b, 'a', n, 0o644)
			if sum != nil {
				fmt.Fprintf(b, "Z:%s\n", checksum(sum))
			}
		}
	}
	return nil
}

// byFolder sorts a package's files into its directories. The root is "".
func byFolder(t *rootfs.Tree, p *rootfs.Package) (folders map[string]*listing, order []string) {
	folders = map[string]*listing{}
	get := func(dir string) *listing {
		if folders[dir] == nil {
			folders[dir] = &listing{}
			order = append(order, dir)
		}
		return folders[dir]
	}
	regular := map[string]*rootfs.Node{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Type == rootfs.Regular {
			regular[n.Path] = n
		}
		if n.Path == "." || t.Installed(n) == nil {
			continue
		}
		if n.Type == rootfs.Dir {
			get(n.Path).node = n
			continue
		}
		if file := regular[n.Link]; n.Type == rootfs.Hardlink && file != nil {
			link := *file
			link.Path = n.Path
			n = &link
		}
		d := get(n.Path[:max(0, strings.LastIndexByte(n.Path, '/'))])
		d.files = append(d.files, n)
	}
	return folders, order
}

// acl writes mode and owner, and the sum of extended attributes, unless they
// are the usual.
func acl(b *bytes.Buffer, letter byte, n *rootfs.Node, usual uint16) {
	if n.Mode == usual && n.UID == 0 && n.GID == 0 && len(n.Xattrs) == 0 {
		return
	}
	fmt.Fprintf(b, "%c:%d:%d:%o", letter, n.UID, n.GID, n.Mode)
	if len(n.Xattrs) > 0 {
		fmt.Fprintf(b, ":%s", checksum(xattrSum(n.Xattrs)))
	}
	b.WriteByte('\n')
}

// xattrSum is the SHA-1 of extended attributes in the order of names, each
// name and value after its length in four bytes, big endian (src/io.c,
// apk_fileinfo_hash_xattr_array).
func xattrSum(xattrs []rootfs.Xattr) []byte {
	h := sha1.New()
	for _, x := range xattrs {
		for _, b := range [][]byte{[]byte(x.Name), x.Value} {
			h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
			h.Write(b)
		}
	}
	return h.Sum(nil)
}

// fileSum is the SHA-1 of a file's content, or of a link's target; nil for
// what has neither. The package states it, as a rule.
func fileSum(n *rootfs.Node, c rootfs.Contents) ([]byte, error) {
	switch {
	case n.Type == rootfs.Symlink:
		s := sha1.Sum([]byte(n.Link))
		return s[:], nil
	case n.Type != rootfs.Regular, len(n.SHA1) > 0:
		return n.SHA1, nil
	}
	return contentSum(c, n.Content)
}

func contentSum(c rootfs.Contents, ref cas.Ref) (_ []byte, err error) {
	r, err := c.Open(ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha1.New()
	_, err = io.Copy(h, r)
	return h.Sum(nil), err
}

// scriptNames are the scripts that apk keeps, by their names in the control part.
var scriptNames = []string{".pre-install", ".post-install", ".pre-deinstall", ".post-deinstall", ".pre-upgrade", ".post-upgrade", ".trigger"}

// scripts is the archive of all scripts, under names that have the package's
// checksum (src/database.c, apk_db_scriptdb_write).
func scripts(pkgs []*rootfs.Package) ([]byte, error) {
	var b []byte
	for _, p := range pkgs {
		for _, name := range scriptNames {
			text, ok := p.Control[name]
			if !ok {
				continue
			}
			n := rootfs.Node{
				Path:    fmt.Sprintf("%s-%s.%s%s", p.Name, p.Version, checksum(p.Checksum), name),
				Type:    rootfs.Regular,
				Mode:    0o755,
				Content: cas.Ref{Size: int64(len(text))},
			}
			var err error
			if b, err = rootfs.AppendHeader(b, &n, 0); err != nil {
				return nil, err
			}
			b = append(b, text...)
			b = append(b, make([]byte, rootfs.Padding(int64(len(text))))...)
		}
	}
	return append(b, make([]byte, rootfs.TarEnd)...), nil
}

// triggers has a line for each package that wants to know of changes in
// directories: its checksum, and which.
func triggers(pkgs []*rootfs.Package) []byte {
	var b []byte
	for _, p := range pkgs {
		if dirs := strings.Join(fields(p)["triggers"], " "); dirs != "" {
			b = fmt.Appendf(b, "%s %s\n", checksum(p.Checksum), dirs)
		}
	}
	return b
}

// wanted is the file world: what the manifest names.
func wanted(pkgs []*rootfs.Package) []byte {
	var names []string
	for _, p := range pkgs {
		if p.Wanted {
			names = append(names, p.Name)
		}
	}
	return []byte(strings.Join(names, "\n") + "\n")
}
