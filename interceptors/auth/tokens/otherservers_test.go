package tokens_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
)

// folder holds what a client proves itself with.
type folder struct {
	t   testing.TB
	dir string
}

func newFolder(t testing.TB) *folder { return &folder{t, t.TempDir()} }

func (f *folder) file(name, text string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	write(f.t, path, text)
	return path
}

// pair writes a certificate of key and key itself, and returns their files and the certificate.
func (f *folder) pair(name string, key crypto.Signer, life time.Duration) (certFile, keyFile string, cert []byte) {
	f.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(life),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return f.file(name+".crt", block("CERTIFICATE", cert)), f.file(name+".key", block("PRIVATE KEY", private)), cert
}

// request is what a token endpoint was sent.
type request struct {
	form          url.Values
	authorization string
}

// asks answers with a token and keeps what it was sent.
func asks(t testing.TB, requests *[]request) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		*requests = append(*requests, request{form, r.Header.Get("Authorization")})
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(`{"access_token":"opaque","token_type":"Bearer","expires_in":"3599"}`)),
		}, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// Each server is asked in its own way, and its opaque token is kept for as long as it says, as a number or as text.
func TestTokenEndpointsOfOthers(t *testing.T) {
	f := newFolder(t)
	workload, _ := orders(t)
	const client, endpoint = "11111111-aaaa", "https://login.shop.example/tenant/oauth2/v2.0/token"
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, _ := f.pair("client", rsaKey, time.Hour)
	projected := f.file("projected", "e30.e30.c2ln\n")
	secret := f.file("secret", "s3cr+t\n")
	grant := url.Values{"grant_type": {"client_credentials"}}
	with := func(pairs ...string) url.Values {
		form := maps.Clone(grant)
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	const payments = "spiffe://shop.example/payments"
	api, audience := tokens.WithScopes("api://payments/.default"), tokens.WithAudienceParameter(tokens.Audience)
	noAudience := tokens.WithAudienceParameter(tokens.NoAudience)
	for _, test := range []struct {
		server        string
		options       []tokens.Option
		noWorkload    bool
		form          url.Values // without what is signed anew each time
		assertion     bool
		authorization string
	}{
		{"Parley", nil, false, with("resource", payments), true, ""},
		{
			"a client ID for the workload's key (Okta, Keycloak)",
			[]tokens.Option{tokens.WithClientID(client), tokens.WithScopes("pay"), noAudience},
			false,
			with("client_id", client, "scope", "pay"), true, "",
		},
		{
			"Microsoft Entra ID, a certificate",
			[]tokens.Option{tokens.WithClientID(client), tokens.WithCertificate(certFile, keyFile, ""), api, noAudience},
			true,
			with("client_id", client, "scope", "api://payments/.default"), true, "",
		},
		{
			"Microsoft Entra ID, federated",
			[]tokens.Option{tokens.WithClientID(client), tokens.WithAssertionFile(projected), api, noAudience},
			true,
			with("client_id", client, "scope", "api://payments/.default", "client_assertion", "e30.e30.c2ln",
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), false, "",
		},
		{
			"Auth0",
			[]tokens.Option{tokens.WithClientID(client), audience, tokens.WithAudience("https://payments.shop.example")},
			false,
			with("client_id", client, "audience", "https://payments.shop.example"), true, "",
		},
		{
			"Cognito, a secret in the header",
			[]tokens.Option{tokens.WithClientID("a b"), tokens.WithClientSecretFile(secret), api, noAudience},
			true,
			with("scope", "api://payments/.default"), false,
			"Basic " + base64.StdEncoding.EncodeToString([]byte("a+b:s3cr%2Bt")),
		},
		{
			"Keycloak, a secret in the body",
			[]tokens.Option{
				tokens.WithClientID(client), tokens.WithClientSecretFile(secret), tokens.WithClientSecretInBody(), audience,
			},
			true,
			with("client_id", client, "client_secret", "s3cr+t", "audience", payments), false, "",
		},
		{
			"an exchange of tokens",
			[]tokens.Option{tokens.WithBearerTokenFile(projected)},
			true,
			with("resource", payments), false, "Bearer e30.e30.c2ln",
		},
	} {
		t.Run(test.server, func(t *testing.T) {
			var requests []request
			var who tokens.Workload = workload
			if test.noWorkload {
				who = nil
			}
			source := tokens.FromIssuer(
				endpoint,
				endpoint,
				who,
				append(test.options, tokens.WithRoundTripper(asks(t, &requests)))...)
			if err := source.Check(); err != nil {
				t.Fatal(err)
			}
			token, err := source.Token(t.Context(), id(t, "payments"))
			if err != nil || token.Value != "opaque" || time.Until(token.Expires) > 3599*time.Second ||
				time.Until(token.Expires) < 3500*time.Second {
				t.Fatalf("got %v, %v", token, err)
			}
			got := requests[0]
			if test.assertion {
				if got.form.Get("client_assertion_type") == "" || strings.Count(got.form.Get("client_assertion"), ".") != 2 {
					t.Errorf("assertion %v", got.form)
				}
				got.form.Del("client_assertion")
				got.form.Del("client_assertion_type")
			}
			if got.form.Encode() != test.form.Encode() || got.authorization != test.authorization {
				t.Errorf("got  %s %q\nwant %s %q", got.form.Encode(), got.authorization, test.form.Encode(), test.authorization)
			}
			if strings.Contains(source.String(), "s3cr") {
				t.Errorf("%v shows the secret", source)
			}
		})
	}
}

// An assertion by a certificate has the header that Entra and AD FS look for, and a signature that holds.
func TestAssertionsByCertificate(t *testing.T) {
	f := newFolder(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		algorithm, alg string
		key            crypto.Signer
		x5t            bool
		holds          func(digest, signature []byte) bool
	}{
		{"", "PS256", rsaKey, false, func(d, s []byte) bool {
			return rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, d, s, &rsa.PSSOptions{SaltLength: 32}) == nil
		}},
		{"PS256", "PS256", rsaKey, false, func(d, s []byte) bool {
			return rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, d, s, &rsa.PSSOptions{SaltLength: 32}) == nil
		}},
		{"RS256", "RS256", rsaKey, true, func(d, s []byte) bool {
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, d, s) == nil
		}},
		{"", "ES256", ecKey, false, func(d, s []byte) bool {
			number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
			return len(s) == 64 && ecdsa.Verify(&ecKey.PublicKey, d, number(s[:32]), number(s[32:]))
		}},
	} {
		t.Run(test.algorithm+" "+test.alg, func(t *testing.T) {
			certFile, keyFile, cert := f.pair("client", test.key, time.Hour)
			var requests []request
			source := tokens.FromIssuer(tokenEndpoint, tokenEndpoint, nil, tokens.WithClientID("client-1"),
				tokens.WithCertificate(certFile, keyFile, test.algorithm), tokens.WithRoundTripper(asks(t, &requests)))
			for range 2 {
				if _, err := source.Token(t.Context(), id(t, "payments")); err != nil {
					t.Fatal(err)
				}
			}
			var ids []string
			for _, r := range requests {
				signed, signature, header, claims := open(t, r.form.Get("client_assertion"))
				digest := sha256.Sum256([]byte(signed))
				if !test.holds(digest[:], signature) {
					t.Error("the signature does not hold")
				}
				strong, weak := sha256.Sum256(cert), sha1.Sum(cert)
				want := map[string]any{"alg": test.alg, "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(strong[:])}
				if test.x5t {
					want["x5t"] = base64.RawURLEncoding.EncodeToString(weak[:])
				}
				if !maps.Equal(header, want) {
					t.Errorf("header %v, want %v", header, want)
				}
				if claims["iss"] != "client-1" || claims["sub"] != "client-1" || claims["aud"] != tokenEndpoint ||
					claims["nbf"] != claims["iat"] ||
					claims["exp"].(float64)-claims["iat"].(float64) != 60 { //nolint:forcetypeassert // a test
					t.Errorf("claims %v", claims)
				}
				ids = append(ids, claims["jti"].(string)) //nolint:forcetypeassert // a test
			}
			if ids[0] == "" || ids[0] == ids[1] {
				t.Errorf("jti %q", ids)
			}
		})
	}
}

// open takes a compact JWS apart.
func open(t testing.TB, compact string) (signed string, signature []byte, header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWS", compact)
	}
	read := func(part string) []byte {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if err := json.Unmarshal(read(parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(read(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + parts[1], read(parts[2]), header, claims
}

// What a client proves itself with is read again before each request, so that it may be replaced at any time.
func TestProofsAreReadAgain(t *testing.T) {
	f := newFolder(t)
	for name, test := range map[string]struct {
		option func(path string) tokens.Option
		shown  func(request) string
	}{
		"an assertion": {tokens.WithAssertionFile, func(r request) string { return r.form.Get("client_assertion") }},
		"a secret":     {tokens.WithClientSecretFile, func(r request) string { return r.form.Get("client_secret") }},
		"a token":      {tokens.WithBearerTokenFile, func(r request) string { return r.authorization[len("Bearer "):] }},
	} {
		t.Run(name, func(t *testing.T) {
			path := f.file("proof", "one")
			options := []tokens.Option{tokens.WithClientID("a"), test.option(path)}
			if name == "a secret" {
				options = append(options, tokens.WithClientSecretInBody())
			}
			var requests []request
			source := tokens.FromIssuer(
				issuerName,
				tokenEndpoint,
				nil,
				append(options, tokens.WithRoundTripper(asks(t, &requests)))...)
			for _, text := range []string{"one", "two"} {
				f.file("proof", text)
				if _, err := source.Token(t.Context(), id(t, "payments")); err != nil {
					t.Fatal(err)
				}
				if got := test.shown(requests[len(requests)-1]); got != text {
					t.Errorf("sent %q, want %q", got, text)
				}
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := source.Token(t.Context(), id(t, "payments")); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("without the file: %v", err)
			}
			if len(requests) != 2 {
				t.Errorf("%d requests", len(requests))
			}
		})
	}
}

// Every mistake is named before anything is sent.
func TestMistakesInHowAClientProvesItself(t *testing.T) {
	f := newFolder(t)
	workload, key := orders(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := tokens.WithClientID("a")
	certificate := func(name string, key crypto.Signer, life time.Duration, algorithm string) []tokens.Option {
		certFile, keyFile, _ := f.pair(name, key, life)
		return []tokens.Option{client, tokens.WithCertificate(certFile, keyFile, algorithm)}
	}
	open := f.file("open", "secret")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	goodCert, goodKey, _ := f.pair("good", ecKey, time.Hour)
	expired := sign(t, key, "JWT", claims{"exp": in(-time.Minute)})
	for says, options := range map[string][]tokens.Option{
		"state WithClientID": {tokens.WithAssertionFile(f.file("a", "e30"))},
		"keep one of them": {
			client, tokens.WithAssertionFile(f.file("b", "e30")), tokens.WithClientSecretFile(f.file("c", "x")),
		},
		"there is no client secret":           {tokens.WithClientSecretInBody()},
		"WithClientID: nothing is given":      {tokens.WithClientID("")},
		"WithScopes: no scope is named":       {tokens.WithScopes()},
		"none of resource, audience and none": {tokens.WithAudienceParameter("aud")},
		"says that no audience is sent":       {tokens.WithAudienceParameter(tokens.NoAudience), tokens.WithAudience("x")},
		"chmod 600":                           {client, tokens.WithClientSecretFile(open)},
		"client secret: " + f.dir + "/blank":  {client, tokens.WithClientSecretFile(f.file("blank", "\n"))},
		"the token in it has expired":         {client, tokens.WithAssertionFile(f.file("expired", expired))},
		"it does not hold one token":          {tokens.WithBearerTokenFile(f.file("two", "a b"))},
		"assertion file /no/file":             {client, tokens.WithAssertionFile("/no/file")},
		"certificate: /no: does not exist":    {client, tokens.WithCertificate("/no/file", goodKey, "")},
		"private key: /no: does not exist":    {client, tokens.WithCertificate(goodCert, "/no/file", "")},
		"not a pair in PEM form":              {client, tokens.WithCertificate(goodCert, f.file("junk.key", "junk"), "")},
		"it has expired; put another there":   certificate("old", ecKey, -time.Minute, ""),
		"does not have 2048 to 8192 bits":     certificate("small", small, time.Hour, ""),
		"signs with ES256":                    certificate("ec", ecKey, time.Hour, "PS256"),
		"CA file: /no: does not exist":        {tokens.WithCAFile("/no/ca.crt")},
		"it is no URL of a proxy":             {tokens.WithProxy("proxy")},
	} {
		t.Run(says, func(t *testing.T) {
			source := tokens.FromIssuer(issuerName, tokenEndpoint, workload, options...)
			err := source.Check()
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), expired) {
				t.Fatalf("got %v", err)
			}
			if again := source.Check(); again == nil || again.Error() != err.Error() {
				t.Errorf("the second time it is %v", again)
			}
		})
	}
	if _, err := jose.ParseCertificateKey(nil, nil, ""); err == nil {
		t.Error("nothing is a certificate")
	}
}

// The answers of products, as they send them.
func TestAnswersOfProducts(t *testing.T) {
	for product, test := range map[string]struct {
		answer string
		life   time.Duration
	}{
		"Microsoft Entra ID": {
			`{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"opaque"}`, 3599 * time.Second,
		},
		"Microsoft Entra ID, v1": {
			`{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1388444763",` +
				`"not_before":"1388440863","resource":"api://payments","access_token":"opaque"}`, 3599 * time.Second,
		},
		"Keycloak": {
			`{"access_token":"opaque","expires_in":300,"refresh_expires_in":0,"token_type":"Bearer",` +
				`"not-before-policy":0,"scope":"profile email"}`, 5 * time.Minute,
		},
		"Okta":    {`{"token_type":"Bearer","expires_in":3600,"access_token":"opaque","scope":"pay"}`, time.Hour},
		"Cognito": {`{"access_token":"opaque","expires_in":3600,"token_type":"Bearer"}`, time.Hour},
		"Auth0":   {`{"access_token":"opaque","scope":"pay","expires_in":86400,"token_type":"Bearer"}`, 24 * time.Hour},
		"a token without end": {
			`{"access_token":"opaque","token_type":"bearer","expires_in":253402300799}`, 30 * 24 * time.Hour,
		},
	} {
		t.Run(product, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				workload, _ := orders(t)
				c := &counter{t: t, answer: says(200, test.answer)}
				token, err := client(c, workload).Token(t.Context(), id(t, "payments"))
				if err != nil || token.Value != "opaque" || time.Until(token.Expires) != test.life {
					t.Errorf("got %v, %v, want one for %v", token, err, test.life)
				}
			})
		})
	}
}
