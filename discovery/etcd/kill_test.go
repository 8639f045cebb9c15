package etcd_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// The dead replica stands in etcd until its lease has run out, and the load goes on until it is gone from there.
func TestKillOfOneOfThreeUnder300CallsASecondFailsNoIdempotentCall(t *testing.T) {
	e := newEngine(t)
	ttl := discovery.WithTTL(2 * time.Second)
	victim := newReplica(t, e, ttl)
	newReplica(t, e, ttl)
	newReplica(t, e, ttl)
	registry := found(t, e)
	counts := make(chan int, 10)
	t.Cleanup(registry.Subscribe("payments", func(s discovery.State) { counts <- len(s.Instances) }))
	await := func(want int) {
		deadline := time.After(30 * time.Second)
		for {
			select {
			case n := <-counts:
				if n == want {
					return
				}
			case <-deadline:
				t.Errorf("etcd does not list %d replicas", want)
				return
			}
		}
	}
	await(3)
	retrier := retry.New()
	t.Cleanup(func() {
		if err := retrier.Close(); err != nil {
			t.Error(err)
		}
	})
	client := channel(t, registry, retrier.DialOptions()...)
	quote := func() error {
		_, err := client.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
		return err
	}
	underLoad(t, quote, func() {
		<-time.After(time.Second)
		victim.kill()
		await(2)
	})
}
