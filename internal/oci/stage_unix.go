//go:build unix

package oci

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// lock locks f until it is closed or the process ends, and reports whether it
// could. Where locks do not work nothing is taken for abandoned.
func lock(f *os.File, wait bool) bool {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	return syscall.Flock(int(f.Fd()), how) == nil
}

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
		return "an unknown number"
	}
	return fmt.Sprint(uint64(st.Bavail) * uint64(st.Bsize))
}
