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
	// Unary is the full name of a unary method that demands a token, such as /shop.v1.Orders/Get. It is called with an
	// empty message. Empty leaves unary calls out.
	Unary string
	// Stream is the same of a streaming method. One of the two is required.
	Stream string
}

// Call is an attack on a server: an [Attack], or metadata that hides a good token.
type Call struct {
	Attack
	md metadata.MD
}

// Calls runs every attack against a gRPC server, each in a test of its own and two times, for what a cache may have
// kept. Open makes the server; it is called once.
func Calls(t *testing.T, open func(*testing.T, Trust) Server) {
	t.Helper()
	issuer := NewIssuer()
	server := open(t, issuer.Trust())
	calls := fresh(issuer.Calls)
	for n, call := range issuer.Calls() {
		t.Run(call.String(), func(t *testing.T) {
			for range 2 {
				if err := calls(n).Check(t.Context(), server); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Calls are the attacks that metadata can carry, and those on metadata itself. They are made now, and their times count
// from now.
func (i *Issuer) Calls() []Call {
	var calls []Call
	for _, attack := range i.Attacks() {
		if printable(attack.Token) {
			calls = append(calls, Call{attack, metadata.Pairs("authorization", "Bearer "+attack.Token)})
		}
	}
	token := i.Token()
	values := func(name string, good bool, values ...string) {
		calls = append(calls, Call{Attack{40, name, token, good}, metadata.MD{"authorization": values}})
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
	calls = append(calls, Call{Attack{Row: 41, Name: "no authorization"}, metadata.MD{}})
	for _, key := range []string{"authorization-bin", "proxy-authorization", "x-authorization", "cookie"} {
		calls = append(calls, Call{Attack{Row: 41, Name: "token in " + key, Token: token}, metadata.Pairs(key, "Bearer "+token)})
	}
	return calls
}

// printable reports whether gRPC sends the text in metadata.
func printable(text string) bool {
	for n := range len(text) {
		if text[n] < ' ' || text[n] > '~' {
			return false
		}
	}
	return true
}

// Check makes the call, unary and as a stream. A call that ends with UNAUTHENTICATED was refused. One that succeeds, or
// ends with a status of a handler or of a policy, was let in. With a server that cannot be reached or has no such
// method, nothing is decided, which is an error, too, as is a Server without methods.
func (c Call) Check(ctx context.Context, s Server) error {
	if s.Unary == "" && s.Stream == "" {
		return errors.New("authtest: the server has neither a unary nor a streaming method")
	}
	return errors.Join(c.check(ctx, "unary", s.Unary, s.unary), c.check(ctx, "stream", s.Stream, s.stream))
}

func (c Call) check(ctx context.Context, kind, method string, do func(context.Context) error) error {
	if method == "" {
		return nil
	}
	err := c.Attack.Check(ctx, func(ctx context.Context, _ string) error {
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
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (s Server) unary(ctx context.Context) error {
	return s.Conn.Invoke(ctx, s.Unary, &emptypb.Empty{}, &emptypb.Empty{})
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
