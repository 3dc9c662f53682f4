package finalize

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// certificate is a certificate as far as anybody looks at it here.
func certificate(subject string, serial int) file {
	attribute := func(oid asn1.ObjectIdentifier, value string) []byte {
		id, _ := asn1.Marshal(oid)
		return encode(asn1.TagSet, true, encode(asn1.TagSequence, true, append(id, encode(asn1.TagUTF8String, false, []byte(value))...)))
	}
	name := encode(asn1.TagSequence, true, attribute(asn1.ObjectIdentifier{2, 5, 4, 3}, subject))
	empty := encode(asn1.TagSequence, true, nil)
	number := encode(asn1.TagInteger, false, []byte{byte(serial)})
	tbs := encode(asn1.TagSequence, true, bytes.Join([][]byte{number, empty, empty, empty, name}, nil))
	der := encode(asn1.TagSequence, true, tbs)
	return file{data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// A list of a script's that selects nothing is made anew, one of the manifest's
// holds.
func TestListThatSelectsNothing(t *testing.T) {
	for origin, want := range map[string]string{
		"script: ca-certificates postinst": "# by a script\na.crt\n",
		"files: image.yaml:3:5":            "# by a script\n!a.crt\n!${enable_crts}\n",
	} {
		in := inputOf(t, map[string]file{"usr/share/ca-certificates/a.crt": certificate("a", 1), certsList: text("# by a script\n!a.crt\n!${enable_crts}\n")})
		in.Tree.Get(certsList).Origin = origin
		run(t, in)
		if got := read(t, in, certsList); got != want {
			t.Errorf("%s: the list is %q, want %q", origin, got, want)
		}
		if trusted := in.Tree.Get("etc/ssl/certs/a.pem") != nil; trusted != strings.HasPrefix(origin, "script:") {
			t.Errorf("%s: trusted is %v", origin, trusted)
		}
	}
}

func TestCertificates(t *testing.T) {
	a, b := certificate("a", 1), certificate("b", 1)
	both := file{data: append(append([]byte{}, a.data...), b.data...)}
	const dir = "usr/share/ca-certificates/"
	for rule, c := range map[string]struct {
		files  map[string]file
		bundle string
		has    []string // paths
		hasNot []string
		odd    int
	}{
		"all are trusted where nothing selects": {map[string]file{dir + "m/b.crt": b, dir + "m/a.crt": a},
			string(a.data) + string(b.data), []string{"etc/ssl/certs/a.pem", "etc/ssl/certs/b.pem", "usr/lib/ssl/certs"}, nil, 0},
		"the list selects": {map[string]file{dir + "m/b.crt": b, dir + "m/a.crt": a, "etc/ca-certificates.conf": text("# x\n!m/a.crt\nm/b.crt\n")},
			string(b.data), []string{"etc/ssl/certs/b.pem"}, []string{"etc/ssl/certs/a.pem"}, 0},
		"its order is the bundle's": {map[string]file{dir + "b.crt": b, dir + "a.crt": a, "etc/ca-certificates.conf": text("b.crt\na.crt\n")},
			string(b.data) + string(a.data), nil, nil, 0},
		"a list of nothing but comments is none": {map[string]file{dir + "a.crt": a, "etc/ca-certificates.conf": text("# made\n\n")},
			string(a.data), nil, nil, 0},
		"what the list names and is not there is noted": {map[string]file{dir + "a.crt": a, "etc/ca-certificates.conf": text("a.crt\ngone.crt\n")},
			string(a.data), nil, nil, 1},
		"local ones come last":                   {map[string]file{dir + "b.crt": b, "usr/local/share/ca-certificates/x/a.crt": a}, string(b.data) + string(a.data), []string{"etc/ssl/certs/a.pem"}, nil, 0},
		"another ending is no certificate":       {map[string]file{dir + "a.crt": a, dir + "b.pem": b}, string(a.data), nil, []string{"etc/ssl/certs/b.pem"}, 0},
		"a newline is added where it is missing": {map[string]file{dir + "a.crt": {data: bytes.TrimSpace(a.data)}, dir + "b.crt": b}, string(a.data) + string(b.data), nil, nil, 0},
		"what is no PEM is noted":                {map[string]file{dir + "a.crt": a, dir + "b.crt": text("\x30\x82")}, string(a.data), nil, []string{"etc/ssl/certs/b.pem"}, 1},
		"a file of two has no hash":              {map[string]file{dir + "a.crt": both}, string(both.data), []string{"etc/ssl/certs/a.pem"}, []string{hashOf("a", 0), hashOf("b", 0)}, 0},
		"same subject, another number":           {map[string]file{dir + "a.crt": a, dir + "c.crt": certificate("a", 2)}, "", []string{hashOf("a", 0), hashOf("a", 1)}, []string{hashOf("a", 2)}, 0},
		"the same certificate has one number":    {map[string]file{dir + "a.crt": a, dir + "c.crt": a}, "", []string{hashOf("a", 0)}, []string{hashOf("a", 1)}, 0},
		"case and blanks do not matter":          {map[string]file{dir + "a.crt": certificate("  A\t\n B ", 1)}, "", []string{hashOf("a b", 0)}, nil, 0},
		"Alpine's links have a prefix, and an empty line": {map[string]file{dir + "a.crt": a, "etc/alpine-release": text("3")},
			string(a.data) + "\n", []string{"etc/ssl/certs/ca-cert-a.pem"}, []string{"etc/ssl/certs/a.pem", "usr/lib/ssl"}, 0},
		"a hook that nobody serves is noted": {map[string]file{dir + "a.crt": a, "etc/ca-certificates/update.d/x": text("#!")}, string(a.data), nil, nil, 1},
		"no certificate, no store":           {map[string]file{dir + "x/README": text("none")}, "", nil, []string{"etc/ssl"}, 0},
	} {
		in := inputOf(t, c.files)
		odd := run(t, in)
		if got := read(t, in, "etc/ssl/certs/ca-certificates.crt"); c.bundle != "" && got != c.bundle {
			t.Errorf("%s: the bundle is %q, want %q", rule, got, c.bundle)
		}
		for _, path := range c.has {
			if in.Tree.Get(path) == nil {
				t.Errorf("%s: no /%s in\n%s", rule, path, in.Tree.Dump())
			}
		}
		for _, path := range c.hasNot {
			if in.Tree.Get(path) != nil {
				t.Errorf("%s: there is /%s", rule, path)
			}
		}
		if len(odd) != c.odd {
			t.Errorf("%s: notes %q, want %d", rule, odd, c.odd)
		}
	}
}

// hashOf is the link of a subject.
func hashOf(subject string, number int) string {
	block, _ := pem.Decode(certificate(subject, 1).data)
	name, err := subjectOf(block.Bytes)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("etc/ssl/certs/%08x.%d", subjectHash(name), number)
}

// Strings of every kind hash like the same text in UTF-8.
func TestSubjectHashKnowsEveryKindOfString(t *testing.T) {
	subject := func(tag int, value string) []byte {
		id, _ := asn1.Marshal(asn1.ObjectIdentifier{2, 5, 4, 3})
		return encode(asn1.TagSequence, true, encode(asn1.TagSet, true, encode(asn1.TagSequence, true, append(id, encode(tag, false, []byte(value))...))))
	}
	want := subjectHash(subject(asn1.TagUTF8String, "é x"))
	for tag, value := range map[int]string{
		asn1.TagT61String: "\xe9  X", asn1.TagPrintableString: " \xe9 x", asn1.TagIA5String: "\xe9 x ",
		asn1.TagBMPString: "\x00\xe9\x00 \x00x", 28: "\x00\x00\x00\xe9\x00\x00\x00 \x00\x00\x00x",
	} {
		if got := subjectHash(subject(tag, value)); got != want {
			t.Errorf("tag %d: %08x, want %08x", tag, got, want)
		}
	}
	if subjectHash(subject(asn1.TagOctetString, "é x")) == want {
		t.Error("what is no string is taken for one")
	}
}

func FuzzSubject(f *testing.F) {
	block, _ := pem.Decode(certificate("a", 1).data)
	f.Add(block.Bytes)
	f.Add([]byte("\x30\x80\x00\x00"))
	f.Fuzz(func(t *testing.T, der []byte) {
		subject, err := subjectOf(der)
		if err != nil {
			return
		}
		if !bytes.Contains(der, subject) {
			t.Error("a subject that is not in the certificate")
		}
		subjectHash(subject)
	})
}

func FuzzCertificates(f *testing.F) {
	f.Add(string(certificate("a", 1).data), "a.crt", "a.crt\n!b.crt")
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "..crt", "../../../etc/passwd")
	f.Fuzz(func(t *testing.T, data, name, list string) {
		if strings.ContainsAny(name, "/\x00") || name == "" || name == "." || name == ".." || strings.HasPrefix(name, ".wh.") {
			return
		}
		in := inputOf(t, map[string]file{"usr/share/ca-certificates/" + name: text(data), "etc/ca-certificates.conf": text(list)})
		run(t, in)
		for n := range in.Tree.All() {
			if strings.HasPrefix(n.Path, "etc/ssl/certs/") && n.Link != "" && in.Tree.Lookup(n.Path) == nil {
				t.Errorf("/%s leads nowhere: %s", n.Path, n.Link)
			}
		}
	})
}
