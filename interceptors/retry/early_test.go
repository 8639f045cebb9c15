package retry_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// A call whose caller or time is gone already has no attempt, and says so.
func TestEndedBeforeTheFirstAttempt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		code   codes.Code
		reason retry.StopReason
	}{
		{"given up", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, codes.Canceled, retry.StopCanceled},
		{"too late", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, -time.Second)
		}, codes.DeadlineExceeded, retry.StopDeadline},
	} {
		for _, kind := range []string{"unary", "hedged", "stream", "operation"} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, failing(0, codes.OK))
					s := terms{}
					if kind == "hedged" {
						s.hedges, s.hedgeDelay = 1, ms
					}
					method := readMethod
					if kind == "stream" {
						method = watchMethod
					}
					r := newRetrier(t, method, s)
					cc := l.dial(t, r)
					ctx, cancel := tt.ctx(t.Context())
					defer cancel()
					var finished []error
					onFinish := grpc.OnFinish(func(err error) { finished = append(finished, err) })
					var err error
					switch kind {
					case "stream":
						_, err = cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, onFinish)
					case "operation":
						_, err = retry.Do(ctx, operation(t, r, retry.OperationPolicy{}), func(context.Context) (int, error) {
							t.Error("the operation ran")
							return 0, nil
						})
					default:
						_, err = call(ctx, cc, method, onFinish)
					}
					stopped(t, err, tt.code, tt.reason, 0)
					if n := len(failure(t, err).Endpoints); n != 0 {
						t.Errorf("%d endpoints of no attempt", n)
					}
					if kind != "operation" && (len(finished) != 1 || !errors.Is(finished[0], err)) {
						t.Errorf("OnFinish was called with %v", finished)
					}
				})
			})
		}
	}
}

// lossy cuts a connection when its server has sent the one message of a stream, before the trailers.
type lossy struct {
	net.Conn
	cut <-chan struct{}
}

func (c lossy) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.cut:
		return 0, io.ErrUnexpectedEOF
	default:
		return n, err
	}
}

// A stream with one reply that is cut between that and the trailers has given its caller nothing: it follows the rules
// of calls.
func TestUploadThatIsCutBeforeItsTrailers(t *testing.T) {
	for _, repeatable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cut := make(chan struct{})
			l := newLab(t, nil)
			var first, second []string
			acts(l, func(ctx context.Context, stream grpc.ServerStream) error {
				if err := answers(takes(-1, &first, nil))(ctx, stream); err != nil {
					return err
				}
				time.Sleep(10 * ms)
				close(cut) // before the trailers
				return nil
			}, answers(takes(-1, &second, nil)))
			method := uploadMethod
			if !repeatable {
				method = talkMethod
			}
			dialled := 0
			cc := l.dial(t, newRetrier(t, method, terms{}), grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
				conn, err := l.servers[at].DialContext(ctx)
				if dialled++; dialled > 1 {
					return conn, err
				}
				return lossy{conn, cut}, err
			}))
			stream, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, method)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.CloseSend()); err != nil {
				t.Fatal(err)
			}
			reply := new(wrapperspb.StringValue)
			err = stream.RecvMsg(reply)
			if !repeatable {
				stopped(t, err, codes.Unavailable, retry.StopNotIdempotent, 1)
				return
			}
			if err != nil || reply.GetValue() != "taken" {
				t.Fatalf("received %v, %v", reply, err)
			}
			same(t, "the second stream took", second, []string{"1"})
		})
	}
}

// Two hundred callers to whom a server said the same come back over a tenth of that time, none too early.
func TestPushbackIsSpread(t *testing.T) {
	for name, script := range map[string]handler{
		"pushback": pushing(200, "1000"), "RetryInfo": detailed(200, codes.Unavailable, retryInfo(time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var mu sync.Mutex
				var back []time.Duration
				l := newLab(t, func(ctx context.Context, n int) error {
					if n > 200 {
						mu.Lock()
						defer mu.Unlock()
						back = append(back, time.Since(start))
					}
					return script(ctx, n)
				})
				random := rand.New(rand.NewPCG(1, 2))
				r := newRetrier(t, readMethod, terms{}, retry.WithBudget(retry.Budget{Max: 200}), retry.WithRandom(func() float64 {
					mu.Lock()
					defer mu.Unlock()
					return random.Float64()
				}))
				cc := l.dial(t, r)
				var calls sync.WaitGroup
				for range 200 {
					calls.Go(func() {
						if _, err := call(t.Context(), cc, readMethod); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				slices.Sort(back)
				if first, last := back[0], back[len(back)-1]; first < time.Second || last > 1100*ms || last-first < 90*ms {
					t.Errorf("they came back from %v to %v, want spread over 1s to 1.1s", first, last)
				}
			})
		})
	}
	// A spread that would leave no time is cut short.
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, pushing(1, "990"))
		r := newRetrier(t, readMethod, terms{deadline: time.Second}, retry.WithRandom(func() float64 { return 0.999 }))
		start := time.Now()
		if _, err := call(t.Context(), l.dial(t, r), readMethod); status.Code(err) != codes.OK {
			t.Error(err)
		}
		took(t, start, 995*ms)
	})
}
