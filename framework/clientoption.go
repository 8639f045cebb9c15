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

// WithCallInterceptors places interceptors around a whole call, outside retry: they run once per call. Both are
// required.
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

// WithAttemptInterceptors places interceptors around each attempt, inside retry: they run once per attempt. Both are
// required.
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
// retry.WithAdaptiveTimeout. They come after the options of the App itself. The configuration
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

// WithDialOptions passes options to grpc.NewClient. Check refuses those that would replace what Parley answers for,
// such as transport credentials, interceptors and keepalive, and names what to use instead; docs/operation.md lists
// every option. Of a default service config the methodConfig is merged with Parley's own.
func WithDialOptions(opts ...grpc.DialOption) AppOrClientOption {
	return appOrClientOption{clientOption{fmt.Sprintf("WithDialOptions(%d options)", len(opts)), func(c *Client) {
		c.grpcOptions = append(c.grpcOptions, opts...)
	}}}
}

// WithTarget dials a gRPC target instead of looking the client's name up in discovery. The configuration
// clients.<name>.target overrides it.
func WithTarget(target string) ClientOption {
	return clientOption{fmt.Sprintf("WithTarget(%q)", target), func(c *Client) { c.target = target }}
}

// WithPeers sets which identities the server may prove: IDs, or patterns that end in "/*". The default is the client's
// name in the App's own trust domain. The configuration clients.<name>.peers overrides it.
func WithPeers(peers ...string) ClientOption {
	return clientOption{fmt.Sprintf("WithPeers(%s)", strings.Join(peers, ", ")), func(c *Client) { c.peers = peers }}
}

// WithBalancing sets how the client spreads its calls. The configuration clients.<name>.balancing, hash_key, subset and
// outliers overrides it.
func WithBalancing(b grpcbalancer.Balancing) AppOrClientOption {
	return appOrClientOption{clientOption{"WithBalancing(" + b.String() + ")", func(c *Client) { c.spread = b }}}
}

// WithDialer opens the client's connections with dial instead of TCP.
func WithDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) AppOrClientOption {
	return appOrClientOption{clientOption{"WithDialer(...)", func(c *Client) { c.dialer = dial }}}
}
