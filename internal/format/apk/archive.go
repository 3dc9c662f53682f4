package apk

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"strings"

	"compose/internal/cas"
	"compose/internal/expand"
	"compose/internal/fault"
	"compose/internal/limits"
	"compose/internal/untar"
	"compose/resolve"
	"compose/rootfs"
)

// Open reads an apk of version 2 (apk-package(5)): gzip members, each a tar
// archive of its own, for signature, control and data. The signature is not
// asked: the signed index names the control segment, in check.Control, and
// that names the data. Each member is parsed alone, so that nothing unsigned
// changes the meaning of what is signed.
//
// Fields of check that are zero are not compared: a lock has the SHA-256 of
// the whole file instead, and who reads from a store that checks its bytes
// need not have them hashed twice.
func (Format) Open(r io.Reader, want resolve.Locked, check resolve.Check, pack rootfs.Pack) (*rootfs.Package, error) {
	in := expand.NewInput(r, want.Size, check.SHA256)
	o := opener{budget: expand.NewBudget(in, want.InstalledSize), want: want, check: check, pack: pack}
	if err := in.Finish(o.open(in)); err != nil {
		return nil, expand.Name(want, err)
	}
	o.pkg.Size = in.Size()
	return &o.pkg, nil
}

// An opener is one package file as it is read.
type opener struct {
	members *expand.Members
	budget  *expand.Budget
	want    resolve.Locked
	check   resolve.Check
	pack    rootfs.Pack
	pkg     rootfs.Package
}

// open reads signature, control and data, or control and data.
func (o *opener) open(in io.Reader) error {
	magic := make([]byte, 4)
	n, _ := io.ReadFull(in, magic) // what ended it will end it again
	magic = magic[:n]
	if err := notADB(magic); err != nil {
		return err
	}
	o.members = expand.NewMembers(io.MultiReader(bytes.NewReader(magic), in), o.budget)
	head, sum, err := o.segment("control", limits.ControlPart)
	if err != nil {
		return err
	}
	if isSignature(head) {
		if err := signature(head); err != nil {
			return inPart("signature", err)
		}
		if head, sum, err = o.segment("control", limits.ControlPart); err != nil {
			return err
		}
	}
	data, err := o.control(head, sum)
	if err != nil {
		return inPart("control", err)
	}
	if err := o.data(data); err != nil {
		return inPart("data", err)
	}
	return o.end()
}

// inPart names the segment that a refusal is about.
func inPart(name string, err error) error {
	if id := fault.Of(err); id != "" {
		return fault.New(id, "%s segment: %w", name, err)
	}
	return err
}

// notADB refuses apk v3 files, which begin with one of three words.
func notADB(magic []byte) error {
	switch string(magic) {
	case "ADB.", "ADBd", "ADBc":
		return fault.New(fault.FormatInvalid, "begins with %q: this is an apk v3 (ADB) package, and only v2 is supported", magic)
	}
	return nil
}

// segment expands the next member, whose compressed bytes have the SHA-1 sum.
func (o *opener) segment(name string, limit int64) (data []byte, sum []byte, err error) {
	h := sha1.New()
	if err := o.members.Next(h); err != nil {
		if err == io.EOF {
			err = fault.New(fault.FormatInvalid, "ends where the %s segment should begin", name)
		}
		return nil, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(o.members, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fault.New(fault.LimitExpanded, "more than %d bytes", limit)
	}
	return data, h.Sum(nil), inPart(name, err)
}

const signPrefix = ".SIGN."

// isSignature reports whether a segment begins with an entry that only a
// signature segment has.
func isSignature(segment []byte) bool { return bytes.HasPrefix(segment, []byte(signPrefix)) }

// signature checks that the segment is nothing but signatures.
func signature(segment []byte) error {
	if len(segment) > limits.Signatures {
		return fault.New(fault.LimitExpanded, "%d bytes: the limit is %d", len(segment), limits.Signatures)
	}
	t := untar.NewReader(bytes.NewReader(segment), untar.Cut, nil)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Type != '0' || !strings.HasPrefix(h.Name, signPrefix) || strings.Contains(h.Name, "/") {
			return fault.New(fault.UnsafeEntry, "entry %q is no signature", h.Name)
		}
	}
}

// control compares the control segment with the index, then reads it, and
// gives the digest that the data must have.
func (o *opener) control(segment, sum []byte) (data cas.Digest, err error) {
	if want := o.check.Control; want != nil && !bytes.Equal(sum, want) {
		return data, fault.New(fault.TrustHash, "SHA-1 is %x: the index says %x", sum, want)
	}
	o.pkg.Checksum = sum
	if err := o.scripts(segment); err != nil {
		return data, err
	}
	info, err := parsePkginfo(o.pkg.Control[".PKGINFO"])
	if err != nil {
		return data, err
	}
	if err := info.describe(&o.pkg); err != nil {
		return data, err
	}
	if err := identify(&o.pkg, o.want); err != nil {
		return data, err
	}
	return info.data()
}

// runs are the scripts that apk would run when it installs the package for
// the first time, or at a trigger.
var runs = []string{".post-install", ".pre-install", ".trigger"}

// scripts reads the files of the control segment: .PKGINFO and scripts.
func (o *opener) scripts(segment []byte) error {
	o.pkg.Control = map[string][]byte{}
	t := untar.NewReader(bytes.NewReader(segment), untar.Cut, nil)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := o.script(t, h); err != nil {
			return err
		}
	}
	if _, ok := o.pkg.Control[".PKGINFO"]; !ok {
		return fault.New(fault.FormatInvalid, "no .PKGINFO")
	}
	for _, name := range runs {
		if _, ok := o.pkg.Control[name]; ok {
			o.pkg.Scripts = append(o.pkg.Scripts, name)
		}
	}
	return nil
}

func (o *opener) script(t *untar.Reader, h *untar.Header) error {
	name, err := untar.Clean(h.Name, h.Type == '5')
	_, twice := o.pkg.Control[name]
	switch {
	case err != nil:
		return fault.New(fault.Of(err), "entry %q: %w", h.Name, err)
	case h.Type != '0' || strings.Contains(name, "/") || name[0] != '.' || strings.HasPrefix(name, signPrefix):
		return fault.New(fault.UnsafeEntry, "entry %q: .PKGINFO and scripts are allowed, as plain files", h.Name)
	case twice:
		return fault.New(fault.UnsafeEntry, "entry %q stands twice", h.Name)
	}
	content, err := io.ReadAll(t)
	o.pkg.Control[name] = content
	return err
}

// data reads the files, and compares the digest of the segment.
func (o *opener) data(want cas.Digest) error {
	h := sha256.New()
	if err := o.members.Next(h); err != nil {
		if err == io.EOF {
			err = fault.New(fault.FormatInvalid, "missing")
		}
		return err
	}
	t := untar.NewReader(o.members, untar.Ended, o.budget)
	nodes, notices, err := untar.Files(t, o.pkg.Name, untar.Rules{Reserved: reserved}, o.pack)
	if err != nil {
		return err
	}
	if got := cas.Digest(h.Sum(nil)); got != want {
		return fault.New(fault.TrustHash, "SHA-256 is %s: datahash in .PKGINFO is %s", got.Hex(), want.Hex())
	}
	o.pkg.Nodes, o.pkg.Notices = nodes, notices
	return nil
}

func (o *opener) end() error {
	if o.members.More() {
		return fault.New(fault.FormatTrailing, "something follows the data segment")
	}
	return nil
}

// reserved keeps the names of control files and apk's database out of the
// data (threats.md A-27).
func reserved(path string) string {
	switch {
	case path == ".PKGINFO", strings.HasPrefix(path, signPrefix), strings.HasPrefix(path, ".apk."):
		return "a name that only the control part may have"
	case strings.HasPrefix(path, "lib/apk/db/"), strings.HasPrefix(path, "usr/lib/apk/db/"):
		return "a file in apk's database"
	}
	return ""
}
