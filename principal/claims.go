package principal

import (
	"fmt"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// Claims are the claims of a verified token. A path is the name of a claim, then that of a member of its object, and so
// on; it is a list because a dot is part of a name. A claim that is null is as good as missing. The zero Claims has
// none. Claims never change and may be used from any goroutine.
type Claims struct{ claims *strictjson.Object }

// ParseClaims reads claims from a JSON object, for tests and explanations. It is as strict as the reader of tokens. The
// error names the byte at which the text stops being strict JSON.
func ParseClaims(object []byte) (Claims, error) {
	claims, err := strictjson.Read(object)
	if err != nil {
		return Claims{}, fmt.Errorf("principal: claims: %w", err)
	}
	return Claims{claims}, nil
}

// ClaimsOf returns the claims of a token that Parley's own packages have verified.
func ClaimsOf(verified *strictjson.Object) Claims { return Claims{verified} }

// Lookup returns the claim at a path, for Parley's own rules.
func (c Claims) Lookup(path []string) strictjson.Value { return c.claims.Lookup(path) }

// Has reports whether the claim exists.
func (c Claims) Has(path ...string) bool { return c.claims.Lookup(path).Exists() }

// String returns a claim that is a string. It reports false when there is none or it is of another kind.
func (c Claims) String(path ...string) (string, bool) { return c.claims.Lookup(path).String() }

// Bool returns a claim that is a boolean. It reports false when there is none or it is of another kind.
func (c Claims) Bool(path ...string) (value, ok bool) { return c.claims.Lookup(path).Bool() }

// Number returns a claim that is a number, as the nearest float64. It reports false when there is none or it is of
// another kind.
func (c Claims) Number(path ...string) (float64, bool) { return c.claims.Lookup(path).Number() }

// Strings returns a claim that is a list of strings. It reports false if the claim does not exist or has another type.
func (c Claims) Strings(path ...string) ([]string, bool) { return c.claims.Lookup(path).Strings() }

// Names lists the names of the claims in the order in which the token states them.
func (c Claims) Names() []string {
	if c.claims == nil {
		return nil
	}
	return c.claims.Names()
}
