package apk

import "compose/resolve"

// Manners are those of apk-tools 3.
func (Format) Manners() resolve.Manners {
	return resolve.Manners{Exclusive: true, Bare: true, ByProvided: true}
}
