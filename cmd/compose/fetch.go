package main

import (
	"strings"

	"compose/fetch"
	"compose/internal/cas"
)

// client is what fetches, as the global flags say.
func (a *app) client(store cas.Store) (*fetch.Client, error) {
	mirrors := map[string][]string{}
	for _, m := range a.mirrors {
		name, url, ok := strings.Cut(m, "=")
		if !ok || name == "" || url == "" {
			return nil, usage("--mirror %q: want NAME=URL, for example debian=http://ftp.debian.org/debian", m)
		}
		mirrors[name] = append(mirrors[name], strings.TrimRight(url, "/"))
	}
	log := a.log()
	c := &fetch.Client{
		Store:   store,
		Offline: a.offline,
		Mirrors: mirrors,
		Jobs:    a.jobs, // 0: the client's own choice; waiting costs no core
		Warn:    func(msg string) { log.Warn(printable(msg)) },
	}
	if !a.quiet {
		c.Progress = newProgress(a.stderr)
	}
	return c, nil
}
