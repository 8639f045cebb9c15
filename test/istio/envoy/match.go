package envoy

import (
	"net/netip"
	"regexp"
	"strings"

	corepb "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routepb "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherpb "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// text matches a string. A regular expression is RE2's and matches the whole of it, and its dot no line break.
func (e *evaluation) text(m *matcherpb.StringMatcher, text string) bool {
	fold := func(s string) string {
		if m.GetIgnoreCase() {
			return lower(s)
		}
		return s
	}
	switch of := m.GetMatchPattern().(type) {
	case *matcherpb.StringMatcher_Exact:
		return fold(text) == fold(of.Exact)
	case *matcherpb.StringMatcher_Prefix:
		if of.Prefix == "" {
			return e.unknown("empty prefix", m)
		}
		return strings.HasPrefix(fold(text), fold(of.Prefix))
	case *matcherpb.StringMatcher_Suffix:
		if of.Suffix == "" {
			return e.unknown("empty suffix", m)
		}
		return strings.HasSuffix(fold(text), fold(of.Suffix))
	case *matcherpb.StringMatcher_Contains:
		return strings.Contains(fold(text), fold(of.Contains))
	case *matcherpb.StringMatcher_SafeRegex:
		if m.GetIgnoreCase() {
			return e.unknown("regular expression", m) // for which Envoy does not heed the flag
		}
		expression, err := e.compiled(of.SafeRegex.GetRegex())
		if err != nil {
			return e.unknown("regular expression", m)
		}
		return expression.MatchString(text)
	}
	return e.unknown("matcher of a string", m)
}

// lower writes ASCII letters in lower case.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func (all *Evaluator) compiled(text string) (*regexp.Regexp, error) {
	if known := all.expressions[text]; known != nil {
		return known, nil
	}
	expression, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err == nil {
		if all.expressions == nil {
			all.expressions = map[string]*regexp.Regexp{}
		}
		all.expressions[text] = expression
	}
	return expression, err
}

// header matches a header. A missing one matches nothing.
func (e *evaluation) header(m *routepb.HeaderMatcher) bool {
	if m.GetInvertMatch() || m.GetTreatMissingHeaderAsEmpty() {
		return e.unknown("flag of a header", m)
	}
	value, ok := e.request.header(m.GetName())
	switch of := m.GetHeaderMatchSpecifier().(type) {
	case *routepb.HeaderMatcher_PresentMatch:
		return ok == of.PresentMatch
	case *routepb.HeaderMatcher_StringMatch:
		return e.text(of.StringMatch, value) && ok
	}
	return e.unknown("matcher of a header", m)
}

// template matches a path by a URI template, in which * is one segment and ** any number of them.
func (e *evaluation) template(template, path string) bool {
	const literal = `[a-zA-Z0-9\-._~%!$&'()+,;:@=`
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		switch segment {
		case "*":
			segments[i] = literal + "]+"
		case "**":
			segments[i] = literal + "/]*"
		default:
			segments[i] = regexp.QuoteMeta(segment)
		}
	}
	expression, err := e.compiled(strings.Join(segments, "/"))
	return err == nil && expression.MatchString(path)
}

// block reports whether an address lies in a block. IPv4 and IPv6 are strangers.
func (e *evaluation) block(m *corepb.CidrRange, address netip.Addr) bool {
	first, err := netip.ParseAddr(m.GetAddressPrefix())
	if err != nil || m.GetPrefixLen() == nil {
		return e.unknown("block of addresses", m)
	}
	return netip.PrefixFrom(first, int(m.GetPrefixLen().GetValue())).Contains(address.Unmap())
}

// metadata matches a claim of the token.
func (e *evaluation) metadata(m *matcherpb.MetadataMatcher) bool {
	if m.GetFilter() != "envoy.filters.http.jwt_authn" || m.GetInvert() || m.GetPath()[0].GetKey() != "payload" {
		return e.unknown("metadata", m)
	}
	var found any = e.request.Claims
	if e.request.Claims == nil {
		found = nil
	}
	for _, segment := range m.GetPath()[1:] {
		object, ok := found.(map[string]any)
		if !ok {
			return false
		}
		if found, ok = object[segment.GetKey()]; !ok {
			return false
		}
	}
	return e.value(m.GetValue(), found)
}

func (e *evaluation) value(m *matcherpb.ValueMatcher, value any) bool {
	switch of := m.GetMatchPattern().(type) {
	case *matcherpb.ValueMatcher_StringMatch:
		text, ok := value.(string)
		return ok && e.text(of.StringMatch, text)
	case *matcherpb.ValueMatcher_ListMatch:
		list, _ := value.([]any)
		for _, item := range list {
			if e.value(of.ListMatch.GetOneOf(), item) {
				return true
			}
		}
		return false
	case *matcherpb.ValueMatcher_OrMatch:
		for _, one := range of.OrMatch.GetValueMatchers() {
			if e.value(one, value) {
				return true
			}
		}
		return false
	}
	return e.unknown("matcher of a value", m)
}
