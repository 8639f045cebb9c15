package istio

import (
	"net/netip"
	"strings"

	"github.com/parley-rpc/parley/principal"
)

// matchKind is how a pattern is compared with a text.
type matchKind int

const (
	matchExact    matchKind = iota
	matchPrefix             // "abc*"
	matchSuffix             // "*abc"
	matchPresent            // "*": the text is not empty, and has no line break, which Istio's translation does not match
	matchAny                // the text is there, and may be empty
	matchTemplate           // a template of a path
	matchInside             // the text holds the pattern
	matchGlob               // "*" stands for any characters
	matchIDSuffix           // "*abc" of an ID, within what follows the scheme
)

// pattern is a pattern of Istio, compiled.
type pattern struct {
	kind matchKind
	text string
	fold bool // the text is lower case, and ASCII letters match in either case
}

// readPattern reads what Istio calls a string match: exact, prefix, suffix or presence. Of several asterisks only one
// at an end has a meaning.
func readPattern(value string) pattern {
	switch {
	case value == "*":
		return pattern{kind: matchPresent}
	case strings.HasPrefix(value, "*"):
		return pattern{kind: matchSuffix, text: value[1:]}
	case strings.HasSuffix(value, "*"):
		return pattern{kind: matchPrefix, text: value[:len(value)-1]}
	default:
		return pattern{kind: matchExact, text: value}
	}
}

// readHeaderPattern is readPattern for a header: presence also holds where the header is empty.
func readHeaderPattern(value string) pattern {
	if value == "*" {
		return pattern{kind: matchAny}
	}
	return readPattern(value)
}

// readPath is readPattern for a path, which may also be a template.
func readPath(value string) pattern {
	if isTemplate(value) {
		return pattern{kind: matchTemplate, text: value}
	}
	return readPattern(value)
}

// readHostPattern is readHeaderPattern without regard to case.
func readHostPattern(value string) pattern {
	p := readHeaderPattern(value)
	p.fold, p.text = true, lower(p.text)
	return p
}

// matches reports whether the text, which is there, fits the pattern.
func (p *pattern) matches(text string) bool {
	switch p.kind {
	case matchExact:
		return len(text) == len(p.text) && p.same(text, p.text)
	case matchPrefix:
		return len(text) >= len(p.text) && p.same(text[:len(p.text)], p.text)
	case matchSuffix:
		return len(text) >= len(p.text) && p.same(text[len(text)-len(p.text):], p.text)
	case matchPresent:
		return text != "" && !strings.Contains(text, "\n")
	case matchAny:
		return true
	case matchTemplate:
		return matchesTemplate(p.text, text)
	case matchInside:
		return strings.Contains(text, p.text)
	case matchGlob:
		return glob(p.text, text)
	case matchIDSuffix:
		return len(text) >= len(principal.Scheme)+len(p.text) && strings.HasSuffix(text, p.text)
	}
	return false
}

// same compares texts of one length.
func (p *pattern) same(text, own string) bool {
	if !p.fold {
		return text == own
	}
	for i := range len(text) {
		if lowerByte(text[i]) != own[i] {
			return false
		}
	}
	return true
}

func anyMatches(patterns []pattern, text string) bool {
	for i := range patterns {
		if patterns[i].matches(text) {
			return true
		}
	}
	return false
}

// lower writes ASCII letters in lower case, and leaves everything else as it is.
func lower(text string) string {
	b := []byte(text)
	for i := range b {
		b[i] = lowerByte(b[i])
	}
	return string(b)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// glob matches a whole text. An asterisk stands for any characters, including slashes.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, from := -1, 0 // the last asterisk, and where the text behind it begins
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// account is a service account of a namespace.
type account struct{ namespace, name string }

// matches finds, as Istio does, "/ns/<namespace>/" with "sa/<name>" behind it as whole segments of an ID, whatever
// stands before, between and behind them.
func (a *account) matches(id string) bool {
	const ns = "/ns/"
	rest, ok := strings.CutPrefix(id, principal.Scheme)
	if !ok || rest == "" {
		return false
	}
	for rest = rest[1:]; ; { // something stands before "/ns/"
		at := strings.Index(rest, ns)
		if at < 0 {
			return false
		}
		behind, ok := strings.CutPrefix(rest[at+len(ns):], a.namespace)
		if ok && behind != "" && behind[0] == '/' && a.inSegments(behind[1:]) {
			return true
		}
		rest = rest[at+1:]
	}
}

// inSegments reports whether "sa/<name>" begins one of the segments of a path.
func (a *account) inSegments(path string) bool {
	for at := 0; ; {
		if name, ok := strings.CutPrefix(path[at:], "sa/"); ok && at != 1 && a.begins(name) {
			return true
		}
		next := strings.IndexByte(path[at:], '/')
		if next < 0 {
			return false
		}
		at += next + 1
	}
}

// begins reports whether the name is the first segment of a path.
func (a *account) begins(path string) bool {
	behind, ok := strings.CutPrefix(path, a.name)
	return ok && (behind == "" || len(behind) > 1 && behind[0] == '/')
}

// userPattern is a pattern for "<issuer>/<subject>".
type userPattern struct{ issuer, subject pattern }

// readUserPattern takes a pattern apart as Istio does: at the last slash, because an issuer may be a URL.
func readUserPattern(value string) userPattern {
	cut := strings.LastIndexByte(value, '/')
	issuer, subject := value, ""
	if cut >= 0 {
		issuer, subject = value[:cut], value[cut+1:]
	}
	exact := func(text string) pattern { return pattern{kind: matchExact, text: text} }
	present := pattern{kind: matchPresent}
	switch {
	case value == "*":
		return userPattern{present, present}
	case strings.HasPrefix(value, "*") && cut < 0:
		return userPattern{present, pattern{kind: matchSuffix, text: value[1:]}}
	case strings.HasPrefix(value, "*") && issuer == "*":
		return userPattern{present, exact(subject)}
	case strings.HasPrefix(value, "*"):
		return userPattern{pattern{kind: matchSuffix, text: strings.TrimPrefix(issuer, "*")}, exact(subject)}
	case strings.HasSuffix(value, "*") && cut < 0:
		return userPattern{pattern{kind: matchPrefix, text: value[:len(value)-1]}, present}
	case strings.HasSuffix(value, "*") && subject == "*":
		return userPattern{exact(issuer), present}
	case strings.HasSuffix(value, "*"):
		return userPattern{exact(issuer), pattern{kind: matchPrefix, text: strings.TrimSuffix(subject, "*")}}
	default:
		return userPattern{exact(issuer), exact(subject)}
	}
}

// readPrefix reads an IP address or a CIDR block.
func readPrefix(value string) (netip.Prefix, bool) {
	if strings.Contains(value, "/") {
		p, err := netip.ParsePrefix(value)
		return p.Masked(), err == nil && !p.Addr().Is4In6()
	}
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func anyContains(blocks []netip.Prefix, address netip.Addr) bool {
	for i := range blocks {
		if blocks[i].Contains(address) {
			return true
		}
	}
	return false
}
