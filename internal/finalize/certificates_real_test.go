package finalize_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"compose/internal/finalize"
	"compose/internal/testtree"
	"compose/rootfs"
)

// put adds a file of the manifest's to the tree.
func put(t *testing.T, in finalize.Input, path, text string) {
	t.Helper()
	ref, err := in.Contents.Put(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Tree.Add(rootfs.Node{Path: path, Type: rootfs.Regular, Mode: 0o644, Content: ref, Origin: "files: image.yaml:1:1"}); err != nil {
		t.Fatal(err)
	}
}

// localCertificates puts certificates of the administrator's into the tree:
// one twice, names that need replacing, no newline at the end, two that have
// the same subject.
func localCertificates(t *testing.T, in finalize.Input) {
	certs := t.TempDir()
	subject := []string{"/CN=Örtliche  CA/O=  Two   Blanks ", "/CN=Same/O=Subject", "/CN=Same/O=Subject", "/C=DE/O=X+OU=B+OU=a"}
	for i, name := range []string{"own (test), ca", "same-1", "same-2", "multi"} {
		file := filepath.Join(certs, "c.pem")
		testtree.Run(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-utf8", "-multivalue-rdn", "-keyout", "/dev/null", "-out", file, "-subj", subject[i])
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, in, "usr/local/share/ca-certificates/"+name+".crt", string(data))
		if i == 1 {
			put(t, in, "usr/local/share/ca-certificates/deep/er/twice.crt", strings.TrimSpace(string(data)))
		}
	}
}

func TestStoreIsThatOfDebiansUpdateCACertificates(t *testing.T) {
	in := debian(t, "base-files", "dash", "coreutils", "sed", "findutils", "grep", "debianutils", "ca-certificates", "openssl")
	localCertificates(t, in)
	put(t, in, "dev/null", "") // the program redirects into it
	judge(t, in, "ca-certificates", []string{"dev/null"}, func(root string) {
		// The list is that of the package's own postinst: all, sorted.
		testtree.Run(t, "chroot", root, "sh", "-c", `find /usr/share/ca-certificates -name '*.crt' | sed 's,/usr/share/ca-certificates/,,' | LC_ALL=C sort >/etc/ca-certificates.conf
			update-ca-certificates`)
	})
}

func TestStoreIsThatOfAlpinesUpdateCACertificates(t *testing.T) {
	in := alpine(t, "alpine-baselayout", "busybox-binsh", "ca-certificates")
	localCertificates(t, in)
	for _, name := range []string{"deep", "same-1.crt", "same-2.crt", "multi.crt"} { // where it goes by the disk's order, or is wrong
		in.Tree.Remove("usr/local/share/ca-certificates/" + name)
	}
	if err := in.Tree.Add(rootfs.Node{Path: "usr/bin/run-parts", Type: rootfs.Symlink, Mode: 0o777, Link: "/bin/busybox"}); err != nil {
		t.Fatal(err)
	}
	put(t, in, "dev/null", "")
	judge(t, in, "ca-certificates", nil, func(root string) {
		testtree.Run(t, "chroot", root, "/usr/sbin/update-ca-certificates")
	})
}
