package framework_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/rpcerr"
)

func TestClientMadeAfterCloseIsRefused(t *testing.T) {
	app := framework.New("orders", framework.WithInsecureDev())
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	payments := grpc_health_v1.NewHealthClient(app.Client("payments", framework.WithTarget("passthrough:///nowhere")))
	_, err := payments.Check(t.Context(), nil)
	if !errors.Is(err, framework.ErrClosed) {
		t.Errorf("the RPC returned %v, want ErrClosed", err)
	}
	// A stop is no mistake in a configuration, so the error has no reason.
	if status.Code(err) != codes.Canceled || rpcerr.ReasonOf(err) != "" {
		t.Errorf("the RPC returned %v with the reason %q, want CANCELED without one", err, rpcerr.ReasonOf(err))
	}
	if _, err := payments.Watch(t.Context(), nil); status.Code(err) != codes.Canceled {
		t.Errorf("the stream returned %v, want CANCELED", err)
	}
}

func TestReadinessCheckThatIgnoresItsContextDoesNotHoldUpTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := framework.New("orders", framework.WithInsecureDev())
		release := make(chan struct{})
		app.ReadyWhen("stuck", func(context.Context) error { <-release; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- app.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ran; err == nil || !strings.Contains(err.Error(), "readiness check still runs") {
			t.Errorf("Run returned %v, want the stuck check named", err)
		}
		close(release)
	})
}

func TestCheckAfterCloseSaysSoAndStartsNothing(t *testing.T) {
	app := framework.New("orders", framework.WithInsecureDev(), framework.WithConfigFile("does not matter.yaml"))
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if err := app.Check(); !errors.Is(err, framework.ErrClosed) {
		t.Errorf("Check = %v, want ErrClosed", err)
	}
	if err := app.Describe(io.Discard); err != nil {
		t.Errorf("Describe = %v", err)
	}
	if err := app.Run(t.Context()); !errors.Is(err, framework.ErrClosed) {
		t.Errorf("Run = %v, want ErrClosed", err)
	}
}

func TestAnEngineThatIsDownDoesNotHoldUpTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := mem.New()
		engine.SetDown(true)
		app := framework.New(
			"payments",
			framework.WithInsecureDev(),
			framework.WithEnviron(nil),
			framework.WithDiscovery(engine.Driver()),
		)
		paymentsv1.RegisterPaymentsServiceServer(
			app.Server("payments:443", framework.WithListener(bufconn.Listen(1))),
			&payments{},
		)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		started := time.Now()
		go func() { ran <- app.Run(ctx) }()
		<-app.Ready()
		if took := time.Since(started); took != 2*time.Second {
			t.Errorf("ready after %v", took)
		}
		cancel()
		if err := <-ran; err != nil && !strings.Contains(err.Error(), "the engine is down") {
			t.Errorf("Run = %v", err)
		}
		if report := app.DrainReport(); report == nil || !report.ArrivalsStopped || report.InFlight != 0 {
			t.Errorf("drain report: %+v", report)
		}
	})
}

func TestDescribeSaysWhereTheConfigurationIsStated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte("lifecycle:\n  grace: 3s\n  quiet: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := framework.New("orders", framework.WithInsecureDev(), framework.WithConfigFile(file),
		framework.WithEnviron([]string{"PARLEY_LIFECYCLE_QUIET=2s"}))
	t.Cleanup(func() { _ = app.Close() })
	var text strings.Builder
	if err := app.Describe(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lifecycle.grace  ", "orders.yaml:2", "lifecycle.quiet  env PARLEY_LIFECYCLE_QUIET"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %q:\n%s", want, text.String())
		}
	}
}

type listenerAt struct {
	net.Listener
	addr net.Addr
}

func (l listenerAt) Addr() net.Addr { return l.addr }

func TestInsecureDevRefusesAListenerThatOthersReach(t *testing.T) {
	public := listenerAt{bufconn.Listen(1), &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8443}}
	t.Cleanup(func() { _ = public.Close() })
	app := framework.New("payments", framework.WithInsecureDev(), framework.WithEnviron(nil))
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(
		app.Server(public.Addr().String(), framework.WithListener(public)),
		&payments{},
	)
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("Check = %v, want the rule about loopback addresses", err)
	}
}
