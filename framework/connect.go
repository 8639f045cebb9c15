package framework

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// discoveryScheme is the scheme of targets that discovery resolves.
const discoveryScheme = "parley"

// connect makes the chain and the connection. The connection dials when it is first used.
func (c *Client) connect() (*channel, error) {
	ch := &channel{states: grpcbalancer.NewEndpointStates(c.logger()), routed: c.table().Destination()}
	more := c.followEndpoints(ch)
	ch.retrier = c.app.budgets.join(c.effectiveTarget(), func(budget ...retry.Option) *retry.Retrier {
		return c.makeRetrier(append(more, budget...)...)
	}, retry.WithMeterProvider(c.app.meters(), c.effectiveTarget()))
	var options []grpc.DialOption
	if c.inDiscovery() {
		found := grpcresolver.Builder(c.app.parts.registry, discoveryScheme)
		// This is like grpcresolver.DialOptions. gRPC uses the first resolver of a scheme.
		options = append(options, grpc.WithResolvers(ch.states.Resolver(found)), grpc.WithNoProxy())
	}
	// Of other options gRPC uses the last one, so Parley's own come after those of the program.
	options = append(options, c.grpcOptions...)
	options = append(options, grpc.WithDisableRetry())
	options = append(options, c.balancingOptions()...)
	if c.app.parts.identity == nil {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	} else {
		var err error
		if ch.auth, err = c.auth(); err != nil {
			return nil, err
		}
		options = append(options, ch.auth.TransportOptions()...)
	}
	options = append(options, c.connectionOptions()...)
	if dial := c.dial(); dial != nil {
		options = append(options, grpc.WithContextDialer(grpcbalancer.Dialer(dial)))
	}
	// These come last, so that a resolver of the program for the same scheme has precedence.
	options = append(options, grpc.WithResolvers(ch.states.Resolver(resolver.Get("dns"))))
	conn, err := grpc.NewClient(c.effectiveTarget(), options...)
	if err != nil {
		return nil, fmt.Errorf("Client(%q): target %q: %w", c.name, c.effectiveTarget(), err)
	}
	ch.conn = conn
	ch.link(c.chain(ch))
	return ch, nil
}

// followEndpoints passes the number of endpoints of the service to the retrier, because a service with one endpoint is
// not hedged.
func (c *Client) followEndpoints(ch *channel) []retry.Option {
	if !c.inDiscovery() {
		return nil
	}
	var endpoints atomic.Int64
	ch.unfollow = c.app.parts.registry.Subscribe(
		strings.TrimPrefix(c.effectiveTarget(), discoveryScheme+":///"),
		func(s discovery.State) {
			endpoints.Store(int64(len(s.Instances)))
		},
	)
	return []retry.Option{retry.WithEndpoints(func() int { return int(endpoints.Load()) })}
}

func (c *Client) logger() *slog.Logger {
	return c.app.parts.logger.With(slog.String("client", c.name))
}

func (c *Client) makeRetrier(more ...retry.Option) *retry.Retrier {
	options := append(
		more,
		retry.WithNativeRetryOff(),
		retry.WithPolicy(c.table()),
		retry.WithReplayMemory(c.app.replay),
		retry.WithSwitch(&c.app.retries),
		retry.WithLogger(c.logger()),
	)
	options = append(options, c.retry...)
	return retry.New(append(options, c.budgetOptions()...)...)
}

// budgetOptions returns the options for what a mesh and the configuration state about the retry budget.
func (c *Client) budgetOptions() []retry.Option {
	var options []retry.Option
	conf, budget := c.config().GetRetryBudget(), retry.DefaultBudget()
	if routed := c.table().Destination().BudgetRatio; routed.Stated() {
		options = append(options, retry.WithBudgetRatio(routed.Value))
		budget.Ratio = routed.Value
	}
	if !c.retryBudgetStated() {
		return options
	}
	if conf.Ratio != nil {
		budget.Ratio = conf.GetRatio()
	}
	if conf.Max != nil {
		budget.Max = float64(conf.GetMax())
	}
	if conf.MinPerSecond != nil {
		budget.MinPerSecond = conf.GetMinPerSecond()
	}
	budget.Unsafe = conf.GetUnsafe()
	return append(options, retry.WithBudget(budget))
}

func (c *Client) retryBudgetStated() bool { return c.config().GetRetryBudget() != nil }

// guardedDial runs the dial function of a program, which gRPC calls on a goroutine of gRPC. After a panic or a
// runtime.Goexit the connection fails. Without the guard, a panic would end the process, and a runtime.Goexit would end
// all attempts to connect.
func guardedDial(
	dial func(context.Context, string) (net.Conn, error),
	logger *slog.Logger,
) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (conn net.Conn, err error) {
		done := make(chan error, 1)
		go guard(logger, "the function of WithDialer", func() error {
			conn, err = dial(ctx, address)
			return err
		}, func(err error) { done <- err })
		if err := <-done; err != nil {
			return nil, fmt.Errorf("WithDialer: %w", err)
		}
		return conn, nil
	}
}
