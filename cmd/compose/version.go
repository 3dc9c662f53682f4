package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"compose/internal/oci"
	"compose/resolve"
)

// version is set by the linker for a release.
var version = ""

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of compose, of its lock and of its layers",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.stdout, "compose %s (%s, %s/%s), lock version %d, layer epoch %d\n",
				releaseVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, resolve.LockVersion, oci.LayerEpoch)
			return err
		},
	}
}

func releaseVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
