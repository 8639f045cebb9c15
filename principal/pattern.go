package principal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
)

// Pattern is a set of workloads: one [ID], every ID below a segment of a path, or all that a [Template] can make. The
// trust domain of a pattern is always literal. Only this package makes patterns: an ID is one, [ParsePattern],
// [TrustDomain.Pattern] and [ParseTemplate] return the others.
type Pattern interface {
	// Matches reports whether the workload belongs to the set.
	Matches(ID) bool
	// Overlaps reports whether one workload can belong to both sets.
	Overlaps(Pattern) bool
	// TrustDomain is the trust domain of all of its workloads.
	TrustDomain() TrustDomain
	// String is the text that ParsePattern or ParseTemplate reads.
	String() string

	isPattern()
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

// IsPattern reports whether p can match a workload: it is neither nil nor the zero value of a type.
func IsPattern(p Pattern) bool {
	id, pointer := p.(*ID)
	return p != nil && (!pointer || id != nil) && !p.TrustDomain().IsZero()
}

func patternError(s string, err error) error {
	return fmt.Errorf("principal: ID pattern %s: %w", quote.Text(s), err)
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

func (t subtree) TrustDomain() TrustDomain { return t.domain }

func (t subtree) Overlaps(other Pattern) bool {
	switch p := other.(type) {
	case ID:
		return t.Matches(p)
	case subtree:
		return strings.HasPrefix(t.prefix, p.prefix) || strings.HasPrefix(p.prefix, t.prefix)
	case besideSubtrees:
		return p.overlapsSubtree(t.domain, t.prefix)
	default:
		return false
	}
}

func (subtree) isPattern() {}

// besideSubtrees is a pattern of another kind that knows its overlap with a subtree.
type besideSubtrees interface {
	overlapsSubtree(domain TrustDomain, prefix string) bool
}

// ParsePeer parses a peer of a policy or configuration: the forms of [ParsePattern], or the name of a service in this
// trust domain ("orders").
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

// MatchesAny reports whether one of the patterns matches the workload.
func MatchesAny(patterns []Pattern, id ID) bool {
	for _, p := range patterns {
		if p.Matches(id) {
			return true
		}
	}
	return false
}
