package script

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() {
	register(map[string]Command{
		"cat": cat, "head": head, "tail": tail, "wc": wc, "tr": tr, "cut": cut, "sort": sortCommand, "uniq": uniq, "tee": tee,
		"cmp": cmpCommand, "diff": diff, "tac": tac, "rev": rev, "comm": comm, "xargs": xargs,
	})
}

func cat(c *Call) error {
	o, files, err := getopt(c.Args[1:], "u n|number s A")
	if err != nil {
		return err
	}
	if len(o) > 0 && !o.has("u") {
		return Unknown("numbering lines")
	}
	status, err := c.input(files, func(_ string, r io.Reader) error {
		_, err := io.Copy(c.Stdout, r)
		return err
	})
	if err != nil {
		return err
	}
	return Exit(status)
}

// dashNumber turns the old "-5" into "-n 5".
func dashNumber(args []string) []string {
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "0123456789") == "" {
		return append([]string{"-n", args[0][1:]}, args[1:]...)
	}
	return args
}

// count is the number of -n or -c, and the sign before it.
func count(text string) (n int, sign byte, err error) {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign, text = text[0], text[1:]
	}
	n, err = strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, 0, Unknown("number %q", text)
	}
	return n, sign, nil
}

// lines cuts data behind each newline.
func lines(data []byte) [][]byte {
	return slices.Collect(bytes.Lines(data))
}

func head(c *Call) error { return ends(c, true) }
func tail(c *Call) error { return ends(c, false) }

// ends is head and tail.
func ends(c *Call, first bool) error {
	o, files, err := getopt(dashNumber(c.Args[1:]), "n|lines= c|bytes= q|quiet|silent v")
	if err != nil {
		return err
	}
	if o.has("v") || len(files) > 1 && !o.has("q") {
		return Unknown("headings")
	}
	what := "10"
	if o.has("n") {
		what = o["n"]
	}
	if o.has("c") {
		what = o["c"]
	}
	n, sign, err := count(what)
	if err != nil {
		return err
	}
	status, err := c.input(files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var parts [][]byte
		size := len(data)
		if !o.has("c") {
			parts = lines(data)
			size = len(parts)
		}
		from, to := 0, min(n, size)
		switch {
		case first && sign == '-':
			to = max(0, size-n)
		case !first && sign == '+':
			from, to = min(max(n-1, 0), size), size
		case !first:
			from, to = max(0, size-n), size
		}
		if o.has("c") {
			data = data[from:to]
		} else {
			data = bytes.Join(parts[from:to], nil)
		}
		_, err = c.Stdout.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return Exit(status)
}

func wc(c *Call) error {
	o, files, err := getopt(c.Args[1:], "l|lines w|words c|bytes m|chars")
	if err != nil {
		return err
	}
	if len(o) != 1 || len(files) > 1 {
		return Unknown("more than one column")
	}
	data, status, err := c.readAll(files)
	if err != nil || status != 0 {
		return cmp.Or(err, Exit(status))
	}
	n := 0
	switch {
	case o.has("l"):
		n = bytes.Count(data, []byte("\n"))
	case o.has("w"):
		n = len(bytes.Fields(data))
	case o.has("c"):
		n = len(data)
	case o.has("m"):
		n = utf8.RuneCount(data)
	}
	text := strconv.Itoa(n)
	if len(files) == 1 && files[0] != "-" {
		text += " " + files[0]
	}
	return c.println(text)
}

func tr(c *Call) error {
	o, sets, err := getopt(c.Args[1:], "d|delete s|squeeze-repeats c|complement C t|truncate-set1")
	if err != nil {
		return err
	}
	complement := o.has("c") || o.has("C")
	if len(sets) == 0 || len(sets) > 2 || o.has("t") || complement && len(sets) == 2 && len(sets[1]) != 1 && !o.has("d") {
		return Unknown("its arguments")
	}
	from, err := trSet(sets[0])
	if err != nil {
		return err
	}
	var to []byte
	if len(sets) == 2 {
		if to, err = trSet(sets[1]); err != nil {
			return err
		}
	}
	var in [256]bool
	var become [256]byte
	for i := range become {
		become[i] = byte(i)
		in[i] = complement
	}
	for i, b := range from {
		in[b] = !complement
		if len(to) > 0 && !complement && become[b] == b {
			become[b] = to[min(i, len(to)-1)]
		}
	}
	if complement && len(to) > 0 {
		for i := range become {
			if in[i] {
				become[i] = to[len(to)-1]
			}
		}
	}
	var squeeze [256]bool
	if o.has("s") {
		set := from
		if len(to) > 0 {
			set = to
		}
		for _, b := range set {
			squeeze[b] = true
		}
		if complement && len(to) == 0 {
			squeeze = in
		}
	}
	data, err := io.ReadAll(c.Stdin)
	if err != nil {
		return err
	}
	out := make([]byte, 0, len(data))
	for _, b := range data {
		if in[b] && o.has("d") {
			continue
		}
		if in[b] && len(to) > 0 && !o.has("d") {
			b = become[b]
		}
		if squeeze[b] && len(out) > 0 && out[len(out)-1] == b {
			continue
		}
		out = append(out, b)
	}
	_, err = c.Stdout.Write(out)
	return err
}

// trSet gives the bytes of a set: ranges, classes and escapes.
func trSet(text string) ([]byte, error) {
	var set []byte
	var literal []bool
	for i := 0; i < len(text); i++ {
		if name, n := className(text[i:]); n > 0 {
			for b := range 128 {
				if inClass(name, rune(b)) {
					set, literal = append(set, byte(b)), append(literal, true)
				}
			}
			i += n - 1
			continue
		}
		b := text[i]
		if b >= 0x80 || b == '[' && i+2 < len(text) && (text[i+2] == '*' || text[i+1] == '=') {
			return nil, Unknown("set %q", text)
		}
		if b == '\\' && i+1 < len(text) {
			end := i + 2
			for end < len(text) && end < i+4 && '0' <= text[end] && text[end] <= '7' && '0' <= text[i+1] && text[i+1] <= '7' {
				end++
			}
			s, _ := unescape(text[i:end], false)
			if len(s) == 2 { // an unknown escape stands for the character
				s = s[1:]
			}
			set, literal = append(set, s[0]), append(literal, true)
			i = end - 1
			continue
		}
		set, literal = append(set, b), append(literal, false)
	}
	var out []byte
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' && !literal[i+1] {
			if set[i+2] < set[i] {
				return nil, Unknown("set %q", text)
			}
			for b := int(set[i]); b <= int(set[i+2]); b++ {
				out = append(out, byte(b))
			}
			i += 2
			continue
		}
		out = append(out, set[i])
	}
	return out, nil
}

func cut(c *Call) error {
	o, files, err := getopt(c.Args[1:], "d|delimiter= f|fields= c|characters= b|bytes= s|only-delimited output-delimiter= complement")
	if err != nil {
		return err
	}
	list, byField := o["f"], o.has("f")
	if !byField {
		if list = o["c"]; list == "" {
			list = o["b"]
		}
	}
	delimiter := "\t"
	if o.has("d") {
		delimiter = o["d"]
	}
	if list == "" || len(delimiter) != 1 || o.has("complement") {
		return Unknown("its options")
	}
	in, err := ranges(list)
	if err != nil {
		return err
	}
	join := ""
	if byField {
		join = delimiter
	}
	if o.has("output-delimiter") {
		join = o["output-delimiter"]
	}
	status, err := c.eachLine(files, func(line string) error {
		var parts []string
		if byField {
			if parts = strings.Split(line, delimiter); len(parts) == 1 {
				if o.has("s") {
					return nil
				}
				return c.println(line)
			}
		} else {
			parts = strings.Split(line, "")
		}
		var kept []string
		for i, p := range parts {
			if in(i + 1) {
				kept = append(kept, p)
			}
		}
		return c.println(strings.Join(kept, join))
	})
	if err != nil {
		return err
	}
	return Exit(status)
}

// ranges understands "1,3-5,7-".
func ranges(list string) (func(int) bool, error) {
	type span struct{ from, to int }
	var spans []span
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		s := span{1, 1 << 30}
		var err1, err2 error
		if from != "" {
			s.from, err1 = strconv.Atoi(from)
		}
		if to != "" {
			s.to, err2 = strconv.Atoi(to)
		}
		if !isRange {
			s.to = s.from
		}
		if err1 != nil || err2 != nil || part == "" || part == "-" || s.from < 1 || s.to < s.from {
			return nil, Unknown("list %q", list)
		}
		spans = append(spans, s)
	}
	return func(n int) bool {
		return slices.ContainsFunc(spans, func(s span) bool { return s.from <= n && n <= s.to })
	}, nil
}

// eachLine calls f for every line of the input, without its newline.
func (c *Call) eachLine(files []string, f func(line string) error) (int, error) {
	return c.input(files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if err := f(strings.TrimSuffix(line, "\n")); err != nil {
				return err
			}
		}
		return nil
	})
}

// A sortKey is one -k of sort, or the options for whole lines.
type sortKey struct {
	from, to       int // fields, counted from 1; to 0: the end of the line
	numeric, fold  bool
	reverse, blank bool
	version        bool
}

func sortCommand(c *Call) error {
	args := c.Args[1:]
	var keys []sortKey
	var rest []string
	for i := 0; i < len(args); i++ { // -k may be given more than once
		if k, ok := strings.CutPrefix(args[i], "-k"); ok {
			if k == "" && i+1 < len(args) {
				i++
				k = args[i]
			}
			key, err := parseKey(k)
			if err != nil {
				return err
			}
			keys = append(keys, key)
			continue
		}
		rest = append(rest, args[i])
	}
	o, files, err := getopt(rest, "u|unique r|reverse n|numeric-sort f|ignore-case b|ignore-leading-blanks t|field-separator= o|output= s|stable c|check V|version-sort d z")
	if err != nil {
		return err
	}
	if o.has("d") || o.has("z") || o.has("c") {
		return Unknown("its options")
	}
	whole := sortKey{numeric: o.has("n"), fold: o.has("f"), reverse: o.has("r"), blank: o.has("b"), version: o.has("V")}
	for i, k := range keys {
		if !k.numeric && !k.fold && !k.reverse && !k.blank && !k.version {
			keys[i] = sortKey{k.from, k.to, whole.numeric, whole.fold, whole.reverse, whole.blank, whole.version}
		}
	}
	var list []string
	status, err := c.eachLine(files, func(line string) error { list = append(list, line); return nil })
	if err != nil || status != 0 {
		return cmp.Or(err, Exit(min(status*2, 2)))
	}
	if len(keys) == 0 {
		keys = []sortKey{whole}
		keys[0].from = 1
	}
	compare := func(a, b string) int {
		for _, k := range keys {
			if d := k.compare(k.text(a, o["t"]), k.text(b, o["t"])); d != 0 {
				return d
			}
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b string) int {
		d := compare(a, b)
		if d == 0 && !o.has("s") && !o.has("u") {
			if d = strings.Compare(a, b); o.has("r") {
				d = -d
			}
		}
		return d
	})
	if o.has("u") {
		list = slices.CompactFunc(list, func(a, b string) bool { return compare(a, b) == 0 })
	}
	text := strings.Join(list, "\n")
	if len(list) > 0 {
		text += "\n"
	}
	if o.has("o") {
		if err := c.FS.WriteFile(c.Path(o["o"]), []byte(text), 0o666&^c.Umask); err != nil {
			return c.giveUp(o["o"], err)
		}
		return nil
	}
	_, err = io.WriteString(c.Stdout, text)
	return err
}

// parseKey understands "2", "2,2n" and their like, but no characters.
func parseKey(text string) (k sortKey, err error) {
	from, to, both := strings.Cut(text, ",")
	number := func(s string) int {
		digits := strings.TrimRight(s, "nrfbV")
		for _, l := range s[len(digits):] {
			switch l {
			case 'n':
				k.numeric = true
			case 'r':
				k.reverse = true
			case 'f':
				k.fold = true
			case 'b':
				k.blank = true
			case 'V':
				k.version = true
			}
		}
		n, e := strconv.Atoi(digits)
		if e != nil || n < 1 {
			err = Unknown("key %q", text)
		}
		return n
	}
	k.from = number(from)
	if both {
		k.to = number(to)
	}
	return k, err
}

// text is the part of a line that k looks at.
func (k sortKey) text(line, separator string) string {
	if k.from == 1 && k.to == 0 {
		return line
	}
	var parts []string
	if separator != "" {
		parts = strings.SplitAfter(line, separator)
	} else {
		parts = blankFields(line)
	}
	from, to := min(k.from-1, len(parts)), len(parts)
	if k.to > 0 {
		to = min(k.to, len(parts))
	}
	if from >= to {
		return ""
	}
	text := strings.Join(parts[from:to], "")
	if separator != "" && to < len(parts) {
		text = strings.TrimSuffix(text, separator)
	}
	return text
}

// blankFields cuts a line before each run of blanks.
func blankFields(line string) []string {
	var parts []string
	start, blank := 0, true
	for i := range len(line) {
		isBlank := line[i] == ' ' || line[i] == '\t'
		if isBlank && !blank {
			parts = append(parts, line[start:i])
			start = i
		}
		blank = isBlank
	}
	return append(parts, line[start:])
}

func (k sortKey) compare(a, b string) int {
	if k.blank || k.numeric {
		a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
	}
	var d int
	switch {
	case k.numeric:
		d = cmp.Compare(leadingNumber(a), leadingNumber(b))
	case k.version:
		d = compareVersion(a, b)
	case k.fold:
		d = strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	default:
		d = strings.Compare(a, b)
	}
	if k.reverse {
		return -d
	}
	return d
}

// leadingNumber is the decimal number that text begins with.
func leadingNumber(text string) float64 {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' || end == 0 && text[end] == '-') {
		end++
	}
	n, _ := strconv.ParseFloat(text[:end], 64)
	return n
}

// compareVersion compares runs of digits as numbers.
func compareVersion(a, b string) int {
	for a != "" && b != "" {
		x, restA := leadingDigits(a)
		y, restB := leadingDigits(b)
		if x != "" && y != "" {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if d := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); d != 0 {
				return d
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(versionRank(a[0]), versionRank(b[0]))
		}
		a, b = a[1:], b[1:]
	}
	if a == b {
		return 0
	}
	if strings.HasPrefix(a, "~") || b != "" && b[0] != '~' {
		return -1
	}
	return 1
}

func versionRank(c byte) int {
	switch {
	case c == '~':
		return -1
	case c >= '0' && c <= '9':
		return 0
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return int(c)
	}
	return int(c) + 256
}

func leadingDigits(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}

func uniq(c *Call) error {
	o, files, err := getopt(c.Args[1:], "c|count d|repeated u|unique i")
	if err != nil {
		return err
	}
	if o.has("i") || len(files) > 1 {
		return Unknown("its options")
	}
	var list []string
	var times []int
	status, err := c.eachLine(files, func(line string) error {
		if n := len(list); n > 0 && list[n-1] == line {
			times[n-1]++
			return nil
		}
		list, times = append(list, line), append(times, 1)
		return nil
	})
	if err != nil || status != 0 {
		return cmp.Or(err, Exit(status))
	}
	for i, line := range list {
		if o.has("d") && times[i] == 1 || o.has("u") && times[i] > 1 {
			continue
		}
		if o.has("c") {
			n := strconv.Itoa(times[i])
			line = strings.Repeat(" ", max(0, 7-len(n))) + n + " " + line
		}
		if err := c.println(line); err != nil {
			return err
		}
	}
	return nil
}

func tee(c *Call) error {
	o, files, err := getopt(c.Args[1:], "a|append i p")
	if err != nil {
		return err
	}
	data, err := io.ReadAll(c.Stdin)
	if err != nil {
		return err
	}
	how := writing
	if o.has("a") {
		how = appending
	}
	if _, err := c.Stdout.Write(data); err != nil {
		return err
	}
	return c.each(files, func(p string) error {
		f, err := c.shell.open(p, how)
		if err == nil {
			_, err = f.w.Write(data)
		}
		return err
	})
}

func cmpCommand(c *Call) error {
	o, files, err := getopt(c.Args[1:], "s|quiet|silent")
	if err != nil {
		return err
	}
	a, b, err := c.two(files)
	if err != nil {
		return err
	}
	if bytes.Equal(a, b) {
		return nil
	}
	if !o.has("s") {
		if err := c.println(files[0] + " " + files[1] + " differ"); err != nil {
			return err
		}
	}
	return Exit(1)
}

// two reads two files; status 2 stands for what cannot be read.
func (c *Call) two(files []string) (a, b []byte, err error) {
	if len(files) != 2 {
		return nil, nil, Unknown("its arguments")
	}
	var data [2][]byte
	for i, name := range files {
		d, status, err := c.readAll([]string{name})
		if err != nil {
			return nil, nil, err
		}
		if status != 0 {
			return nil, nil, Exit(2)
		}
		data[i] = d
	}
	return data[0], data[1], nil
}

// diff says whether files differ; what differs is only asked for by people.
func diff(c *Call) error {
	o, files, err := getopt(c.Args[1:], "q|brief s u|unified N w b B a r")
	if err != nil {
		return err
	}
	if o.has("N") || o.has("w") || o.has("b") || o.has("B") || o.has("r") || o.has("s") {
		return Unknown("its options")
	}
	a, b, err := c.two(files)
	if err != nil || bytes.Equal(a, b) {
		return err
	}
	if !o.has("q") && c.Stdout != io.Writer(nowhere{}) && c.Stdout != io.Writer(&c.shell.run.stderr) {
		return Unknown("the difference of two files")
	}
	if o.has("q") {
		if err := c.println("Files " + files[0] + " and " + files[1] + " differ"); err != nil {
			return err
		}
	}
	return Exit(1)
}

func tac(c *Call) error {
	data, status, err := c.readAll(c.Args[1:])
	if err != nil {
		return err
	}
	list := lines(data)
	slices.Reverse(list)
	if _, err := c.Stdout.Write(bytes.Join(list, nil)); err != nil {
		return err
	}
	return Exit(status)
}

func rev(c *Call) error {
	status, err := c.eachLine(c.Args[1:], func(line string) error {
		r := []rune(line)
		slices.Reverse(r)
		return c.println(string(r))
	})
	if err != nil {
		return err
	}
	return Exit(status)
}

// comm compares two sorted files line by line.
func comm(c *Call) error {
	o, files, err := getopt(c.Args[1:], "1 2 3")
	if err != nil {
		return err
	}
	dataA, dataB, err := c.two(files)
	if err != nil {
		return err
	}
	a, b := strings.Split(string(dataA), "\n"), strings.Split(string(dataB), "\n")
	a, b = a[:len(a)-1], b[:len(b)-1]
	put := func(column, line string) error {
		if o.has(column) {
			return nil
		}
		for _, before := range []string{"1", "2"} {
			if before < column && !o.has(before) {
				line = "\t" + line
			}
		}
		return c.println(line)
	}
	for (len(a) > 0 || len(b) > 0) && err == nil {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			err = put("1", a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			err = put("2", b[0])
			b = b[1:]
		default:
			err = put("3", a[0])
			a, b = a[1:], b[1:]
		}
	}
	return err
}

// xargs runs a command with what standard input lists.
func xargs(c *Call) error {
	args := c.Args[1:]
	var own []string
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		own = append(own, args[0])
		if len(args[0]) == 2 && strings.Contains("nILdPsa", args[0][1:]) && len(args) > 1 {
			own = append(own, args[1])
			args = args[1:]
		}
		args = args[1:]
	}
	o, _, err := getopt(own, "0|null r|no-run-if-empty n|max-args= I= t d|delimiter= P= x")
	if err != nil {
		return err
	}
	data, err := io.ReadAll(c.Stdin)
	if err != nil {
		return err
	}
	items, err := xargsItems(string(data), o)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	size := len(items)
	if o.has("n") {
		if size, err = strconv.Atoi(o["n"]); err != nil || size < 1 {
			return Unknown("number %q", o["n"])
		}
	}
	if o.has("I") {
		size = 1
	}
	if len(items) == 0 && (o.has("r") || o.has("I")) {
		return nil
	}
	status := 0
	for first := true; first || len(items) > 0; first = false {
		n := min(size, len(items))
		words := append(slices.Clone(args), items[:n]...)
		if o.has("I") {
			words = slices.Clone(args)
			for i, w := range words {
				words[i] = strings.ReplaceAll(w, o["I"], items[0])
			}
		}
		items = items[n:]
		switch err := c.Exec(words, nil, nil, nil, nil).(type) {
		case nil:
		case exitStatus:
			if status = 123; err > 125 {
				return Exit(int(err))
			}
		default:
			return err
		}
	}
	return Exit(status)
}

// xargsItems cuts what xargs reads.
func xargsItems(text string, o options) ([]string, error) {
	separator := ""
	switch {
	case o.has("0"):
		separator = "\x00"
	case o.has("d"):
		separator, _ = unescape(o["d"], false)
	case strings.ContainsAny(text, `"'\`):
		return nil, Unknown("input with quotes")
	case o.has("I"):
		separator = "\n"
	default:
		return strings.Fields(text), nil
	}
	if text = strings.TrimSuffix(text, separator); text == "" {
		return nil, nil
	}
	items := strings.Split(text, separator)
	if o.has("I") {
		for i := range items {
			items[i] = strings.TrimLeft(items[i], " \t")
		}
	}
	return items, nil
}
