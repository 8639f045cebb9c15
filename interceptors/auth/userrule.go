package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// UserRule states which tokens name end users, and where calls carry them, as the files of a mesh do. Several rules may
// name one issuer; a token needs to meet one of them. A token in a place where a rule looks is refused if it meets none
// of the rules that look there. It must not be changed once it was passed on.
type UserRule struct {
	// Place is where the rule is stated: "mesh.yaml:12 (document 2)".
	Place string
	// Subject is what states it: "RequestAuthentication shop/users".
	Subject string
	// Issuer is the iss of the tokens, byte for byte. Required.
	Issuer string
	// Audiences are the accepted audiences, one of which a token must name. Default: a token may be for whatever audience,
	// or for none.
	Audiences []string
	// JWKS are the keys of the issuer, as a JSON Web Key Set. RSA keys that state no alg are for RS256.
	JWKS string
	// JWKSURL is where its keys are fetched from, if JWKS is not set. Default: the jwks_uri of the discovery document of
	// the OpenID provider that Issuer is.
	JWKSURL string
	// FetchTimeout bounds a fetch of the keys. Default: 5 seconds.
	FetchTimeout time.Duration
	// Headers are the metadata keys that carry the tokens. Default: authorization, with the scheme Bearer. The key
	// parley-user-token always carries them, too.
	Headers []TokenHeader
	// ForwardToken lets handlers see the token where it came. Default: they do not.
	ForwardToken bool
	// ClaimHeaders are metadata keys that handlers see with claims of the token. What callers write there is taken out of
	// every call.
	ClaimHeaders []ClaimHeader
	// PayloadHeader is a metadata key with the payload of the token, in base64url. It is treated like ClaimHeaders.
	// Default: none.
	PayloadHeader string
	// Profile is what the tokens look like.
	Profile profile.Profile
}

// TokenHeader is a metadata key that carries a token.
type TokenHeader struct {
	// Name is the key, in lower case.
	Name string
	// Prefix stands before the token, such as "Bearer ". Case counts, but in authorization.
	Prefix string
}

// ClaimHeader is a metadata key that gets the value of a claim: a string, an integer, true or false. Other claims are
// left out.
type ClaimHeader struct {
	// Name is the key, in lower case.
	Name string
	// Claim is the path to the claim.
	Claim []string
}

// String is the issuer with its place.
func (r UserRule) String() string { return quote.Text(r.Issuer) + " (" + r.Place + ")" }

// same reports whether both accept the same tokens in the same places and do the same with them, wherever they are
// stated.
func (r UserRule) same(other UserRule) bool {
	r.Place, r.Subject, other.Place, other.Subject = "", "", "", ""
	return reflect.DeepEqual(r, other)
}

// headers are where calls carry the tokens.
func (r UserRule) headers() []TokenHeader {
	if len(r.Headers) > 0 {
		return r.Headers
	}
	return []TokenHeader{{wire.AuthorizationKey, wire.BearerScheme + " "}}
}

// Check returns every mistake in the rule that shows without a look at the keys, joined.
func (r UserRule) Check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("auth: rule %v: "+format, append([]any{r}, args...)...))
	}
	if r.Issuer == "" {
		wrong("it names no issuer")
	}
	for _, h := range r.headers() {
		if problem := unusable(h.Name); problem != "" && h.Name != wire.AuthorizationKey && h.Name != wire.UserTokenKey {
			wrong("tokens cannot come in %s: it %s", quote.Text(h.Name), problem)
		}
	}
	for _, name := range r.written() {
		if problem := unusable(name); problem != "" {
			wrong("claims cannot be written into %s: it %s", quote.Text(name), problem)
		}
		if slices.ContainsFunc(r.headers(), func(h TokenHeader) bool { return h.Name == name }) {
			wrong("claims cannot be written into %s: tokens come there", quote.Text(name))
		}
	}
	for _, h := range r.ClaimHeaders {
		if len(h.Claim) == 0 || slices.Contains(h.Claim, "") {
			wrong("no claim is named for %s", quote.Text(h.Name))
		}
	}
	return errors.Join(errs...)
}

// unusable says why a metadata key can neither carry a token nor get a claim, or "".
func unusable(name string) string {
	switch {
	case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "":
		return "is no metadata key; write it in lower case"
	case strings.HasSuffix(name, "-bin"):
		return "has binary values"
	case wire.IsCredential(name) || strings.HasPrefix(name, "parley-") || strings.HasPrefix(name, "grpc-"),
		slices.Contains([]string{
			"te", "content-type", "user-agent", "host", "connection", "traceparent", "tracestate", "baggage",
		}, name):
		return "has a meaning of its own"
	}
	return ""
}

// written are the metadata keys that the rule fills.
func (r UserRule) written() []string {
	var names []string
	for _, h := range r.ClaimHeaders {
		names = append(names, h.Name)
	}
	if r.PayloadHeader != "" {
		names = append(names, r.PayloadHeader)
	}
	return names
}

// userRule is a rule with its keys. It lives as long as the rule is in force, whatever other rules come and go.
type userRule struct {
	stated    atomic.Pointer[UserRule] // whose place may change
	issuer    Issuer
	profile   *verify.Profile
	withdrawn atomic.Bool
}

func (r *userRule) rule() UserRule { return *r.stated.Load() }

// newUserRule compiles a rule whose keys are in a set.
func newUserRule(stated UserRule, keys *keyset.Set) (*userRule, error) {
	r := &userRule{issuer: Issuer{
		Name: stated.Issuer, Keys: keys, Profile: stated.Profile, anyAudience: len(stated.Audiences) == 0,
	}}
	r.stated.Store(&stated)
	for _, audience := range stated.Audiences { // whose stars are letters
		r.issuer.Audiences = append(r.issuer.Audiences, strings.ReplaceAll(audience, "*", `\*`))
	}
	var err error
	if r.profile, err = r.issuer.profile(principal.ID{}); err == nil {
		r.profile.Keys = &withdrawableKeys{r.profile.Keys, &r.withdrawn}
	}
	if err = errors.Join(stated.Check(), err); err != nil {
		err = fmt.Errorf("%s: %w", stated.Place, err)
	}
	return r, err
}

// withdrawableKeys are the keys of a rule, none of which counts once the rule is withdrawn.
type withdrawableKeys struct {
	verify.Keys
	withdrawn *atomic.Bool
}

var errWithdrawn = errors.New("the rule for its issuer was withdrawn")

func (k *withdrawableKeys) Find(
	ctx context.Context, kid string, alg jose.Algorithm,
) (principal.ID, []*jose.PublicKey, error) {
	if k.withdrawn.Load() {
		return principal.ID{}, nil, errWithdrawn
	}
	return k.Keys.Find(ctx, kid, alg)
}

func (k *withdrawableKeys) Holds(kid string, owner principal.ID, key *jose.PublicKey) bool {
	return !k.withdrawn.Load() && k.Keys.Holds(kid, owner, key)
}

func (k *withdrawableKeys) Generation() uint64 {
	if k.withdrawn.Load() {
		return verify.Never
	}
	return k.Keys.Generation()
}
