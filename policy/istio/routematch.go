package istio

import (
	"cmp"
	"regexp"
	"strings"

	networkingv1 "istio.io/api/networking/v1alpha3"
)

// routeMatch is one match of a route: all of it must hold for a call to take the route.
type routeMatch struct {
	path      pathMatch
	authority textMatch
	port      uint32 // 0 for any
	// Unknown says that the match also asks for what is not known before a call, such as a header. A call is never said
	// to fit it.
	unknown bool
	headers int // how many, by which routes of the Gateway API are ranked
	posts   bool
}

// fits reports whether every call of a method to a host takes the route by this match.
func (m *routeMatch) fits(h meshHost, method string) bool {
	return !m.unknown && m.mayFit(h, method)
}

// mayFit reports whether a call of a method to a host may take the route by this match.
func (m *routeMatch) mayFit(h meshHost, method string) bool {
	portFits := m.port == 0 || m.port == h.port
	return portFits && m.path.matches(method) && m.authority.matches(h.text)
}

// isGeneral reports whether every call fits the match.
func (m *routeMatch) isGeneral() bool {
	return !m.unknown && m.port == 0 && m.path.isGeneral() && m.authority.kind == textAny
}

// textKind is how a text is compared.
type textKind int

const (
	textAny textKind = iota // every text matches
	textExact
	textPrefix
	textSegments // a prefix that ends at a slash, or with the text
	textRegex    // of the whole text
)

// textMatch compares a text.
type textMatch struct {
	kind    textKind
	text    string
	regex   *regexp.Regexp
	anyCase bool
}

// pathMatch compares the path of a call, which is the full name of its method.
type pathMatch = textMatch

func (m *textMatch) matches(text string) bool {
	want := m.text
	if m.anyCase && m.kind != textRegex {
		want, text = strings.ToLower(want), strings.ToLower(text)
	}
	switch m.kind {
	case textExact:
		return text == want
	case textPrefix:
		return strings.HasPrefix(text, want)
	case textSegments:
		rest, ok := strings.CutPrefix(text, want)
		return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(want, "/"))
	case textRegex:
		return m.regex != nil && m.regex.MatchString(text)
	case textAny:
	}
	return true
}

// isGeneral reports whether every path matches.
func (m *textMatch) isGeneral() bool {
	prefix := m.kind == textPrefix || m.kind == textSegments
	return m.kind == textAny || prefix && (m.text == "" || m.text == "/")
}

// rank orders the paths of the Gateway API: exact ones before prefixes before expressions, and longer ones first.
func (m *routeMatch) rank(other *routeMatch) int {
	order := [...]int{textAny: 0, textRegex: 1, textPrefix: 2, textSegments: 2, textExact: 3}
	posts := func(m *routeMatch) int {
		if m.posts {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(order[other.path.kind], order[m.path.kind]),
		cmp.Compare(len(other.path.text), len(m.path.text)),
		cmp.Compare(posts(other), posts(m)),
		cmp.Compare(other.headers, m.headers),
	)
}

// stringMatch reads a StringMatch. One that states nothing matches everything.
func (t *traffic) stringMatch(o *object, path string, m *networkingv1.StringMatch) textMatch {
	switch match := m.GetMatchType().(type) {
	case *networkingv1.StringMatch_Exact:
		return textMatch{kind: textExact, text: match.Exact}
	case *networkingv1.StringMatch_Prefix:
		return textMatch{kind: textPrefix, text: match.Prefix}
	case *networkingv1.StringMatch_Regex:
		return t.regex(o, path+".regex", match.Regex)
	}
	return textMatch{}
}

// regex reads an expression of RE2, which matches whole texts.
func (t *traffic) regex(o *object, path, text string) textMatch {
	match := textMatch{kind: textRegex, text: text}
	if _, err := regexp.Compile(text); err != nil || len(text) > maxExpression {
		o.wrongAt(path, "%s is no regular expression of RE2 of up to %d bytes; correct it", show(text), maxExpression)
		return match
	}
	match.regex = regexp.MustCompile(`^(?:` + text + `)$`)
	return match
}
