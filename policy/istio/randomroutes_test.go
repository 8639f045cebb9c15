package istio_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

// randomMatch is a match as its file states it, with what a slow reading makes of it.
type randomMatch struct {
	text string
	fits func(host, method string) bool
}

// TestRandomRoutes compares the route of random VirtualServices that a call takes with that of a slow reading, and the
// policy that comes of it with the contract: a route never lengthens a deadline or adds attempts.
func TestRandomRoutes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	hosts := []string{"payments", "payments:8443", "payments.shop.svc.cluster.local:9000"}
	methods := []string{getQuote, charge, paymentsService + "WatchCharge", "/bank.v1.Bank/Pay"}
	taken := 0
	for range rounds.Of(300) {
		var text strings.Builder
		text.WriteString(routesHead)
		var routes [][]randomMatch
		for i := range 1 + r.IntN(5) {
			fmt.Fprintf(&text, "  - timeout: %dms\n    retries: {attempts: %d}\n", i+1, r.IntN(10))
			var matches []randomMatch
			for range r.IntN(3) {
				matches = append(matches, newRandomMatch(r))
			}
			if len(matches) > 0 {
				text.WriteString("    match:\n")
			}
			for _, m := range matches {
				text.WriteString("    - {" + m.text + "}\n")
			}
			routes = append(routes, matches)
		}
		layers, _, err := istio.Parse(orders(), text.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
		table := routesOf(layers).table()
		for _, host := range hosts {
			for _, method := range methods {
				want := time.Duration(slowRoute(routes, host, method)+1) * time.Millisecond
				if got := table.Toward(host).Traffic(method).Deadline.Value; got != want {
					t.Fatalf("%s to %s takes the route of %v, want %v:\n%s", method, host, got, want, text.String())
				}
				if want > 0 {
					taken++
				}
				narrower(t, table.Toward(host), method)
			}
		}
	}
	if taken < 1000 {
		t.Errorf("only %d calls took a route", taken)
	}
}

// slowRoute is the number of the first route that a call takes, or -1.
func slowRoute(routes [][]randomMatch, host, method string) int {
	for i, matches := range routes {
		if len(matches) == 0 {
			return i
		}
		for _, m := range matches {
			if m.fits(host, method) {
				return i
			}
		}
	}
	return -1
}

// newRandomMatch draws conditions, all of which must hold.
func newRandomMatch(r *rand.Rand) randomMatch {
	var texts []string
	var all []func(host, method string) bool
	add := func(text string, fits func(host, method string) bool) {
		texts, all = append(texts, text), append(all, fits)
	}
	ignoreCase := r.IntN(4) == 0
	if ignoreCase {
		texts = append(texts, "ignoreUriCase: true")
	}
	fold := func(text string) string {
		if ignoreCase {
			return strings.ToUpper(text)
		}
		return text
	}
	switch r.IntN(6) {
	case 0:
		value := []string{getQuote, charge, strings.ToUpper(getQuote)}[r.IntN(3)]
		add("uri: {exact: "+value+"}", func(_, method string) bool { return fold(method) == fold(value) })
	case 1:
		value := []string{"/", "/shop.", "/SHOP.", paymentsService + "Get", "/bank"}[r.IntN(5)]
		add("uri: {prefix: "+value+"}", func(_, method string) bool { return strings.HasPrefix(fold(method), fold(value)) })
	case 2:
		value := []string{".*", ".*Quote", "/shop", "/a|.*Charge", "/bank.v1.[A-Z][a-z]+/Pay"}[r.IntN(5)]
		add("uri: {regex: '"+value+"'}", func(_, method string) bool {
			at := regexp.MustCompile(value)
			at.Longest()
			return at.FindString(method) == method
		})
	}
	if r.IntN(3) == 0 {
		value := []string{"payments", "payments:8443", "payments."}[r.IntN(3)]
		add("authority: {prefix: '"+value+"'}", func(host, _ string) bool { return strings.HasPrefix(host, value) })
	}
	if r.IntN(4) == 0 {
		add("port: 8443", func(host, _ string) bool { return strings.HasSuffix(host, ":8443") })
	}
	if r.IntN(4) == 0 {
		app := []string{"orders", "web"}[r.IntN(2)]
		add("sourceLabels: {app: "+app+"}", func(_, _ string) bool { return app == "orders" })
	}
	if r.IntN(5) == 0 {
		add("headers: {x-a: {exact: b}}", func(_, _ string) bool { return false })
	}
	if r.IntN(6) == 0 {
		add("method: {exact: GET}", func(_, _ string) bool { return false })
	}
	return randomMatch{strings.Join(texts, ", "), func(host, method string) bool {
		for _, fits := range all {
			if !fits(host, method) {
				return false
			}
		}
		return true
	}}
}

// narrower fails if calls of a method may take longer or be tried more often than its contract says.
func narrower(t *testing.T, table *policy.Table, method string) {
	t.Helper()
	contract, err := policy.FromProto().Method(method)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := table.Method(method)
	if err != nil {
		t.Fatal(err)
	}
	if d := contract.Deadline; d.Stated() && merged.Deadline.Value > d.Value {
		t.Errorf("%s: the deadline was %v and is %v", method, d, merged.Deadline)
	}
	if n := contract.Retry.MaxAttempts; n.Stated() && merged.Retry.MaxAttempts.Value > n.Value {
		t.Errorf("%s: the attempts were %v and are %v", method, n, merged.Retry.MaxAttempts)
	}
	if merged.Idempotency != contract.Idempotency {
		t.Errorf("%s: the idempotency was %v and is %v", method, contract.Idempotency, merged.Idempotency)
	}
}
