package untar

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"compose/internal/fault"
	"compose/internal/limits"
)

// The tests here are named after the rows of the project's catalogue of
// attacks on archives (A-01 and so on): each row is an archive, made here,
// and what must become of it.

// A refusal is an archive that must be refused, with the given kind and a
// message that names the given offender.
type refusal struct {
	rule  string
	data  []byte
	id    fault.ID
	names string
}

func refuse(t *testing.T, cases ...refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := list(tt.data)
			if err == nil {
				t.Fatalf("accepted:\n%s", got)
			}
			if fault.Of(err) != tt.id || !strings.Contains(err.Error(), tt.names) {
				t.Errorf("refused as %s: %v\nwant %s, and %s named", fault.Of(err), err, tt.id, tt.names)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("raw control characters in %q", err)
			}
		})
	}
}

// An acceptance is an archive that must be read, and what it holds.
type acceptance struct {
	rule string
	data []byte
	want string
}

func accept(t *testing.T, cases ...acceptance) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := list(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got:\n%swant:\n%s", got, tt.want)
			}
		})
	}
}

func TestA01_AbsoluteName(t *testing.T) {
	refuse(t,
		refusal{"a file", archive(file("/etc/passwd", "x")), fault.UnsafeEntry, `"/etc/passwd": an absolute name`},
		refusal{"a directory", archive(folder("/etc/")), fault.UnsafeEntry, `"/etc/"`},
		refusal{"the root itself", archive(folder("/")), fault.UnsafeEntry, `"/"`},
		refusal{"behind ./", archive(file(".//etc/passwd", "x")), fault.UnsafeEntry, `".//etc/passwd"`},
		refusal{"in a GNU long name", archive(gnuName("/"+strings.Repeat("d/", 30)+"f"), file("ok", "x")), fault.UnsafeEntry, `"/d/d/`},
		refusal{"in a PAX path", archive(ext("path=/etc/passwd"), file("ok", "x")), fault.UnsafeEntry, `"/etc/passwd"`},
		refusal{"in the prefix of ustar", archive(rawEnt(file("passwd", "x"), func(b *block) { copy(b.prefix(), "/etc") })), fault.UnsafeEntry, `"/etc/passwd"`},
	)
}

func TestA02_DotAndEmptySegments(t *testing.T) {
	var cases []refusal
	for _, name := range []string{"../x", "a/../x", "a/..", "..", "a/./x", "a//x", "././x", "./", ".", ""} {
		cases = append(cases, refusal{"file " + name, archive(file(name, "x")), "", fmt.Sprintf("%q", name)})
	}
	for _, name := range []string{"a//", "../", "a/../", "./../", ".//", "a/./"} {
		cases = append(cases, refusal{"directory " + name, archive(folder(name)), fault.UnsafeEntry, fmt.Sprintf("%q", name)})
	}
	for i := range cases {
		cases[i].id = fault.UnsafeEntry
		if cases[i].rule == "file ./" { // a file whose name ends with a slash: no reader agrees with another
			cases[i].id = fault.FormatInvalid
		}
	}
	refuse(t, cases...)
	accept(t, acceptance{"one ./ in front and one slash behind a directory are normal",
		archive(folder("./"), folder("./a/"), file("./a/x", "x"), folder("b"), file("c..d", ""), file("...", "")),
		"d 0755 0:0 1700000000 .\nd 0755 0:0 1700000000 a\n- 0644 0:0 1700000000 a/x (1)\nd 0755 0:0 1700000000 b\n- 0644 0:0 1700000000 c..d\n- 0644 0:0 1700000000 ...\n"})
}

func TestA03_EntryBelowSymlink(t *testing.T) {
	refuse(t,
		refusal{"file below a link", archive(symlink("a", "/etc"), file("a/passwd", "x")), fault.UnsafeEntry, `"a/passwd"`},
		refusal{"file deep below a link", archive(symlink("a", "b"), file("a/b/c/d", "x")), fault.UnsafeEntry, `"a" is a symbolic link`},
		refusal{"directory below a link", archive(symlink("a", "b"), folder("a/c/")), fault.UnsafeEntry, `"a/c/"`},
		refusal{"link below a link", archive(symlink("a", "b"), symlink("a/c", "d")), fault.UnsafeEntry, `"a/c"`},
		refusal{"hard link below a link", archive(file("f", "x"), symlink("a", "b"), hardlink("a/c", "f")), fault.UnsafeEntry, `"a/c"`},
		refusal{"the link comes after the entry", archive(file("a/passwd", "x"), symlink("a", "/etc")), fault.UnsafeEntry, `"a"`},
		refusal{"a link in place of the root", archive(symlink("./.", "/etc")), fault.UnsafeEntry, `"./."`},
	)
}

func TestA04_SymlinkTargetIsVerbatim(t *testing.T) {
	accept(t, acceptance{"outside, absolute, dangling, odd", archive(
		symlink("a", "../../../etc/passwd"), symlink("b", "/etc/passwd"), symlink("c", "nowhere"), symlink("d", "./x//y/"), symlink("e", "a b\xff")),
		"l 0777 0:0 1700000000 a -> ../../../etc/passwd\nl 0777 0:0 1700000000 b -> /etc/passwd\nl 0777 0:0 1700000000 c -> nowhere\n" +
			"l 0777 0:0 1700000000 d -> ./x//y/\nl 0777 0:0 1700000000 e -> a b\xff\n"})
	refuse(t, refusal{"no target at all", archive(symlink("a", "")), fault.UnsafeEntry, `"a"`})
}

func TestA05_HardLinkTarget(t *testing.T) {
	refuse(t,
		refusal{"outside", archive(hardlink("a", "../etc/passwd")), fault.UnsafeEntry, `"../etc/passwd"`},
		refusal{"absolute", archive(file("etc/passwd", "x"), hardlink("a", "/etc/passwd")), fault.UnsafeEntry, `"/etc/passwd"`},
		refusal{"a later entry", archive(hardlink("a", "b"), file("b", "x")), fault.UnsafeEntry, `"b"`},
		refusal{"itself", archive(hardlink("a", "a")), fault.UnsafeEntry, `"a"`},
		refusal{"a directory", archive(folder("d/"), hardlink("a", "d")), fault.UnsafeEntry, `"d"`},
		refusal{"a symbolic link", archive(symlink("l", "x"), hardlink("a", "l")), fault.UnsafeEntry, `"l"`},
		refusal{"a file of another package", archive(hardlink("a", "bin/sh")), fault.UnsafeEntry, `"bin/sh"`},
		refusal{"nothing", archive(hardlink("a", "")), fault.UnsafeEntry, `"a"`},
		refusal{"a hard link", archive(file("f", "x"), hardlink("g", "f"), hardlink("h", "g")), fault.UnsafeEntry, `"g"`},
		refusal{"content of its own", archive(file("f", "x"), with(hardlink("g", "f"), func(e *ent) { e.body = "y" })), fault.FormatInvalid, `"g"`},
	)
	accept(t, acceptance{"an earlier file of the package, however it is spelt", archive(file("./f", "x"), hardlink("./g", "./f"), hardlink("h", "f")),
		"- 0644 0:0 1700000000 f (1)\nh 0000 0:0 0 g -> f\nh 0000 0:0 0 h -> f\n"})
}

// need no check: nothing is written to a host, so there is no
// link to follow and no moment between check and use. What remains is that a
// hard link's own metadata changes nothing.
func TestA06_MetadataThroughLink(t *testing.T) {
	accept(t, acceptance{"a hard link's mode and owner are not the file's", archive(
		file("f", "x"), with(hardlink("g", "f"), func(e *ent) { e.mode, e.uid = 0o4755, 7 })),
		"- 0644 0:0 1700000000 f (1)\nh 0000 0:0 0 g -> f\n"})
}

func TestA07_NothingIsWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := list(archive(folder("d/"), file("d/f", "x"), symlink("l", "d/f"))); err != nil {
		t.Fatal(err)
	}
	refuseEntriesHere(t)
}

func TestA08_SpecialFiles(t *testing.T) {
	for _, kind := range []byte{'3', '4', '6'} {
		refuse(t, refusal{"type " + string(kind), archive(ent{name: "dev/x", kind: kind}), fault.UnsafeEntry, `"dev/x"`})
	}
}

func TestA09_ModesAndCapabilitiesAreKept(t *testing.T) {
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	accept(t,
		acceptance{"all twelve bits", archive(
			with(file("su", "x"), func(e *ent) { e.mode = 0o4755 }), with(file("wall", "x"), func(e *ent) { e.mode = 0o2755 }),
			with(folder("tmp/"), func(e *ent) { e.mode = 0o1777 }), with(file("all", ""), func(e *ent) { e.mode = 0o107777 })),
			"- 4755 0:0 1700000000 su (1)\n- 2755 0:0 1700000000 wall (1)\nd 1777 0:0 1700000000 tmp\n- 7777 0:0 1700000000 all\n"},
		acceptance{"capabilities in either form, or both", archive(
			ext("SCHILY.xattr.security.capability="+capability), file("ping", "x"),
			ext("LIBARCHIVE.xattr.security.capability="+base64.RawStdEncoding.EncodeToString([]byte(capability))), file("ping2", "x"),
			ext("SCHILY.xattr.security.capability="+capability, "LIBARCHIVE.xattr.security.capability="+base64.StdEncoding.EncodeToString([]byte(capability))), file("ping3", "x")),
			fmt.Sprintf("- 0644 0:0 1700000000 ping (1) security.capability=%q\n- 0644 0:0 1700000000 ping2 (1) security.capability=%[1]q\n- 0644 0:0 1700000000 ping3 (1) security.capability=%[1]q\n", capability)},
		acceptance{"numeric owners", archive(with(file("f", ""), func(e *ent) { e.uid, e.gid = 65534, 42 })), "- 0644 65534:42 1700000000 f\n"},
	)
	refuse(t, refusal{"two forms that differ", archive(ext("SCHILY.xattr.user.a=x", "LIBARCHIVE.xattr.user.a=eQ=="), file("ping", "x")), fault.FormatInvalid, `"user.a"`})
}

func TestA11_DuplicateName(t *testing.T) {
	refuse(t,
		refusal{"two files", archive(file("a", "x"), file("a", "y")), fault.UnsafeEntry, `"a"`},
		refusal{"identical files", archive(file("a", "x"), file("a", "x")), fault.UnsafeEntry, `"a"`},
		refusal{"spelt differently", archive(file("a", "x"), file("./a", "x")), fault.UnsafeEntry, `"./a"`},
		refusal{"two links", archive(symlink("a", "x"), symlink("a", "x")), fault.UnsafeEntry, `"a"`},
		refusal{"directories of different modes", archive(folder("a/"), with(folder("a"), func(e *ent) { e.mode = 0o700 })), fault.UnsafeEntry, `"a"`},
		refusal{"directories of different owners", archive(folder("a/"), with(folder("a"), func(e *ent) { e.uid = 1 })), fault.UnsafeEntry, `"a"`},
		refusal{"directories of different attributes", archive(folder("a/"), ext("SCHILY.xattr.user.x=1"), folder("a/")), fault.UnsafeEntry, `"a/"`},
	)
	accept(t, acceptance{"a directory may repeat with equal metadata", archive(folder("a/"), file("a/f", ""), folder("./a/"), file("a/g", "")),
		"d 0755 0:0 1700000000 a\n- 0644 0:0 1700000000 a/f\n- 0644 0:0 1700000000 a/g\n"},
		acceptance{"a directory may follow what is in it", archive(file("a/f", ""), folder("./a/")),
			"- 0644 0:0 1700000000 a/f\nd 0755 0:0 1700000000 a\n"})
}

// A-12, a file in two packages, is for the tree of all packages to decide.

func TestA13_TypeChange(t *testing.T) {
	refuse(t,
		refusal{"directory over file", archive(file("a", "x"), folder("a/")), fault.UnsafeEntry, `"a/"`},
		refusal{"file over directory", archive(folder("a/"), file("a", "x")), fault.UnsafeEntry, `"a"`},
		refusal{"file over symbolic link", archive(symlink("a", "/etc/passwd"), file("a", "x")), fault.UnsafeEntry, `"a"`},
		refusal{"symbolic link over file", archive(file("a", "x"), symlink("a", "b")), fault.UnsafeEntry, `"a"`},
		refusal{"symbolic link over directory", archive(folder("a/"), symlink("a", "b")), fault.UnsafeEntry, `"a"`},
		refusal{"directory over symbolic link", archive(symlink("a", "b"), folder("a/")), fault.UnsafeEntry, `"a/"`},
		refusal{"hard link over file", archive(file("a", "x"), file("b", "y"), hardlink("b", "a")), fault.UnsafeEntry, `"b"`},
		refusal{"something below a file", archive(file("a", "x"), file("a/b", "y")), fault.UnsafeEntry, `"a/b"`},
		refusal{"file where only things below it were", archive(file("a/b", "y"), file("a", "x")), fault.UnsafeEntry, `"a"`},
		refusal{"file in place of the root", archive(file("./.", "x")), fault.UnsafeEntry, `"./."`},
	)
}

func TestA15_Limits(t *testing.T) {
	long := func(name string) []byte { return archive(gnuName(name), file("x", "")) }
	refuse(t,
		refusal{"deep path", long(strings.Repeat("d/", limits.Depth) + "f"), fault.LimitSize, "64 segments"},
		refusal{"long name", long("a/" + strings.Repeat("n", limits.Name+1)), fault.LimitSize, "256 bytes"},
		refusal{"long path", long(strings.Repeat(strings.Repeat("d", 200)+"/", 21) + "f"), fault.LimitSize, "4222 bytes"},
		refusal{"long target", archive(gnuTarget(strings.Repeat("t", limits.LinkTarget+1)), symlink("l", "x")), fault.LimitSize, `"l"`},
	)
	if _, err := list(long(strings.Repeat("d/", limits.Depth-1) + "f")); err != nil {
		t.Errorf("as deep as allowed: %v", err)
	}
	if _, err := list(long("a/" + strings.Repeat("n", limits.Name))); err != nil {
		t.Errorf("as long as allowed: %v", err)
	}
	t.Run("more entries than allowed", func(t *testing.T) {
		r := NewReader(&repeater{file("f", "").bytes()}, Ended, nil)
		n := 0
		for ; ; n++ {
			if _, err := r.Next(); err != nil {
				if fault.Of(err) != fault.LimitSize || n != limits.Entries {
					t.Errorf("after %d entries: %v", n, err)
				}
				return
			}
		}
	})
}

func TestA16_PAXKeys(t *testing.T) {
	accept(t,
		acceptance{"path, target, ids and time", archive(
			ext("path=p/long", "uid=70000", "gid=5", "mtime=1234.567", "atime=1.5", "ctime=1", "uname=root", "gname=", "size=1"), file("short", "x"),
			ext("linkpath=t/long"), symlink("l", "t")),
			"- 0644 70000:5 1234 p/long (1)\nl 0777 0:0 1700000000 l -> t/long\n"},
		acceptance{"an apk's checksum", archive(ext("APK-TOOLS.checksum.SHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709"), file("f", "")), "- 0644 0:0 1700000000 f\n"},
	)
	one := func(record string) []byte { return archive(ext(record), file("f", "x")) }
	refuse(t,
		refusal{"unknown key", one("VENDOR.thing=1"), fault.FormatInvalid, `"VENDOR.thing"`},
		refusal{"another meaning for bytes", one("hdrcharset=BINARY"), fault.FormatInvalid, `"hdrcharset"`},
		refusal{"empty path", one("path="), fault.FormatInvalid, `path is ""`},
		refusal{"NUL in path", one("path=a\x00b"), fault.FormatInvalid, `"a\x00b"`},
		refusal{"id out of range", one("uid=2147483648"), fault.FormatInvalid, `"2147483648"`},
		refusal{"negative id", one("gid=-1"), fault.FormatInvalid, `"-1"`},
		refusal{"fractional id", one("uid=1.5"), fault.FormatInvalid, `"1.5"`},
		refusal{"time that is none", one("mtime=yesterday"), fault.FormatInvalid, `"yesterday"`},
		refusal{"empty time", one("mtime="), fault.FormatInvalid, "mtime"},
		refusal{"a key twice", archive(ext("uid=1", "uid=2"), file("f", "x")), fault.FormatInvalid, `"uid"`},
		refusal{"checksum that is none", one("APK-TOOLS.checksum.SHA1=zz"), fault.FormatInvalid, `"zz"`},
		refusal{"attribute that is not base64", one("LIBARCHIVE.xattr.user.x=%%"), fault.FormatInvalid, `LIBARCHIVE.xattr.user.x`},
	)
	for _, body := range []string{"5 a=b", "0 a=b\n", "99 a=b\n", "x a=b\n", "6 ab=\n9", "6 =ab\n", "+6 a=b\n", "06 a=b\n", "3 \n", "7 a=b\n"} {
		refuse(t, refusal{fmt.Sprintf("malformed record %q", body), archive(ent{name: "x", kind: 'x', body: body}, file("f", "x")), fault.FormatInvalid, "PAX record"})
	}
}

func TestA17_PAXSizeDiffers(t *testing.T) {
	inner := string(file("hidden", "").bytes())
	refuse(t,
		refusal{"larger", archive(ext("size=1024"), file("f", inner)), fault.FormatInvalid, `"1024"`},
		refusal{"smaller, so that content is read as headers", archive(ext("size=0"), file("f", inner)), fault.FormatInvalid, `"0"`},
		refusal{"negative", archive(ext("size=-1"), file("f", "")), fault.FormatInvalid, `"-1"`},
		refusal{"spelt otherwise", archive(ext("size=01"), file("f", "x")), fault.FormatInvalid, `"01"`},
		refusal{"of a directory", archive(ext("size=512"), folder("d/")), fault.FormatInvalid, `"d/"`},
	)
}

func TestA18_StackedOrDanglingHeaders(t *testing.T) {
	refuse(t,
		refusal{"two PAX", archive(ext("uid=1"), ext("gid=1"), file("f", "")), fault.FormatInvalid, "entry 1"},
		refusal{"two long names", archive(gnuName("a"), gnuName("b"), file("f", "")), fault.FormatInvalid, "entry 1"},
		refusal{"two long targets", archive(gnuTarget("a"), gnuTarget("b"), symlink("f", "x")), fault.FormatInvalid, "entry 1"},
		refusal{"PAX and long name", archive(ext("uid=1"), gnuName("b"), file("f", "")), fault.FormatInvalid, "entry 1"},
		refusal{"long name and PAX", archive(gnuName("b"), ext("uid=1"), file("f", "")), fault.FormatInvalid, "entry 1"},
		refusal{"PAX at the end", archive(file("f", ""), ext("path=x")), fault.FormatInvalid, "PAX"},
		refusal{"long name at the end", archive(file("f", ""), gnuName("x")), fault.FormatInvalid, "GNU long-name"},
		refusal{"long name without its NUL", archive(ent{name: "././@LongLink", kind: 'L', body: "name"}, file("f", "")), fault.FormatInvalid, `"name"`},
		refusal{"long name with two NULs", archive(ent{name: "././@LongLink", kind: 'L', body: "na\x00me\x00"}, file("f", "")), fault.FormatInvalid, `"na\x00me\x00"`},
		refusal{"target for a file", archive(gnuTarget("t"), file("f", "")), fault.FormatInvalid, `"f"`},
	)
	name := strings.Repeat("long/", 30) + "f"
	accept(t, acceptance{"a long name and a long target for one link", archive(gnuTarget("to/"+name), gnuName(name), symlink("l", "to")),
		"l 0777 0:0 1700000000 " + name + " -> to/" + name + "\n"})
}

func TestA19_GlobalHeader(t *testing.T) {
	refuse(t, refusal{"anywhere", archive(with(ext("uid=1"), func(e *ent) { e.kind = 'g'; e.name = "pax_global_header" }), file("f", "")), fault.FormatInvalid, `"pax_global_header"`})
}

func TestA20_Sparse(t *testing.T) {
	refuse(t,
		refusal{"old GNU", archive(with(file("big", ""), func(e *ent) { e.kind, e.magic = 'S', magicGNU })), fault.FormatInvalid, `"big"`},
		refusal{"PAX 0.1", archive(ext("GNU.sparse.map=0,1", "GNU.sparse.size=4096"), file("big", "")), fault.FormatInvalid, `"GNU.sparse.map"`},
		refusal{"PAX 1.0", archive(ext("GNU.sparse.major=1"), file("big", "")), fault.FormatInvalid, `"GNU.sparse.major"`},
	)
}

func TestA21_NegativeAndLargeNumbers(t *testing.T) {
	base256 := func(at func(*block) []byte, bytes ...byte) ent {
		return rawEnt(file("f", ""), func(b *block) { f := at(b); clear(f); copy(f[len(f)-len(bytes):], bytes); f[0] |= 0x80 })
	}
	ff := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	refuse(t,
		refusal{"negative size", archive(base256((*block).size, ff...)), fault.FormatInvalid, `"f"`},
		refusal{"negative uid", archive(base256((*block).uid, ff[:8]...)), fault.FormatInvalid, "uid is -1"},
		refusal{"uid of 2^31", archive(base256((*block).uid, 0x80, 0, 0, 0)), fault.FormatInvalid, "uid is 2147483648"},
		refusal{"gid of 2^31", archive(base256((*block).gid, 0x80, 0, 0, 0)), fault.FormatInvalid, "gid is 2147483648"},
		refusal{"size of more than 63 bits", archive(base256((*block).size, 1, 0, 0, 0, 0, 0, 0, 0, 0)), fault.FormatInvalid, "out of range"},
		refusal{"size that is no number", archive(with(file("f", ""), func(e *ent) { e.size = "0000000008 " })), fault.FormatInvalid, "no octal number"},
		refusal{"size with a minus", archive(with(file("f", ""), func(e *ent) { e.size = "-1" })), fault.FormatInvalid, `"f"`},
		refusal{"size with digits behind a blank", archive(with(file("f", ""), func(e *ent) { e.size = "1 1" })), fault.FormatInvalid, `"f"`},
	)
	accept(t, acceptance{"base-256 that is in range", archive(base256((*block).uid, 0x7f, 0xff, 0xff, 0xff)), "- 0644 2147483647:0 1700000000 f\n"})
	t.Run("size beyond the budget", func(t *testing.T) {
		r := NewReader(strings.NewReader(string(archive(with(file("f", ""), func(e *ent) { e.size = "77777777777" })))), Ended, budget(1<<20))
		if _, err := r.Next(); fault.Of(err) != fault.LimitExpanded || !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("8 GiB announced, 1 MiB allowed: %v", err)
		}
	})
}

func TestA22_OversizedExtraHeader(t *testing.T) {
	huge := func(kind byte) []byte {
		return archive(ent{name: "x", kind: kind, size: fmt.Sprintf("%o", limits.ExtraHeader+1)}, file("f", ""))
	}
	refuse(t,
		refusal{"PAX", huge('x'), fault.LimitSize, "1048577 bytes"},
		refusal{"long name", huge('L'), fault.LimitSize, "1048577 bytes"},
		refusal{"long target", huge('K'), fault.LimitSize, "1048577 bytes"},
		refusal{"empty", archive(ent{name: "x", kind: 'x'}, file("f", "")), fault.LimitSize, "0 bytes"},
	)
}

func TestA23_ChecksumAndType(t *testing.T) {
	refuse(t,
		refusal{"wrong checksum", archive(with(file("f", "x"), func(e *ent) { e.sum = "000000\x00 " })), fault.FormatInvalid, `"f"`},
		refusal{"checksum that is no number", archive(with(file("f", "x"), func(e *ent) { e.sum = "zzzzzz\x00 " })), fault.FormatInvalid, `"f"`},
		refusal{"no magic", archive(with(file("f", "x"), func(e *ent) { e.magic = "\x00\x00\x00\x00\x00\x00\x00\x00" })), fault.FormatInvalid, `"f"`},
		refusal{"another version of ustar", archive(with(file("f", "x"), func(e *ent) { e.magic = "ustar\x0001" })), fault.FormatInvalid, `"f"`},
		refusal{"a name ending with a slash", archive(file("f/", "x")), fault.FormatInvalid, `"f/"`},
		refusal{"content in a directory", archive(with(folder("d/"), func(e *ent) { e.body = "x" })), fault.FormatInvalid, `"d/"`},
	)
	for _, kind := range []byte{'7', 'V', 'M', 'D', 'N', 'A', 'X', '8', ' ', 0xff} {
		refuse(t, refusal{fmt.Sprintf("type %q", kind), archive(ent{name: "f", kind: kind}), fault.FormatInvalid, `"f"`})
	}
	accept(t,
		acceptance{"GNU magic", archive(with(file("f", "x"), func(e *ent) { e.magic = magicGNU })), "- 0644 0:0 1700000000 f (1)\n"},
		acceptance{"a file as before 1988", archive(rawEnt(file("f", "x"), func(b *block) { b[156] = 0 })), "- 0644 0:0 1700000000 f (1)\n"},
	)
}

func TestA24_End(t *testing.T) {
	whole := archive(file("f", "content"), file("g", ""))
	zero := make([]byte, blockSize)
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	refuse(t,
		refusal{"no end", cut(file("f", "x")), fault.FormatInvalid, "two blocks of zeros"},
		refusal{"nothing at all", nil, fault.FormatInvalid, "two blocks of zeros"},
		refusal{"one block of zeros", join(cut(file("f", "x")), zero), fault.FormatInvalid, "one block of zeros"},
		refusal{"one block of zeros between entries", join(cut(file("f", "x")), zero, archive(file("g", ""))), fault.FormatInvalid, "single block"},
		refusal{"an archive behind the end", join(whole, archive(file("h", ""))), fault.FormatTrailing, "behind the end"},
		refusal{"a byte behind the end", join(whole, []byte{1}), fault.FormatTrailing, "1 bytes"},
		refusal{"half a block of zeros behind the end", join(whole, zero[:100]), fault.FormatTrailing, "100 bytes"},
	)
	for n := 1; n < len(whole)-1; n++ {
		if _, err := list(whole[:n]); fault.Of(err) != fault.FormatInvalid && fault.Of(err) != fault.FormatTrailing {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	accept(t, acceptance{"any number of whole blocks of zeros", join(whole, make([]byte, 20*blockSize)), "- 0644 0:0 1700000000 f (7)\n- 0644 0:0 1700000000 g\n"})
}

func TestA25_ControlCharactersInNames(t *testing.T) {
	for c := byte(1); c < ' '; c++ {
		name := "a" + string(c) + "b"
		refuse(t, refusal{fmt.Sprintf("%q", name), archive(file(name, "x")), fault.UnsafeEntry, fmt.Sprintf("%q", name)})
	}
	refuse(t,
		refusal{"DEL", archive(file("a\x7fb", "x")), fault.UnsafeEntry, `"a\x7fb"`},
		refusal{"NUL, which only PAX can say", archive(ext("path=a\x00"), file("a", "x")), fault.FormatInvalid, `"a\x00"`},
		refusal{"in a link's target", archive(symlink("l", "a\nb")), fault.UnsafeEntry, `"a\nb"`},
		refusal{"in a hard link's target", archive(file("a", "x"), hardlink("l", "a\n")), fault.UnsafeEntry, `"a\n"`},
	)
	accept(t, acceptance{"other bytes are kept exactly", archive(file("\xff\xfe", ""), file("ä b", "")), "- 0644 0:0 1700000000 \xff\xfe\n- 0644 0:0 1700000000 ä b\n"})
}

func TestA26_Whiteouts(t *testing.T) {
	for _, name := range []string{".wh.x", "etc/.wh.x", ".wh..wh..opq", ".wh.", ".wh..", ".wh...", "etc/.wh.d/f"} {
		refuse(t, refusal{name, archive(file(name, "")), fault.UnsafeWhiteout, fmt.Sprintf("%q", name)})
	}
	refuse(t, refusal{"a directory", archive(folder("a/.wh.b/")), fault.UnsafeWhiteout, `"a/.wh.b/"`})
	accept(t, acceptance{"names that only look like it", archive(file(".whx", ""), file("a.wh.b", "")), "- 0644 0:0 1700000000 .whx\n- 0644 0:0 1700000000 a.wh.b\n"})
}

func TestA28_ExtendedAttributes(t *testing.T) {
	accept(t, acceptance{"user attributes stay, sorted; others are left out with a notice", archive(
		ext("SCHILY.xattr.user.z=1", "SCHILY.xattr.user.a=", "SCHILY.xattr.security.selinux=label", "LIBARCHIVE.xattr.system.posix%5Facl=eA=="), file("f", "x")),
		"- 0644 0:0 1700000000 f (1) user.a=\"\" user.z=\"1\"\nnotice: \"f\": attribute \"security.selinux\" left out\nnotice: \"f\": attribute \"system.posix_acl\" left out\n"})
	for _, name := range []string{"trusted.overlay.opaque", "trusted.md5", "user.overlay.whiteout"} {
		refuse(t,
			refusal{name, archive(ext("SCHILY.xattr."+name+"=y"), file("f", "x")), fault.UnsafeEntry, fmt.Sprintf("%q", name)},
			refusal{name + " of libarchive", archive(ext("LIBARCHIVE.xattr."+name+"=eQ=="), file("f", "x")), fault.UnsafeEntry, fmt.Sprintf("%q", name)})
	}
}

func TestA29_OddTimes(t *testing.T) {
	before := rawEnt(file("a", ""), func(b *block) {
		for i := range b.mtime() {
			b.mtime()[i] = 0xff
		}
	})
	accept(t, acceptance{"never an error; before 1970 is 1970, fractions are dropped", archive(
		before, ext("mtime=-1.5"), file("b", ""), ext("mtime=99.999999999"), file("c", ""),
		ext("mtime=99999999999999999999999"), file("d", ""), ext("mtime=-99999999999999999999999"), file("e", ""),
		with(file("f", ""), func(e *ent) { e.mtime = "77777777777" })),
		"- 0644 0:0 0 a\n- 0644 0:0 0 b\n- 0644 0:0 99 c\n- 0644 0:0 9223372036854775807 d\n- 0644 0:0 0 e\n- 0644 0:0 8589934591 f\n"})
}
