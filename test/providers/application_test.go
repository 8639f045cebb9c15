package providers_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// application is a client of a provider, at which people log in by the authorization code flow with PKCE
// (RFC 6749 section 4.1, RFC 7636).
type application struct {
	t             *testing.T
	authorization string
	tokens        string // the token endpoint
	redirectURI   string
	back          chan url.Values // what logins came back with
	verifier      string
	state         string
}

// newApplication reads the provider's discovery document and waits for those who come back from it.
func newApplication(t *testing.T, provider string) *application {
	t.Helper()
	response := get(t, provider+"/.well-known/openid-configuration")
	defer func() { _ = response.Body.Close() }()
	var found struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		t.Fatal(err)
	}
	listener, name := listen(t)
	a := &application{
		t: t, authorization: found.Authorization, tokens: found.Token,
		redirectURI: name + redirect, back: make(chan url.Values, 1), verifier: rand.Text() + rand.Text(), state: rand.Text(),
	}
	mux := http.NewServeMux()
	mux.HandleFunc(redirect, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>shop</title><p>Welcome")
		select {
		case a.back <- r.URL.Query():
		default: // a reload
		}
	})
	serve(t, listener, mux)
	return a
}

// loginURL is where a browser begins.
func (a *application) loginURL(more url.Values) string {
	challenge := sha256.Sum256([]byte(a.verifier))
	query := url.Values{
		"client_id": {webClient}, "redirect_uri": {a.redirectURI}, "response_type": {"code"}, "state": {a.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	maps.Copy(query, more)
	return a.authorization + "?" + query.Encode()
}

// issued are the tokens of an answer.
type issued struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
}

// redeem waits for a browser to come back, and exchanges the code that it brings.
func (a *application) redeem() issued {
	a.t.Helper()
	var back url.Values
	select {
	case back = <-a.back:
	case <-time.After(patience):
		a.t.Fatal("nobody came back from the login")
	}
	if back.Get("state") != a.state || back.Get("code") == "" {
		a.t.Fatalf("the login came back with %v", back)
	}
	return a.ask(url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {a.redirectURI},
		"client_id": {webClient}, "code_verifier": {a.verifier},
	}, nil)
}

// ask posts a form to the token endpoint.
func (a *application) ask(form url.Values, secret *url.Userinfo) issued {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.tokens, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != nil {
		password, _ := secret.Password()
		request.SetBasicAuth(secret.Username(), password)
	}
	response, err := client().Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		a.t.Fatalf("token endpoint: %d %s %v", response.StatusCode, text, err)
	}
	var answer issued
	if err := json.Unmarshal(text, &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer
}

func client() *http.Client { return &http.Client{Timeout: patience} }

// get follows redirects, as a browser does.
func get(t *testing.T, url string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// listen makes a listener, and the name of the provider that it will be for.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener, "http://" + listener.Addr().String()
}

func serve(t *testing.T, listener net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}
