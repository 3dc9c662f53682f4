package rootfs

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Part is what one of several layers of an image holds.
type Part struct {
	Segments []Segment
	Epoch    int64 // time of its directories, in seconds since 1970
}

// An Origin is what some packages were built from. They change together.
type Origin struct {
	Name  string
	Built int64 // when, in seconds since 1970
}

// Split cuts a tree into at most limit layers, the lowest first, so that
// images and builds which have packages in common have layers in common:
//
//   - one for the packages of each origin, the oldest build first, since what
//     changed last is likeliest to change next;
//   - if there are too many, only the largest origins have their own, and one
//     layer holds all others;
//   - on top, what no package brought, with the package database: it is never
//     the same twice.
//
// A layer also has the directories on the way to its files, because not all
// unpackers find them in the layers below. Their time is that of the origin's
// youngest build; the image's epoch, which every upgrade moves, is in the top
// layer alone.
func Split(t *Tree, origin func(pkg string) Origin, limit int, epoch int64) ([]Part, error) {
	segments, err := Segments(t)
	if err != nil || limit <= 1 {
		return []Part{{segments, epoch}}, err
	}
	groups, generated, err := byOrigin(t, origin)
	if err != nil {
		return nil, err
	}
	var parts []Part
	placed := map[*Node]bool{}
	for _, g := range limitGroups(groups, limit-1) {
		parts = append(parts, Part{g.segments(t, placed), min(g.built, epoch)})
	}
	for n := range t.All() {
		if n.Type == Dir && !placed[n] {
			generated = append(generated, n)
		}
	}
	if len(generated) > 0 {
		parts = append(parts, Part{[]Segment{{tree: t, Nodes: withParents(t, generated)}}, epoch})
	}
	return parts, nil
}

// A nodeGroup is what the packages of one origin, or several, brought.
type nodeGroup struct {
	name  string
	built int64
	size  int64 // of the contents, in bytes
	nodes map[string][]*Node
}

// byOrigin sorts the nodes of a tree by the origins of their packages; generated
// are those of none. Directories are in neither, but for those that a package
// brought.
func byOrigin(t *Tree, origin func(string) Origin) (groups []*nodeGroup, generated []*Node, err error) {
	byName := map[string]*nodeGroup{}
	for n := range t.All() {
		file, err := fileOf(t, n)
		if err != nil {
			return nil, nil, err
		}
		if file.Package == "" {
			if n.Type != Dir {
				generated = append(generated, n)
			}
			continue
		}
		o := origin(file.Package)
		g := byName[o.Name]
		if g == nil {
			g = &nodeGroup{name: o.Name, nodes: map[string][]*Node{}}
			byName[o.Name] = g
		}
		g.built = max(g.built, o.Built)
		g.nodes[file.Package] = append(g.nodes[file.Package], n)
		if n.Type == Regular {
			g.size += n.Content.Size
		}
	}
	groups = slices.SortedFunc(maps.Values(byName), func(a, b *nodeGroup) int {
		return cmp.Or(cmp.Compare(a.built, b.built), strings.Compare(a.name, b.name))
	})
	return groups, generated, nil
}

// limitGroups keeps the largest groups and puts the others together, behind
// them.
func limitGroups(groups []*nodeGroup, limit int) []*nodeGroup {
	if len(groups) <= limit {
		return groups
	}
	bySize := slices.SortedFunc(slices.Values(groups), func(a, b *nodeGroup) int { return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.name, b.name)) })
	rest := &nodeGroup{nodes: map[string][]*Node{}}
	for _, g := range bySize[limit-1:] {
		rest.built = max(rest.built, g.built)
		maps.Copy(rest.nodes, g.nodes)
	}
	kept := slices.DeleteFunc(slices.Clone(groups), func(g *nodeGroup) bool { return slices.Contains(bySize[limit-1:], g) })
	return append(kept, rest)
}

// segments are the group's: one of directories, one for each package. What is
// in them is noted in placed.
func (g *nodeGroup) segments(t *Tree, placed map[*Node]bool) []Segment {
	list := []Segment{{tree: t}}
	var all []*Node
	for _, pkg := range slices.Sorted(maps.Keys(g.nodes)) {
		all = append(all, g.nodes[pkg]...)
		s := Segment{Package: pkg, tree: t, Nodes: slices.DeleteFunc(slices.Clone(g.nodes[pkg]), isDir)}
		if len(s.Nodes) > 0 {
			sortNodes(s.Nodes)
			list = append(list, s)
		}
	}
	list[0].Nodes = slices.DeleteFunc(withParents(t, all), func(n *Node) bool { return !isDir(n) })
	for _, n := range list[0].Nodes {
		placed[n] = true
	}
	return list
}

func isDir(n *Node) bool { return n.Type == Dir }

// withParents gives the nodes and all directories above them, sorted.
func withParents(t *Tree, nodes []*Node) []*Node {
	seen := map[*Node]bool{}
	var all []*Node
	for _, n := range nodes {
		for n != nil && !seen[n] {
			seen[n] = true
			all = append(all, n)
			if n.Path == "." {
				break
			}
			n = t.Get(path.Dir(n.Path))
		}
	}
	sortNodes(all)
	return all
}
