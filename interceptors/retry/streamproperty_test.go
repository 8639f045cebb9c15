package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/internal/rounds"
)

// faults is how one stream of a random script behaves: it takes some messages, gives some, and ends.
type faults struct {
	takes, gives int
	header       int // 0 none, 1 set, 2 sent
	pause        time.Duration
	code         codes.Code // OK: all is taken and given
	pushback     string
}

// history is what a server has seen and done, by stream.
type history struct {
	mu    sync.Mutex
	taken [][]string
}

func randomFaults(random *rand.Rand, sent, given int) faults {
	f := faults{header: random.IntN(4) % 3, takes: sent, gives: given}
	if random.IntN(3) == 0 {
		f.pause = time.Duration(random.IntN(60)) * ms
	}
	if random.IntN(3) > 0 {
		f.code = []codes.Code{codes.Unavailable, codes.Unavailable, codes.Unavailable, codes.Internal, codes.ResourceExhausted}[random.IntN(5)]
		f.takes = random.IntN(sent + 1)
		if random.IntN(2) == 0 {
			f.gives = 0
		} else {
			f.gives = random.IntN(given + 1)
		}
		f.pushback = []string{"", "", "", "7", "-1"}[random.IntN(5)]
	}
	return f
}

func (h *history) run(f faults, stream grpc.ServerStream) error {
	h.mu.Lock()
	n := len(h.taken)
	h.taken = append(h.taken, nil)
	h.mu.Unlock()
	switch f.header {
	case 1:
		_ = stream.SetHeader(metadata.Pairs("h", "1"))
	case 2:
		_ = stream.SendHeader(metadata.Pairs("h", "1"))
	}
	all := f.code == codes.OK
	for i := 0; all || i < f.takes; i++ {
		m := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		h.mu.Lock()
		h.taken[n] = append(h.taken[n], m.GetValue())
		h.mu.Unlock()
	}
	if err := sleep(stream.Context(), f.pause); err != nil {
		return err
	}
	for i := range f.gives {
		if err := stream.SendMsg(wrapperspb.String(fmt.Sprintf("%d:%d", n, i))); err != nil {
			return err
		}
	}
	if f.pushback != "" {
		stream.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", f.pushback))
	}
	return status.Error(f.code, "scripted")
}

// Whatever fails and when, the caller receives the messages of one stream, once each and in order; the server of each
// stream takes what was sent, once each and in order; no failure after the first message is hidden or repeated.
func TestPropertyOfStreams(t *testing.T) {
	for _, method := range []string{watchMethod, uploadMethod, chatMethod} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				plans := make(chan faults, 16)
				var h *history
				l.watch = func(_ context.Context, stream grpc.ServerStream) error { return h.run(<-plans, stream) }
				memory := retry.NewReplayMemory(1 << 20)
				r := newRetrier(t, method, terms{attempts: 4, perAttempt: 50 * ms}, retry.WithBudget(retry.Budget{Ratio: 1, Max: 1000, MinPerSecond: 1}), retry.WithReplayMemory(memory), retry.WithReplayLimit(400))
				cc := l.dial(t, r)
				for seed := range uint64(rounds.Of(500)) {
					if !streamProperty(t, seed, method, cc, l, &h, plans, r) {
						t.Fatalf("seed %d", seed)
					}
					if memory.InUse() != 0 {
						t.Fatalf("seed %d: %d bytes are still kept", seed, memory.InUse())
					}
				}
			})
		})
	}
}

func streamProperty(t *testing.T, seed uint64, method string, cc *grpc.ClientConn, l *lab, h **history, plans chan faults, r *retry.Retrier) bool {
	random := rand.New(rand.NewPCG(seed, 1))
	sent, given := 1, random.IntN(6)
	if method != watchMethod {
		sent = random.IntN(8)
	}
	if method == uploadMethod {
		given = 1
	}
	*h = &history{}
	script := make([]faults, 4)
	for i := range script {
		script[i] = randomFaults(random, sent, given)
		plans <- script[i]
	}
	l.calls.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := opened(ctx, t, cc, method)
	want := make([]string, sent)
	for i := range want {
		want[i] = fmt.Sprintf("%d.%d", seed, i)
	}
	asked := random.IntN(4) == 0 // for the header, early
	var all sync.WaitGroup
	wait := random.IntN(2) == 0
	pauses := make([]time.Duration, sent)
	for i := range pauses {
		pauses[i] = time.Duration(random.IntN(3)*random.IntN(20)) * ms
	}
	all.Go(func() {
		reused := new(wrapperspb.StringValue)
		for i, m := range want {
			reused.Value = m
			if err := stream.SendMsg(reused); err != nil {
				return
			}
			if wait {
				time.Sleep(pauses[i])
			}
		}
		_ = stream.CloseSend()
	})
	if asked {
		all.Go(func() { _, _ = stream.Header() })
	}
	if random.IntN(2) == 0 {
		time.Sleep(ms)
	}
	var got []string
	var err error
	if method == uploadMethod {
		m := new(wrapperspb.StringValue)
		if err = stream.RecvMsg(m); err == nil {
			got, err = append(got, m.GetValue()), io.EOF
		}
	} else {
		got, err = drained(stream)
	}
	all.Wait()
	cancel()
	synctest.Wait()
	for len(plans) > 0 {
		<-plans
	}
	(*h).mu.Lock()
	defer (*h).mu.Unlock()
	return checkStream(t, *h, script, want, got, err, r)
}

func checkStream(t *testing.T, h *history, script []faults, want, got []string, err error, r *retry.Retrier) bool {
	ok := true
	wrong := func(format string, args ...any) {
		t.Helper()
		ok = false
		t.Errorf(format, args...)
	}
	n := len(h.taken)
	for i, m := range got {
		if m != fmt.Sprintf("%d:%d", n-1, i) {
			wrong("received %q of %d streams: message %d is not the next one of the last", got, n, i)
		}
	}
	for i, taken := range h.taken {
		if len(taken) > len(want) || !slices.Equal(taken, want[:len(taken)]) {
			wrong("stream %d took %q of %q", i, taken, want)
		}
	}
	if n == 0 || n > 4 {
		wrong("%d streams", n)
		return false
	}
	last := script[n-1]
	var failed *retry.Error
	switch {
	case errors.Is(err, io.EOF):
		if last.code != codes.OK || len(got) != last.gives || !slices.Equal(h.taken[n-1], want) {
			wrong("success with %q after %+v, which took %q", got, last, h.taken[n-1])
		}
	case !errors.As(err, &failed):
		wrong("the stream ended with %T: %v", err, err)
	case failed.Attempts != n || len(failed.Endpoints) != n:
		wrong("%+v after %d streams", failed, n)
	case failed.Reason == retry.StopCommitted, failed.Reason == retry.StopBufferOverflow:
		if status.Code(err) != last.code || len(got) > last.gives {
			wrong("%v with %q after %+v", err, got, last)
		}
	case len(got) > 0:
		wrong("%v after messages %q", err, got)
	}
	if b := r.BudgetBalance(); b < 0 || b > 1000 {
		wrong("the balance is %v", b)
	}
	return ok
}
