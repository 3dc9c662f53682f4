package script

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// match reports whether name, all of it, matches the shell pattern: POSIX.1
// "Pattern Matching Notation". A backslash makes the next character stand for
// itself.
func match(pattern, name string) bool {
	var afterStar, rest string // where to go on when the last star takes one more character
	star := false
	for {
		if pattern != "" && pattern[0] == '*' {
			pattern = pattern[1:]
			star, afterStar, rest = true, pattern, name
			continue
		}
		if pattern == "" && name == "" {
			return true
		}
		if size, width := matchOne(pattern, name); size > 0 {
			pattern, name = pattern[size:], name[width:]
			continue
		}
		if !star || rest == "" {
			return false
		}
		_, width := utf8.DecodeRuneInString(rest)
		rest = rest[width:]
		pattern, name = afterStar, rest
	}
}

// matchOne matches one character of name with the beginning of pattern, and
// gives the lengths of both; 0 if it does not match.
func matchOne(pattern, name string) (size, width int) {
	if pattern == "" || name == "" {
		return 0, 0
	}
	r, width := utf8.DecodeRuneInString(name)
	switch pattern[0] {
	case '?':
		return 1, width
	case '[':
		if in, size := bracket(pattern, r); in {
			return size, width
		} else if size > 0 {
			return 0, 0
		}
	case '\\':
		if len(pattern) > 1 {
			if pattern[1] == name[0] {
				return 2, 1
			}
			return 0, 0
		}
	}
	if pattern[0] == name[0] {
		return 1, 1
	}
	return 0, 0
}

// bracket reports whether r is in the bracket expression that pattern begins
// with, and how long that is; 0 if it is none.
func bracket(pattern string, r rune) (in bool, size int) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := true; ; first = false {
		if i >= len(pattern) {
			return false, 0
		}
		if pattern[i] == ']' && !first {
			return in != negate, i + 1
		}
		if class, n := className(pattern[i:]); n > 0 {
			in = in || inClass(class, r)
			i += n
			continue
		}
		lo, n := bracketRune(pattern[i:])
		if i += n; n == 0 {
			return false, 0
		}
		hi := lo
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, n = bracketRune(pattern[i+1:])
			if i += 1 + n; n == 0 {
				return false, 0
			}
		}
		in = in || lo <= r && r <= hi
	}
}

func bracketRune(s string) (rune, int) {
	if s == "" {
		return 0, 0
	}
	if s[0] == '\\' && len(s) > 1 {
		r, n := utf8.DecodeRuneInString(s[1:])
		return r, n + 1
	}
	return utf8.DecodeRuneInString(s)
}

// className is the class that s begins with, as in "[:alpha:]", and its
// length.
func className(s string) (string, int) {
	if !strings.HasPrefix(s, "[:") {
		return "", 0
	}
	name, _, ok := strings.Cut(s[2:], ":]")
	if !ok {
		return "", 0
	}
	return name, len(name) + 4
}

// inClass reports whether r is in a character class of the C locale.
func inClass(class string, r rune) bool {
	lower, upper := 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z'
	digit := '0' <= r && r <= '9'
	graph := '!' <= r && r <= '~'
	switch class {
	case "lower":
		return lower
	case "upper":
		return upper
	case "alpha":
		return lower || upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "xdigit":
		return digit || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
	case "blank":
		return r == ' ' || r == '\t'
	case "space":
		return r == ' ' || '\t' <= r && r <= '\r'
	case "punct":
		return graph && !lower && !upper && !digit
	case "graph":
		return graph
	case "print":
		return graph || r == ' '
	case "cntrl":
		return r < ' ' || r == 0x7f
	}
	return false
}

// quoteMeta makes all of s stand for itself in a pattern.
func quoteMeta(s string) string {
	if !strings.ContainsAny(s, `*?[]\-!^`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\-!^`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hasMeta reports whether a pattern can match anything but one text.
func hasMeta(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// unquoteMeta takes the backslashes out of a pattern.
func unquoteMeta(pattern string) string {
	if !strings.Contains(pattern, `\`) {
		return pattern
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// glob gives the files of the tree that a pattern matches, sorted.
func (s *shell) glob(pattern string) []string {
	at := []string{""}
	if strings.HasPrefix(pattern, "/") {
		at[0] = "/"
		pattern = strings.TrimLeft(pattern, "/")
	}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		last := i == len(parts)-1
		var next []string
		for _, dir := range at {
			for _, name := range s.globNames(dir, part) {
				p := dir + name
				if n, err := s.run.fs.Lstat(absolute(s.dir, p)); err != nil || n == nil {
					continue
				}
				if !last {
					if n, err := s.run.fs.Stat(absolute(s.dir, p)); err != nil || n.Type != 'd' {
						continue
					}
					p += "/"
				}
				next = append(next, p)
			}
		}
		at = next
	}
	slices.Sort(at)
	return at
}

// globNames gives the names in dir that match part; a part that is no
// pattern names itself.
func (s *shell) globNames(dir, part string) []string {
	if !hasMeta(part) {
		return []string{unquoteMeta(part)}
	}
	names, err := s.run.fs.ReadDir(absolute(s.dir, dir))
	if err != nil {
		return nil
	}
	var matched []string
	for _, name := range names {
		if name[0] == '.' && part[0] != '.' && !strings.HasPrefix(part, `\.`) {
			continue
		}
		if match(part, name) {
			matched = append(matched, name)
		}
	}
	return matched
}
