package build

import (
	"cmp"
	"context"
	"errors"
	"io/fs"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/fault"
	"compose/internal/finalize"
	"compose/internal/format"
	"compose/internal/oci"
	"compose/internal/script"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// A Built is the image for one platform, and what it was made of.
type Built struct {
	Platform manifest.Platform
	Image    *oci.Image
	Tree     *rootfs.Tree
	Packages []*rootfs.Package
	Ledger   script.Ledger // what became of the packages' scripts
	// Finalized says what was computed natively in the place of programs, in
	// the order in which it was.
	Finalized []finalize.Note
	Notes     []string // for people: what is legal and yet probably not meant
}

// Images makes the image that img and lock describe, for each of img's
// platforms. It is a pure function of the two, and of the files of the
// project: the network only brings bytes whose digests are known.
func Images(ctx context.Context, env Env, img *manifest.Image, lock *resolve.Lock) ([]Built, error) {
	if lock.LayerEpoch != oci.LayerEpoch {
		return nil, fault.New(fault.LockEpoch, "image.lock.json: layer epoch %d, but this compose writes %d: the bytes would differ; run compose lock", lock.LayerEpoch, oci.LayerEpoch)
	}
	f, err := formatOf(img)
	if err != nil {
		return nil, err
	}
	extra, err := entries(ctx, env, img)
	if err != nil {
		return nil, err
	}
	ts, err := targets(img, f)
	if err != nil {
		return nil, err
	}
	built := make([]Built, len(ts))
	for i, t := range ts {
		p, ok := lock.Platform(t.String())
		if !ok {
			return nil, fault.New(fault.LockStale, "image.lock.json: platform %s is not in it; run compose lock", t)
		}
		built[i], err = image(ctx, env, img, lock, p, f, t, extra)
		if gone(err) {
			env.Warn("content store: %v; opening the packages again", err)
			fresh := env
			fresh.fresh = true
			built[i], err = image(ctx, fresh, img, lock, p, f, t, extra)
		}
		if err != nil {
			return nil, err
		}
	}
	return built, nil
}

func image(ctx context.Context, env Env, img *manifest.Image, lock *resolve.Lock, p *resolve.LockedPlatform, f format.Format, t target, extra []rootfs.Entry) (Built, error) {
	b := Built{Platform: t.Platform}
	files, err := lockedFiles(img, p, f)
	if err != nil {
		return b, err
	}
	if b.Packages, err = open(ctx, env, f, files); errors.Is(err, fs.ErrNotExist) && fault.Of(err) == fault.Transfer {
		return b, fault.New(fault.Transfer, "%w\nhint: a mirror drops what was superseded; compose lock --update takes what it has now", err)
	} else if err != nil {
		return b, err
	}
	for i := range files {
		b.Packages[i].Wanted = files[i].locked.Wanted
	}
	r := recipe(env, img, lock, t.arch, b.Packages, extra)
	r.Configure = configure(ctx, env, lock, f, t.arch, b.Packages, &b.Ledger)
	r.Finish = finish(ctx, env, img, f, finalize.Input{Arch: t.arch, Epoch: lock.Epoch}, &b)
	if b.Tree, b.Notes, err = rootfs.Assemble(r, conventions(f)); err != nil {
		return b, err
	}
	b.Notes = append(b.Notes, b.passedOver()...)
	layers, err := layersOf(ctx, env, img, lock, b)
	if err != nil {
		return b, err
	}
	if err := audited(ctx, env, img, lock, &b, layers); err != nil {
		return b, err
	}
	var size int64
	for _, l := range layers {
		size += l.TarSize
	}
	if limit := img.Policy.MaxSize; limit > 0 && size > limit {
		return b, &PosError{Pos: img.Policy.Pos, Err: fault.New(fault.Policy, "policy: the image for %s has %d bytes uncompressed, max-size is %d", t, size, limit)}
	}
	b.Image, err = oci.NewImage(oci.Config(img.Config), v1.Platform{OS: t.OS, Architecture: t.Arch, Variant: t.Variant}, lock.Epoch, layers, img.Annotations)
	return b, err
}

// layersOf cuts the tree into layers, as the manifest says, and makes them.
func layersOf(ctx context.Context, env Env, img *manifest.Image, lock *resolve.Lock, b Built) ([]oci.Layer, error) {
	limit := 1
	if img.Layers.By == "origin" {
		limit = img.Layers.Max
	}
	origins := map[string]rootfs.Origin{}
	for _, p := range b.Packages {
		origins[p.Name] = rootfs.Origin{Name: cmp.Or(p.Source, p.Name), Built: p.BuildTime}
	}
	parts, err := rootfs.Split(b.Tree, func(pkg string) rootfs.Origin { return origins[pkg] }, limit, lock.Epoch)
	if err != nil {
		return nil, err
	}
	layers := make([]oci.Layer, len(parts))
	for i, part := range parts {
		layers[i], err = oci.NewLayer(ctx, part.Segments, env.Store, oci.LayerOptions{Compression: img.Compression, Epoch: part.Epoch, Jobs: env.Jobs})
		if err != nil {
			return nil, err
		}
	}
	return layers, nil
}

// lockedFiles lists the package files of a locked platform. Their SHA-256
// stands in the lock, which vouches for them in place of the index.
func lockedFiles(img *manifest.Image, p *resolve.LockedPlatform, f format.Format) ([]file, error) {
	if f == nil {
		return nil, nil
	}
	sources, err := sourcesOf(img, f)
	if err != nil {
		return nil, err
	}
	files := make([]file, len(p.Packages))
	for i, k := range p.Packages {
		src, err := sourceNamed(sources, p, k.Repository)
		if err != nil {
			return nil, err
		}
		files[i] = file{source: src, check: resolve.Check{SHA256: k.SHA256}, locked: k}
	}
	return files, nil
}

func recipe(env Env, img *manifest.Image, lock *resolve.Lock, arch string, packages []*rootfs.Package, extra []rootfs.Entry) rootfs.Recipe {
	r := rootfs.Recipe{
		Arch: arch, Packages: packages, Entries: extra,
		UIDs: lock.Users, GIDs: lock.Groups,
		Database: img.Database, Epoch: lock.Epoch, Contents: env.Store,
	}
	r.Users, r.Groups = accounts(img)
	for _, g := range img.Remove {
		r.Remove = append(r.Remove, rootfs.Glob{Text: g.Text, Keep: g.Keep})
	}
	for _, s := range img.Slim {
		r.Slim = append(r.Slim, s.Text)
	}
	for _, a := range img.Policy.Allow {
		r.Allow = append(r.Allow, a.Item)
	}
	return r
}

// accounts are the accounts of the manifest.
func accounts(img *manifest.Image) (users []rootfs.User, groups []rootfs.Group) {
	for _, u := range img.Users {
		users = append(users, rootfs.User{Name: u.Name, UID: u.UID, GID: u.GID, Groups: u.Groups, Home: u.Home, Shell: u.Shell, Comment: u.Comment})
	}
	for _, g := range img.Groups {
		groups = append(groups, rootfs.Group{Name: g.Name, GID: g.GID, Members: g.Members})
	}
	return users, groups
}

// conventions is f, or a plain nil where there is no format.
func conventions(f format.Format) rootfs.Conventions {
	if f == nil {
		return nil
	}
	return f
}

// Index puts the images of all platforms under one digest.
func Index(built []Built, img *manifest.Image) (*oci.Index, error) {
	images := make([]*oci.Image, len(built))
	for i, b := range built {
		images[i] = b.Image
	}
	return oci.NewIndex(images, img.Annotations)
}
