// Package oci makes container images of file trees, and reads images back.
//
// An image is a few small JSON documents over layers, each named by the
// SHA-256 of its bytes (OCI image specification 1.1). All of them are pure
// functions of what they describe: no clock, no host, no number of cores has
// a say, and what was made once is found again by digest.
package oci

// LayerEpoch is the layer format epoch: a change of tar layout, JSON layout
// or compressor raises it, and golden digests in the tests notice when it
// must be raised (DESIGN.md part 4).
const LayerEpoch = 1
