package manifest

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"compose/internal/cas"
	"compose/internal/near"
)

// sound gives the sound items of a list; one value stands for a list of one.
func (n *node) sound() []*node {
	switch {
	case n == nil || n.bad:
		return nil
	case n.kind != isList:
		return []*node{n}
	}
	items := make([]*node, 0, len(n.items))
	for _, item := range n.items {
		if !item.bad {
			items = append(items, item)
		}
	}
	return items
}

// str is a text, and def where there is none.
func (n *node) str(def string) string {
	if n == nil || n.bad || n.kind != isText {
		return def
	}
	return n.text
}

// num is a number, and def where there is none.
func (n *node) num(def int) int {
	if n == nil {
		return def
	}
	v, err := strconv.Atoi(n.text)
	if err != nil {
		return def
	}
	return v
}

func (n *node) strs() []string {
	var out []string
	for _, item := range n.sound() {
		out = append(out, item.text)
	}
	return out
}

func (n *node) atoms() []Atom {
	var out []Atom
	for _, item := range n.sound() {
		out = append(out, Atom{item.text, item.pos})
	}
	return out
}

func (n *node) table() map[string]string {
	if n == nil || n.bad || n.kind != isMap {
		return nil
	}
	out := make(map[string]string, len(n.keys))
	for i, k := range n.keys {
		if !k.bad {
			out[k.text] = n.items[i].str("")
		}
	}
	return out
}

// A builder makes the Image of nodes whose shapes have been checked, and
// checks what takes more than one value to see.
type builder struct {
	*checker
	project fs.FS
}

func (b *builder) image(name string, n *node, opt Options) *Image {
	img := &Image{
		File:        name,
		Name:        n.get("name").str(defaultName(name, opt)),
		Packages:    n.get("packages").atoms(),
		Recommends:  n.get("recommends").isTrue(),
		Essential:   n.get("essential").isTrue(),
		Prefer:      n.get("prefer").atoms(),
		Elide:       elision(n.get("elide")),
		Slim:        n.get("slim").atoms(),
		Config:      b.config(n.get("config")),
		Annotations: n.get("annotations").table(),
		Layers:      layers(n.get("layers")),
		Compression: n.get("compression").str("gzip"),
		SkewAllowed: n.get("platform-skew").str("refuse") == "allow",
		Database:    n.get("package-database").str("auto"),
		Policy:      b.policy(n.get("policy")),
	}
	for _, p := range n.get("platforms").strs() {
		img.Platforms = append(img.Platforms, parsePlatform(p))
	}
	for _, item := range n.get("repositories").sound() {
		img.Repositories = append(img.Repositories, b.repository(item))
	}
	for _, item := range n.get("files").sound() {
		img.Files = append(img.Files, b.file(item))
	}
	for _, item := range n.get("remove").sound() {
		text, keep := strings.CutPrefix(item.text, "!")
		img.Remove = append(img.Remove, Glob{Pos: item.pos, Keep: keep, Text: text})
	}
	for _, item := range n.get("users").sound() {
		img.Users = append(img.Users, newUser(item))
	}
	for _, item := range n.get("groups").sound() {
		img.Groups = append(img.Groups, Group{Pos: item.pos, Name: item.get("name").str(""), GID: item.get("gid").num(-1), Members: item.get("members").strs()})
	}
	if img.Name == "" && !n.has("name") {
		b.errorf(Pos{File: name}, "no name, and the folder's name makes none").WithHint("write name: at the top")
	}
	b.checkRepositories(img)
	b.checkPins(img)
	b.checkFormat(img, n)
	b.checkAccounts(img)
	return img
}

func (n *node) isTrue() bool { return n != nil && n.text == "true" }

func (n *node) has(key string) bool {
	return slices.ContainsFunc(n.keys, func(k *node) bool { return k.text == key })
}

// defaultName is the name of the manifest's folder, made an image name.
func defaultName(file string, opt Options) string {
	folder := opt.DefaultName
	if dir := path.Dir(file); dir != "." {
		folder = path.Base(dir)
	}
	if imageName.wrong(folder) == "" {
		return folder
	}
	return plainName(folder)
}

func parsePlatform(s string) Platform {
	parts := append(strings.SplitN(s, "/", 3), "", "")
	return Platform{OS: parts[0], Arch: parts[1], Variant: parts[2]}
}

func elision(n *node) Elide {
	if n == nil {
		return Elide{}
	}
	if n.kind == isText {
		return Elide{Auto: true, Pos: n.pos}
	}
	return Elide{Names: n.atoms(), Pos: n.pos}
}

func layers(n *node) Layers {
	if n != nil && n.kind == isMap {
		return Layers{By: "origin", Max: n.get("max").num(20)}
	}
	return Layers{By: "single", Max: 1}
}

func newUser(n *node) User {
	return User{
		Pos: n.pos, Name: n.get("name").str(""), UID: n.get("uid").num(-1), GID: n.get("gid").num(-1), Groups: n.get("groups").strs(),
		Home: n.get("home").str("/"), Shell: n.get("shell").str("/sbin/nologin"), Comment: n.get("comment").str(""),
	}
}

func (b *builder) config(n *node) Config {
	return Config{
		User: n.get("user").str(""), Entrypoint: n.get("entrypoint").strs(), Cmd: n.get("cmd").strs(),
		Env: n.get("env").table(), Workdir: n.get("workdir").str(""), Ports: n.get("ports").strs(),
		Volumes: n.get("volumes").strs(), Labels: n.get("labels").table(), StopSignal: n.get("stop-signal").str(""),
	}
}

func (b *builder) policy(n *node) Policy {
	if n == nil {
		return Policy{}
	}
	p := Policy{Pos: n.pos, Forbid: n.get("forbid").atoms(), MaxSize: bytesOf(n.get("max-size").str(""))}
	for _, item := range n.get("allow").sound() {
		a := Allow{Pos: item.pos, Item: item.text}
		if item.kind == isMap {
			a.Item, a.Reason = item.get("item").str(""), item.get("reason").str("")
		}
		p.Allow = append(p.Allow, a)
	}
	return p
}

func (b *builder) repository(n *node) Repository {
	r := Repository{
		Pos: n.pos, Snapshot: n.get("snapshot").str(""), Suites: n.get("suites").strs(), Components: n.get("components").strs(),
		Insecure: n.get("trusted").str("") == "insecure", Name: n.get("name").str(""),
	}
	switch {
	case n.has("debian"):
		r.Format, r.Distribution, r.Release = "deb", "debian", n.get("debian").str("")
	case n.has("alpine"):
		r.Format, r.Distribution, r.Release = "apk", "alpine", n.get("alpine").str("")
	case n.has("deb"):
		r.Format, r.URL = "deb", strings.TrimRight(n.get("deb").str(""), "/")
	case n.has("apk"):
		r.Format, r.URL = "apk", strings.TrimRight(n.get("apk").str(""), "/")
	}
	for _, item := range n.get("keyring").sound() {
		r.Keyring = append(r.Keyring, *b.source(item, "keyring", false))
	}
	if long := n.has("deb") || n.has("apk"); long && !n.has("keyring") && !r.Insecure {
		b.errorf(n.pos, "repository: no keyring, so nothing shows whose packages they are").
			WithHint("write keyring: and the file of the repository's keys, or trusted: insecure")
	}
	if n.has("keyring") && r.Insecure {
		b.errorf(n.pos, "repository: both keyring and trusted: insecure, of which one is wanted")
	}
	return r
}

// source is a file of the project or a download, for the key that label names.
func (b *builder) source(n *node, label string, folder bool) *Source {
	if n.kind == isMap {
		sum, _ := cas.ParseDigest(n.get("sha256").str("")) // 64 digits, or a mistake that has been reported
		return &Source{Pos: n.pos, URL: n.get("url").str(""), SHA256: sum}
	}
	p := path.Join(path.Dir(n.pos.File), n.text)
	if !fs.ValidPath(p) {
		b.bad(n, "%s %s: leaves the project", label, show(n.text))
		return &Source{Pos: n.pos}
	}
	info, err := fs.Stat(b.project, p)
	switch {
	case err != nil:
		b.bad(n, "%s %s: %s", label, show(n.text), reason(err))
	case info.IsDir() && !folder:
		b.bad(n, "%s %s: a folder, a file is wanted", label, show(n.text))
	case !info.IsDir() && !info.Mode().IsRegular():
		b.bad(n, "%s %s: neither a file nor a folder", label, show(n.text))
	}
	return &Source{Pos: n.pos, Path: p}
}

func (b *builder) file(n *node) File {
	f := File{Pos: n.pos, Path: n.get("path").str(""), Type: n.get("type").str(""), Link: n.get("link").str(""), Owner: n.get("owner").str(""), Mode: -1}
	if m := n.get("mode"); m != nil {
		mode, _ := strconv.ParseInt(m.text, 8, 32) // four octal digits
		f.Mode = int(mode)
	}
	if c := n.get("content"); c != nil {
		f.Content = &c.text
	}
	if s := n.get("source"); s != nil {
		f.Source = b.source(s, "source", true)
	}
	return f
}

// checkRepositories sees to one format and to names that are unique.
func (b *builder) checkRepositories(img *Image) {
	names := map[string]Pos{}
	other := func(r Repository) bool { return r.Format != img.Format() }
	if i := slices.IndexFunc(img.Repositories, other); i >= 0 {
		b.errorf(img.Repositories[i].Pos, "repository of format %s: the first one, at %s, is of format %s", img.Repositories[i].Format, img.Repositories[0].Pos, img.Format()).
			WithHint("an image holds packages of one format")
	}
	for _, r := range img.Repositories {
		if at, again := names[r.Name]; again && r.Name != "" {
			b.errorf(r.Pos, "repository name %q: already at %s", r.Name, at)
		}
		names[r.Name] = r.Pos
	}
	if len(img.Packages) > 0 && len(img.Repositories) == 0 && len(b.errs) == 0 {
		b.errorf(img.Packages[0].Pos, "package %q: there are no repositories", img.Packages[0].Text).
			WithHint("write repositories:, for example [{debian: trixie}]")
	}
}

// checkPins sees to it that NAME in pkg@NAME is a repository's.
func (b *builder) checkPins(img *Image) {
	var names []string
	for _, r := range img.Repositories {
		if r.Name != "" {
			names = append(names, r.Name)
		}
	}
	for _, p := range img.Packages {
		_, pin, pinned := strings.Cut(p.Text, "@")
		if at := strings.IndexAny(pin, "<>=~"); at >= 0 {
			pin = pin[:at]
		}
		if !pinned || slices.Contains(names, pin) {
			continue
		}
		e := b.errorf(p.Pos, "package %q: no repository is named %q", p.Text, pin)
		if near := near.Nearest(pin, names); near != "" {
			e.WithHint("did you mean %q?", near)
		} else {
			e.WithHint("write name: %s in the repository that it comes from", pin)
		}
	}
}

// checkFormat sees to keys that mean nothing to the image's format.
func (b *builder) checkFormat(img *Image, n *node) {
	for _, k := range n.keys {
		known, _ := image.key(k.text)
		if f := img.Format(); known.format != "" && f != "" && f != known.format {
			b.errorf(k.pos, "key %q: means nothing to packages of format %s", k.text, f).WithHint("leave it out")
		}
	}
}

// checkAccounts sees to names and numbers that stand twice.
func (b *builder) checkAccounts(img *Image) {
	names, ids := map[string]Pos{}, map[int]Pos{}
	for _, u := range img.Users {
		b.unique(u.Pos, "user", u.Name, names)
		b.uniqueID(u.Pos, "uid", u.UID, ids)
	}
	names, ids = map[string]Pos{}, map[int]Pos{}
	for _, g := range img.Groups {
		b.unique(g.Pos, "group", g.Name, names)
		b.uniqueID(g.Pos, "gid", g.GID, ids)
	}
}

func (b *builder) unique(p Pos, label, name string, seen map[string]Pos) {
	if at, again := seen[name]; again && name != "" {
		b.errorf(p, "%s %q: already at %s", label, name, at)
		return
	}
	seen[name] = p
}

func (b *builder) uniqueID(p Pos, label string, id int, seen map[int]Pos) {
	if at, again := seen[id]; again && id >= 0 {
		b.errorf(p, "%s %d: already at %s", label, id, at)
		return
	}
	seen[id] = p
}
