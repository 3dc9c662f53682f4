package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"compose/internal/build"
	"compose/internal/fault"
	"compose/internal/near"
	"compose/resolve"
)

// reason is what compose why --json prints of a package.
type reason struct {
	Platform string   `json:"platform"`
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	Chain    []string `json:"chain"`   // the shortest way from a want down to the package
	Parents  []string `json:"parents"` // all that need it directly
	With     []string `json:"with"`    // what would leave with it
	Size     int64    `json:"size"`    // of it and of what would leave with it, installed, in bytes
}

func (a *app) whyCommand() *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use:   "why image.yaml [PACKAGE...]",
		Short: "Tell why a package is in the image",
		Long: `Why prints the shortest chain from a line of the manifest to each package, who
else needs it, and what would leave the image with it. It asks the lock, or
resolves where there is none.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 1) {
				return usage("name packages, or write --all")
			}
			reasons, err := a.why(cmd.Context(), args[0], args[1:])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(reasons)
			}
			for _, r := range reasons {
				a.printReason(r, all)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every package, a line each")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) why(ctx context.Context, path string, names []string) ([]reason, error) {
	graphs, err := a.graphs(ctx, path)
	if err != nil {
		return nil, err
	}
	reasons := []reason{}
	for _, g := range graphs {
		for _, p := range g.packages {
			if len(names) > 0 && !slices.Contains(names, p.name) {
				continue
			}
			with := g.With(p.name)
			reasons = append(reasons, reason{g.platform, p.name, p.version, g.Chain(p.name), g.Parents(p.name), append([]string{}, with...), g.Size(append(with, p.name)...)})
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(reasons, func(r reason) bool { return r.Package == n }) {
			return nil, notInClosure(n, graphs)
		}
	}
	return reasons, nil
}

func notInClosure(name string, graphs []graph) error {
	var all []string
	for _, g := range graphs {
		for _, p := range g.packages {
			all = append(all, p.name)
		}
	}
	hint := ""
	if n := near.Nearest(name, all); n != "" {
		hint = fmt.Sprintf("\nhint: did you mean %q?", n)
	}
	return fault.New(fault.Usage, "package %q: not in the closure%s", name, hint)
}

// printReason prints why a package is there; on one line where brief.
func (a *app) printReason(r reason, brief bool) {
	chain := strings.Join(r.Chain, " -> ")
	if brief {
		fmt.Fprintf(a.stdout, "%s\n", printable(chain))
		return
	}
	fmt.Fprintf(a.stdout, "%s %s (%s)\n", r.Package, r.Version, r.Platform)
	fmt.Fprintf(a.stdout, "  %s\n", printable(chain))
	if len(r.Parents) > 0 {
		fmt.Fprintf(a.stdout, "  needed by   %s\n", printable(strings.Join(r.Parents, ", ")))
	}
	leaves := "nothing else leaves with it"
	if len(r.With) > 0 {
		leaves = "leaves with it: " + strings.Join(r.With, ", ")
	}
	fmt.Fprintf(a.stdout, "  %s, %s\n", leaves, bytesText(r.Size))
}

// A graph is the closure for one platform, with the reasons in it.
type graph struct {
	*resolve.Graph
	platform string
	packages []named // sorted by name
}

type named struct {
	name, version string
	size          int64 // installed, in bytes
}

// graphs gives the closures of a manifest: those of a lock that answers for
// it, or fresh ones.
func (a *app) graphs(ctx context.Context, path string) ([]graph, error) {
	p, err := a.open(path, nil)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	lock, err := readLock(p.lockPath())
	if err != nil {
		return nil, err
	}
	var list []graph
	if lock != nil && build.Stale(p.image, lock) == "" {
		for i := range lock.Platforms {
			lp := &lock.Platforms[i]
			g := graph{Graph: lp.Graph(), platform: lp.Platform}
			for _, k := range lp.Packages {
				g.packages = append(g.packages, named{k.Name, k.Version, k.InstalledSize})
			}
			list = append(list, g)
		}
		return list, nil
	}
	env, err := a.env(p)
	if err != nil {
		return nil, err
	}
	choices, err := build.Closures(ctx, env, p.image, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range choices {
		g := graph{Graph: c.Closure.Graph(), platform: c.Platform.String()}
		for _, k := range c.Closure.Packages {
			g.packages = append(g.packages, named{k.Name, k.Version, k.InstalledSize})
		}
		list = append(list, g)
	}
	return list, nil
}

// printPackages prints the closure as a tree, each package below the one
// through which it was reached first.
func (a *app) printPackages(ctx context.Context, path string) error {
	graphs, err := a.graphs(ctx, path)
	if err != nil {
		return err
	}
	for _, g := range graphs {
		below := map[string][]named{}
		var roots []string
		for _, p := range g.packages {
			chain := g.Chain(p.name)
			parent := ""
			if len(chain) > 1 {
				parent = chain[len(chain)-2]
			}
			below[parent] = append(below[parent], p)
			if len(chain) > 0 && !slices.Contains(roots, chain[0]) {
				roots = append(roots, chain[0])
			}
		}
		slices.Sort(roots)
		fmt.Fprintf(a.stdout, "%s\n", g.platform)
		for _, r := range roots {
			if !g.Has(r) {
				fmt.Fprintf(a.stdout, "%s\n", printable(r))
			}
			a.printBelow(below, r, "  ")
		}
		a.printBelow(below, "", "")
	}
	return nil
}

func (a *app) printBelow(below map[string][]named, parent, indent string) {
	for _, p := range below[parent] {
		fmt.Fprintf(a.stdout, "%s%s %s  %s\n", indent, p.name, p.version, bytesText(p.size))
		if p.name != parent {
			a.printBelow(below, p.name, indent+"  ")
		}
	}
}
