package verify

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/profile"
)

// Remedy is a setting of an issuer with which a check would pass.
type Remedy struct {
	// Field is the name of a field of [profile.Profile], or Name or Audiences of the issuer.
	Field string
	// Value is what it must be, as text: in a configuration file, beside the provider that is stated there.
	Value string
	// Dropped are the claims of which less is demanded then.
	Dropped []string

	apply func(*Profile) // sets it
}

// Apply changes a profile by the remedy.
func (r Remedy) Apply(p *Profile) { r.apply(p) }

// SharedRemedy lets an issuer name workloads that the server's own trust knows.
func SharedRemedy() Remedy {
	return Remedy{Field: "Shared", Value: "true", apply: func(p *Profile) { p.Shared = true }}
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
		return p.refusedRemedies(t)
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
		accepted := append(slices.Clone(p.Audiences), audience[0])
		list = append(list, Remedy{Field: "Audiences", Value: "[" + quote.List(accepted) + "]", apply: func(p *Profile) {
			p.Audiences = accepted
		}})
	}
	return list
}

// refusedRemedies drops claims that the token has. What the provider refuses can be dropped only as a whole.
func (p *Profile) refusedRemedies(t *Token) []Remedy {
	left := slices.DeleteFunc(slices.Clone(p.RefusedClaims), t.Claims.Has)
	return []Remedy{p.dropClaims("RefusedClaims", p.RefusedClaims, left, p.preset().RefusedClaims,
		func(p *Profile, left []string) { p.RefusedClaims = left })}
}

// preset is the profile of the provider with which this one began.
func (p *Profile) preset() profile.Profile {
	if p.Provider() == "" {
		return profile.Profile{}
	}
	return profile.Of(p.Provider()).WithDefaults()
}

// dropClaims demands less of claims. A file adds to what the provider demands, so that what it states replaces that
// only where it states none at all.
func (p *Profile) dropClaims(
	field string, before, left, preset []string, set func(*Profile, []string),
) Remedy {
	if slices.ContainsFunc(preset, func(name string) bool { return !slices.Contains(left, name) }) {
		left = []string{}
	}
	names := make([]string, len(left))
	for n, name := range left {
		names[n] = scalar(name)
	}
	return Remedy{
		Field: field, Value: "[" + strings.Join(names, ", ") + "]",
		Dropped: slices.DeleteFunc(slices.Clone(before), func(name string) bool { return slices.Contains(left, name) }),
		apply:   func(p *Profile) { set(p, left) },
	}
}

func (p *Profile) requiredRemedies(t *Token) []Remedy {
	var list []Remedy
	there := slices.DeleteFunc(
		slices.Clone(p.RequiredClaims),
		func(name string) bool { return !states(t.Claims, name) },
	)
	if len(there) < len(p.RequiredClaims) {
		list = append(list, p.dropClaims("RequiredClaims", p.RequiredClaims, there, p.preset().RequiredClaims,
			func(p *Profile, left []string) { p.RequiredClaims = left }))
	}
	right := map[string]string{}
	for name, want := range p.RequiredValues {
		if wire.SameClaim(t.Claims, name, want) {
			right[name] = want
		}
	}
	if len(right) == len(p.RequiredValues) {
		return list
	}
	for name := range p.preset().RequiredValues {
		if _, kept := right[name]; !kept {
			right = map[string]string{} // as with the claims
			break
		}
	}
	var dropped []string
	for name := range p.RequiredValues {
		if _, kept := right[name]; !kept {
			dropped = append(dropped, name)
		}
	}
	slices.Sort(dropped)
	return append(list, Remedy{
		Field: "RequiredValues", Value: valuesOf(right), Dropped: dropped,
		apply: func(p *Profile) { p.RequiredValues = right },
	})
}

// valuesOf is a map of claims as a configuration file has it. A star is a real one.
func valuesOf(values map[string]string) string {
	var parts []string
	for name, value := range values {
		parts = append(parts, scalar(name)+": "+strconv.Quote(strings.ReplaceAll(value, "*", `\*`)))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

// scalar is the name of a claim as a configuration file has it.
func scalar(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	}) {
		return strconv.Quote(name)
	}
	return name
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
