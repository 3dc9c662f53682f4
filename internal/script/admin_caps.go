package script

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

func init() { register(map[string]Command{"setcap": setcap, "getcap": getcap}) }

// capabilities are their names by number (capabilities(7)).
var capabilities = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot
sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write
audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

const capabilityXattr = "security.capability"

// setcap is setcap(8): "cap_a,cap_b=ep FILE" or "-r FILE", of the kernel's
// second revision of the attribute.
func setcap(c *Call) error {
	args := c.Args[1:]
	for len(args) > 0 && args[0] == "-q" {
		args = args[1:]
	}
	if len(args) != 2 {
		return Unknown("these arguments")
	}
	p := c.Path(args[1])
	if !c.there(p) {
		return c.complain(1, "%s: No such file or directory", args[1])
	}
	if args[0] == "-r" {
		return c.FS.SetXattr(p, capabilityXattr, nil)
	}
	value, err := parseCapabilities(args[0])
	if err != nil {
		return err
	}
	return c.FS.SetXattr(p, capabilityXattr, value)
}

// parseCapabilities reads one clause of cap_from_text(3).
func parseCapabilities(text string) ([]byte, error) {
	i := strings.IndexAny(text, "=+")
	if i < 0 || strings.ContainsAny(text, " -") {
		return nil, Unknown("capabilities %q", text)
	}
	names, flags := text[:i], text[i+1:]
	var set uint64
	for name := range strings.SplitSeq(names, ",") {
		n := slices.Index(capabilities, strings.TrimPrefix(strings.ToLower(name), "cap_"))
		if n < 0 {
			return nil, Unknown("capability %q", name)
		}
		set |= 1 << n
	}
	var permitted, inheritable uint64
	version := uint32(0x02000000)
	for _, f := range flags {
		switch f {
		case 'p':
			permitted = set
		case 'i':
			inheritable = set
		case 'e':
			version |= 1
		default:
			return nil, Unknown("capabilities %q", text)
		}
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, version)
	for shift := 0; shift < 64; shift += 32 {
		b = le.AppendUint32(b, uint32(permitted>>shift))
		b = le.AppendUint32(b, uint32(inheritable>>shift))
	}
	return b, nil
}

// getcap is getcap(8): it lists what has capabilities.
func getcap(c *Call) error {
	for _, arg := range c.Args[1:] {
		if strings.HasPrefix(arg, "-") {
			return Unknown("option %s", arg)
		}
		n, err := c.FS.Stat(c.Path(arg))
		if err != nil {
			continue
		}
		for _, x := range n.Xattrs {
			if x.Name == capabilityXattr {
				fmt.Fprintln(c.Stdout, arg, describeCapabilities(x.Value))
			}
		}
	}
	return nil
}

func describeCapabilities(b []byte) string {
	if len(b) < 20 {
		return ""
	}
	le := binary.LittleEndian
	permitted := uint64(le.Uint32(b[4:])) | uint64(le.Uint32(b[12:]))<<32
	inheritable := uint64(le.Uint32(b[8:])) | uint64(le.Uint32(b[16:]))<<32
	var names []string
	for n, name := range capabilities {
		if (permitted|inheritable)>>n&1 != 0 {
			names = append(names, "cap_"+name)
		}
	}
	flags := ""
	if le.Uint32(b)&1 != 0 {
		flags += "e"
	}
	if inheritable != 0 {
		flags += "i"
	}
	if permitted != 0 {
		flags += "p"
	}
	return strings.Join(names, ",") + "=" + flags
}
