package framework

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Client is a client of one service. It implements grpc.ClientConnInterface: pass it to the New...Client functions of
// generated code. It connects when it is first used, and the App closes it. It is safe for concurrent use.
type Client struct {
	clientSettings
	app *App

	open   atomic.Pointer[channel]
	tokens clientTokens
	stated rawDialOptions
	auth   func() (*auth.Channel, error) // makes the channel once, so that repeated checks do not leave channels behind

	mu     sync.Mutex
	failed error
	closed bool
}

// clientSettings are the values of the arguments and options of a Client.
type clientSettings struct {
	name    string
	options []ClientOption

	target        string
	host          string // as a mesh knows it
	peers         []string
	dialer        func(context.Context, string) (net.Conn, error)
	grpcOptions   []grpc.DialOption
	spread        grpcbalancer.Balancing
	retry         []retry.Option
	callUnary     []grpc.UnaryClientInterceptor
	callStream    []grpc.StreamClientInterceptor
	attemptUnary  []grpc.UnaryClientInterceptor
	attemptStream []grpc.StreamClientInterceptor
}

// channel is an opened client: the connection and the chain in front of it.
type channel struct {
	conn    *grpc.ClientConn
	retrier *retry.Retrier
	auth    *auth.Channel
	states  *grpcbalancer.EndpointStates
	routed  policy.Destination // with which it was opened

	unfollow func() // ends the subscription of the endpoints; nil if there is none

	unary  grpc.UnaryInvoker
	stream grpc.Streamer
}

var _ grpc.ClientConnInterface = (*Client)(nil)

// Invoke performs a unary RPC. Generated code calls it. In addition to the errors of the call it returns two errors. If
// [App.Check] finds mistakes in the App itself, in this client or, before [App.Run], in the clients section of the
// configuration, it returns them with the code FAILED_PRECONDITION. After the App has stopped, it returns [ErrClosed].
func (c *Client) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ch, err := c.channel()
	if err != nil {
		return err
	}
	return ch.unary(ctx, method, args, reply, ch.conn, opts...)
}

// NewStream opens a stream. Generated code calls it. It returns the same errors as [Client.Invoke].
func (c *Client) NewStream(
	ctx context.Context,
	desc *grpc.StreamDesc,
	method string,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ch, err := c.channel()
	if err != nil {
		return nil, err
	}
	return ch.stream(ctx, desc, ch.conn, method, opts...)
}

// channel returns the opened channel. The first use opens it.
func (c *Client) channel() (*channel, error) {
	if ch := c.open.Load(); ch != nil {
		return ch, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ch := c.open.Load(); {
	case ch != nil:
		return ch, nil
	case c.closed:
		return nil, closedError{}
	case c.failed != nil:
		return nil, c.failed
	}
	if err := errors.Join(c.app.checkSelf(), c.check(), c.app.checkFirstCall()); err != nil {
		c.failed = rpcerr.New(rpcerr.ConfigurationInvalid, err.Error(), err)
		return nil, c.failed
	}
	ch, err := c.connect()
	if err != nil {
		c.failed = rpcerr.New(rpcerr.ConfigurationInvalid, err.Error(), err)
		return nil, c.failed
	}
	c.open.Store(ch)
	return ch, nil
}

// close ends the client's background waits and closes its connection. Later RPCs are refused.
func (c *Client) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	ch := c.open.Swap(nil)
	if ch == nil {
		return c.tokens.close()
	}
	if ch.unfollow != nil {
		ch.unfollow()
	}
	return errors.Join(ch.retrier.Close(), ch.conn.Close(), c.tokens.close())
}

// isRaw reports whether name is a gRPC target instead of the name of a service.
func isRaw(name string) bool { return strings.ContainsAny(name, ":/") }

// effectiveTarget returns the gRPC target that the client dials.
func (c *Client) effectiveTarget() string {
	switch conf := c.config(); {
	case conf.GetTarget() != "":
		return conf.GetTarget()
	case c.target != "":
		return c.target
	case isRaw(c.name):
		return c.name
	}
	return discoveryScheme + ":///" + c.name
}

// meshHost returns the host under which the routes of a mesh know the called service: the configured one, or else that
// of the target. A socket of the file system has none.
func (c *Client) meshHost() string {
	if host := c.config().GetHost(); host != "" {
		return host
	}
	if c.host != "" {
		return c.host
	}
	target := c.effectiveTarget()
	if scheme, rest, ok := strings.Cut(target, "://"); ok {
		_, target, _ = strings.Cut(rest, "/")
		if strings.HasPrefix(scheme, "unix") {
			return ""
		}
	}
	if strings.HasPrefix(target, "unix:") {
		return ""
	}
	if rest, ok := strings.CutPrefix(target, "dns:"); ok {
		return rest
	}
	return target
}

// table returns the policies as the calls of the client have them.
func (c *Client) table() *policy.Table { return c.app.parts.table.Toward(c.meshHost()) }

// raw reads the raw dial options of the client, once.
func (c *Client) raw() *rawDialOptions {
	c.stated.read(c.grpcOptions, c.name, c.controlled())
	return &c.stated
}

// checkTarget refuses a target that looks like a URL and whose scheme has no resolver. gRPC would take the whole target
// for a host name.
func (c *Client) checkTarget() error {
	target := c.effectiveTarget()
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || c.inDiscovery() || c.controlled() || c.raw().resolvers || resolver.Get(scheme) != nil {
		return nil
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if scheme == "http" || scheme == "https" {
		return fmt.Errorf(
			"Client(%q): target %q: a gRPC target is not an HTTP URL; write dns:///%s, with a port",
			c.name,
			target,
			host,
		)
	}
	return fmt.Errorf(
		"Client(%q): target %q: no resolver of this program knows the scheme %s; write dns:///%s, with a port",
		c.name,
		target,
		scheme,
		host,
	)
}

func (c *Client) inDiscovery() bool {
	return strings.HasPrefix(c.effectiveTarget(), discoveryScheme+":")
}

// expected returns the expected identities of the server.
func (c *Client) expected() ([]principal.Pattern, error) {
	peers, place := c.peers, "WithPeers"
	if conf := c.config(); len(conf.GetPeers()) > 0 {
		peers, place = conf.GetPeers(), "clients."+c.name+".peers"
	}
	if len(peers) == 0 {
		if isRaw(c.name) {
			return nil, fmt.Errorf(
				"Client(%q): a target does not have an expected identity; set the expected identities "+
					"with WithPeers, or pass the name of the service and set the target with WithTarget",
				c.name,
			)
		}
		id, err := c.app.parts.domain.ID(c.name)
		if err != nil {
			return nil, fmt.Errorf("Client(%q): %w", c.name, err)
		}
		return []principal.Pattern{id}, nil
	}
	var errs []error
	patterns := make([]principal.Pattern, 0, len(peers))
	for _, peer := range peers {
		p, err := c.app.parts.domain.ParsePeer(peer)
		if err != nil {
			errs = append(errs, fmt.Errorf("Client(%q): %s: %w", c.name, place, err))
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns, errors.Join(errs...)
}

func (c *Client) check() error {
	var errs []error
	if c.name == "" {
		errs = append(errs, errors.New(`Client(""): a client needs the name of the service that it calls`))
	}
	if c.inDiscovery() && c.app.parts.registry == nil && !c.app.parts.unread {
		errs = append(
			errs,
			fmt.Errorf(
				"Client(%q): discovery is not configured; set discovery.driver, "+
					"or set the address with clients.%s.target or WithTarget",
				c.name,
				c.name,
			),
		)
	}
	errs = append(errs, c.checkAuth())
	retrier := c.makeRetrier()
	if err := retrier.Check(); err != nil {
		errs = append(errs, fmt.Errorf("Client(%q): %w", c.name, err))
	}
	errs = append(errs, c.checkTarget(), c.raw().err, c.checkBalancing(), c.checkKeepalive(), c.checkControlPlane(),
		retrier.Close())
	return errors.Join(errs...)
}
