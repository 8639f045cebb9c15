package retry

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/rpcerr"
)

// needsConnection reports whether an attempt failed only because there is no connection. To wait for one is no load on
// the service, so that it costs neither an attempt nor budget, and asks neither what is above nor the circuit. A
// service without endpoints has no connection to wait for, and where a status has a reason of Parley's, something else
// was missing.
func (c *call) needsConnection(f *failure) bool {
	missing := f.unsent && f.status.Code() == codes.Unavailable && rpcerr.ReasonOf(f.err) == "" && c.conn != nil &&
		c.conn.GetState() != connectivity.Ready && !f.nowhere && c.hasEndpoints()
	return missing && c.policy.attempts > 1 && c.retrier.Retries() && !c.leftToGRPC() && c.connectionBy(f.at).After(f.at)
}

// hasEndpoints reports whether the service has endpoints, as far as that is known.
func (c *call) hasEndpoints() bool {
	count := c.retrier.settings.endpoints
	return count == nil || count() > 0
}

// connectionBy is when the call has waited for a connection for long enough: when no time would be left for an attempt,
// and for streams without a deadline after the default deadline of a call.
func (c *call) connectionBy(now time.Time) time.Time {
	if c.connecting.IsZero() {
		c.connecting = now
	}
	by := c.deadline.Add(-c.policy.typical())
	if longest := c.connecting.Add(c.retrier.deadline.Value); c.endless && longest.Before(by) {
		return longest
	}
	return by
}

// awaitConnection waits until the channel has a connection. It returns what has ended the call meanwhile, or else
// whether there is a connection.
func (c *call) awaitConnection(ctx context.Context, f *failure) (stop StopReason, connected bool) {
	c.last = f.err
	c.showConnecting(ctx, f)
	stop = c.interruptible(ctx, c.connectionBy(f.at).Sub(f.at), func(ctx context.Context) {
		for {
			state := c.conn.GetState()
			switch connected = state == connectivity.Ready; {
			case connected, state == connectivity.Shutdown:
				return
			case state == connectivity.Idle:
				c.conn.Connect()
			}
			if !c.conn.WaitForStateChange(ctx, state) {
				return
			}
		}
	})
	if stop == "" && connected {
		c.free++
		c.charged = false
	}
	return stop, connected
}
