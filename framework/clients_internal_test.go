package framework

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// newCaller returns an App of an identity of its own that calls nothing yet.
func newCaller(t testing.TB) *App {
	t.Helper()
	domain, err := principal.ParseTrustDomain("test")
	if err != nil {
		t.Fatal(err)
	}
	self, err := domain.ID("orders")
	if err != nil {
		t.Fatal(err)
	}
	identity := auth.TrustDir(
		filepath.Join(t.TempDir(), "state"), self, auth.WithEnroll(), auth.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err := identity.Check(); err != nil {
		t.Fatal(err)
	}
	app := New("orders", WithIdentity(identity), WithEnviron(nil), WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
		if err := identity.Close(); err != nil {
			t.Error(err)
		}
	})
	return app
}

func nthClient(app *App, n int) *Client {
	return app.Client(fmt.Sprintf("service-%d", n), WithTarget("passthrough:///127.0.0.1:1"))
}

// The mistakes of one client do not stand in the way of another.
func TestAClientChecksItself(t *testing.T) {
	app := newCaller(t)
	good := nthClient(app, 1)
	bad := app.Client("dns:///payments.internal:8443")
	if _, err := good.channel(); err != nil {
		t.Errorf("the good client says %v", err)
	}
	if _, err := bad.channel(); err == nil || !strings.Contains(err.Error(), "WithPeers") {
		t.Errorf("the bad client says %v, want its mistake", err)
	}
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "WithPeers") {
		t.Errorf("Check = %v, want the mistake of the bad client", err)
	}
}

// However often an App is checked, a client has the one channel that it then calls through.
func TestACheckLeavesNothingBehind(t *testing.T) {
	app := newCaller(t)
	client := nthClient(app, 1)
	for range 3 {
		if err := app.Check(); err != nil {
			t.Fatal(err)
		}
	}
	checked, err := client.auth()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := client.channel()
	if err != nil {
		t.Fatal(err)
	}
	if opened.auth != checked {
		t.Error("the client calls through another channel than the checked one")
	}
}

// The time of a client does not grow with the number of clients.
func BenchmarkOpenClients(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				app := newCaller(b)
				b.StartTimer()
				for i := range n {
					if _, err := nthClient(app, i).channel(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "us/client")
		})
	}
}
