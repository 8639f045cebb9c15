package istio

import "strings"

// Path templates: "{*}" is one segment of a path, "{**}" any number of characters, also slashes. Behind "{**}" only
// literal text follows.

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
	open := false // whether {**} has come
	for i, part := range parts {
		switch {
		case open && (part == allSegments || part == oneSegment):
			return "behind " + allSegments + " neither " + oneSegment + " nor " + allSegments + " can follow"
		case part == oneSegment || part == allSegments:
			open = part == allSegments
		case strings.ContainsAny(part, "*{}"):
			return "beside " + oneSegment + " and " + allSegments +
				" as whole segments there are neither asterisks nor braces in a template"
		case part == "" && i != len(parts)-1:
			return "a segment is empty"
		case strings.ContainsFunc(part, isForeign):
			return "a segment has a character that no path has, such as a blank or a question mark"
		}
	}
	return ""
}

// matchesTemplate reports whether a path fits a template without mistakes.
func matchesTemplate(template, path string) bool {
	template = strings.TrimPrefix(template, "/")
	path, ok := strings.CutPrefix(path, "/")
	for ok {
		part, parts, moreParts := strings.Cut(template, "/")
		if part == allSegments {
			middle, ends := strings.CutSuffix(path, template[len(allSegments):])
			return ends && !strings.ContainsFunc(middle, func(r rune) bool { return r != '/' && isForeign(r) })
		}
		segment, segments, moreSegments := strings.Cut(path, "/")
		switch {
		case part != oneSegment && part != segment, moreParts != moreSegments:
			return false
		case part == oneSegment && (segment == "" || strings.ContainsFunc(segment, isForeign)):
			return false
		case !moreParts:
			return true
		}
		template, path = parts, segments
	}
	return false
}

// isForeign reports whether Envoy's templates do not match a character in a segment.
func isForeign(r rune) bool {
	alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !alphanumeric && !strings.ContainsRune("-._~%!$&'()+,;:@=", r)
}
