// Package export writes effective policies in the formats of others: as a gRPC service config for clients in other
// languages, and as objects of Istio. What a format cannot say is listed with its place. What Istio would let through
// and the policy does not is an error.
package export

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/policy"
)

// Note is a value that a format cannot say, or says otherwise.
type Note struct {
	// Method is the full name of the method.
	Method string
	// Field is the field of the policy: "retry.per_attempt_timeout".
	Field string
	// Text says what happens to it.
	Text string
	// Source is where the value is stated.
	Source policy.Source
}

// String is "/pkg.Service/Method: field: text (source)".
func (n Note) String() string {
	text := n.Method + ": " + n.Field + ": " + n.Text
	if n.Source.Kind == policy.KindUnset {
		return text
	}
	return text + " (" + n.Source.String() + ")"
}

// The defaults of the retrier, which fill in what a policy leaves open.
const (
	usualAttempts       = 3
	usualInitialBackoff = 50 * time.Millisecond
	usualMaxBackoff     = time.Second
)

// attempts is how a method is tried again.
type attempts struct {
	count               int // 1 for no retry
	initial, max, limit time.Duration
	codes               []codes.Code
}

// writer collects notes.
type writer struct{ notes []Note }

func (w *writer) note(m *policy.Method, field string, source policy.Source, format string, args ...any) {
	w.notes = append(w.notes, Note{m.Name, field, fmt.Sprintf(format, args...), source})
}

// attemptsOf is how the retrier would try a method again, as far as status codes of which a format has words decide.
// Only a method that may be repeated is.
func (w *writer) attemptsOf(m *policy.Method, sayable []codes.Code) attempts {
	a := attempts{
		count:   stated(m.Retry.MaxAttempts, usualAttempts),
		initial: stated(m.Retry.InitialBackoff, usualInitialBackoff),
		limit:   stated(m.Retry.PerAttemptTimeout, 0),
	}
	a.max = stated(m.Retry.MaxBackoff, max(usualMaxBackoff, a.initial))
	a.initial = min(a.initial, a.max)
	for _, code := range stated(m.Retry.Codes, []codes.Code{codes.Unavailable, codes.ResourceExhausted}) {
		if slices.Contains(sayable, code) {
			a.codes = append(a.codes, code)
		} else {
			w.note(m, "retry.codes", m.Retry.Codes.Source, "%s cannot be said; it is not retried", codeName(code))
		}
	}
	if m.Hedge.MaxHedges.Value > 0 {
		w.note(m, "hedge", m.Hedge.MaxHedges.Source, "hedges cannot be said; a slow call is not raced")
	}
	switch {
	case a.count < 2:
	case m.Idempotency.Value == policy.IdempotencyUnknown:
		if m.Retry.MaxAttempts.Stated() {
			w.note(m, "retry.max_attempts", m.Retry.MaxAttempts.Source, "there is one attempt, because others cannot tell "+
				"whether a call was never sent, and the method must not be repeated")
		}
		a.count = 1
	case len(a.codes) == 0:
		w.note(m, "retry.codes", m.Retry.Codes.Source, "there is one attempt, because no code is left to retry")
		a.count = 1
	}
	return a
}

func stated[T any](v policy.Value[T], otherwise T) T {
	if v.Stated() {
		return v.Value
	}
	return otherwise
}

// codeName is the code as protobuf writes it: "UNAVAILABLE".
func codeName(c codes.Code) string {
	if c == codes.Canceled {
		return "CANCELLED"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}

// split takes "/pkg.Service/Method" apart.
func split(name string) (service, method string) {
	service, method, _ = strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return service, method
}
