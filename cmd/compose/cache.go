package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"compose/internal/cas"
)

func (a *app) cacheCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Look at the content store, or clean it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.cacheInfoCommand(), a.cacheCleanCommand())
	return c
}

func (a *app) cacheInfoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "info",
		Short: "Print where the content store is and what it holds",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			store, err := a.store()
			if err != nil {
				return err
			}
			info, err := store.Info()
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(info)
			}
			fmt.Fprintf(a.stdout, "%s\n", info.Path)
			for _, area := range []struct {
				name string
				cas.Area
			}{{"blobs", info.Blobs}, {"packs", info.Packs}, {"derived", info.Derived}, {"other", info.Other}} {
				fmt.Fprintf(a.stdout, "%-8s %7d  %s\n", area.name, area.Entries, bytesText(area.Bytes))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) cacheCleanCommand() *cobra.Command {
	var age time.Duration
	var size string
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove what was not used for a while; all of it by default",
		Long: `Clean removes entries from the content store: those unused for longer than
--older-than, then the longest unused until --max-size is left; everything
where neither is given. What was used within the last hour stays, since a
build may be using it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			limit := int64(-1)
			if size != "" {
				var err error
				if limit, err = parseBytes(size); err != nil {
					return usage("--max-size %q: %v", size, err)
				}
			}
			if !cmd.Flags().Changed("older-than") {
				age = -1
				if limit < 0 {
					age = 0
				}
			}
			store, err := a.store()
			if err != nil {
				return err
			}
			removed, err := store.Clean(age, limit)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "removed %d entries, %s\n", removed.Entries, bytesText(removed.Bytes))
			return nil
		},
	}
	c.Flags().DurationVar(&age, "older-than", 0, "keep what was used more recently, for example 168h")
	c.Flags().StringVar(&size, "max-size", "", "keep up to this much, for example 2GiB")
	return c
}

// parseBytes reads a size such as 500MiB or 2GiB; a bare number is bytes.
func parseBytes(s string) (int64, error) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, n
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("want a number of bytes, or one with KiB, MiB, GiB")
	}
	return n * unit, nil
}
