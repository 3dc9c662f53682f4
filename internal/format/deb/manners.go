package deb

import "compose/resolve"

// Manners are apt's (apt-get 2.6 with its internal solver).
func (Format) Manners() resolve.Manners {
	return resolve.Manners{DepthFirst: true, Named: true, LastMentioned: true}
}
