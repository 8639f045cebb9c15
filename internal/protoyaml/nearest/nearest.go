// Package nearest finds the known word that a mistyped one was meant to be.
package nearest

import "strings"

// Of returns the candidate that is nearest to word in edits, without regard to case, and "" when none is near enough to
// be meant: at most a third of the longer word may differ. Of equally near candidates the first one wins.
func Of(word string, candidates []string) string {
	best, bestDistance := "", -1
	for _, c := range candidates {
		longer := max(len(word), len(c))
		limit := max(longer/3, 1)
		if difference := len(word) - len(c); difference > limit || -difference > limit {
			continue
		}
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d <= limit && d < longer && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete, replace or swap with their neighbour to make a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
