package auth

import (
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// holdAll reports whether every condition holds for the claims.
func holdAll(conditions []policy.Claim, claims principal.Claims) bool {
	for i := range conditions {
		if !policy.Holds(&conditions[i], claims.Lookup(conditions[i].Path)) {
			return false
		}
	}
	return true
}

// hasAll tells whether every wanted word is among the words that are there.
func hasAll(there, wanted []string) bool {
	for _, word := range wanted {
		if !slices.Contains(there, word) {
			return false
		}
	}
	return true
}

// hasAny tells whether one of the words is among the accepted ones. No accepted ones accept every word.
func hasAny(accepted []string, words ...string) bool {
	if len(accepted) == 0 {
		return true
	}
	for _, word := range words {
		if slices.Contains(accepted, word) {
			return true
		}
	}
	return false
}
