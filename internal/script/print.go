package script

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() {
	register(map[string]Command{
		"echo": echo, "printf": printf, "true": func(*Call) error { return nil }, "false": func(*Call) error { return Exit(1) },
	})
}

// echo is that of the shell that calls it: dash's takes backslashes for
// escapes, the others' do with -e only.
func echo(c *Call) error {
	args, newline, escapes := c.Args[1:], true, c.shell.dialect == dash
	for len(args) > 0 {
		flags, ok := strings.CutPrefix(args[0], "-")
		if !ok || flags == "" || c.shell.dialect == dash && flags != "n" || strings.Trim(flags, "neE") != "" {
			break
		}
		for _, f := range flags {
			switch f {
			case 'n':
				newline = false
			case 'e':
				escapes = true
			case 'E':
				escapes = false
			}
		}
		if args = args[1:]; c.shell.dialect == dash {
			break
		}
	}
	text := strings.Join(args, " ")
	if escapes {
		var stop bool
		if text, stop = unescape(text, true); stop {
			newline = false
		}
	}
	if newline {
		text += "\n"
	}
	_, err := io.WriteString(c.Stdout, text)
	return err
}

// unescape replaces escapes, those of echo and of printf's %b (\0nnn) or of
// printf's format (\nnn); stop reports whether \c ended the text.
func unescape(text string, echo bool) (_ string, stop bool) {
	if !strings.Contains(text, `\`) {
		return text, false
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		const names, values = `abfnrtv\e`, "\a\b\f\n\r\t\v\\\x1b"
		switch c := text[i]; {
		case strings.IndexByte(names, c) >= 0:
			b.WriteByte(values[strings.IndexByte(names, c)])
		case c == 'c' && echo:
			return b.String(), true
		case '0' <= c && c <= '7':
			digits := 3
			if echo && c == '0' {
				i++
			}
			n, j := 0, i
			for ; j < len(text) && j < i+digits && '0' <= text[j] && text[j] <= '7'; j++ {
				n = n*8 + int(text[j]-'0')
			}
			b.WriteByte(byte(n))
			i = j - 1
		case !echo && (c == '"' || c == '\''):
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// printf is POSIX.1's. The format is used again while arguments are left.
func printf(c *Call) error {
	args := c.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		c.Errorf("usage: printf format [arg ...]")
		return Exit(2)
	}
	p := &printer{c: c, args: args[1:]}
	for {
		before := len(p.args)
		stop, err := p.format(args[0])
		if err != nil {
			return err
		}
		if stop || len(p.args) == 0 || len(p.args) == before {
			break
		}
	}
	if _, err := io.WriteString(c.Stdout, p.out.String()); err != nil {
		return err
	}
	return Exit(p.status)
}

type printer struct {
	c      *Call
	args   []string
	out    strings.Builder
	status int
}

// next is the next argument, "" if there is none.
func (p *printer) next() (string, bool) {
	if len(p.args) == 0 {
		return "", false
	}
	a := p.args[0]
	p.args = p.args[1:]
	return a, true
}

// format prints the format once; stop reports whether \c ended it.
func (p *printer) format(format string) (stop bool, err error) {
	for format != "" {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			i = len(format)
		}
		text, _ := unescape(format[:i], false)
		p.out.WriteString(text)
		if format = format[i:]; format == "" {
			return false, nil
		}
		if strings.HasPrefix(format, "%%") {
			p.out.WriteByte('%')
			format = format[2:]
			continue
		}
		var stop bool
		if format, stop, err = p.directive(format); stop || err != nil {
			return stop, err
		}
	}
	return false, nil
}

// directive prints what format begins with, %5d for one, and gives the rest.
func (p *printer) directive(format string) (rest string, stop bool, err error) {
	i := 1
	spec := "%"
	for ; i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0; i++ {
		spec += format[i : i+1]
	}
	for ; i < len(format) && (format[i] == '.' || format[i] == '*' || '0' <= format[i] && format[i] <= '9'); i++ {
		if format[i] == '*' {
			a, _ := p.next()
			spec += strconv.FormatInt(p.number(a), 10)
			continue
		}
		spec += format[i : i+1]
	}
	if i == len(format) || len(spec) > 8 {
		return "", false, Unknown("format %q", format)
	}
	a, there := p.next()
	switch verb := format[i]; verb {
	case 's':
		fmt.Fprintf(&p.out, spec+"s", a)
	case 'b':
		if a, stop = unescape(a, true); true {
			fmt.Fprintf(&p.out, spec+"s", a)
		}
	case 'c':
		if a != "" {
			_, n := utf8.DecodeRuneInString(a)
			a = a[:n]
		}
		fmt.Fprintf(&p.out, spec+"s", a)
	case 'd', 'i', 'u':
		n := int64(0)
		if there {
			n = p.number(a)
		}
		fmt.Fprintf(&p.out, spec+"d", n)
	case 'o', 'x', 'X':
		n := int64(0)
		if there {
			n = p.number(a)
		}
		fmt.Fprintf(&p.out, spec+string(verb), uint64(n))
	default:
		return "", false, Unknown("format %%%c", verb)
	}
	return format[i+1:], stop, nil
}

// number is a number of an argument; one after a quote is a character's.
func (p *printer) number(a string) int64 {
	if len(a) > 1 && (a[0] == '"' || a[0] == '\'') {
		r, _ := utf8.DecodeRuneInString(a[1:])
		return int64(r)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(a), 0, 64)
	if err != nil && a != "" || strings.Contains(a, "_") {
		p.c.Errorf("%s: expected numeric value", a)
		p.status = 1
	}
	return n
}
