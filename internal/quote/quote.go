// Package quote shows text that others wrote in errors and logs. Whatever the text, it can neither fill a log nor pass
// for a line of it.
package quote

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns the text in double quotes, as a Go string literal: control characters and bytes that are not UTF-8 are
// escaped. Of a text longer than 80 bytes it shows the beginning, and "..." behind the quotes.
func Text(text string) string {
	if len(text) > maxText {
		return strconv.Quote(text[:end(text, maxText)]) + "..."
	}
	return strconv.Quote(text)
}

// List is [Text] of each text, with commas between them.
func List(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = Text(text)
	}
	return strings.Join(quoted, ", ")
}

// Cut returns the text, or its first limit bytes and "..." when it is longer. It escapes nothing: it is for values that
// a log handler or an encoder of JSON escapes.
func Cut(text string, limit int) string {
	if len(text) > limit {
		return text[:end(text, limit)] + "..."
	}
	return text
}

// end is where a text of more than limit bytes is cut: at limit, or before the character that would be cut in two.
func end(text string, limit int) int {
	for at := limit; at >= 0 && at > limit-utf8.UTFMax; at-- {
		if utf8.RuneStart(text[at]) {
			return at
		}
	}
	return limit
}
