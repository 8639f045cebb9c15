package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

// payload makes a request of 100 bytes.
var payload = strings.Repeat("x", 98)

// stack is a client and a server of one make, ready to be called.
type stack struct {
	name   string
	client paymentsv1.PaymentsServiceClient
	close  func() error
}

type handler struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (handler) GetQuote(_ context.Context, req *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{Replica: req.GetOrderId()}, nil
}

// openStacks opens every stack; the first is the base that the others are compared with.
func openStacks(ctx context.Context) ([]*stack, error) {
	open := []func(context.Context) (*stack, error){
		plain("plain grpc-go with TLS"),
		plain("plain grpc-go with TLS, and a trace context", grpc.WithUnaryInterceptor(sendTraceContext)),
		parley("Parley, everything on, nothing sampled", framework.WithEnviron([]string{"OTEL_TRACES_SAMPLER=always_off"})),
		parley("Parley, everything on, every call sampled", framework.WithEnviron(nil), framework.WithTracerProvider(sampleAll())),
	}
	var stacks []*stack
	for _, o := range open {
		s, err := o(ctx)
		if err != nil {
			return stacks, err
		}
		stacks = append(stacks, s)
	}
	return stacks, nil
}

func closeStacks(stacks []*stack) {
	for _, s := range stacks {
		if err := s.close(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: closing %s: %v\n", s.name, err)
		}
	}
}

// sendTraceContext sends what every traced call sends, sampled or not: an ID of its own. HPACK cannot compress it, and it
// drives other headers out of the tables of both ends.
func sendTraceContext(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // never fails
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, ids[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, ids[16:])
	text = append(text, "-00"...)
	return invoker(metadata.AppendToOutgoingContext(ctx, "traceparent", string(text)), method, req, reply, cc, opts...)
}

// plain is grpc-go with TLS and nothing else but options.
func plain(name string, options ...grpc.DialOption) func(context.Context) (*stack, error) {
	return func(ctx context.Context) (*stack, error) { return openPlain(ctx, name, options) }
}

func openPlain(ctx context.Context, name string, options []grpc.DialOption) (*stack, error) {
	cert, roots, err := certificate()
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	paymentsv1.RegisterPaymentsServiceServer(server, handler{})
	go func() { _ = server.Serve(l) }()
	secure := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}))
	conn, err := grpc.NewClient(l.Addr().String(), append(slices.Clip(options), secure)...)
	if err != nil {
		return nil, err
	}
	return &stack{name, paymentsv1.NewPaymentsServiceClient(conn), func() error {
		err := conn.Close()
		server.Stop()
		return err
	}}, nil
}

// sampleAll samples every call and throws the spans away when they have been batched for export.
func sampleAll() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(nullExporter{}))
}

type nullExporter struct{}

func (nullExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nullExporter) Shutdown(context.Context) error                             { return nil }

// parley is Parley with connection mode, policy, retry, deadline, metrics and tracing.
func parley(name string, options ...framework.Option) func(context.Context) (*stack, error) {
	return func(ctx context.Context) (*stack, error) {
		dir, err := os.MkdirTemp("", "parley-bench-")
		if err != nil {
			return nil, err
		}
		paymentsID, err1 := identity(dir, "payments")
		ordersID, err2 := identity(dir, "orders")
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		quiet := framework.WithLogger(slog.New(slog.DiscardHandler))
		server := framework.New("payments", append(slices.Clip(options), framework.WithIdentity(paymentsID), quiet)...)
		listening := server.Server("127.0.0.1:0")
		paymentsv1.RegisterPaymentsServiceServer(listening, handler{})
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		select {
		case <-server.Ready():
		case err := <-ended:
			stop()
			return nil, err
		}
		client := framework.New("orders", append(slices.Clip(options), framework.WithIdentity(ordersID), quiet)...)
		conn := client.Client("payments", framework.WithTarget(listening.Addr().String()))
		return &stack{name, paymentsv1.NewPaymentsServiceClient(conn), func() error {
			err := client.Close()
			stop()
			return errors.Join(err, <-ended, ordersID.Close(), paymentsID.Close(), os.RemoveAll(dir))
		}}, nil
	}
}

func identity(dir, name string) (*auth.Identity, error) {
	id, err := auth.ParseID("spiffe://bench.example/" + name)
	if err != nil {
		return nil, err
	}
	i := auth.TrustDir(dir, id, auth.WithEnroll())
	return i, i.Check()
}

func certificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}
