// Package envoy judges requests by Envoy's RBAC filters, slowly and by the letter of Envoy's matchers, so that Istio's
// translation of policies can be compared with Parley's reading of them. What it does not know is an error: a matcher
// that it skipped would hide a difference.
package envoy

import (
	"net/netip"
	"slices"
	"strings"
)

// Request is what the filters can ask of a request and its connection.
type Request struct {
	// Peer is the URI SAN of the client's certificate, "" for a client without one.
	Peer string
	// Path and Method are those of HTTP.
	Path, Method string
	// Headers are the others, by their names in lower case.
	Headers map[string][]string
	// Remote is the address of the connection's other end, and of the client, since no proxy passes calls on.
	Remote netip.Addr
	// Local is the address that the client has connected to.
	Local netip.AddrPort
	// Claims are those of the verified token, nil without one.
	Claims map[string]any
}

// header returns all values of a header as one text. Envoy puts commas between them, and knows the header host by its
// name in HTTP/2.
func (r *Request) header(name string) (string, bool) {
	switch name = strings.ToLower(name); name {
	case ":path":
		return r.Path, true
	case ":method":
		return r.Method, true
	case "host":
		name = ":authority"
	}
	values, ok := r.Headers[name]
	return strings.Join(values, ","), ok
}

// path is the path without query and fragment.
func (r *Request) path() string {
	if end := strings.IndexAny(r.Path, "?#"); end >= 0 {
		return r.Path[:end]
	}
	return r.Path
}

// Payload returns the claims as the filter for tokens keeps them in the metadata of the request: claims of the names in
// words that are strings become the lists of their words.
func Payload(claims map[string]any, words ...string) map[string]any {
	payload := map[string]any{}
	for name, value := range claims {
		if text, ok := value.(string); ok && slices.Contains(words, name) {
			var list []any
			for word := range strings.SplitSeq(text, " ") {
				if word != "" {
					list = append(list, word)
				}
			}
			if list != nil { // a text without words stays as it is
				value = list
			}
		}
		payload[name] = value
	}
	return payload
}
