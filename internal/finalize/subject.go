package finalize

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// errCertificate is what bytes come to that are no X.509 certificate.
var errCertificate = errors.New("is no X.509 certificate")

// subjectOf gives the DER of the subject of a certificate (RFC 5280, 4.1).
// Certificates of old authorities break rules that crypto/x509 insists on, so
// nothing else of them is looked at.
func subjectOf(der []byte) ([]byte, error) {
	certificate, _, ok := element(der)
	if !ok || certificate.Tag != asn1.TagSequence {
		return nil, errCertificate
	}
	tbs, _, ok := element(certificate.Bytes)
	if !ok || tbs.Tag != asn1.TagSequence {
		return nil, errCertificate
	}
	rest := tbs.Bytes
	skip := 4 // serial number, signature algorithm, issuer, validity
	if v, _, ok := element(rest); ok && v.Class == asn1.ClassContextSpecific {
		skip++ // version
	}
	for range skip {
		if _, rest, ok = element(rest); !ok {
			return nil, errCertificate
		}
	}
	subject, _, ok := element(rest)
	if !ok || subject.Class != asn1.ClassUniversal || subject.Tag != asn1.TagSequence {
		return nil, errCertificate
	}
	return subject.FullBytes, nil
}

// element takes the first element off b.
func element(b []byte) (v asn1.RawValue, rest []byte, ok bool) {
	rest, err := asn1.Unmarshal(b, &v)
	return v, rest, err == nil
}

// elements takes b apart; a remainder that is no DER ends it.
func elements(b []byte) []asn1.RawValue {
	var list []asn1.RawValue
	for len(b) > 0 {
		v, rest, ok := element(b)
		if !ok {
			break
		}
		list, b = append(list, v), rest
	}
	return list
}

// subjectHash is what openssl x509 -subject_hash prints: the first four bytes,
// little endian, of the SHA-1 of the subject in canonical form. In that form
// every string is UTF-8, in lower case and with single blanks between words,
// and the SEQUENCE around it all is missing (X509_NAME_hash_ex(3)).
func subjectHash(subject []byte) uint32 {
	name, _, _ := element(subject)
	var canonical []byte
	for _, set := range elements(name.Bytes) {
		var members [][]byte
		for _, attribute := range elements(set.Bytes) {
			var body []byte
			for i, part := range elements(attribute.Bytes) {
				if i == 1 {
					body = append(body, canonicalString(part)...)
				} else {
					body = append(body, part.FullBytes...)
				}
			}
			members = append(members, encode(asn1.TagSequence, true, body))
		}
		slices.SortFunc(members, bytes.Compare)
		canonical = append(canonical, encode(asn1.TagSet, true, bytes.Join(members, nil))...)
	}
	sum := sha1.Sum(canonical)
	return binary.LittleEndian.Uint32(sum[:])
}

func encode(tag int, compound bool, body []byte) []byte {
	b, err := asn1.Marshal(asn1.RawValue{Tag: tag, IsCompound: compound, Bytes: body})
	if err != nil {
		return nil // no tag and no length is too big for asn1
	}
	return b
}

// canonicalString is v as the hash sees it; what is no string stays.
func canonicalString(v asn1.RawValue) []byte {
	const visible, universal = 26, 28
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return v.FullBytes
	}
	var text []byte
	switch v.Tag {
	case asn1.TagUTF8String:
		text = v.Bytes
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, visible:
		for _, c := range v.Bytes { // OpenSSL takes all of them for Latin-1
			text = utf8.AppendRune(text, rune(c))
		}
	case asn1.TagBMPString:
		var units []uint16
		for b := v.Bytes; len(b) >= 2; b = b[2:] {
			units = append(units, binary.BigEndian.Uint16(b))
		}
		text = []byte(string(utf16.Decode(units)))
	case universal:
		for b := v.Bytes; len(b) >= 4; b = b[4:] {
			text = utf8.AppendRune(text, rune(binary.BigEndian.Uint32(b)))
		}
	default:
		return v.FullBytes
	}
	return encode(asn1.TagUTF8String, false, fold(text))
}

// fold puts ASCII letters into lower case, and single blanks in the place of
// white space, of which there is none at either end.
func fold(text []byte) []byte {
	var out []byte
	for _, word := range bytes.FieldsFunc(text, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }) {
		if len(out) > 0 {
			out = append(out, ' ')
		}
		for _, c := range word {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			out = append(out, c)
		}
	}
	return out
}
