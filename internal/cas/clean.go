package cas

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An Area is how much of one kind a store holds.
type Area struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

func (a *Area) add(size int64) {
	a.Entries++
	a.Bytes += size
}

// An Info is what a Dir holds.
type Info struct {
	Path    string `json:"path"`
	Blobs   Area   `json:"blobs"`
	Packs   Area   `json:"packs"`
	Derived Area   `json:"derived"`
	Other   Area   `json:"other"` // damaged and unfinished files
}

// A file is an entry as the cleaner sees it.
type file struct {
	path string
	area string // the folder right below the root
	size int64
	used time.Time
}

// files lists every file below the root. What disappears meanwhile is left
// out.
func (d *Dir) files() ([]file, error) {
	var list []file
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return ignoreMissing(err)
		}
		info, err := e.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		rel, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		area, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if slices.Contains(areas, area) {
			list = append(list, file{path, area, info.Size(), info.ModTime()})
		}
		return nil
	})
	return list, d.fault(d.root, err)
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// Info counts what the store holds.
func (d *Dir) Info() (Info, error) {
	info := Info{Path: d.root}
	list, err := d.files()
	for _, f := range list {
		info.area(f.area).add(f.size)
	}
	return info, err
}

func (i *Info) area(name string) *Area {
	switch name {
	case "sha256":
		return &i.Blobs
	case "pack":
		return &i.Packs
	case "derived":
		return &i.Derived
	}
	return &i.Other
}

// Clean removes entries that were not used for longer than maxAge, and then
// those not used for longest until at most maxSize bytes are left; a bound
// below zero is none. What was used within the last hour stays: somebody may
// be building with it. It answers what was removed.
func (d *Dir) Clean(maxAge time.Duration, maxSize int64) (Area, error) {
	list, err := d.files()
	if err != nil {
		return Area{}, err
	}
	slices.SortFunc(list, func(a, b file) int { return a.used.Compare(b.used) })
	var left int64
	for _, f := range list {
		left += f.size
	}
	var removed Area
	now := time.Now()
	for _, f := range list {
		age := now.Sub(f.used)
		if age < youngAge {
			break
		}
		stale := f.area == "tmp" || f.area == "lock" || f.area == "damaged"
		if !stale && (maxAge < 0 || age <= maxAge) && (maxSize < 0 || left <= maxSize) {
			continue
		}
		if err := ignoreMissing(os.Remove(f.path)); err != nil {
			return removed, d.fault(f.path, err)
		}
		left -= f.size
		removed.add(f.size)
	}
	return removed, nil
}

// reclaim removes what processes that were killed have left behind.
func (d *Dir) reclaim() {
	for _, area := range []string{"tmp", "lock"} {
		dir := filepath.Join(d.root, area)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > youngAge {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}
