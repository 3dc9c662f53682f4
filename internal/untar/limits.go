package untar

// Limits of what an archive may hold (threats.md ). They are far
// beyond real packages: the largest of Debian's have about 60,000 entries.
const (
	MaxEntries = 1_000_000
	MaxDepth   = 64        // segments of a path
	MaxName    = 255       // bytes of a segment, as Linux has it
	MaxPath    = 4096      // bytes of a path
	MaxLink    = 4095      // bytes of a link's target
	MaxExtra   = 1 << 20   // bytes of one PAX or long-name block
	MaxID      = 1<<31 - 1 // of a user or group
)
