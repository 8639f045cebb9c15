package auth_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
	"github.com/parley-rpc/parley/rpcerr"
)

// authority is an issuer of tokens with its private key.
type authority struct {
	auth.Issuer
	key *jose.PrivateKey
}

// newAuthority is an issuer that may vouch for every workload of the domain legacy.example.
func newAuthority(t testing.TB, name string) authority {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	keys := keyset.Static([]byte(`{"keys":[` + string(jwk) + `]}`))
	return authority{auth.Issuer{Name: name, Keys: keys, Subjects: []principal.Pattern{domainOf(t, "legacy.example").Pattern()}}, key}
}

// token vouches for a workload of legacy.example towards payments.
func (a authority) token(t testing.TB, typ string, change claims) string {
	return sign(t, a.key, typ, claims{
		"iss": a.Name, "sub": "spiffe://legacy.example/till", "aud": "spiffe://shop.example/payments",
		"iat": in(0), "exp": in(10 * time.Minute), "jti": "1",
	}.with(change))
}

// vouchedWorld is payments with issuers, and a connection of a client that is not Parley.
func vouchedWorld(t testing.TB, impl payments, issuers ...auth.Issuer) *grpc.ClientConn {
	t.Helper()
	w := newWorld(t)
	w.enroll("payments", "orders")
	roots, certificate := w.certificate()
	table := tableOf(t, policy.Code(map[string]*policyv1.Policy{
		"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Peers: []string{"spiffe://legacy.example/*", "orders"}}},
	}))
	gate := w.identity("payments", auth.WithAcceptDomains(domainOf(t, "legacy.example"))).Server(table, auth.WithBearer(certificate), auth.WithIssuers(issuers...))
	if err := gate.Check(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, impl, gate.ServerOptions()...)
	return newStranger(t, &tokenWorld{w, s, roots}).ClientConn
}

func TestIssuerTokens(t *testing.T) {
	const (
		payments = "spiffe://shop.example/payments"
		invalid  = rpcerr.CredentialsInvalid
		// What it comes to when the token holds: the policy of the .proto lets nobody of legacy.example in.
		held = rpcerr.PolicyDenied
	)
	says := func(change claims) func(testing.TB, authority, authority) string {
		return func(t testing.TB, a, _ authority) string { return a.token(t, "at+jwt", change) }
	}
	for name, test := range map[string]struct {
		change func(*auth.Issuer)
		send   func(testing.TB, authority, authority) string
		want   rpcerr.Reason
	}{
		"honest":                             {nil, says(nil), held},
		"09 key of the other issuer":         {nil, func(t testing.TB, a, b authority) string { return authority{a.Issuer, b.key}.token(t, "at+jwt", nil) }, invalid},
		"09 own key, iss of the other":       {nil, func(t testing.TB, a, b authority) string { return authority{b.Issuer, a.key}.token(t, "at+jwt", nil) }, invalid},
		"09 iss of a workload":               {nil, says(claims{"iss": "spiffe://legacy.example/till"}), invalid},
		"28 an hour and a second":            {nil, says(claims{"exp": in(time.Hour + time.Second)}), invalid},
		"28 an hour, where 10 m are granted": {func(is *auth.Issuer) { is.Profile.MaxLifetime = 10 * time.Minute }, says(claims{"exp": in(time.Hour)}), invalid},
		"28 a day, where it is granted":      {func(is *auth.Issuer) { is.Profile.MaxLifetime = 24 * time.Hour }, says(claims{"exp": in(24 * time.Hour)}), held},
		"29 expired":                         {nil, says(claims{"iat": in(-time.Hour), "exp": in(-30 * time.Second)}), rpcerr.CredentialsExpired},
		"29 expired within a larger skew":    {func(is *auth.Issuer) { is.Profile.ClockSkew = time.Minute }, says(claims{"iat": in(-time.Hour), "exp": in(-59 * time.Second)}), held},
		"29 expired, no skew":                {func(is *auth.Issuer) { is.Profile.ClockSkew = -1 }, says(claims{"iat": in(-time.Hour), "exp": in(0)}), rpcerr.CredentialsExpired},
		"30 not yet valid":                   {nil, says(claims{"iat": in(31 * time.Second)}), rpcerr.CredentialsNotYetValid},
		"32 aud of another server":           {nil, says(claims{"aud": "spiffe://shop.example/ledger"}), invalid},
		"32 aud that the issuer names":       {func(is *auth.Issuer) { is.Audiences = []string{"payments-api"} }, says(claims{"aud": "payments-api"}), held},
		"32 own ID, where it is not named":   {func(is *auth.Issuer) { is.Audiences = []string{"payments-api"} }, says(nil), invalid},
		"33 empty aud":                       {nil, says(claims{"aud": []string{}}), invalid},
		"34 two audiences":                   {nil, says(claims{"aud": []string{payments, "x"}}), invalid},
		"34 two audiences, granted":          {func(is *auth.Issuer) { is.Profile.MaxAudiences = 2 }, says(claims{"aud": []string{"x", payments}}), held},
		"34 three audiences, two granted":    {func(is *auth.Issuer) { is.Profile.MaxAudiences = 2 }, says(claims{"aud": []string{"x", "y", payments}}), invalid},
		"35 iss with a slash behind":         {nil, says(claims{"iss": "https://id.legacy.example/"}), invalid},
		"35 iss in other case":               {nil, says(claims{"iss": "https://ID.legacy.example"}), invalid},
		"35 iss in a list":                   {nil, says(claims{"iss": []string{"https://id.legacy.example"}}), invalid},
		"35 iss missing":                     {nil, says(claims{"iss": nil}), invalid},
		"36 sub of the server's own domain":  {nil, says(claims{"sub": "spiffe://shop.example/orders"}), invalid},
		"36 sub that is no ID":               {nil, says(claims{"sub": "till"}), invalid},
		"36 sub missing":                     {nil, says(claims{"sub": nil}), invalid},
		"36 sub with a dot segment":          {nil, says(claims{"sub": "spiffe://legacy.example/../till"}), invalid},
		"36 jti missing":                     {nil, says(claims{"jti": nil}), invalid},
		"36 jti missing, not required":       {func(is *auth.Issuer) { is.Profile.RequiredClaims = []string{} }, says(claims{"jti": nil}), held},
		"36 required claim missing":          {func(is *auth.Issuer) { is.Profile.RequiredClaims = []string{"env"} }, says(nil), invalid},
		"36 required claim empty":            {func(is *auth.Issuer) { is.Profile.RequiredClaims = []string{"env"} }, says(claims{"env": ""}), invalid},
		"36 required claim there":            {func(is *auth.Issuer) { is.Profile.RequiredClaims = []string{"env"} }, says(claims{"env": []string{"prod"}}), held},
		"37 typ JWT":                         {nil, func(t testing.TB, a, _ authority) string { return a.token(t, "JWT", nil) }, invalid},
		"37 typ JWT, granted":                {func(is *auth.Issuer) { is.Profile.Types = []string{"JWT"} }, func(t testing.TB, a, _ authority) string { return a.token(t, "JWT", nil) }, held},
		"37 at+jwt, where JWT is granted":    {func(is *auth.Issuer) { is.Profile.Types = []string{"JWT"} }, says(nil), invalid},
		"37 typ granted to the other only":   {func(is *auth.Issuer) { is.Profile.Types = []string{"JWT"} }, func(t testing.TB, _, b authority) string { return b.token(t, "JWT", nil) }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newAuthority(t, "https://id.legacy.example"), newAuthority(t, "https://other.legacy.example")
				if test.change != nil {
					test.change(&a.Issuer)
				}
				cc := vouchedWorld(t, failing(t), a.Issuer, b.Issuer)
				code := codes.Unauthenticated
				if test.want == held {
					code = codes.PermissionDenied
				}
				ctx := withBearer(t.Context(), test.send(t, a, b))
				refused(t, "unary", quote(ctx, cc), code, test.want)
				_, err := watch(ctx, cc)
				refused(t, "stream", err, code, test.want)
			})
		})
	}
}

// failing is payments that nobody may reach.
func failing(t testing.TB) payments {
	return payments{quote: func(context.Context) error { t.Error("the handler ran"); return nil }}
}

// An issuer beside the trust directory takes nothing away from it: workloads still speak for themselves.
func TestIssuerBesideTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		roots, certificate := w.certificate()
		s := serve(t, payments{}, w.identity("payments", auth.WithAcceptDomains(domainOf(t, "legacy.example"))).ServerOptions(nil,
			auth.WithBearer(certificate), auth.WithIssuers(newAuthority(t, "https://id.example").Issuer))...)
		cc := newStranger(t, &tokenWorld{w, s, roots}).ClientConn
		if err := quote(withBearer(t.Context(), mint(t, w, "orders", nil)), cc); err != nil {
			t.Error(err)
		}
	})
}

func TestIssuerMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		_, certificate := w.certificate()
		for name, test := range map[string]struct {
			change func(*auth.Issuer)
			want   string
		}{
			"no name":           {func(is *auth.Issuer) { is.Name = "" }, "no Name"},
			"no keys":           {func(is *auth.Issuer) { is.Keys = nil }, "no Keys"},
			"no types":          {func(is *auth.Issuer) { is.Profile.Types = []string{} }, "Types"},
			"a proof as a type": {func(is *auth.Issuer) { is.Profile.Types = []string{"wpt+jwt"} }, "proof"},
			"no audiences":      {func(is *auth.Issuer) { is.Audiences = []string{} }, "Audiences is empty"},
			"empty audience":    {func(is *auth.Issuer) { is.Audiences = []string{""} }, "Audiences"},
			"no subjects":       {func(is *auth.Issuer) { is.Subjects = nil }, "no Subjects"},
			"nil subject":       {func(is *auth.Issuer) { is.Subjects = []principal.Pattern{nil} }, "subject 1"},
			"empty claim":       {func(is *auth.Issuer) { is.Profile.RequiredClaims = []string{""} }, "RequiredClaims"},
			"negative lifetime": {func(is *auth.Issuer) { is.Profile.MaxLifetime = -1 }, "MaxLifetime"},
			"every tenant of Entra": {func(is *auth.Issuer) {
				is.Name, is.Profile = "https://login.microsoftonline.com/common/v2.0", profile.Of(profile.Entra)
			}, "name the tenant by its ID"},
			"negative count":    {func(is *auth.Issuer) { is.Profile.MaxAudiences = -1 }, "MaxAudiences"},
			"skew of 6 minutes": {func(is *auth.Issuer) { is.Profile.ClockSkew = 6 * time.Minute }, "ClockSkew"},
		} {
			issuer := newAuthority(t, "https://id.example").Issuer
			test.change(&issuer)
			err := w.identity("payments").Server(nil, auth.WithBearer(certificate), auth.WithIssuers(issuer)).Check()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: Check = %v, which does not say %q", name, err, test.want)
			}
		}
		issuer := newAuthority(t, "https://id.example").Issuer
		err := w.identity("payments").Server(nil, auth.WithBearer(certificate), auth.WithIssuers(issuer, issuer)).Check()
		if err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("twice the same: Check = %v", err)
		}
	})
}
