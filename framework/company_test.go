package framework_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// intranet is what a company keeps to itself: key sets and a token endpoint behind a certificate of its own authority
// and a login.
type intranet struct {
	*httptest.Server
	requests chan string
}

func newIntranet(t *testing.T, o *office) *intranet {
	t.Helper()
	i := &intranet{requests: make(chan string, 100)}
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.URL.Path == "/token" && user == "payments-1" && secret == "hush" && r.FormValue("scope") == "keys":
			_, _ = io.WriteString(w, `{"access_token":"issued","token_type":"Bearer","expires_in":"600"}`)
		case r.URL.Path == "/keys" && (token == "pod" || token == "issued"):
			_, _ = fmt.Fprintf(w, `{"keys":[%s]}`, o.public(o.key))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		i.requests <- r.URL.Path + " " + token
	}))
	i.Config.ErrorLog = log.New(io.Discard, "", 0)
	i.StartTLS()
	t.Cleanup(i.Close)
	o.write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})))
	o.write("pod", "pod\n")
	o.write("secret", "hush\n")
	return i
}

// A configuration file alone reads keys behind a company's own authority, with the token in a file and with one that a
// token endpoint gives for a secret.
func TestKeysInsideACompanyByConfiguration(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("payments", time.Hour)
	i := newIntranet(t, o)
	app := newPayments(t, o.config("payments", fmt.Sprintf(`
users:
  issuers:
  - issuer: https://pods.example
    keys: {url: "%[1]s/keys", ca_file: %[2]q, bearer_token_file: %[3]q}
  - issuer: https://others.example
    keys:
      url: "%[1]s/keys"
      ca_file: %[2]q
      client_credentials:
        {issuer: "%[1]s", url: "%[1]s/token", ca_file: %[2]q, client_id: payments-1,
         client_secret_file: %[4]q, scopes: [keys]}
clients:
  ledger:
    target: "localhost:1"
    mode: token
    token:
      endpoint:
        {issuer: "%[1]s", url: "%[1]s/token", ca_file: %[2]q, client_id: a,
         assertion_file: %[3]q, audience_parameter: none}
`, i.URL, o.file("ca.crt"), o.file("pod"), o.file("secret"))))
	app.Client("ledger")
	if err := app.Check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := map[string]bool{"/keys pod": true, "/token Basic cGF5bWVudHMtMTpodXNo": true, "/keys issued": true}
	for len(want) > 0 {
		select {
		case request := <-i.requests:
			delete(want, request)
		case <-ctx.Done():
			t.Fatalf("nobody has asked for %v", want)
		}
	}
	var text strings.Builder
	if err := app.Describe(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("keyset.WithCAFile(%q), keyset.WithBearerTokenFile(%q)", o.file("ca.crt"), o.file("pod")),
		"keyset.WithBearerTokens",
		fmt.Sprintf(`tokens.WithClientID("a"), tokens.WithAssertionFile(%q)`, o.file("pod")),
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Describe does not show %s:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "hush") {
		t.Error("Describe shows the secret")
	}
}

// What contradicts itself is named with its place.
func TestMistakesInHowKeysAndTokensAreFetched(t *testing.T) {
	t.Parallel()
	for says, stated := range map[string]string{
		"users.issuers[0].keys: ca_file: nothing is fetched here": `keys: {file: KEYS, ca_file: /ca.crt}`,

		"a user name or a password": `keys: {url: "https://a.example", proxy: "http://a:b@proxy:1"}`,
		"token file /no/token":      `keys: {url: "https://a.example", bearer_token_file: /no/token}`,

		"users.issuers[0].keys.client_credentials: asser": `keys: {client_credentials: {assertion_algorithm: PS256}}`,
		"no client is named that this proves to be":       `keys: {client_credentials: {client_secret_file: KEYS}}`,
		"are ways to prove who the client is": `keys: {url: "https://a.example", client_credentials: ` +
			`{client_id: a, client_secret_file: KEYS, assertion_file: KEYS}}`,
		"one token goes with a request": `keys: {url: "https://a.example", bearer_token_file: KEYS, client_credentials: ` +
			`{issuer: a, url: "https://a.example", client_id: a, assertion_file: KEYS}}`,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.hire("payments", time.Hour)
			place := func(text string) string { return strings.ReplaceAll(text, "KEYS", o.file("keys.json")) }
			app := newPayments(t, o.config("payments", place(`
users: {issuers: [{issuer: "https://a.example", `+stated+`}]}
`)))
			if err := app.Check(); err == nil || !strings.Contains(err.Error(), place(says)) {
				t.Errorf("got %v\nwant %s", err, place(says))
			}
		})
	}
}
