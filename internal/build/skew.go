package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"compose/internal/fault"
	"compose/manifest"
	"compose/resolve"
)

// agree makes the versions of packages the same for all platforms: where they
// differ, the newest that every platform has is taken. What cannot agree is
// refused, unless the manifest allows it.
//
// Versions are those of the source: a rebuild for one architecture alone
// (Debian's +b1) is no other version.
func agree(ctx context.Context, img *manifest.Image, choices []Choice, solve func(i int, keep map[string]string) (*resolve.Closure, error)) error {
	apart := differing(choices)
	if len(apart) == 0 {
		return nil
	}
	common := map[string]string{}
	for _, name := range apart {
		if v, ok := newestCommon(choices, name); ok {
			common[name] = v
		}
	}
	if len(common) > 0 {
		for i := range choices {
			if err := ctx.Err(); err != nil {
				return err
			}
			closure, err := solve(i, versionsOf(choices[i].Universe, common))
			if err != nil {
				return err
			}
			choices[i].Closure = closure
		}
		apart = differing(choices)
	}
	if len(apart) == 0 || img.SkewAllowed {
		return nil
	}
	var lines []string
	for _, name := range apart {
		var have []string
		for _, c := range choices {
			if v, ok := chosenVersion(c.Closure, name); ok {
				have = append(have, v+" for "+c.Platform.String())
			}
		}
		lines = append(lines, fmt.Sprintf("package %q: %s", name, strings.Join(have, ", ")))
	}
	return fault.New(fault.NoSolution, "%s: no version is available for every platform\n\t%s\n\thint: wait until the repositories agree, name a version, or write platform-skew: allow",
		img.File, strings.Join(lines, "\n\t"))
}

// differing gives the names of packages that several platforms have in
// different versions, sorted.
func differing(choices []Choice) []string {
	first := map[string]string{}
	apart := map[string]bool{}
	for _, c := range choices {
		for _, p := range c.Closure.Packages {
			v := sourceVersion(p.Package)
			if was, ok := first[p.Name]; ok && was != v {
				apart[p.Name] = true
			}
			first[p.Name] = v
		}
	}
	return slices.Sorted(maps.Keys(apart))
}

func sourceVersion(p *resolve.Package) string {
	if p.SourceVersion != "" {
		return p.SourceVersion
	}
	return p.Version
}

func chosenVersion(c *resolve.Closure, name string) (string, bool) {
	for _, p := range c.Packages {
		if p.Name == name {
			return p.Version, true
		}
	}
	return "", false
}

// newestCommon is the newest source version of a package that is available
// for every platform that has chosen the package.
func newestCommon(choices []Choice, name string) (string, bool) {
	count := map[string]int{}
	asked := 0
	for _, c := range choices {
		if _, ok := chosenVersion(c.Closure, name); !ok {
			continue
		}
		asked++
		seen := map[string]bool{}
		for i := range c.Universe.Packages {
			if p := &c.Universe.Packages[i]; p.Name == name {
				seen[sourceVersion(p)] = true
			}
		}
		for v := range seen {
			count[v]++
		}
	}
	best, found := "", false
	for v, n := range count {
		if n == asked && (!found || choices[0].Universe.Syntax.Compare(v, best) > 0) {
			best, found = v, true
		}
	}
	return best, found
}

// versionsOf turns source versions into the versions that u has of them.
func versionsOf(u *resolve.Universe, common map[string]string) map[string]string {
	keep := map[string]string{}
	for i := range u.Packages {
		p := &u.Packages[i]
		if v, ok := common[p.Name]; ok && v == sourceVersion(p) {
			if was, ok := keep[p.Name]; !ok || u.Syntax.Compare(p.Version, was) > 0 {
				keep[p.Name] = p.Version
			}
		}
	}
	return keep
}
