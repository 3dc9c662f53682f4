//go:build unix

package cas

import (
	"fmt"
	"io/fs"
	"syscall"
)

// owner is the number of the user that the file belongs to.
func owner(info fs.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// free says how much room there is where dir stands.
func free(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%d bytes", uint64(st.Bavail)*uint64(st.Bsize))
}
