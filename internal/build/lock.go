package build

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/format"
	"compose/internal/oci"
	"compose/manifest"
	"compose/resolve"
	"compose/rootfs"
)

// Lock brings the package files of choices into the store and pins them.
// previous, which may be nil, is the lock that the new one takes the place
// of: ids that it gave to names stay.
func Lock(ctx context.Context, env Env, img *manifest.Image, choices []Choice, previous *resolve.Lock) (*resolve.Lock, error) {
	f, err := formatOf(img)
	if err != nil {
		return nil, err
	}
	lock := &resolve.Lock{
		Version:    resolve.LockVersion,
		LayerEpoch: oci.LayerEpoch,
		Manifest:   cas.Sum(img.Canonical()),
		Format:     img.Format(),
		Platforms:  []resolve.LockedPlatform{},
	}
	packages := make([][]*rootfs.Package, len(choices))
	for i, c := range choices {
		p, opened, err := lockPlatform(ctx, env, f, c)
		if err != nil {
			return nil, err
		}
		packages[i] = opened
		for _, k := range p.Packages {
			lock.Epoch = max(lock.Epoch, k.BuildTime)
		}
		lock.Platforms = append(lock.Platforms, p)
	}
	if previous == nil {
		previous = &resolve.Lock{}
	}
	users, groups := accounts(img)
	if lock.Users, lock.Groups, err = rootfs.Numbers(users, groups, previous.Users, previous.Groups); err != nil {
		return nil, fault.New(fault.Usage, "%s: %w", img.File, err)
	}
	for i, c := range choices {
		if err := numberAccounts(ctx, env, img, lock, previous, f, c.Universe.Arch, packages[i]); err != nil {
			return nil, err
		}
	}
	return lock, nil
}

func lockPlatform(ctx context.Context, env Env, f format.Format, c Choice) (resolve.LockedPlatform, []*rootfs.Package, error) {
	p := resolve.LockedPlatform{
		Platform:     c.Platform.String(),
		Repositories: []resolve.LockedRepository{},
		Packages:     []resolve.Locked{},
		Elided:       c.Closure.Elided,
		Prefers:      c.Closure.Prefers,
	}
	for _, r := range c.Universe.Repositories {
		p.Repositories = append(p.Repositories, resolve.LockedRepository{Name: r.Name, Kind: r.Kind, URL: r.URL, Insecure: r.Insecure, Indexes: r.Indexes})
	}
	files := make([]file, len(c.Closure.Packages))
	for i, k := range c.Closure.Packages {
		files[i] = file{source: c.Sources[k.Repository], check: k.Check, locked: locked(k, c.Universe)}
	}
	packages, err := open(ctx, env, f, files)
	if err != nil {
		return p, nil, err
	}
	for i := range files {
		files[i].locked.BuildTime = cmp.Or(files[i].locked.BuildTime, packages[i].BuildTime)
		p.Packages = append(p.Packages, files[i].locked)
	}
	return p, packages, nil
}

// locked is the lock's entry for a chosen package, as far as the index knows
// it: an apk index does not know the file's SHA-256.
func locked(k resolve.Chosen, u *resolve.Universe) resolve.Locked {
	l := resolve.Locked{
		Name: k.Name, Version: k.Version, Arch: k.Arch,
		Repository:    u.Repositories[k.Repository].Name,
		Path:          k.Path,
		Size:          k.Size,
		SHA256:        k.Check.SHA256,
		InstalledSize: k.InstalledSize,
		BuildTime:     k.BuildTime,
		Licence:       k.Licence,
		Wanted:        k.Wanted,
		Why:           k.Why,
		Pulled:        k.Pulled,
	}
	if k.Source != k.Name {
		l.Source = k.Source
	}
	if k.SourceVersion != k.Version {
		l.SourceVersion = k.SourceVersion
	}
	return l
}

// Stale says why lock does not answer for img on its platforms; "" if it does.
func Stale(img *manifest.Image, lock *resolve.Lock) string {
	if lock.Manifest != cas.Sum(img.Canonical()) {
		return "the manifest has changed since it was locked"
	}
	for _, p := range img.Platforms {
		if _, ok := lock.Platform(p.String()); !ok {
			return fmt.Sprintf("platform %s is not in the lock", p)
		}
	}
	return ""
}

// Keep gives the versions that lock holds, for Closures to prefer: all but
// those of the packages named in update.
func Keep(lock *resolve.Lock, update []string) map[string]map[string]string {
	if lock == nil {
		return nil
	}
	keep := map[string]map[string]string{}
	for _, p := range lock.Platforms {
		versions := map[string]string{}
		for _, k := range p.Packages {
			if !slices.Contains(update, k.Name) {
				versions[k.Name] = k.Version
			}
		}
		keep[p.Platform] = versions
	}
	return keep
}

// Changes tells how b differs from a, a line a package: "+ zlib1g 1.3",
// "- bash 5.2", "~ libc6 2.41-12 -> 2.41-13", for each platform.
func Changes(a, b *resolve.Lock) []string {
	var lines []string
	for _, p := range b.Platforms {
		was := map[string]string{}
		if a != nil {
			if old, ok := a.Platform(p.Platform); ok {
				for _, k := range old.Packages {
					was[k.Name] = k.Version
				}
			}
		}
		now := map[string]string{}
		for _, k := range p.Packages {
			now[k.Name] = k.Version
		}
		names := slices.Collect(maps.Keys(now))
		for n := range was {
			if _, ok := now[n]; !ok {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			old, had := was[n]
			version, has := now[n]
			switch {
			case !had:
				lines = append(lines, fmt.Sprintf("%s + %s %s", p.Platform, n, version))
			case !has:
				lines = append(lines, fmt.Sprintf("%s - %s %s", p.Platform, n, old))
			case old != version:
				lines = append(lines, fmt.Sprintf("%s ~ %s %s -> %s", p.Platform, n, old, version))
			}
		}
	}
	return lines
}

// sourceNamed finds the source of a locked package; where the manifest no
// longer leads to it, one made from the lock's own URL.
func sourceNamed(sources []resolve.Source, p *resolve.LockedPlatform, name string) (resolve.Source, error) {
	if i := slices.IndexFunc(sources, func(s resolve.Source) bool { return s.Name == name }); i >= 0 {
		return sources[i], nil
	}
	names := make([]string, len(p.Repositories))
	for i, r := range p.Repositories {
		names[i] = r.Name
	}
	return resolve.Source{}, fault.New(fault.LockStale, "image.lock.json: repository %q is not in the manifest, which has %s; run compose lock", name, strings.Join(names, ", "))
}
