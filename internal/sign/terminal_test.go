//go:build linux

package sign

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"compose/internal/fault"
	"compose/internal/testrepo"
)

// terminal is a pseudo-terminal: the side of a person, and of a program.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		testrepo.Skip(t, "no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// M-10: a person is asked, twice for a new password, and sees the questions.
func TestM10Terminal(t *testing.T) {
	tests := []struct {
		rule, typed string
		confirm     bool
		want        string
		id          fault.ID
	}{
		{"an old password is typed once", "pass word\n", false, "pass word", ""},
		{"a new one is typed twice", "new\nnew\n", true, "new", ""},
		{"alike", "new\nnwe\n", true, "", fault.Usage},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			person, program := terminal(t)
			if _, err := person.WriteString(tt.typed); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			got, err := AskPassword("cosign.key", nil, nil, program, &out)(tt.confirm)
			if string(got) != tt.want || fault.Of(err) != tt.id || (err != nil) != (tt.id != "") {
				t.Errorf("got %q, %v", got, err)
			}
			if n := strings.Count(out.String(), "cosign.key: password"); n != strings.Count(tt.typed, "\n") {
				t.Errorf("asked %d times: %q", n, out.String())
			}
		})
	}
}
