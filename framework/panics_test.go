package framework_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

func TestAReadinessCheckThatPanicsIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{})
		asked := 0
		app.ReadyWhen("the cache is warm", func(context.Context) error {
			switch asked++; asked {
			case 1:
				panic("cold")
			case 2:
				runtime.Goexit()
			}
			return nil
		})
		started := time.Now()
		n.Run(app)
		if took := time.Since(started); took != 2*time.Second {
			t.Errorf("the App was ready after %v, want the two seconds until the third question", took)
		}
	})
}

func TestBackgroundWorkThatPanicsStopsTheApp(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic: lost": func() { panic("lost") }, "runtime.Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			n := frameworktest.NewNetwork(t)
			app := replica(n, &bank{})
			app.Background("the cleaner", func(context.Context) error {
				time.Sleep(time.Minute)
				end()
				return nil
			})
			err := app.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), `background work "the cleaner"`) ||
				!strings.Contains(err.Error(), name) {
				t.Errorf("Run = %v, want the %s of the background work", err, name)
			}
		})
	}
}

// Nothing of a stop waits long where the calls in flight end.
func TestAStopWithoutStuckHandlersTakesLessThanTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := replica(n, &bank{quote: func(context.Context) error {
			time.Sleep(1900 * time.Millisecond) // the method has 2s
			return nil
		}})
		app.Background("the cleaner", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		})
		stop := n.Run(app)
		calls := client(n)
		stopped := make(chan struct{})
		for i := range 20 { // callers that never rest, and call one after the other
			go func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				for {
					_, _ = calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
					select {
					case <-stopped:
						return
					case <-time.After(150 * time.Millisecond):
					}
				}
			}()
		}
		time.Sleep(2 * time.Second)
		n.Engine().SetFrozen(true)
		started := time.Now()
		err := stop()
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if cut := (*framework.CutError)(nil); errors.As(err, &cut) {
			t.Errorf("calls were cut: %v", err)
		}
		close(stopped)
		n.Engine().SetFrozen(false)
	})
}

func TestALongStopIsWarnedOf(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"{}":                                    "",
		"lifecycle: {grace: 20s}\n":             "a stop may take 31s, and the process has 30s",
		"lifecycle: {grace: 20s, total: 40s}\n": "",
		"lifecycle: {total: 20s}\n":             "a stop may take 26s, and the process has 20s",
	} {
		var log bytes.Buffer
		app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev(),
			framework.WithConfigFile(writeFile(t, config)), framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err := app.Check(); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); (want == "") != !strings.Contains(got, "a stop may take") || !strings.Contains(got, want) {
			t.Errorf("%s: the log says %q, want %q", config, got, want)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the registry can do about an engine that is down can be configured.
func TestAProgramThatStartsInAnOutageCallsWhatItKnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		n.Run(replica(n, &bank{}))
		known := t.TempDir() + "/known.json"
		config := writeFile(t, "discovery: {last_known_good: "+known+", ttl: 10s, hold: 1m, first_wait: 1s}\n")
		before := n.App("orders", framework.WithConfigFile(config))
		if _, err := paymentsv1.NewPaymentsServiceClient(before.Client("payments")).
			GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Fatal(err)
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		n.Engine().SetDown(true)
		after := n.App("orders", framework.WithConfigFile(config))
		if _, err := paymentsv1.NewPaymentsServiceClient(after.Client("payments")).
			GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Errorf("GetQuote in the outage = %v", err)
		}
		n.Engine().SetDown(false)
	})
}
