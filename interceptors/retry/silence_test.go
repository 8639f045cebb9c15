package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
)

// dead is an endpoint that does not answer. The balancing policy notices that after a second.
type dead struct {
	waiting attempt.Waiting
	ended   int
}

func (d *dead) notice(t *testing.T) {
	timer := time.AfterFunc(time.Second, func() { d.ended = d.waiting.End(time.Now()) })
	t.Cleanup(func() { timer.Stop() })
}

// meet makes the attempt of ctx wait for the endpoint, or, where it is a further attempt, succeed elsewhere.
func (d *dead) meet(ctx context.Context) error {
	this := attempt.FromContext(ctx)
	if this.Number() > 1 {
		return nil
	}
	this.Choose(&attempt.Choice{Endpoint: "dead", Waiting: &d.waiting})
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func (d *dead) invoke(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
	return d.meet(ctx)
}

// A call that waits for a silent endpoint moves to another one, free of budget, if it may be repeated.
func TestACallLeavesASilentEndpoint(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		terms  terms
		ended  int
		code   codes.Code
		took   time.Duration
	}{
		{"a method that may be repeated", readMethod, terms{deadline: 2 * time.Second}, 1, codes.OK, time.Second + 25*ms},
		{
			"a hedged method whose hedges wait", readMethod,
			terms{deadline: 2 * time.Second, hedges: 1, hedgeDelay: 1900 * ms},
			1, codes.OK, time.Second + 25*ms,
		},
		{
			"one that must not be repeated", actMethod,
			terms{deadline: 2 * time.Second},
			0,
			codes.DeadlineExceeded, 2 * time.Second,
		},
		{
			"too little time is left", readMethod,
			terms{deadline: time.Second + 10*ms},
			0,
			codes.DeadlineExceeded, time.Second + 10*ms,
		},
		{
			"no further attempt is allowed", readMethod,
			terms{deadline: 2 * time.Second, attempts: 1},
			0,
			codes.DeadlineExceeded, 2 * time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRetrier(t, tt.method, tt.terms)
				var d dead
				d.notice(t)
				balance, began := r.BudgetBalance(), time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.terms.deadline)
				defer cancel()
				err := r.UnaryClientInterceptor(ctx, tt.method, nil, nil, nil, d.invoke)
				if took := time.Since(began); status.Code(err) != tt.code || took != tt.took {
					t.Errorf("after %v the call ended with %v; want %v after %v", took, err, tt.code, tt.took)
				}
				synctest.Wait()
				if d.ended != tt.ended {
					t.Errorf("%d attempts were ended; want %d", d.ended, tt.ended)
				}
				if left := r.BudgetBalance(); left < balance {
					t.Errorf("it cost %v of the budget", balance-left)
				}
				if n := d.waiting.End(time.Time{}); n != 0 {
					t.Errorf("%d attempts of a call that has ended wait for the endpoint", n)
				}
			})
		})
	}
}

func TestAStreamLeavesASilentEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetrier(t, watchMethod, terms{deadline: 2 * time.Second})
		var d dead
		d.notice(t)
		began := time.Now()
		stream, err := r.StreamClientInterceptor(
			t.Context(),
			&grpc.StreamDesc{ServerStreams: true},
			nil,
			watchMethod,
			func(
				ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption,
			) (grpc.ClientStream, error) {
				if err := d.meet(ctx); err != nil {
					return nil, err
				}
				return nil, status.Error(codes.InvalidArgument, "elsewhere")
			},
		)
		if stream != nil || status.Code(err) != codes.InvalidArgument || time.Since(began) != time.Second+25*ms {
			t.Errorf("after %v the stream ended with %v; want another attempt after 1.025s", time.Since(began), err)
		}
	})
}
