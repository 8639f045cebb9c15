package framework

import (
	"context"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// WithCallInterceptors adds interceptors that run once per call, outside of retry. Both are required.
func WithCallInterceptors(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) AppOrClientOption {
	return appOrClientOption{clientOption{"WithCallInterceptors(...)", func(c *Client) {
		if unary == nil || stream == nil {
			c.app.mistake("WithCallInterceptors: %w", errOneSided)
			return
		}
		c.callUnary = append(c.callUnary, unary)
		c.callStream = append(c.callStream, stream)
	}}}
}

// WithAttemptInterceptors adds interceptors that run once per attempt, inside of retry. Both are required.
func WithAttemptInterceptors(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) AppOrClientOption {
	return appOrClientOption{clientOption{"WithAttemptInterceptors(...)", func(c *Client) {
		if unary == nil || stream == nil {
			c.app.mistake("WithAttemptInterceptors: %w", errOneSided)
			return
		}
		c.attemptUnary = append(c.attemptUnary, unary)
		c.attemptStream = append(c.attemptStream, stream)
	}}}
}

// WithRetry passes options to the retriers of clients, such as retry.WithKeyedMethods, retry.WithBreaker and
// retry.WithAdaptiveTimeout. They are applied after the options of the App itself. The configuration
// clients.<name>.retry_budget overrides retry.WithBudget.
func WithRetry(opts ...retry.Option) AppOrClientOption {
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = o.String()
	}
	return appOrClientOption{clientOption{"WithRetry(" + strings.Join(texts, ", ") + ")", func(c *Client) {
		c.retry = append(c.retry, opts...)
	}}}
}

// WithDialOptions passes options to grpc.NewClient. Check refuses options that would replace a part of Parley, such as
// transport credentials and interceptors, and its error names the replacement. Keepalive parameters, and the
// methodConfig of a default service config, are merged with Parley's own. Docs/operation.md lists every option.
func WithDialOptions(opts ...grpc.DialOption) AppOrClientOption {
	return appOrClientOption{clientOption{fmt.Sprintf("WithDialOptions(%d options)", len(opts)), func(c *Client) {
		c.grpcOptions = append(c.grpcOptions, opts...)
	}}}
}

// WithTarget sets the gRPC target of the client. Without it, the client looks its name up in discovery. The
// configuration clients.<name>.target overrides it.
func WithTarget(target string) ClientOption {
	return clientOption{fmt.Sprintf("WithTarget(%q)", target), func(c *Client) { c.target = target }}
}

// WithHost sets the host under which the routes of a mesh know the called service, with the port if they ask for it:
// "payments.shop:8443". See [WithPolicySource]. The default is the host of the target, or the name of a service in
// discovery. The configuration clients.<name>.host overrides it.
func WithHost(host string) ClientOption {
	return clientOption{fmt.Sprintf("WithHost(%q)", host), func(c *Client) { c.host = host }}
}

// WithPeers sets the expected identities of the server: IDs, or patterns that end in "/*". The server must prove one of
// them. The default is the client's name in the App's trust domain. The configuration clients.<name>.peers overrides
// it.
func WithPeers(peers ...string) ClientOption {
	return clientOption{fmt.Sprintf("WithPeers(%s)", strings.Join(peers, ", ")), func(c *Client) { c.peers = peers }}
}

// WithBalancing sets how the client distributes its calls over the instances of the service. The default is
// grpcbalancer.ZoneWeighted. The configuration clients.<name>.balancing, hash_key, subset and outliers overrides it.
func WithBalancing(b grpcbalancer.Balancing) AppOrClientOption {
	return appOrClientOption{clientOption{"WithBalancing(" + b.String() + ")", func(c *Client) { c.spread = b }}}
}

// WithDialer opens the client's connections with dial instead of TCP.
func WithDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) AppOrClientOption {
	return appOrClientOption{clientOption{"WithDialer(...)", func(c *Client) { c.dialer = dial }}}
}
