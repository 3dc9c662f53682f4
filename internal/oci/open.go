package oci

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"compose/internal/cas"
	"compose/internal/fault"
)

// Open opens the image at a path: an OCI layout folder, or a tar file that
// holds an OCI layout or what docker save writes. Close it after use.
func Open(ctx context.Context, name string) (*Stored, error) {
	files, err := openFiles(name)
	if err != nil {
		return nil, err
	}
	var s *Stored
	switch {
	case files.has(v1.ImageLayoutFile):
		s, err = openLayout(ctx, name, files)
	case files.has("manifest.json"):
		s, err = openDocker(ctx, name, files)
	default:
		err = fault.New(fault.FormatInvalid, "%s: neither an OCI layout nor a docker archive", name)
	}
	if err != nil {
		files.Close()
		return nil, err
	}
	s.close = files.Close
	return s, nil
}

// files are the files of a folder or an archive.
type files interface {
	has(name string) bool
	open(name string) (io.ReadCloser, error)
	io.Closer
}

func openFiles(name string) (files, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fault.New(fault.Usage, "image %q: %w", name, errors.Unwrap(err))
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, fault.New(fault.LocalFile, "image: %w", err)
		}
		return folder{root}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.New(fault.LocalFile, "image: %w", err)
	}
	a, err := scanArchive(f)
	if err != nil {
		f.Close()
		return nil, fault.New(fault.FormatInvalid, "%s: not an image archive: %w", name, err)
	}
	return a, nil
}

// A folder is left neither by dots nor by links.
type folder struct{ *os.Root }

func (f folder) has(name string) bool {
	info, err := f.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (f folder) open(name string) (io.ReadCloser, error) { return f.Root.Open(name) }

// An archive is a tar file whose members can be read in any order.
type archive struct {
	file    *os.File
	members map[string]member
}

// A member is a file in an archive, or a link to one: older versions of
// Docker save a layer once and link to it.
type member struct {
	offset, size int64
	link         string
}

func scanArchive(f *os.File) (*archive, error) {
	a := &archive{file: f, members: map[string]member{}}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		if n == maxLayers*maxImages {
			return nil, fmt.Errorf("more than %d members", n)
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			// The reader takes whole blocks and does not read ahead.
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			a.members[name] = member{offset: at, size: h.Size}
		case tar.TypeSymlink:
			a.members[name] = member{link: path.Join(path.Dir(name), h.Linkname)}
		}
	}
}

func (a *archive) has(name string) bool { _, ok := a.members[name]; return ok }

func (a *archive) open(name string) (io.ReadCloser, error) {
	m, ok := a.members[path.Clean(name)]
	if ok && m.link != "" {
		m, ok = a.members[m.link]
	}
	if !ok || m.link != "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(io.NewSectionReader(a.file, m.offset, m.size)), nil
}

func (a *archive) Close() error { return a.file.Close() }

// small reads a small file whole.
func small(f files, name string) ([]byte, error) {
	r, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(b) > maxDocument {
		err = fault.New(fault.LimitSize, "%s: more than %d bytes", name, maxDocument)
	}
	return b, err
}

// A layout is the blobs of an OCI layout.
type layout struct{ files }

func (l layout) Blob(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return l.open(blobPath(d.Digest))
}

func openLayout(ctx context.Context, name string, f files) (*Stored, error) {
	var version v1.ImageLayout
	b, err := small(f, v1.ImageLayoutFile)
	if err == nil {
		err = json.Unmarshal(b, &version)
	}
	if err != nil || version.Version != v1.ImageLayoutVersion {
		return nil, fault.New(fault.FormatInvalid, "%s: oci-layout: version %q, want %q", name, version.Version, v1.ImageLayoutVersion)
	}
	if b, err = small(f, v1.ImageIndexFile); err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: %w", name, err)
	}
	var index v1.Index
	if err := parse(name, b, v1.MediaTypeImageIndex, &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) > maxImages {
		return nil, fault.New(fault.LimitSize, "%s: index.json names %d manifests, more than %d", name, len(index.Manifests), maxImages)
	}
	var found *Stored
	var others []v1.Descriptor
	for _, d := range index.Manifests {
		s, err := readIfImage(ctx, name, layout{f}, d)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			others = append(others, d)
		case found != nil && found.Root.Digest != d.Digest:
			return nil, fault.New(fault.Usage, "%s: it holds several images, %s and %s; want one", name, refName(found.Root), refName(d))
		default:
			found = s
		}
	}
	if found == nil {
		return nil, fault.New(fault.FormatInvalid, "%s: it holds no image", name)
	}
	found.Others = others
	return found, nil
}

// readIfImage is Read, and nil for an artifact.
func readIfImage(ctx context.Context, name string, src Source, d v1.Descriptor) (*Stored, error) {
	if isManifest(d.MediaType) {
		var m v1.Manifest
		s := &Stored{Name: name}
		if err := s.document(ctx, src, d, &m); err != nil || !isImage(m) {
			return nil, err
		}
	}
	return Read(ctx, name, src, d)
}

func refName(d v1.Descriptor) string {
	if name := d.Annotations[v1.AnnotationRefName]; name != "" {
		return fmt.Sprintf("%q", name)
	}
	return string(d.Digest)
}

// openDocker reads the one image of a docker archive. Its layers may be
// compressed; what names them is their DiffIDs in the configuration.
func openDocker(_ context.Context, name string, f files) (*Stored, error) {
	b, err := small(f, "manifest.json")
	if err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: %w", name, err)
	}
	var list []dockerEntry
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: manifest.json: %w", name, err)
	}
	if len(list) != 1 {
		return nil, fault.New(fault.Usage, "%s: it holds %d images; want one", name, len(list))
	}
	entry := list[0]
	config, err := small(f, entry.Config)
	if err != nil {
		return nil, fault.New(fault.FormatInvalid, "%s: configuration: %w", name, err)
	}
	sum := cas.Sum(config)
	if want, err := cas.ParseDigest(strings.TrimSuffix(path.Base(entry.Config), ".json")); err == nil && want != sum {
		return nil, fault.New(fault.TrustHash, "%s: configuration %s: holds %s", name, want, sum)
	}
	img := &StoredImage{name: name}
	if err := parse(name, config, v1.MediaTypeImageConfig, &img.Config); err != nil {
		return nil, err
	}
	for _, layer := range entry.Layers {
		img.Layers = append(img.Layers, StoredLayer{open: func(context.Context) (io.ReadCloser, error) { return f.open(layer) }})
	}
	if err := img.complete(); err != nil {
		return nil, err
	}
	return &Stored{Name: name, Root: descriptor(v1.MediaTypeImageConfig, sum, int64(len(config))), Images: []*StoredImage{img}}, nil
}
