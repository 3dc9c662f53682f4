package manifest

import "compose/internal/cas"

// An Image is a valid manifest, with its includes merged in. Defaults that do
// not depend on the machine are filled in.
type Image struct {
	File         string       // the manifest's path within the project, with slashes
	Name         string       // image name; default: the name of the manifest's folder
	Platforms    []Platform   // none: the builder's own
	Repositories []Repository // of one format
	Packages     []Atom       // as written, in order
	Recommends   bool         // deb: follow Recommends
	Essential    bool         // deb: add packages that are Essential: yes
	Prefer       []Atom       // package names; the first matters most
	Elide        Elide        // dependencies taken as satisfied by compose
	Files        []File       // applied in order, after packages
	Remove       []Glob       // in order; a later "!/path" keeps
	Slim         []Atom       // names of the documented removals
	Users        []User       //
	Groups       []Group      //
	Config       Config       // of the OCI image
	Annotations  map[string]string
	Layers       Layers
	Compression  string // gzip, zstd or none
	SkewAllowed  bool   // platform-skew: allow
	Database     string // package-database: auto, full, scanners or none
	Policy       Policy
}

// Format is the package format of the image's repositories: "apk", "deb", or
// "" where there is no repository.
func (img *Image) Format() string {
	for _, r := range img.Repositories {
		return r.Format
	}
	return ""
}

// A Platform is an operating system, an architecture in GOARCH's spelling and
// a variant, which may be empty: linux/amd64, linux/arm/v7 (OCI image
// specification, "platform").
type Platform struct{ OS, Arch, Variant string }

// String is the form that a manifest uses: linux/arm/v7.
func (p Platform) String() string {
	s := p.OS + "/" + p.Arch
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// A Repository is one entry of repositories:. A short form has Distribution
// and Release, a long form has URL; the format turns the one into the other.
type Repository struct {
	Pos          Pos
	Format       string   // "apk" or "deb"
	Distribution string   // "alpine" or "debian" in a short form
	Release      string   // "trixie", "v3.22"
	Snapshot     string   // 20261101T000000Z, or ""
	URL          string   // http, https or file, without credentials; no slash at the end
	Suites       []string // deb
	Components   []string // deb; apk short form: main, community
	Keyring      []Source // files that hold the keys which may sign it
	Insecure     bool     // trusted: insecure
	Name         string   // for NAME in pkg@NAME; such a repository serves pinned packages only
}

// An Atom is one word of the manifest that a package format or a later stage
// understands, and where it stands.
type Atom struct {
	Text string
	Pos  Pos
}

// Elide says which helper packages count as installed. Auto is the word
// helpers: the format's own list; Names are packages named one by one.
type Elide struct {
	Auto  bool
	Names []Atom
	Pos   Pos
}

// A Source is a file of the project, or one to download.
type Source struct {
	Pos    Pos
	Path   string     // within the project, with slashes; or
	URL    string     // http or https, and
	SHA256 cas.Digest // what the download must hash to
}

// A File is one entry of files:. Exactly one of Source, Content, Type ("dir")
// and Link says what it is.
type File struct {
	Pos     Pos
	Path    string  // absolute and clean
	Source  *Source // a file, or a folder that is copied whole
	Content *string // the text itself
	Type    string  // "dir", or ""
	Link    string  // target of a symbolic link, verbatim; or ""
	Mode    int     // the twelve mode bits; -1: 0644, 0755 for folders; a source keeps its execute bit
	Owner   string  // user, user:group, or numbers; "": 0:0
}

// A Glob is one entry of remove:.
type Glob struct {
	Pos  Pos
	Keep bool   // it was written "!/path"
	Text string // absolute; * and ? stop at a slash, ** does not
}

// A User is an account to be there. UID and GID are -1 where the manifest
// leaves the number to be allocated.
type User struct {
	Pos      Pos
	Name     string
	UID, GID int
	Groups   []string // further groups
	Home     string   // default /
	Shell    string   // default /sbin/nologin
	Comment  string
}

// A Group is a group to be there. GID is -1 where it is to be allocated.
type Group struct {
	Pos     Pos
	Name    string
	GID     int
	Members []string
}

// A Config is what the OCI image configuration says of running the image.
type Config struct {
	User       string
	Entrypoint []string
	Cmd        []string
	Env        map[string]string
	Workdir    string
	Ports      []string
	Volumes    []string
	Labels     map[string]string
	StopSignal string
}

// Layers says how the file tree is cut: one layer, or by origin into at most
// Max.
type Layers struct {
	By  string // "single" or "origin"
	Max int
}

// A Policy is what must not be in the image.
type Policy struct {
	Pos     Pos
	Forbid  []Atom
	Allow   []Allow
	MaxSize int64 // of the uncompressed layer, in bytes; 0: any
}

// An Allow is an exception to the policy: a path or a package's name.
type Allow struct {
	Pos          Pos
	Item, Reason string
}
