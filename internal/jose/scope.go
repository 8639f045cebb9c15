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
		switch {
		case scope == "":
			return errors.New("a scope is empty")
		case !IsScope(scope):
			return fmt.Errorf("scope %s has a byte that no scope may have", quote.Text(scope))
		}
	}
	return nil
}

// IsScope reports whether a text is one scope (RFC 6749 section 3.3).
func IsScope(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// Scopes returns the scopes of a token (RFC 9068 section 2.2.3): the words of its claim scope, and none without that
// claim.
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
