package resolve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"compose/internal/cas"
	"compose/internal/fault"
)

// LockVersion is the version of the lock's own format.
const LockVersion = 1

// A Lock is a choice of packages that was made once and holds from then on:
// image.lock.json (DESIGN.md part 4). Together with the manifest it fixes
// every byte of the image; a repository's URL does not.
type Lock struct {
	Version    int              `json:"lockVersion"`
	LayerEpoch int              `json:"layerEpoch"` // format epoch of tar, JSON and compressor
	Manifest   cas.Digest       `json:"manifest"`   // of the manifest's canonical form
	Format     string           `json:"format"`     // deb or apk; "" without repositories
	Epoch      int64            `json:"epoch"`      // seconds since 1970: no file is younger
	Users      map[string]int   `json:"users,omitempty"`
	Groups     map[string]int   `json:"groups,omitempty"`
	Platforms  []LockedPlatform `json:"platforms"` // sorted by name
}

// A LockedPlatform is the choice for one platform.
type LockedPlatform struct {
	Platform     string             `json:"platform"` // linux/amd64
	Repositories []LockedRepository `json:"repositories"`
	Packages     []Locked           `json:"packages"` // sorted by name
	Elided       []string           `json:"elided,omitempty"`
	Prefers      []string           `json:"preferences,omitempty"`
}

// A LockedRepository is a repository as it was when the choice was made.
type LockedRepository struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	URL      string      `json:"url"`
	Insecure bool        `json:"insecure,omitempty"`
	Indexes  []IndexFile `json:"indexes,omitempty"`
}

// A Locked is one chosen package file.
type Locked struct {
	Name          string     `json:"name"`
	Version       string     `json:"version"`
	Arch          string     `json:"arch"`
	Repository    string     `json:"repository"`
	Path          string     `json:"path"` // relative to the repository's URL
	Size          int64      `json:"size"` // of the file, in bytes
	SHA256        cas.Digest `json:"sha256"`
	InstalledSize int64      `json:"installedSize"`       // in bytes
	BuildTime     int64      `json:"buildTime,omitempty"` // seconds since 1970
	Source        string     `json:"source,omitempty"`    // where it is not Name
	SourceVersion string     `json:"sourceVersion,omitempty"`
	Licence       string     `json:"licence,omitempty"`
	Wanted        bool       `json:"wanted,omitempty"`
	Why           []string   `json:"why,omitempty"`
	Pulled        bool       `json:"pulled,omitempty"` // all of Why pull it in together (Chosen.Pulled)
}

// Platform finds the part of the lock for the named platform.
func (l *Lock) Platform(name string) (*LockedPlatform, bool) {
	for i := range l.Platforms {
		if l.Platforms[i].Platform == name {
			return &l.Platforms[i], true
		}
	}
	return nil, false
}

// Bytes is the lock as canonical JSON: fixed order of keys, sorted lists, two
// spaces, a newline at the end.
func (l *Lock) Bytes() []byte {
	slices.SortFunc(l.Platforms, func(a, b LockedPlatform) int { return strings.Compare(a.Platform, b.Platform) })
	for _, p := range l.Platforms {
		slices.SortFunc(p.Packages, func(a, b Locked) int { return strings.Compare(a.Name, b.Name) })
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(l); err != nil {
		panic(err) // no value of these types has no JSON form
	}
	return b.Bytes()
}

// ParseLock reads a lock. name is for messages.
func ParseLock(name string, data []byte) (*Lock, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var head struct {
		Version int `json:"lockVersion"`
	}
	if json.Unmarshal(data, &head) == nil && head.Version > LockVersion {
		return nil, fault.New(fault.LockEpoch, "%s: lock version %d is newer than this compose, which knows %d", name, head.Version, LockVersion)
	}
	var l Lock
	if err := d.Decode(&l); err != nil {
		return nil, fault.New(fault.Usage, "%s: not a lock: %v; run compose lock to make one", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Usage, "%s: not a lock: something follows the closing brace", name)
	}
	if err := l.check(); err != nil {
		return nil, fault.New(fault.Usage, "%s: %w", name, err)
	}
	return &l, nil
}

func (l *Lock) check() error {
	if l.Version != LockVersion {
		return fmt.Errorf("lock version %d: this compose knows %d", l.Version, LockVersion)
	}
	for _, p := range l.Platforms {
		repos := map[string]bool{}
		for _, r := range p.Repositories {
			repos[r.Name] = true
		}
		seen := map[string]bool{}
		for _, k := range p.Packages {
			switch {
			case k.Name == "" || k.Version == "" || k.Arch == "":
				return fmt.Errorf("%s: a package without name, version or arch", p.Platform)
			case seen[k.Name]:
				return fmt.Errorf("%s: package %q stands twice", p.Platform, k.Name)
			case !repos[k.Repository]:
				return fmt.Errorf("%s: package %q: repository %q is not in the lock", p.Platform, k.Name, k.Repository)
			case k.SHA256.IsZero() || k.Size <= 0:
				return fmt.Errorf("%s: package %q: no sha256 or no size", p.Platform, k.Name)
			case !CleanPath(k.Path):
				return fmt.Errorf("%s: package %q: path %q leaves the repository", p.Platform, k.Name, k.Path)
			}
			seen[k.Name] = true
		}
	}
	return nil
}

// CleanPath reports whether p is a relative path that stays below its root
// and means nothing else in a URL: no scheme, host, query, escape, dot
// segment, backslash or control character (threats.md D-11).
func CleanPath(p string) bool {
	start, first := 0, true // of the segment
	for i := 0; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			switch c := p[i]; {
			case c <= ' ', c == 0x7f, c == '\\', c == '?', c == '#', c == '%', c == ':' && first:
				return false
			}
			continue
		}
		if seg := p[start:i]; seg == "" || seg == "." || seg == ".." {
			return false
		}
		start, first = i+1, false
	}
	return true
}
