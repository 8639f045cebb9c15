package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Server is a gRPC server under test, as [Calls] reaches it.
type Server struct {
	// Conn leads to the server. Nothing on it may add metadata or try again.
	Conn grpc.ClientConnInterface
	// Unary is the full name of a unary method that demands a token, such as /shop.v1.Orders/Get. It is called with an empty
	// message. Empty leaves unary calls out.
	Unary string
	// Stream is the same of a streaming method. One of the two is required.
	Stream string
}

// Calls runs every attack against a gRPC server, in unary calls and in streams, and those on metadata as well. A call that ends
// with UNAUTHENTICATED was refused. One that succeeds, or ends with a status of a handler or of its policy, was let in. A server that
// cannot be reached, or has no such method, fails the test. Open is called once.
func Calls(t *testing.T, open func(*testing.T, Trust) Server) {
	t.Helper()
	issuer := NewIssuer()
	server := open(t, issuer.Trust())
	if server.Unary == "" && server.Stream == "" {
		t.Fatal("authtest: the server has neither a unary nor a streaming method")
	}
	attacks := callsOf(issuer)
	for kind, call := range server.kinds() {
		for _, attack := range attacks {
			t.Run(attack.String()+", "+kind, func(t *testing.T) {
				for range 2 {
					if err := attack.check(t.Context(), call); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// call is an attack in metadata.
type call struct {
	Attack
	md metadata.MD
}

func callsOf(i *Issuer) []call {
	var calls []call
	for _, attack := range i.Attacks() {
		if printable(attack.Token) {
			calls = append(calls, call{attack, metadata.Pairs("authorization", "Bearer "+attack.Token)})
		}
	}
	token := i.Token()
	values := func(name string, good bool, values ...string) {
		calls = append(calls, call{Attack{40, name, token, good}, metadata.MD{"authorization": values}})
	}
	values("two values", false, "Bearer "+token, "Bearer "+token)
	values("two values, the second one bad", false, "Bearer "+token, "Basic x")
	values("comma", false, "Bearer "+token+",Bearer "+token)
	values("lower-case scheme", true, "bearer "+token)
	values("upper-case scheme", true, "BEARER "+token)
	values("other scheme", false, "DPoP "+token)
	values("no scheme", false, token)
	values("two spaces", false, "Bearer  "+token)
	values("no token", false, "Bearer ")
	calls = append(calls, call{Attack{Row: 41, Name: "no authorization"}, metadata.MD{}})
	for _, key := range []string{"authorization-bin", "proxy-authorization", "x-authorization", "cookie"} {
		calls = append(calls, call{Attack{Row: 41, Name: "token in " + key}, metadata.Pairs(key, "Bearer "+token)})
	}
	return calls
}

// printable tells whether gRPC sends the text in metadata.
func printable(text string) bool {
	for n := range len(text) {
		if text[n] < ' ' || text[n] > '~' {
			return false
		}
	}
	return true
}

func (c call) check(ctx context.Context, do func(context.Context) error) error {
	return c.Check(ctx, func(ctx context.Context, _ string) error {
		err := do(metadata.NewOutgoingContext(ctx, c.md))
		switch status.Code(err) {
		case codes.Unauthenticated:
			return err
		case codes.Unavailable, codes.Unimplemented, codes.Canceled, codes.DeadlineExceeded, codes.Unknown, codes.Internal:
			if c.Row == 42 {
				return err // the transport has its own bound
			}
			return fmt.Errorf("%w: %w", ErrUndecided, err)
		default:
			return nil
		}
	})
}

// kinds are the kinds of call that the server takes.
func (s Server) kinds() map[string]func(context.Context) error {
	kinds := map[string]func(context.Context) error{}
	if s.Unary != "" {
		kinds["unary"] = func(ctx context.Context) error {
			return s.Conn.Invoke(ctx, s.Unary, &emptypb.Empty{}, &emptypb.Empty{})
		}
	}
	if s.Stream != "" {
		kinds["stream"] = s.stream
	}
	return kinds
}

func (s Server) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, s.Stream)
	if err != nil {
		return err
	}
	// An error of sending is io.EOF, and RecvMsg tells the status.
	if err := errors.Join(stream.SendMsg(&emptypb.Empty{}), stream.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
