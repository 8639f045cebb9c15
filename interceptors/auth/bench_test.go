package auth_test

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// cpu is the processor time that the process has used.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkHandshake is one connection, both ends in this process. The difference between connection mode and plain TLS
// 1.3 is what the proofs cost.
func BenchmarkHandshake(b *testing.B) {
	w := newWorld(b)
	w.enroll("orders", "payments")
	parley := func(opts ...auth.Option) (client, server credentials.TransportCredentials) {
		return w.identity("orders", opts...).Channel([]principal.Pattern{w.id("payments")}).TransportCredentials(), w.identity("payments", opts...).Server(nil).TransportCredentials()
	}
	plain := func() (client, server credentials.TransportCredentials) {
		config := evilServerConfig(b)
		config.MinVersion = tls.VersionTLS13
		return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}), credentials.NewTLS(config)
	}
	run := func(b *testing.B, client, server credentials.TransportCredentials) {
		lis, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = lis.Close() }()
		before := cpu(b)
		b.ReportAllocs()
		for b.Loop() {
			done := make(chan net.Conn)
			go func() {
				raw, err := lis.Accept()
				if err != nil {
					b.Error(err)
				}
				conn, _, err := server.ServerHandshake(raw)
				if err != nil {
					b.Error(err)
				}
				done <- conn
			}()
			raw, err := new(net.Dialer).DialContext(b.Context(), "tcp", lis.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			conn, _, err := client.ClientHandshake(b.Context(), "payments", raw)
			if err != nil {
				b.Fatal(err)
			}
			_ = (<-done).Close()
			_ = conn.Close()
		}
		b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	}
	b.Run("TLS", func(b *testing.B) { client, server := plain(); run(b, client, server) })
	b.Run("Parley", func(b *testing.B) { client, server := parley(); run(b, client, server) })
}

// BenchmarkServerInterceptor is what connection mode adds to an RPC on the server.
func BenchmarkServerInterceptor(b *testing.B) {
	w := newWorld(b)
	w.enroll("orders", "payments")
	gate := w.identity("payments").Server(nil)
	contexts := make(chan context.Context, 1)
	s := serve(b, payments{quote: func(ctx context.Context) error { contexts <- ctx; return nil }}, gate.ServerOptions()...)
	if err := quote(b.Context(), dial(b, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)); err != nil {
		b.Fatal(err)
	}
	ctx := <-contexts
	info := &grpc.UnaryServerInfo{FullMethod: paymentsv1.PaymentsService_GetQuote_FullMethodName}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	b.Run("Unary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := gate.UnaryServerInterceptor(ctx, nil, info, handler); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("PeerFromContext", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := principal.PeerFromContext(ctx); !ok {
				b.Fatal("no peer")
			}
		}
	})
	streamInfo := &grpc.StreamServerInfo{FullMethod: paymentsv1.PaymentsService_WatchCharge_FullMethodName}
	streamHandler := func(any, grpc.ServerStream) error { return nil }
	b.Run("Stream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := gate.StreamServerInterceptor(nil, openStream{ctx: ctx}, streamInfo, streamHandler); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type openStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s openStream) Context() context.Context { return s.ctx }

// BenchmarkClientInterceptor is what connection mode adds to an RPC on the client, beside the record of the attempt.
func BenchmarkClientInterceptor(b *testing.B) {
	w := newWorld(b)
	w.enroll("orders", "payments")
	channel := w.identity("orders").Channel([]principal.Pattern{w.id("payments")})
	cc := dial(b, nil, channel.DialOptions()...)
	invoker := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := channel.UnaryClientInterceptor(b.Context(), "/a/b", nil, nil, cc, invoker); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnary is a whole RPC over memory, with TLS alone and with everything of this package.
func BenchmarkUnary(b *testing.B) {
	w := newWorld(b)
	w.enroll("orders", "payments")
	run := func(b *testing.B, cc *grpc.ClientConn) {
		client, request := paymentsv1.NewPaymentsServiceClient(cc), &paymentsv1.GetQuoteRequest{OrderId: "42"}
		if _, err := client.GetQuote(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		before := cpu(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := client.GetQuote(b.Context(), request); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	}
	b.Run("TLS", func(b *testing.B) {
		config := evilServerConfig(b)
		s := serve(b, payments{}, grpc.Creds(credentials.NewTLS(config)))
		run(b, dial(b, s.dialer, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}))))
	})
	b.Run("Parley", func(b *testing.B) {
		s := serve(b, payments{}, w.identity("payments").ServerOptions(nil)...)
		run(b, dial(b, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...))
	})
	for name, level := range map[string]policyv1.Proof{
		"TokenSession": policyv1.Proof_PROOF_SESSION, "TokenCall": policyv1.Proof_PROOF_CALL, "TokenWPT": policyv1.Proof_PROOF_WPT,
	} {
		b.Run(name, func(b *testing.B) {
			roots, certificate := w.certificate()
			table := tableOf(b, proofs(level))
			tokens := &tokenWorld{w, serve(b, payments{}, w.identity("payments").ServerOptions(table, auth.WithBearer(certificate))...), roots}
			run(b, tokens.channel(auth.WithProofPolicy(table)))
		})
	}
}
