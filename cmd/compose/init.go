package main

import (
	"os"

	"github.com/spf13/cobra"

	"compose/internal/fault"
	"compose/manifest"
)

func (a *app) initCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented image.yaml to start from",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := "image.yaml"
			if len(args) == 1 {
				path = args[0]
			}
			if format != "deb" && format != "apk" {
				return usage("--format %q: want deb or apk", format)
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return fault.New(fault.LocalFile, "%s: %w", path, cause(err))
			}
			if _, err = f.WriteString(manifest.Starter(format)); err == nil {
				err = f.Close()
			}
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "deb", "package format: deb or apk")
	return c
}
