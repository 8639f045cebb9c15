package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// Channel is the client's side of one grpc.ClientConn: its transport credentials, which demand proof from every server,
// and the innermost interceptors, which say why no connection can be had. Make one with [Identity.Client]. It is safe for
// concurrent use and needs no closing.
type Channel struct {
	identity *Identity
	expected []Pattern
	flaw     error
	failure  atomic.Pointer[failure]
	refused  atomic.Bool // since the trust changed last, by either side
	conns    connSet
}

func newChannel(i *Identity, expected []Pattern) *Channel {
	c := &Channel{identity: i, expected: slices.Clone(expected)}
	c.flaw = c.checkExpected()
	i.channels.add(c)
	return c
}

func (c *Channel) checkExpected() error {
	if len(c.expected) == 0 {
		return errors.New("auth: Client: no server is expected; name the IDs that the server may prove, such as spiffe://shop.example/payments")
	}
	var errs []error
	for n, p := range c.expected {
		switch {
		case isNoPattern(p):
			errs = append(errs, fmt.Errorf("auth: Client: expected server %d is no ID; make it with ParseID, TrustDomain.ID or ParsePattern", n+1))
		case !c.identity.accepts(p.trustDomain()):
			errs = append(errs, fmt.Errorf("auth: Client: expected server %s is of trust domain %s, which is not accepted; accept it WithAcceptDomains", p, p.trustDomain()))
		}
	}
	return errors.Join(errs...)
}

// Expected are the IDs of which the server must prove one.
func (c *Channel) Expected() []Pattern { return slices.Clone(c.expected) }

// Check returns every mistake in the channel and in its identity, joined; see [Identity.Check].
func (c *Channel) Check() error { return errors.Join(c.flaw, c.identity.Check()) }

// DialOptions returns the credentials and both interceptors.
func (c *Channel) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(c.TransportCredentials()),
		grpc.WithChainUnaryInterceptor(c.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(c.StreamClientInterceptor),
	}
}

// TransportCredentials returns the credentials of the channel. They work with any target and dialer; without the
// interceptors beside them a refusal shows only as the code UNAVAILABLE with its reason in the text.
func (c *Channel) TransportCredentials() credentials.TransportCredentials {
	return &clientCredentials{channel: c}
}

// UnaryClientInterceptor runs each attempt of a call on the wire. It must be the innermost one. When no connection can be
// had because a handshake failed, it returns the status of that failure in the place of UNAVAILABLE, or of
// DEADLINE_EXCEEDED when the call waited for a connection; see package rpcerr for the reasons.
func (c *Channel) UnaryClientInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := c.begin(ctx, cc); err != nil {
		return err
	}
	ctx, a := attempt.Ensure(ctx)
	err := a.Invoke(ctx, method, req, reply, cc, invoker, opts...)
	if err != nil {
		return c.explain(err, a, cc)
	}
	return nil
}

// StreamClientInterceptor is [Channel.UnaryClientInterceptor] for streams.
func (c *Channel) StreamClientInterceptor(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := c.begin(ctx, cc); err != nil {
		return nil, err
	}
	ctx, a := attempt.Ensure(ctx)
	stream, err := a.NewStream(ctx, desc, cc, method, streamer, opts...)
	if err != nil {
		return nil, c.explain(err, a, cc)
	}
	return stream, nil
}

// begin refuses calls of a channel that cannot work, and remembers whose channel it is.
func (c *Channel) begin(ctx context.Context, cc *grpc.ClientConn) error {
	if c.flaw != nil {
		return refuse(rpcerr.ConfigurationInvalid, c.flaw)
	}
	if c.identity.ready.Load() == nil {
		if _, err := c.identity.usable(ctx); err != nil {
			return refuse(rpcerr.ConfigurationInvalid, err)
		}
	}
	c.conns.see(cc)
	return nil
}

// trustChanged lets servers that were refused be tried again at once. Other channels are left alone: grpc-go 1.85 walks a
// map without its lock in ResetConnectBackoff, which can end the process when subchannels come and go at the same moment
// (grpc/grpc-go#9155).
func (c *Channel) trustChanged() {
	c.failure.Store(nil)
	if c.refused.Swap(false) {
		c.conns.resetBackoff()
	}
}
