package issuer

import (
	"context"
	"testing"
	"time"
)

// HoldSignatureChecks takes every turn at the signature check until leave is called.
func HoldSignatureChecks(t testing.TB, is *Issuer) (leave func()) {
	t.Helper()
	for range cap(is.turn) {
		if err := is.turn.Enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for range cap(is.turn) {
			is.turn.Leave()
		}
	}
}

// UseAssertion notes an assertion.
func UseAssertion(is *Issuer, client, id string) (fresh, full bool) {
	return is.replays.Use(assertionID{client, id}, time.Now())
}

// Meter is the memory of rates.
type Meter struct{ m *meter }

// NewMeter returns an empty one.
func NewMeter(rate, burst int) Meter { return Meter{newMeter(rate, burst)} }

// Take counts a request.
func (m Meter) Take(client string) { m.m.take(client, time.Now()) }

// Len is how many services are remembered.
func (m Meter) Len() int { return len(m.m.full) }

// ParseForm takes a form apart.
func ParseForm(body string) (map[string]string, error) { return parseForm(body) }

// VerifyUser checks the token of a user that client has sent.
func VerifyUser(ctx context.Context, is *Issuer, compact, client string) error {
	_, err := is.users.verify(ctx, compact, client)
	return err
}
