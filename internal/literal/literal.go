// Package literal reads texts that are compared letter by letter. A star in one would look like a pattern and be a
// letter: a rule that denies guest-* would let guest-17 pass. So a star is a mistake there, unless it is written as \*.
package literal

import "strings"

const (
	star    = "*"
	escaped = `\*`
)

// Read returns the text that is stated, in which \* is a star and any other backslash is itself. It reports false where
// there is a star that is not written so.
func Read(stated string) (text string, ok bool) {
	bare := strings.Contains(strings.ReplaceAll(stated, escaped, ""), star)
	return strings.ReplaceAll(stated, escaped, star), !bare
}
