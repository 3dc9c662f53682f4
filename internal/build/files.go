package build

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/manifest"
	"compose/rootfs"
)

// maxFile is the largest file that files: may bring, in bytes.
const maxFile = 8 << 30

// entries turns files: into nodes, their contents in the store. The host's
// modes, owners and times do not count, but for the execute bit.
func entries(ctx context.Context, env Env, img *manifest.Image) ([]rootfs.Entry, error) {
	var all []rootfs.Entry
	for _, f := range img.Files {
		es, err := fileEntries(ctx, env, f)
		if err != nil {
			return nil, &PosError{Pos: f.Pos, Err: err}
		}
		all = append(all, es...)
	}
	return all, nil
}

// fileEntries gives the nodes of one entry of files:: one, or those of a folder.
func fileEntries(ctx context.Context, env Env, f manifest.File) ([]rootfs.Entry, error) {
	node := rootfs.Node{Path: strings.TrimPrefix(f.Path, "/"), Origin: "files: " + f.Pos.String()}
	one := func(t rootfs.Type, mode int, more func(*rootfs.Node)) []rootfs.Entry {
		node.Type, node.Mode = t, modeOr(f.Mode, mode)
		if more != nil {
			more(&node)
		}
		return []rootfs.Entry{{Node: node, Owner: f.Owner}}
	}
	switch {
	case f.Link != "":
		return one(rootfs.Symlink, 0o777, func(n *rootfs.Node) { n.Link, n.Mode = f.Link, 0o777 }), nil
	case f.Type == "dir":
		return one(rootfs.Dir, 0o755, nil), nil
	case f.Content != nil:
		ref, err := env.Store.Put(strings.NewReader(*f.Content))
		return one(rootfs.Regular, 0o644, func(n *rootfs.Node) { n.Content = ref }), err
	case f.Source != nil && f.Source.URL != "":
		ref, err := env.Fetch.Download(ctx, f.Source.URL, f.Source.SHA256, maxFile)
		return one(rootfs.Regular, 0o644, func(n *rootfs.Node) { n.Content = ref }), err
	case f.Source != nil:
		return sourceEntries(env, f, node)
	}
	return nil, fmt.Errorf("files: %s: neither source, content, type nor link", f.Path)
}

// sourceEntries copies a file or a whole folder of the project.
func sourceEntries(env Env, f manifest.File, top rootfs.Node) ([]rootfs.Entry, error) {
	var es []rootfs.Entry
	err := fs.WalkDir(env.Project, f.Source.Path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return readable(err)
		}
		info, err := d.Info()
		if err != nil {
			return readable(err)
		}
		n := top
		n.Path = path.Join(top.Path, strings.TrimPrefix(name, f.Source.Path))
		if f.Source.Path == "." {
			n.Path = path.Join(top.Path, name)
		}
		switch {
		case d.IsDir():
			n.Type, n.Mode = rootfs.Dir, 0o755
			if name == f.Source.Path {
				n.Mode = modeOr(f.Mode, 0o755)
			}
		case info.Mode()&fs.ModeSymlink != 0:
			n.Type, n.Mode = rootfs.Symlink, 0o777
			if n.Link, err = fs.ReadLink(env.Project, name); err != nil {
				return readable(err)
			}
		case info.Mode().IsRegular():
			n.Type, n.Mode = rootfs.Regular, 0o644
			if info.Mode()&0o111 != 0 {
				n.Mode = 0o755
			}
			if name == f.Source.Path {
				n.Mode = modeOr(f.Mode, int(n.Mode))
			}
			if n.Content, err = putFile(env, name); err != nil {
				return err
			}
		default:
			return fault.New(fault.UnsafeEntry, "%s: a %s; files: takes files, folders and links", name, info.Mode().Type())
		}
		merge := n.Type == rootfs.Dir && (name != f.Source.Path || f.Mode < 0)
		es = append(es, rootfs.Entry{Node: n, Owner: f.Owner, Merge: merge})
		return nil
	})
	return es, err
}

func putFile(env Env, name string) (ref cas.Ref, err error) {
	r, err := env.Project.Open(name)
	if err != nil {
		return ref, readable(err)
	}
	defer r.Close()
	return env.Store.Put(io.LimitReader(r, maxFile))
}

func modeOr(mode, otherwise int) uint16 {
	if mode < 0 {
		return uint16(otherwise)
	}
	return uint16(mode)
}
