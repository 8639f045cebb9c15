// Package operation is the seam through which packages beside retry run work that is not an RPC through a Retrier: they
// say what one attempt is, and the Retrier decides when there is another.
package operation

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/policy"
)

// Operation is work of any kind that a Retrier can try again.
type Operation struct {
	// Terms are its name, its deadline, its retries and its idempotency. They come from no .proto.
	Terms policy.Method
	// Try makes one attempt.
	Try Try
}

// Try makes one attempt, which must end at until. Ctx ends when the caller's does and carries the attempt, but it does
// not end at until: who makes attempts decides what of an attempt outlives it. Calls of Try never overlap.
type Try func(ctx context.Context, until time.Time) Outcome

// Outcome is how an attempt ended.
type Outcome struct {
	// Err is nil for success. The code and the details of its gRPC status decide whether it can be retried; an attempt
	// that until has ended has DEADLINE_EXCEEDED.
	Err error
	// Trailer holds facts about the hop, as package rpcerr names them: a pushback, or that nothing was done.
	Trailer metadata.MD
}
