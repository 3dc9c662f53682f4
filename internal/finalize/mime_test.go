package finalize

import (
	"bytes"
	"maps"
	"strings"
	"testing"
)

// described is a description with one type, and what the element holds.
func described(body string) file {
	return text(`<?xml version="1.0"?><mime-info xmlns="` + mimeSpace + `"><mime-type type="x/y">` + body + `</mime-type></mime-info>`)
}

func TestMimeTables(t *testing.T) {
	for rule, c := range map[string]struct {
		body, table, want string // a line of the table; "": the body is odd
	}{
		"a pattern has the weight 50":        {`<glob pattern="*.y"/>`, "globs2", "50:x/y:*.y"},
		"a weight counts":                    {`<glob pattern="*.y" weight="80"/>`, "globs2", "80:x/y:*.y"},
		"the greater weight wins":            {`<glob pattern="*.y" weight="80"/><glob pattern="*.y" weight="20"/>`, "globs2", "80:x/y:*.y"},
		"patterns are in lower case":         {`<glob pattern="*.Y"/>`, "globs", "x/y:*.y"},
		"unless case matters":                {`<glob pattern="*.Y" case-sensitive="true"/>`, "globs2", "50:x/y:*.Y:cs"},
		"an alias leads to the type":         {`<alias type="a/b"/>`, "aliases", "a/b x/y"},
		"a type has a class":                 {`<sub-class-of type="a/b"/>`, "subclasses", "x/y a/b"},
		"a type has a picture":               {`<icon name="i"/>`, "icons", "x/y:i"},
		"and a general one":                  {`<generic-icon name="i"/>`, "generic-icons", "x/y:i"},
		"a root element tells":               {`<root-XML namespaceURI="u" localName="n"/>`, "XMLnamespaces", "u n x/y"},
		"a string of bytes":                  {`<magic><match offset="2" type="string" value="a\n\x41\101\\"/></magic>`, "magic", ">2=\x00\x05a\n\x41A\\"},
		"within a range":                     {`<magic><match offset="2:9" type="string" value="a"/></magic>`, "magic", ">2=\x00\x01a+8"},
		"behind a mask":                      {`<magic><match offset="0" type="string" value="ab" mask="0xff0f"/></magic>`, "magic", ">0=\x00\x02ab&\xff\x0f"},
		"a number, the great end first":      {`<magic><match offset="0" type="big16" value="0x102"/></magic>`, "magic", ">0=\x00\x02\x01\x02"},
		"a number, the little end first":     {`<magic><match offset="0" type="little32" value="1" mask="0xff"/></magic>`, "magic", ">0=\x00\x04\x01\x00\x00\x00&\xff\x00\x00\x00"},
		"a number as the machine has it":     {`<magic><match offset="0" type="host32" value="1"/></magic>`, "magic", ">0=\x00\x04\x00\x00\x00\x01~4"},
		"a rule within a rule":               {`<magic><match offset="0" type="byte" value="1"><match offset="1" type="byte" value="2"/></match></magic>`, "magic", "1>1=\x00\x01\x02"},
		"a priority":                         {`<magic priority="80"><match offset="0" type="byte" value="1"/></magic>`, "magic", "[80:x/y]"},
		"a file in a tree":                   {`<treemagic><treematch path="a/b" type="file" match-case="true"/></treemagic>`, "treemagic", `>"a/b"=file,match-case`},
		"a comment is passed over":           {`<comment xml:lang="de">x</comment>`, "types", "x/y"},
		"a number that is too great":         {`<magic><match offset="0" type="byte" value="256"/></magic>`, "", ""},
		"an offset that goes back":           {`<magic><match offset="9:2" type="byte" value="1"/></magic>`, "", ""},
		"a mask of another length":           {`<magic><match offset="0" type="string" value="ab" mask="0xff"/></magic>`, "", ""},
		"a type of value that nobody knows":  {`<magic><match offset="0" type="float" value="1"/></magic>`, "", ""},
		"a match outside of magic":           {`<match offset="0" type="byte" value="1"/>`, "", ""},
		"rules without an end":               {"<magic>" + strings.Repeat(`<match offset="0" type="byte" value="1">`, 1000), "", ""},
		"a pattern of two lines":             {`<glob pattern="a&#10;b"/>`, "", ""},
		"an element that takes others' away": {`<glob-deleteall/>`, "", ""},
	} {
		in := inputOf(t, map[string]file{"usr/share/mime/packages/x.xml": described(c.body)})
		odd := run(t, in)
		if (len(odd) > 0) != (c.want == "") {
			t.Errorf("%s: noted %q", rule, odd)
		}
		if got := read(t, in, "usr/share/mime/"+c.table); c.want != "" && !strings.Contains("\n"+got, "\n"+c.want+"\n") {
			t.Errorf("%s: %s is %q, want the line %q", rule, c.table, got, c.want)
		}
	}
}

func TestKeptTablesAreTheSame(t *testing.T) {
	tables := map[string][]byte{"a": []byte("x\n"), "empty": {}}
	kept := joinTables(tables)
	if got, ok := splitTables(kept); !ok || !maps.EqualFunc(got, tables, bytes.Equal) {
		t.Errorf("%q", got)
	}
	if _, ok := splitTables(kept[:len(kept)-1]); ok {
		t.Error("tables that end too early are taken")
	}
}

func FuzzMime(f *testing.F) {
	f.Add(string(described(`<magic priority="80"><match offset="0:4" type="string" value="\x4" mask="0xff"/></magic><glob pattern="*"/>`).data))
	f.Add("<mime-info><mime-type type='a/b'><match/>")
	f.Fuzz(func(t *testing.T, s string) {
		db := newMimeDatabase()
		_ = db.read([]byte(s)) // what it says is for people
		tables := db.tables()
		if got, ok := splitTables(joinTables(tables)); !ok || len(got) != len(tables) {
			t.Error("tables do not survive being kept")
		}
		for typ := range db.types {
			if !isMimeType(typ) {
				t.Errorf("type %q", typ)
			}
		}
	})
}
