package fetch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/resolve"
)

// tree serves the files below a new folder, and gives the folder.
func tree(t *testing.T, files map[string]string) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL, dir
}

// client is a Client that knows nothing of this machine.
func client(t *testing.T) *Client {
	t.Helper()
	c := &Client{Store: cas.NewMem(), Getenv: func(string) string { return "" }, Root: t.TempDir()}
	t.Cleanup(c.Close)
	return c
}

func promise(text string) resolve.Promise {
	return resolve.Promise{Size: int64(len(text)), SHA256: cas.Sum([]byte(text))}
}

func TestGet(t *testing.T) {
	url, dir := tree(t, map[string]string{"dists/x/InRelease": "signed", "pool/a+b_1~2.deb": "package"})
	for _, base := range []string{url, "file://" + dir} {
		get := client(t).Get(resolve.Source{Name: "r", URL: base})
		for path, text := range map[string]string{"dists/x/InRelease": "signed", "pool/a+b_1~2.deb": "package"} {
			for _, p := range []resolve.Promise{{}, promise(text)} {
				if got, err := get(t.Context(), path, p); err != nil || string(got) != text {
					t.Errorf("%s/%s: %q, %v", base, path, got, err)
				}
			}
		}
		if _, err := get(t.Context(), "none", resolve.Promise{}); !errors.Is(err, fs.ErrNotExist) || fault.Of(err) != fault.Transfer {
			t.Errorf("%s: a file that is not there: %v", base, err)
		}
		if _, err := get(t.Context(), "dists/x/InRelease", promise("sIgned")); fault.Of(err) != fault.TrustHash {
			t.Errorf("%s: other bytes than promised: %v", base, err)
		}
	}
}

func TestPackages(t *testing.T) {
	for _, scheme := range []string{"http", "file"} {
		base, dir := tree(t, map[string]string{"a.deb": "package a", "b.deb": "package b"})
		if scheme == "file" {
			base = "file://" + dir
		}
		c := client(t)
		src := resolve.Source{Name: "r", URL: base}
		item := func(path, text string) Item {
			return Item{Source: src, Path: path, Size: int64(len(text)), Check: resolve.Check{SHA256: cas.Sum([]byte(text))}, Name: path}
		}
		items := []Item{item("b.deb", "package b"), item("a.deb", "package a"), item("b.deb", "package b")}
		for range 2 { // the second time, from the store
			refs, err := c.Packages(t.Context(), items)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range refs {
				if r.Digest != items[i].Check.SHA256 || r.Size != items[i].Size || !c.Store.Has(r.Digest, r.Size) {
					t.Errorf("item %d: %v", i, r)
				}
			}
			os.RemoveAll(dir)
		}
		if _, err := c.Packages(t.Context(), []Item{item("c.deb", "package c")}); fault.Of(err) != fault.Transfer || !strings.Contains(err.Error(), "c.deb") {
			t.Errorf("a package that no mirror has: %v", err)
		}
	}
}

func TestDownload(t *testing.T) {
	url, _ := tree(t, map[string]string{"key.asc": "key"})
	c := client(t)
	for _, sum := range []string{"key", "key", "other"} {
		ref, err := c.Download(context.Background(), url+"/key.asc", cas.Sum([]byte(sum)), 100)
		if sum == "key" && (err != nil || ref != (cas.Ref{Digest: cas.Sum([]byte("key")), Size: 3})) {
			t.Errorf("got %v, %v", ref, err)
		}
		if sum == "other" && fault.Of(err) != fault.TrustHash {
			t.Errorf("other bytes: %v", err)
		}
	}
}
