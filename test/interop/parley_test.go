package interop_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/framework"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

const (
	serverID = "spiffe://interop.example/tester"
	clientID = "spiffe://interop.example/caller"
)

// everythingOn samples every call, so that tracing is at work, too.
func everythingOn() []framework.Option {
	return []framework.Option{
		framework.WithEnviron([]string{"OTEL_TRACES_SAMPLER=always_on"}),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}
}

// callersOnly is the auth decision that the suite's protos, which know nothing of Parley, do not state.
func callersOnly() framework.Option {
	return framework.WithPolicy(map[string]*policyv1.Policy{
		"/grpc.testing.TestService/*": {Auth: &policyv1.Auth{Peers: []string{clientID}}},
	})
}

func serveParley(t *testing.T, trust string, seen *witness) string {
	t.Helper()
	self, err := identity(trust, serverID)
	if err != nil {
		t.Fatal(err)
	}
	app := framework.New("tester", append(everythingOn(), framework.WithIdentity(self), callersOnly())...)
	server := app.Server("127.0.0.1:0", framework.WithHandlerInterceptors(seen.unary, seen.stream))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, self.Close()); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return server.Addr().String()
}

func dialParley(addr, trust string) (grpc.ClientConnInterface, func() error, error) {
	self, err := identity(trust, clientID)
	if err != nil {
		return nil, nil, err
	}
	app := framework.New("caller", append(everythingOn(), framework.WithIdentity(self))...)
	hangUp := func() error { return errors.Join(app.Close(), self.Close()) }
	return app.Client("tester", framework.WithTarget("passthrough:///"+addr)), hangUp, nil
}

// identity makes the keys of a workload in the trust directory, or finds them there.
func identity(trust, name string) (*auth.Identity, error) {
	id, err := principal.ParseID(name)
	if err != nil {
		return nil, err
	}
	self := auth.TrustDir(trust, id, auth.WithEnroll())
	return self, self.Check()
}
