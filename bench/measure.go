package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// cost is what one call costs, client and server together.
type cost struct {
	cpu    float64 // seconds of CPU per call
	rate   float64 // calls per second
	allocs float64 // heap allocations per call
	bytes  float64 // heap bytes per call
}

// measure makes calls through a stack and says what one of them costs.
func measure(ctx context.Context, s *stack, calls, callers int) (cost, error) {
	request := &paymentsv1.GetQuoteRequest{OrderId: payload}
	var left atomic.Int64
	left.Store(int64(calls))
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]

	runtime.GC()
	before := usage()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				_, err := s.client.GetQuote(ctx, request)
				cancel()
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	after := usage()
	if err := failed.Load(); err != nil {
		return cost{}, *err
	}
	n := float64(calls)
	return cost{
		cpu:    (after.cpu - before.cpu).Seconds() / n,
		rate:   n / after.at.Sub(before.at).Seconds(),
		allocs: float64(after.mallocs-before.mallocs) / n,
		bytes:  float64(after.bytes-before.bytes) / n,
	}, nil
}

type resources struct {
	at      time.Time
	cpu     time.Duration
	mallocs uint64
	bytes   uint64
}

func usage() resources {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only for a bad argument
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return resources{time.Now(), time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.Mallocs, m.TotalAlloc}
}
