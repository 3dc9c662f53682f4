package manifest

import "testing"

// A manifest with every key there is.
func BenchmarkParse(b *testing.B) {
	files := project(everyKey)
	b.SetBytes(int64(len(everyKey)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(files, "image.yaml", Options{DefaultName: "test"}); err != nil {
			b.Fatal(err)
		}
	}
}
