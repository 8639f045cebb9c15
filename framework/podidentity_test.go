package framework_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/internal/jose"
)

// podOffice is an office that vouches for the keys of pods, by the accounts that their tokens name.
type podOffice struct {
	*office
	root  *jose.PrivateKey // nil if the keys are not signed
	asked atomic.Int64
}

func (o *podOffice) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	switch r.URL.String() {
	case officeName + "/jwks.json":
		return answer(http.StatusOK, fmt.Sprintf(`{"keys":[%s]}`, o.public(o.key)))
	case officeName + "/jwks.jwt":
		return answer(http.StatusOK, o.signedKeys())
	case officeName + "/token":
		o.asked.Add(1)
		body, err := o.token(r)
		if err != nil {
			o.t.Error(err)
			return answer(http.StatusBadRequest, `{"error":"invalid_request"}`)
		}
		return answer(http.StatusOK, body)
	default:
		return nil, errors.New("no such document: " + r.URL.String())
	}
}

func (o *podOffice) signedKeys() string {
	text, err := json.Marshal(map[string]any{
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "root": o.public(o.root),
		"keys": []json.RawMessage{o.public(o.key)},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	token, err := o.root.Sign("jwk-set+jwt", text)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// token binds the key of the proof to the service that the file names.
func (o *podOffice) token(r *http.Request) (string, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", err
	}
	service, ok := strings.CutPrefix(form.Get("subject_token"), "token of ")
	if !ok || form.Get("requested_token_type") != "urn:parley:token-type:wit" {
		return "", fmt.Errorf("the form is %v", form)
	}
	proof, err := jose.Unproven(form.Get("client_assertion"))
	if err != nil {
		return "", err
	}
	confirmation, _ := proof.Object("cnf")
	token := o.sign("wit+jwt", 10*time.Minute, map[string]any{
		"sub": "spiffe://shop.example/" + service, "cnf": json.RawMessage(confirmation),
	})
	return fmt.Sprintf(`{"access_token":%q,"token_type":"N_A","expires_in":600}`, token), nil
}

func (o *podOffice) app(n *frameworktest.Network, service, pin, rest string) *framework.App {
	o.t.Helper()
	o.write(service+".token", "token of "+service)
	app := framework.New(
		service, framework.WithEnviron(nil), framework.WithDialer(n.Dial), framework.WithRoundTripper(o),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
		framework.WithConfigFile(writeFile(o.t, fmt.Sprintf(`
identity:
  trust_domain: shop.example
  kubernetes: {issuer: %q, token_file: %q%s}
`, officeName, o.file(service+".token"), pin)+rest)),
	)
	o.t.Cleanup(func() {
		if err := app.Close(); err != nil {
			o.t.Errorf("closing %s: %v", service, err)
		}
	})
	return app
}

// Two pods with nothing but their service account tokens call each other for an hour.
func TestPodIdentityByConfiguration(t *testing.T) {
	t.Parallel()
	for name, pinned := range map[string]bool{"keys of a verified server": false, "keys of a pinned root": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, n := &podOffice{office: newOffice(t), root: newKey(t)}, frameworktest.NewNetwork(t)
				pin := ""
				if pinned {
					pin = fmt.Sprintf(", pinned_root: %q", o.root.Public().Thumbprint())
				}
				server := o.app(n, "payments", pin, "lifecycle: {announce: 0s, quiet: 0s}\n")
				paymentsv1.RegisterPaymentsServiceServer(n.Server(server), &bank{})
				n.Run(server)
				orders := o.app(n, "orders", pin, "clients: {payments: {target: \"passthrough:///server-1:443\"}}\n")
				client := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
				for minute := range 60 {
					if _, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
						t.Fatalf("minute %d: %v", minute, err)
					}
					time.Sleep(time.Minute)
				}
				if n := o.asked.Load(); n < 12 || n > 20 {
					t.Errorf("the issuer was asked %d times for two services", n)
				}
			})
		})
	}
}

func TestPodIdentityMistakes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ identity, says string }{
		"no issuer":       {"kubernetes: {token_file: /t}", "identity.kubernetes.issuer: set it"},
		"a trust dir":     {"trust_dir: /t, kubernetes: {issuer: a}", "trust_dir and identity.kubernetes contradict"},
		"a key file":      {"key_file: /k, kubernetes: {issuer: a}", "identity.key_file: the key of identity.kubernetes"},
		"enrolling":       {"enroll: self, kubernetes: {issuer: a}", "identity.enroll: self is for a trust directory"},
		"further domains": {"accept_domains: [b.example], kubernetes: {issuer: a}", "identity.accept_domains: the issuer"},
		"a name":          {"kubernetes: {issuer: office}", "identity.kubernetes"},
		"plain HTTP":      {"kubernetes: {issuer: \"http://id.shop.example\"}", "identity.kubernetes"},
		"no token": {
			"kubernetes: {issuer: \"https://id.shop.example\", token_file: /nowhere/token}", "token file /nowhere/token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := framework.New("orders", framework.WithEnviron(nil), framework.WithConfigFile(
				writeFile(t, "identity: {trust_domain: shop.example, "+tt.identity+"}\n")))
			defer func() { _ = app.Close() }()
			if err := app.Check(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
