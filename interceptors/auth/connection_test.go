package auth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// Each side may have either kind of key.
func TestBothSidesAreProven(t *testing.T) {
	for name, opts := range map[string][2][]auth.Option{
		"Ed25519":                   {},
		"ES256":                     {{auth.WithES256()}, {auth.WithES256()}},
		"ES256 client":              {{}, {auth.WithES256()}},
		"ES256 server":              {{auth.WithES256()}, {}},
		"one minute per connection": {{auth.WithMaxConnectionAge(time.Minute)}, {auth.WithMaxConnectionAge(time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				payment, orders := w.identity("payments", opts[0]...), w.identity("orders", opts[1]...)
				var callers []principal.Peer
				see := func(ctx context.Context) error {
					p, ok := principal.PeerFromContext(ctx)
					if !ok {
						return errUnexpected
					}
					callers = append(callers, p)
					return nil
				}
				s := serve(t, payments{quote: see, watch: func(stream grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
					return errors.Join(see(stream.Context()), stream.Send(nil))
				}}, payment.ServerOptions(nil)...)
				time.Sleep(reread)
				cc := dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)

				var reached peer.Peer
				if err := quote(t.Context(), cc, grpc.Peer(&reached)); err != nil {
					t.Fatal(err)
				}
				if _, err := watch(t.Context(), cc); err != nil {
					t.Fatal(err)
				}
				if len(callers) != 2 {
					t.Fatalf("%d callers were seen", len(callers))
				}
				for _, p := range callers {
					if p.ID != w.id("orders") || p.KeyID != w.key("orders").Public().Thumbprint() || p.Carrier != principal.CarrierConnection || len(p.Scopes) != 0 {
						t.Errorf("the server saw %+v", p)
					}
				}
				if p, ok := principal.PeerOf(&reached); !ok || p.ID != w.id("payments") || p.KeyID != w.key("payments").Public().Thumbprint() {
					t.Errorf("the client saw %+v", p)
				}
			})
		})
	}
}

func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		var reached peer.Peer
		if err := quote(t.Context(), p.cc, grpc.Peer(&reached)); err != nil {
			t.Fatal(err)
		}
		if err := credentials.CheckSecurityLevel(reached.AuthInfo, credentials.PrivacyAndIntegrity); err != nil {
			t.Error(err)
		}
		client := p.orders.Channel([]principal.Pattern{p.w.id("payments")}).TransportCredentials()
		clone := client.Clone()
		if err := clone.OverrideServerName("elsewhere"); err != nil { //nolint:staticcheck // credentials have it all the same
			t.Error(err)
		}
		if a, b := client.Info().ServerName, clone.Info().ServerName; a != "" || b != "elsewhere" { //nolint:staticcheck // likewise
			t.Errorf("server names %q and %q; the clone shares the name with the original", a, b)
		}
		server := p.payments.Server(nil).TransportCredentials()
		for _, c := range []credentials.TransportCredentials{client, server, server.Clone()} {
			if c.Info().SecurityProtocol != "tls" {
				t.Errorf("security protocol %q makes gRPC send :scheme http", c.Info().SecurityProtocol)
			}
		}
		if _, _, err := client.ServerHandshake(nil); err == nil {
			t.Error("a client's credentials serve")
		}
		if _, _, err := server.ClientHandshake(t.Context(), "", nil); err == nil {
			t.Error("a server's credentials dial")
		}
	})
}

// grpc.CallAuthority is allowed for the names that the connection stands for.
func TestCallAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		p := newPair(t, payments{quote: func(ctx context.Context) error {
			seen = metadata.ValueFromIncomingContext(ctx, ":authority")
			return nil
		}})
		for _, authority := range []string{"payments", "payments:8443"} {
			if err := quote(t.Context(), p.cc, grpc.CallAuthority(authority)); err != nil || seen[0] != authority {
				t.Errorf("%s: error %v, the server saw %q", authority, err, seen)
			}
		}
		if err := quote(t.Context(), p.cc, grpc.CallAuthority("ledger")); status.Code(err).String() != "Unavailable" {
			t.Errorf("foreign authority: %v", err)
		}
	})
}
