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
	// Value is what it is set to, as text.
	Value string
	// Cost is what it costs in safety, in one sentence.
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

// Exceptions lists what the profile accepts beyond the strict one, in the order of its fields. What only narrows is not
// among them.
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

// settings is what a profile can open, with the price of each.
func settings() []setting {
	return []setting{
		{Exception{Field: "Types", Setting: "types", Cost: "tokens that do not say that they are access tokens pass, and so may ID tokens of the same audience; demand a claim that only access tokens have"}, openedTypes},
		{Exception{Field: "TypeVariants", Setting: "type_variants", Cost: "one type may be written in several ways, as RFC 7515 has it"}, yes(func(p Profile) bool { return p.TypeVariants })},
		{Exception{Field: "OtherHeaders", Setting: "other_headers", Cost: "header members that Parley does not know are ignored; none of those that change what is verified"}, yes(func(p Profile) bool { return p.OtherHeaders })},
		{Exception{Field: "NoKeyID", Setting: "no_key_id", Cost: "a token need not name its key, so the issuer cannot change keys without a moment in which tokens are refused"}, yes(func(p Profile) bool { return p.NoKeyID })},
		{Exception{Field: "NoIssuer", Setting: "no_issuer", Cost: "the trust domain in sub chooses the keys; they must be those of this trust domain alone"}, yes(func(p Profile) bool { return p.NoIssuer })},
		{Exception{Field: "BareIssuer", Setting: "bare_issuer", Cost: "a second spelling of iss counts for the same keys"}, yes(func(p Profile) bool { return p.BareIssuer })},
		{Exception{Field: "MaxLength", Setting: "max_length", Cost: "a forged token may cost more before it is refused, and each good one takes more memory"}, more(func(p Profile) int { return p.MaxLength }, jose.MaxTokenLength)},
		{Exception{Field: "MaxMembers", Setting: "max_members", Cost: "a forged token may cost more before it is refused"}, more(func(p Profile) int { return p.MaxMembers }, strictjson.MaxMembers)},
		{Exception{Field: "CaseVariants", Setting: "case_variants", Cost: "a program that reads names without case may understand another value than this server"}, yes(func(p Profile) bool { return p.CaseVariants })},
		{Exception{Field: "MaxLifetime", Setting: "max_lifetime", Cost: "a stolen token is good for as long"}, more(func(p Profile) time.Duration { return p.MaxLifetime }, maxLifetime)},
		{Exception{Field: "NoIssuedAt", Setting: "no_issued_at", Cost: "nothing says how old a token is; only the time that it has left is bounded"}, yes(func(p Profile) bool { return p.NoIssuedAt })},
		{Exception{Field: "RequiredClaims", Setting: "required_claims", Cost: "without jti, one token cannot be told from another in logs of the issuer"}, openedRequired},
		{Exception{Field: "MaxAudiences", Setting: "max_audiences", Cost: "each of the other audiences of a token can use it here"}, more(func(p Profile) int { return p.MaxAudiences }, maxAudiences)},
		{Exception{Field: "AudienceClaim", Setting: "audience_claim", Cost: "tokens are not bound to this server: every service that takes tokens with this claim can use them here"}, other(func(p Profile) string { return p.AudienceClaim }, "aud")},
		{Exception{Field: "ClockSkew", Setting: "clock_skew", Cost: "a token is good for longer after its end"}, more(func(p Profile) time.Duration { return p.ClockSkew }, clockSkew)},
		{Exception{Field: "KeyUses", Setting: "keys.uses", Cost: "keys that are published for another use sign tokens, too"}, openedUses},
		{Exception{Field: "ScopeClaims", Setting: "scope_claims", Cost: "what the issuer writes into these claims grants scopes here"}, openedScopes},
		{Exception{Field: "SubjectClaim", Setting: "subject_claim", Cost: "the claim must be one that the issuer never gives to two principals, and that none can choose"}, other(func(p Profile) string { return p.SubjectClaim }, "sub")},
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
	return listed(p.KeyUses, slices.DeleteFunc(slices.Clone(p.KeyUses), func(use string) bool { return use == "sig" }))
}

func openedScopes(p Profile) string {
	return listed(p.ScopeClaims, slices.DeleteFunc(slices.Clone(p.ScopeClaims), func(name string) bool { return name == "scope" }))
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
