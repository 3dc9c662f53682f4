// Package limits holds the numbers beyond which a package file is refused.
//
// They bound what any input can cost, and are far beyond real packages: a scan
// of 520 of Debian 12 and 13's and of 294 of Alpine's found none near them. The
// deepest path of Debian 13 has 24 segments.
package limits

// Of an archive (threats.md ).
const (
	Entries     = 1_000_000
	Depth       = 64        // segments of a path
	Name        = 255       // bytes of a segment, as Linux has it
	Path        = 4096      // bytes of a path
	LinkTarget  = 4095      // bytes of a link's target
	ExtraHeader = 1 << 20   // bytes of one PAX or long-name block
	ID          = 1<<31 - 1 // of a user or group
)

// Of what a package file expands to, in bytes (threats.md Z-01).
const (
	// Slack is what every package may expand to. Signed installed sizes are
	// estimates, and a tar archive has more than its files: a package may
	// expand to twice its installed size and Slack. In 780 real packages the
	// files alone never exceeded the installed size.
	Slack = 64 << 20
	// Expanded is what no package may expand to.
	Expanded = 64 << 30
	// Ratio times the file's size and Slack is what it may expand to where
	// the index states no installed size.
	Ratio = 64
)

// Window is the largest dictionary or window that a compressed stream may ask
// for, in bytes (threats.md Z-04).
const Window = 128 << 20

// Of the parts that are kept in memory, in bytes, expanded (threats.md D-06).
const (
	ControlPart = 64 << 20 // control.tar of a deb; the control segment of an apk
	ControlFile = 1 << 20  // the file control of a deb
	Signatures  = 1 << 20  // the signature segment of an apk
	Ignored     = 1 << 20  // a member of a deb that is passed over
	Line        = 1 << 20  // of a text file
)
