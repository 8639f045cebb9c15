package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// Exception is something that a profile accepts and the strict one does not.
type Exception struct {
	// Setting is the key in the configuration file.
	Setting string
	// Field is the field of [Profile].
	Field string
	// Value is the value of the field, as text.
	Value string
	// Cost is the cost of the exception in safety, in one sentence.
	Cost string
}

// String is the setting with its value.
func (e Exception) String() string { return e.Setting + ": " + e.Value }

// Setting returns the exception that a field of [Profile] opens, without a value, and false where there is none of
// this name.
func Setting(field string) (Exception, bool) {
	for _, s := range settings() {
		if s.Field == field {
			return s.Exception, true
		}
	}
	return Exception{}, false
}

// Exceptions returns the exceptions of the profile from the strict one, in the order of its fields. It does not contain
// fields that only require more.
func (p Profile) Exceptions() []Exception {
	var list []Exception
	p = p.WithDefaults()
	for _, s := range settings() {
		if value := s.opened(p); value != "" {
			e := s.Exception
			e.Value = value
			list = append(list, e)
		}
	}
	return list
}

// String lists the provider and the exceptions.
func (p Profile) String() string {
	var parts []string
	if p.provider != "" {
		parts = append(parts, string(p.provider))
	}
	for _, e := range p.Exceptions() {
		parts = append(parts, e.String())
	}
	if parts == nil {
		return "strict"
	}
	return strings.Join(parts, "; ")
}

// setting is a field of a profile that can open something.
type setting struct {
	Exception

	opened func(Profile) string // the value that is beyond the strict one, or "" where it is not
}

func opens(field, key string, opened func(Profile) string, cost string) setting {
	return setting{Exception{Field: field, Setting: key, Cost: cost}, opened}
}

// settings is what a profile can open, with the price of each.
func settings() []setting {
	return []setting{
		opens("Types", "types", openedTypes,
			"tokens that do not say that they are access tokens pass, and so may ID tokens of the same audience; "+
				"demand a claim that only access tokens have"),
		opens("TypeVariants", "type_variants", yes(func(p Profile) bool { return p.TypeVariants }),
			"one type may be written in several ways, as RFC 7515 has it"),
		opens("OtherHeaders", "other_headers", yes(func(p Profile) bool { return p.OtherHeaders }),
			"header members that Parley does not know are ignored; none of those that change what is verified"),
		opens("NoKeyID", "no_key_id", yes(func(p Profile) bool { return p.NoKeyID }),
			"a token need not name its key, so the issuer cannot change keys without a moment in which tokens are refused"),
		opens("NoIssuer", "no_issuer", yes(func(p Profile) bool { return p.NoIssuer }),
			"the trust domain in sub chooses the keys; they must be those of this trust domain alone"),
		opens("BareIssuer", "bare_issuer", yes(func(p Profile) bool { return p.BareIssuer }),
			"a second spelling of iss counts for the same keys"),
		opens("MaxLength", "max_length", more(func(p Profile) int { return p.MaxLength }, jose.MaxTokenLength),
			"a forged token may cost more before it is refused, and each good one takes more memory"),
		opens("MaxMembers", "max_members", more(func(p Profile) int { return p.MaxMembers }, strictjson.MaxMembers),
			"a forged token may cost more before it is refused"),
		opens("CaseVariants", "case_variants", yes(func(p Profile) bool { return p.CaseVariants }),
			"a program that reads names without case may understand another value than this server"),
		opens("MaxLifetime", "max_lifetime", more(func(p Profile) time.Duration { return p.MaxLifetime }, maxLifetime),
			"a stolen token is good for as long"),
		opens("NoIssuedAt", "no_issued_at", yes(func(p Profile) bool { return p.NoIssuedAt }),
			"nothing says how old a token is; only the time that it has left is bounded"),
		opens("RequiredClaims", "required_claims", openedRequired,
			"without jti, one token cannot be told from another in the logs of the issuer"),
		opens("MaxAudiences", "max_audiences", more(func(p Profile) int { return p.MaxAudiences }, maxAudiences),
			"each of the other audiences of a token can use it here"),
		opens("AudienceClaim", "audience_claim", other(func(p Profile) string { return p.AudienceClaim }, "aud"),
			"tokens are not bound to this server: every service that takes tokens with this claim can use them here"),
		opens("ClockSkew", "clock_skew", more(func(p Profile) time.Duration { return p.ClockSkew }, clockSkew),
			"a token is good for longer after its end"),
		opens("KeyUses", "keys.uses", openedUses,
			"keys that are published for another use sign tokens, too"),
		opens("ScopeClaims", "scope_claims", openedScopes,
			"what the issuer writes into these claims grants scopes here"),
		opens("SubjectClaim", "subject_claim", other(func(p Profile) string { return p.SubjectClaim }, "sub"),
			"the claim must be one that the issuer never gives to two principals, and that none of them can choose"),
	}
}

func yes(field func(Profile) bool) func(Profile) string {
	return func(p Profile) string {
		if field(p) {
			return "true"
		}
		return ""
	}
}

func more[T int | time.Duration](field func(Profile) T, strict T) func(Profile) string {
	return func(p Profile) string {
		if v := field(p); v > strict {
			return fmt.Sprint(v)
		}
		return ""
	}
}

func other(field func(Profile) string, strict string) func(Profile) string {
	return func(p Profile) string {
		if v := field(p); v != strict {
			return v
		}
		return ""
	}
}

func openedTypes(p Profile) string {
	strict := func(typ string) bool { return jose.SameType(typ, jose.TypeAccess) }
	return listed(p.Types, slices.DeleteFunc(slices.Clone(p.Types), strict))
}

func openedRequired(p Profile) string {
	if slices.Contains(p.RequiredClaims, "jti") {
		return ""
	}
	return "[" + strings.Join(p.RequiredClaims, ", ") + "]"
}

func openedUses(p Profile) string {
	return listed(
		p.KeyUses,
		slices.DeleteFunc(slices.Clone(p.KeyUses), func(use string) bool { return use == "sig" }),
	)
}

func openedScopes(p Profile) string {
	return listed(
		p.ScopeClaims,
		slices.DeleteFunc(slices.Clone(p.ScopeClaims), func(name string) bool { return name == "scope" }),
	)
}

// listed is the text of a list, where anything in it goes beyond the strict profile.
func listed(list, beyond []string) string {
	if len(beyond) == 0 {
		return ""
	}
	texts := make([]string, len(list))
	for i, text := range list {
		if texts[i] = text; text == "" {
			texts[i] = `""`
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
