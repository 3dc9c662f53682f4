package testrepo

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

const text = `
# a comment
arch: amd64 arm64

zlib 1.3.1-r2
	depends: libc, libm
	conflicts: minizip
	licence: Zlib
	script postinst: echo one
	script postinst: echo two
	usr/lib/libz.so.1.3 0755 "not a real library: \x00\n"
	usr/lib/libz.so -> libz.so.1.3
	usr/lib/libz.copy => usr/lib/libz.so.1.3
	var/lib/zlib/ 2750 7:8
	usr/share/large size=100000

docs 1:2.0-1
	arch: all
	usr/share/doc/docs/README 4755 "read me\n"
`

func TestParseRefuses(t *testing.T) {
	tests := []struct{ rule, text, want string }{
		{"a package has a version", "zlib", `line 1: "zlib": want a package's name and version`},
		{"a field belongs to a package", "\n\tdepends: x", `line 2: "depends: x": no package stands above`},
		{"content is a Go string", "a 1\n\tetc/x \"open", `line 2: etc/x: content "open: invalid syntax`},
		{"a mode is octal", "a 1\n\tetc/x 0789", `line 2: etc/x: strconv.ParseInt: parsing "0789": invalid syntax`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if _, err := parse(tt.text); fmt.Sprint(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := Write(t.TempDir(), "rpm", ""); err == nil {
		t.Error("format rpm is written")
	}
}

// contents is every file below dir, by its path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWriteIsDeterministic(t *testing.T) {
	for _, format := range []string{"deb", "apk"} {
		var first map[string]string
		for range 3 {
			dir := t.TempDir()
			if _, err := Write(dir, format, text); err != nil {
				t.Fatal(err)
			}
			got := contents(t, dir)
			if first == nil {
				first = got
			}
			if len(got) != len(first) {
				t.Fatalf("%s: %d files, then %d", format, len(first), len(got))
			}
			for name, data := range got {
				if data != first[name] {
					t.Errorf("%s: %s differs", format, name)
				}
			}
		}
	}
}

func TestServed(t *testing.T) {
	for format, path := range map[string]string{"deb": "dists/stable/InRelease", "apk": "aarch64/APKINDEX.tar.gz"} {
		r := New(t, format, text)
		resp, err := http.Get(r.URL + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		served, _ := io.ReadAll(resp.Body)
		onDisk, err := os.ReadFile(filepath.Join(r.Dir, path))
		if err != nil || !bytes.Equal(served, onDisk) || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: status %d, %v", format, path, resp.StatusCode, err)
		}
	}
}

// run is the output of a program; the test is skipped where it is missing.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Skip(t, "%s is not installed", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestGpgvAcceptsTheSignatures(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa"} {
		dir := t.TempDir()
		key, err := Write(dir, "deb", "key: "+kind+"\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		armored, err := os.Open(key)
		if err != nil {
			t.Fatal(err)
		}
		defer armored.Close()
		block, err := armor.Decode(bufio.NewReader(armored))
		if err != nil {
			t.Fatal(err)
		}
		binary, _ := io.ReadAll(block.Body)
		ring := filepath.Join(dir, "key.gpg")
		if err := os.WriteFile(ring, binary, 0o644); err != nil {
			t.Fatal(err)
		}
		release := filepath.Join(dir, "dists/stable/")
		run(t, "gpgv", "--keyring", ring, release+"/InRelease")
		run(t, "gpgv", "--keyring", ring, release+"/Release.gpg", release+"/Release")
	}
}

func TestDpkgReadsThePackage(t *testing.T) {
	for _, compression := range []string{"xz", "gz", "zst", "none"} {
		dir := t.TempDir()
		if _, err := Write(dir, "deb", "compression: "+compression+"\n"+text); err != nil {
			t.Fatal(err)
		}
		deb := filepath.Join(dir, "pool/main/z/zlib/zlib_1.3.1-r2_amd64.deb")
		list := run(t, "dpkg-deb", "-c", deb)
		for _, want := range []string{
			"drwxr-s--- 7/8", "./var/lib/zlib/", "./usr/lib/libz.so -> libz.so.1.3",
			"./usr/lib/libz.copy link to ./usr/lib/libz.so.1.3", "-rwxr-xr-x root/root",
		} {
			if !strings.Contains(list, want) {
				t.Errorf("%s: no %q in\n%s", compression, want, list)
			}
		}
		if v := run(t, "dpkg-deb", "-f", deb, "Depends"); strings.TrimSpace(v) != "libc, libm" {
			t.Errorf("Depends: %q", v)
		}
		if v := run(t, "dpkg-deb", "-I", deb, "postinst"); v != "#!/bin/sh\necho one\necho two\n" {
			t.Errorf("postinst: %q", v)
		}
	}
}

func TestDebIndex(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir, "deb", text); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	index := files["dists/stable/main/binary-arm64/Packages"]
	for _, name := range []string{"pool/main/z/zlib/zlib_1.3.1-r2_arm64.deb", "pool/main/d/docs/docs_2.0-1_all.deb"} {
		want := fmt.Sprintf("Filename: %s\nSize: %d\nSHA256: %x\n", name, len(files[name]), sha256.Sum256([]byte(files[name])))
		if !strings.Contains(index, want) {
			t.Errorf("the index lacks %q:\n%s", want, index)
		}
	}
	for _, ext := range []string{"", ".gz", ".xz"} {
		name := "main/binary-arm64/Packages" + ext
		data := files["dists/stable/"+name]
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
		if !strings.Contains(files["dists/stable/InRelease"], fmt.Sprintf(" %s %d %s\n", sum, len(data), name)) {
			t.Errorf("InRelease does not list %s", name)
		}
		if files["dists/stable/main/binary-arm64/by-hash/SHA256/"+sum] != data {
			t.Errorf("%s is not there by its hash", name)
		}
	}
}

// members cuts concatenated gzip members apart.
func members(t *testing.T, data []byte) (raw [][]byte) {
	t.Helper()
	for len(data) > 0 {
		r := bytes.NewReader(data)
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		if _, err := io.Copy(io.Discard, z); err != nil {
			t.Fatal(err)
		}
		n := len(data) - r.Len()
		raw, data = append(raw, data[:n]), data[n:]
	}
	return raw
}

// unpack lists the entries of a tar archive in a gzip member.
func unpack(t *testing.T, member []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r)
		found[h.Name] = string(data)
	}
}

func TestAPKSignatures(t *testing.T) {
	for kind, hash := range map[string]crypto.Hash{"rsa": crypto.SHA1, "rsa256": crypto.SHA256} {
		dir := t.TempDir()
		keyFile, err := Write(dir, "apk", "signature: "+kind+"\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(keyFile)
		block, _ := pem.Decode(data)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		check := func(file, name string, hash crypto.Hash) [][]byte {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			m := members(t, data)
			signature, ok := unpack(t, m[0])[".SIGN."+name+"."+filepath.Base(keyFile)]
			h := hash.New()
			h.Write(m[1])
			if err := rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), hash, h.Sum(nil), []byte(signature)); err != nil || !ok {
				t.Errorf("%s: %v", file, err)
			}
			return m
		}
		index := check("x86_64/APKINDEX.tar.gz", strings.ToUpper(kind), hash)
		apk := check("x86_64/zlib-1.3.1-r2.apk", "RSA", crypto.SHA1)
		if len(index) != 2 || len(apk) != 3 {
			t.Fatalf("%d members in the index, %d in the package", len(index), len(apk))
		}
		sum := sha1.Sum(apk[1])
		stanza := "C:Q1" + base64.StdEncoding.EncodeToString(sum[:]) + "\nP:zlib\nV:1.3.1-r2\nA:x86_64\n"
		if text := unpack(t, index[1])["APKINDEX"]; !strings.Contains(text, stanza) || !strings.Contains(text, "D:libc libm !minizip\n") {
			t.Errorf("no %q in\n%s", stanza, text)
		}
		control := unpack(t, apk[1])
		if want := fmt.Sprintf("datahash = %x\n", sha256.Sum256(apk[2])); !strings.Contains(control[".PKGINFO"], want) {
			t.Errorf("no %q in\n%s", want, control[".PKGINFO"])
		}
		if control[".post-install"] != "#!/bin/sh\necho one\necho two\n" {
			t.Errorf(".post-install: %q", control[".post-install"])
		}
		if got := unpack(t, apk[2])["usr/lib/libz.so.1.3"]; got != "not a real library: \x00\n" {
			t.Errorf("content: %q", got)
		}
	}
}
