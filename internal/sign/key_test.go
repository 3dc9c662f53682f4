package sign

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"compose/internal/fault"
)

func signature64(text string, sig []byte) Artifact {
	return Artifact{Signature, ctypes.SimpleSigningMediaType, map[string]string{static.SignatureAnnotationKey: base64.StdEncoding.EncodeToString(sig)}, []byte(text)}
}

func TestKeygen(t *testing.T) {
	_, prefix := newKey(t, ECDSA)
	info, err := os.Stat(prefix + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key has the mode %v, %v", info.Mode(), err)
	}
	was, err := os.ReadFile(prefix + ".key")
	if err != nil || bytes.Contains(was, []byte(secret)) {
		t.Errorf("%s, %v", was, err)
	}
	for _, gone := range []string{"", ".key", ".pub"} { // each of the two is reason enough to refuse
		if gone != "" {
			if err := os.Rename(prefix+gone, prefix+gone+".away"); err != nil {
				t.Fatal(err)
			}
		}
		err := Keygen(prefix, ECDSA, password(secret))
		if fault.Of(err) != fault.Usage || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("without %q: %v", gone, err)
		}
		if gone != "" {
			if _, err := os.Lstat(prefix + gone); err == nil {
				t.Errorf("%s was written", gone)
			}
			if err := os.Rename(prefix+gone+".away", prefix+gone); err != nil {
				t.Fatal(err)
			}
		}
	}
	if now, _ := os.ReadFile(prefix + ".key"); !bytes.Equal(was, now) {
		t.Error("the key was overwritten")
	}
	if err := Keygen(filepath.Join(t.TempDir(), "x"), "rsa", password("")); fault.Of(err) != fault.Usage {
		t.Errorf("unknown kind of key: %v", err)
	}
}

// P-11: a key that cannot be used is refused by name, without a word about
// the secret; one that others can read is warned of.
func TestP11Keys(t *testing.T) {
	_, prefix := newKey(t, ECDSA)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule string
		load func() error
		want fault.ID
		say  string
	}{
		{"wrong password", func() error { _, err := LoadKey(prefix+".key", password("wr0ng")); return err }, fault.TrustAttestation, prefix + ".key: the password does not open it"},
		{"the public half", func() error { _, err := LoadKey(prefix+".pub", password(secret)); return err }, fault.TrustAttestation, prefix + ".pub: not a private key"},
		{"the private half", func() error { _, err := LoadPublicKey(prefix + ".key"); return err }, fault.TrustAttestation, prefix + ".key: not a public key"},
		{"something else", func() error { _, err := LoadKey(bad, password(secret)); return err }, fault.TrustAttestation, bad + ": not a private key"},
		{"nothing", func() error { _, err := LoadKey(bad+"x", password(secret)); return err }, fault.Usage, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			err := tt.load()
			if fault.Of(err) != tt.want || !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "wr0ng") || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v (%s)", err, fault.Of(err))
			}
		})
	}
	k, err := LoadKey(prefix+".key", password(secret))
	if err != nil || k.Warning != "" {
		t.Errorf("warning %q, %v", k.Warning, err)
	}
	if err := os.Chmod(prefix+".key", 0o640); err != nil {
		t.Fatal(err)
	}
	if k, err = LoadKey(prefix+".key", password(secret)); err != nil || !strings.Contains(k.Warning, "mode 0640") {
		t.Errorf("warning %q, %v", k.Warning, err)
	}
}

// M-10: a password comes from a descriptor, the environment or a terminal, and
// from nowhere else.
func TestM10Passwords(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	env, empty := "from env", ""
	tests := []struct {
		rule string
		fd   io.Reader
		env  *string
		want string
		id   fault.ID
	}{
		{"a descriptor goes before the environment", strings.NewReader("from fd\nrest"), &env, "from fd", ""},
		{"a line may end in two ways", strings.NewReader("from fd\r\n"), nil, "from fd", ""},
		{"the environment is next", nil, &env, "from env", ""},
		{"an empty password is one", nil, &empty, "", ""},
		{"without a terminal there is no question", nil, nil, "", fault.Usage},
		{"a stream without end is no password", strings.NewReader(strings.Repeat("x", passwordLimit+1)), nil, "", fault.Usage},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := AskPassword("cosign.key", tt.fd, tt.env, null, io.Discard)(false)
			if string(got) != tt.want || fault.Of(err) != tt.id || (err != nil) != (tt.id != "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
