package issuer_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// pod is a workload with nothing but the token that the cluster gives it.
type pod struct {
	*pods
	account string
	file    string      // of the token
	down    atomic.Bool // the issuer cannot be reached
}

func (p *pods) pod(account string) *pod {
	o := &pod{pods: p, account: account, file: filepath.Join(p.t.TempDir(), "token")}
	o.renew()
	return o
}

// renew writes the token anew, as the kubelet does.
func (o *pod) renew() {
	o.t.Helper()
	c := o.evidence().of(map[string]any{"serviceaccount": map[string]any{"name": o.account}})
	c["sub"] = "system:serviceaccount:shop:" + o.account
	if err := os.WriteFile(o.file, []byte(o.projected(o.raw, c)), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

var errDown = errors.New("connection refused")

func (o *pod) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.down.Load() {
		return nil, errDown
	}
	return o.shop.RoundTrip(r)
}

func (o *pod) identity() *auth.Identity {
	o.t.Helper()
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		o.t.Fatal(err)
	}
	self, err := domain.ID("ns/shop/sa/" + o.account)
	if err != nil {
		o.t.Fatal(err)
	}
	key := newSigner(o.t)
	source := tokens.IdentityFromIssuer(
		issuerName, issuerName+"/token", self, key, o.file, tokens.WithRoundTripper(o),
	)
	if err := source.Check(); err != nil {
		o.t.Fatal(err)
	}
	keys := keyset.URL(issuerName+"/jwks.json", keyset.WithRoundTripper(o))
	i := auth.Issued(self, source, []auth.IdentityIssuer{
		{Name: issuerName, Keys: keys, Domains: []principal.TrustDomain{domain}},
	}, auth.WithSigner(key))
	o.t.Cleanup(func() { _ = errors.Join(i.Close(), keys.Close()) })
	return i
}

// Two workloads without a key file and without a trust directory call each other for half a day. Their tokens, their
// identities and the issuer's key are renewed, and the issuer is away for 8 minutes.
func TestPodsCallEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPods(t, nil)
		caller, callee := p.pod("edge"), p.pod("orders")
		client, server := caller.identity(), callee.identity()
		for _, i := range []*auth.Identity{client, server} {
			if err := i.Check(); err != nil {
				t.Fatal(err)
			}
		}
		m := &mesh{shop: p.shop, handlers: &handlers{}}
		dial := m.serveAs(server, m.handlers, "ns/shop/sa/edge", nil)
		channel := client.Channel([]principal.Pattern{server.ID()})
		opts := append(channel.DialOptions(), grpc.WithAuthority("orders"))
		for minute := 0; minute < 12*60; minute += 2 {
			switch {
			case minute%44 == 42:
				caller.renew()
				callee.renew()
			case minute == 300:
				if _, err := p.keys.Rotate(newSigner(t)); err != nil {
					t.Fatal(err)
				}
			}
			down := minute >= 600 && minute < 608
			caller.down.Store(down)
			callee.down.Store(down)
			if err := m.call(t.Context(), dial, opts...); err != nil {
				t.Fatalf("minute %d: %v", minute, err)
			}
			time.Sleep(2 * time.Minute)
		}
		if got := m.handlers.peer.ID; got != client.ID() {
			t.Errorf("the handler saw %s", got)
		}
		if n := strings.Count(p.log.String(), "type=wit+jwt"); n < 2*12 || n > 2*18 {
			t.Errorf("%d identity tokens in half a day", n)
		}
	})
}

// The pod is another than the one that the program thinks it is.
func TestPodOfAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPods(t, nil)
		o := p.pod("edge")
		o.account = "orders"
		err := o.identity().Check()
		if err == nil || !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("got %v", err)
		}
	})
}
