package interop_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// stack is a way to serve and to call the suite.
type stack struct {
	name string
	// serve serves until the test ends, and returns the address.
	serve func(t *testing.T, trust string, seen *witness) string
	// dial makes the client in the child process.
	dial func(addr, trust string) (client grpc.ClientConnInterface, hangUp func() error, err error)
}

func stacks() []stack {
	return []stack{
		// The control: a case that fails here says nothing about Parley.
		{name: "plain", serve: servePlain, dial: dialPlain},
		{name: "parley", serve: serveParley, dial: dialParley},
	}
}

func servePlain(t *testing.T, _ string, seen *witness) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(seen.unary), grpc.StreamInterceptor(seen.stream))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dialPlain(addr, _ string) (grpc.ClientConnInterface, func() error, error) {
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, err
	}
	return cc, cc.Close, nil
}

// witness stands in front of the handlers and notes who calls them.
type witness struct {
	note func(ctx context.Context, method string)
}

func (w *witness) unary(
	ctx context.Context,
	req any,
	info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	w.note(ctx, info.FullMethod)
	return handler(ctx, req)
}

func (w *witness) stream(
	srv any,
	stream grpc.ServerStream,
	info *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	w.note(stream.Context(), info.FullMethod)
	return handler(srv, stream)
}
