package audit

import (
	"strings"
	"time"
)

// A Distribution is what os-release says, and until when there are fixes.
type Distribution struct {
	ID      string `json:"id,omitempty"`
	Version string `json:"version,omitempty"`
	Name    string `json:"name,omitempty"`
	// SupportEnds is the day after which nobody fixes it any more, the
	// volunteers of long-term support included: 2028-06-30.
	SupportEnds string `json:"supportEnds,omitempty"`
	Ended       bool   `json:"ended,omitempty"` // on the day of the audit
}

// supportTable is of 2026-11: the ends as the distributions announced them,
// by ID and VERSION_ID (for Alpine without the patch level).
var supportTable = map[string]string{
	"debian 9":    "2022-06-30",
	"debian 10":   "2024-06-30",
	"debian 11":   "2026-08-31",
	"debian 12":   "2028-06-30",
	"debian 13":   "2030-06-30",
	"alpine 3.15": "2023-11-01",
	"alpine 3.16": "2024-05-23",
	"alpine 3.17": "2024-11-22",
	"alpine 3.18": "2025-05-09",
	"alpine 3.19": "2025-11-01",
	"alpine 3.20": "2026-04-01",
	"alpine 3.21": "2026-11-01",
	"alpine 3.22": "2027-05-01",
}

// distribution reads os-release.
func (a *audit) distribution(r *Report) error {
	text, err := a.text("etc/os-release")
	if err == nil && text == "" {
		text, err = a.text("usr/lib/os-release")
	}
	d := &r.Distribution
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.ID = value
		case "VERSION_ID":
			d.Version = value
		case "PRETTY_NAME":
			d.Name = value
		}
	}
	release := d.Version
	if d.ID == "alpine" && strings.Count(release, ".") == 2 {
		release = release[:strings.LastIndexByte(release, '.')]
	}
	d.SupportEnds = supportTable[d.ID+" "+release]
	d.Ended = d.SupportEnds != "" && !a.Now.IsZero() && a.Now.UTC().Format(time.DateOnly) > d.SupportEnds
	return err
}
