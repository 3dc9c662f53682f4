package fetch_test

import (
	"testing"

	"compose/fetch"
	"compose/internal/cas"
	"compose/internal/testrepo"
	"compose/resolve"
)

// The host's own mirror serves Debian with no setup.
func TestHostMirror(t *testing.T) {
	mirror := testrepo.HostMirror(t, "debian")
	c := &fetch.Client{Store: cas.NewMem()}
	defer c.Close()
	get := c.Get(resolve.Source{Name: "debian", Mirror: "debian", URL: "http://ftp.debian.org/debian", Suites: []string{"stable"}})
	data, err := get(t.Context(), "dists/stable/InRelease", resolve.Promise{})
	if err != nil {
		testrepo.Skip(t, "%s is not reachable: %v", mirror, err)
	}
	if len(data) < 1000 {
		t.Errorf("InRelease of %d bytes", len(data))
	}
}
