package auth

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern is a set of workloads: one [ID], or every ID below a segment of a path. The trust domain of a pattern is always
// literal. Only this package makes patterns: an ID is one, [ParsePattern] and [TrustDomain.Pattern] yield the others.
type Pattern interface {
	// Matches tells whether the workload belongs to the set.
	Matches(ID) bool
	// String is what ParsePattern reads.
	String() string

	trustDomain() TrustDomain
}

// ParsePattern reads an ID, or an ID whose last segment is "*": spiffe://shop.example/ns/pay/* matches every ID of
// shop.example below ns/pay, however many segments follow, but not ns/pay itself. A "*" anywhere else is an error.
func ParsePattern(s string) (Pattern, error) {
	if !strings.Contains(s, "*") {
		id, err := ParseID(s)
		if err != nil {
			return nil, err
		}
		return id, nil
	}
	domain, path, err := splitID(s)
	if err != nil {
		return nil, patternError(s, err)
	}
	prefix, ok := strings.CutSuffix(path, "*")
	if !ok || strings.Contains(prefix, "*") {
		return nil, patternError(s, errors.New(`"*" may only be the whole last segment`))
	}
	if prefix != "" {
		parent, ok := strings.CutSuffix(prefix, "/")
		if !ok {
			return nil, patternError(s, errors.New(`"*" must follow a slash; a prefix of a name is not a pattern`))
		}
		if err := checkPath(parent); err != nil {
			return nil, patternError(s, err)
		}
	}
	return TrustDomain{name: domain}.within(prefix), nil
}

func patternError(s string, err error) error {
	return fmt.Errorf("auth: ID pattern %s: %w", quote(s), err)
}

// subtree matches the IDs that begin with prefix, which ends in a slash.
type subtree struct {
	domain TrustDomain
	prefix string
}

func (t subtree) Matches(id ID) bool {
	return !t.domain.IsZero() && strings.HasPrefix(id.uri, t.prefix)
}

func (t subtree) String() string { return t.prefix + "*" }

func (t subtree) trustDomain() TrustDomain { return t.domain }

// ParsePeer reads what policies and configurations may write for a peer: what [ParsePattern] reads, or the bare name of a
// service of this trust domain ("orders").
func (d TrustDomain) ParsePeer(s string) (Pattern, error) {
	if strings.Contains(s, "://") {
		return ParsePattern(s)
	}
	if strings.Contains(s, "*") {
		return nil, patternError(s, errors.New("a pattern names its trust domain; write "+d.within("").String()))
	}
	id, err := d.ID(s)
	if err != nil {
		return nil, err
	}
	return id, nil
}

// overlap tells whether a workload can match both patterns.
func overlap(a, b Pattern) bool {
	if id, ok := a.(ID); ok {
		return b.Matches(id)
	}
	if id, ok := b.(ID); ok {
		return a.Matches(id)
	}
	x, okX := a.(subtree)
	y, okY := b.(subtree)
	return okX && okY && (strings.HasPrefix(x.prefix, y.prefix) || strings.HasPrefix(y.prefix, x.prefix))
}

func matchesAny(patterns []Pattern, id ID) bool {
	for _, p := range patterns {
		if p.Matches(id) {
			return true
		}
	}
	return false
}
