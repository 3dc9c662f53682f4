package manifest

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// image is the shape of a manifest: every key that there is.
var image = record{keys: []key{
	{name: "name", shape: imageName, own: true,
		doc: "Name of the image. Default: the name of the manifest's folder."},
	{name: "platforms", shape: list{of: platform, each: "platform", unique: true, some: true}, whole: true,
		doc: "Platforms to build for. Default: the builder's own."},
	{name: "include", shape: either{scalar: projectPath, list: list{of: projectPath, each: "include", unique: true}}, own: true,
		doc: "Manifests to start from, relative to this one and inside the project: lists append to theirs, maps merge, other values replace theirs."},
	{name: "repositories", shape: list{of: repository, each: "repository", most: 64},
		doc: "Where packages come from; all of one format."},
	{name: "packages", shape: list{of: want, each: "package", unique: true},
		doc: "Packages to install, with all that they depend on."},
	{name: "recommends", shape: truth{}, format: "deb", initial: false,
		doc: "Follow Recommends too."},
	{name: "essential", shape: truth{}, format: "deb", initial: false,
		doc: "Add every package that is Essential: yes."},
	{name: "prefer", shape: list{of: packageName, each: "package", unique: true},
		doc: "Packages to take first among alternatives and providers; the first matters most."},
	{name: "elide", shape: either{scalar: elide, list: list{of: packageName, each: "package", unique: true}}, format: "deb",
		doc: "Dependencies to take as satisfied, since compose does their work: helpers for all such packages, or a list."},
	{name: "files", shape: list{of: file, each: "file"},
		doc: "What no package brings; applied after the packages, in order."},
	{name: "remove", shape: list{of: glob, each: "glob"},
		doc: "Paths to leave out; * and ? stop at a slash, ** does not. A later \"!/path\" keeps."},
	{name: "slim", shape: list{of: slim, each: "slim", unique: true},
		doc: "Documented removals, by name. Licence texts stay unless licences is named."},
	{name: "users", shape: list{of: user, each: "user"},
		doc: "Users to create."},
	{name: "groups", shape: list{of: group, each: "group"},
		doc: "Groups to create."},
	{name: "config", shape: config,
		doc: "How the image runs: the OCI image configuration."},
	{name: "annotations", shape: table{annotationKey, line},
		doc: "Annotations of the image."},
	{name: "layers", shape: either{scalar: single, record: origin}, initial: "single",
		doc: "One layer, or several cut by the packages' origin, the most shared and most stable first."},
	{name: "platform-skew", shape: words("refuse", "allow"), initial: "refuse",
		doc: "Whether a package may have another version on another platform, where no version is available on all."},
	{name: "compression", shape: words("gzip", "zstd", "none"), initial: "gzip",
		doc: "Compression of layers."},
	{name: "package-database", shape: words("auto", "full", "scanners", "none"), initial: "auto",
		doc: "Record of the installed packages: full for dpkg, apt and apk to work on, scanners for audit tools alone (deb), none, or auto: full for apk, and for deb where dpkg or apt is installed."},
	{name: "policy", shape: policy,
		doc: "What must not be in the image: the build fails, naming the file and why it is there."},
}}

var repository = choice{records: []record{
	{is: "a debian: repository", keys: []key{
		{name: "debian", need: true, shape: &text{is: "a release's code name", pattern: `^[a-z][a-z0-9-]*$`, example: "trixie", repair: codeName},
			doc: "Debian's archive for a release, with its updates and security fixes; keys are built in."},
		{name: "snapshot", shape: snapshot,
			doc: "The archive as it was at that time, UTC."},
		{name: "components", shape: components,
			doc: "Components of the archive. Default: main."},
		pinName,
	}},
	{is: "an alpine: repository", keys: []key{
		{name: "alpine", need: true, shape: &text{is: "a release", pattern: `^(v[0-9]+\.[0-9]+|edge)$`, example: "v3.22", repair: func(s string) string { return "v" + s }},
			doc: "Alpine's repositories of a release; keys are built in."},
		{name: "components", shape: components,
			doc: "Repositories of the release. Default: main and community."},
		pinName,
	}},
	{is: "a deb: repository", keys: []key{
		{name: "deb", need: true, shape: repositoryURL,
			doc: "URL of a Debian repository: http, https or file, without credentials."},
		{name: "suites", need: true, shape: list{of: suite, each: "suite", unique: true, some: true},
			doc: "Suites: folders below dists."},
		{name: "components", shape: components,
			doc: "Components of the suites. Default: main."},
		keyring, trusted, pinName,
	}},
	{is: "an apk: repository", keys: []key{
		{name: "apk", need: true, shape: repositoryURL,
			doc: "URL of an apk repository, above the folders of architectures: http, https or file, without credentials."},
		keyring, trusted, pinName,
	}},
}}

var (
	keyring = key{name: "keyring", shape: either{scalar: projectPath, list: list{of: source, each: "keyring", some: true}, record: remote},
		doc: "Keys that may sign the repository: a file of the project, {url, sha256}, or a list of those. Mandatory unless trusted: insecure."}
	trusted = key{name: "trusted", shape: words("insecure"),
		doc: "insecure: take the repository without a signature. Every run says so, and so do lock and SBOM."}
	pinName = key{name: "name", shape: &text{is: "a repository's name", pattern: `^[a-z0-9][a-z0-9._-]*$`, max: 64, example: "edge"},
		doc: "NAME of pkg@NAME: the repository serves only packages that are pinned to it."}
)

var source = either{scalar: projectPath, record: remote}

var remote = record{keys: []key{
	{name: "url", need: true, shape: downloadURL,
		doc: "URL to download: http or https, without credentials."},
	{name: "sha256", need: true, shape: &text{is: "64 lower-case hexadecimal digits", pattern: `^(sha256:)?[0-9a-f]{64}$`, repair: strings.ToLower},
		doc: "SHA-256 of the download."},
}}

var file = choice{records: []record{
	{is: "a file with source:", keys: []key{
		{name: "source", need: true, shape: source,
			doc: "A file or folder of the project, relative to this manifest, or {url, sha256}."},
		target(imagePath), mode, owner,
	}},
	{is: "a file with content:", keys: []key{
		{name: "content", need: true, shape: &text{any: true},
			doc: "The text itself."},
		target(pathBelowRoot), mode, owner,
	}},
	{is: "a file with type:", keys: []key{
		{name: "type", need: true, shape: words("dir"),
			doc: "dir: an empty folder."},
		target(imagePath), mode, owner,
	}},
	{is: "a file with link:", keys: []key{
		{name: "link", need: true, shape: &text{is: "a path", pattern: `^[\s\S]+$`, max: 4095, example: "/usr/bin/busybox"},
			doc: "Target of a symbolic link, taken as it is."},
		target(pathBelowRoot), owner,
	}},
}}

func target(s *text) key {
	return key{name: "path", need: true, shape: s, doc: "Path in the image."}
}

var (
	mode = key{name: "mode", shape: &text{is: "four octal digits", pattern: `^[0-7]{4}$`, example: "0755", repair: func(s string) string { return "0" + strings.TrimPrefix(s, "0o") }},
		doc: "Permissions, four octal digits in quotes. Default: 0644, 0755 for folders; a source keeps its execute bit."}
	owner = key{name: "owner", shape: account, initial: "0:0",
		doc: "User, or user:group, by name or number."}
)

var user = record{keys: []key{
	{name: "name", need: true, shape: accountName,
		doc: "Name of the user."},
	{name: "uid", shape: accountID,
		doc: "Number of the user. Default: allocated, and kept in the lock."},
	{name: "gid", shape: accountID,
		doc: "Number of the user's own group. Default: allocated, and kept in the lock."},
	{name: "groups", shape: list{of: accountName, each: "group", unique: true},
		doc: "Further groups."},
	{name: "home", shape: accountPath, initial: "/",
		doc: "Home folder."},
	{name: "shell", shape: accountPath, initial: "/sbin/nologin",
		doc: "Login shell."},
	{name: "comment", shape: &text{is: "text without a colon", pattern: `^[^:]*$`, max: 255},
		doc: "Comment, or full name."},
}}

var group = record{keys: []key{
	{name: "name", need: true, shape: accountName,
		doc: "Name of the group."},
	{name: "gid", shape: accountID,
		doc: "Number of the group. Default: allocated, and kept in the lock."},
	{name: "members", shape: list{of: accountName, each: "user", unique: true},
		doc: "Users in the group."},
}}

var config = record{keys: []key{
	{name: "user", shape: account,
		doc: "User, or user:group, that runs the image."},
	{name: "entrypoint", shape: list{of: argument, each: "argument"}, whole: true,
		doc: "Program and arguments that always run."},
	{name: "cmd", shape: list{of: argument, each: "argument"}, whole: true,
		doc: "Arguments, or the program, that a user of the image may replace."},
	{name: "env", shape: table{variable, line},
		doc: "Environment variables."},
	{name: "workdir", shape: imagePath,
		doc: "Working directory."},
	{name: "ports", shape: list{of: port, each: "port", unique: true},
		doc: "Ports that the image listens on."},
	{name: "volumes", shape: list{of: imagePath, each: "volume", unique: true},
		doc: "Folders that hold data of their own."},
	{name: "labels", shape: table{annotationKey, line},
		doc: "Labels."},
	{name: "stop-signal", shape: stopSignal,
		doc: "Signal that asks the image to stop."},
}}

var origin = record{keys: []key{
	{name: "by", need: true, shape: words("origin"),
		doc: "origin: packages of one origin share a layer."},
	{name: "max", shape: number{2, 127}, initial: 20,
		doc: "Most layers."},
}}

var policy = record{keys: []key{
	{name: "forbid", shape: list{of: words("shell", "set-uid", "package-manager", "world-writable", "unknown-scripts", "missing-interpreter", "missing-library"), each: "rule", unique: true},
		doc: "Rules that the image must keep."},
	{name: "allow", shape: list{of: either{scalar: allowed, record: exception}, each: "exception"},
		doc: "Exceptions from the rules: paths and packages."},
	{name: "max-size", shape: size,
		doc: "Most bytes of the file tree, uncompressed, with a unit."},
}}

var exception = record{keys: []key{
	{name: "item", need: true, shape: allowed,
		doc: "A path in the image, or the name of a package."},
	{name: "reason", shape: line,
		doc: "Why it may be there."},
}}

// words is the text that is one of w.
func words(w ...string) *text { return &text{words: w} }

var (
	imageName = &text{is: "an image name", pattern: `^[a-z0-9]+([._-][a-z0-9]+)*$`, max: 128, example: "python", repair: plainName}

	platform = &text{is: "a known platform", words: []string{
		"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/386",
		"linux/loong64", "linux/mips64le", "linux/ppc64le", "linux/riscv64", "linux/s390x",
	}, also: map[string]string{
		"amd64": "linux/amd64", "x86_64": "linux/amd64", "x86-64": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/amd64/v1": "linux/amd64",
		"arm64": "linux/arm64", "aarch64": "linux/arm64", "linux/aarch64": "linux/arm64", "linux/arm64/v8": "linux/arm64",
		"arm": "linux/arm/v7", "linux/arm": "linux/arm/v7", "armv7": "linux/arm/v7", "armhf": "linux/arm/v7", "linux/armv7": "linux/arm/v7",
		"386": "linux/386", "i386": "linux/386", "x86": "linux/386", "linux/i386": "linux/386", "linux/x86": "linux/386",
		"armel": "linux/arm/v5", "loong64": "linux/loong64", "loongarch64": "linux/loong64",
		"ppc64le": "linux/ppc64le", "ppc64el": "linux/ppc64le", "riscv64": "linux/riscv64", "s390x": "linux/s390x", "mips64el": "linux/mips64le",
	}}

	// A package in packages:. What a name or a version is, is the format's
	// affair: this keeps out what no format has.
	want = &text{is: "a package", max: 512, example: "openssl>=3.5", rule: noURL, repair: plainWant,
		pattern: `^!?[A-Za-z0-9_./][][A-Za-z0-9_.+:/()-]*(@[A-Za-z0-9._-]+|(<=|>=|=|<|>|~)[A-Za-z0-9][A-Za-z0-9.+:~_^-]*(@[A-Za-z0-9._-]+)?)?$`}
	packageName = &text{is: "a package's name", pattern: `^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`, max: 256, example: "zlib"}
	elide       = words("helpers")
	slim        = &text{words: []string{"docs", "man", "locales", "licences", "info"}, also: map[string]string{"licenses": "licences", "license": "licences", "doc": "docs", "locale": "locales"}}

	// The rules of useradd(8).
	accountName = &text{is: "a user or group name", pattern: `^[a-z_][a-z0-9_-]*\$?$`, max: 32, example: "app", repair: strings.ToLower}
	account     = &text{is: "user, or user:group", pattern: `^([a-z_][a-z0-9_-]*\$?|[0-9]{1,10})(:([a-z_][a-z0-9_-]*\$?|[0-9]{1,10}))?$`, max: 65, example: "app:app", rule: idsFit}
	accountID   = number{0, maxID}
	accountPath = &text{is: "an absolute path without a colon", pattern: `^/[^:]*$`, max: 4095, example: "/home/app", rule: notClean, repair: path.Clean}

	imagePath     = &text{is: "an absolute path", pattern: `^/`, max: 4095, example: "/app", rule: notClean, repair: cleanRooted}
	pathBelowRoot = &text{is: "an absolute path below /", pattern: `^/[^/]`, max: 4095, example: "/etc/motd", rule: notClean, repair: cleanRooted}
	projectPath   = &text{is: "a path relative to the manifest", pattern: `^[^/]`, max: 4095, rule: local}
	glob          = &text{is: "an absolute path, or ! and one", pattern: `^!?/`, max: 4095, example: "/usr/share/info/**", rule: badGlob}
	allowed       = &text{is: "an absolute path or a package's name", pattern: `^(/.*|[A-Za-z0-9_][A-Za-z0-9_.+-]*)$`, max: 4095, example: "/usr/bin/su", rule: notCleanPath}

	variable      = &text{is: "the name of a variable", pattern: `^[A-Za-z_][A-Za-z0-9_.-]*$`, max: 255}
	annotationKey = &text{is: "letters, digits and ._/-", pattern: `^[A-Za-z0-9][A-Za-z0-9._/-]*$`, max: 255}
	line          = &text{}
	argument      = &text{any: true, rule: noNUL}
	port          = &text{is: "number/tcp, number/udp or number/sctp", pattern: `^[0-9]{1,5}/(tcp|udp|sctp)$`, example: "8080/tcp", rule: badPort, repair: func(s string) string { return s + "/tcp" }}
	stopSignal    = &text{is: "a signal", words: signals(), also: map[string]string{
		"term": "SIGTERM", "int": "SIGINT", "quit": "SIGQUIT", "hup": "SIGHUP", "kill": "SIGKILL", "usr1": "SIGUSR1", "usr2": "SIGUSR2", "winch": "SIGWINCH",
		"15": "SIGTERM", "2": "SIGINT", "3": "SIGQUIT", "1": "SIGHUP", "9": "SIGKILL",
	}}
	size   = &text{is: "a number with a unit", pattern: `^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$`, max: 32, example: "60MiB", rule: badSize, repair: plainSize}
	single = words("single")

	snapshot   = &text{is: "a time of the form YYYYMMDDThhmmssZ", pattern: `^[0-9]{8}T[0-9]{6}Z$`, example: "20261101T000000Z", rule: badTime}
	suite      = &text{is: "a suite", pattern: `^[A-Za-z0-9][A-Za-z0-9._/-]*$`, max: 255, example: "stable", rule: dots}
	component  = &text{is: "a component", pattern: `^[A-Za-z0-9][A-Za-z0-9._/-]*$`, max: 255, example: "main", rule: dots}
	components = list{of: component, each: "component", unique: true, some: true}

	repositoryURL = &text{is: "a URL", pattern: `^(https?|file)://`, max: 2048, example: "https://packages.example.org/debian", rule: badURL}
	downloadURL   = &text{is: "an http or https URL", pattern: `^https?://`, max: 2048, example: "https://example.org/file", rule: badURL}
)

// maxID is the largest number of a user or group: one more stands for "no
// change" in chown(2).
const maxID = 1<<32 - 2

func idsFit(s string) string {
	for id := range strings.SplitSeq(s, ":") {
		if n, err := strconv.ParseUint(id, 10, 64); err == nil && n > maxID {
			return "a number above " + strconv.Itoa(maxID)
		}
	}
	return ""
}

func notClean(s string) string {
	if path.Clean(s) != s {
		return "has an empty, . or .. part, or a slash at the end"
	}
	return ""
}

func notCleanPath(s string) string {
	if strings.HasPrefix(s, "/") {
		return notClean(s)
	}
	return ""
}

func cleanRooted(s string) string { return path.Clean("/" + s) }

// noURL keeps URLs, and what may be secret in them, from where later messages
// would repeat them.
func noURL(s string) string {
	if strings.Contains(s, "://") {
		return "a URL has no place here"
	}
	return ""
}

func local(s string) string {
	if strings.Contains(s, "://") {
		return "a URL, a path is wanted; a download is {url: …, sha256: …}, where there may be one"
	}
	return ""
}

func badGlob(s string) string {
	return notClean(strings.TrimPrefix(s, "!"))
}

func codeName(s string) string {
	return map[string]string{"11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}[s]
}

func noNUL(s string) string {
	if strings.ContainsRune(s, 0) {
		return "has a zero byte"
	}
	return ""
}

func badPort(s string) string {
	number, _, _ := strings.Cut(s, "/")
	if n, err := strconv.Atoi(number); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != number {
		return "not a port between 1 and 65535"
	}
	return ""
}

func badTime(s string) string {
	if _, err := time.Parse("20060102T150405Z", s); err != nil {
		return "no such time"
	}
	return ""
}

func dots(s string) string {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." {
			return "has an empty, . or .. part"
		}
	}
	return ""
}

// badURL never repeats what it was given: there may be a secret in it.
func badURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case strings.ContainsAny(s, " \\"):
		return "has a space or a backslash"
	case err != nil:
		return "not a URL"
	case u.User != nil:
		return "has a user name or password; credentials come from netrc or the environment"
	case strings.Contains(s, "?") || strings.Contains(s, "#"):
		return "has a query or a fragment"
	case u.Scheme == "file" && (u.Host != "" || u.Path == ""):
		return "file: is followed by three slashes"
	case u.Scheme != "file" && u.Hostname() == "":
		return "names no host"
	case slices.Contains(strings.Split(u.Path, "/"), ".."):
		return "has a .. part"
	}
	return ""
}

// units of sizes, in bytes.
var units = map[string]float64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// bytesOf is a size in bytes, rounded down; 0 where it is none or too large.
func bytesOf(s string) int64 {
	at := strings.IndexFunc(s, func(c rune) bool { return c >= 'A' })
	if at < 0 {
		return 0
	}
	n, err := strconv.ParseFloat(s[:at], 64)
	n *= units[s[at:]]
	if err != nil || n < 1 || n > 1<<60 {
		return 0
	}
	return int64(n)
}

func badSize(s string) string {
	if bytesOf(s) == 0 {
		return "not between 1B and 1048576TiB"
	}
	return ""
}

// plainSize mends what people write for a size: a space, a wrong case, K for
// KiB.
func plainSize(s string) string {
	s = strings.ReplaceAll(s, " ", "")
	at := strings.IndexFunc(s, func(c rune) bool { return c >= 'A' })
	if at < 0 {
		return s + "MiB"
	}
	unit := strings.ToUpper(s[at:])
	if len(unit) == 1 && unit != "B" {
		unit += "iB"
	}
	return s[:at] + strings.Replace(unit, "IB", "iB", 1)
}

// plainWant mends other spellings of a version's bounds: "a >= 1" and
// "a (>= 1)".
func plainWant(s string) string {
	if !strings.ContainsAny(s, "<>=~") {
		return s
	}
	return strings.NewReplacer(" ", "", "(>=", ">=", "(<=", "<=", "(=", "=", "(>>", ">", "(<<", "<", ")", "", "==", "=", "=>", ">=", "=<", "<=").Replace(s)
}

// plainName makes an image name of any name.
func plainName(s string) string {
	var b strings.Builder
	gap := false
	for _, c := range strings.ToLower(s) {
		if c < 'a' || c > 'z' {
			if c < '0' || c > '9' {
				gap = b.Len() > 0
				continue
			}
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(c)
	}
	return b.String()
}

// signals are the names of Linux's signals, signal(7).
func signals() []string {
	names := []string{
		"SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
		"SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG",
		"SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS", "SIGRTMIN", "SIGRTMAX",
	}
	for n := 1; n <= 15; n++ {
		names = append(names, "SIGRTMIN+"+strconv.Itoa(n))
	}
	for n := 1; n <= 14; n++ {
		names = append(names, "SIGRTMAX-"+strconv.Itoa(n))
	}
	return names
}
