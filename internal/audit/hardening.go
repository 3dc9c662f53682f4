package audit

import (
	"path"
	"strings"

	"compose/rootfs"
)

// Hardening lists the objects that lack what the compiler and the linker can
// do against the abuse of mistakes. Objects of the Go compiler, which has its
// own means, count for ExecStack and Textrel only.
type Hardening struct {
	Objects      int      `json:"objects"` // looked at
	NoPIE        []string `json:"noPIE"`
	NoRelro      []string `json:"noRELRO"`
	PartialRelro []string `json:"partialRELRO"`
	ExecStack    []string `json:"executableStack"`
	Textrel      []string `json:"textRelocations"`
	// Small objects have no function that needs a protector or a fortified
	// call, and static ones do not tell: the lists are of those that do not
	// mention either.
	NoProtector []string          `json:"noStackProtector"`
	NoFortify   []string          `json:"noFortify"`
	Runpaths    []WritableRunpath `json:"writableRunpaths"`
}

// A WritableRunpath is a folder from which an object loads libraries and that
// others than root can fill.
type WritableRunpath struct {
	Object string `json:"object"`
	Folder string `json:"folder"`
	Reason string `json:"reason"`
}

func (a *audit) hardening(r *Report) error {
	h := &r.Hardening
	*h = Hardening{NoPIE: []string{}, NoRelro: []string{}, PartialRelro: []string{}, ExecStack: []string{}, Textrel: []string{},
		NoProtector: []string{}, NoFortify: []string{}, Runpaths: []WritableRunpath{}}
	note := func(list *[]string, o *Object, when bool) {
		if when {
			*list = append(*list, o.Path)
		}
	}
	for _, o := range a.objects {
		if o.Kind == "relocatable" {
			continue
		}
		h.Objects++
		note(&h.ExecStack, o, o.ExecStack)
		note(&h.Textrel, o, o.Textrel)
		a.runpaths(h, o)
		if o.Go {
			continue
		}
		note(&h.NoPIE, o, o.Kind == "executable" || o.Kind == "static")
		note(&h.NoRelro, o, o.Relro == "none")
		note(&h.PartialRelro, o, o.Relro == "partial")
		if o.dynamic() {
			note(&h.NoProtector, o, !o.Protected)
			note(&h.NoFortify, o, !o.Fortified && !a.musl) // musl's fortify leaves no symbols
		}
	}
	return nil
}

// runpaths finds folders of o's runpath that are not root's alone.
func (a *audit) runpaths(h *Hardening, o *Object) {
	l := linker{audit: a}
	for _, written := range append(append([]string{}, o.Rpath...), o.Runpath...) {
		if reason := a.fillable(l.expand(o, written)); reason != "" {
			h.Runpaths = append(h.Runpaths, WritableRunpath{o.Path, written, reason})
		}
	}
}

// fillable says why others than root can put files into a folder, or make the
// folder; "" if they cannot.
func (a *audit) fillable(dir string) string {
	if !strings.HasPrefix(dir, "/") {
		return "is relative to the current folder"
	}
	at := strings.Trim(path.Clean(dir), "/")
	for at != "" && at != "." {
		n := a.Tree.Lookup(at)
		if n == nil {
			at = path.Dir(at)
			continue
		}
		switch {
		case n.Type != rootfs.Dir:
			return ""
		case n.Mode&0o002 != 0:
			return "/" + n.Path + " is writable by everyone"
		case n.UID != 0:
			return "/" + n.Path + " belongs to " + a.userName(n.UID)
		}
		return ""
	}
	return ""
}
