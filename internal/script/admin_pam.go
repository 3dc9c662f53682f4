package script

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func init() { register(map[string]Command{"pam-auth-update": pamAuthUpdate}) }

const (
	pamConfigs   = "/usr/share/pam-configs"
	pamTemplates = "/usr/share/pam/common-"
	pamSaved     = "/var/lib/pam"
)

// A pamProfile is a file of pam-configs: its fields by name, and those whose
// lines it has for each of the five files.
type pamProfile struct {
	name   string
	fields map[string]string
}

func (p *pamProfile) priority() int {
	n, _ := strconv.Atoi(p.fields["Priority"])
	return n
}

// lines is what the profile brings to a file, which differs where no module
// comes before it.
func (p *pamProfile) lines(kind string, first bool) string {
	if initial := p.fields[kind+"-Initial"]; first && initial != "" {
		return initial
	}
	return p.fields[kind]
}

// pamAuthUpdate is pam-auth-update(8) on files that nobody has edited: all
// profiles with "Default: yes", by priority, in the five files common-*.
func pamAuthUpdate(c *Call) error {
	o, args, err := getopt(c.Args[1:], "force package root= remove enable disable")
	if err != nil {
		return err
	}
	if !ownRoot(o["root"]) || o.has("remove") || o.has("enable") || o.has("disable") || len(args) > 0 {
		return Unknown("these arguments")
	}
	profiles, err := c.pamProfiles()
	if err != nil {
		return err
	}
	var enabled []*pamProfile
	var seen strings.Builder
	for _, p := range profiles {
		fmt.Fprintln(&seen, p.name)
		if p.fields["Default"] == "yes" {
			enabled = append(enabled, p)
		}
		if p.fields["Conflicts"] != "" {
			return Unknown("profile %s conflicts with others", p.name)
		}
	}
	if err := c.FS.mkdirAll(pamSaved, 0o755); err != nil {
		return err
	}
	if err := c.FS.WriteFile(pamSaved+"/seen", []byte(seen.String()), 0o644); err != nil {
		return err
	}
	for _, file := range []string{"auth", "account", "password", "session", "session-noninteractive"} {
		if err := c.pamFile(file, enabled); err != nil {
			return err
		}
	}
	return nil
}

var pamField = regexp.MustCompile(`^(\S+):(?:\s+(.*?))?\s*$`)

// pamProfiles reads the profiles, the highest priority first.
func (c *Call) pamProfiles() ([]*pamProfile, error) {
	names, err := c.FS.ReadDir(pamConfigs)
	if err != nil {
		return nil, c.complain(1, "could not open config directory: %v", err)
	}
	var profiles []*pamProfile
	for _, name := range names {
		if strings.HasSuffix(name, "~") || strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") {
			continue
		}
		text, err := c.FS.ReadFile(pamConfigs + "/" + name)
		if err != nil {
			return nil, err
		}
		p := &pamProfile{name: name, fields: map[string]string{}}
		last := ""
		for line := range strings.Lines(string(text)) {
			if m := pamField.FindStringSubmatch(line); m != nil {
				last = strings.TrimSuffix(m[1], "-Final")
				p.fields[last] = m[2]
			} else if line = strings.TrimSpace(line); line != "" {
				p.fields[last] = strings.TrimLeft(p.fields[last]+"\n"+line, "\n")
			}
		}
		if p.fields["Session-Interactive-Only"] != "yes" {
			for _, suffix := range []string{"-Type", "", "-Initial"} {
				p.fields["Session-noninteractive"+suffix] = p.fields["Session"+suffix]
			}
		}
		profiles = append(profiles, p)
	}
	slices.SortFunc(profiles, func(a, b *pamProfile) int {
		return cmp.Or(b.priority()-a.priority(), strings.Compare(b.name, a.name))
	})
	return profiles, nil
}

// pamFile writes one file common-*, and what pam-auth-update keeps of it to
// see later what an administrator changed.
func (c *Call) pamFile(file string, enabled []*pamProfile) error {
	template, err := c.FS.ReadFile(pamTemplates + file)
	if err != nil {
		return c.complain(1, "%v", err)
	}
	kind := strings.ToUpper(file[:1]) + file[1:]
	word, _, _ := strings.Cut(file, "-")
	primary, additional := pamBlock(enabled, kind, "Primary"), pamBlock(enabled, kind, "Additional")
	var text, saved strings.Builder
	for line := range strings.Lines(string(template)) {
		switch {
		case strings.HasPrefix(line, "$") && strings.HasSuffix(line, "_primary\n"):
			pamPrint(&text, word, primary, len(primary))
			if len(primary) == 0 {
				fmt.Fprintf(&text, "%s\t[default=1]\t\t\tpam_permit.so\n", word)
			}
		case strings.HasPrefix(line, "$") && strings.HasSuffix(line, "_additional\n"):
			pamPrint(&text, word, additional, len(additional)-1)
		default:
			text.WriteString(line)
		}
	}
	none := true
	for i, p := range pamOf(enabled, kind, "Primary") {
		none = false
		fmt.Fprintf(&saved, "Module: %s\n%s\n", p.name, p.lines(kind, i == 0))
	}
	if none {
		saved.WriteString("Module: null\n[default=1]\t\t\tpam_permit.so\n")
	}
	for i, p := range pamOf(enabled, kind, "Additional") {
		fmt.Fprintf(&saved, "Module: %s\n%s\n", p.name, p.lines(kind, i == 0))
	}
	if err := c.FS.WriteFile("/etc/pam.d/common-"+file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	return c.FS.WriteFile(pamSaved+"/"+file, []byte(saved.String()), 0o644)
}

// pamOf are the profiles that bring something to a block of a file.
func pamOf(enabled []*pamProfile, kind, block string) (of []*pamProfile) {
	for _, p := range enabled {
		if p.fields[kind+"-Type"] == block {
			of = append(of, p)
		}
	}
	return of
}

// pamBlock are the lines of a block.
func pamBlock(enabled []*pamProfile, kind, block string) (lines []string) {
	for i, p := range pamOf(enabled, kind, block) {
		for line := range strings.SplitSeq(p.lines(kind, i == 0), "\n") {
			if line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

var pamLine = regexp.MustCompile(`^((?:\[[^]]+\]|\w+)\s+\S+)\s*(.*)`)

// pamPrint writes lines, in which a jump to "end" passes over the rest of the
// count.
func pamPrint(b *strings.Builder, word string, lines []string, count int) {
	for _, line := range lines {
		m := pamLine.FindStringSubmatch(line)
		if m == nil {
			m = []string{"", line, ""}
		}
		fmt.Fprintf(b, "%s\t%s %s\n", word, strings.ReplaceAll(m[1], "end", strconv.Itoa(count)), strings.Join(strings.Fields(m[2]), " "))
		count--
	}
}
