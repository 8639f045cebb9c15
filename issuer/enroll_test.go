package issuer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

const (
	clusterName = "https://kubernetes.default.svc.cluster.local"
	podOrders   = "spiffe://shop.example/ns/shop/sa/orders"
	witToken    = "urn:parley:token-type:wit"
	jwtToken    = "urn:ietf:params:oauth:token-type:jwt"
)

// pods is a shop whose workloads are known by the tokens of a cluster.
type pods struct {
	*shop
	raw     ed25519.PrivateKey // of the cluster
	cluster *jose.PrivateKey
	own     *jose.PrivateKey // that the workload has made for itself
}

func newPods(t testing.TB, change func(*issuer.Bootstrap)) *pods {
	t.Helper()
	p := &pods{shop: newShop(t), own: newKey(t)}
	var err error
	if _, p.raw, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if p.cluster, err = jose.NewPrivateKey(p.raw); err != nil {
		t.Fatal(err)
	}
	b := issuer.Bootstrap{
		Name: clusterName, Keys: keyset.Static(jwks(t, p.cluster)), Profile: profile.Of(profile.Kubernetes),
		Principals: &principal.Map{
			Template: "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}",
			Required: []string{"kubernetes.io>pod>uid"},
		},
	}
	if change != nil {
		change(&b)
	}
	client := p.edgeClient()
	client.Identity = true
	p.registry = issuer.NewStatic(client, p.ordersClient())
	p.open(issuer.WithIdentities("shop.example", b))
	if err := p.id.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// evidence is what the projected token of a pod claims.
func (p *pods) evidence() claims {
	return claims{
		"iss": clusterName, "sub": "system:serviceaccount:shop:orders", "aud": []string{issuerName},
		"iat": in(0), "nbf": in(0), "exp": in(time.Hour), "jti": "3f",
		"kubernetes.io": map[string]any{
			"namespace":      "shop",
			"serviceaccount": map[string]any{"name": "orders", "uid": "1"},
			"pod":            map[string]any{"name": "orders-0", "uid": "2"},
		},
	}
}

// of returns the evidence with another object of the cluster.
func (c claims) of(change map[string]any) claims {
	object := maps.Clone(c["kubernetes.io"].(map[string]any)) //nolint:forcetypeassert // see evidence
	for name, value := range change {
		if object[name] = value; value == nil {
			delete(object, name)
		}
	}
	return c.with(claims{"kubernetes.io": object})
}

// proof is what the workload claims of its own key.
func (p *pods) proof(evidence string) claims {
	return claims{
		"iss": podOrders, "sub": podOrders, "aud": issuerName, "ath": wire.HashOf([]byte(evidence)), "jti": "p1",
		"iat": in(0), "exp": in(30 * time.Second),
		"cnf": map[string]any{"jwk": json.RawMessage(jwk(p.t, p.own))},
	}
}

// projected is signed by a key of the cluster, without a typ, as Kubernetes does it.
func (p *pods) projected(raw ed25519.PrivateKey, c claims) string {
	p.t.Helper()
	key, err := jose.NewPrivateKey(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"EdDSA","kid":"`+key.Public().KeyID()+`"}`)) + "." + encode(body)
	return text + "." + encode(ed25519.Sign(raw, []byte(text)))
}

func enrollment(evidence, proof string) url.Values {
	return url.Values{
		"grant_type": {exchange}, "requested_token_type": {witToken},
		"subject_token": {evidence}, "subject_token_type": {jwtToken},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {proof},
	}
}

func (p *pods) honest() url.Values {
	evidence := p.projected(p.raw, p.evidence())
	return enrollment(evidence, sign(p.t, p.own, jose.TypeEnrollment, p.proof(evidence)))
}

func (p *pods) identity(t *testing.T, r reply) wire.IdentityToken {
	t.Helper()
	p.token(t, r, jose.TypeIdentity)
	payload, err := jose.Unproven(r.text("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := wire.ReadIdentityToken(payload, issuerName, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if r.text("issued_token_type") != witToken || r.text("token_type") != "N_A" {
		t.Errorf("%v", r.members)
	}
	return token
}

func TestEnroll(t *testing.T) {
	p := newPods(t, nil)
	token := p.identity(t, p.post(p.honest()))
	if token.ID.String() != podOrders || !token.Key.Equal(p.own.Public()) {
		t.Errorf("%s %s", token.ID, token.Key)
	}
	if left := time.Until(token.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("it is valid for %v", left)
	}
	for _, want := range []string{"authority=" + clusterName, "client=" + podOrders, "type=wit+jwt"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("no %q in %s", want, p.log)
		}
	}
}

func TestIdentityOfARegisteredService(t *testing.T) {
	p := newPods(t, nil)
	ask := func(key *jose.PrivateKey, client string) url.Values {
		f := p.formWith(sign(t, key, assertionType, honest(client)))
		return change(f, url.Values{"resource": nil, "requested_token_type": {witToken}})
	}
	token := p.identity(t, p.post(ask(p.edge, edge)))
	if token.ID.String() != edge || !token.Key.Equal(p.edge.Public()) {
		t.Errorf("%s %s", token.ID, token.Key)
	}
	p.refuses(t, p.post(ask(p.orders, orders)), http.StatusBadRequest, "unauthorized_client")
	p.refuses(t, p.post(change(ask(p.edge, edge), url.Values{"resource": {payments}})),
		http.StatusBadRequest, "invalid_target")
	p.refuses(t, p.post(change(ask(p.edge, edge), url.Values{"scope": {"a"}})), http.StatusBadRequest, "invalid_scope")
}

// Attacks on the exchange of service account tokens. Each is the honest request with one difference.
func TestAttacksOnEnrollment(t *testing.T) {
	for name, tt := range map[string]struct {
		evidence  func(*pods, claims) claims
		sign      func(*pods, claims) string // in the place of the cluster
		proof     func(*pods, claims) claims
		proofKey  func(*pods) *jose.PrivateKey
		proofType string
		form      url.Values
		code      string
		status    int
	}{
		"for the API server":  {evidence: with(claims{"aud": []string{clusterName}})},
		"for another issuer":  {evidence: with(claims{"aud": []string{"https://id.other.example"}})},
		"for two servers":     {evidence: with(claims{"aud": []string{issuerName, clusterName}})},
		"without an audience": {evidence: with(claims{"aud": nil})},
		"of another cluster":  {evidence: with(claims{"iss": "https://kubernetes.other.example"})},
		"signed by another": {sign: func(p *pods, c claims) string {
			_, other, _ := ed25519.GenerateKey(rand.Reader)
			return p.projected(other, c)
		}},
		"expired":                {evidence: with(claims{"iat": in(-2 * time.Hour), "nbf": nil, "exp": in(-time.Hour)})},
		"not valid yet":          {evidence: with(claims{"nbf": in(5 * time.Minute)})},
		"that never expires":     {evidence: with(claims{"exp": nil})},
		"of a year":              {evidence: with(claims{"exp": in(365 * 24 * time.Hour)})},
		"of a person":            {evidence: with(claims{"kubernetes.io": nil, "sub": "alice"})},
		"bound to no pod":        {evidence: object(map[string]any{"pod": nil})},
		"bound to a pod of text": {evidence: object(map[string]any{"pod": "orders-0"})},
		"bound to a pod without a name": {
			evidence: object(map[string]any{"pod": map[string]any{"name": "", "uid": ""}}),
		},
		"a legacy secret": {
			sign: func(p *pods, _ claims) string {
				return p.projected(p.raw, claims{
					"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:orders",
					"kubernetes.io/serviceaccount/namespace":            "shop",
					"kubernetes.io/serviceaccount/service-account.name": "orders",
				})
			},
		},
		"a namespace with a slash":        {evidence: object(map[string]any{"namespace": "shop/sa/orders"})},
		"a namespace that climbs":         {evidence: object(map[string]any{"namespace": ".."})},
		"a namespace with an escape":      {evidence: object(map[string]any{"namespace": "shop%2fsa"})},
		"a namespace that looks the same": {evidence: object(map[string]any{"namespace": "\u0455hop"})},
		"an empty namespace":              {evidence: object(map[string]any{"namespace": ""})},
		"a list of namespaces":            {evidence: object(map[string]any{"namespace": []string{"shop"}})},
		"another namespace": {
			evidence: object(map[string]any{"namespace": "attic"}), code: "invalid_client",
		},
		"an account in braces": {
			evidence: object(map[string]any{"serviceaccount": map[string]any{"name": "{kubernetes.io>namespace}"}}),
		},
		"a dotted claim beside it": {evidence: with(claims{"kubernetes.io.namespace": "bank"}), code: "ok"},
		"an identity token": {
			sign: func(p *pods, c claims) string { return sign(p.t, p.cluster, jose.TypeIdentity, c) },
		},

		"the proof of another token": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"ath": wire.HashOf([]byte("other"))}) },
			code:  "invalid_client",
		},
		"the proof for another issuer": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"aud": "https://id.other.example"}) },
			code:  "invalid_client",
		},
		"the proof of another workload": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"iss": payments, "sub": payments}) },
			code:  "invalid_client",
		},
		"an old proof": {
			proof: func(_ *pods, c claims) claims {
				return c.with(claims{"iat": in(-3 * time.Minute), "exp": in(-2 * time.Minute)})
			},
			code: "invalid_client",
		},
		"a proof for an hour": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"exp": in(time.Hour)}) },
			code:  "invalid_client",
		},
		"a proof with further claims": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"scope": "all"}) },
			code:  "invalid_client",
		},
		"a proof without a key": {
			proof: func(_ *pods, c claims) claims { return c.with(claims{"cnf": nil}) }, code: "invalid_client",
		},
		"a proof by another key": {
			proofKey: func(p *pods) *jose.PrivateKey { return newKey(p.t) }, code: "invalid_client",
		},
		"a public key of another": {
			proof: func(p *pods, c claims) claims {
				return c.with(claims{"cnf": map[string]any{"jwk": json.RawMessage(jwk(p.t, p.edge))}})
			},
			code: "invalid_client",
		},
		"a login as the proof":   {proofType: assertionType, code: "invalid_client"},
		"no proof":               {form: url.Values{"client_assertion": nil}, code: "invalid_client"},
		"no token":               {form: url.Values{"subject_token": nil}},
		"as an access token":     {form: url.Values{"subject_token_type": {accessToken}}},
		"in the name of another": {form: url.Values{"actor_token": {"a"}}},
		"with an audience":       {form: url.Values{"audience": {payments}}, code: "invalid_target"},
		"with a scope":           {form: url.Values{"scope": {"admin"}}, code: "invalid_scope"},
		"for an access token": {
			form: url.Values{"requested_token_type": {accessToken}}, code: "invalid_client",
		},
		"by the grant of services": {form: url.Values{"grant_type": {"client_credentials"}}, code: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t, nil)
			c := p.evidence()
			if tt.evidence != nil {
				c = tt.evidence(p, c)
			}
			evidence := p.projected(p.raw, c)
			if tt.sign != nil {
				evidence = tt.sign(p, c)
			}
			proof, key, typ := p.proof(evidence), p.own, jose.TypeEnrollment
			if tt.proof != nil {
				proof = tt.proof(p, proof)
			}
			if tt.proofKey != nil {
				key = tt.proofKey(p)
			}
			if tt.proofType != "" {
				typ = tt.proofType
			}
			r := p.post(change(enrollment(evidence, sign(t, key, typ, proof)), tt.form))
			switch code := tt.code; code {
			case "ok":
				if got := p.identity(t, r).ID.String(); got != podOrders {
					t.Error(got)
				}
			case "":
				p.refuses(t, r, http.StatusBadRequest, "invalid_request")
			default:
				p.refuses(t, r, http.StatusBadRequest, code)
			}
			if strings.Contains(p.log.String(), evidence) {
				t.Error("the token is in the log")
			}
		})
	}
}

func with(change claims) func(*pods, claims) claims {
	return func(_ *pods, c claims) claims { return c.with(change) }
}

func object(change map[string]any) func(*pods, claims) claims {
	return func(_ *pods, c claims) claims { return c.of(change) }
}

// A request that was seen on the wire cannot be sent again, and what was seen of it is of no use with another key.
func TestAttackEnrollmentSentAgain(t *testing.T) {
	p := newPods(t, nil)
	f := p.honest()
	p.identity(t, p.post(f))
	p.refuses(t, p.post(f), http.StatusBadRequest, "invalid_client")
	thief := newKey(t)
	f.Set("client_assertion", sign(t, thief, jose.TypeEnrollment, p.proof(f.Get("subject_token"))))
	p.refuses(t, p.post(f), http.StatusBadRequest, "invalid_client")
}

func TestReview(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, status map[string]any)
		status int
		says   string
	}{
		"accepted":       {status: http.StatusOK},
		"the pod exists": {status: http.StatusOK},
		"the pod is gone": {
			answer: func(_ http.ResponseWriter, s map[string]any) {
				s["authenticated"], s["error"] = false, "pod has been deleted"
			},
			status: http.StatusBadRequest, says: "pod has been deleted",
		},
		"no audience": {
			answer: func(_ http.ResponseWriter, s map[string]any) { delete(s, "audiences") },
			status: http.StatusBadRequest, says: "did not check the audience",
		},
		"another user": {
			answer: func(_ http.ResponseWriter, s map[string]any) { s["user"] = map[string]any{"username": "system:admin"} },
			status: http.StatusBadRequest, says: "the user is not the sub of the token",
		},
		"no permission": {
			answer: func(w http.ResponseWriter, _ map[string]any) { w.WriteHeader(http.StatusForbidden) },
			status: http.StatusServiceUnavailable, says: "403",
		},
		"no review": {
			answer: func(w http.ResponseWriter, _ map[string]any) { _, _ = fmt.Fprint(w, "<html>") },
			status: http.StatusServiceUnavailable, says: "review of",
		},
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var asked map[string]any
				err := json.NewDecoder(r.Body).Decode(&asked)
				if err != nil || r.Header.Get("Authorization") != "Bearer ours" ||
					r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" {
					t.Errorf("%s %v %v", r.URL, r.Header, err)
				}
				status := map[string]any{
					"authenticated": true, "audiences": []string{issuerName},
					"user": map[string]any{"username": "system:serviceaccount:shop:orders"},
				}
				if tt.answer == nil {
					w.WriteHeader(http.StatusCreated)
				} else {
					recorder := httptest.NewRecorder()
					recorder.Code = 0
					tt.answer(recorder, status)
					w.WriteHeader(max(recorder.Code, http.StatusCreated))
					if recorder.Body.Len() > 0 {
						_, _ = w.Write(recorder.Body.Bytes())
						return
					}
				}
				_ = json.NewEncoder(w).Encode(map[string]any{
					"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status,
				})
			}))
			defer api.Close()
			cluster := issuer.Cluster{URL: api.URL, TokenFile: write(t, "ours\n"), LoopbackHTTP: true}
			if err := cluster.Check(); err != nil {
				t.Fatal(err)
			}
			p := newPods(t, func(b *issuer.Bootstrap) { b.Review = cluster.Review })
			r := p.post(p.honest())
			if r.status != tt.status || !strings.Contains(p.log.String(), tt.says) {
				t.Errorf("%d %v\n%s", r.status, r.members, p.log)
			}
		})
	}
}

func TestReviewThatPanics(t *testing.T) {
	p := newPods(t, func(b *issuer.Bootstrap) {
		b.Review = func(context.Context, string, string, string) error { panic("boom") }
	})
	p.refuses(t, p.post(p.honest()), http.StatusServiceUnavailable, "temporarily_unavailable")
}

func TestIdentitiesCheck(t *testing.T) {
	keys := func() *keyset.Set { return keyset.Static(jwks(t, newKey(t))) }
	account := &principal.Map{Template: "spiffe://shop.example/ns/{namespace}"}
	subtree := func(text string) []principal.Pattern {
		pattern, err := principal.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		return []principal.Pattern{pattern}
	}
	one := issuer.Bootstrap{Name: "https://one.example", Keys: keys(), Principals: account}
	for name, tt := range map[string]struct {
		domain      string
		authorities []issuer.Bootstrap
		clients     []issuer.Client
		opts        []issuer.Option
		says        string
	}{
		"no trust domain": {domain: "Shop", says: "trust domain"},
		"no name":         {authorities: []issuer.Bootstrap{{Keys: keys(), Principals: account}}, says: "it has no Name"},
		"no keys":         {authorities: []issuer.Bootstrap{{Name: "a", Principals: account}}, says: "it has no Keys"},
		"no workload":     {authorities: []issuer.Bootstrap{{Name: "a", Keys: keys()}}, says: "it names no workload"},
		"an empty audience": {
			authorities: []issuer.Bootstrap{{Name: "a", Keys: keys(), Principals: account, Audiences: []string{}}},
			says:        "Audiences is empty",
		},
		"a star": {
			authorities: []issuer.Bootstrap{{Name: "https://*", Keys: keys(), Principals: account}}, says: "has a star",
		},
		"another trust domain": {
			authorities: []issuer.Bootstrap{{Name: "a", Keys: keys(), Subjects: subtree("spiffe://bank.example/*")}},
			says:        "which is not of the trust domain shop.example",
		},
		"one workload of two authorities": {
			authorities: []issuer.Bootstrap{one, {Name: "b", Keys: keys(), Subjects: subtree("spiffe://shop.example/ns/*")}},
			says:        "can both name",
		},
		"one authority twice": {
			authorities: []issuer.Bootstrap{
				one, {Name: one.Name, Keys: keys(), Subjects: subtree("spiffe://shop.example/ci/*")},
			},
			says: "is there twice",
		},
		"one workload of a key and an authority": {
			authorities: []issuer.Bootstrap{{Name: "b", Keys: keys(), Subjects: subtree("spiffe://shop.example/*")}},
			clients:     []issuer.Client{{ID: edge, JWKS: jwks(t, newKey(t)), Identity: true}},
			says:        "tokens of \"b\" can name it, too",
		},
		"a short life": {
			authorities: []issuer.Bootstrap{one}, opts: []issuer.Option{issuer.WithIdentityLifetime(time.Second)},
			says: "must be between 1m0s and 1h0m0s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			domain := tt.domain
			if domain == "" {
				domain = "shop.example"
			}
			opts := append(tt.opts, issuer.WithIdentities(domain, tt.authorities...))
			err := issuer.New(issuerName, issuer.NewKeys(newSigner(t)), issuer.NewStatic(tt.clients...), opts...).Check()
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// write returns the path of a file with this text.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
