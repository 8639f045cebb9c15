package discovery_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/mem"
)

// A failing engine is tried for ever, and the log has one line for the failure and one for its end.
func TestTransitionsAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := slog.New(
			slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}),
		)
		engine := mem.New()
		r := open(t, engine.Driver(), discovery.WithLogger(logger))
		reg := r.Register(t.Context(), one("a"))
		_, cancel := subscribe(r, "payments")
		defer cancel()
		synctest.Wait()
		engine.SetDown(true)
		time.Sleep(time.Hour)
		engine.SetDown(false)
		time.Sleep(10 * time.Second)
		if err := reg.Deregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()

		for text, want := range map[string]int{
			`level=WARN msg="discovery fails; the known instances are kept" service=payments driver=mem error="discovery: mem: find \"payments\": the engine is down" instances=1`: 1,
			`level=INFO msg="discovery is back" service=payments driver=mem`:                                                                                               1,
			`level=INFO msg="registered in discovery" service=payments id=a driver=mem`:                                                                                    2,
			`level=WARN msg="not registered in discovery; trying again" service=payments id=a driver=mem error="discovery: mem: announce \"payments\": the lease is lost"`: 1,
			`msg="discovery has listed few instances or none for the whole hold time; its list is used now" service=payments driver=mem listed=0 instances=1`:              1,
		} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("logged %d times; want %d: %s", got, want, text)
			}
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
}
