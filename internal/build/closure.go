package build

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"compose/internal/fault"
	"compose/internal/format"
	"compose/manifest"
	"compose/resolve"
)

// A Choice is the closure for one platform and the universe it came from.
type Choice struct {
	Platform manifest.Platform
	Universe *resolve.Universe
	Sources  []resolve.Source // by index, as Universe.Repositories
	Closure  *resolve.Closure
}

// Closures chooses the packages of img for each of its platforms. keep holds
// versions to prefer, by platform and package name; it may be nil.
func Closures(ctx context.Context, env Env, img *manifest.Image, keep map[string]map[string]string) ([]Choice, error) {
	f, err := formatOf(img)
	if err != nil {
		return nil, err
	}
	ts, err := targets(img, f)
	if err != nil {
		return nil, err
	}
	if f == nil {
		var choices []Choice
		for _, t := range ts {
			choices = append(choices, Choice{Platform: t.Platform, Universe: &resolve.Universe{Arch: t.arch}, Closure: &resolve.Closure{}})
		}
		return choices, nil
	}
	wants, err := wantsOf(img, f)
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(img, f)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(ctx, env, img)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.Insecure {
			env.Warn("repository %s: its index is not verified (trusted: insecure)", s.URL)
		}
	}
	choices := make([]Choice, len(ts))
	for i, t := range ts {
		u, err := universe(ctx, env, f, t.arch, sources, keys)
		if err != nil {
			return nil, at(img, err)
		}
		choices[i] = Choice{Platform: t.Platform, Universe: u, Sources: sources}
	}
	solve := func(i int, more map[string]string) (*resolve.Closure, error) {
		all := maps.Clone(keep[ts[i].String()])
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, more)
		closure, err := resolve.Solve(choices[i].Universe, wants, options(img, f, all))
		return closure, at(img, err)
	}
	for i := range choices {
		if choices[i].Closure, err = solve(i, nil); err != nil {
			return nil, err
		}
	}
	return choices, agree(ctx, img, choices, solve)
}

// wantsOf parses the lines of packages:, all of them before it complains.
func wantsOf(img *manifest.Image, f format.Format) ([]resolve.Want, error) {
	var wants []resolve.Want
	var errs manifest.Errors
	for i, a := range img.Packages {
		w, err := f.Want(a.Text)
		if err != nil {
			errs = append(errs, a.Pos.Errorf("%v", err))
			continue
		}
		w.Text, w.Ref = a.Text, i
		wants = append(wants, w)
	}
	if errs != nil {
		return nil, errs
	}
	return wants, nil
}

func sourcesOf(img *manifest.Image, f format.Format) ([]resolve.Source, error) {
	var sources []resolve.Source
	var errs manifest.Errors
	names := map[string]manifest.Pos{}
	for i, r := range img.Repositories {
		expanded, err := f.Expand(r)
		if err != nil {
			errs = append(errs, r.Pos.Errorf("%v", err))
			continue
		}
		for _, s := range expanded {
			if first, ok := names[s.Name]; ok {
				errs = append(errs, r.Pos.Errorf("repository %s: already named at %s", s.Name, first))
				continue
			}
			names[s.Name] = r.Pos
			s.Ref = i
			sources = append(sources, s)
		}
	}
	if errs != nil {
		return nil, errs
	}
	return sources, nil
}

// keysOf reads the keyring of every repository, by index.
func keysOf(ctx context.Context, env Env, img *manifest.Image) ([][]resolve.Key, error) {
	const limit = 1 << 20 // a keyring is a few kilobytes
	keys := make([][]resolve.Key, len(img.Repositories))
	for i, r := range img.Repositories {
		for _, src := range r.Keyring {
			data, err := readSource(ctx, env, src, limit)
			if err != nil {
				return nil, manifest.Errors{src.Pos.Errorf("keyring: %v", err)}
			}
			keys[i] = append(keys[i], resolve.Key{Name: path.Base(src.Path + src.URL), Data: data})
		}
	}
	return keys, nil
}

// readSource gives the bytes of a small file that the manifest names.
func readSource(ctx context.Context, env Env, src manifest.Source, limit int64) ([]byte, error) {
	var r io.ReadCloser
	if src.URL != "" {
		ref, err := env.Fetch.Download(ctx, src.URL, src.SHA256, limit)
		if err != nil {
			return nil, err
		}
		if r, err = env.Store.Open(ref); err != nil {
			return nil, err
		}
	} else {
		f, err := env.Project.Open(src.Path)
		if err != nil {
			return nil, readable(err)
		}
		r = f
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fault.New(fault.LimitSize, "%s%s: more than %d bytes", src.Path, src.URL, limit)
	}
	return data, nil
}

// readable takes the name of the system call out of a file error.
func readable(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		if errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Usage, "%s: no such file in the project", pe.Path)
		}
		return fault.New(fault.LocalFile, "%s: %w", pe.Path, pe.Err)
	}
	return err
}

// universe reads the index of every source for arch, at once, and joins them
// in the order of the manifest.
func universe(ctx context.Context, env Env, f format.Format, arch string, sources []resolve.Source, keys [][]resolve.Key) (*resolve.Universe, error) {
	u := &resolve.Universe{Syntax: f, Arch: arch, Repositories: make([]resolve.Repository, len(sources))}
	parts := make([][]resolve.Package, len(sources))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, env.Jobs))
	for i, s := range sources {
		g.Go(func() error {
			packages, files, err := f.Index(ctx, s, arch, keys[s.Ref], env.Fetch.Get(s), env.Store, env.Now)
			if inFlux(err) {
				// A mirror in the middle of an update: once more, from its
				// signed file on (threats.md N-17).
				env.Fetch.Refresh()
				packages, files, err = f.Index(ctx, s, arch, keys[s.Ref], env.Fetch.Get(s), env.Store, env.Now)
			}
			if err != nil {
				return &sourceError{s.Ref, err}
			}
			parts[i] = packages
			u.Repositories[i] = resolve.Repository{Name: s.Name, Pin: s.Pin, Kind: s.Kind, URL: s.URL, Insecure: s.Insecure, Indexes: files}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, part := range parts {
		for j := range part {
			part[j].Repository = i
		}
	}
	if len(parts) == 1 {
		u.Packages = parts[0] // tens of megabytes that need no copy
	} else {
		u.Packages = slices.Concat(parts...)
	}
	return u, nil
}

// inFlux reports whether err is what a mirror in the middle of an update
// looks like: an index that its signed file does not describe, or not there.
func inFlux(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || fault.Of(err) == fault.TrustHash
}

// A sourceError is an error about the repository at an index of the manifest.
type sourceError struct {
	ref int
	err error
}

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func options(img *manifest.Image, f format.Format, keep map[string]string) resolve.Options {
	o := resolve.Options{Recommends: img.Recommends, Essential: img.Essential, Keep: keep}
	for _, a := range img.Prefer {
		o.Prefer = append(o.Prefer, a.Text)
	}
	if img.Elide.Auto {
		o.Elide = append(o.Elide, f.Elidable()...)
	}
	for _, a := range img.Elide.Names {
		o.Elide = append(o.Elide, a.Text)
	}
	return o
}

// A PosError is an error with the place in the manifest that it is about. Its
// kind is that of the error within.
type PosError struct {
	Pos  manifest.Pos
	Err  error
	Also []manifest.Pos // further places that it is about
}

func (e *PosError) Error() string {
	s := e.Pos.String() + ": " + e.Err.Error()
	for _, p := range e.Also {
		s += "\n  also at " + p.String()
	}
	return s
}
func (e *PosError) Unwrap() error { return e.Err }

// at gives an error about a want or a repository the place where the manifest
// asks for it.
func at(img *manifest.Image, err error) error {
	if e, ok := errors.AsType[*resolve.Unsatisfied](err); ok && e.Ref >= 0 && e.Ref < len(img.Packages) {
		var also []manifest.Pos
		for _, w := range e.Against {
			if w.Ref >= 0 && w.Ref < len(img.Packages) && w.Ref != e.Ref {
				also = append(also, img.Packages[w.Ref].Pos)
			}
		}
		return &PosError{Pos: img.Packages[e.Ref].Pos, Err: err, Also: also}
	}
	if e, ok := errors.AsType[*sourceError](err); ok {
		return &PosError{Pos: img.Repositories[e.ref].Pos, Err: err}
	}
	return err
}
