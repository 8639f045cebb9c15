package principal

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-rpc/parley/internal/literal"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
)

// Map says which workload a token of a foreign issuer names, one that knows nothing of IDs. It is local: the issuer has
// no part in it. Either Template or Claim and IDs must be set.
type Map struct {
	// Template makes an ID of claims, as [ParseTemplate] has it.
	Template string
	// Claim is the claim that IDs is about, such as azp or client_id, written as in a template.
	Claim string
	// IDs are the workloads by the value of Claim, byte for byte. A token with another value names no workload. A star in
	// a value is a mistake, and \* a real star.
	IDs map[string]ID
	// Same are claims that must all be the same string for a token to be that of a workload, such as sub and client_id
	// (RFC 9068 section 2.2). Where an issuer vouches for users as well, it tells their tokens from those of workloads.
	// Default: nothing is asked, which is a mistake for a claim that names the client of users as well, such as azp.
	Same []string
	// Required are claims that must be there, as a string that is not empty, such as kubernetes.io>pod>uid for tokens that
	// end with their pod. Default: those that Template, Claim and Same name.
	Required []string
}

// Mapping is a compiled [Map]. It is safe for concurrent use.
type Mapping struct {
	template *Template
	claim    claimPath
	ids      map[string]ID
	same     []claimPath
	required []claimPath
}

// Compile reads the map. The error joins every mistake in it.
func (m Map) Compile() (*Mapping, error) {
	c := new(Mapping)
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, stated.New(format, args...)) }
	path := func(field, text string) claimPath {
		p, err := parseClaimPath(text)
		if err != nil {
			wrong("|"+field+"| %s: %v", quote.Text(text), err)
		}
		return p
	}
	table := m.Claim != "" || m.IDs != nil
	switch {
	case m.Template == "" && !table:
		wrong("it names nobody; state a |Template|, or a |Claim| and its |IDs|")
	case m.Template != "" && table:
		wrong("a |Template| and a table of |IDs| are two ways to name a workload; keep one")
	case table:
		c.claim = path("Claim", m.Claim)
		c.ids = make(map[string]ID, len(m.IDs))
		if len(m.IDs) == 0 {
			wrong("|IDs| is empty; list the values of %s and their workloads", quote.Text(m.Claim))
		}
		for _, stated := range slices.Sorted(maps.Keys(m.IDs)) {
			value, ok := literal.Read(stated)
			switch {
			case !ok:
				wrong(`|IDs|: %s has a star, and there are no patterns here; name each value, and write \* for a real star`,
					quote.Text(stated))
			case value == "":
				wrong("|IDs|: a value of %s is empty", quote.Text(m.Claim))
			case m.IDs[stated].IsZero():
				wrong("|IDs|: %s has no ID", quote.Text(stated))
			}
			c.ids[value] = m.IDs[stated]
		}
	default:
		var err error
		if c.template, err = parseTemplate(m.Template); err != nil {
			wrong("|Template| %s: %v", quote.Text(m.Template), err)
		}
	}
	if len(m.Same) == 1 {
		wrong("|Same| has one claim; name those that must be the same")
	}
	for n, text := range m.Same {
		c.same = append(c.same, path("Same", text))
		for _, other := range c.same[:n] {
			if c.same[n].overlaps(other) {
				wrong(
					"|Same| has one claim twice, %s and %s; name different ones", quote.Text(other.text), quote.Text(text),
				)
			}
		}
	}
	for _, text := range m.Required {
		c.required = append(c.required, path("Required", text))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, stated.Within("principal: Map", err)
	}
	return c, nil
}

// ID is the workload that a token with these claims names. The error says nothing of what the token holds.
func (m *Mapping) ID(claims Claims) (ID, error) {
	if err := m.CheckSame(claims); err != nil {
		return ID{}, err
	}
	for _, path := range m.required {
		if text, err := path.find(claims); err != nil {
			return ID{}, err
		} else if text == "" {
			return ID{}, fmt.Errorf("claim %s is empty", path.text)
		}
	}
	if m.template != nil {
		return m.template.ID(claims)
	}
	value, err := m.claim.find(claims)
	if err != nil {
		return ID{}, err
	}
	id, ok := m.ids[value]
	if !ok {
		return ID{}, fmt.Errorf("claim %s names no workload that is listed", m.claim.text)
	}
	return id, nil
}

// CheckSame refuses claims of which those that must be the same are not. The error says nothing of what the token
// holds.
func (m *Mapping) CheckSame(claims Claims) error {
	first := ""
	for i, path := range m.same {
		text, err := path.find(claims)
		switch {
		case err != nil:
			return err
		case i == 0:
			first = text
		case text != first:
			return fmt.Errorf(
				"claims %s and %s are not the same, so it is no workload's token", m.same[0].text, path.text,
			)
		}
	}
	return nil
}

// Patterns are those of all IDs that the map can name, sorted.
func (m *Mapping) Patterns() []Pattern {
	if m.template != nil {
		return []Pattern{m.template}
	}
	var all []Pattern
	named := map[ID]bool{}
	for _, value := range slices.Sorted(maps.Keys(m.ids)) {
		if id := m.ids[value]; !named[id] {
			named[id] = true
			all = append(all, id)
		}
	}
	return all
}

// ClaimNames are the names of the claims that decide which workload a token names, as far as they stand at its top.
func (m *Mapping) ClaimNames() []string {
	paths := slices.Concat([]claimPath{m.claim}, m.same, m.required)
	if m.template != nil {
		for _, part := range m.template.segments {
			if part.claim != nil {
				paths = append(paths, *part.claim)
			}
		}
	}
	var names []string
	for _, path := range paths {
		for _, place := range path.places {
			names = append(names, place[0])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// NamesUsers returns a claim of the map where the tokens of users have all claims that the map needs: such a claim
// names the client through which a user came, or the user. It returns "" where a claim is one of workloads, as far as
// the map can know, and for a table of the claim that names users, which lists workloads. Where nothing else tells the
// two apart, users are workloads.
func (m *Mapping) NamesUsers(subjectClaim string) string {
	if m.template == nil {
		if slices.Contains(clientClaims(), m.claim.text) && m.claim.text != subjectClaim {
			return m.claim.text
		}
		return ""
	}
	common := append(clientClaims(), subjectClaim, "iss", "sub", "aud", "tid")
	named := ""
	for _, part := range m.template.segments {
		switch {
		case part.claim == nil:
		case !slices.Contains(common, part.claim.text):
			return ""
		default:
			named = part.claim.text
		}
	}
	return named
}

// clientClaims name the client that got a token, whoever it is about: azp (OpenID Connect Core section 2), client_id
// (RFC 9068 section 2.2), cid (Okta) and appid (Microsoft Entra ID 1.0).
func clientClaims() []string { return []string{"azp", "client_id", "cid", "appid"} }

// TellsUsers reports whether the map tells the tokens of workloads from those of users of the same issuer.
func (m *Mapping) TellsUsers() bool { return len(m.same) > 0 }
