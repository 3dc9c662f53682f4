package testrepo

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/klauspost/compress/zstd"
)

// keyTime is when the keys were made: 2020-01-01.
var keyTime = time.Unix(1577836800, 0)

// debKey is the OpenPGP key of this process.
var debKey = sync.OnceValues(func() (*openpgp.Entity, error) { return newEntity(packet.PubKeyAlgoEdDSA) })

// debRSAKey is another, of the kind that most archives use.
var debRSAKey = sync.OnceValues(func() (*openpgp.Entity, error) { return newEntity(packet.PubKeyAlgoRSA) })

func pgpConfig(at time.Time) *packet.Config {
	plain := false
	return &packet.Config{
		Time: func() time.Time { return at }, RSABits: 2048,
		NonDeterministicSignaturesViaNotation: &plain,
	}
}

func newEntity(algorithm packet.PublicKeyAlgorithm) (*openpgp.Entity, error) {
	config := pgpConfig(keyTime)
	config.Algorithm = algorithm
	return openpgp.NewEntity("Test archive", "", "archive@example.org", config)
}

func writeDeb(dir string, d *description) (keyFile string, err error) {
	key, err := debKey()
	if d.setting("key", "ed25519") == "rsa" {
		key, err = debRSAKey()
	}
	if err != nil {
		return "", err
	}
	date, err := d.date()
	if err != nil {
		return "", err
	}
	arches, err := d.arches("deb")
	if err != nil {
		return "", err
	}
	suite, component := d.setting("suite", "stable"), d.setting("component", "main")
	indexes := map[string][]byte{}
	for _, arch := range arches {
		packages, err := d.writePool(dir, component, arch, date)
		if err != nil {
			return "", err
		}
		name := component + "/binary-" + arch + "/Packages"
		indexes[name] = packages
		indexes[name+".gz"] = gzipped(packages)
		if indexes[name+".xz"], err = xzipped(packages); err != nil {
			return "", err
		}
	}
	release := d.release(suite, component, arches, date, indexes)
	for name, data := range indexes {
		if err := save(dir, "dists/"+suite+"/"+name, data); err != nil {
			return "", err
		}
		byHash := fmt.Sprintf("dists/%s/%s/by-hash/SHA256/%x", suite, filepath.ToSlash(filepath.Dir(name)), sha256.Sum256(data))
		if err := save(dir, byHash, data); err != nil {
			return "", err
		}
	}
	if err := signRelease(dir, suite, release, key, time.Unix(date, 0)); err != nil {
		return "", err
	}
	keyFile = filepath.Join(dir, "key.asc")
	return keyFile, exportKey(dir, "key.asc", key)
}

// release is the Release file.
func (d *description) release(suite, component string, arches []string, date int64, indexes map[string][]byte) []byte {
	var w paragraph
	w.field("Origin", "Test")
	w.field("Label", "Test")
	w.field("Suite", suite)
	w.field("Codename", d.setting("codename", suite))
	w.field("Date", time.Unix(date, 0).UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"))
	w.field("Valid-Until", d.setting("valid-until", ""))
	w.field("Acquire-By-Hash", "yes")
	w.field("Architectures", strings.Join(arches, " "))
	w.field("Components", component)
	w.WriteString("SHA256:\n")
	var names []string
	for name := range indexes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&w, " %x %d %s\n", sha256.Sum256(indexes[name]), len(indexes[name]), name)
	}
	return w.Bytes()
}

// signRelease writes Release, Release.gpg and InRelease.
func signRelease(dir, suite string, release []byte, key *openpgp.Entity, at time.Time) error {
	config := pgpConfig(at)
	var detached, clear bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&detached, key, bytes.NewReader(release), config); err != nil {
		return err
	}
	w, err := clearsign.Encode(&clear, key.PrivateKey, config)
	if err != nil {
		return err
	}
	if _, err := w.Write(release); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	clear.WriteByte('\n')
	for name, data := range map[string][]byte{"Release": release, "Release.gpg": detached.Bytes(), "InRelease": clear.Bytes()} {
		if err := save(dir, "dists/"+suite+"/"+name, data); err != nil {
			return err
		}
	}
	return nil
}

func exportKey(dir, name string, key *openpgp.Entity) error {
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		return err
	}
	if err := key.Serialize(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	b.WriteByte('\n')
	return save(dir, name, b.Bytes())
}

// writePool writes the packages of one architecture and gives their index.
func (d *description) writePool(dir, component, arch string, date int64) ([]byte, error) {
	var index paragraph
	for _, p := range d.packages {
		own, ok := p.in("deb", arch, "all")
		if !ok {
			continue
		}
		deb, err := p.deb(own, d.setting("compression", "xz"), date)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		_, noEpoch, ok := strings.Cut(p.version, ":")
		if !ok {
			noEpoch = p.version
		}
		name := fmt.Sprintf("pool/%s/%c/%s/%s_%s_%s.deb", component, p.name[0], p.name, p.name, noEpoch, own)
		if err := save(dir, name, deb); err != nil {
			return nil, err
		}
		index.Write(p.controlFile(own))
		index.field("Filename", name)
		index.field("Size", fmt.Sprint(len(deb)))
		index.field("SHA256", fmt.Sprintf("%x", sha256.Sum256(deb)))
		index.WriteByte('\n')
	}
	return index.Bytes(), nil
}

// relations are the fields that mean the same in both formats.
var relations = []struct{ field, control string }{
	{"depends", "Depends"}, {"provides", "Provides"}, {"conflicts", "Conflicts"}, {"replaces", "Replaces"},
}

func (p *pkg) controlFile(arch string) []byte {
	var w paragraph
	w.field("Package", p.name)
	w.field("Version", p.version)
	w.field("Architecture", arch)
	w.field("Source", p.field("source", ""))
	w.field("Maintainer", p.field("maintainer", "Test <test@example.org>"))
	w.field("Installed-Size", fmt.Sprint((p.installedSize()+1023)/1024))
	for _, r := range relations {
		w.field(r.control, strings.Join(list(p.field(r.field, "")), ", "))
	}
	w.field("Priority", p.field("priority", "optional"))
	for _, name := range p.control {
		w.field(name, p.fields[name])
	}
	w.field("Description", p.field("description", p.name+" for tests"))
	return w.Bytes()
}

// deb is the package file: deb(5).
func (p *pkg) deb(arch, compression string, date int64) ([]byte, error) {
	control, data := newArchive(tar.FormatGNU, date), newArchive(tar.FormatGNU, date)
	root := file{path: "", kind: 'd', mode: 0o755}
	control.entry(root, ".", nil)
	data.entry(root, ".", nil)
	var sums bytes.Buffer
	for _, f := range p.files {
		data.entry(f, "./", nil)
		if f.kind == '-' {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.content), f.path)
		}
	}
	member := func(name string, mode int64, content []byte) {
		if len(content) > 0 {
			control.entry(file{path: name, kind: '-', mode: mode, content: content}, "./", nil)
		}
	}
	member("conffiles", 0o644, []byte(strings.Join(append(list(p.field("conffiles", "")), ""), "\n")))
	member("control", 0o644, p.controlFile(arch))
	member("md5sums", 0o644, sums.Bytes())
	for _, name := range []string{"postinst", "postrm", "preinst", "prerm", "config"} {
		member(name, 0o755, []byte(p.scripts[name]))
	}
	if t := p.field("triggers", ""); t != "" {
		member("triggers", 0o644, []byte(strings.Join(append(list(t), ""), "\n")))
	}
	return ar(compression, control, data)
}

// ar puts the members of a package together.
func ar(compression string, control, data *archive) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	member := func(name string, b []byte) {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, data.mtime.Unix(), 0, 0, 0o100644, len(b))
		out.Write(b)
		if len(b)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	member("debian-binary", []byte("2.0\n"))
	for _, part := range []struct {
		name string
		*archive
	}{{"control.tar", control}, {"data.tar", data}} {
		b, err := part.bytes(false)
		if err != nil {
			return nil, err
		}
		switch compression {
		case "gz":
			member(part.name+".gz", gzipped(b))
		case "none":
			member(part.name, b)
		case "zst":
			e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
			if err != nil {
				return nil, err
			}
			member(part.name+".zst", e.EncodeAll(b, nil))
		case "xz":
			if b, err = xzipped(b); err != nil {
				return nil, err
			}
			member(part.name+".xz", b)
		default:
			return nil, fmt.Errorf("compression %q: want xz, gz, zst or none", compression)
		}
	}
	return out.Bytes(), nil
}
