package finalize

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/rootfs"
)

// mime is update-mime-database(1): from the descriptions that packages leave
// in /usr/share/mime/packages, the tables by which programs tell the type of a
// file. Without them gdk-pixbuf recognizes no image.
//
// The tables say what the real ones say. Where those go by the order of a
// table of hashes, lines are sorted, and none stands twice: nothing depends
// on it. Two outputs are left out: mime.cache, which holds the tables once
// more for mapping into memory, and a file of translated names for each type.
var mime = finalizer{
	name:    "mime",
	program: "update-mime-database(1)",
	applies: func(in *Input) bool { return len(mimeFiles(in.Tree)) > 0 },
	run: func(j *job) error {
		tables, err := j.mimeTables(mimeFiles(j.Tree))
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			if err := j.file(mimeDir+"/"+name, 0o644, tables[name]); err != nil {
				return err
			}
		}
		return nil
	},
}

const (
	mimeDir     = "usr/share/mime"
	mimeVersion = "2.4\n" // of shared-mime-info: what the file version says
	maxMimeFile = 16 << 20
)

// mimeFiles are the descriptions in the order in which they count: by name,
// what the administrator overrides last.
func mimeFiles(t *rootfs.Tree) []string {
	dir := t.Lookup(mimeDir + "/packages")
	if dir == nil {
		return nil
	}
	var files, last []string
	for _, name := range t.Names(dir.Path) {
		switch file := path.Join(mimeDir, "packages", name); {
		case !strings.HasSuffix(name, ".xml") || !isFile(t, file):
		case name == "Override.xml":
			last = append(last, file)
		default:
			files = append(files, file)
		}
	}
	return append(files, last...)
}

// mimeTables are the outputs by name, computed or as the store keeps them of
// an earlier run: to read the descriptions takes a good part of a second.
func (j *job) mimeTables(files []string) (map[string][]byte, error) {
	key := "mime/1\n"
	for _, file := range files {
		key += j.Tree.Lookup(file).Content.Digest.Hex() + "\n"
	}
	store, _ := j.Contents.(derived)
	if store != nil {
		if kept, ok := store.Derived("mime", cas.Sum([]byte(key))); ok {
			if tables, ok := splitTables(kept); ok {
				return tables, nil
			}
		}
	}
	db := newMimeDatabase()
	for _, file := range files {
		n := j.Tree.Lookup(file)
		if n.Content.Size > maxMimeFile {
			j.odd("/%s: %d bytes, more than %d", file, n.Content.Size, maxMimeFile)
			continue
		}
		data, err := rootfs.Read(j.Contents, n.Content)
		if err != nil {
			return nil, err
		}
		if err := db.read(data); err != nil {
			j.odd("/%s: %v", file, err)
		}
	}
	tables := db.tables()
	if store != nil && len(j.note.Odd) == 0 { // what is odd must be said each time
		return tables, store.PutDerived("mime", cas.Sum([]byte(key)), joinTables(tables))
	}
	return tables, nil
}

// joinTables and splitTables are the form in which a store keeps tables:
// name, length and bytes of each.
func joinTables(tables map[string][]byte) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		b = append(binary.AppendUvarint(b, uint64(len(tables[name]))), tables[name]...)
	}
	return b
}

func splitTables(b []byte) (map[string][]byte, bool) {
	tables := map[string][]byte{}
	next := func() (part []byte, ok bool) {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return nil, false
		}
		part, b = b[width:width+int(n)], b[width+int(n):]
		return part, true
	}
	for len(b) > 0 {
		name, ok := next()
		if !ok {
			return nil, false
		}
		if tables[string(name)], ok = next(); !ok {
			return nil, false
		}
	}
	return tables, true
}

// A mimeDatabase is what descriptions say.
type mimeDatabase struct {
	types      map[string]bool
	globs      map[glob2]int // -> weight
	magic      []magic
	tree       []magic
	namespaces map[[2]string]string // URI and name of the root element -> type
	aliases    map[string]string    // -> type
	parents    map[string][]string  // subclass -> classes, in order
	icons      map[string]string
	generic    map[string]string
}

// A glob2 is a pattern of names for a type.
type glob2 struct {
	pattern, typ string
	exact        bool // upper and lower case differ
}

// A magic is a set of rules about contents for a type.
type magic struct {
	priority int
	typ      string
	text     []byte // the rules, as the table has them
}

func newMimeDatabase() *mimeDatabase {
	return &mimeDatabase{
		types: map[string]bool{}, globs: map[glob2]int{}, namespaces: map[[2]string]string{}, aliases: map[string]string{},
		parents: map[string][]string{}, icons: map[string]string{}, generic: map[string]string{},
	}
}

// tables are the outputs by name.
func (db *mimeDatabase) tables() map[string][]byte {
	globs, weighted := db.globTables()
	return map[string][]byte{
		"types": lines(slices.Collect(maps.Keys(db.types))), "version": []byte(mimeVersion),
		"globs": globs, "globs2": weighted,
		"magic": magicTable("MIME-Magic\x00\n", db.magic), "treemagic": magicTable("MIME-TreeMagic\x00\n", db.tree),
		"XMLnamespaces": db.namespaceTable(),
		"aliases":       pairs(db.aliases, " "), "icons": pairs(db.icons, ":"), "generic-icons": pairs(db.generic, ":"),
		"subclasses": db.parentTable(),
	}
}

// lines are the sorted lines of a table.
func lines(list []string) []byte {
	slices.Sort(list)
	var b bytes.Buffer
	for _, s := range list {
		b.WriteString(s + "\n")
	}
	return b.Bytes()
}

func pairs(m map[string]string, between string) []byte {
	var list []string
	for k, v := range m {
		list = append(list, k+between+v)
	}
	return lines(list)
}

func (db *mimeDatabase) namespaceTable() []byte {
	var list []string
	for root, typ := range db.namespaces {
		list = append(list, root[0]+" "+root[1]+" "+typ)
	}
	return lines(list)
}

func (db *mimeDatabase) parentTable() []byte {
	var b bytes.Buffer
	for _, typ := range slices.Sorted(maps.Keys(db.parents)) {
		for _, parent := range db.parents[typ] {
			b.WriteString(typ + " " + parent + "\n")
		}
	}
	return b.Bytes()
}

// globTables are the patterns, heavy ones first: without and with weights.
func (db *mimeDatabase) globTables() (plain, weighted []byte) {
	const head = "# This file was automatically generated by the\n# update-mime-database command. DO NOT EDIT!\n"
	order := slices.SortedFunc(maps.Keys(db.globs), func(a, b glob2) int {
		return cmp.Or(cmp.Compare(db.globs[b], db.globs[a]), strings.Compare(a.pattern, b.pattern), strings.Compare(a.typ, b.typ))
	})
	plain, weighted = []byte(head), []byte(head)
	for _, g := range order {
		plain = fmt.Appendf(plain, "%s:%s\n", g.typ, g.pattern)
		line := fmt.Sprintf("%d:%s:%s", db.globs[g], g.typ, g.pattern)
		if g.exact { // once with the flag, and once for readers that do not know it
			weighted = append(weighted, line+":cs\n"...)
		}
		weighted = append(weighted, line+"\n"...)
	}
	return plain, weighted
}

// magicTable has the rules by priority, then type.
func magicTable(head string, rules []magic) []byte {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b magic) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), strings.Compare(a.typ, b.typ))
	})
	b := []byte(head)
	for _, m := range rules {
		b = fmt.Appendf(b, "[%d:%s]\n", m.priority, m.typ)
		b = append(b, m.text...)
	}
	return b
}
