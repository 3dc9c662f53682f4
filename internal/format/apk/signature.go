package apk

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/internal/expand"
	"compose/internal/fault"
	"compose/internal/untar"

	// The hash functions of signatures.
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/klauspost/compress/gzip"
)

// Limits of an APKINDEX.tar.gz, in bytes.
const (
	maxSigned = 64 << 10  // of the expanded signature member
	maxIndex  = 256 << 20 // of the expanded index; Alpine's largest has 8 MB
)

// An APKINDEX.tar.gz is two gzip members: a tar archive of signatures, cut
// off behind its last entry, and the tar archive that they sign, byte by byte
// as it is compressed. An unsigned one has the second only.
//
// splitIndex finds the signatures, by entry name, and the rest of the file.
// It expands nothing of that rest, which nobody has vouched for yet.
func splitIndex(raw []byte) (signatures []seal, rest []byte, err error) {
	if bytes.HasPrefix(raw, []byte("ADB")) {
		return nil, nil, fault.New(fault.FormatInvalid, "an index of apk version 3 (ADB); compose reads version 2")
	}
	r := bytes.NewReader(raw)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, nil, fault.New(fault.FormatInvalid, "not compressed with gzip: %w", err)
	}
	z.Multistream(false)
	member, err := io.ReadAll(io.LimitReader(z, maxSigned+1))
	if !bytes.HasPrefix(member, []byte(signPrefix)) {
		return nil, raw, nil
	}
	if err != nil {
		return nil, nil, fault.New(fault.FormatInvalid, "signature: %w", err)
	}
	if len(member) > maxSigned {
		return nil, nil, fault.New(fault.LimitExpanded, "signature: more than %d bytes", maxSigned)
	}
	signatures, err = readSignatures(member)
	if err != nil {
		return nil, nil, fault.New(fault.Of(err), "signature: %w", err)
	}
	return signatures, raw[len(raw)-r.Len():], nil
}

// A seal is one entry of a signature member.
type seal struct {
	algorithm string // RSA (with SHA-1), RSA256, ...
	key       string // file name of the key
	data      []byte
}

// maxSignatures is how many signatures an index may have.
const maxSignatures = 16

// readSignatures reads a signature member, on its own: no state of this
// archive reaches the next (threats.md K-01).
func readSignatures(member []byte) ([]seal, error) {
	var list []seal
	r := untar.NewReader(bytes.NewReader(member), untar.Cut, nil)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		rest, ok := strings.CutPrefix(h.Name, signPrefix)
		algorithm, name, named := strings.Cut(rest, ".")
		if !ok || !named || h.Type != '0' || len(list) == maxSignatures {
			return nil, fault.New(fault.FormatInvalid, "entry %q of type %q is no signature, or one too many", clip(h.Name), h.Type)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		list = append(list, seal{algorithm, name, data})
	}
}

// hashes are those of the kinds of signature that are known; what is not
// among them is refused, not passed over.
var hashes = map[string]crypto.Hash{"RSA": crypto.SHA1, "RSA256": crypto.SHA256, "RSA512": crypto.SHA512}

// verify finds the key that signed data: one good signature by a bound, strong
// key is enough; a bad one by a bound key refuses whatever stands beside it
// (threats.md T-04). legacy is set where all that is good is RSA with SHA-1,
// which is how Alpine signs; it is accepted from bound keys only (T-07).
func verify(data []byte, signatures []seal, bound, others map[string]*key) (by *key, legacy bool, err error) {
	var unknown, weak []string
	var held *key
	for _, s := range signatures {
		k := bound[s.key]
		if k == nil {
			unknown = append(unknown, fmt.Sprintf("%q", clip(s.key)))
			if others[s.key] != nil {
				held = others[s.key]
			}
			continue
		}
		h, known := hashes[s.algorithm]
		if !known {
			weak = append(weak, fmt.Sprintf("a signature of the kind %q", clip(s.algorithm)))
			continue
		}
		sum := h.New()
		sum.Write(data)
		if err := rsa.VerifyPKCS1v15(k.public, h, sum.Sum(nil), s.data); err != nil {
			return nil, false, fault.New(fault.TrustSig, "the signature by %q (%s) is bad", k.name, k.fingerprint)
		}
		if bits := k.public.N.BitLen(); bits < minRSABits {
			weak = append(weak, fmt.Sprintf("the key %q is RSA of %d bits; %d are needed", k.name, bits, minRSABits))
			continue
		}
		if by == nil || legacy && h != crypto.SHA1 {
			by, legacy = k, h == crypto.SHA1
		}
	}
	if by != nil {
		return by, legacy, nil
	}
	accepted := "no key may sign it"
	if len(bound) > 0 {
		accepted = "accepted are " + strings.Join(slices.Sorted(maps.Keys(bound)), ", ")
	}
	switch {
	case len(weak) > 0:
		return nil, false, fault.New(fault.TrustWeak, "%s", strings.Join(weak, "; "))
	case held != nil:
		return nil, false, fault.New(fault.TrustKeyScope, "signed by %q, which is for %s; %s", held.name, held.scope, accepted)
	case len(unknown) > 0:
		return nil, false, fault.New(fault.TrustSig, "signed by none of its keys, but by %s; %s", strings.Join(unknown, ", "), accepted)
	}
	return nil, false, fault.New(fault.TrustUnsigned, "it is not signed; %s", accepted)
}

// readIndex expands the index member and gives the text of APKINDEX.
func readIndex(member []byte) (text string, err error) {
	in := expand.NewInput(bytes.NewReader(member), int64(len(member)), cas.Digest{})
	budget := expand.NewBudget(in, maxIndex).Part(maxIndex)
	z, err := expand.NewReader(expand.Gzip, in, budget)
	if err != nil {
		return "", err
	}
	defer z.Close()
	r := untar.NewReader(z, untar.Ended, budget)
	found := false
	for seen := map[string]bool{}; ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		if h.Type != '0' || h.Name != "APKINDEX" && h.Name != "DESCRIPTION" || seen[h.Name] {
			return "", fault.New(fault.FormatInvalid, "entry %q of type %q: an index has APKINDEX and DESCRIPTION, once each", clip(h.Name), h.Type)
		}
		seen[h.Name] = true
		if h.Name != "APKINDEX" {
			continue
		}
		var b strings.Builder
		b.Grow(int(h.Size))
		if _, err := io.Copy(&b, r); err != nil {
			return "", err
		}
		text, found = b.String(), true
	}
	if !found {
		return "", errNoIndex
	}
	return text, nil
}

var errNoIndex = fault.New(fault.FormatInvalid, "no APKINDEX in it")

// idOf is the kind of err; one that is none of ours came from a transfer.
func idOf(err error) fault.ID {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.ID
	}
	return fault.Transfer
}
