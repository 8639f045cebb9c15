package framework_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	openFile  = "lifecycle: {grace: 5s}\npolicies: {}\n"
	tightFile = "lifecycle: {grace: 5s}\npolicies:\n  /shop.payments.v1.PaymentsService/GetQuote: {auth: {peers: " +
		"[billing]}}\n"
	twoPolicies = tightFile + "  /shop.payments.v1.PaymentsService/Charge: {auth: {peers: [billing]}}\n"
)

// reloaded is a service of payments whose configuration file changes while it runs, and a caller of it.
type reloaded struct {
	t     *testing.T
	file  string
	app   *framework.App
	calls paymentsv1.PaymentsServiceClient
	log   bytes.Buffer
	meter *metric.ManualReader
}

func newReloaded(t *testing.T, text string) *reloaded {
	t.Helper()
	r := &reloaded{t: t, file: filepath.Join(t.TempDir(), "payments.yaml"), meter: metric.NewManualReader()}
	n := frameworktest.NewNetwork(t)
	r.write(text)
	watch := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	r.app = replica(n, &bank{watch: watch}, framework.WithConfigFile(r.file),
		framework.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(r.meter))),
		framework.WithLogger(slog.New(slog.NewTextHandler(&r.log, nil))))
	n.Run(r.app)
	r.calls = client(n)
	return r
}

func (r *reloaded) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloaded) expect(code codes.Code) {
	r.t.Helper()
	_, err := r.calls.GetQuote(r.t.Context(), &paymentsv1.GetQuoteRequest{})
	if status.Code(err) != code {
		r.t.Errorf("GetQuote = %v, want %v", err, code)
	}
}

// measured returns the value of a gauge.
func (r *reloaded) measured(name string) float64 {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.meter.Collect(r.t.Context(), &all); err != nil {
		r.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				return float64(data.DataPoints[0].Value)
			case metricdata.Gauge[float64]:
				return data.DataPoints[0].Value
			}
		}
	}
	r.t.Fatalf("%s is not measured", name)
	return 0
}

// ready returns what the admin surface says about the readiness.
func (r *reloaded) ready() string {
	r.t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://127.0.0.1/readyz", http.NoBody)
	r.app.AdminHandler().ServeHTTP(answer, request)
	return answer.Body.String()
}

func TestPoliciesAreReloadedWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, openFile)
		r.expect(codes.OK)
		r.write(tightFile)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.expect(codes.PermissionDenied)
		r.write(openFile)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.expect(codes.OK)
		if n := r.measured("parley.config.generation"); n != 3 {
			t.Errorf("generation %v, want 3", n)
		}
	})
}

// A reload passes what a start passes: whatever keeps a program from starting does not take the place of what is in
// force.
func TestABadFileKeepsWhatIsInForce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":                  "",
		"blank":                  "\n\n",
		"comments only":          "# lifecycle: {grace: 5s}\n---\n# policies\n",
		"cut in a value":         tightFile[:len(tightFile)-12],
		"cut behind a section":   tightFile[:strings.Index(tightFile, "policies:")+len("policies:")] + "\n",
		"cut behind a method":    tightFile[:strings.Index(tightFile, " {auth")] + "\n",
		"cut in the first line":  "lifecy",
		"cut at a line":          tightFile,
		"without its policies":   "lifecycle: {grace: 6s}\n",
		"unknown key":            "policies:\n  /shop.payments.v1.PaymentsService/GetQuote: {auth: {peesr: [billing]}}\n",
		"unknown method":         "policies:\n  /shop.payments.v1.PaymentsService/GetQuot: {auth: {peers: [billing]}}\n",
		"section of no server":   "servers: {shipping: {listen: \":1\"}}\n",
		"section of no client":   "clients: {shipping: {target: \"dns:///a:1\"}}\n",
		"contradicts an option":  "identity: {trust_dir: /nowhere}\n",
		"contradicts itself":     "servers: {payments: {carriers: [token]}}\n",
		"address of no listener": "surfaces: {admin: \"0.0.0.0:1\"}\n",
		"missing":                "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				whole := tightFile
				if name == "cut at a line" {
					whole = twoPolicies
				}
				r := newReloaded(t, whole)
				r.expect(codes.PermissionDenied)
				r.write(text)
				if name == "missing" {
					if err := os.Remove(r.file); err != nil {
						t.Fatal(err)
					}
				}
				for range 10 {
					time.Sleep(time.Second)
					synctest.Wait()
					r.expect(codes.PermissionDenied)
				}
				if n := r.measured("parley.config.generation"); n != 1 {
					t.Errorf("generation %v, want that of the start", n)
				}
				if s := r.measured("parley.config.failing"); s != 8 {
					t.Errorf("failing for %vs, want the 8s since the second look", s)
				}
				if s := r.measured("parley.config.age"); s != 10 {
					t.Errorf("the age is %vs, want 10s", s)
				}
				row := r.app.ConfigRows()[0]
				if row.State != admin.Bad || !strings.Contains(row.Cells[3], "not in force for 8s: ") {
					t.Errorf("the page shows %v", row)
				}
				if text := r.ready(); !strings.Contains(text, "[-] "+r.file+": generation 1, since ") ||
					!strings.Contains(text, ": not in force for 8s: ") || !strings.HasSuffix(text, "\nready\n") {
					t.Errorf("/readyz says\n%s", text)
				}
				if n := strings.Count(r.log.String(), "the previous content stays in force"); n != 1 {
					t.Errorf("logged %d times, want once:\n%s", n, r.log.String())
				}
				r.write(whole)
				time.Sleep(time.Second)
				synctest.Wait()
				if s := r.measured("parley.config.failing"); s != 0 {
					t.Errorf("failing for %vs with the file of before", s)
				}
				if row := r.app.ConfigRows()[0]; row.State != admin.Good || row.Cells[3] != "in force" {
					t.Errorf("the page shows %v", row)
				}
			})
		})
	}
}

// A file that is written in place shows its first half for a moment.
func TestOneLookLoosensNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, tightFile)
		for range 5 {
			r.write(openFile)
			time.Sleep(time.Second)
			synctest.Wait()
			r.expect(codes.PermissionDenied)
			r.write(tightFile)
			time.Sleep(time.Second)
			synctest.Wait()
			r.expect(codes.PermissionDenied)
		}
		if n := r.measured("parley.config.generation"); n != 1 {
			t.Errorf("generation %v, want that of the start", n)
		}
	})
}

// What a new content tightens counts at the first look, beside what was in force. Where it is taken back before a
// second look, it takes two looks to loosen it again.
func TestTighteningCountsAtTheFirstLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, openFile)
		look := func(want codes.Code) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			r.expect(want)
		}
		r.expect(codes.OK)
		r.write(tightFile)
		look(codes.PermissionDenied)
		r.write(openFile)
		look(codes.PermissionDenied)
		look(codes.OK)
		if n := r.measured("parley.config.generation"); n != 1 {
			t.Errorf("generation %v, want that of the start, since no second look has seen another content", n)
		}
		r.write(tightFile)
		look(codes.PermissionDenied)
		look(codes.PermissionDenied)
		if n := r.measured("parley.config.generation"); n != 2 {
			t.Errorf("generation %v, want 2", n)
		}
		r.write(tightFile + "unknown: key\n")
		look(codes.PermissionDenied)
		look(codes.PermissionDenied)
	})
}

// Streams that a tightened policy would refuse end when two looks have seen it. What one look has seen may be half of a
// file, so it ends no stream.
func TestATightenedFileEndsStreams(t *testing.T) {
	t.Parallel()
	tight := strings.ReplaceAll(tightFile, "GetQuote", "WatchCharge")
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, openFile)
		stream, err := r.calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := stream.Recv()
			ended <- err
		}()
		runs := func(when string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			select {
			case err := <-ended:
				t.Fatalf("%s: the stream ended with %v", when, err)
			default:
			}
		}
		r.write(tight)
		runs("after one look")
		if late, err := r.calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{}); err != nil {
			t.Error(err)
		} else if _, err := late.Recv(); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a stream after one look: %v, want PERMISSION_DENIED", err)
		}
		r.write(openFile)
		runs("taken back, one look")
		runs("taken back, two looks")
		r.write(
			strings.TrimSuffix(
				openFile, " {}\n",
			) + "\n  /shop.payments.v1.PaymentsService/WatchCharge: {auth: {peers: [orders, billing]}}\n",
		)
		runs("still allowed, one look")
		runs("still allowed, two looks")
		r.write(tight)
		runs("one look")
		time.Sleep(time.Second)
		if err := <-ended; status.Code(err) != codes.PermissionDenied || rpcerr.ReasonOf(err) != rpcerr.PolicyDenied {
			t.Errorf("the stream ended with %v, want POLICY_DENIED", err)
		}
	})
}

// The other sections are checked, too, and count at the next start.
func TestAGoodChangeBeyondThePoliciesLetsThemIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, openFile)
		r.write("servers: {payments: {max_request_bytes: 100}}\n" + tightFile)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.expect(codes.PermissionDenied)
		if !strings.Contains(r.log.String(), "restart to apply them") {
			t.Errorf("the log does not ask for a restart:\n%s", r.log.String())
		}
		r.write("servers: {payments: {max_request_bytes: 200}}\n" + tightFile)
		time.Sleep(10 * time.Second)
		if s := r.measured("parley.config.pending"); s != 10 {
			t.Errorf("pending for %vs, want the 10s since the first such change took effect", s)
		}
		row := r.app.ConfigRows()[0]
		if row.State != admin.Warning || row.Cells[3] != "in force, with changes since 10s that need a restart" {
			t.Errorf("the page shows %v", row)
		}
		r.write(tightFile)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := r.measured("parley.config.pending"); s != 0 {
			t.Errorf("pending for %vs after the change was taken back", s)
		}
	})
}

func TestASecondConfigFileIsRefused(t *testing.T) {
	t.Parallel()
	app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev(),
		framework.WithConfigFile(writeFile(t, openFile)), framework.WithConfigFile(writeFile(t, openFile)))
	t.Cleanup(func() { _ = app.Close() })
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "one file holds the whole configuration") {
		t.Errorf("Check = %v, want a refusal of the second file", err)
	}
}

// A configuration that the program has read itself is read as a file is, and is complete without one.
func TestAConfigurationThatTheProgramHasRead(t *testing.T) {
	t.Parallel()
	check := func(options ...framework.Option) (*framework.App, error) {
		t.Helper()
		app := framework.New("orders", append(options, framework.WithEnviron(nil), framework.WithInsecureDev())...)
		t.Cleanup(func() { _ = app.Close() })
		return app, app.Check()
	}
	content := []byte(openFile)
	app, err := check(framework.WithConfig("embedded.yaml", content))
	clear(content) // which belongs to the program
	if err != nil {
		t.Errorf("Check = %v", err)
	}
	var text bytes.Buffer
	if err := app.Describe(&text); err != nil || !strings.Contains(text.String(), "lifecycle.grace  embedded.yaml:1") {
		t.Errorf("the description has no place of the value: %v\n%s", err, text.String())
	}
	for name, test := range map[string]struct {
		options []framework.Option
		want    string
	}{
		"a wrong key": {[]framework.Option{framework.WithConfig("e.yaml", []byte("lifecycl: {}"))}, "e.yaml:1"},
		"nothing":     {[]framework.Option{framework.WithConfig("e.yaml", nil)}, "e.yaml: the file is empty"},
		"beside a file": {
			[]framework.Option{
				framework.WithConfigFile(writeFile(t, openFile)), framework.WithConfig("e.yaml", []byte(openFile)),
			},
			"one file holds the whole configuration",
		},
	} {
		if _, err := check(test.options...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Check = %v, want %q", name, err, test.want)
		}
	}
}

// A container without a file configures its clients and servers in the environment.
func TestTheEnvironmentNamesClientsAndServers(t *testing.T) {
	t.Parallel()
	app := framework.New("orders", framework.WithInsecureDev(), framework.WithEnviron([]string{
		"PARLEY_CLIENTS_MAIL_OUT_TARGET=dns:///mail.internal:443",
		"PARLEY_CLIENTS_PAYMENTS_TARGET=dns:///payments.internal:443",
		"PARLEY_SERVERS_ORDERS_LISTEN=127.0.0.1:9443",
	}))
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:1"), &payments{})
	app.Client("payments")
	app.Client("mail_out")
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	var described bytes.Buffer
	if err := app.Describe(&described); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"server 127.0.0.1:9443", "target: dns:///payments.internal:443", "target: dns:///mail.internal:443",
		"clients.mail_out.target  env PARLEY_CLIENTS_MAIL_OUT_TARGET",
	} {
		if !strings.Contains(described.String(), want) {
			t.Errorf("Describe does not show %q:\n%s", want, described.String())
		}
	}
}
