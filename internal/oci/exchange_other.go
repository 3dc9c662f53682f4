//go:build !linux

package oci

import "errors"

func exchange(_, _ string) error { return errors.ErrUnsupported }
