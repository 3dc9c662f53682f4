package build

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"compose/fetch"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/format"
	"compose/resolve"
	"compose/rootfs"
)

// A file is one package file to have: where it is, and what is known of it.
type file struct {
	source resolve.Source
	check  resolve.Check
	locked resolve.Locked // open fills in SHA256 and Size where they are unknown
}

// openVersion is part of the key of every cached package table. Raise it with
// any change to what Format.Open gives.
const openVersion = "open/1"

// open brings files into the store, verifies and parses them. The results
// stand in the order of files, whatever order the network answers in.
func open(ctx context.Context, env Env, f format.Format, files []file) ([]*rootfs.Package, error) {
	items := make([]fetch.Item, len(files))
	for i, p := range files {
		items[i] = fetch.Item{Source: p.source, Path: p.locked.Path, Size: p.locked.Size, Check: p.check, Name: p.locked.Name + " " + p.locked.Version}
		if p.check.SHA256.IsZero() {
			items[i].Verify = func(r io.Reader) error {
				_, err := f.Open(r, p.locked, p.check, discard{})
				return err
			}
		}
	}
	refs, err := env.Fetch.Packages(ctx, items)
	if err != nil {
		return nil, err
	}
	packages := make([]*rootfs.Package, len(files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, env.Jobs))
	for i := range files {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			files[i].locked.SHA256, files[i].locked.Size = refs[i].Digest, refs[i].Size
			packages[i], err = openOne(env, f, files[i], refs[i])
			return err
		})
	}
	return packages, g.Wait()
}

// openOne gives a package from the store's table of it, or parses its file
// and keeps the table: what Format.Open gives is a function of the file.
//
// A table from the store was made from bytes of that SHA-256; whether these
// are the bytes that the index promised must be asked each time.
func openOne(env Env, f format.Format, p file, ref cas.Ref) (*rootfs.Package, error) {
	key := cas.Sum([]byte(openVersion + "/" + f.Name() + "/" + ref.Digest.Hex()))
	promise := cas.Sum(append([]byte(openVersion+"/"+p.locked.Name+"/"+p.locked.Version+"/"+p.locked.Arch+"/"+ref.Digest.Hex()+"/"), p.check.Control...))
	if table, ok := env.Store.Derived("package", key); ok && !env.fresh {
		if _, ok := env.Store.Derived("promise", promise); ok {
			if pkg, ok := decodePackage(env.Store, table); ok {
				return pkg, nil
			}
		}
	}
	pkg, err := parse(env, f, p, ref, key)
	if err != nil {
		return nil, fmt.Errorf("package %s %s: %w", p.locked.Name, p.locked.Version, err)
	}
	var table bytes.Buffer
	if err := gob.NewEncoder(&table).Encode(pkg); err != nil {
		return nil, err
	}
	if err := env.Store.PutDerived("package", key, table.Bytes()); err != nil {
		return nil, err
	}
	return pkg, env.Store.PutDerived("promise", promise, []byte("kept"))
}

// discard is a pack for contents that nobody keeps.
type discard struct{}

func (discard) Append(r io.Reader) (cas.Ref, error) {
	n, err := io.Copy(io.Discard, r)
	return cas.Ref{Size: n}, err
}

func parse(env Env, f format.Format, p file, ref cas.Ref, key cas.Digest) (*rootfs.Package, error) {
	r, err := env.Store.Open(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	pack, err := env.Store.NewPack(key)
	if err != nil {
		return nil, err
	}
	defer pack.Abort()
	// The store checks the file's SHA-256 as it is read; to the end, or Open
	// does not succeed.
	pkg, err := f.Open(r, p.locked, resolve.Check{Control: p.check.Control}, pack)
	if err != nil {
		return nil, err
	}
	return pkg, pack.Commit()
}

// decodePackage reads a table and makes sure that the contents it speaks of
// are still in the store.
func decodePackage(store cas.Store, table []byte) (*rootfs.Package, bool) {
	var pkg rootfs.Package
	if err := gob.NewDecoder(bytes.NewReader(table)).Decode(&pkg); err != nil {
		return nil, false
	}
	for i := len(pkg.Nodes) - 1; i >= 0; i-- {
		if pkg.Nodes[i].Type != rootfs.Regular || pkg.Nodes[i].Content.Pack.IsZero() {
			continue
		}
		r, err := store.Open(pkg.Nodes[i].Content)
		if err != nil {
			return nil, false
		}
		r.Close()
		break
	}
	return &pkg, true
}

// gone reports whether err says that something the store had is damaged or no
// longer there, so that making it again may help.
func gone(err error) bool {
	return errors.Is(err, cas.ErrDamaged) || errors.Is(err, fs.ErrNotExist) && fault.Of(err) == ""
}
