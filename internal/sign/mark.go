package sign

// LayoutMark is the annotation that tells cosign what an entry of a layout's
// index is: image, imageIndex, sigs or atts.
func LayoutMark(word string) map[string]string { return map[string]string{kindKey: kindPrefix + word} }

// ArtifactType is the artifact type of m.
func (m Manifest) ArtifactType() string { return artifactTypes[m.Kind] }
