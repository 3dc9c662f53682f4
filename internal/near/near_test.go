package near

import (
	"math/rand"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"packages", "package-database", "platforms", "policy", "prefer", "zlib", "zstd", "gzip"}
	tests := []struct{ rule, word, want string }{
		{"a letter left out", "packges", "packages"},
		{"a letter added", "packagess", "packages"},
		{"a letter replaced", "zlab", "zlib"},
		{"two letters exchanged are one slip", "zlbi", "zlib"},
		{"an underscore for a hyphen", "package_database", "package-database"},
		{"the word itself", "policy", "policy"},
		{"nothing is near", "kubernetes", ""},
		{"a short word allows one slip", "gz", ""},
		{"no word", "", ""},
		{"too long to be a slip", string(make([]byte, 1000)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			rand.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
			if got := Nearest(tt.word, words); got != tt.want {
				t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
			}
		})
	}
}

func TestNearestOfEqualsIsFirst(t *testing.T) {
	for range 20 {
		words := []string{"cat", "bat", "rat"}
		rand.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		if got := Nearest("hat", words); got != "bat" {
			t.Fatalf("got %q, want bat", got)
		}
	}
}
