package auth

import (
	"fmt"
	"strings"
)

// quote prints what someone wrote, cut so that a hostile value cannot fill a log.
func quote(s string) string {
	const shown = 80
	if len(s) > shown {
		return fmt.Sprintf("%q...", s[:shown])
	}
	return fmt.Sprintf("%q", s)
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, ", ")
}
