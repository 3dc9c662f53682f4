// Package build runs the steps of a build in their order; it is the table of
// contents of compose.
//
//	Closures   manifest -> verified indexes -> closure, for each platform
//	Lock       closure -> package files in the store -> lock
//	Image      manifest + lock -> opened packages -> tree -> layer -> image
//
// The first two decide, with the network and a clock; Image computes, and
// gives the same bytes for the same manifest and lock wherever it runs.
package build

import (
	"fmt"
	"io/fs"
	"time"

	"compose/fetch"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/format"
	"compose/manifest"
)

// An Env is what a build reaches the world outside through.
type Env struct {
	Store   cas.Store
	Fetch   *fetch.Client
	Project fs.FS     // the folder that the manifest's paths stay within
	Now     time.Time // judges expiry above the lock; nothing below it looks
	Jobs    int       // how much to do at once; at least 1
	Warn    func(format string, args ...any)

	fresh bool // do not believe what the store says that packages hold
}

// A Platform and the format's name for it.
type target struct {
	manifest.Platform
	arch string
}

// formatOf gives the format of img's repositories; nil where it has none and
// so no packages.
func formatOf(img *manifest.Image) (format.Format, error) {
	name := img.Format()
	if name == "" {
		if len(img.Packages) > 0 {
			return nil, manifest.Errors{img.Packages[0].Pos.Errorf("package %q: the manifest names no repository", img.Packages[0].Text).
				WithHint("add for example\nrepositories:\n  - debian: trixie")}
		}
		return nil, nil
	}
	f, ok := format.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("package format %q is unknown", name)
	}
	return f, nil
}

func targets(img *manifest.Image, f format.Format) ([]target, error) {
	var ts []target
	for _, p := range img.Platforms {
		t := target{Platform: p, arch: p.Arch}
		if f != nil {
			arch, err := f.Arch(p)
			if err != nil {
				return nil, fault.New(fault.Usage, "%s: platform %s: %w", img.File, p, err)
			}
			t.arch = arch
		}
		ts = append(ts, t)
	}
	return ts, nil
}
