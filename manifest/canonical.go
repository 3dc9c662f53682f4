package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Canonical is the form of img whose SHA-256 a lock records: one text for all
// manifests that ask for the same image, however they are ordered, quoted,
// commented or split into files. It is itself a manifest, written as JSON,
// whose canonical form is the same text again.
//
// The image's name and the manifest's own path are left out: they say what
// the image is called, not what is in it, and a project may be moved. Paths
// within the project are relative to the manifest's folder. Lists whose order
// cannot matter are sorted; those in which it may are not.
func (img *Image) Canonical() []byte {
	dir := path.Dir(img.File)
	o := object{
		"recommends":       img.Recommends,
		"essential":        img.Essential,
		"layers":           canonicalLayers(img.Layers),
		"compression":      img.Compression,
		"package-database": img.Database,
	}
	if img.SkewAllowed { // what came later than the first locks stands only where it is not the default
		o["platform-skew"] = "allow"
	}
	put(o, "platforms", sorted(img.Platforms, Platform.String))
	put(o, "repositories", each(img.Repositories, func(r Repository) object { return r.canonical(dir) }))
	put(o, "packages", sorted(img.Packages, atomText))
	put(o, "prefer", each(img.Prefer, atomText))
	if img.Elide.Auto {
		o["elide"] = "helpers"
	} else {
		put(o, "elide", sorted(img.Elide.Names, atomText))
	}
	put(o, "files", each(img.Files, func(f File) object { return f.canonical(dir) }))
	put(o, "remove", each(img.Remove, Glob.canonical))
	put(o, "slim", sorted(img.Slim, atomText))
	put(o, "users", each(img.Users, User.canonical))
	put(o, "groups", each(img.Groups, Group.canonical))
	putMap(o, "config", img.Config.canonical())
	putMap(o, "annotations", img.Annotations)
	putMap(o, "policy", img.Policy.canonical())
	if img.Format() == "apk" { // whose manifests have no such keys
		for _, k := range image.keys {
			if k.format == "deb" {
				delete(o, k.name)
			}
		}
	}
	return writeJSON(o)
}

func canonicalLayers(l Layers) any {
	if l.By == "origin" {
		return object{"by": l.By, "max": l.Max}
	}
	return "single"
}

func (r Repository) canonical(dir string) object {
	o := object{}
	switch {
	case r.Distribution != "":
		o[r.Distribution] = r.Release
	default:
		o[r.Format] = r.URL
	}
	put(o, "suites", r.Suites)
	put(o, "components", r.Components)
	put(o, "keyring", each(r.Keyring, func(s Source) any { return s.canonical(dir) }))
	putText(o, "snapshot", r.Snapshot)
	putText(o, "name", r.Name)
	if r.Insecure {
		o["trusted"] = "insecure"
	}
	return o
}

func (s Source) canonical(dir string) any {
	if s.URL != "" {
		return object{"url": s.URL, "sha256": s.SHA256.Hex()}
	}
	return relative(dir, s.Path)
}

func (f File) canonical(dir string) object {
	o := object{"path": f.Path}
	switch {
	case f.Source != nil:
		o["source"] = f.Source.canonical(dir)
	case f.Content != nil:
		o["content"] = *f.Content
	case f.Link != "":
		o["link"] = f.Link
	default:
		o["type"] = f.Type
	}
	if f.Mode >= 0 {
		o["mode"] = fmt.Sprintf("%04o", f.Mode)
	}
	putText(o, "owner", f.Owner)
	return o
}

func (g Glob) canonical() string {
	if g.Keep {
		return "!" + g.Text
	}
	return g.Text
}

func (u User) canonical() object {
	o := object{"name": u.Name, "home": u.Home, "shell": u.Shell}
	putID(o, "uid", u.UID)
	putID(o, "gid", u.GID)
	put(o, "groups", sorted(u.Groups, strings.Clone))
	putText(o, "comment", u.Comment)
	return o
}

func (g Group) canonical() object {
	o := object{"name": g.Name}
	putID(o, "gid", g.GID)
	put(o, "members", sorted(g.Members, strings.Clone))
	return o
}

func (c Config) canonical() object {
	o := object{}
	putText(o, "user", c.User)
	put(o, "entrypoint", c.Entrypoint)
	put(o, "cmd", c.Cmd)
	putMap(o, "env", c.Env)
	putText(o, "workdir", c.Workdir)
	put(o, "ports", sorted(c.Ports, strings.Clone))
	put(o, "volumes", sorted(c.Volumes, strings.Clone))
	putMap(o, "labels", c.Labels)
	putText(o, "stop-signal", c.StopSignal)
	return o
}

func (p Policy) canonical() object {
	o := object{}
	put(o, "forbid", sorted(p.Forbid, atomText))
	put(o, "allow", each(p.Allow, func(a Allow) object {
		e := object{"item": a.Item}
		putText(e, "reason", a.Reason)
		return e
	}))
	if p.MaxSize > 0 {
		o["max-size"] = fmt.Sprintf("%dB", p.MaxSize)
	}
	return o
}

func atomText(a Atom) string { return a.Text }

func put[T any](o object, key string, list []T) {
	if len(list) > 0 {
		o[key] = list
	}
}

func putMap[T any](o object, key string, m map[string]T) {
	if len(m) > 0 {
		o[key] = m
	}
}

func putText(o object, key, s string) {
	if s != "" {
		o[key] = s
	}
}

func putID(o object, key string, id int) {
	if id >= 0 {
		o[key] = id
	}
}

func each[T, U any](list []T, form func(T) U) []U {
	out := make([]U, len(list))
	for i, v := range list {
		out[i] = form(v)
	}
	return out
}

// sorted is each, in byte order.
func sorted[T any](list []T, form func(T) string) []string {
	out := each(list, form)
	slices.Sort(out)
	return out
}

// relative is the path p as seen from dir, both within the project.
func relative(dir, p string) string {
	if dir == "." {
		return p
	}
	from, to := strings.Split(dir, "/"), strings.Split(p, "/")
	n := 0
	for n < len(from) && n < len(to) && from[n] == to[n] {
		n++
	}
	up := slices.Repeat([]string{".."}, len(from)-n)
	return path.Clean(path.Join(append(up, to[n:]...)...))
}

// writeJSON is v as JSON that is YAML too: with sorted keys, and an escape for
// each character that may not stand in a manifest.
func writeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // it holds nothing but texts, numbers, truth values, lists and maps
	}
	var out bytes.Buffer
	for _, c := range b.String() {
		if c != '\n' && hidden(c) {
			fmt.Fprintf(&out, `\u%04x`, c)
		} else {
			out.WriteRune(c)
		}
	}
	return out.Bytes()
}
