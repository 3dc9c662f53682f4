package finalize_test

import (
	"context"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"compose/internal/finalize"
	"compose/internal/testtree"
	"compose/rootfs"
)

// The keystore has the entries that Debian's own program writes, and Java
// takes it for sound.
func TestKeystoreIsThatOfTheRealUpdateCertificates(t *testing.T) {
	in := debian(t, "base-files", "dash", "libc-bin", "ca-certificates-java", "openjdk-21-jre-headless")
	if _, err := finalize.Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	const place = "etc/ssl/certs/java/cacerts"
	ours, err := rootfs.Read(in.Contents, in.Tree.Lookup(place).Content)
	if err != nil {
		t.Fatal(err)
	}
	root := testtree.Export(t, in.Tree, in.Contents, in.Epoch)
	java := func(command string) string {
		const home = "/usr/lib/jvm/java-21-openjdk-amd64"
		return testtree.Run(t, "chroot", root, "/usr/bin/dash", "-c", "export LC_ALL=C.UTF-8 LD_LIBRARY_PATH="+home+"/lib PATH="+home+"/bin; "+command)
	}
	if list := java("keytool -list -storepass changeit -keystore /" + place); strings.Count(list, "trustedCertEntry") != len(entries(t, ours)) {
		t.Errorf("keytool lists %s", list)
	}
	if err := os.Remove(root + "/" + place); err != nil {
		t.Fatal(err)
	}
	java(`for f in /etc/ssl/certs/*.pem; do echo "+$f"; done | java -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass changeit`)
	real, err := os.ReadFile(root + "/" + place)
	if err != nil {
		t.Fatal(err)
	}
	got, want := entries(t, ours), entries(t, real)
	for alias := range got {
		if got[alias] != want[alias] {
			t.Errorf("%s: not what the real one has", alias)
		}
	}
	for alias := range want {
		if _, ok := got[alias]; !ok {
			t.Errorf("%s: only the real one has it", alias)
		}
	}
}

// entries are the certificates of a keystore by alias.
func entries(t *testing.T, b []byte) map[string]string {
	t.Helper()
	at := 12
	next := func(n int) []byte {
		at += n
		return b[at-n : at]
	}
	found := map[string]string{}
	for range binary.BigEndian.Uint32(b[8:]) {
		next(4)
		alias := string(next(int(binary.BigEndian.Uint16(next(2)))))
		next(8)
		next(int(binary.BigEndian.Uint16(next(2))))
		found[alias] = string(next(int(binary.BigEndian.Uint32(next(4)))))
	}
	return found
}
