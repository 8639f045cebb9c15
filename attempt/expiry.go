package attempt

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errExpired is what an attempt ends with that its per-attempt timeout has ended.
var errExpired = status.Error(codes.DeadlineExceeded, "the per-attempt timeout has passed")

// Expire ends the attempt with cancel, the function that cancels its context, because its per-attempt timeout has
// passed. [Attempt.Invoke] then returns DEADLINE_EXCEEDED, so that the interceptors around it see a timeout and not that
// the caller gave up. It is for package retry, and may be called on any goroutine.
func (a *Attempt) Expire(cancel context.CancelFunc) {
	a.expired.Store(true)
	cancel()
}

// outcome is the error of a unary attempt as its interceptors see it.
func (a *Attempt) outcome(err error) error {
	if err != nil && a != nil && a.expired.Load() && status.Code(err) == codes.Canceled {
		return errExpired
	}
	return err
}
