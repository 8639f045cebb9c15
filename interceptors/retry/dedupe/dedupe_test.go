package dedupe_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/rpcerr"
)

const charge = paymentsv1.PaymentsService_Charge_FullMethodName

// trailers is the transport of one RPC, of which only the trailer counts.
type trailers struct {
	grpc.ServerTransportStream
	md metadata.MD
}

func (s *trailers) SetTrailer(md metadata.MD) error {
	s.md = metadata.Join(s.md, md)
	return nil
}

// arrive is one call at a server.
func arrive(ctx context.Context, d *dedupe.Deduplicator, key, order string, handler grpc.UnaryHandler) (string, metadata.MD, error) {
	var sent trailers
	ctx = grpc.NewContextWithServerTransportStream(ctx, &sent)
	if key != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(retry.IdempotencyKeyHeader, key))
	}
	reply, err := d.UnaryServerInterceptor(ctx, &paymentsv1.ChargeRequest{OrderId: order}, &grpc.UnaryServerInfo{FullMethod: charge}, handler)
	charged, _ := reply.(*paymentsv1.ChargeResponse)
	return charged.GetChargeId(), sent.md, err
}

// counting is a handler that names its runs, and fails as fail says.
func counting(runs *int, fail error) grpc.UnaryHandler {
	return func(context.Context, any) (any, error) {
		*runs++
		if fail != nil {
			return nil, fail
		}
		return &paymentsv1.ChargeResponse{ChargeId: fmt.Sprint("run ", *runs)}, nil
	}
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		fail     error
		undone   []codes.Code
		runs     int
		pushback bool // the second answer forbids another attempt
	}{
		{fail: nil, runs: 1},
		{fail: status.Error(codes.NotFound, "no such order"), runs: 1},
		{fail: status.Error(codes.FailedPrecondition, "not paid"), runs: 1},
		{fail: status.Error(codes.Unavailable, "down"), runs: 1, pushback: true},
		{fail: status.Error(codes.Internal, "oops"), runs: 1, pushback: true},
		{fail: context.Canceled, runs: 1, pushback: true},
		{fail: status.Error(codes.Unavailable, "down"), undone: []codes.Code{codes.Unavailable}, runs: 2},
	} {
		t.Run(fmt.Sprint(tt.fail, tt.undone), func(t *testing.T) {
			d := dedupe.New(dedupe.WithUndone(tt.undone...))
			runs := 0
			first, _, err1 := arrive(t.Context(), d, "k", "42", counting(&runs, tt.fail))
			second, trailer, err2 := arrive(t.Context(), d, "k", "42", counting(&runs, tt.fail))
			if runs != tt.runs || first != second {
				t.Errorf("the handler ran %d times and answered %q, %q; want %d runs", runs, first, second, tt.runs)
			}
			if tt.fail != nil && status.Convert(err2).Message() != status.Convert(err1).Message() {
				t.Errorf("the second answer is %v, want %v", err2, err1)
			}
			if got := rpcerr.PushbackOf(trailer).Stop; got != tt.pushback {
				t.Errorf("the second answer forbids another attempt: %v, want %v", got, tt.pushback)
			}
			if replayed := len(trailer[dedupe.ReplayedKey]) == 1; replayed != (tt.runs == 1) {
				t.Errorf("the second answer says replayed: %v", replayed)
			}
		})
	}
}

func TestRefusalsRunNothing(t *testing.T) {
	d := dedupe.New(dedupe.WithStore(dedupe.NewMemory(1, 0)))
	runs := 0
	if _, _, err := arrive(t.Context(), d, "k", "42", counting(&runs, nil)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key, order string
		d                *dedupe.Deduplicator
		want             codes.Code
	}{
		{"a key that comes back with another request", "k", "43", d, codes.InvalidArgument},
		{"a full store", "other", "42", d, codes.ResourceExhausted},
		{"a space in the key", "a b", "42", d, codes.InvalidArgument},
		{"a long key", strings.Repeat("x", 256), "42", d, codes.InvalidArgument},
		{"wrong options", "k", "42", dedupe.New(dedupe.WithTTL(0)), codes.FailedPrecondition},
	} {
		_, trailer, err := arrive(t.Context(), tt.d, tt.key, tt.order, counting(&runs, nil))
		if status.Code(err) != tt.want || !rpcerr.Unprocessed(trailer) {
			t.Errorf("%s: %v with the trailer %v, want %v, unprocessed", tt.name, err, trailer, tt.want)
		}
	}
	if runs != 1 {
		t.Errorf("the handler ran %d times, want once", runs)
	}
}

func TestCallersHaveTheirOwnKeys(t *testing.T) {
	type who struct{}
	d := dedupe.New(dedupe.WithCaller(func(ctx context.Context) string { return ctx.Value(who{}).(string) }))
	runs := 0
	for _, caller := range []string{"orders", "carts", "orders"} {
		if _, _, err := arrive(context.WithValue(t.Context(), who{}, caller), d, "k", caller, counting(&runs, nil)); err != nil {
			t.Errorf("%s: %v", caller, err)
		}
	}
	if runs != 2 {
		t.Errorf("the handler ran %d times, want once for each caller", runs)
	}
}

func TestWithoutAKeyNothingHappens(t *testing.T) {
	runs := 0
	for range 2 {
		_, _, _ = arrive(t.Context(), dedupe.New(), "", "42", counting(&runs, nil))
	}
	if runs != 2 {
		t.Errorf("the handler ran %d times, want twice", runs)
	}
}

// The first call is given up while its handler is at work. The handler goes on, and the next attempt has its reply.
func TestDuplicatesWaitForAHandlerWhoseCallerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dedupe.New()
		runs := 0
		slow := func(ctx context.Context, req any) (any, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return counting(&runs, nil)(ctx, req)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { _, _, _ = arrive(ctx, d, "k", "42", slow) })
		time.Sleep(200 * time.Millisecond)
		for range 100 {
			all.Go(func() {
				if id, _, err := arrive(t.Context(), d, "k", "42", slow); id != "run 1" || err != nil || time.Since(start) != time.Second {
					t.Errorf("a duplicate got %q, %v after %v, want run 1 after 1s", id, err, time.Since(start))
				}
			})
		}
		all.Wait()
		if runs != 1 {
			t.Errorf("the handler ran %d times, want once", runs)
		}
	})
}

func TestHandlerTimeoutEndsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, _, err := arrive(t.Context(), dedupe.New(dedupe.WithHandlerTimeout(time.Minute)), "k", "42", func(ctx context.Context, _ any) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if status.Code(status.FromContextError(err).Err()) != codes.DeadlineExceeded || time.Since(start) != time.Minute {
			t.Errorf("%v after %v, want DEADLINE_EXCEEDED after 1m", err, time.Since(start))
		}
	})
}

func TestPanicIsAnOpenOutcome(t *testing.T) {
	d := dedupe.New()
	func() {
		defer func() { _ = recover() }()
		_, _, _ = arrive(t.Context(), d, "k", "42", func(context.Context, any) (any, error) { panic("oops") })
	}()
	runs := 0
	_, trailer, err := arrive(t.Context(), d, "k", "42", counting(&runs, nil))
	if runs != 0 || status.Code(err) != codes.Internal || !rpcerr.PushbackOf(trailer).Stop {
		t.Errorf("after the panic: %d runs, %v, trailer %v; want INTERNAL and no further attempt", runs, err, trailer)
	}
}

func TestUndoneForgets(t *testing.T) {
	d := dedupe.New()
	runs := 0
	_, _, _ = arrive(t.Context(), d, "k", "42", func(ctx context.Context, _ any) (any, error) {
		dedupe.Undone(ctx)
		return nil, status.Error(codes.Unavailable, "rolled back")
	})
	if id, _, err := arrive(t.Context(), d, "k", "42", counting(&runs, nil)); id != "run 1" || err != nil {
		t.Errorf("the next attempt got %q, %v, want a run", id, err)
	}
}

func TestReplyThatDoesNotFit(t *testing.T) {
	d := dedupe.New(dedupe.WithStore(dedupe.NewMemory(0, 500)))
	runs := 0
	large := func(context.Context, any) (any, error) {
		runs++
		return &paymentsv1.ChargeResponse{ChargeId: strings.Repeat("x", 1000)}, nil
	}
	if id, _, err := arrive(t.Context(), d, "k", "42", large); len(id) != 1000 || err != nil {
		t.Errorf("the first call got %v", err)
	}
	if _, _, err := arrive(t.Context(), d, "k", "42", large); status.Code(err) != codes.Aborted || runs != 1 {
		t.Errorf("the second call got %v after %d runs, want ABORTED after one", err, runs)
	}
}

func TestCheckAndNames(t *testing.T) {
	err := dedupe.New(dedupe.WithStore(nil), dedupe.WithCaller(nil), dedupe.WithTTL(-1), dedupe.WithHandlerTimeout(0), dedupe.WithUndone(codes.OK)).Check()
	for _, want := range []string{"WithStore", "WithCaller", "WithTTL", "WithHandlerTimeout", "WithUndone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %s: %v", want, err)
		}
	}
	names := []string{dedupe.WithTTL(time.Minute).String(), dedupe.WithUndone(codes.Unavailable, codes.Aborted).String()}
	if want := []string{"dedupe.WithTTL(1m0s)", "dedupe.WithUndone(Unavailable, Aborted)"}; !slices.Equal(names, want) {
		t.Errorf("the options print %q, want %q", names, want)
	}
}
