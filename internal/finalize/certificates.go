package finalize

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// certificates is update-ca-certificates(8) with the openssl rehash(1) that it
// runs, Debian's and Alpine's, which differ in the names of links: the bundle
// /etc/ssl/certs/ca-certificates.crt, a link for each certificate and one for
// the hash of its subject, by which OpenSSL finds it. Neither openssl nor a
// shell need be in the image.
//
// Trusted are the certificates below /usr/share/ca-certificates that
// /etc/ca-certificates.conf selects, all of them where it selects nothing
// either way, and every one below /usr/local/share/ca-certificates.
var certificates = finalizer{
	name:    "ca-certificates",
	program: "update-ca-certificates(8) and openssl rehash(1)",
	applies: func(in *Input) bool { return isDir(in.Tree, distributed) },
	run: func(j *job) error {
		s := newTrustStore(j)
		if s.alpine = isAlpine(j.Tree); s.alpine {
			s.prefix = "ca-cert-"
		}
		return s.run()
	},
}

// Places of the store, relative to the root.
const (
	distributed  = "usr/share/ca-certificates"
	local        = "usr/local/share/ca-certificates"
	certsDir     = "etc/ssl/certs"
	certsList    = "etc/ca-certificates.conf"
	certsHooks   = "etc/ca-certificates/update.d"
	openssl      = "usr/lib/ssl" // where Debian's OpenSSL looks, /usr/lib/ssl/certs, which a link of package openssl leads on
	maxCerts     = 10_000
	maxCertFile  = 1 << 20
	maxCertDepth = 16
)

// A trustStore is one run of update-ca-certificates.
type trustStore struct {
	*job
	alpine bool
	prefix string // of the links' names
	bundle bytes.Buffer
	read   map[cas.Digest][]byte // what was read: links have it read twice
}

func newTrustStore(j *job) *trustStore {
	return &trustStore{job: j, read: map[cas.Digest][]byte{}}
}

func (s *trustStore) run() error {
	chosen, err := s.selected()
	if err != nil {
		return err
	}
	for _, file := range append(chosen, s.local()...) {
		if err := s.trust(file); err != nil {
			return err
		}
	}
	if s.bundle.Len() == 0 {
		return nil
	}
	if err := s.rehash(); err != nil {
		return err
	}
	if !s.alpine && s.at(openssl+"/certs") == nil {
		if err := s.link(openssl+"/certs", "/"+certsDir); err != nil {
			return err
		}
	}
	s.hooks()
	return s.file(certsDir+"/ca-certificates.crt", 0o644, s.bundle.Bytes())
}

// selected gives the distribution's certificates that are trusted, and writes
// the list of them where there is none. One that a script made and that
// selects nothing at all is none: the question behind it has no answer in an
// image.
func (s *trustStore) selected() ([]string, error) {
	list, err := s.text(certsList)
	if err != nil {
		return nil, err
	}
	chosen, comments, ok := s.choice(list)
	if ok && (len(chosen) > 0 || !strings.HasPrefix(s.Tree.Lookup(certsList).Origin, "script:")) {
		return chosen, nil
	}
	chosen = s.find(distributed)
	for _, file := range chosen {
		comments += strings.TrimPrefix(file, distributed+"/") + "\n"
	}
	return chosen, s.file(certsList, 0o644, []byte(comments))
}

// choice is what a list selects, and its comments; ok says whether it names
// any certificate.
func (s *trustStore) choice(list []byte) (chosen []string, comments string, ok bool) {
	for line := range strings.Lines(string(list)) {
		name := strings.TrimSpace(line)
		switch {
		case name == "":
			continue
		case name[0] == '#':
			comments += line
			continue
		case name[0] == '!':
		case !isFile(s.Tree, distributed+"/"+name):
			s.odd("/%s: names %q, which is not there", certsList, name)
		default:
			chosen = append(chosen, distributed+"/"+name)
		}
		ok = true
	}
	return chosen, comments, ok
}

// local lists the certificates of the administrator, sorted.
func (s *trustStore) local() []string {
	if !s.alpine {
		return s.find(local)
	}
	var files []string
	if n := s.Tree.Lookup(local); n != nil {
		for _, name := range s.Tree.Names(n.Path) {
			if file := local + "/" + name; isFile(s.Tree, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// find lists the certificates below a folder, sorted; links are followed.
func (s *trustStore) find(dir string) []string {
	var files []string
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		n := s.Tree.Lookup(dir)
		if n == nil || n.Type != rootfs.Dir || depth > maxCertDepth || len(files) >= maxCerts {
			return
		}
		for _, name := range s.Tree.Names(n.Path) {
			walk(dir+"/"+name, depth+1)
			if strings.HasSuffix(name, ".crt") && isFile(s.Tree, dir+"/"+name) {
				files = append(files, dir+"/"+name)
			}
		}
	}
	walk(dir, 0)
	slices.Sort(files)
	return files
}

// linkName is the name that a certificate's link has without its folder.
var linkName = strings.NewReplacer(" ", "_", ",", "_", "(", "=", ")", "=")

// trust adds a certificate to the bundle, and a link to it.
func (s *trustStore) trust(file string) error {
	data, err := s.certificate(file)
	if err != nil || len(data) == 0 {
		return err
	}
	if block, _ := pem.Decode(data); block == nil {
		s.odd("/%s: is no certificate in PEM form", file)
		return nil
	}
	s.bundle.Write(data)
	if s.alpine || data[len(data)-1] != '\n' {
		s.bundle.WriteByte('\n')
	}
	name := linkName.Replace(strings.TrimSuffix(path.Base(file), ".crt"))
	return s.link(certsDir+"/"+s.prefix+name+".pem", "/"+file)
}

// certificate reads a file, unless it is far too big for one.
func (s *trustStore) certificate(file string) ([]byte, error) {
	n := s.Tree.Lookup(file)
	if n.Content.Size > maxCertFile {
		s.odd("/%s: %d bytes, more than a certificate has", file, n.Content.Size)
		return nil, nil
	}
	data, ok := s.read[n.Content.Digest]
	if ok {
		return data, nil
	}
	data, err := rootfs.Read(s.Contents, n.Content)
	if err == nil {
		s.read[n.Content.Digest] = data
	}
	return data, err
}

// rehash makes a link for the subject of every certificate in the store that
// is alone in its file, numbered from 0 where several have the same hash.
func (s *trustStore) rehash() error {
	dir := s.Tree.Lookup(certsDir)
	if dir == nil {
		return nil // nothing could be linked
	}
	next := map[uint32]int{}
	seen := map[[sha256.Size]byte]bool{}
	for _, name := range s.Tree.Names(dir.Path) {
		if !isCertificate(name) || !isFile(s.Tree, certsDir+"/"+name) {
			continue
		}
		data, err := s.certificate(certsDir + "/" + name)
		if err != nil {
			return err
		}
		der := single(data)
		if der == nil {
			continue
		}
		subject, err := subjectOf(der)
		if err != nil {
			s.odd("/%s/%s: %v", certsDir, name, err)
			continue
		}
		if sum := sha256.Sum256(der); !seen[sum] {
			seen[sum] = true
			hash := subjectHash(subject)
			if err := s.link(fmt.Sprintf("%s/%08x.%d", certsDir, hash, next[hash]), name); err != nil {
				return err
			}
			next[hash]++
		}
	}
	return nil
}

// isCertificate reports whether rehash looks at a file of that name.
func isCertificate(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".pem", ".crt", ".cer", ".crl":
		return true
	}
	return false
}

// single is the certificate of a PEM file that has just one; nil otherwise.
func single(data []byte) []byte {
	var der []byte
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return der
		}
		switch b.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			if der != nil {
				return nil
			}
			der = b.Bytes
		case "X509 CRL":
			return nil
		}
	}
}

// hooks notes the programs that would now be run: finalizers stand for some.
func (s *trustStore) hooks() {
	served := map[string]bool{"certhash": true, "jks-keystore": true, ".placeholder": true}
	for _, name := range s.Tree.Names(certsHooks) {
		if !served[name] {
			s.odd("/%s/%s: is not run", certsHooks, name)
		}
	}
}
