package istio

import (
	"slices"
	"strings"
)

// attribute is what a condition of an AuthorizationPolicy asks about.
type attribute int

const (
	attributeUnknown attribute = iota
	attributePrincipal
	attributeNamespace
	attributeTrustDomain
	attributeAccount
	attributeSourceIP
	attributeRemoteIP
	attributeDestinationIP
	attributePort
	attributeUser
	attributeClaim
	attributeHeader
	attributeHost
	attributeMethod // the HTTP method, which is POST for every call
	attributePath
	attributeSNI
	attributeFilter
	attributeInlineHeader
)

const (
	keyHeaders = "request.headers"
	keyInline  = "request.experimental.inline.headers"
	keyClaims  = "request.auth.claims"
	keyFilters = "experimental.envoy.filters."
)

// plainKeys are the keys of conditions that stand for themselves.
func plainKeys() map[string]attribute {
	return map[string]attribute{
		"source.ip":              attributeSourceIP,
		"remote.ip":              attributeRemoteIP,
		"source.namespace":       attributeNamespace,
		"source.principal":       attributePrincipal,
		"source.serviceAccount":  attributeAccount,
		"source.trustDomain":     attributeTrustDomain,
		"request.auth.principal": attributeUser,
		"request.auth.audiences": attributeClaim,
		"request.auth.presenter": attributeClaim,
		"destination.ip":         attributeDestinationIP,
		"destination.port":       attributePort,
		"connection.sni":         attributeSNI,
	}
}

// knownKeys lists the keys for people.
func knownKeys() []string {
	keys := []string{keyHeaders + "[...]", keyClaims + "[...]", keyFilters + "<name>[...]"}
	for key := range plainKeys() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// subject is what a condition is about: an attribute, and which header or claim.
type subject struct {
	attribute attribute
	header    string   // in lower case
	claim     []string // the path to the claim
}

// readKey reads the key of a condition, or says what is wrong with it.
func readKey(key string) (subject, string) {
	if of, ok := plainKeys()[key]; ok {
		switch key {
		case "request.auth.audiences":
			return subject{attribute: of, claim: []string{"aud"}}, ""
		case "request.auth.presenter":
			return subject{attribute: of, claim: []string{"azp"}}, ""
		}
		return subject{attribute: of}, ""
	}
	if rest, ok := strings.CutPrefix(key, keyHeaders); ok {
		name, ok := inBrackets(rest)
		if !ok {
			return subject{}, "want the name of a header in brackets, as in " + keyHeaders + "[x-tenant], got " + show(key)
		}
		return subjectOfHeader(lower(name)), ""
	}
	if rest, ok := strings.CutPrefix(key, keyClaims); ok {
		path, ok := claimPath(rest)
		if !ok {
			return subject{}, "want the name of a claim in brackets, as in " + keyClaims + "[group], got " + show(key)
		}
		return subject{attribute: attributeClaim, claim: path}, ""
	}
	switch {
	case strings.HasPrefix(key, keyFilters):
		return subject{attribute: attributeFilter}, ""
	case strings.HasPrefix(key, keyInline):
		return subject{attribute: attributeInlineHeader}, ""
	}
	return subject{}, "unknown attribute " + show(key) + meant(key, knownKeys())
}

// Headers that HTTP/2 itself makes.
const (
	headerAuthority = ":authority"
	headerMethod    = ":method"
	headerPath      = ":path"
)

// subjectOfHeader knows that HTTP/2 has another name for the header host.
func subjectOfHeader(name string) subject {
	if name == "host" {
		name = headerAuthority
	}
	return subject{attribute: attributeHeader, header: name}
}

func inBrackets(text string) (string, bool) {
	if len(text) < len("[x]") || text[0] != '[' || text[len(text)-1] != ']' {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// claimPath reads "[a][b]" as a path, and anything else in brackets as one name, as Istio does.
func claimPath(text string) ([]string, bool) {
	whole, ok := inBrackets(text)
	if !ok {
		return nil, false
	}
	var path []string
	for rest := text; rest != ""; {
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 || strings.IndexByte(rest[1:end], '[') >= 0 {
			return []string{whole}, true
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	return path, !slices.Contains(path, "")
}

// refusal says why nothing in this process can answer for the subject, or "".
func (s subject) refusal(w Workload) string {
	switch s.attribute {
	case attributeSNI:
		return "the server name of the TLS handshake is the sidecars' own, and without them it says nothing; " +
			"take the condition out"
	case attributeFilter:
		return "there is no Envoy whose filters could be asked; take the condition out"
	case attributeInlineHeader:
		return "it is an experiment of Istio's that this package does not know; ask for request.headers"
	case attributeRemoteIP:
		if !w.NoProxies {
			return "who the caller behind a proxy is stands in x-forwarded-for, which a caller can write itself; " +
				"set Workload.NoProxies if no proxy passes calls on, or ask for ipBlocks or source.ip"
		}
	case attributeHeader:
		return refusedHeader(s.header)
	case attributeUnknown, attributePrincipal, attributeNamespace, attributeTrustDomain, attributeAccount,
		attributeSourceIP, attributeDestinationIP, attributePort, attributeUser, attributeClaim, attributeHost,
		attributeMethod, attributePath:
	}
	return ""
}

// refusedHeader says why a header cannot be believed or seen, or "".
func refusedHeader(name string) string {
	switch {
	case slices.Contains([]string{
		"authorization", "parley-user-token", "txn-token",
	}, name) || strings.HasPrefix(name, "parley-"):
		return "credentials are taken out of the metadata before a policy is asked; ask for principals or requestPrincipals"
	case strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-envoy-") || name == "x-request-id":
		return "the sidecar wrote or checked this header, and without it a caller can write there what it likes; " +
			"take the condition out"
	case strings.HasSuffix(name, "-bin"):
		return "gRPC decodes binary metadata, so that its text cannot be compared as Envoy does; take the condition out"
	case strings.HasPrefix(name, ":") && !slices.Contains([]string{headerAuthority, headerMethod, headerPath}, name):
		return "this part of a request is not known here; ask for hosts, methods or paths"
	case strings.HasPrefix(name, "grpc-") || slices.Contains([]string{"te", "connection"}, name):
		return "gRPC keeps this header to itself; take the condition out"
	}
	return ""
}
