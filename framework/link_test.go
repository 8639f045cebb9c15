package framework

import (
	"context"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
)

// passing is a step that notes its name and goes on.
func passing(name string, note func(string)) serverStep {
	return serverAt(
		name,
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			note(name)
			return handler(ctx, req)
		},
		nil,
	)
}

func TestLinkedStepsRunOutsideInOnEachCall(t *testing.T) {
	var order []string
	note := func(name string) { order = append(order, name) }
	linked := linkUnary([]serverStep{passing("span", note), passing("recovery", note), passing("gate", note)})
	for range 2 {
		order = nil
		reply, err := linked(t.Context(), "request", &grpc.UnaryServerInfo{}, func(_ context.Context, req any) (any, error) {
			note("handler")
			return req, nil
		})
		if reply != "request" || err != nil {
			t.Fatalf("got %v, %v", reply, err)
		}
		if want := []string{"span", "recovery", "gate", "handler"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	}
}

// What serves a call serves others afterwards, each with its own request and handler, also when one has panicked.
func TestLinkedStepsKeepCallsApart(t *testing.T) {
	linked := linkUnary([]serverStep{passing("span", func(string) {}), passing("gate", func(string) {})})
	call := func(request int, panics bool) (reply any) {
		defer func() {
			if p := recover(); p != nil {
				reply = p
			}
		}()
		reply, _ = linked(t.Context(), request, &grpc.UnaryServerInfo{}, func(_ context.Context, req any) (any, error) {
			if panics {
				panic(-request)
			}
			return req.(int) + request, nil
		})
		return reply
	}
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for n := range 200 {
				request, panics := 1+caller*200+n, n%3 == 0
				want := 2 * request
				if panics {
					want = -request
				}
				if got := call(request, panics); got != want {
					t.Errorf("request %d got %v, want %d", request, got, want)
				}
			}
		})
	}
	callers.Wait()
}

// BenchmarkServerChain is what four steps cost that do nothing.
func BenchmarkServerChain(b *testing.B) {
	quiet := func(string) {}
	steps := []serverStep{passing("1", quiet), passing("2", quiet), passing("3", quiet), passing("4", quiet)}
	info := &grpc.UnaryServerInfo{}
	handler := func(_ context.Context, req any) (any, error) { return req, nil }
	for _, chain := range []struct {
		name string
		run  grpc.UnaryServerInterceptor
	}{
		{"linked", linkUnary(steps)},
		{"a handler for each step", nested(steps)},
	} {
		b.Run(chain.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chain.run(b.Context(), nil, info, handler); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// nested chains as gRPC does.
func nested(steps []serverStep) grpc.UnaryServerInterceptor {
	var from func(int, *grpc.UnaryServerInfo, grpc.UnaryHandler) grpc.UnaryHandler
	from = func(i int, info *grpc.UnaryServerInfo, last grpc.UnaryHandler) grpc.UnaryHandler {
		if i == len(steps) {
			return last
		}
		return func(ctx context.Context, req any) (any, error) {
			return steps[i].unary[0](ctx, req, info, from(i+1, info, last))
		}
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return steps[0].unary[0](ctx, req, info, from(1, info, handler))
	}
}
