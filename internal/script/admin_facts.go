package script

import "compose/rootfs"

// Facts are what administrative commands must know beside the tree.
type Facts struct {
	// UIDs and GIDs are numbers by name that an earlier build gave: an
	// account of that name gets it again, and no other does.
	UIDs, GIDs map[string]int
	// Packages are those of the image, by name.
	Packages map[string]*rootfs.Package
	// Compare orders two versions of packages: below zero, zero or above.
	Compare func(a, b string) int
}

// Tell lets the commands of later scripts know f.
func (in *Interpreter) Tell(f Facts) {
	if in.State == nil {
		in.State = map[string]any{}
	}
	in.State["facts"] = f
}

func (c *Call) facts() Facts {
	f, _ := c.State("facts").(Facts)
	return f
}
