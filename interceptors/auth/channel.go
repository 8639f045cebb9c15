package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Channel is the client's side of one grpc.ClientConn: its transport credentials, which require a proof from every
// server, and its innermost interceptors, which return the reason if there is no connection. Make one with
// [Identity.Channel]. It is safe for concurrent use and need not be closed.
type Channel struct {
	identity  *workload
	follower  follower
	expected  []principal.Pattern
	config    channelConfig
	options   []string
	configErr error
	failure   atomic.Pointer[failure]
	conn      atomic.Pointer[grpc.ClientConn]  // the last one that was found to have the credentials of the channel
	managed   credentials.TransportCredentials // nil where nobody manages the TLS of the channel

	// In token mode.
	audience  principal.ID
	source    tokens.Source
	levels    *policy.View[policy.Proof]
	session   atomic.Pointer[credential]
	beginning sync.Mutex    // of a session
	renewing  chan struct{} // holds whoever renews the token
	renewed   time.Time
}

func newChannel(i *workload, expected []principal.Pattern, opts []ChannelOption) *Channel {
	c := &Channel{identity: i, expected: slices.Clone(expected)}
	for _, o := range opts {
		if o != nil {
			o.applyChannel(&c.config)
			c.options = append(c.options, o.String())
		}
	}
	c.configErr = c.checkExpected()
	if c.config.mode != ModeRequire {
		c.configErr = errors.Join(c.configErr, c.setTokenMode())
	}
	c.configErr = errors.Join(c.configErr, c.setManagedTLS())
	if c.config.mode == ModeRequire && (c.config.source != nil || c.config.roots != nil || c.config.serverName != "") {
		c.configErr = errors.Join(c.configErr, errors.New("auth: Channel: WithTokenSource, WithRoots and "+
			"WithServerName have no meaning in connection mode; set WithMode, or leave them out"))
	}
	c.follower.changed = c.credentialChanged
	i.followers.add(&c.follower)
	return c
}

func (c *Channel) setManagedTLS() (err error) {
	if c.config.managed != nil && c.config.mode != ModeToken {
		return fmt.Errorf("auth: Channel: WithManagedTLS secures connections that prove no identity, which mode %v "+
			"does not make; set WithMode(ModeToken), or leave it out", c.config.mode)
	}
	c.managed, err = c.config.managed.credentials()
	return err
}

// setTokenMode makes what token mode needs.
func (c *Channel) setTokenMode() error {
	var errs []error
	if c.config.mode != ModePrefer && c.config.mode != ModeToken {
		errs = append(errs, fmt.Errorf("auth: WithMode(%d): there is no such mode; use ModeRequire, ModePrefer or "+
			"ModeToken", c.config.mode))
	}
	if len(c.expected) == 1 {
		switch one := c.expected[0].(type) {
		case principal.ID:
			c.audience = one
		case *principal.ID:
			if one != nil {
				c.audience = *one
			}
		}
	}
	if c.audience.IsZero() {
		errs = append(errs, fmt.Errorf("auth: Channel: mode %v needs exactly one expected server and no pattern, "+
			"because a token is for one server; name it", c.config.mode))
	}
	if c.source = c.config.source; c.source == nil {
		c.source = newOwnTokens(c.identity)
		if len(c.identity.kind.issuers()) > 0 {
			errs = append(errs, errors.New("auth: Channel: servers do not know the key of a workload that an issuer "+
				"vouches for; say WithTokenSource where its tokens come from, such as tokens.FromIssuer"))
		}
	}
	table := c.config.table
	if table == nil {
		table = policy.FromProto()
	}
	c.levels = policy.NewView(table, func(m policy.Method) (policy.Proof, error) { return m.Auth.Proof.Value, nil })
	runtime.AddCleanup(c, func(levels *policy.View[policy.Proof]) { levels.Close() }, c.levels)
	c.renewing = make(chan struct{}, 1)
	return errors.Join(errs...)
}

func (c *Channel) checkExpected() error {
	if len(c.expected) == 0 {
		return errors.New("auth: Channel: no server is expected; name the IDs that the server may prove, such as " +
			"spiffe://shop.example/payments")
	}
	var errs []error
	for n, p := range c.expected {
		switch {
		case !principal.IsPattern(p):
			errs = append(errs, fmt.Errorf("auth: Channel: expected server %d is no ID; make it with ParseID, "+
				"TrustDomain.ID or ParsePattern", n+1))
		case !c.identity.accepts(p.TrustDomain()):
			errs = append(errs, fmt.Errorf("auth: Channel: expected server %s is of trust domain %s, which is not "+
				"accepted; accept it WithAcceptDomains", p, p.TrustDomain()))
		}
	}
	return errors.Join(errs...)
}

// Check returns every mistake in the channel and in its identity, joined; see [Identity.Check].
func (c *Channel) Check() error { return errors.Join(c.configErr, c.identity.Check()) }

// DialOptions returns the options of the transport and both interceptors.
func (c *Channel) DialOptions() []grpc.DialOption {
	return append(c.TransportOptions(),
		grpc.WithChainUnaryInterceptor(c.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(c.StreamClientInterceptor),
	)
}

// TransportOptions returns the credentials of the connection and, in token mode, those of each call. The wait between
// two attempts to connect begins at 50 milliseconds, so that a server that restarts is back soon, and grows to 5
// seconds, so that a server that was refused is back soon after the trust has changed. Later options of the same kind
// override them. They need the interceptors: in token mode, a call without them has no token, and the identity of its
// server is not verified.
func (c *Channel) TransportOptions() []grpc.DialOption {
	waits := backoff.DefaultConfig
	waits.BaseDelay, waits.MaxDelay = connectBackoff, maxConnectBackoff
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(c.TransportCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: waits, MinConnectTimeout: minConnectTimeout}),
	}
	if c.config.mode != ModeRequire {
		options = append(options, grpc.WithPerRPCCredentials(callCredentials{c}))
	}
	return options
}

// String names the channel with its options.
func (c *Channel) String() string {
	text := "auth.Channel("
	for n, p := range c.expected {
		if n > 0 {
			text += ", "
		}
		text += fmt.Sprint(p)
	}
	for _, o := range c.options {
		text += ", " + o
	}
	return text + ")"
}

// TransportCredentials returns the credentials of the channel. They work with any target and dialer; without the
// interceptors beside them a refusal shows only as the code UNAVAILABLE with its reason in the text.
func (c *Channel) TransportCredentials() credentials.TransportCredentials {
	return &clientCredentials{channel: c}
}

// UnaryClientInterceptor runs each attempt of a call on the wire. It must be the innermost one. If there is no
// connection because a handshake failed, it returns the status of that failure instead of UNAVAILABLE, or instead of
// DEADLINE_EXCEEDED if the call waited for a connection. See package rpcerr for the reasons.
func (c *Channel) UnaryClientInterceptor(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := c.begin(ctx, cc); err != nil {
		return err
	}
	if c.config.mode != ModeRequire {
		return c.attemptUnary(ctx, method, req, reply, cc, invoker, opts)
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
	if c.config.mode != ModeRequire {
		return c.attemptStream(ctx, desc, cc, method, streamer, opts)
	}
	ctx, a := attempt.Ensure(ctx)
	stream, err := a.NewStream(ctx, desc, cc, method, streamer, opts...)
	if err != nil {
		return nil, c.explain(err, a, cc)
	}
	return &plannedEndStream{stream}, nil
}

// begin refuses calls of a channel that cannot work, and calls on connections that the channel does not secure.
func (c *Channel) begin(ctx context.Context, cc *grpc.ClientConn) error {
	if c.configErr != nil {
		return refuse(rpcerr.ConfigurationInvalid, c.configErr)
	}
	if c.conn.Load() != cc {
		if !c.secures(cc) {
			return refuse(rpcerr.ServerProofMissing, errors.New("the ClientConn was not made with the transport credentials "+
				"of the channel, so nothing is sent over it; pass no other credentials to grpc.NewClient"))
		}
		c.conn.Store(cc)
	}
	if c.identity.ready.Load() == nil {
		if _, err := c.identity.usable(ctx); err != nil {
			return refuse(rpcerr.ConfigurationInvalid, err)
		}
	}
	return nil
}

// secures reports whether cc was made with the transport credentials of the channel. gRPC has no other way to ask
// before a request is sent. Where its ClientConn does not look as expected the answer is no.
func (c *Channel) secures(cc *grpc.ClientConn) bool {
	options := reflect.ValueOf(cc).Elem().FieldByName("dopts")
	if !options.IsValid() || options.Kind() != reflect.Struct {
		return false
	}
	connection := options.FieldByName("copts")
	if !connection.IsValid() || connection.Kind() != reflect.Struct {
		return false
	}
	bundle, used := connection.FieldByName("CredsBundle"), connection.FieldByName("TransportCredentials")
	if !bundle.IsValid() || !bundle.IsNil() || !used.IsValid() || used.IsNil() {
		return false
	}
	own := used.Elem()
	return own.Type() == reflect.TypeFor[*clientCredentials]() &&
		own.Elem().FieldByName("channel").Pointer() == reflect.ValueOf(c).Pointer()
}

// credentialChanged ends the explanation of failed calls by a refusal of the old credential. A change of trust does
// not: until the next handshake has ended, calls that find no connection owe the status of the last one. gRPC tries
// again within seconds, see maxConnectBackoff; grpc.ClientConn.ResetConnectBackoff would make that sooner, and races
// with its own balancer (v1.85.0 reads the map of its connections without a lock).
func (c *Channel) credentialChanged() { c.failure.Store(nil) }
