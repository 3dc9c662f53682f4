package testrepo

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// apkKeyName is the name that a signature refers to.
const apkKeyName = "test@example.org-5e0be100.rsa.pub"

// apkKey is the RSA key of this process.
var apkKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func writeAPK(dir string, d *description) (keyFile string, err error) {
	key, err := apkKey()
	if err != nil {
		return "", err
	}
	date, err := d.date()
	if err != nil {
		return "", err
	}
	arches, err := d.arches("apk")
	if err != nil {
		return "", err
	}
	for _, arch := range arches {
		if err := d.writeArch(dir, arch, date, key); err != nil {
			return "", err
		}
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return filepath.Join(dir, apkKeyName), save(dir, apkKeyName, pemKey)
}

// writeArch writes the packages of one architecture, and their index.
func (d *description) writeArch(dir, arch string, date int64, key *rsa.PrivateKey) error {
	var index bytes.Buffer
	for _, p := range d.packages {
		own, ok := p.in("apk", arch, "noarch")
		if !ok {
			continue
		}
		control, data, err := p.apk(own, date)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		signature, err := sign("RSA", control, key, date)
		if err != nil {
			return err
		}
		whole := slices.Concat(signature, control, data)
		if err := save(dir, fmt.Sprintf("%s/%s-%s.apk", arch, p.name, p.version), whole); err != nil {
			return err
		}
		index.Write(p.stanza(own, control, len(whole), date))
	}
	a := newArchive(tar.FormatUSTAR, date)
	a.entry(file{path: "DESCRIPTION", kind: '-', mode: 0o644, content: []byte("test")}, "", nil)
	a.entry(file{path: "APKINDEX", kind: '-', mode: 0o644, content: index.Bytes()}, "", nil)
	b, err := a.bytes(false)
	if err != nil {
		return err
	}
	b = gzipped(b)
	signature, err := sign(strings.ToUpper(d.setting("signature", "rsa256")), b, key, date)
	if err != nil {
		return err
	}
	return save(dir, arch+"/APKINDEX.tar.gz", append(signature, b...))
}

// sign is the gzip member that signs the one behind it.
func sign(kind string, signed []byte, key *rsa.PrivateKey, date int64) ([]byte, error) {
	var sum []byte
	var hash crypto.Hash
	switch kind {
	case "RSA":
		s := sha1.Sum(signed)
		sum, hash = s[:], crypto.SHA1
	case "RSA256":
		s := sha256.Sum256(signed)
		sum, hash = s[:], crypto.SHA256
	default:
		return nil, fmt.Errorf("signature %q: want rsa or rsa256", strings.ToLower(kind))
	}
	signature, err := rsa.SignPKCS1v15(nil, key, hash, sum)
	if err != nil {
		return nil, err
	}
	a := newArchive(tar.FormatUSTAR, date)
	a.entry(file{path: ".SIGN." + kind + "." + apkKeyName, kind: '-', mode: 0o644, content: signature}, "", nil)
	b, err := a.bytes(true)
	return gzipped(b), err
}

// apk is the control and the data member of the package file: apk v2.
func (p *pkg) apk(arch string, date int64) (control, data []byte, err error) {
	a := newArchive(tar.FormatPAX, date)
	for _, f := range p.files {
		var pax map[string]string
		switch f.kind {
		case '-':
			pax = map[string]string{"APK-TOOLS.checksum.SHA1": fmt.Sprintf("%x", sha1.Sum(f.content))}
		case 'l':
			pax = map[string]string{"APK-TOOLS.checksum.SHA1": fmt.Sprintf("%x", sha1.Sum([]byte(f.target)))}
		}
		a.entry(f, "", pax)
	}
	if data, err = a.bytes(false); err != nil {
		return nil, nil, err
	}
	data = gzipped(data)
	a = newArchive(tar.FormatUSTAR, date)
	a.entry(file{path: ".PKGINFO", kind: '-', mode: 0o644, content: p.pkginfo(arch, data, date)}, "", nil)
	for _, apk := range []string{"post-deinstall", "post-install", "post-upgrade", "pre-deinstall", "pre-install", "pre-upgrade", "trigger"} {
		text := p.scripts[apk]
		if deb, ok := scriptNames[apk]; ok {
			text = p.scripts[deb]
		}
		if text != "" {
			a.entry(file{path: "." + apk, kind: '-', mode: 0o755, content: []byte(text)}, "", nil)
		}
	}
	control, err = a.bytes(true)
	return gzipped(control), data, err
}

func (p *pkg) pkginfo(arch string, data []byte, date int64) []byte {
	var w bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&w, "%s = %s\n", name, value)
		}
	}
	line("pkgname", p.name)
	line("pkgver", p.version)
	line("pkgdesc", p.field("description", p.name+" for tests"))
	line("url", "https://example.org/")
	line("builddate", p.field("built", fmt.Sprint(date)))
	line("packager", "Test <test@example.org>")
	line("size", fmt.Sprint(p.installedSize()))
	line("arch", arch)
	line("origin", p.field("source", p.name))
	line("license", p.field("licence", "MIT"))
	for _, v := range list(p.field("replaces", "")) {
		line("replaces", v)
	}
	for _, v := range p.needs() {
		line("depend", v)
	}
	for _, v := range list(p.field("provides", "")) {
		line("provides", v)
	}
	line("provider_priority", p.field("priority", ""))
	line("replaces_priority", p.field("replaces-priority", ""))
	line("install_if", strings.Join(list(p.field("install-if", "")), " "))
	line("triggers", strings.Join(list(p.field("triggers", "")), " "))
	line("datahash", fmt.Sprintf("%x", sha256.Sum256(data)))
	return w.Bytes()
}

// needs are the dependencies, and the conflicts as apk writes them.
func (p *pkg) needs() []string {
	needs := list(p.field("depends", ""))
	for _, c := range list(p.field("conflicts", "")) {
		needs = append(needs, "!"+c)
	}
	return needs
}

// stanza is the package in the index.
func (p *pkg) stanza(arch string, control []byte, size int, date int64) []byte {
	var w bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&w, "%s:%s\n", name, value)
		}
	}
	sum := sha1.Sum(control)
	line("C", "Q1"+base64.StdEncoding.EncodeToString(sum[:]))
	line("P", p.name)
	line("V", p.version)
	line("A", arch)
	line("S", fmt.Sprint(size))
	line("I", fmt.Sprint(p.installedSize()))
	line("T", p.field("description", p.name+" for tests"))
	line("U", "https://example.org/")
	line("L", p.field("licence", "MIT"))
	line("o", p.field("source", p.name))
	line("m", "Test <test@example.org>")
	line("t", p.field("built", fmt.Sprint(date)))
	line("k", p.field("priority", ""))
	line("D", strings.Join(p.needs(), " "))
	line("p", strings.Join(list(p.field("provides", "")), " "))
	line("i", strings.Join(list(p.field("install-if", "")), " "))
	w.WriteByte('\n')
	return w.Bytes()
}
