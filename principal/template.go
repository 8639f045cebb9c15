package principal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
)

// Template makes IDs of the claims of a token: in spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{sub} the
// braces name claims. Make one with [ParseTemplate]. As a [Pattern] it is the set of all IDs that it can make.
type Template struct {
	text     string
	domain   TrustDomain
	segments []segment
}

// segment is one segment of the path of a template: literal, or with one claim in it.
type segment struct {
	prefix, suffix string // of a literal segment, prefix is all of it
	claim          *claimPath
}

// ParseTemplate reads a template: an ID in which a segment of the path may have one claim in braces. Text around the
// braces stays as it is. A claim is written as the names that lead to it, with ">" between them
// ({kubernetes.io>namespace}); with dots between them, every reading of the dots is tried, and a token that has the
// claim in more than one place is refused. The trust domain is literal, and there is at least one claim.
//
// Two claims of one segment are a mistake: different values could make one ID.
func ParseTemplate(s string) (*Template, error) {
	t, err := parseTemplate(s)
	if err != nil {
		return nil, fmt.Errorf("principal: template %s: %w", quote.Text(s), err)
	}
	return t, nil
}

func parseTemplate(s string) (*Template, error) {
	rest, _ := strings.CutPrefix(s, Scheme)
	if domain, _, _ := strings.Cut(rest, "/"); rest != s && strings.Contains(domain, "{") {
		return nil, errors.New("its trust domain is a claim, so that the issuer could name workloads of any; " +
			"write the trust domain out, and put claims behind it, as in spiffe://shop.example/{azp}")
	}
	domain, path, err := splitID(s)
	if err != nil {
		return nil, err
	}
	t := &Template{text: s, domain: TrustDomain{name: domain}}
	open := false
	for path != "" {
		text := nextSegment(path)
		path = path[len(text):]
		if path != "" {
			if path = path[1:]; path == "" {
				return nil, errors.New("it ends in a slash")
			}
		}
		part, err := parseSegment(text)
		if err != nil {
			return nil, err
		}
		open = open || part.claim != nil
		t.segments = append(t.segments, part)
	}
	switch {
	case len(t.segments) == 0:
		return nil, errors.New("it names no service after the trust domain")
	case !open:
		return nil, errors.New("it has no claim in braces, so every token would name one workload")
	}
	return t, nil
}

// nextSegment cuts the first segment off a path. Slashes in braces are parts of the names of claims.
func nextSegment(path string) string {
	inBraces := false
	for i := range len(path) {
		switch path[i] {
		case '{':
			inBraces = true
		case '}':
			inBraces = false
		case '/':
			if !inBraces {
				return path[:i]
			}
		}
	}
	return path
}

func parseSegment(text string) (segment, error) {
	prefix, rest, open := strings.Cut(text, "{")
	if !open {
		return segment{prefix: text}, checkPath(text)
	}
	name, suffix, closed := strings.Cut(rest, "}")
	switch {
	case !closed:
		return segment{}, fmt.Errorf("segment %s has a brace that nothing closes", quote.Text(text))
	case strings.Contains(suffix, "{"):
		return segment{}, fmt.Errorf(
			"segment %s has two claims, so that different values could make one ID; put a slash between them", quote.Text(text))
	case strings.ContainsFunc(prefix+suffix, notInID):
		return segment{}, fmt.Errorf("segment %s has a byte that is not one of A-Z a-z 0-9 . _ -", quote.Text(text))
	}
	claim, err := parseClaimPath(name)
	if err != nil {
		return segment{}, fmt.Errorf("claim %s: %w", quote.Text(name), err)
	}
	return segment{prefix, suffix, &claim}, nil
}

func notInID(c rune) bool {
	if c > '~' {
		return true
	}
	b := byte(c) //nolint:gosec // one of ASCII
	return !isLower(b) && !isUpper(b) && !isDigit(b) && b != '.' && b != '-' && b != '_'
}

// ID is the workload that a token with these claims names. Every value stands for a part of one segment as it is: one
// that is missing, no string, empty, "." or "..", or has other characters than IDs have, is an error and never changed
// or left out. The error says nothing of what the token holds.
func (t *Template) ID(claims Claims) (ID, error) {
	var path strings.Builder
	path.WriteString(Scheme)
	path.WriteString(t.domain.name)
	for _, part := range t.segments {
		path.WriteByte('/')
		path.WriteString(part.prefix)
		if part.claim == nil {
			continue
		}
		value, err := part.claim.find(claims)
		if err == nil && !fillsSegment(value) {
			err = fmt.Errorf("claim %s cannot be a part of an ID: that is A-Z a-z 0-9 . _ - and not dots alone", part.claim.text)
		}
		if err != nil {
			return ID{}, err
		}
		path.WriteString(value)
		path.WriteString(part.suffix)
	}
	id, err := ParseID(path.String())
	if err != nil || !t.Matches(id) {
		return ID{}, fmt.Errorf("the claims make no ID by the template %s", t.text)
	}
	return id, nil
}

// fillsSegment reports whether a value may stand in a segment.
func fillsSegment(value string) bool {
	return strings.Trim(value, ".") != "" && !strings.ContainsFunc(value, notInID)
}

// String is the text that ParseTemplate reads.
func (t *Template) String() string { return t.text }

// TrustDomain is that of every ID that the template makes.
func (t *Template) TrustDomain() TrustDomain {
	if t == nil {
		return TrustDomain{}
	}
	return t.domain
}

// Matches reports whether the template can make the ID.
func (t *Template) Matches(id ID) bool {
	if t == nil || id.TrustDomain() != t.domain || t.domain.IsZero() {
		return false
	}
	path := id.Service()
	for i, part := range t.segments {
		text, rest, more := strings.Cut(path, "/")
		if !part.matches(text) || more == (i == len(t.segments)-1) {
			return false
		}
		path = rest
	}
	return true
}

func (s segment) matches(text string) bool {
	if s.claim == nil {
		return text == s.prefix
	}
	value, ok := strings.CutPrefix(text, s.prefix)
	if !ok {
		return false
	}
	value, ok = strings.CutSuffix(value, s.suffix)
	return ok && fillsSegment(value)
}

// overlaps reports whether one text can stand in both segments. Where both have a claim, a text that has the longer
// prefix and the longer suffix with a letter between them does.
func (s segment) overlaps(other segment) bool {
	switch {
	case s.claim == nil:
		return other.matches(s.prefix)
	case other.claim == nil:
		return s.matches(other.prefix)
	}
	return (strings.HasPrefix(s.prefix, other.prefix) || strings.HasPrefix(other.prefix, s.prefix)) &&
		(strings.HasSuffix(s.suffix, other.suffix) || strings.HasSuffix(other.suffix, s.suffix))
}

// Overlaps reports whether the pattern matches an ID that the template can make.
func (t *Template) Overlaps(p Pattern) bool {
	switch other := p.(type) {
	case *Template:
		return other.TrustDomain() == t.TrustDomain() && !t.TrustDomain().IsZero() &&
			len(t.segments) == len(other.segments) && overlapAll(t.segments, other.segments)
	case subtree:
		return t.overlapsSubtree(other.domain, other.prefix)
	default:
		return IsPattern(p) && p.Overlaps(t) // an ID
	}
}

// overlapsSubtree reports whether the template can make an ID of the trust domain that begins with prefix, which ends
// in a slash.
func (t *Template) overlapsSubtree(domain TrustDomain, prefix string) bool {
	if domain != t.TrustDomain() || domain.IsZero() {
		return false
	}
	var above []segment
	for path := strings.TrimPrefix(prefix, Scheme+domain.name+"/"); path != ""; {
		text, rest, _ := strings.Cut(path, "/")
		above, path = append(above, segment{prefix: text}), rest
	}
	return len(above) < len(t.segments) && overlapAll(t.segments[:len(above)], above)
}

func overlapAll(a, b []segment) bool {
	for i := range a {
		if !a[i].overlaps(b[i]) {
			return false
		}
	}
	return true
}

func (*Template) isPattern() {}
