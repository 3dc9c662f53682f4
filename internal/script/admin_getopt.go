package script

import "strings"

// options are the options of a call by their first names. One without a
// value has the value "".
type options map[string]string

func (o options) has(name string) bool { _, ok := o[name]; return ok }

// getopt reads options as getopt_long(3) does: --name value, --name=value,
// -n value, -nvalue, several letters in one word, and arguments between
// them. Names are separated by spaces, further names of an option by bars;
// those that take a value end in "=". An option that is not named is Unknown.
func getopt(args []string, names string) (options, []string, error) {
	type option struct {
		name  string
		value bool
	}
	known := map[string]option{}
	for word := range strings.FieldsSeq(names) {
		word, value := strings.CutSuffix(word, "=")
		list := strings.Split(word, "|")
		for _, n := range list {
			known[n] = option{list[0], value}
		}
	}
	o := options{}
	var rest []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return o, append(rest, args...), nil
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			k, ok := known[name]
			switch {
			case !ok, given && !k.value:
				return nil, nil, Unknown("option %s", arg)
			case k.value && !given:
				if len(args) == 0 {
					return nil, nil, Unknown("option %s without a value", arg)
				}
				value, args = args[0], args[1:]
			}
			o[k.name] = value
		case len(arg) > 1 && arg[0] == '-':
			for letters := arg[1:]; letters != ""; {
				k, ok := known[letters[:1]]
				letters = letters[1:]
				if !ok {
					return nil, nil, Unknown("option %s", arg)
				}
				if !k.value {
					o[k.name] = ""
					continue
				}
				if letters == "" {
					if len(args) == 0 {
						return nil, nil, Unknown("option %s without a value", arg)
					}
					letters, args = args[0], args[1:]
				}
				o[k.name], letters = letters, ""
			}
		default:
			rest = append(rest, arg)
		}
	}
	return o, rest, nil
}
