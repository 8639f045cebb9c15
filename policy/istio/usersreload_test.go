package istio_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/policy/istio"
)

// An issuer that goes is refused from the first look on, and one that comes is taken from the second. A bad file
// changes nothing, and neither does one that is there for one look alone.
func TestUsersReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		rules := func(issuers ...string) string {
			var list []map[string]any
			for _, issuer := range issuers {
				list = append(list, map[string]any{"issuer": issuer, "jwks": l.jwks})
			}
			return requestAuthentication(t, list...)
		}
		const mine, other = "https://login.example", "https://other.example"
		m := newUsersMesh(t, l, rules(mine))
		step := func(what, text string, after time.Duration, want codes.Code) {
			t.Helper()
			if text != "" {
				m.write(t, text)
			}
			time.Sleep(after)
			synctest.Wait()
			if got := m.quote(t, map[string]string{"authorization": "Bearer " + l.token(t, "JWT", "", nil)}); got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		const look = time.Second
		time.Sleep(look / 2) // between two looks
		step("at the start", "", 0, codes.OK)
		step("the issuer has gone, one look", rules(other), look, codes.Unauthenticated)
		step("the issuer has gone, two looks", "", look, codes.Unauthenticated)
		step("the issuer has come, one look", rules(other, mine), look, codes.Unauthenticated)
		step("the issuer has come, two looks", "", look, codes.OK)
		step("a bad file, one look", rules(mine)+"spec: {", look, codes.OK)
		step("a bad file, two looks", "", look, codes.OK)
		step("the good file again", rules(other, mine), 2*look, codes.OK)
		step("a file for one look", rules(other), look, codes.Unauthenticated)
		step("the former file again, one look", rules(other, mine), look, codes.Unauthenticated)
		step("the former file again, two looks", "", look, codes.OK)
		step("the rule has moved, one look", "# moved\n"+rules(other, mine), look, codes.OK)
		step("the rule has moved, two looks", "", look, codes.OK)
		var text bytes.Buffer
		if err := m.app.Describe(&text); err != nil || !strings.Contains(text.String(),
			"mesh.yaml:6 (document 1): RequestAuthentication shop/users  https://login.example  keyset.Static(") ||
			!strings.Contains(text.String(), ", for any audience") {
			t.Errorf("%v, %s", err, text.String())
		}
		step("no rule, two looks", object("AuthorizationPolicy", "shop", "p", "{rules: [{}]}"), 2*look, codes.Unauthenticated)
	})
}

// A stream ends when nobody vouches for its user any more, and no earlier than two looks have seen that.
func TestUsersReloadEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		m := newUsersMesh(t, l, requestAuthentication(t, map[string]any{"issuer": "https://login.example", "jwks": l.jwks}))
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+l.token(t, "JWT", "", nil)))
		stream, err := m.calls.WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second / 2)
		m.write(t, requestAuthentication(t, map[string]any{"issuer": "https://other.example", "jwks": l.jwks}))
		began := time.Now()
		if _, err = stream.Recv(); err == nil || time.Since(began) != 3*time.Second/2 {
			t.Errorf("the stream ended after %v with %v", time.Since(began), err)
		}
	})
}

// One issuer is stated in one place: by the configuration or by the mesh.
func TestAnIssuerOfBothIsAMistake(t *testing.T) {
	l := newLogin(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("mesh.yaml", requestAuthentication(t, map[string]any{"issuer": "https://login.example", "jwks": l.jwks}))
	for issuer, says := range map[string]string{
		"https://login.example": "users.issuers[0] and " + filepath.Join(folder, "mesh.yaml") +
			`:5 (document 1), RequestAuthentication shop/users, both state the issuer "https://login.example"; keep one of them`,
		"https://other.example": "",
	} {
		config := filepath.Join(t.TempDir(), "payments.yaml")
		if err := os.WriteFile(config, []byte("users: {issuers: [{issuer: "+issuer+"}]}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		n := frameworktest.NewNetwork(t)
		app := n.App("payments", framework.WithConfigFile(config), framework.WithRoundTripper(l),
			framework.WithPolicySource(istio.Dir(folder, istio.Workload{Namespace: "shop"})))
		paymentsv1.RegisterPaymentsServiceServer(n.Server(app), handler{m: &usersMesh{}})
		if err := app.Check(); says == "" && err != nil ||
			says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", issuer, err, says)
		}
	}
	insecure := framework.New("payments", framework.WithInsecureDev(), framework.WithEnviron(nil),
		framework.WithPolicySource(istio.Dir(folder, istio.Workload{Namespace: "shop"})))
	t.Cleanup(func() { _ = insecure.Close() })
	if err := insecure.Check(); err == nil || !strings.Contains(err.Error(), "so the tokens of users are not read") {
		t.Errorf("without authentication: %v", err)
	}
}
