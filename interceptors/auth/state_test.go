package auth_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/rpcerr"
)

func TestWhatAnIdentityTellsOperators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		if err := quote(t.Context(), p.cc); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(time.Minute)
		for _, end := range []struct {
			identity *auth.Identity
			role     string
			peer     string
		}{{p.payments, "server", "orders"}, {p.orders, "client", "payments"}} {
			list := end.identity.Connections()
			if len(list) != 1 {
				t.Fatalf("the %s has the connections %v", end.role, list)
			}
			c := list[0]
			if c.Role != end.role || c.Peer.ID != p.w.id(end.peer) || !c.Since.Equal(began) || c.Remote.String() != "bufconn" {
				t.Errorf("the %s has the connection %+v", end.role, c)
			}
			if want := (map[auth.Outcome]uint64{{Of: "handshake", Role: end.role, Result: "proven"}: 1}); !maps.Equal(end.identity.Outcomes(), want) {
				t.Errorf("the %s counted %v", end.role, end.identity.Outcomes())
			}
			trust := end.identity.Trust()
			if len(trust) != 1 || trust[0].Source != p.w.dir || trust[0].Keys != 2 || trust[0].Err != nil || time.Since(trust[0].Read) > 2*time.Second || !trust[0].Ends.After(time.Now()) {
				t.Errorf("the %s trusts %+v", end.role, trust)
			}
		}
		if err := p.cc.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if left := append(p.payments.Connections(), p.orders.Connections()...); len(left) != 0 {
			t.Errorf("after the close there are %v", left)
		}
	})
}

func TestRefusalsAreCountedByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments", "orders", "catalog")
		server, catalog := w.identity("payments"), w.identity("catalog")
		s := serve(t, payments{}, server.ServerOptions(nil)...)
		cc := dial(t, s.dialer, catalog.DialOptions(w.id("payments"))...)
		for range 3 {
			refused(t, "a call", quote(t.Context(), cc), codes.PermissionDenied, rpcerr.PolicyDenied)
		}
		misled := dial(t, s.dialer, catalog.DialOptions(w.id("orders"))...)
		refused(t, "a server under another name", quote(t.Context(), misled), codes.Unauthenticated, rpcerr.ServerIdentityMismatch)
		synctest.Wait()
		if got := server.Outcomes()[auth.Outcome{Of: "call", Role: "server", Result: string(rpcerr.PolicyDenied)}]; got != 3 {
			t.Errorf("%d refused calls were counted, want 3: %v", got, server.Outcomes())
		}
		if got := catalog.Outcomes()[auth.Outcome{Of: "handshake", Role: "client", Result: string(rpcerr.ServerIdentityMismatch)}]; got == 0 {
			t.Errorf("no refused handshake was counted: %v", catalog.Outcomes())
		}
	})
}

func TestAnIdentityThatWasNotCheckedTrustsNothing(t *testing.T) {
	w := newWorld(t)
	i := auth.TrustDir(w.dir, w.id("orders"))
	if trust := i.Trust(); len(trust) != 0 {
		t.Errorf("it trusts %+v", trust)
	}
}

func TestTheKeysOfIssuersAreTrustedBesideTheDirectory(t *testing.T) {
	w := newWorld(t)
	login := auth.Issuer{Name: "https://login.example", Keys: keyset.File("/nowhere/keys.json")}
	payment := w.identity("payments")
	payment.Server(nil, auth.WithIssuers(login))
	payment.Server(nil, auth.WithIssuers(login))
	trust := payment.Trust()
	if len(trust) != 2 || trust[0].Of != "trust directory" || trust[1].Of != login.Name || trust[1].Keys != 0 || !trust[1].Read.IsZero() {
		t.Errorf("it trusts %+v", trust)
	}
}
