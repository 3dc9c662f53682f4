// Look prints what a container sees of the paths that it is given: mode,
// owner, modification time, target or the SHA-256 of the content.
package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := look(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func look(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	what := ""
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		what, err = os.Readlink(path)
	case 0:
		var data []byte
		data, err = os.ReadFile(path)
		what = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	fmt.Printf("%s %o %d %d %s\n", path, st.Mode&0o7777, st.Uid, info.ModTime().Unix(), what)
	return err
}
