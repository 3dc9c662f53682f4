package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"compose/internal/build"
)

// resolution is the shape of compose resolve --json, which other tools read.
type resolution struct {
	Platforms map[string]resolvedPlatform `json:"platforms"`
}

type resolvedPlatform struct {
	Packages []resolvedPackage `json:"packages"` // sorted by name
}

type resolvedPackage struct {
	Name          string `json:"name"`
	Version       string `json:"version"`
	Arch          string `json:"arch"`
	Repository    string `json:"repository"`
	Size          int64  `json:"size"`          // of the package file, in bytes
	InstalledSize int64  `json:"installedSize"` // in bytes
	Wanted        bool   `json:"wanted"`        // the manifest names it
}

func (a *app) resolveCommand() *cobra.Command {
	var asJSON bool
	var platforms []string
	c := &cobra.Command{
		Use:   "resolve image.yaml",
		Short: "Print the closure, without fetching a package",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.asData = asJSON
			p, err := a.open(args[0], platforms)
			if err != nil {
				return err
			}
			defer p.Close()
			env, err := a.env(p)
			if err != nil {
				return err
			}
			choices, err := build.Closures(cmd.Context(), env, p.image, nil)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(resolutionOf(choices))
			}
			return a.printResolution(resolutionOf(choices), choices)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringSliceVar(&platforms, "platform", nil, "resolve for these `PLATFORMS` instead of the manifest's")
	return c
}

func resolutionOf(choices []build.Choice) resolution {
	r := resolution{Platforms: map[string]resolvedPlatform{}}
	for _, c := range choices {
		packages := make([]resolvedPackage, len(c.Closure.Packages))
		for i, k := range c.Closure.Packages {
			packages[i] = resolvedPackage{k.Name, k.Version, k.Arch, c.Universe.Repositories[k.Repository].Name, k.Size, k.InstalledSize, k.Wanted}
		}
		r.Platforms[c.Platform.String()] = resolvedPlatform{packages}
	}
	return r
}

func (a *app) printResolution(r resolution, choices []build.Choice) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, c := range choices {
		var size int64
		packages := r.Platforms[c.Platform.String()].Packages
		for _, p := range packages {
			mark := ""
			if p.Wanted {
				mark = "*"
			}
			fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\n", p.Name, mark, p.Version, p.Repository, bytesText(p.InstalledSize))
			size += p.InstalledSize
		}
		fmt.Fprintf(w, "%s: %d packages, %s installed\n", c.Platform, len(packages), bytesText(size))
	}
	return w.Flush()
}

// printJSON prints v with the text of packages made safe for a terminal: all
// but ASCII is escaped.
func (a *app) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	out := make([]byte, 0, len(data)+1)
	for _, r := range string(data) {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r < 0x10000:
			out = fmt.Appendf(out, "\\u%04x", r)
		default:
			r -= 0x10000
			out = fmt.Appendf(out, "\\u%04x\\u%04x", 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	_, err = a.stdout.Write(append(out, '\n'))
	return err
}

// bytesText is a size for people: 1.4 MiB.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
