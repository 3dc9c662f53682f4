package manifest

import "fmt"

// ParsePlatforms reads platforms as a command line names them, by the rule of
// a manifest's platforms: linux/arm64, linux/arm/v7.
func ParsePlatforms(texts []string) ([]Platform, error) {
	var list []Platform
	for _, s := range texts {
		if msg := platform.wrong(s); msg != "" {
			if hint := platform.hint(s); hint != "" {
				msg += "; " + hint
			}
			return nil, fmt.Errorf("platform %s: %s", show(s), msg)
		}
		list = append(list, parsePlatform(s))
	}
	return list, nil
}
