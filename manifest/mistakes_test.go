package manifest

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

// A mistake is a manifest that is refused, and all that is said about it.
type mistake struct {
	rule string
	yaml string
	want string
	// blind: no schema can see it, since it takes the text, the files or two
	// values at once.
	blind bool
}

const debian = "repositories: [{debian: trixie}]\n"

var mistakes = []mistake{{
	rule: "an unknown key is refused, with the nearest one (M-02)",
	yaml: "pakages: [zlib]\n",
	want: "image.yaml:1:1: key \"pakages\": no such key\n" +
		"\thint: did you mean \"packages\"?",
}, {
	rule: "an unknown key that is near none lists those there are",
	yaml: "users: [{name: a, password: b}]\n",
	want: "image.yaml:1:19: key \"password\": no such key\n" +
		"\thint: keys here: name, uid, gid, groups, home, shell, comment",
}, {
	rule: "a key stands once (M-02)",
	yaml: "name: a\ncompression: gzip\nname: b\n",
	want: "image.yaml:3:1: key \"name\": already on line 1", blind: true,
}, {
	rule: "a key in a map within stands once (M-02)",
	yaml: "config:\n  env: {A: x, B: y, A: z}\n",
	want: "image.yaml:2:21: key \"A\": already on line 2", blind: true,
}, {
	rule: "all mistakes are reported, in the order of the file",
	yaml: "compression: gzp\nnme: x\nplatforms: [linux/amd46]\nconfig:\n  user: [a]\n  ports: [80/tpc]\n",
	want: "image.yaml:1:14: compression \"gzp\": not one of gzip, zstd, none\n" +
		"\thint: did you mean \"gzip\"?\n" +
		"image.yaml:2:1: key \"nme\": no such key\n" +
		"\thint: did you mean \"name\"?\n" +
		"image.yaml:3:13: platform \"linux/amd46\": not one of linux/amd64, linux/arm64, linux/arm/v7, linux/arm/v6, linux/arm/v5, linux/386, linux/loong64, linux/mips64le, linux/ppc64le, linux/riscv64, linux/s390x\n" +
		"\thint: did you mean \"linux/amd64\"?\n" +
		"image.yaml:5:9: user: a list, text is wanted\n" +
		"image.yaml:6:11: port \"80/tpc\": not number/tcp, number/udp or number/sctp\n" +
		"\thint: for example \"8080/tcp\"",
}, {
	rule: "aliases and anchors are refused (M-01)",
	yaml: "config: {cmd: &x [a], entrypoint: *x}\n",
	want: "image.yaml:1:15: anchor &x: anchors and aliases are not read\n" +
		"\thint: leave it out, or quote the value if it begins with &\n" +
		"image.yaml:1:35: alias *x: anchors and aliases are not read\n" +
		"\thint: write the value out, or quote it if it begins with *", blind: true,
}, {
	rule: "an alias of nothing has its place too (M-01)",
	yaml: "name: a\nremove:\n  - *foo\n",
	want: "image.yaml:3:5: alias *foo: anchors and aliases are not read\n" +
		"\thint: quote a value that begins with *", blind: true,
}, {
	rule: "tags are refused (M-02)",
	yaml: "name: !!str 12\n",
	want: "image.yaml:1:7: tag !!str: tags are not read", blind: true,
}, {
	rule: "an exclusion without quotes is a tag, and the hint says so",
	yaml: debian + "packages:\n  - !perl-base\n  - ! perl-base\n",
	want: "image.yaml:3:5: tag !perl-base: tags are not read\n" +
		"\thint: quote it: \"!perl-base\"\n" +
		"image.yaml:4:5: tag !: tags are not read\n" +
		"\thint: quote it: \"!perl-base\"",
}, {
	rule: "merge keys are refused (M-02)",
	yaml: "config:\n  <<: {user: app}\n",
	want: "image.yaml:2:3: key <<: merge keys are not read\n" +
		"\thint: use include: to share parts of a manifest", blind: true,
}, {
	rule: "a second document is refused (M-02)",
	yaml: "name: a\n---\nname: b\n",
	want: "image.yaml:2:1: second document: a manifest is one document\n" +
		"\thint: leave out the \"---\"", blind: true,
}, {
	rule: "text behind the end of the document is refused",
	yaml: "name: a\n...\nname: b\n",
	want: "image.yaml:3:1: text behind the end of the document\n" +
		"\thint: a manifest is one document", blind: true,
}, {
	rule: "more than 64 lists within one another are refused (M-01)",
	yaml: "config: {cmd: " + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}\n",
	want: "image.yaml:1:16: argument: a list, text is wanted\n" +
		"image.yaml:1:78: more than 64 lists and maps within one another",
}, {
	rule: "a file of more than 1 MiB is refused (M-01)",
	yaml: "name: a\n" + strings.Repeat("#\n", 1<<19),
	want: "image.yaml: 1048577 bytes: a manifest has at most 1048576", blind: true,
}, {
	rule: "an empty file is refused",
	yaml: "# nothing\n",
	want: "image.yaml: empty: nothing to build",
}, {
	rule: "a document without a value is refused",
	yaml: "---\n",
	want: "image.yaml:2:1: manifest: no value, a map is wanted",
}, {
	rule: "a manifest is a map",
	yaml: "- zlib\n",
	want: "image.yaml:1:1: manifest: a list, a map is wanted",
}, {
	rule: "UTF-8 only",
	yaml: "name: \xe9\n",
	want: "image.yaml:1:7: not UTF-8\n" +
		"\thint: save the file as UTF-8", blind: true,
}, {
	rule: "columns count characters",
	yaml: "name: \"é\" \xff\n",
	want: "image.yaml:1:11: not UTF-8\n" +
		"\thint: save the file as UTF-8", blind: true,
}, {
	rule: "no tab indents a line, and all such lines are named",
	yaml: "config:\n\tuser: app\n  \tworkdir: /\n",
	want: "image.yaml:2:1: tab: lines are indented with spaces\n" +
		"\thint: write two spaces\n" +
		"image.yaml:3:3: tab: lines are indented with spaces\n" +
		"\thint: write two spaces", blind: true,
}, {
	rule: "a character that turns text around is refused, even in a comment (M-08)",
	yaml: "name: a # \u202egpj\n",
	want: "image.yaml:1:11: character U+202E: not visible\n" +
		"\thint: write it as \"\\u202e\", in double quotes", blind: true,
}, {
	rule: "a control character is refused",
	yaml: "name: a\x00\n",
	want: "image.yaml:1:8: character U+0000: not visible\n" +
		"\thint: write it as \"\\u0000\", in double quotes", blind: true,
}, {
	rule: "a key without a value is refused",
	yaml: "packages:\nname: ~\n",
	want: "image.yaml:1:10: packages: no value, a list is wanted\n" +
		"image.yaml:2:7: name: no value, text is wanted",
}, {
	rule: "one value is no list",
	yaml: debian + "packages: zlib\n",
	want: "image.yaml:2:11: packages \"zlib\": text, a list is wanted\n" +
		"\thint: write [zlib]",
}, {
	rule: "a number is no version: 1.10 would be 1.1 (M-03)",
	yaml: "repositories: [{alpine: 3.10}]\n",
	want: "image.yaml:1:25: alpine 3.10: a number, text is wanted\n" +
		"\thint: quote it: \"v3.10\"",
}, {
	rule: "a number is no package (M-03)",
	yaml: debian + "packages: [1.10]\n",
	want: "image.yaml:2:12: package 1.10: a number, text is wanted\n" +
		"\thint: quote it: \"1.10\"",
}, {
	rule: "a number is no text of a map either (M-03)",
	yaml: "config:\n  env: {PORT: 8080, DEBUG: true, SINCE: 2026-11-01, NONE: null}\n",
	want: "image.yaml:2:15: env.PORT 8080: a number, text is wanted\n" +
		"\thint: quote it: \"8080\"\n" +
		"image.yaml:2:28: env.DEBUG true: a truth value, text is wanted\n" +
		"\thint: quote it: \"true\"\n" +
		"image.yaml:2:41: env.SINCE 2026-11-01: a date, text is wanted\n" +
		"\thint: quote it: \"2026-11-01\"\n" +
		"image.yaml:2:59: env.NONE: no value, text is wanted",
}, {
	rule: "booleans are true and false alone",
	yaml: debian + "recommends: yes\nessential: FALSE\n",
	want: "image.yaml:2:13: recommends \"yes\": text, true or false is wanted\n" +
		"\thint: write true\n" +
		"image.yaml:3:12: essential FALSE: a truth value, true or false is wanted\n" +
		"\thint: write false",
}, {
	rule: "a mode is quoted",
	yaml: "files: [{path: /a, content: x, mode: 0755}]\n",
	want: "image.yaml:1:38: mode 0755: a number, text is wanted\n" +
		"\thint: quote it: \"0755\"",
}, {
	rule: "a mode has four octal digits",
	yaml: "files: [{path: /a, content: x, mode: \"755\"}, {path: /b, content: x, mode: \"0888\"}]\n",
	want: "image.yaml:1:38: mode \"755\": not four octal digits\n" +
		"\thint: write \"0755\"\n" +
		"image.yaml:1:75: mode \"0888\": not four octal digits\n" +
		"\thint: for example \"0755\"",
}, {
	rule: "a file says what it is, once",
	yaml: "files:\n  - {path: /a}\n  - {path: /a, content: x, link: y}\n  - {content: x}\n",
	want: "image.yaml:2:5: file: none of source, content, type, link\n" +
		"image.yaml:3:28: file: both content and link, of which one is wanted\n" +
		"image.yaml:4:5: file: no path",
}, {
	rule: "a link has no mode of its own",
	yaml: "files: [{path: /a, link: b, mode: \"0777\"}]\n",
	want: "image.yaml:1:29: key \"mode\": not for a file with link:",
}, {
	rule: "a path in the image is absolute and clean",
	yaml: "files: [{path: a, type: dir}, {path: /a/../b, content: x}, {path: /a/, type: dir}, {path: /, content: x}]\nconfig: {workdir: ., volumes: [/data//x]}\n",
	want: "image.yaml:1:16: path \"a\": not an absolute path\n" +
		"\thint: write \"/a\"\n" +
		"image.yaml:1:38: path \"/a/../b\": has an empty, . or .. part, or a slash at the end\n" +
		"\thint: write \"/b\"\n" +
		"image.yaml:1:67: path \"/a/\": has an empty, . or .. part, or a slash at the end\n" +
		"\thint: write \"/a\"\n" +
		"image.yaml:1:91: path \"/\": not an absolute path below /\n" +
		"\thint: for example \"/etc/motd\"\n" +
		"image.yaml:2:19: workdir \".\": not an absolute path\n" +
		"\thint: write \"/\"\n" +
		"image.yaml:2:32: volume \"/data//x\": has an empty, . or .. part, or a slash at the end\n" +
		"\thint: write \"/data/x\"",
}, {
	rule: "a source is there",
	yaml: "files: [{path: /a, source: ./nope}]\n",
	want: "image.yaml:1:28: source \"./nope\": no such file", blind: true,
}, {
	rule: "a source lies in the project (M-04)",
	yaml: "files: [{path: /a, source: ../secret}]\n",
	want: "image.yaml:1:28: source \"../secret\": leaves the project", blind: true,
}, {
	rule: "a source is relative (M-04)",
	yaml: "files: [{path: /a, source: /etc/passwd}]\n",
	want: "image.yaml:1:28: source \"/etc/passwd\": not a path relative to the manifest",
}, {
	rule: "a URL is no path",
	yaml: "files: [{path: /a, source: https://example.org/a}]\n",
	want: "image.yaml:1:28: source \"https://example.org/a\": a URL, a path is wanted; a download is {url: …, sha256: …}, where there may be one", blind: true,
}, {
	rule: "a download has its digest",
	yaml: "files: [{path: /a, source: {url: https://example.org/a}}, {path: /b, source: {url: https://example.org/b, sha256: abc}}]\n",
	want: "image.yaml:1:28: source: no sha256\n" +
		"image.yaml:1:115: sha256 \"abc\": not 64 lower-case hexadecimal digits",
}, {
	rule: "formats do not mix",
	yaml: "repositories:\n  - debian: trixie\n  - alpine: v3.22\n",
	want: "image.yaml:3:5: repository of format apk: the first one, at image.yaml:2:5, is of format deb\n" +
		"\thint: an image holds packages of one format", blind: true,
}, {
	rule: "a repository is one of the four kinds",
	yaml: "repositories:\n  - rpm: https://example.org\n  - debian\n  - {debian: trixie, alpine: v3.22}\n",
	want: "image.yaml:2:5: repository: none of debian, alpine, deb, apk\n" +
		"image.yaml:2:5: key \"rpm\": no such key\n" +
		"\thint: keys here: alpine, apk, components, deb, debian, keyring, name, snapshot, suites, trusted\n" +
		"image.yaml:3:5: repository \"debian\": text, a map is wanted\n" +
		"\thint: write {debian: …}\n" +
		"image.yaml:4:22: repository: both debian and alpine, of which one is wanted",
}, {
	rule: "a key of another kind of repository is refused",
	yaml: "repositories: [{alpine: v3.22, snapshot: 20261101T000000Z}]\n",
	want: "image.yaml:1:32: key \"snapshot\": not for an alpine: repository",
}, {
	rule: "a long form has a keyring or says insecure",
	yaml: "repositories: [{deb: https://packages.example.org/debian, suites: [stable]}]\n",
	want: "image.yaml:1:16: repository: no keyring, so nothing shows whose packages they are\n" +
		"\thint: write keyring: and the file of the repository's keys, or trusted: insecure", blind: true,
}, {
	rule: "a keyring and trusted: insecure contradict each other",
	yaml: "repositories: [{apk: https://packages.example.org/os, keyring: keys/a.pub, trusted: insecure}]\n",
	want: "image.yaml:1:16: repository: both keyring and trusted: insecure, of which one is wanted", blind: true,
}, {
	rule: "a keyring is a file that is there",
	yaml: "repositories: [{apk: https://packages.example.org/os, keyring: [keys, keys/b.pub, ../c.pub]}]\n",
	want: "image.yaml:1:65: keyring \"keys\": a folder, a file is wanted\n" +
		"image.yaml:1:71: keyring \"keys/b.pub\": no such file\n" +
		"image.yaml:1:83: keyring \"../c.pub\": leaves the project", blind: true,
}, {
	rule: "suites are named",
	yaml: "repositories: [{deb: https://packages.example.org/debian, trusted: insecure}, {deb: https://packages.example.org/debian, suites: [], trusted: insecure}, {deb: https://packages.example.org/debian, suites: [../x], trusted: insecure}]\n",
	want: "image.yaml:1:16: repository: no suites\n" +
		"image.yaml:1:130: suites: empty, at least one suite is wanted\n" +
		"image.yaml:1:206: suite \"../x\": not a suite\n" +
		"\thint: for example \"stable\"",
}, {
	rule: "a release is one of the distribution's form",
	yaml: "repositories: [{alpine: \"3.22\"}]\n",
	want: "image.yaml:1:25: alpine \"3.22\": not a release\n" +
		"\thint: write \"v3.22\"",
}, {
	rule: "a release of Debian has a name",
	yaml: "repositories: [{debian: 13}, {debian: \"12\"}, {debian: 99}]\n",
	want: "image.yaml:1:25: debian 13: a number, text is wanted\n" +
		"\thint: quote it: \"trixie\"\n" +
		"image.yaml:1:39: debian \"12\": not a release's code name\n" +
		"\thint: write \"bookworm\"\n" +
		"image.yaml:1:55: debian 99: a number, text is wanted\n" +
		"\thint: for example \"trixie\"",
}, {
	rule: "a snapshot is a time that there is",
	yaml: "repositories: [{debian: trixie, snapshot: 2026-11-01}, {debian: trixie, snapshot: 20261301T000000Z}]\n",
	want: "image.yaml:1:43: snapshot 2026-11-01: a date, text is wanted\n" +
		"\thint: for example \"20261101T000000Z\"\n" +
		"image.yaml:1:83: snapshot \"20261301T000000Z\": no such time",
}, {
	rule: "a password in a URL is refused and never shown (M-09)",
	yaml: "repositories: [{apk: 'https://user:hunter2@packages.example.org/os', trusted: insecure}, {apk: 'https://u:hunter2/x@h/?a', trusted: insecure}]\n" +
		"files: [{path: /a, source: {url: 'https://hunter2@example.org/a', sha256: " + digits + "}}]\n",
	want: "image.yaml:1:22: apk \"https://…@packages.example.org/os\": has a user name or password; credentials come from netrc or the environment\n" +
		"image.yaml:1:96: apk \"https://…@h/?…\": not a URL\n" +
		"image.yaml:2:34: url \"https://…@example.org/a\": has a user name or password; credentials come from netrc or the environment", blind: true,
}, {
	rule: "a query in a URL may be a secret: refused and never shown (M-09)",
	yaml: "repositories: [{apk: 'https://packages.example.org/os?token=hunter2', trusted: insecure}]\n",
	want: "image.yaml:1:22: apk \"https://packages.example.org/os?…\": has a query or a fragment", blind: true,
}, {
	rule: "a URL in the wrong place does not show its password either (M-09)",
	yaml: debian + "packages: ['https://u:hunter2@packages.example.org/x.deb']\nhttps://u:hunter2@h/?token: x\n",
	want: "image.yaml:2:12: package \"https://…@packages.example.org/x.deb\": not a package\n" +
		"image.yaml:3:1: key \"https://…@h/?…\": no such key\n" +
		"\thint: keys here: name, platforms, include, repositories, packages, recommends, essential, prefer, elide, files, remove, slim, users, groups, config, annotations, layers, platform-skew, compression, package-database, policy",
}, {
	rule: "URLs are http, https or file, with a host or without",
	yaml: "repositories:\n  - {apk: ftp://packages.example.org/os, trusted: insecure}\n  - {apk: 'file://os', trusted: insecure}\n  - {apk: 'https:///os', trusted: insecure}\n  - {apk: 'https://h/a/../b', trusted: insecure}\n  - {apk: 'https://h/a b', trusted: insecure}\n",
	want: "image.yaml:2:11: apk \"ftp://packages.example.org/os\": not a URL\n" +
		"\thint: for example \"https://packages.example.org/debian\"\n" +
		"image.yaml:3:11: apk \"file://os\": file: is followed by three slashes\n" +
		"image.yaml:4:11: apk \"https:///os\": names no host\n" +
		"image.yaml:5:11: apk \"https://h/a/../b\": has a .. part\n" +
		"image.yaml:6:11: apk \"https://h/a b\": has a space or a backslash",
}, {
	rule: "a download is no file URL",
	yaml: "files: [{path: /a, source: {url: 'file:///a', sha256: " + digits + "}}]\n",
	want: "image.yaml:1:34: url \"file:///a\": not an http or https URL\n" +
		"\thint: for example \"https://example.org/file\"",
}, {
	rule: "names of repositories are unique",
	yaml: "repositories:\n  - {alpine: edge, name: edge}\n  - {alpine: edge, name: edge}\n",
	want: "image.yaml:3:5: repository name \"edge\": already at image.yaml:2:5", blind: true,
}, {
	rule: "repositories are not beyond counting",
	yaml: "repositories: [" + strings.Repeat("{debian: trixie}, ", 65) + "]\n",
	want: "image.yaml:1:15: repositories: 65 of them, at most 64 are wanted",
}, {
	rule: "packages come from repositories",
	yaml: "packages: [zlib]\n",
	want: "image.yaml:1:12: package \"zlib\": there are no repositories\n" +
		"\thint: write repositories:, for example [{debian: trixie}]", blind: true,
}, {
	rule: "a package has no spaces",
	yaml: debian + "packages: [openssl >= 3.5, 'zlib1g (>= 1.2)', \"a b\"]\n",
	want: "image.yaml:2:12: package \"openssl >= 3.5\": not a package\n" +
		"\thint: write \"openssl>=3.5\"\n" +
		"image.yaml:2:28: package \"zlib1g (>= 1.2)\": not a package\n" +
		"\thint: write \"zlib1g>=1.2\"\n" +
		"image.yaml:2:47: package \"a b\": not a package\n" +
		"\thint: for example \"openssl>=3.5\"",
}, {
	rule: "a package stands once",
	yaml: debian + "packages:\n  - zlib1g\n  - zlib1g\n",
	want: "image.yaml:4:5: package \"zlib1g\": already on line 3",
}, {
	rule: "a pin names a repository",
	yaml: "repositories: [{alpine: v3.22}, {alpine: edge, name: edge}]\npackages: [zlib@edgy, zlib>1@testing]\n",
	want: "image.yaml:2:12: package \"zlib@edgy\": no repository is named \"edgy\"\n" +
		"\thint: did you mean \"edge\"?\n" +
		"image.yaml:2:23: package \"zlib>1@testing\": no repository is named \"testing\"\n" +
		"\thint: write name: testing in the repository that it comes from", blind: true,
}, {
	rule: "keys of the one format mean nothing to the other",
	yaml: "repositories: [{alpine: v3.22}]\nrecommends: true\nelide: helpers\n",
	want: "image.yaml:2:1: key \"recommends\": means nothing to packages of format apk\n" +
		"\thint: leave it out\n" +
		"image.yaml:3:1: key \"elide\": means nothing to packages of format apk\n" +
		"\thint: leave it out", blind: true,
}, {
	rule: "elide is helpers or a list",
	yaml: debian + "elide: all\n",
	want: "image.yaml:2:8: elide \"all\": not helpers",
}, {
	rule: "globs are absolute",
	yaml: "remove: [usr/share/**, /a/../b]\n",
	want: "image.yaml:1:10: glob \"usr/share/**\": not an absolute path, or ! and one\n" +
		"\thint: for example \"/usr/share/info/**\"\n" +
		"image.yaml:1:24: glob \"/a/../b\": has an empty, . or .. part, or a slash at the end",
}, {
	rule: "slim has names",
	yaml: "slim: [doc, licenses, manual]\n",
	want: "image.yaml:1:8: slim \"doc\": not one of docs, man, locales, licences, info\n" +
		"\thint: write \"docs\"\n" +
		"image.yaml:1:13: slim \"licenses\": not one of docs, man, locales, licences, info\n" +
		"\thint: write \"licences\"\n" +
		"image.yaml:1:23: slim \"manual\": not one of docs, man, locales, licences, info",
}, {
	rule: "names of users and groups are those of useradd (M-07)",
	yaml: "users:\n  - name: App\n  - name: \"a:0\"\n  - name: \"a\\nroot\"\n  - name: \"0day\"\n  - name: abcdefghijklmnopqrstuvwxyz0123456\n",
	want: "image.yaml:2:11: name \"App\": not a user or group name\n" +
		"\thint: write \"app\"\n" +
		"image.yaml:3:11: name \"a:0\": not a user or group name\n" +
		"\thint: for example \"app\"\n" +
		"image.yaml:4:11: name \"a\\nroot\": has a line break or another control character\n" +
		"\thint: for example \"app\"\n" +
		"image.yaml:5:11: name \"0day\": not a user or group name\n" +
		"\thint: for example \"app\"\n" +
		"image.yaml:6:11: name \"abcdefghijklmnopqrstuvwxyz0123456\": longer than 32 bytes",
}, {
	rule: "home, shell and comment cannot add fields to passwd (M-07)",
	yaml: "users:\n  - {name: a, home: \"/a:/b\", shell: \"/bin/sh\\nroot::0:0\", comment: \"x:y\"}\n",
	want: "image.yaml:2:21: home \"/a:/b\": not an absolute path without a colon\n" +
		"\thint: for example \"/home/app\"\n" +
		"image.yaml:2:37: shell \"/bin/sh\\nroot::0:0\": has a line break or another control character\n" +
		"\thint: for example \"/home/app\"\n" +
		"image.yaml:2:68: comment \"x:y\": not text without a colon",
}, {
	rule: "numbers of users are numbers, in decimal and in range",
	yaml: "users:\n  - {name: a, uid: \"1\"}\n  - {name: b, uid: -1}\n  - {name: c, uid: 010}\n  - {name: d, uid: 4294967295}\n  - {name: e, uid: 1.5}\n",
	want: "image.yaml:2:20: uid \"1\": text, a whole number is wanted\n" +
		"\thint: leave out the quotes\n" +
		"image.yaml:3:20: uid -1: not between 0 and 4294967294\n" +
		"image.yaml:4:20: uid 010: not a whole number in decimal\n" +
		"image.yaml:5:20: uid 4294967295: not between 0 and 4294967294\n" +
		"image.yaml:6:20: uid 1.5: not a whole number in decimal",
}, {
	rule: "users, groups and their numbers are unique",
	yaml: "users:\n  - {name: a, uid: 1}\n  - {name: a, uid: 2}\n  - {name: b, uid: 1}\ngroups:\n  - {name: g}\n  - {name: g}\n",
	want: "image.yaml:3:5: user \"a\": already at image.yaml:2:5\n" +
		"image.yaml:4:5: uid 1: already at image.yaml:2:5\n" +
		"image.yaml:7:5: group \"g\": already at image.yaml:6:5", blind: true,
}, {
	rule: "an owner is user, or user:group, by name or number",
	yaml: "files: [{path: /a, content: x, owner: 0}, {path: /b, content: x, owner: \"a:b:c\"}, {path: /c, content: x, owner: \"9999999999\"}]\nconfig: {user: \"app\\n\"}\n",
	want: "image.yaml:1:39: owner 0: a number, text is wanted\n" +
		"\thint: quote it: \"0\"\n" +
		"image.yaml:1:73: owner \"a:b:c\": not user, or user:group\n" +
		"\thint: for example \"app:app\"\n" +
		"image.yaml:1:113: owner \"9999999999\": a number above 4294967294\n" +
		"image.yaml:2:16: user \"app\\n\": has a line break or another control character\n" +
		"\thint: for example \"app:app\"",
}, {
	rule: "variables have names (M-07)",
	yaml: "config:\n  env:\n    A=B: x\n    1A: x\n    \"\": x\n",
	want: "image.yaml:3:5: env: key \"A=B\": not the name of a variable\n" +
		"image.yaml:4:5: env: key \"1A\": not the name of a variable\n" +
		"image.yaml:5:5: env: key \"\": not the name of a variable",
}, {
	rule: "variables, labels and annotations have one line (M-07)",
	yaml: "config:\n  env: {A: \"x\\ny\"}\n  labels: {a: \"x\\0y\", \"b c\": d}\nannotations: {a: \"x\\ry\"}\n",
	want: "image.yaml:2:12: env.A \"x\\ny\": has a line break or another control character\n" +
		"image.yaml:3:15: labels.a \"x\\x00y\": has a line break or another control character\n" +
		"image.yaml:3:23: labels: key \"b c\": not letters, digits and ._/-\n" +
		"image.yaml:4:18: annotations.a \"x\\ry\": has a line break or another control character",
}, {
	rule: "an argument has no zero byte",
	yaml: "config: {cmd: [\"a\\nb\", \"a\\0b\"]}\n",
	want: "image.yaml:1:24: argument \"a\\x00b\": has a zero byte", blind: true,
}, {
	rule: "ports are numbers with a protocol",
	yaml: "config: {ports: [8080, 0/tcp, 99999/udp, 08/tcp]}\n",
	want: "image.yaml:1:18: port 8080: a number, text is wanted\n" +
		"\thint: quote it: \"8080/tcp\"\n" +
		"image.yaml:1:24: port \"0/tcp\": not a port between 1 and 65535\n" +
		"image.yaml:1:31: port \"99999/udp\": not a port between 1 and 65535\n" +
		"image.yaml:1:42: port \"08/tcp\": not a port between 1 and 65535",
}, {
	rule: "a signal has its full name",
	yaml: "config: {stop-signal: term}\n",
	want: "image.yaml:1:23: stop-signal \"term\": not a signal\n" +
		"\thint: write \"SIGTERM\"",
}, {
	rule: "a misspelt signal",
	yaml: "config: {stop-signal: SIGTREM}\n",
	want: "image.yaml:1:23: stop-signal \"SIGTREM\": not a signal\n" +
		"\thint: did you mean \"SIGTERM\"?",
}, {
	rule: "a platform by another name",
	yaml: "platforms: [x86_64, linux/arm64/v8]\n",
	want: "image.yaml:1:13: platform \"x86_64\": not one of linux/amd64, linux/arm64, linux/arm/v7, linux/arm/v6, linux/arm/v5, linux/386, linux/loong64, linux/mips64le, linux/ppc64le, linux/riscv64, linux/s390x\n" +
		"\thint: write \"linux/amd64\"\n" +
		"image.yaml:1:21: platform \"linux/arm64/v8\": not one of linux/amd64, linux/arm64, linux/arm/v7, linux/arm/v6, linux/arm/v5, linux/386, linux/loong64, linux/mips64le, linux/ppc64le, linux/riscv64, linux/s390x\n" +
		"\thint: write \"linux/arm64\"",
}, {
	rule: "layers are single or by origin",
	yaml: "layers: {by: package, max: 1}\n",
	want: "image.yaml:1:14: by \"package\": not origin\n" +
		"image.yaml:1:28: max 1: not between 2 and 127",
}, {
	rule: "values of another kind: a table, a choice, one or a list",
	yaml: "annotations: [a]\nrepositories: [debian]\nusers: [app]\nelide:\ninclude: {a: b}\nlayers: [single]\nconfig: {? [a] : b}\n",
	want: "image.yaml:1:14: annotations: a list, a map is wanted\n" +
		"image.yaml:2:16: repository \"debian\": text, a map is wanted\n" +
		"\thint: write {debian: …}\n" +
		"image.yaml:3:9: user \"app\": text, a map is wanted\n" +
		"image.yaml:4:7: elide: no value, text or a list is wanted\n" +
		"image.yaml:5:10: include: a map, text or a list is wanted\n" +
		"image.yaml:6:9: layers: a list, text or a map is wanted\n" +
		"image.yaml:7:12: key: a word is wanted, not a list or a map", blind: true,
}, {
	rule: "suites and components are folders below",
	yaml: "repositories: [{debian: trixie, components: [main/../x, a//b]}]\n",
	want: "image.yaml:1:46: component \"main/../x\": has an empty, . or .. part\n" +
		"image.yaml:1:57: component \"a//b\": has an empty, . or .. part", blind: true,
}, {
	rule: "layers are not many",
	yaml: "layers: many\n",
	want: "image.yaml:1:9: layers \"many\": not single",
}, {
	rule: "a size has a unit",
	yaml: "policy: {max-size: 60}\n",
	want: "image.yaml:1:20: max-size 60: a number, text is wanted\n" +
		"\thint: quote it: \"60MiB\"",
}, {
	rule: "a size has a unit that there is",
	yaml: "policy: {max-size: 60 mb}\n",
	want: "image.yaml:1:20: max-size \"60 mb\": not a number with a unit\n" +
		"\thint: write \"60MB\"",
}, {
	rule: "a size is above nothing",
	yaml: "policy: {max-size: 0MiB}\n",
	want: "image.yaml:1:20: max-size \"0MiB\": not between 1B and 1048576TiB", blind: true,
}, {
	rule: "rules of the policy have names",
	yaml: "policy: {forbid: [shels, setuid], allow: [usr/bin/su, {item: /a/, reason: x}, {reason: y}]}\n",
	want: "image.yaml:1:19: rule \"shels\": not one of shell, set-uid, package-manager, world-writable, unknown-scripts, missing-interpreter, missing-library\n" +
		"\thint: did you mean \"shell\"?\n" +
		"image.yaml:1:26: rule \"setuid\": not one of shell, set-uid, package-manager, world-writable, unknown-scripts, missing-interpreter, missing-library\n" +
		"\thint: did you mean \"set-uid\"?\n" +
		"image.yaml:1:43: exception \"usr/bin/su\": not an absolute path or a package's name\n" +
		"\thint: for example \"/usr/bin/su\"\n" +
		"image.yaml:1:62: item \"/a/\": has an empty, . or .. part, or a slash at the end\n" +
		"image.yaml:1:79: exception: no item",
}, {
	rule: "an image has a plain name",
	yaml: "name: My Image\n",
	want: "image.yaml:1:7: name \"My Image\": not an image name\n" +
		"\thint: write \"my-image\"",
}, {
	rule: "a long value is shown in part",
	yaml: "name: " + strings.Repeat("A", 100) + "\n",
	want: "image.yaml:1:7: name \"" + strings.Repeat("A", 80) + "…\": not an image name\n" +
		"\thint: write \"" + strings.Repeat("a", 100) + "\"",
}, {
	rule: "syntax: a colon in a value",
	yaml: "name: a\nconfig:\n  user: a: b\n",
	want: "image.yaml:3:3: a second \": \" in one value\n" +
		"\thint: quote a value that contains a colon and a space", blind: true,
}, {
	rule: "syntax: no space behind a colon",
	yaml: "name: a\ncompression:gzip\nslim: [man]\n",
	want: "image.yaml:2:1: a line that is neither \"key: value\" nor \"- item\"\n" +
		"\thint: put a space behind the colon of a key, and behind the hyphen of an item", blind: true,
}, {
	rule: "syntax: indentation of a map",
	yaml: "name: a\nconfig:\n    user: app\n  workdir: /\n",
	want: "image.yaml:4:3: this line does not fit the ones above it\n" +
		"\thint: keys of one map are indented alike; quote a value that holds a quote, or begins with a bracket or a brace", blind: true,
}, {
	rule: "syntax: a list that is not closed",
	yaml: "name: a\npackages: [zlib\nslim: [man]\n",
	want: "image.yaml:2:1: a list in brackets is not closed, or lacks a comma\n" +
		"\thint: quote an item that begins with !, * or &, or contains a bracket, a brace or a comma", blind: true,
}, {
	rule: "syntax: a quoted text that is not closed",
	yaml: "name: a\nconfig: {user: 'app}\n",
	want: "image.yaml:2:1: a quoted text is not closed", blind: true,
}, {
	rule: "syntax: an unknown escape",
	yaml: "name: a\nannotations: {a: \"\\q\"}\n",
	want: "image.yaml:2:1: an unknown escape in a text in double quotes\n" +
		"\thint: write a backslash as \\\\, or use single quotes", blind: true,
}, {
	rule: "syntax: a glob that begins with a star",
	yaml: "remove:\n  - /a\n  - **/b\n",
	want: "image.yaml:3:3: a value begins with * or &\n" +
		"\thint: quote it", blind: true,
}, {
	rule: "syntax: a value that begins with @",
	yaml: "name: @a\n",
	want: "image.yaml:1:1: a character that cannot begin a value\n" +
		"\thint: quote a value that begins with @, %, ` or a tab", blind: true,
}, {
	rule: "syntax: text on the line of a block",
	yaml: "files:\n  - path: /a\n    content: | hello\n",
	want: "image.yaml:3:5: something unknown behind | or >\n" +
		"\thint: begin the text on the next line", blind: true,
}}

const digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// project is a project with the given manifest and what fixtures name.
func project(yaml string) fstest.MapFS {
	return fstest.MapFS{
		"image.yaml":  {Data: []byte(yaml)},
		"hello":       {Data: []byte("hello\n"), Mode: 0o755},
		"keys/a.pub":  {Data: []byte("a key")},
		"conf/a.conf": {Data: []byte("a")},
	}
}

// outcome is the image, or what is wrong, as text.
func outcome(img *Image, err error) string {
	if err == nil {
		return "an image:\n" + string(img.Canonical())
	}
	if _, ok := err.(Errors); !ok {
		return fmt.Sprintf("an error of type %T: %v", err, err)
	}
	return err.Error()
}

// A URL with a password may end up anywhere in a manifest: no message about it
// shows the password (M-09).
func TestNoMessageShowsAPassword(t *testing.T) {
	const secret = "https://user:hunter2@example.org/x?token=hunter2"
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(everyKey), &doc); err != nil {
		t.Fatal(err)
	}
	refused := 0
	var one yaml.Node // a manifest of one key
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for _, c := range n.Content {
			walk(c)
		}
		was := *n
		for _, leak := range []yaml.Node{
			{Kind: yaml.ScalarNode, Value: secret},
			{Kind: yaml.ScalarNode, Value: "https://user:hunter2@example.org"},
			{Kind: yaml.ScalarNode, Value: "a", Tag: "!" + secret},
			{Kind: yaml.ScalarNode, Value: secret + "\n"},
			{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: secret}}},
			{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: secret}, {Kind: yaml.ScalarNode, Value: secret}}},
			{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: secret}, {Kind: yaml.SequenceNode}}},
		} {
			*n = leak
			text, err := yaml.Marshal(&one)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.ReplaceAll(string(text), "\u202e", "") // which the writer of YAML leaves as it is
			if _, err := Parse(project(plain), "image.yaml", Options{DefaultName: "test"}); err != nil {
				refused++
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("for %q on line %d: %v", was.Value, was.Line, err)
				}
			}
		}
		*n = was
	}
	for pairs := doc.Content[0].Content; len(pairs) > 0; pairs = pairs[2:] {
		one = yaml.Node{Kind: yaml.MappingNode, Content: pairs[:2:2]}
		walk(&one)
	}
	if refused < 500 {
		t.Errorf("%d manifests were refused; the test does not reach the messages", refused)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.rule, func(t *testing.T) {
			got := outcome(Parse(project(tt.yaml), "image.yaml", Options{DefaultName: "test"}))
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
}
