package jose

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// CheckScopes checks the alphabet of scopes (RFC 6749 section 3.3), each of which has at least one character.
func CheckScopes(scopes []string) error {
	for _, scope := range scopes {
		if scope == "" {
			return errors.New("a scope is empty")
		}
		for i := range len(scope) {
			if c := scope[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
				return fmt.Errorf("scope %s has a byte that no scope may have", quote.Text(scope))
			}
		}
	}
	return nil
}

// Scopes returns the scopes of a token (RFC 9068 section 2.2.3): the words of its claim scope, and none without that claim.
func Scopes(claims *strictjson.Object) ([]string, error) {
	if !claims.Has("scope") {
		return nil, nil
	}
	scope, ok := claims.String("scope")
	scopes := strings.Split(scope, " ")
	if !ok || CheckScopes(scopes) != nil {
		return nil, errors.New("scope is not a list of scopes")
	}
	return scopes, nil
}
