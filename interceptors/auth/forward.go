package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Forwarder passes metadata from an incoming call on to the calls that its handler makes. It passes only the keys of an
// allow-list. Make one with [Forward], and use its options only for channels within the trust domain, because a
// transaction token must not leave it. It is safe for concurrent use.
type Forwarder struct {
	keys      []string
	configErr error
}

// Forward returns a Forwarder of metadata keys; none stand for [TransactionTokenKey] alone. The transaction token goes
// on as it came, in every call of the handler, and any other key with the values that came. What the handler has set
// itself stays.
//
// [UserTokenKey] may be named: then the user's own token goes on, and every service that it reaches can use it wherever
// it is meant for. Name it only between a front and the one service behind it, never by habit. Keys that belong to one
// hop (authorization, parley-..., grpc-..., traceparent and the like) are mistakes, which [Forwarder.Check] and every
// call report.
func Forward(keys ...string) *Forwarder {
	if len(keys) == 0 {
		keys = []string{TransactionTokenKey}
	}
	f := &Forwarder{keys: slices.Clone(keys)}
	var errs []error
	for _, key := range f.keys {
		if problem := unforwardable(key); problem != "" {
			errs = append(errs, fmt.Errorf("auth: Forward: key %s %s", quote.Text(key), problem))
		}
	}
	f.configErr = errors.Join(errs...)
	return f
}

func unforwardable(key string) string {
	switch {
	case key == UserTokenKey:
		return ""
	case key == "" || strings.HasPrefix(key, ":") || key != strings.ToLower(key):
		return "is no metadata key; write it in lower case"
	case key == wire.AuthorizationKey:
		return "is the credential of one workload to another; a service calls with its own"
	case strings.HasPrefix(key, "parley-") || strings.HasPrefix(key, "grpc-") || strings.HasPrefix(key, "x-forwarded-"),
		key == "workload-identity-token", key == "workload-proof-token", key == "cookie", key == "te", key == "content-type", key == "user-agent":
		return "belongs to one hop; take it out"
	case key == "traceparent" || key == "tracestate" || key == "baggage":
		return "is passed on by tracing; take it out"
	default:
		return ""
	}
}

// Check returns the mistakes in the keys, joined.
func (f *Forwarder) Check() error { return f.configErr }

// String names the forwarder with its keys.
func (f *Forwarder) String() string { return "auth.Forward(" + quote.List(f.keys) + ")" }

// DialOptions returns both interceptors.
func (f *Forwarder) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(f.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(f.StreamClientInterceptor),
	}
}

// UnaryClientInterceptor adds the passed keys to the metadata of a call. Ctx must be derived from the handler's
// context.
func (f *Forwarder) UnaryClientInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if f.configErr != nil {
		return refuse(rpcerr.ConfigurationInvalid, f.configErr)
	}
	return invoker(f.carry(ctx), method, req, reply, cc, opts...)
}

// StreamClientInterceptor is [Forwarder.UnaryClientInterceptor] for streams.
func (f *Forwarder) StreamClientInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if f.configErr != nil {
		return nil, refuse(rpcerr.ConfigurationInvalid, f.configErr)
	}
	return streamer(f.carry(ctx), desc, cc, method, opts...)
}

func (f *Forwarder) carry(ctx context.Context) context.Context {
	var pairs []string
	for _, key := range f.keys {
		for _, value := range incoming(ctx, key) {
			pairs = append(pairs, key, value)
		}
	}
	if len(pairs) == 0 {
		return ctx
	}
	set, _ := metadata.FromOutgoingContext(ctx)
	if len(set) > 0 {
		pairs = withoutSet(pairs, set)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// withoutSet leaves out what the handler has set itself.
func withoutSet(pairs []string, set metadata.MD) []string {
	var kept []string
	for i := 0; i < len(pairs); i += 2 {
		if len(set.Get(pairs[i])) == 0 {
			kept = append(kept, pairs[i], pairs[i+1])
		}
	}
	return kept
}

// incoming are the values of a key of the incoming call. The tokens of users are no longer in its metadata.
func incoming(ctx context.Context, key string) []string {
	if key == UserTokenKey || key == TransactionTokenKey {
		if u := receivedUserFrom(ctx); u != nil && u.key == key {
			return []string{u.compact}
		}
		return nil
	}
	return metadata.ValueFromIncomingContext(ctx, key)
}

// AttachUserToken returns a context whose calls carry the access token of an end user. It replaces a token that was
// attached before. It is for the program at which the user has logged in. The channel must be one of this package, or
// TLS.
func AttachUserToken(ctx context.Context, token string) context.Context {
	return attach(ctx, UserTokenKey, token)
}

// AttachTransactionToken returns a context whose calls carry a transaction token. It replaces a token that was attached
// before or is being forwarded. It is for the service at the edge, which has exchanged the user's own token for it.
func AttachTransactionToken(ctx context.Context, token string) context.Context {
	return attach(ctx, TransactionTokenKey, token)
}

func attach(ctx context.Context, key, token string) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}
	md.Set(key, token)
	return metadata.NewOutgoingContext(ctx, md)
}

// Within reports whether every server that the channel expects belongs to the trust domain, so that transaction tokens
// may go there.
func (c *Channel) Within(d principal.TrustDomain) bool {
	for _, p := range c.expected {
		if !principal.IsPattern(p) || p.TrustDomain() != d {
			return false
		}
	}
	return !d.IsZero() && len(c.expected) > 0
}
