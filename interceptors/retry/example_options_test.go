package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// While half of the attempts fail, a circuit holds retries back, and with StopsCalls calls, too.
func ExampleWithBreaker() {
	breaker := retry.DefaultBreaker()
	breaker.MinAttempts, breaker.StopsCalls = 3, true
	payments := retry.New(retry.WithBreaker(breaker))
	defer func() { _ = payments.Close() }()
	read, err := payments.Operation("read", retry.OperationPolicy{
		Idempotency:    policy.Idempotent,
		InitialBackoff: time.Millisecond,
		Classify:       func(error) retry.Classification { return retry.Classification{Retryable: true} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		_, err := retry.Do(context.Background(), read, func(context.Context) (int, error) { return 0, errors.New("broken") })
		var failed *retry.Error
		fmt.Println(errors.As(err, &failed), failed.Attempts, failed.Reason)
	}
	// Output:
	// true 3 attempts_exhausted
	// true 1 circuit_open
	// true 0 circuit_open
}

// Streams of all clients of a program keep 8 MiB together to send again, and one of them 1 MiB.
func ExampleWithReplayMemory() {
	memory := retry.NewReplayMemory(8 << 20)
	for range 2 {
		r := retry.New(retry.WithReplayMemory(memory), retry.WithReplayLimit(1<<20))
		fmt.Println(r.Check(), r.Close())
	}
	// Output:
	// <nil> <nil>
	// <nil> <nil>
}

// A call without a deadline gets one.
func ExampleWithDefaultDeadline() {
	payments := retry.New(retry.WithDefaultDeadline(2 * time.Second))
	defer func() { _ = payments.Close() }()
	read, err := payments.Operation("read", retry.OperationPolicy{})
	if err != nil {
		fmt.Println(err)
		return
	}
	left, err := retry.Do(context.Background(), read, func(ctx context.Context) (time.Duration, error) {
		deadline, _ := ctx.Deadline()
		return time.Until(deadline).Round(time.Second), nil
	})
	fmt.Println(left, err)
	// Output: 2s <nil>
}

// A batch that is called once a day may be tried again below a call that is itself a retry. Attempts multiply there.
func ExampleWithoutChainGuard() {
	fmt.Println(retry.WithoutChainGuard("/shop.orders.v1.OrdersService/ImportOrders"))
	// Output: retry.WithoutChainGuard(/shop.orders.v1.OrdersService/ImportOrders)
}

// A test that knows the random numbers knows how long a program waits between attempts: here half of the bounds, 10ms
// and 20ms. Within testing/synctest, exactly 30ms pass.
func ExampleWithRandom() {
	payments := retry.New(retry.WithRandom(func() float64 { return 0.5 }))
	defer func() { _ = payments.Close() }()
	read, err := payments.Operation("read", retry.OperationPolicy{
		Idempotency:    policy.Idempotent,
		MaxAttempts:    3,
		InitialBackoff: 20 * time.Millisecond,
		Classify:       func(error) retry.Classification { return retry.Classification{Retryable: true} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Now()
	_, err = retry.Do(context.Background(), read, func(context.Context) (int, error) { return 0, errors.New("broken") })
	var failed *retry.Error
	fmt.Println(errors.As(err, &failed), failed.Attempts, time.Since(start) >= 30*time.Millisecond)
	// Output: true 3 true
}
