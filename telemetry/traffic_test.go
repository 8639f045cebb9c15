package telemetry_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/tracing"
)

const quote = "shop.payments.v1.PaymentsService/GetQuote"

// TestTraffic says what can be read back of the calls that were measured, by method.
func TestTraffic(t *testing.T) {
	tel := start(t, nil)
	tracer := tracing.New(tracing.WithMeterProvider(tel.MeterProvider()))
	served := func(code codes.Code) {
		_, _ = tracer.UnaryServerInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/" + quote},
			func(context.Context, any) (any, error) { return nil, status.Error(code, "") })
	}
	served(codes.OK)
	served(codes.OK)
	served(codes.NotFound)
	served(codes.Internal)
	call(t.Context(), newTracer(tel))

	traffic, err := tel.Traffic()
	if err != nil || len(traffic) != 2 {
		t.Fatalf("%+v, %v", traffic, err)
	}
	for _, of := range traffic {
		calls, failed := uint64(1), uint64(0)
		if of.Served {
			calls, failed = 4, 1 // the server is not to blame for NOT_FOUND
		}
		if of.Method != quote || of.Calls != calls || of.Failed != failed || of.Duration <= 0 {
			t.Errorf("%+v, want %d calls, %d failed", of, calls, failed)
		}
		if len(of.Within) != 14 || of.Within[0].Bound != 5*time.Millisecond || of.Within[13].Calls != calls {
			t.Errorf("the bounds are %v", of.Within)
		}
	}
	off := start(t, vars{"OTEL_METRICS_EXPORTER": "none"})
	if traffic, err := off.Traffic(); err != nil || traffic != nil {
		t.Errorf("without metrics there is %v, %v", traffic, err)
	}
}
