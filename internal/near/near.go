// Package near finds the word that somebody meant to write.
package near

// Nearest is the candidate that takes the fewest slips to become word, the
// first in byte order among equals; "" where none is near enough to be worth
// suggesting: one slip for every three letters, and one at least.
func Nearest(word string, candidates []string) string {
	const longest = 64 // in bytes; more is no misspelt word
	if len(word) > longest {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if abs(len(c)-len(word)) > least {
			continue
		}
		d := distance(word, c)
		if d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// distance counts the slips between a and b: a letter left out, added or
// replaced, or two neighbours exchanged (the optimal string alignment form of
// the Damerau-Levenshtein distance).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
