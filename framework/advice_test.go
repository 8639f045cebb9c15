package framework_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// A mistake is reported once, in one sentence, whatever else it makes impossible.
func TestAMistakeUnderPoliciesIsReportedOnce(t *testing.T) {
	t.Parallel()
	n := frameworktest.NewNetwork(t)
	app := replica(n, &bank{}, framework.WithConfigFile(writeFile(t,
		"policies: {/shop.payments.v1.PaymentsService/GetQuot: {deadline: {max: 1s}}}\n")))
	err := app.Check()
	if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "GetQuote") {
		t.Errorf("Check = %v, want one line with the nearest method", err)
	}
}

func TestAMistakeOfTheIdentityIsReportedOnce(t *testing.T) {
	t.Parallel()
	app := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t,
		"identity: {trust_dir: /not/there, key_file: /not/there.jwk}\n")))
	t.Cleanup(func() { _ = app.Close() })
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), &bank{})
	app.Client("mail", framework.WithTarget("dns:///mail:1"))
	app.Client("stock", framework.WithTarget("dns:///stock:1"))
	err := app.Check()
	if err == nil {
		t.Fatal("Check found nothing")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "identity: ")
		if seen[line] {
			t.Errorf("twice: %s", line)
		}
		seen[line] = true
	}
}

func TestTargetsThatAreURLsAreRefused(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"https://payments.example:8443": "write dns:///payments.example:8443",
		"http://payments.example/v1":    "write dns:///payments.example",
		"etcd:///payments":              "no resolver of this program knows the scheme etcd",
		"dns:///payments.example:8443":  "",
		"passthrough:///127.0.0.1:1":    "",
		"payments.example:8443":         "",
		"unix:///run/payments.sock":     "",
	} {
		app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev())
		app.Client("payments", framework.WithTarget(target))
		err := app.Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Check = %v, want %q", target, err, want)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A peer may be named as policies name it.
func TestPeersMayBeBareNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		n.Run(replica(n, &bank{}))
		orders := n.App("orders", framework.WithConfigFile(writeFile(t, "clients: {till: {peers: [payments]}}\n")))
		calls := paymentsv1.NewPaymentsServiceClient(orders.Client("till", framework.WithTarget("parley:///payments")))
		if _, err := calls.GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{}); err != nil {
			t.Error(err)
		}
		wrong := n.App("web").Client("till", framework.WithTarget("parley:///payments"), framework.WithPeers("pay*"))
		_, err := paymentsv1.NewPaymentsServiceClient(wrong).GetQuote(t.Context(), &paymentsv1.GetQuoteRequest{})
		if err == nil || !strings.Contains(err.Error(), "WithPeers") {
			t.Errorf("GetQuote = %v, want the mistake in WithPeers", err)
		}
	})
}

func TestFilesThatAreMissingAreNamedWithARemedy(t *testing.T) {
	t.Parallel()
	dir, keyFile := state(t)
	identity := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile)
	for name, config := range map[string]string{
		"certificate": identity + "servers: {payments: {carriers: [token], tls: {cert: /not/there, key: /nor/there}}}\n",
		"authorities": identity + "clients: {mail: {mode: token, ca_file: /not/there, target: \"dns:///mail:1\"}}\n",
		"token":       identity + "clients: {mail: {mode: token, token: {file: /not/there}, target: \"dns:///mail:1\"}}\n",
		"keys of users": identity +
			"users: {issuers: [{issuer: \"https://login.example\", keys_file: /not/there}]}\n",
	} {
		app := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, config)))
		paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), &bank{})
		app.Client("mail", framework.WithTarget("dns:///mail:1"))
		err := app.Check()
		if err == nil || !strings.Contains(err.Error(), "/not/there") ||
			!strings.Contains(err.Error(), "put it there, or correct the path") {
			t.Errorf("%s: Check = %v, want the file and a remedy", name, err)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRunAfterCloseSaysSo(t *testing.T) {
	t.Parallel()
	app := framework.New("orders", framework.WithEnviron(nil), framework.WithInsecureDev())
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	err := app.Run(t.Context())
	if !errors.Is(err, framework.ErrClosed) || !strings.Contains(err.Error(), "Run after Close") ||
		strings.Contains(err.Error(), "called before") {
		t.Errorf("Run = %v, want that it came after Close", err)
	}
}

// Peers of the .proto and of the file that have nobody in common shut the method, which is said.
func TestPeersWithNobodyInCommonAreWarnedOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReloaded(t, openFile)
		r.write(tightFile)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.expect(codes.PermissionDenied)
		if !strings.Contains(r.log.String(), "no peer can match both this list (billing) and that of") {
			t.Errorf("the log does not warn:\n%s", r.log.String())
		}
	})
}
