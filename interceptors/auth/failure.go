package auth

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// failure is the last handshake of a channel that ended in a refusal.
type failure struct {
	refusal *rpcerr.Error
	remote  string
	at      time.Time
}

// record remembers how a handshake ended: a refusal explains calls that fail after it, a success ends every
// explanation, and a broken connection ends that of the same server.
func (c *Channel) record(remote string, err error) {
	if err == nil {
		c.failure.Store(nil)
		return
	}
	if refusal := refusalOf(err); refusal != nil {
		c.failure.Store(&failure{refusal: refusal, remote: remote, at: time.Now()})
		return
	}
	if last := c.failure.Load(); last != nil && last.remote == remote {
		c.failure.CompareAndSwap(last, nil)
	}
}

// explain returns the recorded refusal for a call that found no connection because of it, and any other error as it is.
// The call must have reached no server, and there must be no connection that it could have taken. Whether other
// interceptors ran the attempt, too, does not matter for that.
func (c *Channel) explain(err error, a *attempt.Attempt, cc *grpc.ClientConn) error {
	last := c.failure.Load()
	if last == nil || a.Endpoint() != "" || time.Since(last.at) > failureMemory {
		return err
	}
	if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
		return err
	}
	if cc.GetState() == connectivity.Ready {
		return err
	}
	return last.refusal
}
