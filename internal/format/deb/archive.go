package deb

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"compose/internal/expand"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/internal/untar"
	"compose/resolve"
	"compose/rootfs"
)

// Open reads a deb (deb(5)): an ar archive of debian-binary, control.tar and
// data.tar. The files' contents go to pack as they are read; nothing but the
// control part is held in memory.
//
// A zero check.SHA256 is not compared: who reads from a store that checks its
// bytes need not have them hashed twice.
func (Format) Open(r io.Reader, want resolve.Locked, check resolve.Check, pack rootfs.Pack) (*rootfs.Package, error) {
	in := expand.NewInput(r, want.Size, check.SHA256)
	o := opener{budget: expand.NewBudget(in, want.InstalledSize), want: want, pack: pack}
	err := in.Finish(o.open(in))
	if err != nil {
		return nil, expand.Name(want, err)
	}
	o.pkg.Size = in.Size()
	return &o.pkg, nil
}

// An opener is one package file as it is read.
type opener struct {
	ar     *ar
	budget *expand.Budget
	want   resolve.Locked
	pack   rootfs.Pack
	pkg    rootfs.Package
}

// open reads the members in the only order there is: debian-binary, control,
// data; members whose name begins with an underscore may stand before control
// and are passed over, and so are _gpg signatures at the end.
func (o *opener) open(in io.Reader) (err error) {
	if o.ar, err = newAr(in); err != nil {
		return err
	}
	if err := o.version(); err != nil {
		return err
	}
	name, size, err := o.next("control.tar")
	for err == nil && strings.HasPrefix(name, "_") {
		if err = o.skip(name, size); err == nil {
			name, size, err = o.next("control.tar")
		}
	}
	if err != nil {
		return err
	}
	if err := o.control(name); err != nil {
		return inMember(name, err)
	}
	if name, _, err = o.next("data.tar"); err != nil {
		return err
	}
	if err := o.data(name); err != nil {
		return inMember(name, err)
	}
	return o.end()
}

// inMember names the member that a refusal is about.
func inMember(name string, err error) error {
	if id := fault.Of(err); id != "" {
		return fault.New(id, "%s: %w", name, err)
	}
	return err
}

// next is the next member, which must be there.
func (o *opener) next(expected string) (string, int64, error) {
	name, size, err := o.ar.next()
	if err == io.EOF {
		err = fault.New(fault.FormatInvalid, "the archive ends at offset %d: no %s", o.ar.offset, expected)
	}
	return name, size, err
}

// version reads debian-binary, the version of the format.
func (o *opener) version() error {
	const current = "2.0\n"
	name, size, err := o.next("debian-binary")
	if err != nil {
		return err
	}
	if name != "debian-binary" {
		return o.ar.bad("%q: the first member of a deb is debian-binary", name)
	}
	if size > 64 {
		return o.ar.bad("debian-binary has %d bytes: want %q", size, current)
	}
	text, err := io.ReadAll(o.ar)
	if err != nil {
		return err
	}
	if string(text) != current {
		return o.ar.bad("debian-binary is %q: want %q", text, current)
	}
	return nil
}

// skip passes over a member that compose has no use for.
func (o *opener) skip(name string, size int64) error {
	if size > limits.Ignored {
		return fault.New(fault.LimitSize, "%s: %d bytes: the limit of a member without meaning is %d", name, size, limits.Ignored)
	}
	o.pkg.Notices = append(o.pkg.Notices, "member "+name+" passed over")
	_, err := io.Copy(io.Discard, o.ar)
	return err
}

func (o *opener) end() error {
	for {
		name, size, err := o.ar.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(name, "_gpg") {
			return fault.New(fault.FormatTrailing, "ar member %d, %q: data.tar is the last", o.ar.index, name)
		}
		if err := o.skip(name, size); err != nil {
			return err
		}
	}
}

// part opens the tar archive in the current member, whose name must be base
// and the suffix of a compression.
func (o *opener) part(name, base string, budget *expand.Budget) (io.ReadCloser, error) {
	suffix, ok := strings.CutPrefix(name, base)
	kind, known := kinds[suffix]
	switch {
	case !ok:
		return nil, o.ar.bad("want %s, with or without .gz, .xz or .zst", base)
	case !known:
		return nil, o.ar.bad("compression %q is not supported: none, .gz, .xz and .zst are", suffix)
	}
	return expand.NewReader(kind, o.ar, budget)
}

var kinds = map[string]expand.Kind{"": expand.None, ".gz": expand.Gzip, ".xz": expand.XZ, ".zst": expand.Zstd}

// control reads the control part into memory and checks that it is the
// package that was asked for.
func (o *opener) control(name string) error {
	budget := o.budget.Part(limits.ControlPart)
	z, err := o.part(name, "control.tar", budget)
	if err != nil {
		return err
	}
	defer z.Close()
	if err := o.members(untar.NewReader(z, untar.Ended, budget)); err != nil {
		return err
	}
	s, err := parseControl(o.pkg.Control["control"])
	if err != nil {
		return err
	}
	if err := s.describe(&o.pkg); err != nil {
		return err
	}
	o.pkg.Scripts = scripts(o.pkg.Control)
	return identify(&o.pkg, o.want)
}

// members reads the files of the control part: plain files side by side.
func (o *opener) members(t *untar.Reader) error {
	o.pkg.Control = map[string][]byte{}
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := o.member(t, h); err != nil {
			return inMember(fmt.Sprintf("entry %q", h.Name), err)
		}
	}
	if o.pkg.Control["control"] == nil {
		return fault.New(fault.FormatInvalid, "no file control")
	}
	return nil
}

func (o *opener) member(t *untar.Reader, h *untar.Header) error {
	name, err := untar.Clean(h.Name, h.Type == '5')
	if err != nil || name == "." {
		return err
	}
	switch {
	case h.Type != '0' || path.Base(name) != name:
		return fault.New(fault.UnsafeEntry, "the control part has plain files only, and no folders")
	case o.pkg.Control[name] != nil:
		return fault.New(fault.UnsafeEntry, "the control part has it twice")
	case name == "control" && h.Size > limits.ControlFile:
		return fault.New(fault.LimitSize, "%d bytes: the limit is %d", h.Size, limits.ControlFile)
	case name == "control":
		o.pkg.BuildTime = max(h.MTime, 0)
	}
	var b bytes.Buffer
	b.Grow(int(h.Size))
	_, err = t.WriteTo(&b)
	o.pkg.Control[name] = b.Bytes()
	if b.Len() == 0 {
		o.pkg.Control[name] = []byte{}
	}
	return err
}

// scripts names the maintainer scripts that dpkg would run when it installs
// the package for the first time.
func scripts(control map[string][]byte) (names []string) {
	for _, name := range []string{"postinst", "preinst"} {
		if _, ok := control[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

// data reads the files.
func (o *opener) data(name string) error {
	z, err := o.part(name, "data.tar", o.budget)
	if err != nil {
		return err
	}
	defer z.Close()
	nodes, notices, err := untar.Files(untar.NewReader(z, untar.Ended, o.budget), o.pkg.Name, untar.Rules{Reserved: reserved}, o.pack)
	if err != nil {
		return err
	}
	o.pkg.Nodes = nodes
	o.pkg.Notices = slices.Concat(o.pkg.Notices, notices, advisories(&o.pkg))
	return nil
}

// reserved keeps dpkg's database for compose to write (threats.md A-27).
func reserved(path string) string {
	if strings.HasPrefix(path, "var/lib/dpkg/") {
		return "a file in dpkg's database"
	}
	return ""
}
