package issuer

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
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

// OpenStateAfter is OpenState of a later version of this package, which migrates the records.
func OpenStateAfter(
	ctx context.Context, records store.Store, service KeyService, steps ...func(context.Context, store.Store) error,
) (*State, error) {
	list := make([]migration, len(steps))
	for n, step := range steps {
		list[n] = step
	}
	return openState(ctx, records, service, list)
}

// ReadClient reads the record of a client. It returns an error unless the client can be stored and read again.
func ReadClient(text []byte) error {
	c, err := decodeClient(store.Record{Value: text})
	if err != nil {
		return err
	}
	_, err = decodeClient(store.Record{Value: encodeClient(c)})
	return err
}

// Used reports whether an assertion of a client is stored as used.
func Used(ctx context.Context, records store.Store, client, id string) bool {
	_, err := records.Get(ctx, kindReplays, replayName(client, id))
	return err == nil
}
