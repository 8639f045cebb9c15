package principal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// claimPath says where a claim stands. It is written as the names that lead to it with ">" between them, or with dots,
// which can then be parts of a name: kubernetes.io.namespace is the member namespace of kubernetes.io as well as of io
// in kubernetes. A token must have the claim in exactly one of these places.
type claimPath struct {
	text   string
	places [][]string
}

func parseClaimPath(text string) (claimPath, error) {
	switch {
	case text == "":
		return claimPath{}, errors.New("it is empty; name a claim")
	case len(text) > maxClaimPathLength:
		return claimPath{}, fmt.Errorf("it is longer than %d bytes", maxClaimPathLength)
	case strings.ContainsFunc(text, notInClaimPath):
		return claimPath{}, errors.New(
			"it has a character that names of claims must not have here: a space, a star, a brace, or one that is not ASCII")
	}
	path := claimPath{text: text}
	if strings.Contains(text, ">") {
		path.places = [][]string{strings.Split(text, ">")}
	} else if parts := strings.Split(text, "."); len(parts)-1 <= maxClaimPathDots {
		path.places = groupings(parts)
	} else {
		return claimPath{}, fmt.Errorf(`it has more than %d dots; write ">" between the names`, maxClaimPathDots)
	}
	for _, names := range path.places {
		if len(names) > maxClaimDepth {
			return claimPath{}, fmt.Errorf("it has %d names; claims are looked for at most %d deep", len(names), maxClaimDepth)
		}
		for _, name := range names {
			if strings.Trim(name, ".") == "" {
				return claimPath{}, errors.New("one of its names is empty")
			}
		}
	}
	return path, nil
}

// overlaps reports whether both may find a claim in one place.
func (p claimPath) overlaps(q claimPath) bool {
	return slices.ContainsFunc(p.places, func(place []string) bool {
		return slices.ContainsFunc(q.places, func(other []string) bool { return slices.Equal(place, other) })
	})
}

func notInClaimPath(c rune) bool { return c <= ' ' || c > '~' || c == '*' || c == '{' || c == '}' }

// groupings are all the ways to make names of parts, with dots between those that become one.
func groupings(parts []string) [][]string {
	if len(parts) == 1 {
		return [][]string{parts}
	}
	var all [][]string
	for _, rest := range groupings(parts[1:]) {
		all = append(all, append([]string{parts[0]}, rest...))
		joined := append([]string{parts[0] + "." + rest[0]}, rest[1:]...)
		all = append(all, joined)
	}
	return all
}

// find returns the claim, which must be a string. The error says nothing of what the token holds.
func (p claimPath) find(claims Claims) (string, error) {
	var place []string
	otherwise := false // whether another reading finds null, or no object above
	for _, names := range p.places {
		switch found := claims.Lookup(names); {
		case !found.Exists():
			otherwise = otherwise || found.IsNull() || blocked(claims, names)
		case place != nil:
			return "", fmt.Errorf(`claim %s is in two places of the token; write ">" between its names`, p.text)
		default:
			place = names
		}
	}
	if place == nil {
		return "", fmt.Errorf("claim %s is missing", p.text)
	}
	if otherwise {
		return "", fmt.Errorf(`claim %s is null, or below a claim that is no object, in a second place of the token; `+
			`write ">" between its names`, p.text)
	}
	text, ok := claims.String(place...)
	if !ok {
		return "", fmt.Errorf("claim %s is no string", p.text)
	}
	return text, nil
}

// blocked reports whether a claim above a place is there and is no object.
func blocked(claims Claims, names []string) bool {
	for above := 1; above < len(names); above++ {
		if parent := claims.Lookup(names[:above]); parent.IsNull() || parent.Exists() && !parent.IsObject() {
			return true
		}
	}
	return false
}
