package testrepo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz"
)

// A Repo is a signed repository that is served on loopback.
type Repo struct {
	Dir     string // its files
	URL     string // where it is served, without a slash at the end
	KeyFile string // the public key that signed it: an armored OpenPGP key, or an apk key in PEM
}

// New writes the repository that text describes (see the type description)
// and serves it until the test ends.
func New(t testing.TB, format, text string) *Repo {
	t.Helper()
	dir := t.TempDir()
	key, err := Write(dir, format, text)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return &Repo{Dir: dir, URL: s.URL, KeyFile: key}
}

// Write writes the repository of the given format, "deb" or "apk", that text
// describes into dir, and says where the public key is. One process always
// signs with the same keys, and then writes the same bytes.
func Write(dir, format, text string) (keyFile string, err error) {
	d, err := parse(text)
	if err != nil {
		return "", err
	}
	switch format {
	case "deb":
		return writeDeb(dir, d)
	case "apk":
		return writeAPK(dir, d)
	}
	return "", fmt.Errorf("format %q: want deb or apk", format)
}

// defaultDate is the date of what says nothing of its own: 2026-01-01.
const defaultDate = 1767225600

// date is a time of the repository, in seconds since 1970.
func (d *description) date() (int64, error) {
	return strconv.ParseInt(d.setting("date", strconv.Itoa(defaultDate)), 10, 64)
}

// archNames are the formats' names of GOARCH's.
var archNames = map[string]map[string]string{
	"deb": {"amd64": "amd64", "arm64": "arm64", "386": "i386", "arm": "armhf"},
	"apk": {"amd64": "x86_64", "arm64": "aarch64", "386": "x86", "arm": "armv7"},
}

// arches are the repository's architectures, in the format's spelling.
func (d *description) arches(format string) ([]string, error) {
	var names []string
	for _, a := range strings.Fields(d.setting("arch", "amd64")) {
		name, ok := archNames[format][a]
		if !ok {
			return nil, fmt.Errorf("arch %q: not known", a)
		}
		names = append(names, name)
	}
	return names, nil
}

// in reports what a package is called in the index of arch: its own
// architecture, and whether it is there at all.
func (p *pkg) in(format, arch, any string) (string, bool) {
	switch a := p.field("arch", ""); {
	case a == "all" || a == "noarch":
		return any, true
	case a == "":
		return arch, true
	default:
		return arch, archNames[format][a] == arch
	}
}

func save(dir, name string, data []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// An archive collects tar entries. What goes wrong is told at the end.
type archive struct {
	buf    bytes.Buffer
	tar    *tar.Writer
	format tar.Format
	mtime  time.Time
	err    error
}

func newArchive(format tar.Format, mtime int64) *archive {
	a := &archive{format: format, mtime: time.Unix(mtime, 0)}
	a.tar = tar.NewWriter(&a.buf)
	return a
}

func (a *archive) add(h tar.Header, content []byte) {
	if a.err != nil {
		return
	}
	h.Format, h.ModTime, h.Size = a.format, a.mtime, int64(len(content))
	if a.err = a.tar.WriteHeader(&h); a.err == nil {
		_, a.err = a.tar.Write(content)
	}
}

// entry adds f; prefix stands before every name.
func (a *archive) entry(f file, prefix string, pax map[string]string) {
	h := tar.Header{Name: prefix + f.path, Mode: f.mode, Uid: f.uid, Gid: f.gid, PAXRecords: pax}
	if f.uid == 0 {
		h.Uname = "root"
	}
	if f.gid == 0 {
		h.Gname = "root"
	}
	switch f.kind {
	case 'd':
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case 'l':
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.target
	case 'h':
		h.Typeflag, h.Linkname = tar.TypeLink, prefix+f.target
	default:
		h.Typeflag = tar.TypeReg
	}
	a.add(h, f.content)
}

// bytes is the archive; cut leaves out the two blocks that end it.
func (a *archive) bytes(cut bool) ([]byte, error) {
	if a.err == nil && cut {
		a.err = a.tar.Flush()
	} else if a.err == nil {
		a.err = a.tar.Close()
	}
	return a.buf.Bytes(), a.err
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func xzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}
