package manifest

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Options are what a manifest cannot know by itself.
type Options struct {
	// DefaultName names the image where the manifest does not and lies at
	// the root of the project: the project folder's own name.
	DefaultName string
}

// maxInclude is how deep manifests may include one another.
const maxInclude = 8

// Parse reads the manifest name of a project, and those that it includes. The
// file system is all that they may refer to: give os.Root's, which no link
// leaves. An error is of type Errors and holds everything that is wrong, file
// by file in the order of reading.
func Parse(project fs.FS, name string, opt Options) (*Image, error) {
	p := &parser{project: project, order: map[string]int{}}
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return nil, Errors{Pos{File: name}.Errorf("outside the project")}
	}
	root := p.read(name, Pos{File: name}, nil)
	var img *Image
	if root != nil {
		b := builder{checker: &p.checker, project: project}
		img = b.image(name, root, opt)
	}
	if p.errs != nil {
		slices.SortStableFunc(p.errs, func(a, b *Error) int {
			return cmp.Or(
				cmp.Compare(p.order[a.Pos.File], p.order[b.Pos.File]),
				cmp.Compare(a.Pos.Line, b.Pos.Line),
				cmp.Compare(a.Pos.Col, b.Pos.Col),
			)
		})
		return nil, p.errs
	}
	return img, nil
}

// A parser reads the files of one manifest.
type parser struct {
	checker
	project fs.FS
	order   map[string]int // of reading, by file
}

// read gives the manifest in file with its includes merged in; nil where there
// is nothing to go on with. from is where it is asked for, chain the files
// that led there.
func (p *parser) read(file string, from Pos, chain []string) *node {
	if _, again := p.order[file]; again {
		return nil // counts once, where it stands first
	}
	data, err := readFile(p.project, file)
	if err != nil {
		subject := ""
		if len(chain) > 0 {
			subject = "include " + show(file) + ": "
		}
		p.errorf(from, "%s%s", subject, reason(err))
		return nil
	}
	p.order[file] = len(p.order)
	n, errs := readYAML(file, data)
	p.errs = append(p.errs, errs...)
	if n == nil {
		return nil
	}
	p.check(image, n, "manifest")
	if n.bad || n.kind != isMap {
		return nil
	}
	base := p.includes(n.get("include"), append(chain, file))
	return merge(image, base, n)
}

// includes merges the manifests that n names; nil where there are none.
func (p *parser) includes(n *node, chain []string) *node {
	var base *node
	for _, item := range n.sound() {
		file := path.Join(path.Dir(item.pos.File), item.text)
		way := strings.Join(append(chain[:len(chain):len(chain)], file), " -> ")
		switch {
		case !fs.ValidPath(file):
			p.bad(item, "include %s: leaves the project (%s)", show(item.text), way)
		case slices.Contains(chain, file):
			p.bad(item, "include %s: includes itself (%s)", show(item.text), way)
		case len(chain) > maxInclude:
			p.bad(item, "include %s: more than %d deep (%s)", show(item.text), maxInclude, way)
		default:
			base = merge(image, base, p.read(file, item.pos, chain))
		}
	}
	return base
}

// readFile reads a file, and not much more than a manifest may have.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("a folder, a file is wanted")
	}
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// reason is err without the operation and the path, which the message has.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "no such file"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// merge lays top over base, both of shape s: lists append, maps merge, and of
// other values top's counts. It changes neither.
func merge(s shape, base, top *node) *node {
	if e, ok := s.(either); ok && e.record != nil {
		s = e.record
	}
	switch {
	case base == nil:
		return top
	case top == nil:
		return base
	case base.kind != top.kind || base.bad || top.bad:
		return top
	case top.kind == isList:
		return mergeLists(s, base, top)
	case top.kind == isMap:
		return mergeMaps(s, base, top)
	}
	return top
}

func mergeLists(s shape, base, top *node) *node {
	out := *top
	out.items = slices.Clone(base.items)
	if e, ok := s.(either); ok {
		s = e.list
	}
	l, _ := s.(list)
	there := map[string]bool{}
	for _, item := range base.items {
		there[item.text] = l.unique
	}
	for _, item := range top.items {
		if !there[item.text] {
			out.items = append(out.items, item)
		}
	}
	return &out
}

func mergeMaps(s shape, base, top *node) *node {
	r, _ := s.(record)
	out := *top
	out.keys, out.items = slices.Clone(top.keys), slices.Clone(top.items)
	for i, k := range base.keys {
		known, _ := r.key(k.text)
		at := slices.IndexFunc(top.keys, func(n *node) bool { return n.text == k.text })
		switch {
		case known.own || k.bad:
		case at < 0:
			out.keys, out.items = append(out.keys, k), append(out.items, base.items[i])
		case !known.whole:
			out.items[at] = merge(known.shape, base.items[i], top.items[at])
		}
	}
	return &out
}
