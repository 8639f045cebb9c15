package istio_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	"github.com/parley-rpc/parley/policy/istio"
)

// A service that leaves the mesh takes its policies along.
func Example() {
	dir, err := os.MkdirTemp("", "mesh") // stands in for the folder of the team
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const allowed = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-reads, namespace: shop}
spec:
  selector: {matchLabels: {app: orders}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {paths: [/shop.orders.v1.OrdersService/GetOrder]}}]
`
	if err := os.WriteFile(filepath.Join(dir, "orders.yaml"), []byte(allowed), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	workload := istio.Workload{Namespace: "shop", Labels: map[string]string{"app": "orders"}, Services: []string{"orders"}}
	app := framework.New("orders",
		framework.WithInsecureDev(), // a program in production has an identity here
		framework.WithPolicySource(istio.Dir(dir, workload)),
	)
	defer func() { _ = app.Close() }()
	fmt.Println(app.Check())
	// Output: <nil>
}

// A configuration names the folder, with policies_from: {istio: /etc/mesh}.
func ExampleFor() {
	workload := istio.Workload{Namespace: "shop", Labels: map[string]string{"app": "orders"}}
	app := framework.New("orders",
		framework.WithInsecureDev(),
		framework.WithPolicyFormat("istio", istio.For(workload)),
		framework.WithEnviron(nil),
	)
	defer func() { _ = app.Close() }()
	fmt.Println(app.Check())
	// Output: <nil>
}

// What a policy decides about a call is explained with file, document and line.
func Example_explain() {
	layers, _, err := istio.Parse(istio.Workload{Namespace: "shop"}, `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-dev, namespace: shop}
spec:
  action: DENY
  rules:
  - from: [{source: {namespaces: [dev]}}]
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(explain(layers, "spiffe://mesh.example/ns/dev/sa/web"))
	// Output:
	// deny shop/no-dev spec.rules[0]: from namespace [dev]: holds (file mesh.yaml:7 (document 1))
}

// A test injects the faults of a VirtualService into the calls of one client.
func ExampleFiles_Faults() {
	dir, err := os.MkdirTemp("", "mesh") // stands in for the folder of the team
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const routes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payments, namespace: shop}
spec:
  hosts: [payments]
  http:
  - fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
`
	if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(routes), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	workload := istio.Workload{Namespace: "shop", Labels: map[string]string{"app": "orders"}}
	logger := slog.New(slog.DiscardHandler)
	faults, err := istio.Dir(dir, workload).Faults("payments", nil, logger)
	if err != nil {
		fmt.Println(err)
		return
	}
	app := framework.New("orders", framework.WithInsecureDev(), framework.WithEnviron(nil), framework.WithLogger(logger))
	defer func() { _ = app.Close() }()
	client := app.Client("payments", frameworktest.WithFaults(faults))
	_ = client // paymentsv1.NewPaymentsServiceClient(client)
	fmt.Println(strings.ReplaceAll(faults.String(), dir, "/etc/mesh"))
	// Output: payments: UNAVAILABLE in 100% of the calls (file /etc/mesh/payments.yaml:7 (document 1))
}
