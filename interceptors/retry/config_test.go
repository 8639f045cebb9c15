package retry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

func TestCheckNamesEveryMistake(t *testing.T) {
	r := retry.New(retry.WithPolicy(nil), retry.WithDefaultDeadline(0), retry.WithRandom(nil), retry.WithLogger(nil),
		retry.WithBudget(retry.Budget{Ratio: 2, Max: 0, MinPerSecond: 3}))
	defer r.Close()
	err := r.Check()
	if err == nil {
		t.Fatal("Check found nothing")
	}
	wants := []string{
		"WithPolicy: the table is nil", "WithDefaultDeadline: 0s is not positive", "WithRandom: the function is nil", "WithLogger: the logger is nil",
		"Ratio is 2", "Max is 0", "MinPerSecond is 3",
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}

	invoked := false
	finished := 0
	err = r.UnaryClientInterceptor(t.Context(), readMethod, nil, nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			invoked = true
			return nil
		},
		grpc.OnFinish(func(error) { finished++ }))
	if status.Code(err) != codes.FailedPrecondition || rpcerr.ReasonOf(err) != rpcerr.ConfigurationInvalid || !strings.Contains(status.Convert(err).Message(), "Ratio is 2") {
		t.Errorf("a call returned %v, want FAILED_PRECONDITION with the mistakes", err)
	}
	if invoked || finished != 1 {
		t.Errorf("the call was sent: %v; OnFinish was called %d times, want once", invoked, finished)
	}
	_, err = r.StreamClientInterceptor(t.Context(), &grpc.StreamDesc{}, nil, watchMethod, nil)
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a stream returned %v, want FAILED_PRECONDITION", err)
	}
}

func TestClosedRetrierRefusesCalls(t *testing.T) {
	r := retry.New()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := r.UnaryClientInterceptor(t.Context(), readMethod, nil, nil, nil, nil)
	stopped(t, err, codes.Canceled, retry.StopClosing, 0)
	if want := "rpc error: code = Canceled desc = the Retrier is closed (0 attempts: closing)"; err.Error() != want {
		t.Errorf("the text is %q, want %q", err, want)
	}
	_, err = r.StreamClientInterceptor(t.Context(), &grpc.StreamDesc{}, nil, watchMethod, nil)
	stopped(t, err, codes.Canceled, retry.StopClosing, 0)
}

func TestOptionsPrintThemselves(t *testing.T) {
	for want, o := range map[string]retry.Option{
		"retry.WithDefaultDeadline(10s)":                                      retry.WithDefaultDeadline(10e9),
		"retry.WithBudget(ratio 0.1, max 10, min 0.1/s)":                      retry.WithBudget(retry.DefaultBudget()),
		"retry.WithPolicy(...)":                                               retry.WithPolicy(policy.FromProto()),
		"retry.WithRandom(...)":                                               retry.WithRandom(nil),
		"retry.WithLogger(...)":                                               retry.WithLogger(nil),
		"retry.WithEndpoints(...)":                                            retry.WithEndpoints(nil),
		"retry.WithAdaptiveTimeout()":                                         retry.WithAdaptiveTimeout(),
		"retry.WithoutChainGuard(/a.B/C)":                                     retry.WithoutChainGuard("/a.B/C"),
		"retry.WithBreaker(ratio 0.5, min 50, window 10s, stops calls false)": retry.WithBreaker(retry.DefaultBreaker()),
	} {
		if got := fmt.Sprint(o); got != want {
			t.Errorf("the option prints %q, want %q", got, want)
		}
	}
}

func TestZeroErrorDoesNotPanic(t *testing.T) {
	var e retry.Error
	if got, want := e.Error(), "rpc error (0 attempts: )"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
