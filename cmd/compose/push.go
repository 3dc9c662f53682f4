package main

import (
	"context"

	"compose/internal/cas"
	"compose/internal/fault"
	"compose/internal/oci"
)

func push(_ context.Context, _ *oci.Bundle, ref string, _ cas.Store) error {
	return fault.New(fault.Publish, "push %s: not built yet", ref)
}
