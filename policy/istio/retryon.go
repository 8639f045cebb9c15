package istio

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
)

// defaultRetryOn is what Istio retries where retries are stated and retryOn is not.
const defaultRetryOn = "connect-failure,refused-stream,unavailable,cancelled"

// retryConditions are the words of retryOn, and the status by which a client of gRPC sees what each of them is about. A
// broken connection, a refused stream and what a proxy answers in the place of the service are UNAVAILABLE to it. OK
// stands for words about something that gRPC has not.
func retryConditions() map[string]codes.Code {
	return map[string]codes.Code{
		"cancelled":                  codes.Canceled,
		"deadline-exceeded":          codes.DeadlineExceeded,
		"internal":                   codes.Internal,
		"resource-exhausted":         codes.ResourceExhausted,
		"unavailable":                codes.Unavailable,
		"5xx":                        codes.Unavailable,
		"gateway-error":              codes.Unavailable,
		"reset":                      codes.Unavailable,
		"reset-before-request":       codes.Unavailable,
		"connect-failure":            codes.Unavailable,
		"refused-stream":             codes.Unavailable,
		"retriable-status-codes":     codes.OK,
		"retriable-4xx":              codes.OK,
		"retriable-headers":          codes.OK,
		"envoy-ratelimited":          codes.OK,
		"http3-post-connect-failure": codes.OK,
	}
}

// retryOn is what a list of conditions means here.
type retryOn struct {
	codes   []codes.Code // sorted
	ignored []string     // conditions that gRPC has not
	unknown []string     // which Istio refuses
}

// readRetryOn reads "unavailable,503". As in Istio, numbers are HTTP status codes.
func readRetryOn(text string) retryOn {
	var on retryOn
	known := retryConditions()
	for word := range strings.SplitSeq(text, ",") {
		status, err := strconv.Atoi(word)
		isStatus := err == nil && http.StatusText(status) != ""
		code, isWord := known[word]
		switch {
		case isStatus:
			code = codeOfStatus(status)
		case !isWord:
			on.unknown = append(on.unknown, word)
			continue
		}
		if code == codes.OK {
			if word != "retriable-status-codes" { // the numbers beside it say which
				on.ignored = append(on.ignored, word)
			}
			continue
		}
		on.codes = append(on.codes, code)
	}
	slices.Sort(on.codes)
	on.codes = slices.Compact(on.codes)
	return on
}

// codeOfStatus is the code that a client of gRPC makes of an answer that is no gRPC (doc/http-grpc-status-mapping.md of
// grpc/grpc), where it is one that a retry can mend, and OK otherwise.
func codeOfStatus(status int) codes.Code {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	default:
		return codes.OK
	}
}

// words lists the conditions for people.
func words() []string {
	var all []string
	for word := range retryConditions() {
		all = append(all, word)
	}
	return all
}
