package resolve

import (
	"slices"
	"strings"
)

// A Graph tells why each package of a closure, or of a lock, is there.
type Graph struct {
	why    map[string][]string // package -> who needs it
	needed map[string][]string // package or want -> whom it needs
	roots  []string            // wants, as they stand in Why, and essential packages
	pulled map[string]bool     // there because all of why are
	size   map[string]int64
}

// Graph is the closure as a graph.
func (c *Closure) Graph() *Graph {
	g := newGraph(len(c.Packages))
	for _, p := range c.Packages {
		g.add(p.Name, p.Wanted, p.Why, p.Pulled, p.InstalledSize)
	}
	return g.done()
}

// Graph is the platform's packages as a graph.
func (p *LockedPlatform) Graph() *Graph {
	g := newGraph(len(p.Packages))
	for _, k := range p.Packages {
		g.add(k.Name, k.Wanted, k.Why, k.Pulled, k.InstalledSize)
	}
	return g.done()
}

func newGraph(n int) *Graph {
	return &Graph{
		why: make(map[string][]string, n), needed: make(map[string][]string, n),
		pulled: make(map[string]bool, n), size: make(map[string]int64, n),
	}
}

func (g *Graph) add(name string, wanted bool, why []string, pulled bool, size int64) {
	g.why[name], g.pulled[name], g.size[name] = why, pulled, size
	asked := false
	for _, w := range why {
		g.needed[w] = append(g.needed[w], name)
		if isWant(w) {
			asked = true
			g.roots = append(g.roots, w)
		}
	}
	if wanted && !asked { // wanted by an option, not by a line
		g.roots = append(g.roots, name)
	}
}

func (g *Graph) done() *Graph {
	slices.Sort(g.roots)
	g.roots = slices.Compact(g.roots)
	for _, to := range g.needed {
		slices.Sort(to)
	}
	return g
}

func isWant(w string) bool { return strings.HasPrefix(w, "want ") }

// Has reports whether the package is in the graph.
func (g *Graph) Has(name string) bool { _, ok := g.why[name]; return ok }

// Chain is the shortest way from a want down to the package, both included;
// among equals the first by name. It is nil for a package that is not there.
func (g *Graph) Chain(name string) []string {
	if !g.Has(name) {
		return nil
	}
	from := g.reach("")
	var out []string
	for at := name; at != ""; at = from[at] {
		out = append(out, at)
	}
	slices.Reverse(out)
	return out
}

// Parents are the packages and wants that need the package directly, sorted.
func (g *Graph) Parents(name string) []string { return g.why[name] }

// With are the packages that would leave if the package left: those that
// nothing else keeps, sorted, the package itself not among them.
func (g *Graph) With(name string) []string {
	if !g.Has(name) {
		return nil
	}
	stay := g.reach(name)
	var out []string
	for p := range g.why {
		if _, ok := stay[p]; !ok && p != name {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Size is the sum of the packages' installed sizes, in bytes.
func (g *Graph) Size(names ...string) (n int64) {
	for _, name := range names {
		n += g.size[name]
	}
	return n
}

// reach walks from the wants down, past everything but one package, and gives
// from where each was reached first; "" for a root.
func (g *Graph) reach(but string) map[string]string {
	from := map[string]string{}
	var queue []string
	reached := map[string]int{} // pulled package -> how many of its Why
	for _, r := range g.roots {
		if r != but {
			from[r] = ""
			queue = append(queue, r)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, to := range g.needed[at] {
			if reached[to]++; g.pulled[to] && reached[to] < len(g.why[to]) {
				continue
			}
			if _, ok := from[to]; !ok && to != but {
				from[to] = at
				queue = append(queue, to)
			}
		}
	}
	return from
}
