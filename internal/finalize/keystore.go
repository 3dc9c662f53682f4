package finalize

import (
	"crypto/sha1"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// keystore is the UpdateCertificates program of ca-certificates-java: the
// certificates of /etc/ssl/certs in Java's own format, without which no
// program on Java can make a TLS connection. It is protected by the password
// that every Java expects, changeit, and sorted by alias, where the real one
// goes by a table of hashes and notes the time of day.
var keystore = finalizer{
	name:    "java-keystore",
	program: "the UpdateCertificates of ca-certificates-java",
	applies: func(in *Input) bool {
		return isFile(in.Tree, "usr/share/ca-certificates-java/ca-certificates-java.jar") && isDir(in.Tree, certsDir)
	},
	run: func(j *job) error {
		s := newTrustStore(j)
		var entries []trustedKey
		for _, name := range j.Tree.Names(j.Tree.Lookup(certsDir).Path) {
			if !strings.HasSuffix(name, ".pem") || !isFile(j.Tree, certsDir+"/"+name) {
				continue
			}
			data, err := s.certificate(certsDir + "/" + name)
			if err != nil {
				return err
			}
			if der := single(data); der != nil {
				entries = append(entries, trustedKey{"debian:" + strings.ToLower(name), der})
			}
		}
		return j.file(certsDir+"/java/cacerts", 0o644, encodeKeystore(entries, j.Epoch*1000, "changeit"))
	},
}

// A trustedKey is an entry of a keystore.
type trustedKey struct {
	alias string
	der   []byte
}

// encodeKeystore is a keystore of trusted certificates in the format JKS,
// version 2, with date in milliseconds since 1970.
func encodeKeystore(entries []trustedKey, date int64, password string) []byte {
	const trusted = 2
	be := binary.BigEndian
	text := func(b []byte, s string) []byte {
		return append(be.AppendUint16(b, uint16(len(s))), s...)
	}
	b := be.AppendUint32(nil, 0xfeedfeed)
	b = be.AppendUint32(b, 2)
	b = be.AppendUint32(b, uint32(len(entries)))
	for _, e := range entries {
		b = be.AppendUint32(b, trusted)
		b = text(b, e.alias)
		b = be.AppendUint64(b, uint64(date))
		b = text(b, "X.509")
		b = append(be.AppendUint32(b, uint32(len(e.der))), e.der...)
	}
	digest := sha1.New()
	for _, unit := range utf16.Encode([]rune(password)) {
		digest.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	digest.Write([]byte("Mighty Aphrodite")) // the format's own salt
	digest.Write(b)
	return digest.Sum(b)
}
