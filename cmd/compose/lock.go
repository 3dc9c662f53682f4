package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"compose/internal/build"
	"compose/internal/fault"
	"compose/resolve"
)

func (a *app) lockCommand() *cobra.Command {
	var update bool
	var platforms []string
	c := &cobra.Command{
		Use:   "lock image.yaml [--update [PACKAGE...]]",
		Short: "Resolve and pin: write image.lock.json, and show what changed",
		Long: `Lock resolves the manifest and pins every package, its file and the indexes
that named it in image.lock.json, beside the manifest.

What an existing lock holds is kept where it still satisfies the manifest.
--update takes the newest instead: of every package, or of those named.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 && !update {
				return usage("%s: one manifest at a time; packages to update are named with --update", args[1])
			}
			p, err := a.open(args[0], platforms)
			if err != nil {
				return err
			}
			defer p.Close()
			env, err := a.env(p)
			if err != nil {
				return err
			}
			old, err := readLock(p.lockPath())
			if err != nil {
				return err
			}
			var keep map[string]map[string]string
			if !update || len(args) > 1 {
				keep = build.Keep(old, args[1:])
			}
			choices, err := build.Closures(cmd.Context(), env, p.image, keep)
			if err != nil {
				return err
			}
			lock, err := build.Lock(cmd.Context(), env, p.image, choices, old)
			if err != nil {
				return err
			}
			for _, line := range build.Changes(old, lock) {
				fmt.Fprintln(a.stdout, line)
			}
			return writeLock(p.lockPath(), lock)
		},
	}
	c.Flags().BoolVar(&update, "update", false, "take the newest versions, of all packages or of those named")
	c.Flags().StringSliceVar(&platforms, "platform", nil, "lock for these `PLATFORMS` instead of the manifest's")
	return c
}

// readLock reads the lock at path; nil where there is none.
func readLock(path string) (*resolve.Lock, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(fault.LocalFile, "%s: %w", path, cause(err))
	}
	return resolve.ParseLock(path, data)
}

// writeLock writes the lock whole or not at all; one that says the same is
// left alone.
func writeLock(path string, lock *resolve.Lock) error {
	data := lock.Bytes()
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fault.New(fault.LocalFile, "%s: %w", path, err)
	}
	return nil
}
