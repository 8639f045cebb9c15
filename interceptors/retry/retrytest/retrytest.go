// Package retrytest tests any retrier of gRPC calls. Each [Case] is a script of failures of a server, and the result
// that a caller must see. The numbers in the names are those of Parley's acceptance scenarios.
//
//	func TestRetrier(t *testing.T) { retrytest.Run(t, mine) }
//
// Everything happens in memory and in the virtual time of testing/synctest, so that durations are exact.
package retrytest

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
)

// The methods that the cases call, as gRPC writes them. Their .proto, parley/retrytest/v1/script.proto, says which may
// be repeated.
const (
	// Read is unary and has no side effects.
	Read = "/parley.retrytest.v1.ScriptService/Read"
	// Act is unary and must not be repeated.
	Act = "/parley.retrytest.v1.ScriptService/Act"
	// Watch streams from the server and has no side effects.
	Watch = "/parley.retrytest.v1.ScriptService/Watch"
	// Upload streams from the client and is idempotent.
	Upload = "/parley.retrytest.v1.ScriptService/Upload"
)

// Terms are the settings that a case needs of the retrier. They apply to every method of the service. They do not state
// whether a method may be repeated. UNAVAILABLE is retried, and RESOURCE_EXHAUSTED where the server says when.
type Terms struct {
	// MaxAttempts counts the attempts of a call, the first included.
	MaxAttempts int
	// Backoff is the upper bound of the first wait, which doubles for each further one up to MaxBackoff. Waits are drawn
	// between zero and the bound.
	Backoff, MaxBackoff time.Duration
	// PerAttempt bounds every attempt but the last; 0 is for no bound.
	PerAttempt time.Duration
}

// Subject makes the tested retrier. It returns the dial options for a channel with the retrier, and a function that
// ends the retrier. It is called inside the bubble of a case. Where the retrier is an interceptor, the options are
// grpc.WithDisableRetry and grpc.WithChainUnaryInterceptor or grpc.WithChainStreamInterceptor. The budget of the
// retrier, if it has one, must allow ten retries at first.
type Subject func(Terms) (options []grpc.DialOption, stop func())

// Case is one promise of a retrier.
type Case struct {
	// Name is the promise.
	Name string
	// Terms are the settings of the retrier.
	Terms Terms

	check func(s *scene) error
}

// Check tries a retrier, and returns how it breaks the promise. It must run in a bubble of testing/synctest of its own,
// which [Run] gives it.
func (c Case) Check(subject Subject) error {
	s, err := open(subject, c.Terms)
	if err != nil {
		return err
	}
	defer s.close()
	return c.check(s)
}

// Run checks all promises.
func Run(t *testing.T, subject Subject) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := c.Check(subject); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
