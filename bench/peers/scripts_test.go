package peers_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafegrpc"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/bench/peers"
	retrytestv1 "github.com/parley-rpc/parley/gen/parley/retrytest/v1"
	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
)

// service answers attempt n as its script says.
type service struct {
	retrytestv1.UnimplementedScriptServiceServer
	calls  atomic.Int64
	answer func(n int64) error
}

func (s *service) Read(context.Context, *retrytestv1.ReadRequest) (*retrytestv1.ReadResponse, error) {
	n := s.calls.Add(1)
	if err := s.answer(n); err != nil {
		return nil, err
	}
	return &retrytestv1.ReadResponse{Attempt: n}, nil
}

func unavailable(int64) error { return status.Error(codes.Unavailable, "scripted") }

// connect starts a service and returns a channel to it.
func connect(t *testing.T, s *service, options ...grpc.DialOption) retrytestv1.ScriptServiceClient {
	t.Helper()
	listener, server := bufconn.Listen(1<<16), grpc.NewServer()
	retrytestv1.RegisterScriptServiceServer(server, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with the server
	cc, err := grpc.NewClient("passthrough:///script", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cc.Close()
		server.Stop()
		serving.Wait()
	})
	return retrytestv1.NewScriptServiceClient(cc)
}

func threeAttempts() retrytest.Terms {
	return retrytest.Terms{MaxAttempts: 3, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}
}

// Three services in a row, each with four attempts: the last one sees 64.
func TestScenario23AttemptsMultiplyAlongAChain(t *testing.T) {
	for name, subject := range map[string]retrytest.Subject{"middleware": peers.Middleware, "failsafe": peers.Failsafe} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				terms := threeAttempts()
				terms.MaxAttempts = 4
				options, _ := subject(terms)
				last := &service{answer: unavailable}
				client := connect(t, last, options...)
				for range 2 {
					next := client
					client = connect(t, &service{answer: func(int64) error {
						_, err := next.Read(t.Context(), &retrytestv1.ReadRequest{})
						return err
					}}, options...)
				}
				if _, err := client.Read(t.Context(), &retrytestv1.ReadRequest{}); status.Code(err) != codes.Unavailable {
					t.Fatal(err)
				}
				if got := last.calls.Load(); got != 64 {
					t.Errorf("the last service saw %d attempts: they do not multiply fully any more", got)
				}
			})
		})
	}
}

// The retries of go-grpc-middleware and of grpc-go multiply: 3 x 3.
func TestScenario22MiddlewareTimesNative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: unavailable}
		middleware, _ := peers.Middleware(threeAttempts())
		native, _ := peers.Native(threeAttempts())
		client := connect(t, s, append(middleware[1:], native...)...) // without WithDisableRetry
		if _, err := client.Read(t.Context(), &retrytestv1.ReadRequest{}); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
		if got := s.calls.Load(); got <= 3 {
			t.Errorf("%d attempts of one call: they do not multiply any more", got)
		}
	})
}

// The throttle of grpc-go is full again after each update of the addresses, even with the same ones.
func TestScenario26NativeThrottleIsRefilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: unavailable}
		addresses := manual.NewBuilderWithScheme("passthrough")
		state := resolver.State{Addresses: []resolver.Address{{Addr: "script"}}}
		addresses.InitialState(state)
		native, _ := peers.Native(threeAttempts())
		client := connect(t, s, append(native, grpc.WithResolvers(addresses))...)
		for range 50 {
			if _, err := client.Read(t.Context(), &retrytestv1.ReadRequest{}); status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
			addresses.UpdateState(state)
			synctest.Wait()
		}
		if got := s.calls.Load(); got <= 60 {
			t.Errorf("%d attempts of 50 calls: the throttle holds over updates now", got)
		}
	})
}

// slowCodec takes 60ms to decode, then writes all at once.
type slowCodec struct {
	encoding.CodecV2
	mu *sync.Mutex
}

func (c slowCodec) Unmarshal(data mem.BufferSlice, v any) error {
	time.Sleep(60 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.CodecV2.Unmarshal(data, v)
}

// Hedges of failsafegrpc decode into one reply: it changes after the caller has it.
func TestScenario29FailsafeChangesTheReplyAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int64) error {
			if n == 1 {
				time.Sleep(30 * time.Millisecond)
			}
			return nil
		}}
		var mu sync.Mutex
		client := connect(t, s,
			grpc.WithChainUnaryInterceptor(failsafegrpc.NewUnaryClientInterceptor[any](
				hedgepolicy.NewWithDelay[any](20*time.Millisecond),
			)),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(slowCodec{encoding.GetCodecV2("proto"), &mu})))
		reply, err := client.Read(t.Context(), &retrytestv1.ReadRequest{})
		if err != nil {
			t.Fatal(err)
		}
		read := func() int64 {
			mu.Lock()
			defer mu.Unlock()
			return reply.GetAttempt()
		}
		first := read()
		time.Sleep(100 * time.Millisecond)
		if later := read(); first == later {
			t.Errorf("the reply is of attempt %d, and stays so", first)
		}
	})
}
