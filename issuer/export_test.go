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
	fresh, err := is.replays.Use(client, id, time.Now())
	return fresh, err != nil
}

// ParseForm takes a form apart.
func ParseForm(body string) (map[string]string, error) { return parseForm(body) }

// VerifyUser checks the token of a user that client has sent.
func VerifyUser(ctx context.Context, is *Issuer, compact, client string) error {
	_, err := is.users.verify(ctx, compact, client)
	return err
}
