package rootfs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"compose/internal/cas"
)

// origins of the sample's packages; ping is built with zlib.
func sampleOrigin(pkg string) Origin {
	switch pkg {
	case "base":
		return Origin{"base-files", 30}
	case "ping":
		return Origin{"zlib", 10}
	}
	return Origin{pkg, 20}
}

func describeParts(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintln(&b, "layer", p.Epoch)
		for _, s := range p.Segments {
			for _, n := range s.Nodes {
				fmt.Fprintln(&b, "", strings.ReplaceAll(n.Path, strings.Repeat("long", 40), "LONG"))
			}
		}
	}
	return b.String()
}

func TestSplit(t *testing.T) {
	const zlib = `layer 20
 .
 usr
 usr/bin
 usr/bin/ping
 usr/bin/zz
 usr/bin/alias
`
	const base = ` .
 etc
 usr
 usr/lib
 etc/os-release
 usr/lib/os-release
 usr/lib/LONG
 usr/lib/naïve
 usr/lib/` + "\xff" + `
`
	const top = `layer 1700000000
 .
 etc
 tmp
 var
 var/status
 etc/passwd
`
	tests := []struct {
		rule  string
		limit int
		want  string
	}{
		{"a layer for each origin, the oldest first, and one for what no package brought", 20, zlib + "layer 30\n" + base + top},
		{"just enough", 3, zlib + "layer 30\n" + base + top},
		{"too many origins share a layer", 2, `layer 30
 .
 etc
 usr
 usr/bin
 usr/lib
 etc/os-release
 usr/lib/os-release
 usr/lib/LONG
 usr/lib/naïve
 usr/lib/` + "\xff" + `
 usr/bin/ping
 usr/bin/zz
 usr/bin/alias
` + top},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			for range 20 {
				parts, err := Split(testTree(t, cas.NewMem(), sample, sampleText), sampleOrigin, tt.limit, testEpoch)
				if err != nil {
					t.Fatal(err)
				}
				if got := describeParts(parts); got != tt.want {
					t.Fatalf("got\n%swant\n%s", got, tt.want)
				}
			}
		})
	}
	t.Run("one layer is the whole tree", func(t *testing.T) {
		tree := testTree(t, cas.NewMem(), sample, sampleText)
		parts, err := Split(tree, sampleOrigin, 1, testEpoch)
		if err != nil || len(parts) != 1 || len(parts[0].Segments) != 4 {
			t.Errorf("%d parts, %v", len(parts), err)
		}
	})
	t.Run("the largest origins keep their own layer", func(t *testing.T) {
		var nodes []Node
		text := map[string]string{}
		for i, size := range []int{5, 900, 7, 800} {
			path := fmt.Sprintf("p%d", i)
			nodes = append(nodes, Node{Path: path, Type: Regular, Package: path})
			text[path] = strings.Repeat("x", size)
		}
		parts, err := Split(testTree(t, cas.NewMem(), nodes, text), func(p string) Origin { return Origin{p, int64(p[1])} }, 4, testEpoch)
		if want := "layer 49\n .\n p1\nlayer 51\n .\n p3\nlayer 50\n .\n p0\n p2\n"; err != nil || describeParts(parts) != want {
			t.Errorf("got\n%s%v", describeParts(parts), err)
		}
	})
}

// Every node is in some layer, files once, after their directories in the
// same layer.
func TestSplitIsComplete(t *testing.T) {
	for limit := 1; limit < 6; limit++ {
		store := cas.NewMem()
		tree := testTree(t, store, sample, sampleText)
		parts, err := Split(tree, sampleOrigin, limit, testEpoch)
		if err != nil {
			t.Fatal(err)
		}
		times := map[string]int{}
		for _, p := range parts {
			here := map[string]bool{}
			for _, s := range p.Segments {
				for _, n := range s.Nodes {
					dir, _ := split(n.Path)
					if n.Path != "." && !here[dir] {
						t.Errorf("limit %d: /%s comes before its directory", limit, n.Path)
					}
					if n.Type == Hardlink && !here[n.Link] {
						t.Errorf("limit %d: /%s comes before its file", limit, n.Path)
					}
					here[n.Path] = true
					times[n.Path]++
				}
			}
		}
		for n := range tree.All() {
			if times[n.Path] == 0 || times[n.Path] > 1 && n.Type != Dir {
				t.Errorf("limit %d: /%s is in %d layers", limit, n.Path, times[n.Path])
			}
		}
	}
}

// An upgrade of one package, which also moves the image's epoch, leaves the
// layers of the others as they were.
func TestSplitKeepsLayersOverAnUpgrade(t *testing.T) {
	tars := func(text map[string]string, origin func(string) Origin, epoch int64) (list []string) {
		store := cas.NewMem()
		parts, err := Split(testTree(t, store, sample, text), origin, 20, epoch)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			var b bytes.Buffer
			if err := WriteTar(&b, p.Segments, store, p.Epoch); err != nil {
				t.Fatal(err)
			}
			list = append(list, cas.Sum(b.Bytes()).String())
		}
		return list
	}
	before := tars(sampleText, sampleOrigin, testEpoch)
	upgraded := map[string]string{}
	for path, text := range sampleText {
		upgraded[path] = text
	}
	upgraded["usr/lib/os-release"] = "ID=newer\n"
	after := tars(upgraded, func(pkg string) Origin {
		o := sampleOrigin(pkg)
		if pkg == "base" {
			o.Built += 50
		}
		return o
	}, testEpoch+50)
	if before[0] != after[0] || before[1] == after[1] || before[2] == after[2] {
		t.Errorf("before %q\nafter  %q", before, after)
	}
}
