package framework_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
)

// taker answers every call.
type taker struct {
	ordersv1.UnimplementedOrdersServiceServer
}

func (taker) GetOrder(context.Context, *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	return &ordersv1.GetOrderResponse{}, nil
}

// TestReloadUnderLoad reloads between two policies while three services call, some of them at the very moment of a
// look. The one that both policies allow never fails, the one that neither allows never passes, and the one that the
// second allows passes only while the second is in force.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const (
			reloads = 20
			period  = time.Second / 8 // looks are at whole seconds
			head    = "lifecycle: {grace: 5s}\npolicies:\n  /shop.orders.v1.OrdersService/GetOrder: "
			one     = head + "{auth: {peers: [web]}}\n"
			both    = head + "{auth: {peers: [web, billing]}}\n"
		)
		file := filepath.Join(t.TempDir(), "orders.yaml")
		write := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(one)
		n := frameworktest.NewNetwork(t)
		app := n.App("orders", framework.WithConfigFile(file),
			framework.WithLogger(slog.New(slog.DiscardHandler)))
		ordersv1.RegisterOrdersServiceServer(n.Server(app), taker{})
		n.Run(app)
		stop := make(chan struct{})
		var callers sync.WaitGroup
		var mu sync.Mutex
		passed, refused := map[string]int{}, map[string]int{}
		for _, service := range []string{"web", "billing", "mallory"} {
			calls := ordersv1.NewOrdersServiceClient(n.App(service).Client("orders"))
			callers.Go(func() {
				for {
					before := app.Generation()
					_, err := calls.GetOrder(t.Context(), &ordersv1.GetOrderRequest{})
					time.Sleep(time.Millisecond) // a reload of the same moment is over then
					after := app.Generation()
					switch code := status.Code(err); {
					case code != codes.OK && code != codes.PermissionDenied:
						t.Errorf("%s: %v", service, err)
					case service == "web" && err != nil, service == "mallory" && err == nil:
						t.Errorf("%s in generation %d to %d: %v", service, before, after, err)
					case service == "billing" && err == nil && before == after && before%2 == 1:
						t.Errorf("billing passes in generation %d, which does not allow it", before)
					}
					mu.Lock()
					if err == nil {
						passed[service]++
					} else {
						refused[service]++
					}
					mu.Unlock()
					select {
					case <-stop:
						return
					case <-time.After(period - time.Millisecond):
					}
				}
			})
		}
		for i := range reloads {
			write([]string{both, one}[i%2])
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if g := app.Generation(); g != i+2 {
				t.Errorf("generation %d after %d reloads", g, i+1)
			}
		}
		close(stop)
		callers.Wait()
		least := reloads * int(2*time.Second/period) / 5
		if passed["web"] < least || refused["mallory"] < least || passed["billing"] < least || refused["billing"] < least {
			t.Errorf("too few calls to show anything: %v passed, %v refused", passed, refused)
		}
	})
}
