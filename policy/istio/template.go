package istio

import (
	"slices"
	"strings"
)

// Path templates: "{*}" is one segment of a path, "{**}" any number of characters at its end.

const (
	oneSegment  = "{*}"
	allSegments = "{**}"
)

// isTemplate reports whether a path is a template.
func isTemplate(path string) bool {
	return strings.Contains(path, oneSegment) || strings.Contains(path, allSegments)
}

// checkTemplate says what is wrong with a template, or "".
func checkTemplate(path string) string {
	segments, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "a template begins with a slash"
	}
	parts := strings.Split(segments, "/")
	for i, part := range parts {
		switch {
		case part == allSegments && i != len(parts)-1:
			return allSegments + " stands at the end and nowhere else"
		case part == oneSegment || part == allSegments:
		case strings.ContainsAny(part, "*{}"):
			return "beside " + oneSegment + " and " + allSegments +
				" as whole segments there are neither asterisks nor braces in a template"
		case part == "" && i != len(parts)-1:
			return "a segment is empty"
		}
	}
	return ""
}

// matchesTemplate reports whether a path fits a template without mistakes.
func matchesTemplate(template, path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	parts, segments := strings.Split(template[1:], "/"), strings.Split(path[1:], "/")
	for i, part := range parts {
		switch {
		case part == allSegments:
			return i < len(segments) && !slices.ContainsFunc(segments[i:], hasForeign)
		case i >= len(segments):
			return false
		case part == oneSegment && (segments[i] == "" || hasForeign(segments[i])):
			return false
		case part != oneSegment && part != segments[i]:
			return false
		}
	}
	return len(parts) == len(segments)
}

// hasForeign reports whether a segment has a character that Envoy's templates do not match.
func hasForeign(segment string) bool {
	return strings.ContainsFunc(segment, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("-._~%!$&'()+,;:@=", r)
	})
}
