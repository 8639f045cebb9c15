package framework_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// rulebook is policies of another kind in memory: "open", "closed", or a text that cannot be parsed.
type rulebook struct {
	mu   sync.Mutex
	text string
}

func (b *rulebook) String() string { return "rulebook" }

func (b *rulebook) write(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = text
}

func (b *rulebook) Read() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text == "" {
		return nil, errors.New("rulebook: there is no file; put it there")
	}
	return []byte(b.text), nil
}

func (b *rulebook) Parse(content []byte) ([]policy.Layer, []policy.Note, error) {
	note := policy.Note{Place: "rulebook:2", Subject: "Mirror", Text: "nothing is mirrored"}
	switch string(content) {
	case "open":
		return nil, []policy.Note{note}, nil
	case "closed":
		return []policy.Layer{policy.Guarded(closed{})}, []policy.Note{note}, nil
	default:
		return nil, nil, errors.New("rulebook:1: want open or closed")
	}
}

// closed is a guard that refuses every call but those of the health service.
type closed struct{}

func (closed) String() string { return "closed" }

func (closed) Compile(method string, _ principal.TrustDomain) (policy.MethodGuard, error) {
	if strings.HasPrefix(method, "/grpc.health.v1.Health/") {
		return nil, nil
	}
	return closed{}, nil
}

func (closed) Same(other policy.Guard) bool { return other == policy.Guard(closed{}) }

func (closed) Judge(context.Context, policy.Call) *policy.Objection {
	return &policy.Objection{Why: "it is closed", Source: policy.Source{Kind: policy.KindFile, Place: "rulebook:1"}}
}

func (c closed) Explain(ctx context.Context, call policy.Call) (*policy.Objection, []policy.Step) {
	return c.Judge(ctx, call), nil
}

// expectQuote asks for a quote.
func expectQuote(t *testing.T, calls paymentsv1.PaymentsServiceClient, code codes.Code) {
	t.Helper()
	if _, err := calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); status.Code(err) != code {
		t.Errorf("GetQuote = %v, want %v", err, code)
	}
}

// A policy source is in force from the start, and a new content once two looks have seen it. One that is bad or gone
// changes nothing.
func TestPolicySource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		book := &rulebook{text: "closed"}
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{}, framework.WithPolicySource(book),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		n.Run(app)
		calls := client(n)
		expectQuote(t, calls, codes.PermissionDenied)
		for _, step := range []struct {
			text string
			want codes.Code
			says string // in the log
		}{
			{"ajar", codes.PermissionDenied, "rulebook:1: want open or closed"},
			{"", codes.PermissionDenied, "rulebook: there is no file"},
			{"closed", codes.PermissionDenied, "the content of the policy source is in force again"},
			{"open", codes.OK, "policies reloaded"},
			{"", codes.OK, "rulebook: there is no file"},
			{"closed", codes.PermissionDenied, "policies reloaded"},
		} {
			synctest.Wait()
			log.Reset()
			book.write(step.text)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			expectQuote(t, calls, step.want)
			if !strings.Contains(log.String(), step.says) {
				t.Errorf("%q: the log does not say %q:\n%s", step.text, step.says, log.String())
			}
		}
	})
}

// Without the policies of a file it is not known which methods they decide on, so that their absence alone is reported.
// It stays in the way of a start.
func TestAnUnreadablePolicySource(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "payments.yaml")
	if err := os.WriteFile(config, []byte("polices: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const unstated = "no policy decides who may call /shop.Unstated/Get"
	for name, test := range map[string]struct {
		option     framework.Option
		says       string
		isUnstated bool
	}{
		"good":                           {framework.WithPolicySource(&rulebook{text: "open"}), unstated, true},
		"missing":                        {framework.WithPolicySource(&rulebook{}), "rulebook: there is no file", false},
		"a mistake":                      {framework.WithPolicySource(&rulebook{text: "ajar"}), "rulebook:1: want", false},
		"a configuration with a mistake": {framework.WithConfigFile(config), "polices", false},
	} {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments", test.option)
		n.Server(app).RegisterService(&grpc.ServiceDesc{
			ServiceName: "shop.Unstated", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Get"}},
		}, &bank{})
		err := app.Check()
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Fatalf("%s: got %v, want %q", name, err, test.says)
		}
		if got := strings.Contains(err.Error(), unstated); got != test.isUnstated {
			t.Errorf("%s: that no policy decides is said: %v, in\n%v", name, got, err)
		}
	}
}

// lossy is a rulebook that takes "open" for a part of "closed".
type lossy struct{ *rulebook }

func (lossy) Lost(before, after []byte) error {
	if string(before) == "closed" && string(after) == "open" {
		return errors.New("rulebook: the rule closed is missing; put it back, or restart")
	}
	return nil
}

// A policy source that has lost something changes nothing, which the log, the metrics and the page show with its name.
func TestALossyPolicySource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		book := lossy{&rulebook{text: "closed"}}
		reader := sdkmetric.NewManualReader()
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{}, framework.WithPolicySource(book),
			framework.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		n.Run(app)
		calls := client(n)
		expectQuote(t, calls, codes.PermissionDenied)
		time.Sleep(8500 * time.Millisecond)
		book.write("open")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		expectQuote(t, calls, codes.PermissionDenied)
		measured := strings.Join(collect(t, reader), "\n")
		for _, want := range []string{
			"age{parley.config.source=rulebook} 11.5", "failing{parley.config.source=rulebook} 1.5",
			"generation{parley.config.source=rulebook} 1", "pending{parley.config.source=rulebook} 0",
		} {
			if !strings.Contains(measured+"\n", "parley.config."+want+"\n") {
				t.Errorf("%s is not among\n%s", want, measured)
			}
		}
		row := app.ConfigRows()[0]
		if row.Cells[0] != "rulebook" || !strings.Contains(row.Cells[3], "the rule closed is missing") {
			t.Errorf("the page shows %v", row)
		}
		if !strings.Contains(log.String(), "the rule closed is missing") {
			t.Errorf("the log says\n%s", log.String())
		}
		book.write("closed")
		time.Sleep(time.Second)
		synctest.Wait()
		if row := app.ConfigRows()[0]; row.Cells[3] != "in force" {
			t.Errorf("the page shows %v", row)
		}
	})
}

// The configuration names a policy source, and a reload of its own policies leaves that in force.
func TestPolicySourceOfTheConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const named = "policies_from: {rules: /etc/rules}\n"
		file := filepath.Join(t.TempDir(), "payments.yaml")
		write := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(named)
		book, opened := &rulebook{text: "closed"}, ""
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{}, framework.WithConfigFile(file),
			framework.WithPolicyFormat("rules", func(path string) policy.Files {
				opened = path
				return book
			}))
		n.Run(app)
		calls := client(n)
		expectQuote(t, calls, codes.PermissionDenied)
		if opened != "/etc/rules" {
			t.Errorf("opened %q", opened)
		}
		write(named + "policies:\n  /shop.payments.v1.PaymentsService/GetQuote: {deadline: {max: 1s}}\n")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectQuote(t, calls, codes.PermissionDenied)
		write("lifecycle: {grace: 5s}\n") // which counts at the next start
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectQuote(t, calls, codes.PermissionDenied)
		book.write("open")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectQuote(t, calls, codes.OK)
	})
}

// What is wrong with a policy source keeps the program from starting.
func TestPolicySourceMistakes(t *testing.T) {
	t.Parallel()
	rules := framework.WithPolicyFormat("rules", func(string) policy.Files { return &rulebook{text: "ajar"} })
	source := func(text string) framework.Option { return framework.WithPolicySource(&rulebook{text: text}) }
	for name, test := range map[string]struct {
		config string
		option framework.Option
		says   string
	}{
		"bad":              {"", source("ajar"), "rulebook:1: want open or closed"},
		"missing":          {"", source(""), "rulebook: there is no file"},
		"nil":              {"", framework.WithPolicySource(nil), "WithPolicySource: want files, got nil"},
		"no format":        {"", framework.WithPolicyFormat("", nil), `WithPolicyFormat(""): want a name and a function`},
		"unknown format":   {"policies_from: {istio: /etc/mesh}\n", rules, "policies_from.istio: the program knows no"},
		"no path":          {"policies_from: {rules: \"\"}\n", rules, "policies_from.rules: the path is empty"},
		"compat with none": {"compat: rules\n", rules, `compat: "rules" is no key of policies_from`},
		"empty compat":     {"compat: \"\"\n", rules, `compat: "" is no key of policies_from`},
		"no such default": {
			"policies_from: {rules: /etc}\ncompat: rules\n", rules,
			`compat: rulebook: the program's reader of "rules" knows no default`,
		},
		"bad, of the file": {"policies_from: {rules: /etc}\n", rules, "rulebook:1: want open or closed"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "payments.yaml")
			if err := os.WriteFile(file, []byte("lifecycle: {grace: 5s}\n"+test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			app := framework.New("payments", test.option, framework.WithInsecureDev(), framework.WithConfigFile(file))
			if err := app.Check(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if err := app.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	twice := framework.New("payments", framework.WithInsecureDev(), source("closed"), source("open"))
	if err := twice.Check(); err == nil || !strings.Contains(err.Error(), "rulebook: two policy sources have this name") {
		t.Errorf("a name, twice: %v", err)
	}
	if err := twice.Close(); err != nil {
		t.Error(err)
	}
	// A variable takes the place of what the file says, and so could loosen it.
	app := framework.New("payments", framework.WithInsecureDev(), rules,
		framework.WithEnviron([]string{"PARLEY_POLICIES_FROM_RULES=/tmp"}))
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "policies cannot be stated in the environment") {
		t.Errorf("a variable: %v", err)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}

// Describe lists what a policy source states and nothing enforces.
func TestDescribePolicySource(t *testing.T) {
	t.Parallel()
	app := framework.New("payments", framework.WithInsecureDev(), framework.WithPolicySource(&rulebook{text: "closed"}))
	var b strings.Builder
	if err := app.Describe(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  WithPolicySource(rulebook)\n", "policies from rulebook\n",
		"  not enforced: rulebook:2: Mirror: nothing is mirrored\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}
