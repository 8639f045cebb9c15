package auth_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// bearers is a server of payments that accepts the tokens of an issuer whose keys lie at a URL, and a caller that is
// not Parley.
func (l *login) bearers(keys *keyset.Set, impl payments) *grpc.ClientConn {
	l.t.Helper()
	w := newWorld(l.t)
	w.enroll("payments")
	return foreignerTo(l.t, w, impl, tableOf(l.t), auth.WithIssuers(auth.Issuer{
		Name: issuerName, Keys: keys, Subjects: []principal.Pattern{w.domain.Pattern()},
	}))
}

// access signs an access token for orders to call payments.
func (l *login) access(ctx context.Context, key *jose.PrivateKey) context.Context {
	l.t.Helper()
	return withBearer(ctx, sign(l.t, key, "at+jwt", claims{
		"iss": issuerName, "sub": "spiffe://shop.example/orders", "aud": "spiffe://shop.example/payments", "iat": in(0), "exp": in(time.Hour), "jti": "1",
	}))
}

// A stream that was opened with a token ends when the issuer's key is gone, and the token is good for nothing from then
// on, however often it was verified before.
func TestIssuerKeyRemovedEndsTokens59(t *testing.T) {
	invalidate := func(_ *login, k *keyset.Set, key *jose.PrivateKey) { k.Invalidate(key.Public().KeyID()) }
	for name, remove := range map[string]func(*login, *keyset.Set, *jose.PrivateKey){
		"removed":                    func(l *login, _ *keyset.Set, _ *jose.PrivateKey) { l.publish(newKey(l.t, jose.EdDSA)) },
		"invalidated":                invalidate,
		"invalidated in a fixed set": invalidate,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLogin(t)
				keys := l.keys()
				if name == "invalidated in a fixed set" {
					keys = keyset.Static([]byte(jwksOf(t, l.key)))
				}
				cc := l.bearers(keys, payments{watch: block})
				ctx := l.access(t.Context(), l.key)
				for range 3 {
					if err := quote(ctx, cc); err != nil {
						t.Fatal(err)
					}
				}
				stream, err := watch(ctx, cc)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				remove(l, keys, l.key)
				_, err = stream.Recv()
				refused(t, "stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
				if took := time.Since(began); took > 330*time.Second || name != "removed" && took != 0 {
					t.Errorf("it took %v", took)
				}
				refused(t, "next call", quote(ctx, cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
			})
		})
	}
}

// Calls with tokens go on while the issuer's endpoint is down, and end when its keys are too old.
func TestIssuerDownForTokens51(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		cc := l.bearers(l.keys(keyset.WithMaxStale(40*time.Minute)), payments{})
		l.breakDown(errUnexpected)
		refused(t, "before the first set", quote(l.access(t.Context(), l.key), cc), codes.Unavailable, rpcerr.KeysUnavailable)
		l.breakDown(nil)
		time.Sleep(31 * time.Second)
		if err := quote(l.access(t.Context(), l.key), cc); err != nil {
			t.Fatal(err)
		}
		l.breakDown(errUnexpected)
		ctx := l.access(t.Context(), l.key)
		for range 39 {
			if err := quote(ctx, cc); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Minute)
		refused(t, "too old", quote(ctx, cc), codes.Unavailable, rpcerr.KeysUnavailable)
	})
}

// 500 calls a second while the issuer signs with a new key every 2 seconds, each published 12 seconds before: none
// fails.
func TestIssuerRotatesUnderLoad58(t *testing.T) {
	const keys = 15 // in 30 seconds
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		list := []*jose.PrivateKey{l.key}
		for range keys + 6 {
			list = append(list, newKey(t, jose.EdDSA))
		}
		l.publish(list[:7]...)
		cc := l.bearers(l.keys(), payments{})
		var all sync.WaitGroup
		for n := range keys {
			l.publish(list[max(0, n-1) : n+7]...)
			ctx := l.access(t.Context(), list[n])
			for range 100 {
				for range rounds.Of(1) {
					all.Go(func() {
						if err := quote(ctx, cc); err != nil {
							t.Errorf("key %d: %v", n, err)
						}
					})
				}
				time.Sleep(20 * time.Millisecond) // several calls at a time: to wake up for each costs as much as the call
			}
		}
		all.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.fetches > 5 {
			t.Errorf("%d fetches in 30 seconds", l.fetches)
		}
	})
}
