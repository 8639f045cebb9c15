package istio

import (
	"maps"
	"slices"
)

// wordClaims are the claims whose strings Istio takes for lists of words, beside scope and permission, and in the
// tokens of which issuers.
type wordClaims map[string][]string

// wordIssuers says in the tokens of which issuers one claim is a list of words.
type wordIssuers struct {
	all  bool
	some []string
}

// of is what holds for the claim at a path. Only one that is not within another can be split.
func (w wordClaims) of(path []string) wordIssuers {
	if len(path) != 1 {
		return wordIssuers{}
	}
	return wordIssuers{all: path[0] == "scope" || path[0] == "permission", some: w[path[0]]}
}

func (w wordIssuers) split(issuer string) bool { return w.all || slices.Contains(w.some, issuer) }

// add says that the tokens of an issuer have the claims.
func (w wordClaims) add(issuer string, claims []string) {
	for _, claim := range claims {
		if !slices.Contains(w[claim], issuer) {
			w[claim] = append(w[claim], issuer)
			slices.Sort(w[claim])
		}
	}
}

// lists are the claims, each with its issuers, always in one order.
func (w wordClaims) lists() [][]string {
	var lists [][]string
	for _, claim := range slices.Sorted(maps.Keys(w)) {
		lists = append(lists, append([]string{claim}, w[claim]...))
	}
	return lists
}
