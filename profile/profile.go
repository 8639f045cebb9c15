package profile

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// Untyped is the type of a token whose header has no typ.
const Untyped = ""

// Profile defines what the tokens of one issuer must look like. The zero Profile is that of Parley's own access tokens.
// Each field accepts something in addition, or requires more. A Profile must not be modified after it has been passed
// on.
type Profile struct {
	// Types are the token types (the header's typ) that are accepted; [Untyped] is a header without one. Those of proofs,
	// which are good for one use, are a mistake. Default: at+jwt (RFC 9068).
	Types []string
	// TypeVariants compares types without case, and with or without "application/" in front (RFC 7515 section 4.1.9).
	// Default: byte for byte.
	TypeVariants bool
	// OtherHeaders ignores members of the header that Parley does not know, as RFC 7515 section 4 demands. Those that
	// change what is verified are refused all the same: crit, jku, jwk, x5u, x5c, b64, zip and cty. A kid may be what a
	// key of a key set may be called. Default: a header is alg, kid and typ, and kid 1 to 128 bytes of printable ASCII.
	OtherHeaders bool
	// NoKeyID accepts tokens whose header has no kid, by the one key that the issuer has. Default: kid is required.
	NoKeyID bool
	// NoIssuer accepts tokens without iss. The trust domain in sub then determines the keys, as SPIFFE defines for
	// JWT-SVIDs. Default: iss is required.
	NoIssuer bool
	// BareIssuer also accepts an iss that is the issuer's name without its https:// (OpenID Connect Core section 15.6.2).
	BareIssuer bool
	// MaxLength is the length of the longest token in bytes, at most 24 KiB. Default: 8192.
	MaxLength int
	// MaxMembers bounds how many members an object in a token may have, at most 256. Default: 64.
	MaxMembers int
	// CaseVariants accepts members of one object whose names differ in case alone. Names are compared byte for byte here,
	// but other readers take EXP for exp. Default: they are duplicates, which are refused.
	CaseVariants bool
	// MaxLifetime bounds exp - iat. Default: 1 hour.
	MaxLifetime time.Duration
	// NoIssuedAt accepts tokens without iat. MaxLifetime then bounds the time that is left. Default: iat is required.
	NoIssuedAt bool
	// RequiredClaims must be there beside iss, sub, aud, exp and iat. One that is null, false, "", {} or [] is missing.
	// Empty and not nil means none. Default: jti.
	RequiredClaims []string
	// RequiredValues are claims that must be exactly these strings, such as token_use: access. Default: none.
	RequiredValues map[string]string
	// RefusedClaims are claims that a token must not have, not even as null, such as claims of ID tokens. Default: none.
	RefusedClaims []string
	// MaxAudiences bounds how many audiences a token may name. Default: 1.
	MaxAudiences int
	// AudienceClaim is the claim with the audience of a token. With another one than aud, an aud that is there must name
	// an accepted audience, too. Default: aud.
	AudienceClaim string
	// AudienceText demands that this claim is one string and no list. Default: a list of strings will do.
	AudienceText bool
	// ClockSkew is how far the issuer's clock may be off, at most 5 minutes. Default: 30 seconds; negative means none.
	ClockSkew time.Duration
	// Algorithms are the algorithms that the issuer signs with. Default: all algorithms of keyset.WithAlgorithms.
	Algorithms []string
	// KeyUses are the values of use that its keys may have, for keyset.WithUses. Default: sig.
	KeyUses []string
	// ScopeClaims are the claims that hold scopes, each as words in one string or as a list of strings. A token has the
	// scopes of all of them. Invalid scopes (RFC 6749 section 3.3) are ignored and do not refuse the token. Default:
	// scope.
	ScopeClaims []string
	// SubjectClaim is the claim that names the principal. Its values must be given to one principal each, for ever, by the
	// issuer alone. Default: sub.
	SubjectClaim string

	provider Provider // that it began with
}

// WithDefaults returns a copy in which every field has its value. Of Algorithms, nil is that: all of them.
func (p Profile) WithDefaults() Profile {
	p = p.clone()
	if p.Types == nil {
		p.Types = []string{jose.TypeAccess}
	}
	if p.RequiredClaims == nil {
		p.RequiredClaims = []string{"jti"}
	}
	if p.ScopeClaims == nil {
		p.ScopeClaims = []string{"scope"}
	}
	if p.KeyUses == nil {
		p.KeyUses = []string{"sig"}
	}
	setDefault(&p.MaxLength, jose.MaxTokenLength)
	setDefault(&p.MaxMembers, strictjson.MaxMembers)
	setDefault(&p.MaxLifetime, maxLifetime)
	setDefault(&p.MaxAudiences, maxAudiences)
	setDefault(&p.AudienceClaim, "aud")
	setDefault(&p.SubjectClaim, "sub")
	setDefault(&p.ClockSkew, clockSkew)
	return p
}

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}

func (p Profile) clone() Profile {
	p.Types, p.RequiredClaims, p.RefusedClaims = slices.Clone(
		p.Types,
	), slices.Clone(
		p.RequiredClaims,
	), slices.Clone(
		p.RefusedClaims,
	)
	p.Algorithms, p.KeyUses, p.ScopeClaims = slices.Clone(
		p.Algorithms,
	), slices.Clone(
		p.KeyUses,
	), slices.Clone(
		p.ScopeClaims,
	)
	p.RequiredValues = maps.Clone(p.RequiredValues)
	return p
}

// Provider returns the product that the profile began with, or "".
func (p Profile) Provider() Provider { return p.provider }

// Check returns every mistake in the profile, joined.
func (p Profile) Check() error {
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, stated.New(format, args...))
		}
	}
	_, known := presets()[p.provider]
	wrong(
		p.provider != "" && !known,
		"provider %s is not known; it is one of %v",
		quote.Text(string(p.provider)),
		Providers(),
	)
	wrong(p.Types != nil && len(p.Types) == 0, "|Types| is empty; leave it out for at+jwt")
	wrong(slices.ContainsFunc(p.Types, jose.NeverBearer),
		"|Types| names a type of proof, identity or key set, which is no bearer token; leave it out for at+jwt")
	wrong(
		p.MaxLength < 0 || p.MaxLength > MaxLength,
		"|MaxLength| is %d; it must be at most %d",
		p.MaxLength,
		MaxLength,
	)
	wrong(
		p.MaxMembers < 0 || p.MaxMembers > MaxMembers,
		"|MaxMembers| is %d; it must be at most %d",
		p.MaxMembers,
		MaxMembers,
	)
	wrong(p.MaxLifetime < 0, "|MaxLifetime| is negative")
	wrong(p.MaxAudiences < 0, "|MaxAudiences| is negative")
	wrong(p.ClockSkew > maxClockSkew, "|ClockSkew| is more than 5 minutes")
	for name, claims := range map[string][]string{
		"RequiredClaims": p.RequiredClaims, "RefusedClaims": p.RefusedClaims, "ScopeClaims": p.ScopeClaims,
	} {
		wrong(slices.Contains(claims, ""), "|"+name+"| holds an empty name")
	}
	_, unnamed := p.RequiredValues[""]
	wrong(unnamed, "|RequiredValues| holds an empty name")
	for _, name := range p.Algorithms {
		_, ok := jose.AlgorithmOf(name)
		wrong(!ok, "|Algorithms|: %s is not supported; the choice is %v", quote.Text(name), jose.Algorithms())
	}
	return errors.Join(errs...)
}
