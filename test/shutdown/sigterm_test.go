package shutdown

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// A charge is not idempotent: nothing repeats it once it may have been made. So every charge that the server makes must
// be answered, and every call that fails must not have been made.
func TestSIGTERMUnderLoadLosesNoAcceptedCall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	id := enrolled(t, dir, "orders")
	child := startChild(t, stateEnv+"="+dir)

	app := framework.New("orders", framework.WithIdentity(id), framework.WithEnviron(nil))
	t.Cleanup(func() { _ = app.Close() })
	client := paymentsv1.NewPaymentsServiceClient(
		app.Client("payments", framework.WithTarget("passthrough:///"+child.line(t))),
	)

	var answered atomic.Int64
	loaded := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
				switch status.Code(err) {
				case codes.OK:
					if answered.Add(1) == 500 {
						close(loaded)
					}
				case codes.Unavailable:
					return // the server is gone
				default:
					t.Errorf("Charge: %v", err)
					return
				}
			}
		})
	}
	select {
	case <-loaded:
	case <-t.Context().Done():
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	charged := child.line(t)
	if err := child.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if got := fmt.Sprint(answered.Load()); got != charged {
		t.Errorf("%s calls were answered, %s charges were made", got, charged)
	}
}
