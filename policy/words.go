package policy

import (
	"strconv"
	"strings"
)

func appendWords(parts []string, what string, words []string) []string {
	if len(words) == 0 {
		return parts
	}
	return append(parts, what+" "+strings.Join(quoted(words), ", "))
}

func quoted(words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		if all[i] = word; !plainWord(word) {
			all[i] = quote(word)
		}
	}
	return all
}

// plainWord reports whether a word reads the same without quotes, in a list as well as in the path of a claim.
func plainWord(s string) bool {
	return s != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`,;">`, r) })
}

func quote(s string) string { return strconv.Quote(s) }

// hasOne reports whether a text has one of the affixes, as strings.HasPrefix or strings.HasSuffix does.
func hasOne(text string, affixes []string, has func(text, affix string) bool) bool {
	for _, affix := range affixes {
		if has(text, affix) {
			return true
		}
	}
	return false
}
