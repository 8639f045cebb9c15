package framework_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/discovery/controlplane"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// tower is a control plane that says what a test lets it say.
type tower struct {
	unfit error
	told  func(serving bool, why error)
}

func (*tower) String() string                 { return "the tower" }
func (*tower) Scheme() string                 { return "xds" }
func (p *tower) Check() error                 { return p.unfit }
func (*tower) DialOptions() []grpc.DialOption { return nil }

func (*tower) ClientCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
	return fallback, nil
}

func (*tower) ServerCredentials(fallback credentials.TransportCredentials) (credentials.TransportCredentials, error) {
	return fallback, nil
}

func (p *tower) NewServer(
	told func(serving bool, why error),
	options ...grpc.ServerOption,
) (controlplane.Server, error) {
	p.told = told
	if p.unfit != nil {
		return nil, p.unfit
	}
	return grpc.NewServer(options...), nil
}

func TestCheckOfAControlPlane(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config string // of client and server
		plane  controlplane.ControlPlane
		want   string // empty where all is well
	}{
		"token mode": {"clients: {orders: {target: 'xds:///orders', mode: token}}", &tower{}, ""},
		"nobody to resolve": {
			"clients: {orders: {target: 'xds:///orders', mode: token}}", nil,
			`Client("orders"): target "xds:///orders": the App has no control plane; add one with WithControlPlane(xds.New())`,
		},
		"an unfit one": {"", &tower{unfit: errors.New("no bootstrap")}, "WithControlPlane: no bootstrap"},
		"connection mode": {
			"clients: {orders: {target: 'xds:///orders'}}", &tower{},
			`clients.orders: connection mode does not work with target "xds:///orders", whose control plane ` +
				`configures TLS; set clients.orders.mode to token`,
		},
		"prefer": {
			"clients: {orders: {target: 'xds:///orders', mode: prefer}}", &tower{}, "set clients.orders.mode to token",
		},
		"balancing": {
			"clients: {orders: {target: 'xds:///orders', mode: token, balancing: ring_hash}}", &tower{},
			"clients.orders: balancing, hash_key, subset and outliers have no effect on target",
		},
		"outliers": {
			"clients: {orders: {target: 'xds:///orders', mode: token, outliers: {}}}", &tower{}, "have no effect on target",
		},
		"another target": {"clients: {orders: {target: 'dns:///orders:1', balancing: round_robin}}", &tower{}, ""},
		"a listener":     {"servers: {payments: {control_plane: true, carriers: [token]}}", &tower{}, ""},
		"nobody to describe": {
			"servers: {payments: {control_plane: true, carriers: [token]}}", nil,
			`Server("127.0.0.1:0"): the App has no control plane to configure the listener`,
		},
		"a listener in token": {
			"servers: {payments: {control_plane: true}}", &tower{},
			"servers.payments: connection mode does not work with a control plane, which configures TLS; " +
				"add token to servers.payments.carriers",
		},
		"half a certificate": {
			"servers: {payments: {control_plane: true, carriers: [token], tls: {cert: /c.pem}}}", &tower{},
			"set servers.payments.tls.cert and servers.payments.tls.key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			options := []framework.Option{framework.WithConfigFile(writeFile(t,
				fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n%s\n", dir, keyFile, tt.config)))}
			if tt.plane != nil {
				options = append(options, framework.WithControlPlane(tt.plane))
			}
			app := newPayments(t, options...)
			if strings.Contains(tt.config, "clients") {
				app.Client("orders")
			}
			err := app.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check = %v\nwant it to say %q", err, tt.want)
			}
		})
	}
}

func TestAControlPlaneDescribesListenersOfTCPOnly(t *testing.T) {
	t.Parallel()
	memory := bufconn.Listen(1)
	t.Cleanup(func() { _ = memory.Close() })
	app := framework.New(
		"payments",
		framework.WithInsecureDev(),
		framework.WithEnviron(nil),
		framework.WithControlPlane(&tower{}),
	)
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(
		app.Server("memory", framework.WithListener(memory), framework.WithControlledListener()),
		&payments{},
	)
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "only TCP listeners, not bufconn") {
		t.Errorf("Check = %v", err)
	}
}

// Describe says who decides about what.
func TestDescribeAControlPlane(t *testing.T) {
	t.Parallel()
	app := newPayments(t, framework.WithInsecureDev(), framework.WithControlPlane(&tower{}),
		framework.WithConfigFile(writeFile(t, "servers: {payments: {control_plane: true}}\n")))
	app.Client("orders", framework.WithTarget("xds:///orders"))
	var text bytes.Buffer
	if err := app.Describe(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  WithControlPlane(the tower)\n",
		"\nserver 127.0.0.1:0 as payments\n  control plane: the tower\n    decides: " +
			"whether the listener serves, routes, RBAC without principals, and TLS",
		"  target: xds:///orders\n  control plane: the tower\n    decides: endpoints, health, balancing, outliers, routes,",
		"its retry policies are ignored",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "balancing: zone_weighted") {
		t.Errorf("Describe shows a balancing that nobody does:\n%s", text.String())
	}
}

// A server whose listener is described is ready while it is, and stops as others do: draining is shown for a while
// first.
func TestAControlledServerIsReadyWhileItServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := bufconn.Listen(1 << 16)
		plane := &tower{}
		var log bytes.Buffer
		app := framework.New("payments", framework.WithInsecureDev(), framework.WithEnviron(nil),
			framework.WithControlPlane(plane), framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:8443", framework.WithControlledListener(),
			framework.WithListener(listenerAt{memory, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8443}})), &payments{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		health := func() healthv1.HealthCheckResponse_ServingStatus {
			t.Helper()
			cc, err := grpc.NewClient("passthrough:///payments", grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cc.Close() }()
			reply, err := healthv1.NewHealthClient(cc).Check(t.Context(), &healthv1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			return reply.GetStatus()
		}
		const serving, notServing = healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING

		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-app.Ready():
			t.Fatal("ready before the control plane has described the listener")
		default:
		}
		for _, step := range []struct {
			serving bool
			why     error
			want    healthv1.HealthCheckResponse_ServingStatus
		}{
			{true, nil, serving},
			{false, errors.New("the listener was taken back"), notServing},
			{true, nil, serving},
		} {
			plane.told(step.serving, step.why)
			synctest.Wait() // and no tick of the clock
			if got := health(); got != step.want {
				t.Errorf("after told(%v, %v) health is %v", step.serving, step.why, got)
			}
		}
		<-app.Ready()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := app.DrainReport().Announced; got != time.Second {
			t.Errorf("draining was shown for %v", got)
		}
		for _, want := range []string{
			"the control plane does not let the server serve", "the listener was taken back",
			"the control plane lets the server serve",
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log.String())
			}
		}
	})
}

func TestRunWithoutAUsableControlPlane(t *testing.T) {
	t.Parallel()
	plane := late{&tower{unfit: errors.New("missing server_listener_resource_name_template")}}
	app := framework.New(
		"payments",
		framework.WithInsecureDev(),
		framework.WithEnviron(nil),
		framework.WithControlPlane(plane),
	)
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0", framework.WithControlledListener()), &payments{})
	if err := app.Run(t.Context()); err == nil ||
		!strings.Contains(err.Error(), `Server("127.0.0.1:0"): missing server_listener_resource_name_template`) {
		t.Errorf("Run = %v", err)
	}
}

// late is a control plane whose mistakes show only when a server is made.
type late struct{ *tower }

func (late) Check() error { return nil }
