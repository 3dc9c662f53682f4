package untar

import (
	"strconv"
	"strings"

	"compose/internal/fault"
	"compose/internal/limits"
)

// Clean is the path of an entry in the form of rootfs.Node: relative, without
// a leading "./" and, for a directory, without the slash at its end. Nothing
// else is made clean: an absolute name, a dot segment or an empty one is
// refused, and so are control characters and the names by which a layer
// deletes files.
func Clean(name string, isDir bool) (string, error) {
	path := strings.TrimPrefix(name, "./")
	if isDir {
		if path == "" || path == "." {
			return ".", nil
		}
		path = strings.TrimSuffix(path, "/")
	}
	switch {
	case strings.HasPrefix(path, "/"):
		return "", fault.New(fault.UnsafeEntry, "an absolute name")
	case len(path) > limits.Path:
		return "", fault.New(fault.LimitSize, "a path of %d bytes: the limit is %d", len(path), limits.Path)
	case hasControl(path):
		return "", fault.New(fault.UnsafeEntry, "control characters in the name")
	}
	return path, checkSegments(path)
}

func checkSegments(path string) error {
	depth := 0
	for seg := range strings.SplitSeq(path, "/") {
		depth++
		switch {
		case seg == "", seg == ".", seg == "..":
			return fault.New(fault.UnsafeEntry, "the path has the segment %q", seg)
		case strings.HasPrefix(seg, ".wh."):
			return fault.New(fault.UnsafeWhiteout, "%q would delete other files when the layer is applied", seg)
		case len(seg) > limits.Name:
			return fault.New(fault.LimitSize, "a name of %d bytes: the limit is %d", len(seg), limits.Name)
		case depth > limits.Depth:
			return fault.New(fault.LimitSize, "a path of more than %d segments", limits.Depth)
		}
	}
	return nil
}

// checkTarget refuses targets that no file system holds. Where a symbolic
// link leads is not asked: it is kept, and nothing here follows it.
func checkTarget(target string) error {
	switch {
	case target == "":
		return fault.New(fault.UnsafeEntry, "a symbolic link without a target")
	case len(target) > limits.LinkTarget:
		return fault.New(fault.LimitSize, "a link target of %d bytes: the limit is %d", len(target), limits.LinkTarget)
	case hasControl(target):
		return fault.New(fault.UnsafeEntry, "control characters in the link's target %q", target)
	}
	return nil
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func quote(s string) string { return strconv.Quote(s) }
