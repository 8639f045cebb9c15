package jose

import "fmt"

// Reason says why a token or a key was refused. It is for logs and metrics of this process: no reason may reach the
// peer, because it would tell a forger which check comes next. A Reason is an error so that errors.Is can match it.
type Reason string

// The closed set of reasons.
const (
	// ReasonSize is a token or key beyond its length limit.
	ReasonSize Reason = "size"
	// ReasonSegments is a token that does not have exactly three non-empty segments.
	ReasonSegments Reason = "segments"
	// ReasonEncoding is a segment that is not strict base64url.
	ReasonEncoding Reason = "encoding"
	// ReasonHeader is a header that is not a strict JSON object of exactly the strings alg, kid and typ.
	ReasonHeader Reason = "header"
	// ReasonAlgorithm is an unknown algorithm or one that is not the key's.
	ReasonAlgorithm Reason = "algorithm"
	// ReasonKeyID is an unusable key ID or one that is not the key's.
	ReasonKeyID Reason = "kid"
	// ReasonType is a token type that is not allowed in this place.
	ReasonType Reason = "typ"
	// ReasonSignature is a signature that does not hold.
	ReasonSignature Reason = "signature"
	// ReasonClaims is a payload that is not a strict JSON object, or a claim of the wrong form.
	ReasonClaims Reason = "claims"
	// ReasonKey is a key that is malformed, weak or of a kind that is not supported.
	ReasonKey Reason = "key"
	// ReasonSecret is secret material where only a public key belongs. It deserves an alarm.
	ReasonSecret Reason = "secret"
)

func (r Reason) Error() string { return "jose: " + string(r) }

// Error is a refusal. Its text never repeats any part of a token or of a secret.
type Error struct {
	// Reason is what errors.Is matches.
	Reason Reason
	// Detail says what is wrong and, for keys, what to do about it. May be empty.
	Detail string
	// Cause is the error below, often a [*strictjson.SyntaxError]. May be nil.
	Cause error

	remedy fmt.Stringer // nil without one. A set may have 100,000 bad keys, and the text of few is shown
}

// Error is the full text.
func (e *Error) Error() string {
	text := e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.remedy != nil {
		text += "; " + e.remedy.String()
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the error's reason.
func (e *Error) Is(target error) bool {
	reason, ok := target.(Reason)
	return ok && reason == e.Reason
}

func refuse(reason Reason, detail string) *Error { return &Error{Reason: reason, Detail: detail} }
