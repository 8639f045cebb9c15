package strictjson

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCompared is how many names of one object are compared with each other in pairs. Few tokens have more, and beyond
// it the cost would grow with the square of the number of names, which a forger chooses.
const maxCompared = 16

// nameSet is the names of one object that has more than maxCompared.
type nameSet struct {
	folded map[string]struct{}
	exact  map[string]struct{} // where names that differ in case alone are two names
}

// fold returns a text that two names share exactly when strings.EqualFold takes them for equal. A name in lower case
// ASCII is its own.
func fold(name string) string { return strings.Map(foldRune, name) }

// foldRune returns one of the characters that differ from r in case alone: the lower case letter of ASCII, or else the
// least.
func foldRune(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
