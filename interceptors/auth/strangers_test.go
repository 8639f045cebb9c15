package auth_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// stranger is a connection of plain HTTP/2 to a server, and the number of times that it had to be made.
type stranger struct {
	*grpc.ClientConn
	dialled int
}

func newStranger(t testing.TB, w *tokenWorld) *stranger {
	s := &stranger{}
	s.ClientConn = dial(t, func(ctx context.Context, addr string) (net.Conn, error) {
		s.dialled++
		return w.server.dialer(ctx, addr)
	}, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: w.roots, ServerName: "localhost", MinVersion: tls.VersionTLS13})))
	return s
}

// health makes a call that everybody may make.
func (s *stranger) health(t testing.TB) {
	t.Helper()
	if _, err := grpc_health_v1.NewHealthClient(s).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, waitForReady); err != nil {
		t.Error(err)
	}
}

// A connection of plain HTTP/2 counts among those that have proven nothing until a good token came over it, and then no
// more.
func TestPlainConnectionsCountUntilTheyAreAuthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newWorld(t)
		base.enroll("orders", "payments")
		roots, certificate := base.certificate()
		s := serve(t, payments{}, base.identity("payments").ServerOptions(tableOf(t, policy.Code(auth.HealthPolicy())),
			auth.WithBearer(certificate), auth.WithMaxHandshakes(2))...)
		w := &tokenWorld{base, s, roots}
		known, bad, idle := newStranger(t, w), newStranger(t, w), newStranger(t, w)
		if err := quote(withBearer(t.Context(), mint(t, base, "orders", nil)), known.ClientConn); err != nil {
			t.Fatal(err)
		}
		bad.health(t)
		refused(
			t,
			"a bad token",
			quote(withBearer(t.Context(), "x.y.z"), bad.ClientConn),
			codes.Unauthenticated,
			rpcerr.CredentialsInvalid,
		)
		idle.health(t)
		if known.dialled+bad.dialled+idle.dialled != 3 {
			t.Fatal("a connection was closed while there was room")
		}
		late := newStranger(t, w)
		late.health(t)
		synctest.Wait()
		bad.health(t) // in the place of idle, which was the oldest by then
		time.Sleep(time.Second)
		if known.dialled != 1 || bad.dialled != 2 {
			t.Errorf(
				"the known connection was made %d times, want once; the oldest stranger %d times, want twice",
				known.dialled,
				bad.dialled,
			)
		}
		if err := quote(withBearer(t.Context(), mint(t, base, "orders", nil)), known.ClientConn); err != nil ||
			known.dialled != 1 {
			t.Errorf("the known connection: %v, made %d times", err, known.dialled)
		}
	})
}

// A drain leaves calls of strangers alone that were let in.
func TestDrainLeavesPlainConnectionsToGRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newWorld(t)
		base.enroll("payments")
		roots, certificate := base.certificate()
		gate := base.identity("payments").Server(tableOf(t, policy.Code(auth.HealthPolicy())), auth.WithBearer(certificate))
		w := &tokenWorld{base, serve(t, payments{}, gate.ServerOptions()...), roots}
		c := newStranger(t, w)
		c.health(t)
		gate.CloseHandshakes()
		c.health(t)
		if c.dialled != 1 {
			t.Errorf("the connection was made %d times", c.dialled)
		}
		start := time.Now()
		w.server.grpc.GracefulStop()
		if took := time.Since(start); took != 0 {
			t.Errorf("the stop took %v", took)
		}
	})
}

// A good token of a user ends the state of a stranger as that of a workload does: others that come later do not take
// its connection's place.
func TestAUsersConnectionIsNoStranger(t *testing.T) {
	for name, test := range map[string]struct {
		token func(*users) string
		want  codes.Code
	}{
		"a good token": {func(u *users) string { return u.accessToken(t, nil) }, codes.OK},
		"none":         {nil, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(t, payments{}, nil, auth.WithMaxHandshakes(1))
				ctx := t.Context()
				if test.token != nil {
					ctx = auth.AttachUserToken(ctx, test.token(u))
				}
				stream, err := grpc_health_v1.NewHealthClient(u.plain).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan codes.Code, 1)
				go func() {
					_, err := stream.Recv()
					ended <- status.Code(err)
				}()
				if err := quote(t.Context(), u.connection); err != nil {
					t.Errorf("the connection that came later: %v", err)
				}
				synctest.Wait()
				got := codes.OK // it goes on
				if len(ended) > 0 {
					got = <-ended
				}
				if got != test.want {
					t.Errorf("the stream: %v, want %v", got, test.want)
				}
			})
		})
	}
}
