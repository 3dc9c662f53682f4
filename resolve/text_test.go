package resolve

import (
	"bufio"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// toy is a package format of text: versions are numbers with dots, relations
// are atoms like a, a>=1.2, a:any, joined by " | " and ", ".
type toy struct{ manners Manners }

func (y toy) Manners() Manners { return y.manners }

func (toy) Compare(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return 0
}

func (y toy) Satisfies(have, op, want string) bool {
	c := y.Compare(have, want)
	switch op {
	case "=":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "~":
		return have == want || strings.HasPrefix(have, want+".")
	}
	return false
}

func (y toy) Relations(p *Package) (r Relations, err error) {
	f := p.Fields
	for _, text := range splitList(f.Depends) {
		r.Depends = append(r.Depends, toyClause(text))
	}
	for _, text := range splitList(f.Recommends) {
		r.Recommends = append(r.Recommends, toyClause(text))
	}
	for _, text := range splitList(f.Conflicts) {
		r.Conflicts = append(r.Conflicts, toyAtom(text))
	}
	if strings.Contains(f.Depends, "?") {
		return r, fmt.Errorf("depends %q: no relation", f.Depends)
	}
	return r, nil
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func toyClause(text string) Clause {
	var c Clause
	for _, a := range strings.Split(text, "|") {
		c = append(c, toyAtom(strings.TrimSpace(a)))
	}
	return c
}

func toyAtom(text string) (a Atom) {
	a.Name = text
	if i := strings.IndexAny(text, "<>=~"); i >= 0 {
		n := i + 1
		if strings.HasPrefix(text[n:], "=") {
			n++
		}
		a.Name, a.Op, a.Version = text[:i], text[i:n], text[n:]
	}
	a.Name, a.Pin, _ = strings.Cut(a.Name, "@")
	if name, ok := strings.CutSuffix(a.Name, ":any"); ok {
		a.Name, a.Arch = name, "any"
	}
	return a
}

// A story is one file of testdata: a universe, and what is asked of it.
type story struct {
	universe Universe
	options  Options
	asks     []ask
}

type ask struct {
	line  int
	wants []Want
	text  string
	reply []string // lines; a closure in the first, or "error: " and its text
}

var (
	likeApt = Manners{DepthFirst: true, Named: true, LastMentioned: true}
	likeApk = Manners{Exclusive: true, Bare: true, ByProvided: true}
)

// readStory reads, a line each:
//
//	manners apt|apk          whose habits; nobody's by default
//	repository NAME [PIN]    that the packages below come from
//	NAME VERSION: RELATION, ...
//	recommends|essential, prefer NAME..., elide NAME..., keep NAME VERSION   options
//	want NAME, !NAME, ... => CLOSURE, or error: and its text, continued on indented lines
//
// A relation is a clause to depend on, or begins with one of provides,
// conflicts, recommends, when, unless, priority, multi-arch, arch, rank; or is the
// word essential.
func readStory(t testing.TB, path string) *story {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &story{universe: Universe{Syntax: toy{}, Arch: "x", Repositories: []Repository{{Name: "main"}}}}
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			last := &s.asks[len(s.asks)-1]
			last.reply = append(last.reply, strings.TrimPrefix(line, "\t"))
		case word == "manners":
			s.universe.Syntax = toy{map[string]Manners{"apt": likeApt, "apk": likeApk}[rest]}
		case word == "repository":
			name, pin, _ := strings.Cut(rest, " ")
			if len(s.universe.Packages) == 0 && len(s.universe.Repositories) == 1 {
				s.universe.Repositories = nil
			}
			s.universe.Repositories = append(s.universe.Repositories, Repository{Name: name, Pin: pin})
		case line == "recommends":
			s.options.Recommends = true
		case line == "essential":
			s.options.Essential = true
		case word == "prefer":
			s.options.Prefer = strings.Fields(rest)
		case word == "elide":
			s.options.Elide = strings.Fields(rest)
		case word == "keep":
			name, version, _ := strings.Cut(rest, " ")
			s.options.Keep = map[string]string{name: version}
		case word == "want":
			text, reply, ok := strings.Cut(rest, "=>")
			if !ok {
				t.Fatalf("%s:%d: a want without =>", path, n)
			}
			a := ask{line: n, text: strings.TrimSpace(text), reply: []string{strings.TrimSpace(reply)}}
			a.wants = toyWants(a.text)
			s.asks = append(s.asks, a)
		default:
			head, rest, ok := strings.Cut(line, ":")
			name, version, ok2 := strings.Cut(head, " ")
			if !ok || !ok2 {
				t.Fatalf("%s:%d: neither package nor want: %q", path, n, line)
			}
			p := toyPackage(name, version, rest)
			p.Repository = len(s.universe.Repositories) - 1
			s.universe.Packages = append(s.universe.Packages, p)
		}
	}
	return s
}

func toyWants(text string) (wants []Want) {
	for i, w := range strings.Split(text, ", ") {
		name, exclude := strings.CutPrefix(w, "!")
		wants = append(wants, Want{Clause: Clause{toyAtom(name)}, Exclude: exclude, Text: w, Ref: i})
	}
	return wants
}

func toyPackage(name, version, relations string) Package {
	p := Package{Name: name, Version: version, Arch: "x", Source: name, Path: name + "-" + version}
	var depends, recommends, conflicts []string
	for _, r := range strings.Split(relations, ",") {
		r = strings.TrimSpace(r)
		word, rest, _ := strings.Cut(r, " ")
		switch word {
		case "":
		case "provides":
			p.Provides = append(p.Provides, toyAtom(rest))
		case "conflicts":
			conflicts = append(conflicts, rest)
		case "recommends":
			recommends = append(recommends, rest)
		case "when":
			for _, a := range strings.Fields(rest) {
				p.When = append(p.When, toyAtom(a))
			}
		case "unless":
			p.Unless = append(p.Unless, toyAtom(rest))
		case "priority":
			p.Priority, _ = strconv.Atoi(rest)
		case "rank":
			p.Fields.Priority = rest
		case "multi-arch":
			p.Fields.MultiArch = rest
		case "arch":
			p.Arch = rest
		case "essential":
			p.Essential = true
		default:
			depends = append(depends, r)
		}
	}
	p.Fields.Depends, p.Fields.Recommends, p.Fields.Conflicts = strings.Join(depends, ","), strings.Join(recommends, ","), strings.Join(conflicts, ",")
	return p
}

// answer is a closure as "a 1, b 2", or "error: " and the text.
func answer(c *Closure, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, p := range c.Packages {
		out = append(out, p.Name+" "+p.Version)
	}
	return strings.Join(out, ", ")
}

// shuffled is the same universe in another order.
func shuffled(u *Universe, r *rand.Rand) *Universe {
	v := *u
	to := r.Perm(len(u.Repositories)) // repository i moves to to[i]
	v.Repositories = make([]Repository, len(u.Repositories))
	for i, repo := range u.Repositories {
		v.Repositories[to[i]] = repo
	}
	v.Packages = slices.Clone(u.Packages)
	for i := range v.Packages {
		v.Packages[i].Repository = to[v.Packages[i].Repository]
	}
	r.Shuffle(len(v.Packages), func(i, j int) { v.Packages[i], v.Packages[j] = v.Packages[j], v.Packages[i] })
	return &v
}

// TestStories solves the universes of testdata, each in twenty orders.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		s := readStory(t, file)
		for _, a := range s.asks {
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(file), a.line), func(t *testing.T) {
				want := strings.Join(a.reply, "\n")
				r := rand.New(rand.NewPCG(1, 2))
				for range 20 {
					wants := slices.Clone(a.wants)
					r.Shuffle(len(wants), func(i, j int) { wants[i], wants[j] = wants[j], wants[i] })
					got := answer(Solve(shuffled(&s.universe, r), wants, s.options))
					if got != want {
						t.Fatalf("want %s\ngot:\n%s\nwant:\n%s", a.text, got, want)
					}
				}
			})
		}
	}
}
