package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
	"github.com/parley-rpc/parley/rpcerr"
)

// preset is what is tested of a product: what its tokens say beside what all do, and which hostile tokens pass because
// the product's own are like that. No other may.
type preset struct {
	typ    string
	says   claims
	passes []string
	aud    string // the claim in the place of aud
}

// What presets open, by the rows of the attack table.
var (
	typJWT      = []string{"37 typ JWT"}
	typInCase   = []string{"37 typ in other case"}
	noType      = []string{}
	dayLong     = []string{"28 an hour and a second"}
	audiences   = []string{"34 aud in a list of two"}
	membersOpen = []string{"43 65 members"}
	withoutIAT  = []string{"22 iat missing"}
)

func presetsUnderAttack() map[profile.Provider]preset {
	all := func(lists ...[]string) []string { return slices.Concat(lists...) }
	return map[profile.Provider]preset{
		profile.Keycloak: {
			typ:    "JWT",
			says:   claims{"typ": "Bearer", "azp": "web"},
			passes: all(typJWT, typInCase, audiences, membersOpen),
		},
		profile.Auth0: {
			typ:    "JWT",
			says:   claims{"jti": nil, "azp": "web"},
			passes: all(typJWT, typInCase, audiences, dayLong),
		},
		profile.Okta: {typ: "", says: claims{"cid": "web", "scp": []string{"a"}}, passes: all(noType)},
		profile.Entra: {
			typ:    "JWT",
			says:   claims{"jti": nil, "tid": "t", "azp": "web", "ver": "2.0"},
			passes: all(typJWT, typInCase, dayLong),
		},
		profile.EntraV1: {
			typ:    "JWT",
			says:   claims{"jti": nil, "tid": "t", "appid": "web", "ver": "1.0"},
			passes: all(typJWT, typInCase, dayLong),
		},
		profile.Google: {typ: "JWT", says: claims{"jti": nil}, passes: all(typJWT, typInCase)},
		profile.Kubernetes: {
			typ:    "",
			says:   claims{"jti": nil, "kubernetes.io": map[string]any{"namespace": "shop"}},
			passes: all(noType),
		},
		profile.Dex: {typ: "", says: claims{"jti": nil}, passes: all(noType, dayLong)},
		profile.Zitadel: {
			typ:    "JWT",
			says:   nil,
			passes: all(typJWT, typInCase, audiences, membersOpen, dayLong),
		},
		profile.Hydra:   {typ: "JWT", says: claims{"client_id": "web"}, passes: all(typJWT, typInCase, dayLong)},
		profile.Cognito: {typ: "", says: claims{"token_use": "access"}, passes: all(noType), aud: "client_id"},
		profile.Ping: {
			typ:    "",
			says:   claims{"jti": nil, "iat": nil, "client_id": "web"},
			passes: all(typJWT, noType, dayLong, withoutIAT),
		},
		profile.GitLab:        {typ: "JWT", says: claims{"job_id": "1"}, passes: all(typJWT, typInCase)},
		profile.GitHubActions: {typ: "JWT", says: claims{"repository": "shop/web"}, passes: all(typJWT, typInCase)},
		profile.Vault:         {typ: "", says: claims{"jti": nil, "namespace": "root"}, passes: all(noType, dayLong)},
		profile.Spire: {
			typ:    "",
			says:   claims{"jti": nil},
			passes: all(typJWT, noType, withoutIAT),
		},
	}
}

const audienceOfPresets = "spiffe://shop.example/payments"

// Each preset takes the tokens of its product, and of the attack table what is listed for it and nothing else.
func TestPresetsUnderAttack(t *testing.T) {
	underAttack := presetsUnderAttack()
	if known := slices.Sorted(maps.Keys(underAttack)); !slices.Equal(known, profile.Providers()) {
		t.Errorf("presets are tested for %v, and there are %v", known, profile.Providers())
	}
	for name, product := range underAttack {
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments", "mallory")
				f, issuer := presetIssuer(t, w, name, product)
				gate := w.identity("payments").Server(nil, auth.WithUserIssuers(issuer))
				if err := gate.Check(); err != nil {
					t.Fatal(err)
				}
				if !passes(t, w, gate, issuer, f.honest()) {
					t.Fatal("its own token is refused")
				}
				var accepted []string
				for attack, token := range hostileTokens() {
					if passes(t, w, gate, issuer, token(f)) {
						accepted = append(accepted, attack)
					}
				}
				slices.Sort(accepted)
				slices.Sort(product.passes)
				if !slices.Equal(accepted, product.passes) {
					t.Errorf(
						"accepted:\n%s\nlisted:\n%s",
						strings.Join(accepted, "\n"),
						strings.Join(product.passes, "\n"),
					)
				}
			})
		})
	}
}

// presetIssuer is an issuer whose tokens look like those of a product, and who forges them.
func presetIssuer(t *testing.T, w *world, name profile.Provider, product preset) (*forger, auth.Issuer) {
	t.Helper()
	raw := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{'p'}, ed25519.SeedSize))
	public, err := jose.ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(raw[32:])) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := public.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	look := profile.Of(name)
	look.Algorithms = nil // the forger signs with EdDSA, whatever the product does
	issuer := auth.Issuer{
		Name: "https://id.example", Keys: keyset.Static([]byte(`{"keys":[` + string(jwk) + `]}`)), Profile: look,
		Audiences: []string{audienceOfPresets},
	}
	return &forger{
		TB:  t,
		w:   w,
		raw: raw,
		kid: public.Thumbprint(),
		typ: product.typ,
		aud: product.aud,
		says: func() claims {
			return claims{
				"iss": issuer.Name, "sub": "alice", "aud": audienceOfPresets, "iat": in(0), "exp": in(10 * time.Minute), "jti": "1",
			}.with(product.says)
		},
	}, issuer
}

// passes reports whether a token passes for one of the issuer, in a call as well as in its explanation.
func passes(t *testing.T, w *world, gate *auth.Gate, issuer auth.Issuer, token string) bool {
	t.Helper()
	report, err := auth.CheckToken(t.Context(), w.id("payments"), token, issuer)
	if err != nil {
		t.Fatal(err)
	}
	verdict := auth.VerifyUser(t.Context(), gate, token)
	if report.Accepted() != (verdict == nil) {
		t.Errorf("explained as %v, and the verdict is %v", report.Checks, verdict)
	}
	return verdict == nil
}

// A token of 10.8 KB with 200 groups comes through a real call, unary and stream, and one that is longer than its
// issuer may make it does not.
func TestLongTokenOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, issuer := presetIssuer(t, nil, profile.Keycloak, presetsUnderAttack()[profile.Keycloak])
		issuer.Profile.ScopeClaims = []string{"scope", "groups"}
		u := newUsers(t, payments{quote: func(ctx context.Context) error {
			if user, _ := principal.UserFromContext(ctx); len(user.Scopes) != 200 || user.Scopes[199] != group(199) {
				t.Errorf("the handler sees %d scopes", len(user.Scopes))
			}
			return nil
		}}, &policyv1.Auth{User: &policyv1.User{
			Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Scopes: []string{group(7)},
		}}, auth.WithUserIssuers(issuer))
		token := func(groups int) string {
			var list []string
			for n := range groups {
				list = append(list, `"`+group(n)+`"`)
			}
			return f.token(goodHeader, f.payload(`"groups":["no scope",`+strings.Join(list, ",")+`],`))
		}
		long := token(200)
		if len(long) < 10_800 {
			t.Errorf("it has %d bytes", len(long))
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), userKey, long)
		u.everyMode(ctx, t, codes.OK, "")
		ctx = metadata.AppendToOutgoingContext(t.Context(), userKey, token(400))
		u.everyMode(ctx, t, codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

func group(n int) string { return fmt.Sprintf("%08x-1111-2222-3333-%012x", n, n) }
