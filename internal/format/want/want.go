// Package want cuts a line of packages: into its parts, in the one syntax
// that both formats share; what a name and a version may be, the format says.
package want

import (
	"strings"

	"compose/internal/fault"
	"compose/resolve"
)

// Parse reads
//
//	["!"] name ["@" pin] [operator version] ["@" pin]
//
// with an operator of = < <= > >= ~, where ~ is a prefix of the version. The
// pin may stand in one of its two places. Spaces around the operator are
// allowed. valid judges the name and the version, which may be "".
func Parse(text string, valid func(name, version string) error) (resolve.Want, error) {
	bad := func(format string, args ...any) (resolve.Want, error) {
		return resolve.Want{}, fault.New(fault.Usage, "package %q: "+format, append([]any{text}, args...)...)
	}
	rest, exclude := strings.CutPrefix(strings.TrimSpace(text), "!")
	name, op, version := cut(rest)
	switch op {
	case "", "=", "<", "<=", ">", ">=", "~":
	case "=~", "~=": // what apk accepts for ~
		op = "~"
	default:
		return bad("unknown operator %q; want one of = < <= > >= ~", op)
	}
	if op != "" && version == "" {
		return bad("no version after %q", op)
	}
	name, pin, pinned := strings.Cut(name, "@")
	version, latePin, latePinned := strings.Cut(version, "@")
	if pinned && latePinned {
		return bad("two repositories, %q and %q", pin, latePin)
	}
	if latePinned {
		pin = latePin
	}
	if (pinned || latePinned) && !validPin(pin) {
		return bad("%q is no name of a repository", pin)
	}
	if exclude && pin != "" {
		return bad("an exclusion holds for every repository; leave out %q", "@"+pin)
	}
	if err := valid(name, version); err != nil {
		return bad("%w", err)
	}
	return resolve.Want{
		Clause:  resolve.Clause{{Name: name, Op: op, Version: version, Pin: pin}},
		Exclude: exclude,
		Text:    text,
		Ref:     -1,
	}, nil
}

// cut splits "name >= 1.2" at its operator.
func cut(s string) (name, op, version string) {
	i := strings.IndexAny(s, "<>=~")
	if i < 0 {
		return s, "", ""
	}
	j := i
	for j < len(s) && strings.IndexByte("<>=~", s[j]) >= 0 {
		j++
	}
	return strings.TrimSpace(s[:i]), s[i:j], strings.TrimSpace(s[j:])
}

func validPin(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
