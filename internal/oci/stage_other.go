//go:build !unix

package oci

import (
	"io/fs"
	"os"
)

func lock(*os.File, bool) bool { return false }

func owner(fs.FileInfo) (int, bool) { return 0, false }

func free(string) string { return "an unknown number" }
