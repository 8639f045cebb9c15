package retry_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// left is how a function left its goroutine.
type left struct {
	panicked any
	exited   bool
	err      error
}

// run runs f on a goroutine of its own.
func run(f func() error) left {
	var l left
	done := make(chan struct{})
	go func() {
		returned := false
		defer close(done)
		defer func() {
			if l.panicked = recover(); l.panicked == nil && !returned {
				l.exited = true
			}
		}()
		l.err = f()
		returned = true
	}()
	<-done
	return l
}

// throwing panics, or ends its goroutine.
func throwing(exit bool) {
	if exit {
		runtime.Goexit()
	}
	panic("thrown")
}

// User code that runs in an attempt may panic, or end its goroutine. The caller's goroutine gets that, whichever the
// attempt ran on, and the log has the stack.
func TestPanicInAnAttempt(t *testing.T) {
	for _, exit := range []bool{false, true} {
		for _, tt := range []struct {
			name   string
			terms  terms
			number int // of the attempt that panics
		}{
			{"only attempt", terms{attempts: 1}, 1},
			{"timed attempt", terms{perAttempt: time.Second}, 1},
			{"second attempt", terms{perAttempt: 100 * ms}, 2},
			{"first of a race", terms{hedges: 1, hedgeDelay: 10 * ms}, 1},
			{"hedge", terms{hedges: 1, hedgeDelay: 10 * ms}, 2},
		} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log bytes.Buffer
					l := newLab(t, func(ctx context.Context, _ int) error { return sleep(ctx, time.Hour) })
					r := newRetrier(t, readMethod, tt.terms, retry.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
					n := 0
					cc := l.dial(t, r, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
						if n++; n == tt.number {
							throwing(exit)
						}
						return invoker(ctx, method, req, reply, cc, opts...)
					}))
					got := run(func() error { _, err := call(t.Context(), cc, readMethod); return err })
					if exit != got.exited || !exit && got.panicked != "thrown" {
						t.Errorf("the caller's goroutine got %+v", got)
					}
					if tt.terms.hedges > 0 && !exit && !strings.Contains(log.String(), "panic_test.go") {
						t.Errorf("the log says %q, want the stack", log.String())
					}
				})
			})
		}
	}
}

// A hedge that panics when its call has its answer harms nothing, and is logged.
func TestPanicInAnAbandonedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newLab(t, steps(uncut, step{after: 30 * ms}, step{after: time.Hour}))
		r := newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 20 * ms}, retry.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		cc := l.dial(t, r, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			err := invoker(ctx, method, req, reply, cc, opts...)
			if err != nil {
				panic("too late")
			}
			return err
		}))
		if _, err := call(t.Context(), cc, readMethod); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !strings.Contains(log.String(), "too late") {
			t.Errorf("the log says %q", log.String())
		}
	})
}

// What an operation, and the function that classifies its errors, throw, the caller gets.
func TestPanicInAnOperation(t *testing.T) {
	for _, exit := range []bool{false, true} {
		for name, p := range map[string]retry.OperationPolicy{
			"run":         {Idempotency: policy.Idempotent},
			"timed run":   {Idempotency: policy.Idempotent, PerAttemptTimeout: time.Second},
			"hedged run":  {Idempotency: policy.Idempotent, MaxHedges: 1, HedgeDelay: 10 * ms},
			"classify":    {Idempotency: policy.Idempotent, Classify: func(error) retry.Classification { throwing(exit); return retry.Classification{} }},
			"hedged case": {Idempotency: policy.Idempotent, MaxHedges: 1, HedgeDelay: 10 * ms, Classify: func(error) retry.Classification { throwing(exit); return retry.Classification{} }},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := operation(t, newDoer(t), p)
					got := run(func() error {
						_, err := retry.Do(t.Context(), o, func(context.Context) (int, error) {
							if p.Classify != nil {
								return 0, errBusy
							}
							throwing(exit)
							return 0, nil
						})
						return err
					})
					if exit != got.exited || !exit && got.panicked != "thrown" {
						t.Errorf("the caller's goroutine got %+v", got)
					}
				})
			})
		}
	}
}

// throwingStream throws in one of its operations.
type throwingStream struct {
	grpc.ClientStream
	send, receive func()
}

func (s *throwingStream) SendMsg(m any) error {
	s.send()
	return s.ClientStream.SendMsg(m)
}

func (s *throwingStream) RecvMsg(m any) error {
	s.receive()
	return s.ClientStream.RecvMsg(m)
}

// When user code throws in an operation of a stream, the goroutine of that operation gets it, and the others an error
// rather than no answer for ever. What is sent again runs on a goroutine of the stream, where the stream itself gets
// the error.
func TestPanicInAStream(t *testing.T) {
	for _, exit := range []bool{false, true} {
		for _, where := range []string{"opening", "opening again", "sending", "receiving", "sending again"} {
			t.Run(where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, nil)
					acts(l, func(ctx context.Context, _ grpc.ServerStream) error {
						_ = sleep(ctx, 20*ms)
						return errScripted
					}, hangs)
					opened := 0
					var sent, received atomic.Int32
					intercept := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
						if opened++; where == "opening" || where == "opening again" && opened == 2 {
							throwing(exit)
						}
						inner, err := streamer(ctx, desc, cc, method, opts...)
						again := opened > 1
						return &throwingStream{ClientStream: inner, send: func() {
							if where == "sending again" && again || where == "sending" && sent.Add(1) == 2 {
								throwing(exit)
							}
						}, receive: func() {
							if where == "receiving" && received.Add(1) == 1 {
								time.Sleep(10 * ms)
								throwing(exit)
							}
						}}, err
					}
					cc := l.dial(t, newRetrier(t, chatMethod, terms{}), grpc.WithChainStreamInterceptor(intercept))
					var stream grpc.ClientStream
					got := run(func() (err error) {
						stream, err = cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, chatMethod)
						return err
					})
					if where == "opening" {
						if exit != got.exited || !exit && got.panicked != "thrown" {
							t.Errorf("opening: %+v", got)
						}
						return
					}
					if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
						t.Fatal(err)
					}
					results := make(chan left, 2)
					go func() { results <- run(func() error { return stream.RecvMsg(new(wrapperspb.StringValue)) }) }()
					go func() {
						results <- run(func() error {
							time.Sleep(5 * ms)
							if err := stream.SendMsg(wrapperspb.String("2")); err != nil {
								return err
							}
							time.Sleep(100 * ms)
							return stream.SendMsg(wrapperspb.String("3"))
						})
					}()
					thrown, failed := 0, 0
					for range 2 {
						switch l := <-results; {
						case l.panicked != nil, l.exited:
							thrown++
						case l.err != nil:
							failed++
						}
					}
					want := 1
					if where == "sending again" {
						want = 0
					}
					if thrown != want || thrown+failed != 2 {
						t.Errorf("%d goroutines were thrown out, %d had an error; want %d and the rest", thrown, failed, want)
					}
					if where == "sending again" {
						stopped(t, stream.RecvMsg(new(wrapperspb.StringValue)), codes.Internal, retry.StopNotRetryable, 2)
					}
				})
			})
		}
	}
}
