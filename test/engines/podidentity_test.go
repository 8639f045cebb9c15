package engines

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// office is an issuer whose authority is the cluster, and which asks the API server about each token.
type office struct {
	server *httptest.Server
	ca     string
	log    bytes.Buffer
}

func startOffice(t *testing.T, c *cluster, change func(*issuer.Bootstrap)) *office {
	t.Helper()
	c.make(t, "/api/v1/namespaces", map[string]any{"metadata": map[string]string{"name": "shop"}})
	o := &office{ca: filepath.Join(t.TempDir(), "ca.pem")}
	o.server = httptest.NewUnstartedServer(nil)
	o.server.StartTLS()
	t.Cleanup(o.server.Close)
	write(t, o.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.server.Certificate().Raw}))
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca, own := filepath.Join(c.dir, "cert.pem"), filepath.Join(c.dir, "token")
	b := issuer.Bootstrap{
		Name:    clusterIssuer,
		Keys:    keyset.URL("https://"+c.addr+"/openid/v1/jwks", keyset.WithCAFile(ca), keyset.WithBearerTokenFile(own)),
		Profile: profile.Of(profile.Kubernetes),
		Principals: &principal.Map{
			Claim: "sub", IDs: map[string]principal.ID{
				"system:serviceaccount:shop:orders":   idOf(t, "orders"),
				"system:serviceaccount:shop:payments": idOf(t, "payments"),
			},
			Required: []string{"kubernetes.io>pod>uid"},
		},
		Review: issuer.Cluster{URL: "https://" + c.addr, CAFile: ca, TokenFile: own}.Review,
	}
	if change != nil {
		change(&b)
	}
	id := issuer.New(o.server.URL, issuer.NewKeys(signer), issuer.NewStatic(),
		issuer.WithIdentities("shop.example", b), issuer.WithLogger(slog.New(slog.NewTextHandler(&o.log, nil))))
	t.Cleanup(func() { _ = id.Close() })
	if err := id.Check(); err != nil {
		t.Fatal(err)
	}
	o.server.Config.Handler = id
	return o
}

func idOf(t *testing.T, service string) principal.ID {
	t.Helper()
	id, err := principal.ParseID("spiffe://shop.example/" + service)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// object is what the API server says of one of its objects.
type object struct {
	Metadata struct{ UID string }
	Status   struct{ Token string }
}

func (c *cluster) make(t *testing.T, path string, body any) object {
	t.Helper()
	var made object
	if text := c.post(t, path, body); json.Unmarshal(text, &made) != nil {
		t.Fatalf("%s", text)
	}
	return made
}

// pod makes the service account of a service and a pod of it, and returns the token that the kubelet puts there.
func (c *cluster) pod(t *testing.T, service, audience string) string {
	t.Helper()
	c.make(t, "/api/v1/namespaces/shop/serviceaccounts", map[string]any{"metadata": map[string]string{"name": service}})
	pod := c.make(t, "/api/v1/namespaces/shop/pods", map[string]any{
		"metadata": map[string]string{"name": service + "-0"},
		"spec": map[string]any{
			"serviceAccountName": service, "containers": []any{map[string]string{"name": "main", "image": "none"}},
		},
	})
	return c.bound(t, service, audience, map[string]any{
		"boundObjectRef": map[string]string{
			"kind": "Pod", "apiVersion": "v1", "name": service + "-0", "uid": pod.Metadata.UID,
		},
	})
}

func (c *cluster) bound(t *testing.T, service, audience string, spec map[string]any) string {
	t.Helper()
	spec["audiences"], spec["expirationSeconds"] = []string{audience}, 3600
	return c.make(
		t,
		"/api/v1/namespaces/shop/serviceaccounts/"+service+"/token",
		map[string]any{"spec": spec},
	).Status.Token
}

func (c *cluster) remove(t *testing.T, path string) {
	t.Helper()
	request, err := http.NewRequestWithContext(
		t.Context(), http.MethodDelete, "https://"+c.addr+path+"?gracePeriodSeconds=0", nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := c.asking(t, time.Minute).Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
}

// Two pods with nothing but what TokenRequest gives them prove themselves to each other, with the configuration of
// docs/auth.md.
func TestPodIdentities(t *testing.T) {
	c := startKubernetes(t)
	o := startOffice(t, c, nil)
	network, dir := frameworktest.NewNetwork(t), t.TempDir()
	app := func(service, rest string) *framework.App {
		file := filepath.Join(dir, service)
		write(t, file+".token", []byte(c.pod(t, service, o.server.URL)))
		write(t, file+".yaml", fmt.Appendf(nil, `
identity: {trust_domain: shop.example, kubernetes: {issuer: %q, ca_file: %q, token_file: %q}}
lifecycle: {announce: 0s, quiet: 0s}
`+rest, o.server.URL, o.ca, file+".token"))
		app := framework.New(service, framework.WithConfigFile(file+".yaml"), framework.WithDialer(network.Dial),
			framework.WithEnviron(nil), framework.WithLogger(slog.New(slog.DiscardHandler)))
		t.Cleanup(func() { _ = app.Close() })
		return app
	}
	bank := &bank{}
	payments := app("payments", "")
	paymentsv1.RegisterPaymentsServiceServer(network.Server(payments), bank)
	network.Run(payments)
	begun := time.Now()
	orders := app("orders", "clients: {payments: {target: \"passthrough:///server-1:443\"}}\n")
	made := time.Since(begun) // the account and the pod
	_, err := paymentsv1.NewPaymentsServiceClient(orders.Client("payments")).
		Charge(t.Context(), &paymentsv1.ChargeRequest{})
	if err != nil || bank.peer.ID != idOf(t, "orders") {
		t.Fatalf("payments saw %s, %v\n%s", bank.peer.ID, err, &o.log)
	}
	t.Logf("from the token to the first proven call: %v", time.Since(begun)-made)
}

// The API server judges each token itself, when it is used for the first time and when an identity is renewed.
func TestPodIdentityEndsWithThePod(t *testing.T) {
	c := startKubernetes(t)
	o := startOffice(t, c, nil)
	file := filepath.Join(t.TempDir(), "token")
	ask := func(text string) error {
		t.Helper()
		write(t, file, []byte(text))
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		source := tokens.IdentityFromIssuer(
			o.server.URL, o.server.URL+"/token", idOf(t, "orders"), key, file, tokens.WithCAFile(o.ca),
		)
		_, err = source.Token(t.Context(), principal.ID{})
		return err
	}
	good := c.pod(t, "orders", o.server.URL)
	if err := ask(good); err != nil {
		t.Fatalf("%v\n%s", err, &o.log)
	}
	for name, bad := range map[string]string{
		"of another service":            c.pod(t, "payments", o.server.URL),
		"for the API server":            c.bound(t, "orders", clusterIssuer, map[string]any{}),
		"for another issuer":            c.bound(t, "orders", "https://id.other.example", map[string]any{}),
		"bound to no pod":               c.bound(t, "orders", o.server.URL, map[string]any{}),
		"with a changed signature":      good[:len(good)-8] + strings.Repeat("A", 8),
		"with a payload of the thief's": strings.Replace(good, ".", ".e30", 1),
	} {
		if err := ask(bad); err == nil || !strings.Contains(err.Error(), "HTTP status 400") {
			t.Errorf("a token %s: %v", name, err)
		}
	}
	c.remove(t, "/api/v1/namespaces/shop/pods/orders-0")
	// The API server may remember its answer for 10 seconds.
	await(t, "the token of the deleted pod is refused", func(_ context.Context) bool { return ask(good) != nil })
	if !strings.Contains(o.log.String(), "the authority does not accept the token") {
		t.Error(o.log.String())
	}
}
