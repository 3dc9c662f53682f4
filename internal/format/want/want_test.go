package want

import (
	"errors"
	"strings"
	"testing"

	"compose/internal/fault"
)

func TestParse(t *testing.T) {
	valid := func(name, version string) error {
		if name == "" || strings.ContainsAny(name+version, " /") {
			return errors.New("no name or version of this format")
		}
		return nil
	}
	for _, tt := range []struct {
		rule, text string
		want       string // or "error: " and a part of it
	}{
		{"a name", "zlib", "zlib"},
		{"something provided", "so:libz.so.1", "so:libz.so.1"},
		{"a version", "openssl>=3.5", "openssl>=3.5"},
		{"each operator", "a=1", "a=1"},
		{"less", "a<1", "a<1"},
		{"less or equal", "a<=1", "a<=1"},
		{"greater", "a>1", "a>1"},
		{"a prefix", "a~1.2", "a~1.2"},
		{"a prefix as apk's users write it", "a=~1.2", "a~1.2"},
		{"a version with a tilde in it", "a=1.2~rc1", "a=1.2~rc1"},
		{"spaces around the operator", " a  >=  1 ", "a>=1"},
		{"a repository", "zlib@edge", "zlib@edge"},
		{"a repository before the version", "zlib@edge>=1", "zlib>=1@edge"},
		{"a repository behind the version", "zlib>=1@edge", "zlib>=1@edge"},
		{"an exclusion", "!perl-base", "!perl-base"},
		{"an exclusion of some versions", "!a<2", "!a<2"},
		{"nothing", "", "error: no name"},
		{"only an exclusion", "!", "error: no name"},
		{"no version", "a>=", `error: no version after ">="`},
		{"an unknown operator", "a<>1", `error: unknown operator "<>"`},
		{"two operators", "a==1", `error: unknown operator "=="`},
		{"two repositories", "a@x=1@y", "error: two repositories"},
		{"an empty repository", "a@", "error: is no name of a repository"},
		{"a repository of odd characters", "a@x/y", "error: is no name of a repository"},
		{"an exclusion from one repository", "!a@edge", "error: every repository"},
		{"a name that the format refuses", "a b", "error: no name or version of this format"},
		{"the text is quoted", "a\x1b>", `error: package "a\x1b>"`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			w, err := Parse(tt.text, valid)
			if want, ok := strings.CutPrefix(tt.want, "error: "); ok {
				if fault.Of(err) != fault.Usage || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a := w.Clause[0]
			got := a.Name + a.Op + a.Version
			if a.Pin != "" {
				got += "@" + a.Pin
			}
			if w.Exclude {
				got = "!" + got
			}
			if got != tt.want || w.Text != tt.text || w.Ref != -1 || len(w.Clause) != 1 {
				t.Errorf("got %s, %+v", got, w)
			}
		})
	}
}
