package apk

import (
	"cmp"
	"strconv"
	"strings"

	"compose/resolve"
	"compose/rootfs"
)

// Installed reads apk's database. A package that is damaged there is passed
// over.
func (Format) Installed(t *rootfs.Tree, c rootfs.Contents) ([]resolve.Package, map[string]string, error) {
	const limit = 256 << 20
	owner := map[string]string{}
	n := t.Lookup(database + "installed")
	if n == nil || n.Type != rootfs.Regular || n.Content.Size > limit {
		return nil, owner, nil
	}
	data, err := rootfs.Read(c, n.Content)
	if err != nil {
		return nil, owner, err
	}
	var pkgs []resolve.Package
	for text := range strings.SplitSeq(string(data), "\n\n") {
		p := resolve.Package{}
		folder := ""
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) < 2 || line[1] != ':' {
				continue
			}
			switch value := line[2:]; line[0] {
			case 'F':
				folder = value
			case 'R':
				name := t.Real(strings.TrimPrefix(folder+"/"+value, "/"))
				if n := t.Get(name); n != nil && n.Type != rootfs.Dir {
					owner[name] = p.Name
				}
			default:
				installedField(&p, line[0], value)
			}
		}
		if p.Name != "" && p.Version != "" {
			p.Source = cmp.Or(p.Source, p.Name)
			pkgs = append(pkgs, p)
		}
	}
	return pkgs, owner, nil
}

// installedField reads a field of a package that is installed.
func installedField(p *resolve.Package, letter byte, value string) {
	switch letter {
	case 'P':
		p.Name = value
	case 'V':
		p.Version = value
	case 'A':
		p.Arch = value
	case 'L':
		p.Licence = value
	case 'o':
		p.Source = value
	case 'D':
		p.Fields.Depends = value
	case 'I':
		p.InstalledSize, _ = strconv.ParseInt(value, 10, 64)
	case 't':
		p.BuildTime, _ = strconv.ParseInt(value, 10, 64)
	case 'p':
		p.Provides, _, _ = parseAtoms(value)
	}
}
