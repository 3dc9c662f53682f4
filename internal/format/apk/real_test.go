package apk

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"compose/internal/testrepo"
)

// realIndex is the text of an APKINDEX under ../shared/mirrors/alpine.
func realIndex(t testing.TB, repo string) string {
	t.Helper()
	f, err := os.Open(testrepo.Shared(t, "mirrors/alpine/"+repo+"/x86_64/APKINDEX.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "APKINDEX" {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
}

// Nothing in Alpine's own repositories is refused, and every relation in them
// has a meaning, but for packages that name a malformed version.
func TestRealIndexes(t *testing.T) {
	for _, tt := range []struct {
		repo     string
		packages int
		refused  string // packages whose relations are refused, as by apk-tools
	}{
		{"iso", 100, ""},
		{"lab", 194, ""},
		{"v3.19/main", 5443, ""},
		{"v3.19/community", 17587, "librasterlite2-dev opensmtpd-pam owfs-dev"},
	} {
		pkgs, err := ParseIndex(tt.repo, realIndex(t, tt.repo), "x86_64")
		if err != nil {
			t.Fatal(err)
		}
		if len(pkgs) != tt.packages {
			t.Errorf("%s: %d packages, want %d", tt.repo, len(pkgs), tt.packages)
		}
		var refused []string
		for i := range pkgs {
			p := &pkgs[i]
			r, err := (Format{}).Relations(p)
			if err != nil {
				refused = append(refused, p.Name)
			} else if n := len(strings.Fields(p.Fields.Depends)); len(r.Depends)+len(r.Conflicts) != n {
				t.Errorf("%s: %d of the words of D:%s have a meaning", p.Name, n, p.Fields.Depends)
			}
		}
		if got := strings.Join(refused, " "); got != tt.refused {
			t.Errorf("%s: refused %q, want %q", tt.repo, got, tt.refused)
		}
	}
}

func BenchmarkParseIndex(b *testing.B) {
	text := realIndex(b, "v3.19/community")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseIndex("APKINDEX", text, "x86_64"); err != nil {
			b.Fatal(err)
		}
	}
}
