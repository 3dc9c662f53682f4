package sign

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"compose/internal/fault"
)

// A Place is where an image is, with what was attached to it.
type Place interface {
	// Image is the image itself, whose bytes were checked against its digest.
	Image(ctx context.Context) (Image, error)
	// Platforms gives the images below img, if it is an index of some.
	Platforms(ctx context.Context, img Image) ([]Image, error)
	// Artifacts gives what is attached to img, of one kind; it may be none.
	Artifacts(ctx context.Context, img Image, kind Kind) ([]Artifact, error)
	// Attach stores artifacts of img beside those that are there already.
	Attach(ctx context.Context, img Image, list ...Artifact) error
	io.Closer
}

// Open opens the image that a user names: a layout folder, an archive (.tar),
// or a reference to a registry, which options say how to reach.
func Open(image string, options ...remote.Option) (Place, error) {
	info, err := os.Stat(image)
	open := OpenArchive
	switch {
	case err == nil && info.IsDir():
		open = OpenLayout
		fallthrough
	case err == nil || strings.HasSuffix(image, ".tar"):
		l, err := open(image)
		if err != nil {
			return nil, err
		}
		return l, nil
	case strings.HasPrefix(image, ".") || strings.HasPrefix(image, "/") || strings.HasSuffix(image, "/"):
		return nil, fault.New(fault.Usage, "image: %w", err)
	}
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, fault.New(fault.Usage, "image %q: neither a file nor a reference to a registry: %w", image, err)
	}
	return AtRegistry(ref, options...), nil
}

// Bounds of what is read back from a place that others can write to
// (threats.md P-09).
const (
	maxManifest  = 4 << 20   // bytes
	maxArtifact  = 128 << 20 // bytes; the SBOM of a large image has ten
	maxArtifacts = 100       // of one kind
	maxImages    = 100       // manifests below an index
)
