package kubernetes_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/kubernetes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestURLs(t *testing.T) {
	for _, tt := range []struct{ url, mistake string }{
		{"kubernetes://10.0.0.1:6443/shop?tls=system&port=grpc&zone=a&check=10s", ""},
		{"kubernetes:///shop", "does not run in a pod"},
		{"kubernetes:///shop?ca=/etc/ca.pem", "ca is for another cluster"},
		{"kubernetes:", "want kubernetes://host:port"},
		{"kubernetes://10.0.0.1:6443/shop", "does not name the trusted certificates"},
		{"kubernetes://10.0.0.1:6443?tls=system", "the URL has no namespace, and this program does not run in a pod"},
		{"kubernetes://10.0.0.1:6443/Shop?tls=system", `namespace "Shop"`},
		{"kubernetes://10.0.0.1:6443/shop?tls=system&check=1ms", "check=1ms: want a time of at least 1s"},
		{"kubernetes://10.0.0.1:6443/shop?tls=system&token_file=none", "token_file: open none"},
		{"kubernetes://10.0.0.1:6443/shop?ca=none", "ca: open none"},
	} {
		d, err := kubernetes.Open(tt.url)
		switch {
		case tt.mistake == "" && (err != nil || d.String() != "kubernetes at 10.0.0.1:6443"):
			t.Errorf("%s: %v, %v", tt.url, d, err)
		case tt.mistake != "" && (err == nil || !strings.Contains(err.Error(), tt.mistake)):
			t.Errorf("%s: %v; want %q", tt.url, err, tt.mistake)
		}
		if d != nil {
			_ = d.Close()
		}
	}
	if _, err := kubernetes.New(kubernetes.Config{Namespace: "shop"}); err == nil ||
		!strings.Contains(err.Error(), "the client is missing") {
		t.Errorf("New without a client: %v", err)
	}
}

func Example() {
	cluster := newCluster() // stands in for an API server
	cluster.put(slice("payments-x7k2p", zoned(pod("payments-5d4f", "10.0.0.7", nil, nil, nil), "b")))

	driver, err := kubernetes.New(kubernetes.Config{Client: cluster, Namespace: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := discovery.New(driver)
	defer func() { _ = registry.Close() }()
	registration := registry.Register(
		context.Background(),
		discovery.Instance{Service: "orders", Addresses: []string{"10.0.0.8:8443"}},
	)
	fmt.Println("registered:", registration.Registered()) // by readiness

	states := make(chan discovery.State, 1)
	cancel := registry.Subscribe("payments", func(s discovery.State) { states <- s })
	defer cancel()
	for _, in := range (<-states).Instances {
		fmt.Println(in.ID, in.Addresses, in.Zone)
	}
	// Output:
	// registered: true
	// payments-5d4f [10.0.0.7:8443] b
}
