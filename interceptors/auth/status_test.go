package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// evilDialer reaches a server that does TLS by config and then what script says, on every connection.
func (w *world) evilDialer(config *tls.Config, script func(evilServer)) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer func() { _ = far.Close() }()
			conn := tls.Server(far, config)
			if conn.HandshakeContext(w.t.Context()) == nil {
				script(evilServer{w.t, w, conn})
			}
		}()
		return near, nil
	}
}

// What a caller learns of a handshake that failed: the status of the failure, at once, or at the end of its patience
// when it waits for a connection.
func TestStatusOfAFailedHandshake(t *testing.T) {
	verdict := func(v byte) func(evilServer) {
		return func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			_, _, _ = readFrame(s.conn)
			_, _ = s.conn.Write(frameOf(verdictFrame, []byte{v}))
		}
	}
	send := func(frame func(evilServer) []byte) func(evilServer) {
		return func(s evilServer) { _, _ = s.conn.Write(frame(s)) }
	}
	for name, test := range map[string]struct {
		script func(evilServer)
		code   codes.Code
		reason rpcerr.Reason
	}{
		"no hello":  {send(func(evilServer) []byte { return []byte("HTTP/1.1 400 Bad Request") }), codes.Unauthenticated, rpcerr.ServerProofMissing},
		"bad proof": {send(func(s evilServer) []byte { return s.hello("mallory", nil) }), codes.Unauthenticated, rpcerr.ServerProofInvalid},
		"another server": {send(func(s evilServer) []byte {
			return s.hello("mallory", claims{"iss": s.w.id("mallory").String(), "sub": s.w.id("mallory").String()})
		}), codes.Unauthenticated, rpcerr.ServerIdentityMismatch},
		"verdict 1":   {verdict(1), codes.Unauthenticated, rpcerr.CredentialsInvalid},
		"verdict 2":   {verdict(2), codes.Unauthenticated, rpcerr.CredentialsExpired},
		"verdict 3":   {verdict(3), codes.Unauthenticated, rpcerr.CredentialsNotYetValid},
		"verdict 4":   {verdict(4), codes.Unavailable, rpcerr.KeysUnavailable},
		"verdict 5":   {verdict(5), codes.ResourceExhausted, rpcerr.AuthOverloaded},
		"unknown":     {verdict(77), codes.Unauthenticated, rpcerr.CredentialsInvalid},
		"end of file": {func(evilServer) {}, codes.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments", "mallory")
				cc := dial(t, w.evilDialer(evilServerConfig(t, alpn), test.script), w.identity("orders").DialOptions(w.id("payments"))...)
				start := time.Now()
				refused(t, "unary call", quote(t.Context(), cc), test.code, test.reason)
				_, err := watch(t.Context(), cc)
				refused(t, "stream", err, test.code, test.reason)
				if took := time.Since(start); took > 0 {
					t.Errorf("the calls waited for %v", took)
				}

				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if test.reason == "" {
					test.code = codes.DeadlineExceeded
				}
				refused(t, "waiting call", quote(ctx, cc, waitForReady), test.code, test.reason)
				if waited := time.Since(start); waited != time.Minute {
					t.Errorf("the waiting call waited for %v", waited)
				}
			})
		})
	}
}

// A caller that gives its own attempt finds in it that nothing was sent.
func TestFailedHandshakeNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments", "mallory")
		cc := dial(t, w.evilDialer(evilServerConfig(t, alpn), func(s evilServer) {
			_, _ = s.conn.Write(s.hello("mallory", nil))
		}), w.identity("orders").DialOptions(w.id("payments"))...)
		ctx, a := attempt.NewContext(t.Context(), 2, false, nil)
		refused(t, "attempt", quote(ctx, cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		if !a.NeverSent() {
			t.Error("the attempt does not know that nothing was sent")
		}
	})
}

// Interceptors in front may have run the attempt, too; those of a retrier do.
func TestStatusBehindARecordedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments", "mallory")
		front := []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(attempt.UnaryClientInterceptor), grpc.WithChainStreamInterceptor(attempt.StreamClientInterceptor),
		}
		cc := dial(t, w.evilDialer(evilServerConfig(t, alpn), func(s evilServer) {
			_, _ = s.conn.Write(s.hello("mallory", nil))
		}), append(front, w.identity("orders").DialOptions(w.id("payments"))...)...)
		ctx, _ := attempt.NewContext(t.Context(), 1, false, nil)
		refused(t, "unary call", quote(ctx, cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		ctx, _ = attempt.NewContext(t.Context(), 1, false, nil)
		_, err := watch(ctx, cc)
		refused(t, "stream", err, codes.Unauthenticated, rpcerr.ServerProofInvalid)
	})
}

// A server that could be reached answers for itself: its UNAVAILABLE stays what it is, however the handshakes before
// went.
func TestStatusOfAReachedServerStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{quote: func(context.Context) error { return status.Error(codes.Unavailable, "closed for lunch") }})
		restore := p.w.forget("payments")
		time.Sleep(reread)
		refused(t, "untrusted", quote(t.Context(), p.cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		restore()
		time.Sleep(reread)
		err := quote(t.Context(), p.cc)
		refused(t, "trusted", err, codes.Unavailable, "")
		if status.Convert(err).Message() != "closed for lunch" {
			t.Error(err)
		}
	})
}

// A refusal explains calls for as long as gRPC may wait to connect again, and no longer.
func TestOldFailuresExplainNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments", "mallory")
		var gone atomic.Bool
		evil := w.evilDialer(evilServerConfig(t, alpn), func(s evilServer) { _, _ = s.conn.Write(s.hello("mallory", nil)) })
		cc := dial(t, func(ctx context.Context, addr string) (net.Conn, error) {
			if gone.Load() {
				return nil, errors.New("connection refused")
			}
			return evil(ctx, addr)
		}, w.identity("orders").DialOptions(w.id("payments"))...)
		refused(t, "refused", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		gone.Store(true)
		time.Sleep(29 * time.Second)
		refused(t, "half a minute later", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		time.Sleep(2 * time.Second)
		refused(t, "a little later", quote(t.Context(), cc), codes.Unavailable, "")
	})
}

// Every call through a channel that expects nobody, or whose identity is no good, fails with the configuration.
func TestStatusOfBadConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		never := func(context.Context, string) (net.Conn, error) { return nil, errUnexpected }
		broken := auth.TrustDir(w.dir, w.id("orders")) // never enrolled
		t.Cleanup(func() { _ = broken.Close() })
		for name, channel := range map[string]*auth.Channel{
			"nobody expected": w.identity("orders2").Channel(nil),
			"no key":          broken.Channel([]principal.Pattern{w.id("payments")}),
		} {
			cc := dial(t, never, channel.DialOptions()...)
			err := quote(t.Context(), cc)
			refused(t, name, err, codes.FailedPrecondition, rpcerr.ConfigurationInvalid)
			if strings.Contains(status.Convert(err).Message(), w.dir) {
				t.Errorf("%s: the public message names a path: %v", name, err)
			}
			_, err = watch(t.Context(), cc)
			refused(t, name, err, codes.FailedPrecondition, rpcerr.ConfigurationInvalid)
		}
	})
}
