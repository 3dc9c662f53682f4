// Package resolve chooses the packages that meet the wants, and reads and
// writes that choice.
//
// It knows no package format: versions and relations are opaque text that a
// Syntax explains, and the habits of a format's own tool are data (Manners).
// Solve is a pure function of a Universe and some wants, whatever order they
// come in.
//
// # The search
//
// A package is a Boolean variable, a relation a rule over a few of them. Solve
// walks from the wants down and takes the best package for each need; what
// follows is drawn at once, and a dead end teaches a rule that keeps the walk
// from repeating it (conflict-driven clause learning). Relations are read when
// a package is taken, so only the part of a universe that a closure touches is
// looked at. The walk skips a better choice only where it is proven impossible,
// so the answer is the first one in the order of preferences, whichever way
// the proof went; and if there is none, the rules of the proof are cut down to
// the fewest that cannot hold together, which an Unsatisfied puts in words.
//
// Preferences, in order: Options.Prefer, Options.Keep, the repositories that
// are not pinned; the newest version of each name before any older one; the
// first alternative; then apt's or apk's order of what offers one name. The
// order of the wants in the manifest (Want.Ref) counts where it counts for the
// tool: apt's answer depends on it, apk's does not.
//
// # Differences from apt and apk-tools
//
// Closures equal those of apt 2.6 (nothing installed) and apk-tools 3 over the
// oracles of TestParity, but for these, which are meant:
//
//   - Nothing is left over. apt marks packages below an alternative, may find
//     later that it cannot have it, and leaves what it marked; here only what
//     is needed stays (TestDifferences, "no leftovers").
//   - A closure is found where one exists: with an older version, a later
//     alternative, or an earlier choice undone. apt and apk-tools may give up
//     ("older versions", "an earlier choice undone").
//   - Of equal providers apt takes the one whose name its cache met last. So
//     does Solve, but it does not see Suggests and Enhances, which apt's cache
//     does ("suggestions do not count").
//   - install_if is judged when everything needed is taken, so it never decides
//     between packages that are needed; apk-tools judges it on the way
//     ("install_if decides nothing").
//   - Where packages share a name that they provide without a version, and
//     several are taken for other reasons, apk-tools gives the name to the one
//     that its queue reaches first; here to the best ("shared names").
//   - One version of a package with different contents in two repositories
//     that share no key is refused (threats.md T-21); apt and apk-tools take
//     either.
package resolve

import "compose/internal/cas"

// A Package is one version of one package in an index. Its text fields are
// substrings of the index, which stays in memory as long as they do.
type Package struct {
	Name, Version string
	Arch          string // as the index says: amd64, all, x86_64, noarch
	Repository    int    // index into Universe.Repositories
	Path          string // of the file, relative to the repository's URL; clean
	Size          int64  // of the file, in bytes
	InstalledSize int64  // in bytes, as the index estimates it
	Check         Check  // what the signed index promises about the file
	BuildTime     int64  // seconds since 1970; 0: the index does not say
	Source        string // source package (deb) or origin (apk); default: Name
	SourceVersion string // deb; default: Version
	Licence       string // apk
	Priority      int    // among providers: apk provider_priority; the higher wins
	Essential     bool   // deb: Essential: yes
	Provides      []Atom // Op is "=" or ""; Name may hold a format's own spelling (so:libz.so.1)
	When          []Atom // apk install_if: all of them installed pull the package in
	Unless        []Atom // apk install_if with "!": any of them installed keeps When from doing so
	Fields        Fields // further relations, unparsed
}

// Fields are the relation fields of a package in the format's own syntax,
// which Syntax.Relations reads when the solver reaches the package: parsing
// all of them beforehand costs more than solving.
type Fields struct {
	Depends, PreDepends, Recommends, Conflicts, Breaks, Replaces string
	MultiArch                                                    string // same, foreign, allowed or ""
	Important, Protected                                         bool
	Priority                                                     string // deb: required, important, standard, optional, extra
}

// A Check is what a signed index promises about a package file.
//
// A Debian Packages file gives the SHA-256 of the whole file (field SHA256).
// An apk v2 index gives the SHA-1 of the control segment alone (field C:,
// "Q1" and base64), and that segment names the data (datahash, apk-package(5)).
type Check struct {
	SHA256  cas.Digest // of the whole file; zero where the index does not give it
	Control []byte     // apk: SHA-1 of the compressed control segment, 20 bytes
}

// An Atom is a name with a constraint on its version: Op is "" (any), one of
// = < <= > >= and, for apk, ~ (prefix), ><. Arch qualifies the name (deb:
// "any", or an architecture); Pin names the repository that must serve it.
type Atom struct {
	Name, Op, Version string
	Arch, Pin         string
}

// A Clause is satisfied when any one of its atoms is; the first is preferred.
type Clause []Atom

// Relations are a package's needs. Every clause of Depends must hold, and no
// other chosen package may match an atom of Conflicts.
type Relations struct {
	Depends    []Clause // Pre-Depends first
	Recommends []Clause
	Conflicts  []Atom // deb: Conflicts and Breaks; apk: !name
	Replaces   []Atom // data for rootfs; the solver ignores it, except for preferences
}

// A Syntax explains a package format's text. Versions are opaque to Solve. A
// Syntax may also tell the format's Manners.
type Syntax interface {
	// Compare is negative if a is older than b, and 0 if neither is newer.
	Compare(a, b string) int
	// Satisfies reports whether the version have is allowed by op and want,
	// for example have "1.2.4-r0", op "~", want "1.2".
	Satisfies(have, op, want string) bool
	// Relations parses p's relation fields.
	Relations(p *Package) (Relations, error)
}

// A Repository is where packages of a Universe come from.
type Repository struct {
	Name     string // "debian", "debian-security", "alpine", or derived from the URL; unique
	Pin      string // serves only atoms with this Pin; "": serves all
	Kind     string // "deb" or "apk"
	URL      string // without credentials
	Insecure bool   // trusted: insecure
	Indexes  []IndexFile
}

// An IndexFile is one verified index: what the lock records of it.
type IndexFile struct {
	Path   string     `json:"path"`           // relative to the repository
	Date   string     `json:"date,omitempty"` // RFC 3339, UTC: of the signed file, or of the newest package
	Size   int64      `json:"size"`
	SHA256 cas.Digest `json:"sha256"`
	Key    string     `json:"key,omitempty"`    // fingerprint of the key that signed it
	Legacy bool       `json:"legacy,omitempty"` // an RSA/SHA-1 signature (Alpine)
}

// A Universe is every package that may be chosen for one platform.
type Universe struct {
	Syntax       Syntax
	Arch         string // the format's name of the platform: amd64, x86_64
	Repositories []Repository
	Packages     []Package
}

// A Want is one thing that the closure must hold, or must not.
type Want struct {
	Clause  Clause // one atom, as the manifest says it
	Exclude bool   // "!name": nothing that matches may be chosen
	Text    string // as written, for messages
	Ref     int    // the caller's number for it: index into manifest.Image.Packages; -1: not from the manifest
}

// Options are the choices of a manifest that change a closure.
type Options struct {
	Recommends bool     // follow Recommends where that is possible
	Essential  bool     // want every package that is Essential
	Prefer     []string // among alternatives and providers, these names first
	Elide      []string // names that count as installed at any version
	// Keep names versions to prefer over newer ones (compose lock --update
	// PKG keeps the others): package name to version.
	Keep  map[string]string
	Steps int // after which Solve gives up; 0: DefaultSteps
}

// A Closure is a set of packages in which every want and every dependency of
// every member is satisfied, sorted by name.
type Closure struct {
	Packages []Chosen
	Elided   []string // names taken as satisfied, sorted, that some member needs
	Prefers  []string // preferences that decided something, sorted
}

// A Chosen is a member of a Closure.
type Chosen struct {
	*Package
	Wanted bool // a want names it, or is satisfied by it
	// Why holds the names of the members that need it, sorted; the text of
	// a want stands quoted by its spelling, as in `want "zlib>=1.3"`.
	Why []string
	// Pulled: nothing needs it; it is there because all of Why are (When).
	Pulled bool
}
