package rootfs

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// slowMatch is what a glob without [set] and \ means, by trying everything.
func slowMatch(glob, path string) bool {
	switch {
	case glob == "":
		return path == ""
	case strings.HasPrefix(glob, "**/"):
		if slowMatch(glob[3:], path) {
			return true
		}
		for i := range len(path) {
			if path[i] == '/' && slowMatch(glob[3:], path[i+1:]) {
				return true
			}
		}
		return false
	case strings.HasPrefix(glob, "**"):
		for i := range len(path) + 1 {
			if slowMatch(glob[2:], path[i:]) {
				return true
			}
		}
		return false
	case glob[0] == '*':
		return slowMatch(glob[1:], path) || path != "" && path[0] != '/' && slowMatch(glob, path[1:])
	case path == "":
		return false
	case glob[0] == '?':
		_, n := utf8.DecodeRuneInString(path)
		return path[0] != '/' && slowMatch(glob[1:], path[n:])
	}
	return glob[0] == path[0] && slowMatch(glob[1:], path[1:])
}

// FuzzGlob compares with slowMatch, and sees that no glob does harm.
func FuzzGlob(f *testing.F) {
	f.Add("/usr/share/doc/**/x*.?", "usr/share/doc/a/b/xy.z")
	f.Add("/**/a", "a")
	f.Add("/a**b", "a/x/b")
	f.Add("/[!a-c]\\*", "d*")
	f.Add("/[", "[")
	f.Fuzz(func(t *testing.T, glob, path string) {
		if len(glob) > 40 || len(path) > 40 {
			return
		}
		p, err := compile(glob)
		if err != nil || strings.ContainsAny(glob, `[\`) || !utf8.ValidString(glob+path) || strings.Contains(glob, "***") {
			return
		}
		if got, want := p.match(path), slowMatch(glob[1:], path); got != want {
			t.Errorf("%q matches %q: %v, want %v", glob, path, got, want)
		}
	})
}
