package deb

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"compose/internal/cas"
	"compose/internal/expand"
	"compose/internal/fault"
	"compose/resolve"
)

// maxPackages is the largest index that is accepted, in bytes of text.
// Debian's largest has 57 MB.
const maxPackages = 1 << 30

// maxAhead is how far the archive's clock may be ahead of ours.
const maxAhead = 6 * time.Hour

// A releaseFile is a verified Release file ("Debian Repository Format").
type releaseFile struct {
	file                     string // its path in the repository
	suite, codename          string
	components, architecture []string
	date, validUntil         time.Time // validUntil may be zero
	byHash                   bool      // Acquire-By-Hash
	allInside                bool      // each architecture's index holds the packages of all as well
	files                    map[string]resolve.Promise
	index                    resolve.IndexFile
}

// Index reads and verifies the package lists of src.
func (Format) Index(ctx context.Context, src resolve.Source, arch string, keys []resolve.Key, get resolve.Get, memo resolve.Memo, now time.Time) ([]resolve.Package, []resolve.IndexFile, error) {
	r := &reader{src: src, arch: arch, get: get, memo: memo, now: now, at: now}
	if src.AsOf != "" {
		var err error
		if r.at, err = time.Parse(time.RFC3339, src.AsOf); err != nil {
			return nil, nil, fault.New(fault.Usage, "repository %q: snapshot %q is no time", src.Name, src.AsOf)
		}
	}
	var err error
	if r.bound, r.others, err = boundKeys(src, keys); err != nil {
		return nil, nil, r.wrap(err)
	}
	suites := make([]suite, len(src.Suites))
	if err := each(len(suites), func(i int) (err error) {
		suites[i], err = r.suite(ctx, src.Suites[i])
		return err
	}); err != nil {
		return nil, nil, r.wrap(err)
	}
	var indexes []resolve.IndexFile
	var lists [][]resolve.Package
	for _, s := range suites {
		indexes = append(indexes, s.indexes...)
		lists = append(lists, s.lists...)
	}
	if len(lists) == 1 {
		return lists[0], indexes, nil
	}
	return slices.Concat(lists...), indexes, nil
}

// A reader is the state of one Index.
type reader struct {
	src           resolve.Source
	arch          string
	get           resolve.Get
	memo          resolve.Memo // may be nil
	now, at       time.Time    // the clock; the time at which expiry is judged
	bound, others []*key
}

// A suite is what one suite, or one index of it, has to give.
type suite struct {
	lists   [][]resolve.Package // of each index
	indexes []resolve.IndexFile
}

// wrap puts the repository's name before a refusal.
func (r *reader) wrap(err error) error {
	id := fault.Of(err)
	if id == "" {
		id = fault.Transfer
	}
	return fault.New(id, "repository %q: %w", r.src.Name, err)
}

func (r *reader) suite(ctx context.Context, name string) (suite, error) {
	rel, err := r.release(ctx, name)
	if err != nil {
		return suite{}, err
	}
	folders, err := r.folders(rel, name)
	if err != nil {
		return suite{}, fault.New(fault.Of(err), "%s: %w", rel.file, err)
	}
	parts := make([]suite, len(folders))
	if err := each(len(parts), func(i int) (err error) {
		parts[i], err = r.packages(ctx, rel, path.Dir(rel.file), folders[i])
		return err
	}); err != nil {
		return suite{}, err
	}
	s := suite{indexes: []resolve.IndexFile{rel.index}}
	for _, p := range parts {
		s.lists = append(s.lists, p.lists...)
		s.indexes = append(s.indexes, p.indexes...)
	}
	return s, nil
}

// flat reports whether a suite is a plain folder, with no components in it.
func flat(suite string) bool { return strings.HasSuffix(suite, "/") }

// release reads and verifies the suite's InRelease or, where a repository has
// none, Release with Release.gpg.
func (r *reader) release(ctx context.Context, name string) (*releaseFile, error) {
	folder := path.Join("dists", name)
	if flat(name) {
		folder = path.Clean(name)
	}
	file := path.Join(folder, "InRelease")
	raw, text, key, err := r.inRelease(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		missing := err
		file = path.Join(folder, "Release")
		raw, text, key, err = r.detachedRelease(ctx, file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, missing // what a repository should have
		}
	}
	if err != nil {
		return nil, fault.New(idOf(err), "%s: %w", file, err)
	}
	rel, err := parseRelease(text)
	if err == nil {
		err = r.accept(rel, name, key)
	}
	if err != nil {
		return nil, fault.New(idOf(err), "%s: %w", file, err)
	}
	rel.file = file
	rel.index = resolve.IndexFile{Path: file, Date: rel.date.Format(time.RFC3339), Size: int64(len(raw)), SHA256: cas.Sum(raw)}
	if key != nil {
		rel.index.Key = key.fingerprint()
	}
	return rel, nil
}

func idOf(err error) fault.ID {
	if id := fault.Of(err); id != "" {
		return id
	}
	return fault.Transfer
}

// inRelease reads a clear-signed file; text is what was signed, key who did.
func (r *reader) inRelease(ctx context.Context, file string) (raw []byte, text string, key *key, err error) {
	if raw, err = r.get(ctx, file, resolve.Promise{}); err != nil {
		return nil, "", nil, err
	}
	signed, signatures, err := splitClearSigned(raw)
	if err != nil {
		return nil, "", nil, err
	}
	if key, err = r.verify(signed, signatures); err != nil {
		return nil, "", nil, err
	}
	return raw, strings.ReplaceAll(string(signed), "\r\n", "\n"), key, nil
}

func (r *reader) detachedRelease(ctx context.Context, file string) (raw []byte, text string, key *key, err error) {
	if raw, err = r.get(ctx, file, resolve.Promise{}); err != nil {
		return nil, "", nil, err
	}
	if r.src.Insecure {
		return raw, string(raw), nil, nil
	}
	armoured, err := r.get(ctx, file+".gpg", resolve.Promise{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil, fault.New(fault.TrustUnsigned, "the repository has neither InRelease nor Release.gpg: it is not signed")
	}
	if err != nil {
		return nil, "", nil, err
	}
	signatures, err := detached(armoured)
	if err != nil {
		return nil, "", nil, err
	}
	key, err = r.verify(raw, signatures)
	return raw, string(raw), key, err
}

var verifying sync.Mutex

// verify gives the bound key that signed text; nil where none is asked for.
func (r *reader) verify(text, signatures []byte) (*key, error) {
	if r.src.Insecure {
		return nil, nil
	}
	verifying.Lock() // the library keeps in a key what it found out of it
	defer verifying.Unlock()
	v, err := verify(text, signatures, r.bound, r.others, r.at)
	if err != nil {
		return nil, err
	}
	return v.good[0], nil
}

// accept checks that rel is what was asked for, by a key that may sign it, and
// of our time.
func (r *reader) accept(rel *releaseFile, name string, key *key) error {
	if !flat(name) && name != rel.suite && name != rel.codename {
		return fault.New(fault.TrustWrongSuite, "asked for suite %q, it is of suite %q, codename %q", name, rel.suite, rel.codename)
	}
	if key != nil && !key.good(rel.codename) {
		return fault.New(fault.TrustKeyScope, "codename %q is signed by %s (%s), which may sign %s only", rel.codename, key.fingerprint(), key.name, strings.Join(key.releases, ", "))
	}
	if ahead := rel.date.Sub(r.now); ahead > maxAhead {
		return fault.New(fault.TrustFuture, "dated %s, %s ahead; check this machine's clock: it reads %s", stamp(rel.date), ahead.Round(time.Hour), stamp(r.now))
	}
	if !rel.validUntil.IsZero() && r.at.After(rel.validUntil) {
		return fault.New(fault.TrustStale, "dated %s, valid until %s; check this machine's clock: it reads %s", stamp(rel.date), stamp(rel.validUntil), stamp(r.at))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// folders are the folders of the wanted indexes, relative to the Release file.
func (r *reader) folders(rel *releaseFile, name string) ([]string, error) {
	if flat(name) {
		return []string{"."}, nil
	}
	if len(rel.architecture) > 0 && !slices.Contains(rel.architecture, r.arch) {
		return nil, fault.New(fault.TrustWrongSuite, "it has no architecture %q, only %s", r.arch, strings.Join(rel.architecture, ", "))
	}
	var folders []string
	for _, c := range r.src.Components {
		if len(rel.components) > 0 && !slices.ContainsFunc(rel.components, func(have string) bool { return have == c || path.Base(have) == c }) {
			return nil, fault.New(fault.TrustWrongSuite, "it has no component %q, only %s", c, strings.Join(rel.components, ", "))
		}
		folders = append(folders, c+"/binary-"+r.arch)
		if !rel.allInside {
			folders = append(folders, c+"/binary-all")
		}
	}
	return folders, nil
}

// compressions are the forms of an index, best first. To decompress the 57 MB
// of trixie's main takes 0.25 s of processor time from gzip and 0.7 s from
// xz, which the 3.5 MB that xz saves do not outweigh on any network of today.
// Few archives serve the plain form, though all list it.
var compressions = []expand.Kind{expand.Gzip, expand.XZ, expand.None}

// packages reads and parses the index in one folder.
func (r *reader) packages(ctx context.Context, rel *releaseFile, dists, folder string) (suite, error) {
	name := path.Join(folder, "Packages")
	var missing error
	for _, kind := range compressions {
		file := name
		if kind != expand.None {
			file += "." + string(kind)
		}
		promise, ok := rel.files[file]
		if !ok {
			continue
		}
		if s, ok := r.remembered(rel, path.Join(dists, file), promise); ok {
			return s, nil
		}
		raw, err := r.file(ctx, rel, path.Join(dists, file), promise)
		if errors.Is(err, fs.ErrNotExist) {
			missing = err
			continue
		}
		if err != nil {
			return suite{}, fault.New(idOf(err), "%s: %w", path.Join(dists, file), err)
		}
		return r.parse(rel, path.Join(dists, file), raw, kind, rel.files[name].Size)
	}
	if missing != nil {
		return suite{}, missing
	}
	return suite{}, fault.New(fault.TrustWrongSuite, "%s: it has no index %s", rel.file, name)
}

// file reads a file that rel makes a promise of: by its digest where the
// archive offers that, so that an update of the archive cannot come between.
func (r *reader) file(ctx context.Context, rel *releaseFile, name string, promise resolve.Promise) (raw []byte, err error) {
	names := []string{name}
	if rel.byHash {
		names = []string{path.Join(path.Dir(name), "by-hash/SHA256", promise.SHA256.Hex()), name}
	}
	for _, n := range names {
		raw, err = r.get(ctx, n, promise)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if sum := cas.Sum(raw); sum != promise.SHA256 || int64(len(raw)) != promise.Size {
		return nil, fault.New(fault.TrustHash, "%d bytes with SHA-256 %s, %s says %d bytes with %s", len(raw), sum.Hex(), rel.file, promise.Size, promise.SHA256.Hex())
	}
	return raw, nil
}

// parse reads the packages of a verified file whose text has the given size,
// in bytes; 0: unknown.
func (r *reader) parse(rel *releaseFile, file string, raw []byte, kind expand.Kind, size int64) (suite, error) {
	text, err := expandIndex(raw, kind, size)
	if err != nil {
		return suite{}, fault.New(idOf(err), "%s: %w", file, err)
	}
	pkgs, err := ParsePackages(file, text, r.arch)
	if err != nil {
		return suite{}, err
	}
	sum := cas.Sum(raw)
	if r.memo != nil {
		if err := r.memo.PutDerived("index", r.memoKey(sum), excerpt(text)); err != nil {
			return suite{}, err
		}
	}
	return suiteOf(rel, file, pkgs, resolve.Promise{Size: int64(len(raw)), SHA256: sum}), nil
}

func suiteOf(rel *releaseFile, file string, pkgs []resolve.Package, is resolve.Promise) suite {
	return suite{[][]resolve.Package{pkgs}, []resolve.IndexFile{{
		Path: file, Date: rel.index.Date, Size: is.Size, SHA256: is.SHA256, Key: rel.index.Key,
	}}}
}

// remembered gives the packages of an index that was read before. The signed
// file promises its digest, and the excerpt was kept under that.
func (r *reader) remembered(rel *releaseFile, file string, promise resolve.Promise) (suite, bool) {
	if r.memo == nil {
		return suite{}, false
	}
	data, ok := r.memo.Derived("index", r.memoKey(promise.SHA256))
	if !ok {
		return suite{}, false
	}
	text := unsafe.String(unsafe.SliceData(data), len(data)) // nobody changes data; a copy is twenty megabytes
	pkgs, err := ParsePackages(file, text, r.arch)
	if err != nil {
		return suite{}, false
	}
	return suiteOf(rel, file, pkgs, promise), true
}

// memoKey names the excerpt of an index for the reader's architecture, in the
// form that this version of the program makes.
func (r *reader) memoKey(index cas.Digest) cas.Digest {
	return cas.Sum([]byte("deb index 1\n" + r.arch + "\n" + index.Hex()))
}

// expandIndex gives the text of an index, of the given size if that is known.
func expandIndex(raw []byte, kind expand.Kind, size int64) (string, error) {
	if size > maxPackages {
		return "", fault.New(fault.LimitSize, "an index of %d bytes: the limit is %d", size, maxPackages)
	}
	limit := size
	if limit == 0 {
		limit = maxPackages
	}
	in := expand.NewInput(bytes.NewReader(raw), int64(len(raw)), cas.Digest{})
	z, err := expand.NewReader(kind, in, expand.NewBudget(in, maxPackages).Part(limit))
	if err != nil {
		return "", err
	}
	defer z.Close()
	var text strings.Builder
	text.Grow(int(size))
	if _, err := io.Copy(&text, z); err != nil {
		return "", err
	}
	if size > 0 && int64(text.Len()) != size {
		return "", fault.New(fault.TrustHash, "expands to %d bytes, the Release file says %d", text.Len(), size)
	}
	return text.String(), nil
}

// parseRelease reads the fields of a Release file, one stanza of deb822.
func parseRelease(text string) (*releaseFile, error) {
	fields, err := parseStanza(text)
	if err != nil {
		return nil, err
	}
	rel := &releaseFile{
		suite: fields["suite"], codename: fields["codename"],
		components: strings.Fields(fields["components"]), architecture: strings.Fields(fields["architectures"]),
		byHash: isYes(fields["acquire-by-hash"]),
	}
	rel.allInside = !slices.Contains(rel.architecture, "all") ||
		slices.Contains(strings.Fields(fields["no-support-for-architecture-all"]), "Packages")
	if rel.date, err = parseDate(fields["date"]); err != nil {
		return nil, fault.New(fault.FormatInvalid, "Date: %w", err)
	}
	if v := fields["valid-until"]; v != "" {
		if rel.validUntil, err = parseDate(v); err != nil {
			return nil, fault.New(fault.FormatInvalid, "Valid-Until: %w", err)
		}
	}
	if rel.files, err = parseFiles(fields["sha256"]); err != nil {
		return nil, err
	}
	if len(rel.files) == 0 {
		return nil, fault.New(fault.TrustWeakHash, "it gives no SHA256 of any file")
	}
	return rel, nil
}

// parseStanza reads fields, their names in lower case. Folded lines keep
// their newlines.
func parseStanza(text string) (map[string]string, error) {
	fields := map[string]string{}
	n, at := 0, 0 // lines that were read; the offset behind them
	for at < len(text) {
		start, first := at, n+1
		n, at = n+1, lineEnd(text, at)
		line := strings.TrimSuffix(text[start:at], "\n")
		if line == "" {
			if strings.TrimSpace(text[at:]) != "" {
				return nil, fault.New(fault.FormatInvalid, "line %d: a second stanza", n)
			}
			break
		}
		for at < len(text) && (text[at] == ' ' || text[at] == '\t') { // folded
			n, at = n+1, lineEnd(text, at)
		}
		name, value, ok := strings.Cut(text[start:at], ":")
		name = strings.ToLower(name)
		if _, twice := fields[name]; !ok || twice || !isFieldName(name) || hasControl(value) {
			return nil, fault.New(fault.FormatInvalid, "line %d: %q is no field, or its second", first, clip(line))
		}
		fields[name] = strings.TrimSpace(value)
	}
	return fields, nil
}

// lineEnd is the offset behind the line at an offset.
func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

func isFieldName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == 0x7f })
}

// parseDate reads a date of RFC 1123 in UTC, as Release files have it.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{"Mon, 2 Jan 2006 15:04:05 UTC", "Mon, 2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 Z", "Mon, 2 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New(strconv.Quote(clip(s)) + " is no date")
}

// parseFiles reads lines of digest, size and path.
func parseFiles(text string) (map[string]resolve.Promise, error) {
	files := make(map[string]resolve.Promise, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		var p resolve.Promise
		if len(f) != 3 || !digest(&p.SHA256, f[0]) {
			return nil, fault.New(fault.FormatInvalid, "SHA256: %q is not a digest, a size and a path", clip(line))
		}
		var err error
		if p.Size, err = strconv.ParseInt(f[1], 10, 64); err != nil || p.Size < 0 {
			return nil, fault.New(fault.FormatInvalid, "SHA256: %q is no size", clip(f[1]))
		}
		name := strings.TrimPrefix(f[2], "./")
		if !resolve.CleanPath(name) {
			return nil, fault.New(fault.TrustPath, "SHA256: path %q leaves the repository", clip(f[2]))
		}
		if old, twice := files[name]; twice && old != p {
			return nil, fault.New(fault.FormatInvalid, "SHA256: %q stands twice, with different promises", clip(name))
		}
		files[name] = p
	}
	return files, nil
}

// each runs f(0) to f(n-1) side by side and gives the first error in that
// order, whichever came first in time.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
