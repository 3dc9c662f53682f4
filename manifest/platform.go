package manifest

import (
	"fmt"
	"regexp"
)

var platformText = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$`)

// ParsePlatforms reads platforms as a command line names them:
// linux/arm64, linux/arm/v7. Whether a package format knows them, it says.
func ParsePlatforms(texts []string) ([]Platform, error) {
	var list []Platform
	for _, s := range texts {
		if !platformText.MatchString(s) {
			return nil, fmt.Errorf("platform %q: want OS/ARCH or OS/ARCH/VARIANT, for example linux/arm64", s)
		}
		list = append(list, parsePlatform(s))
	}
	return list, nil
}
