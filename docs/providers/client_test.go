package providers_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/metadata"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

func chargeFor(ctx context.Context, payments paymentsv1.PaymentsServiceClient, userToken string) error {
	ctx = auth.AttachUserToken(ctx, userToken)
	_, err := payments.Charge(ctx, &paymentsv1.ChargeRequest{})
	return err
}

func chargeWithAuthorization(ctx context.Context, payments paymentsv1.PaymentsServiceClient, token string) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	_, err := payments.Charge(ctx, &paymentsv1.ChargeRequest{})
	return err
}

// A user's token is taken from authorization where the connection proves the caller and the server says so.
func TestAUserInAuthorization(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	synctest.Test(t, func(t *testing.T) {
		p := newProduct(t, "okta", ring)
		s := newShop(t)
		s.start(p, "okta.yaml", "PARLEY_SERVERS_PAYMENTS_USER_AUTHORIZATION=true")
		client := s.client("user-client.yaml")
		token := p.forge(t, p.Tokens["user"]).token()
		if err := chargeWithAuthorization(t.Context(), client, token); err != nil || s.bank.user.Subject != p.Expect.Subject {
			t.Errorf("in authorization: %q, %v", s.bank.user.Subject, err)
		}
		if err := chargeFor(t.Context(), client, token); err != nil || s.bank.peer.ID.String() != idOf("orders") {
			t.Errorf("in parley-user-token: %v, %v", s.bank.peer.ID, err)
		}
	})
}

// idOf is the ID of a workload of the shop.
func idOf(service string) string { return "spiffe://shop.example/" + service }

// A pod's projected token proves a workload of Parley to a server of Parley, with the files that the document shows and
// not without the two settings of which it says that they are needed.
func TestProjectedToken(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	for name, test := range map[string]struct {
		audience string // of the token
		without  []string
		want     string
	}{
		"as it is shown":       {"payments", nil, ""},
		"without any_audience": {"payments", []string{anyAudience}, "audience"},
		"for the ID":           {idOf("payments"), []string{anyAudience, "      audiences: [payments]\n"}, ""},
		"without shared":       {"payments", []string{"      shared: true\n"}, "which has a key in the trust directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := chargeWithProjectedToken(t, newProduct(t, "kubernetes", ring), test.audience, test.without)
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			})
		})
	}
}

// anyAudience is what a token needs that is not for the ID of the server.
const anyAudience = ", any_audience: true"

// chargeWithProjectedToken makes one call with the two files, less parts of them. The error is that of Check or of the
// call.
func chargeWithProjectedToken(t *testing.T, p *product, audience string, without []string) error {
	t.Helper()
	p.published["https://kubernetes.default.svc/openid/v1/jwks"] = p.published[p.Issuer+"/openid/v1/jwks"]
	s := newShop(t)
	write := func(name, text string) string {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return s.file(name)
	}
	signed := p.forge(t, p.Tokens["workload"])
	signed.claims["aud"] = []string{audience}
	token := write("token", signed.token())
	pod := "/var/run/secrets/kubernetes.io/serviceaccount/"
	changed := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The transport of the test has no authority of certificates; that of test/engines has.
		changes := []string{"        ca_file: " + pod + "ca.crt\n", "", pod + "token", token}
		for _, part := range without {
			changes = append(changes, part, "")
		}
		return write("changed-"+name, strings.NewReplacer(changes...).Replace(string(text)))
	}
	orders := s.client(changed("projected-client.yaml"), "PARLEY_CLIENTS_PAYMENTS_CA_FILE="+s.file("cert.pem"),
		"PARLEY_CLIENTS_PAYMENTS_SERVER_NAME=localhost", "PARLEY_CLIENTS_PAYMENTS_TOKEN_FILE="+token)
	if err := s.enroll("orders"); err != nil {
		return err
	}
	app := s.payments(p, changed("projected-server.yaml"))
	if err := app.Check(); err != nil {
		return err
	}
	s.network.Run(app)
	_, err := orders.Charge(t.Context(), &paymentsv1.ChargeRequest{})
	if err == nil && (s.bank.peer.ID.String() != idOf("orders") || s.bank.peer.Carrier != principal.CarrierToken) {
		t.Errorf("payments saw %v by %v", s.bank.peer.ID, s.bank.peer.Carrier)
	}
	return err
}

// A template tells the tokens of workloads from those of users by nothing, so one issuer cannot vouch for both.
func TestATemplateNeedsAnIssuerWithoutUsers(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	synctest.Test(t, func(t *testing.T) {
		p := newProduct(t, "kubernetes", ring)
		text, err := os.ReadFile("kubernetes.yaml")
		if err != nil {
			t.Fatal(err)
		}
		const table = `{claim: sub, ids: {"system:serviceaccount:shop:orders": orders}}`
		both := strings.Replace(string(text), table, `{template: "`+template+`"}`, 1)
		users, servers := strings.Index(both, "users:"), strings.Index(both, "servers:")
		s := newShop(t)
		for file, want := range map[string]string{both: "vouches for users as well", both[:users] + both[servers:]: ""} {
			if err := os.WriteFile(s.file("payments.yaml"), []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			err := s.payments(p, s.file("payments.yaml")).Check()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q of\n%s", err, want, file)
			}
		}
	})
}

// template is the map by a template that the document names.
const template = "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}"
