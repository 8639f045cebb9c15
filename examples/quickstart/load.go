package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// drain stops the second replica while orders calls without a pause, also calls that must not be repeated.
func drain(ctx context.Context, s *shop, n *narrator) error {
	load := startLoad(ctx, s.payments)
	time.Sleep(300 * time.Millisecond)
	before := load.done.Load()
	started := time.Now()
	ended := s.end(s.replica[1])
	took := time.Since(started)
	during := load.done.Load() - before
	time.Sleep(300 * time.Millisecond)
	failed := load.stop()
	if ended != nil {
		return fmt.Errorf("the replica did not stop cleanly: %w", ended)
	}
	if failed != nil {
		return fmt.Errorf("a call failed: %w", failed)
	}
	if during == 0 {
		return fmt.Errorf("no call ended in the %s of the drain", took)
	}
	n.say("orders made %d calls, half of them charges, while %s went away within %.1f s. "+
		"None failed.\nThe replica showed that it drains, left discovery, "+
		"waited until no more calls came,\nfinished those it had, and only then closed its connections.",
		load.done.Load(), "payments-2", took.Seconds())
	return nil
}

// load is a number of callers that call until they are stopped.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	done   atomic.Int64

	mu     sync.Mutex
	failed error
}

func startLoad(ctx context.Context, client paymentsv1.PaymentsServiceClient) *load {
	const callers, pause = 4, 5 * time.Millisecond
	l := &load{}
	calling, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	for i := range callers {
		l.wg.Go(func() {
			for calling.Err() == nil {
				if err := callOnce(ctx, client, i%2 == 0); err != nil {
					l.fail(err)
					return
				}
				l.done.Add(1)
				time.Sleep(pause)
			}
		})
	}
	return l
}

func callOnce(ctx context.Context, client paymentsv1.PaymentsServiceClient, charge bool) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	if charge {
		_, err := client.Charge(ctx, &paymentsv1.ChargeRequest{OrderId: "42"})
		return err
	}
	_, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: "42"})
	return err
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// stop ends the callers and returns the first failure.
func (l *load) stop() error {
	l.cancel()
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}
