package finalize

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// A cacheEntry is a library in the cache of the dynamic linker.
type cacheEntry struct {
	name  string // by which programs ask for it
	path  string
	flags uint32
	hwcap string // folder below glibc-hwcaps; "" where it is for every machine
	isa   byte   // level of the instruction set that a library in such a folder needs
}

// Sizes of the parts of the cache (glibc, sysdeps/generic/dl-cache.h).
const (
	cacheHeader    = 48
	cacheLibrary   = 24
	cacheExtension = 8  // header of the extension block
	cacheSection   = 16 // of it, each
)

// encodeCache is the cache of the dynamic linker in glibc's "new" format, as
// ldconfig writes it since 2.33.
func encodeCache(entries []cacheEntry, generator string, order binary.AppendByteOrder) []byte {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, compareEntries)
	strings, at := stringTable(entries)
	hwcaps := hwcapsOf(entries)

	base := uint32(cacheHeader + cacheLibrary*len(entries))
	extension := (base + uint32(len(strings)) + 3) &^ 3
	b := make([]byte, 0, int(extension)+256)
	b = append(b, "glibc-ld.so.cache1.1"...)
	b = order.AppendUint32(b, uint32(len(entries)))
	b = order.AppendUint32(b, uint32(len(strings)))
	b = append(b, endianness(order), 0, 0, 0)
	b = order.AppendUint32(b, extension)
	b = append(b, make([]byte, 12)...)
	for _, e := range entries {
		b = order.AppendUint32(b, e.flags)
		b = order.AppendUint32(b, base+at[e.name])
		b = order.AppendUint32(b, base+at[e.path])
		b = order.AppendUint32(b, 0)
		b = order.AppendUint64(b, e.hwcapValue(hwcaps))
	}
	b = append(b, strings...)
	b = append(b, make([]byte, int(extension)-len(b))...)
	return appendExtension(b, generator, hwcaps, func(name string) uint32 { return base + at[name] }, order)
}

// appendExtension adds the block that holds the generator and the names of
// the folders of glibc-hwcaps.
func appendExtension(b []byte, generator string, hwcaps []string, at func(string) uint32, order binary.AppendByteOrder) []byte {
	sections := uint32(1)
	if len(hwcaps) > 0 {
		sections = 2
	}
	data := uint32(len(b)) + cacheExtension + cacheSection*sections
	b = order.AppendUint32(b, 0xeaa42174)
	b = order.AppendUint32(b, sections)
	section := func(tag, offset, size uint32) {
		b = order.AppendUint32(b, tag)
		b = order.AppendUint32(b, 0)
		b = order.AppendUint32(b, offset)
		b = order.AppendUint32(b, size)
	}
	section(0, data+4*uint32(len(hwcaps)), uint32(len(generator)))
	if len(hwcaps) > 0 {
		section(1, data, 4*uint32(len(hwcaps)))
	}
	for _, h := range hwcaps {
		b = order.AppendUint32(b, at(h))
	}
	return append(b, generator...)
}

func endianness(order binary.AppendByteOrder) byte {
	if order.AppendUint16(nil, 1)[0] == 1 {
		return 2
	}
	return 3
}

// hwcapValue is the field hwcap: the folder's number and the level needed.
func (e *cacheEntry) hwcapValue(hwcaps []string) uint64 {
	if e.hwcap == "" {
		return 0
	}
	i, _ := slices.BinarySearch(hwcaps, e.hwcap)
	return 1<<62 | uint64(e.isa)<<32 | uint64(i)
}

func hwcapsOf(entries []cacheEntry) []string {
	set := map[string]bool{}
	for _, e := range entries {
		if e.hwcap != "" {
			set[e.hwcap] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// compareEntries is the order of the cache: the linker searches it by halves,
// and takes the first entry that is good for the machine.
func compareEntries(a, b cacheEntry) int {
	if c := cmp.Or(compareLibraries(b.name, a.name), cmp.Compare(b.flags, a.flags)); c != 0 {
		return c
	}
	if (a.hwcap == "") != (b.hwcap == "") {
		return -strings.Compare(a.hwcap, b.hwcap)
	}
	return strings.Compare(a.hwcap, b.hwcap)
}

// compareLibraries compares names as the dynamic linker does: numbers in them
// by their value, and a number after anything else.
func compareLibraries(a, b string) int {
	at := func(s string, i int) int {
		if i < len(s) {
			return int(s[i])
		}
		return 0
	}
	digit := func(s string, i int) bool { return i < len(s) && '0' <= s[i] && s[i] <= '9' }
	number := func(s string, i *int) int32 {
		var v int32 // wraps as the linker's does
		for ; digit(s, *i); *i++ {
			v = v*10 + int32(s[*i]-'0')
		}
		return v
	}
	i, j := 0, 0
	for i < len(a) {
		switch {
		case digit(a, i) && digit(b, j):
			if c := cmp.Compare(number(a, &i), number(b, &j)); c != 0 {
				return c
			}
		case digit(a, i):
			return 1
		case digit(b, j):
			return -1
		case at(a, i) != at(b, j):
			return cmp.Compare(at(a, i), at(b, j))
		default:
			i++
			j++
		}
	}
	return -at(b, j)
}

// stringTable holds every name and path once, those that end another one
// within that; the second result is where each begins.
func stringTable(entries []cacheEntry) ([]byte, map[string]uint32) {
	at := map[string]uint32{}
	for _, e := range entries {
		at[e.name], at[e.path] = 0, 0
		if e.hwcap != "" {
			at[e.hwcap] = 0
		}
	}
	all := slices.SortedFunc(maps.Keys(at), compareEnds)
	var table []byte
	for i, s := range all {
		if i > 0 && strings.HasSuffix(all[i-1], s) {
			at[s] = at[all[i-1]] + uint32(len(all[i-1])-len(s))
			continue
		}
		at[s] = uint32(len(table))
		table = append(append(table, s...), 0)
	}
	return table, at
}

// compareEnds compares from the last byte to the first, greater ones first,
// and longer ones before what they end in.
func compareEnds(a, b string) int {
	for k := 1; k <= min(len(a), len(b)); k++ {
		if x, y := a[len(a)-k], b[len(b)-k]; x != y {
			return cmp.Compare(y, x)
		}
	}
	return cmp.Compare(len(b), len(a))
}
