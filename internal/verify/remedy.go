package verify

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/wire"
)

// Remedy is a setting of an issuer with which a check would pass.
type Remedy struct {
	// Field is the name of a field of [profile.Profile], or Name or Audiences of the issuer.
	Field string
	// Value is what it must be, as text.
	Value string

	apply func(*Profile) // sets it
}

func nameRemedies(payload jose.Payload) []Remedy {
	name, ok := payload.Claims.String(wire.ClaimIssuer)
	if !ok {
		return nil
	}
	return []Remedy{{Field: "Name", Value: quote.Text(name), apply: func(p *Profile) { p.Name = name }}}
}

func lengthRemedy(length int) Remedy {
	const step = 1 << 10
	length = (length + step - 1) / step * step
	return Remedy{Field: "MaxLength", Value: strconv.Itoa(length), apply: func(p *Profile) { p.MaxLength = length }}
}

func membersRemedy(members int) Remedy {
	return Remedy{
		Field: "MaxMembers",
		Value: strconv.Itoa(members),
		apply: func(p *Profile) { p.MaxMembers = members },
	}
}

// typeRemedies opens a type, unless no configuration may.
func (p *Profile) typeRemedies(typ string) []Remedy {
	if jose.NeverBearer(typ) {
		return nil
	}
	if typ != "" && slices.ContainsFunc(p.Types, func(t string) bool { return jose.SameType(t, typ) }) {
		return []Remedy{{Field: "TypeVariants", Value: "true", apply: func(p *Profile) { p.TypeVariants = true }}}
	}
	types := append(slices.Clone(p.Types), typ)
	return []Remedy{
		{Field: "Types", Value: "[" + quote.List(types) + "]", apply: func(p *Profile) { p.Types = types }},
	}
}

// remediesOf returns what would let a check of the claims pass.
func (p *Profile) remediesOf(check string, t *Token) []Remedy {
	switch check {
	case "audience":
		return p.audienceRemedies(t)
	case "required claims":
		return p.requiredRemedies(t)
	case "refused claims":
		left := slices.DeleteFunc(slices.Clone(p.RefusedClaims), t.Claims.Has)
		return []Remedy{
			{
				Field: "RefusedClaims",
				Value: "[" + strings.Join(left, ", ") + "]",
				apply: func(p *Profile) { p.RefusedClaims = left },
			},
		}
	case "lifetime":
		return p.lifetimeRemedies(t)
	}
	return nil
}

func (p *Profile) audienceRemedies(t *Token) []Remedy {
	audience, ok := t.Claims.Strings(p.AudienceClaim)
	if !ok || len(audience) == 0 {
		return nil
	}
	var list []Remedy
	if _, isText := t.Claims.String(p.AudienceClaim); p.AudienceText && !isText {
		list = append(
			list,
			Remedy{Field: "AudienceText", Value: "false", apply: func(p *Profile) { p.AudienceText = false }},
		)
	}
	if n := len(audience); n > p.MaxAudiences {
		list = append(
			list,
			Remedy{Field: "MaxAudiences", Value: strconv.Itoa(n), apply: func(p *Profile) { p.MaxAudiences = n }},
		)
	}
	if !slices.ContainsFunc(audience, p.isAudience) {
		list = append(
			list,
			Remedy{Field: "Audiences", Value: "[" + quote.Text(audience[0]) + "]", apply: func(p *Profile) {
				p.Audiences = audience[:1]
			}},
		)
	}
	return list
}

func (p *Profile) requiredRemedies(t *Token) []Remedy {
	var list []Remedy
	there := slices.DeleteFunc(
		slices.Clone(p.RequiredClaims),
		func(name string) bool { return !states(t.Claims, name) },
	)
	if len(there) < len(p.RequiredClaims) {
		list = append(
			list,
			Remedy{Field: "RequiredClaims", Value: "[" + strings.Join(there, ", ") + "]", apply: func(p *Profile) {
				p.RequiredClaims = there
			}},
		)
	}
	right := map[string]string{}
	for name, want := range p.RequiredValues {
		if wire.SameClaim(t.Claims, name, want) {
			right[name] = want
		}
	}
	if len(right) < len(p.RequiredValues) {
		list = append(
			list,
			Remedy{
				Field: "RequiredValues",
				Value: namesOf(right),
				apply: func(p *Profile) { p.RequiredValues = right },
			},
		)
	}
	return list
}

// namesOf is a map of claims as a configuration file has it.
func namesOf(values map[string]string) string {
	var parts []string
	for name, value := range values {
		parts = append(parts, name+": "+value)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

func (p *Profile) lifetimeRemedies(t *Token) []Remedy {
	expires, err := wire.ReadExpiry(t.Claims)
	if err != nil {
		return nil
	}
	var list []Remedy
	issued, stated, err := t.Claims.NumericDate(wire.ClaimIssuedAt)
	if err != nil {
		return nil
	}
	life := expires.Sub(issued)
	if !stated {
		life = time.Until(expires).Truncate(time.Second) + time.Second
		if !p.NoIssuedAt {
			list = append(
				list,
				Remedy{Field: "NoIssuedAt", Value: "true", apply: func(p *Profile) { p.NoIssuedAt = true }},
			)
		}
	}
	if life > p.MaxLifetime {
		list = append(
			list,
			Remedy{Field: "MaxLifetime", Value: life.String(), apply: func(p *Profile) { p.MaxLifetime = life }},
		)
	}
	return list
}

// timeRemedies is a larger clock skew, where one that may be granted is enough.
func (t *Token) timeRemedies(now time.Time) []Remedy {
	off := max(now.Sub(t.Expires)+time.Nanosecond, t.from.Sub(now)).Truncate(time.Second) + time.Second
	if off > maxClockSkew {
		return nil
	}
	return []Remedy{{Field: "ClockSkew", Value: off.String(), apply: func(p *Profile) { p.ClockSkew = off }}}
}
