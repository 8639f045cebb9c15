package auth_test

import (
	"context"
	"crypto/tls"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// What Identity.Token mints is accepted, with its scopes, and by nobody but its audience.
func TestMintedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		orders := w.identity("orders")
		var seen principal.Peer
		cc := foreigner(t, w, payments{quote: func(ctx context.Context) error {
			seen, _ = principal.PeerFromContext(ctx)
			return nil
		}})
		token, err := orders.Token(w.id("payments"), []string{"quotes.read", "quotes.write"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		expires := time.Now().Add(time.Minute)
		if err := quote(withBearer(t.Context(), token), cc); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(seen.Scopes, []string{"quotes.read", "quotes.write"}) || !seen.Expires.Equal(expires) {
			t.Errorf("the server saw %+v", seen)
		}
		other, err := orders.Token(w.id("ledger"), nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "token for ledger", quote(withBearer(t.Context(), other), cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)

		for name, mistake := range map[string]func() (string, error){
			"no audience":    func() (string, error) { return orders.Token(principal.ID{}, nil, time.Minute) },
			"no time":        func() (string, error) { return orders.Token(w.id("payments"), nil, 0) },
			"too long":       func() (string, error) { return orders.Token(w.id("payments"), nil, 61*time.Minute) },
			"no scope":       func() (string, error) { return orders.Token(w.id("payments"), []string{""}, time.Minute) },
			"two in one":     func() (string, error) { return orders.Token(w.id("payments"), []string{"a b"}, time.Minute) },
			"68 quote in it": func() (string, error) { return orders.Token(w.id("payments"), []string{`"`}, time.Minute) },
			"newline in it":  func() (string, error) { return orders.Token(w.id("payments"), []string{"a\nb"}, time.Minute) },
		} {
			if _, err := mistake(); err == nil {
				t.Errorf("%s: a token was minted", name)
			}
		}
	})
}

// A stream that was opened with a token ends with it, as planned: its caller can get another.
func TestStreamEndsWithItsToken63(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{watch: block})
		start := time.Now()
		stream, err := watch(withBearer(t.Context(), mint(t, w, "orders", claims{"exp": in(5 * time.Second)})), cc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
		if lived := time.Since(start); lived != 35*time.Second {
			t.Errorf("the stream lived %v, want exp + skew = 35s", lived)
		}
	})
}

// In connection mode the connection says who calls. A token beside it may name the same workload and nobody else.
func TestTokenBesideAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{quote: func(ctx context.Context) error {
			if seen := metadata.ValueFromIncomingContext(ctx, "authorization"); len(seen) != 0 {
				t.Errorf("the handler sees the credential %q", seen)
			}
			if who, _ := principal.PeerFromContext(ctx); who.Carrier != principal.CarrierConnection {
				t.Errorf("the handler sees %+v", who)
			}
			return nil
		}})
		p.w.enroll("mallory")
		time.Sleep(reread)
		if err := quote(withBearer(t.Context(), mint(t, p.w, "orders", nil)), p.cc); err != nil {
			t.Errorf("a token of the same workload: %v", err)
		}
		for name, token := range map[string]string{
			"of another workload": mint(t, p.w, "mallory", nil),
			"that does not hold":  mint(t, p.w, "orders", nil) + "A",
		} {
			err := quote(withBearer(t.Context(), token), p.cc)
			refused(t, "a token "+name, err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		}
	})
}

// A port takes plain HTTP/2 only where it was opened to it.
func TestPlainHTTP2NeedsWithBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		s := serve(t, payments{}, w.identity("payments").ServerOptions(nil)...)
		cc := dial(t, s.dialer, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
		refused(t, "call", quote(withBearer(t.Context(), mint(t, w, "orders", nil)), cc), codes.Unavailable, "")
	})
}
