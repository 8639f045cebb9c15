package authtest_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth/authtest"
)

// conn is a server in memory that decides by metadata. An error of the decision goes to the client as it is.
type conn struct {
	unary, stream func(metadata.MD) error
}

func (c conn) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	return c.unary(md)
}

func (c conn) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	md, _ := metadata.FromOutgoingContext(ctx)
	return answered{err: c.stream(md)}, nil
}

// answered is a stream whose server has ended it.
type answered struct {
	grpc.ClientStream
	err error
}

func (answered) SendMsg(any) error { return io.EOF }
func (answered) CloseSend() error  { return nil }
func (a answered) RecvMsg(any) error {
	if a.err == nil {
		return io.EOF
	}
	return a.err
}

// The ways in which a server loses a token before its verifier sees it.
func TestMutantServersAreRejected(t *testing.T) {
	refused := status.Error(codes.Unauthenticated, "")
	for name, mutant := range map[string]struct {
		// read is how the server finds the token.
		read func(metadata.MD) (token string, ok bool)
		by   int
	}{
		"":                          {exactly, 0},
		"takes the first of two":    {func(md metadata.MD) (string, bool) { return strings.CutPrefix(first(md["authorization"]), "Bearer ") }, 40},
		"is strict with the scheme": {func(md metadata.MD) (string, bool) { return strings.CutPrefix(first(md["authorization"]), "Bearer ") }, 40},
		"trims the token":           {func(md metadata.MD) (string, bool) { s, ok := exactly(md); return strings.TrimSpace(s), ok }, 40},
		"takes what stands before a comma": {func(md metadata.MD) (string, bool) {
			s, ok := exactly(md)
			s, _, _ = strings.Cut(s, ",")
			return s, ok
		}, 40},
		"takes a token without a scheme": {func(md metadata.MD) (string, bool) {
			if s := first(md["authorization"]); !strings.Contains(s, " ") {
				return s, s != ""
			}
			return exactly(md)
		}, 40},
		"takes a cookie": {func(md metadata.MD) (string, bool) {
			if s := first(md["cookie"]); s != "" {
				return strings.TrimPrefix(s, "Bearer "), true
			}
			return exactly(md)
		}, 41},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := authtest.NewIssuer()
				verify := newVerifier(issuer.Trust()).check
				decide := func(md metadata.MD) error {
					token, ok := mutant.read(md)
					if !ok || verify(t.Context(), token) != nil {
						return refused
					}
					return status.Error(codes.PermissionDenied, "who you are is not the question")
				}
				rows := servedBy(t, issuer, authtest.Server{Conn: conn{decide, decide}, Unary: "/a/b", Stream: "/a/c"})
				if mutant.by == 0 && len(rows) != 0 || mutant.by != 0 && !slices.Contains(rows, mutant.by) {
					t.Errorf("rejected by rows %v, want %d", rows, mutant.by)
				}
			})
		})
	}
	let := func(metadata.MD) error { return nil }
	refuse := func(metadata.MD) error { return refused }
	gone := func(metadata.MD) error { return status.Error(codes.Unavailable, "") }
	for name, server := range map[string]authtest.Server{
		"lets everybody in":       {Conn: conn{let, let}, Unary: "/a/b", Stream: "/a/c"},
		"asks in unary calls":     {Conn: conn{refuse, let}, Unary: "/a/b", Stream: "/a/c"},
		"asks in streams":         {Conn: conn{let, refuse}, Unary: "/a/b", Stream: "/a/c"},
		"is not there":            {Conn: conn{gone, gone}, Unary: "/a/b"},
		"has no method":           {Conn: conn{refuse, refuse}},
		"lets nobody in, streams": {Conn: conn{refuse, refuse}, Stream: "/a/c"},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := authtest.NewIssuer()
			if rows := servedBy(t, issuer, server); len(rows) == 0 {
				t.Errorf("a server that %s has passed", name)
			}
		})
	}
}

func servedBy(t *testing.T, issuer *authtest.Issuer, server authtest.Server) (rows []int) {
	for _, call := range issuer.Calls() {
		if call.Check(t.Context(), server) != nil {
			rows = append(rows, call.Row)
		}
	}
	return rows
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// exactly reads the authorization as it has to be read.
func exactly(md metadata.MD) (string, bool) {
	if len(md["authorization"]) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(md["authorization"][0], " ")
	return token, ok && strings.EqualFold(scheme, "bearer")
}

// Verify passes a verifier that leaves nothing out.
func TestAGoodVerifierPasses(t *testing.T) {
	authtest.Verify(t, func(_ *testing.T, trust authtest.Trust) authtest.Verifier { return newVerifier(trust).check })
}
