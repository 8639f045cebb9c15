package issuer

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// The names that requests have for grants and tokens.
const (
	clientCredentials = "client_credentials"
	tokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name, not a credential

	accessTokenURN      = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // a name, not a credential
	jwtURN              = "urn:ietf:params:oauth:token-type:jwt"
	transactionTokenURN = "urn:ietf:params:oauth:token-type:txn_token" //nolint:gosec // a name, not a credential
	// identityTokenURN names the workload identity token. No RFC registers a name for it.
	identityTokenURN = "urn:parley:token-type:wit" //nolint:gosec // a name, not a credential
)

// assertionForm is the name that RFC 7523 section 2.2 gives an assertion in a form.
const assertionForm = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// form has the parameters of a request. Each parameter was sent once and is not empty.
type form map[string]string

// readForm reads the body of a request. The error is a refusal.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || media != "application/x-www-form-urlencoded":
		return nil, badRequest("the Content-Type is not application/x-www-form-urlencoded")
	case r.URL.RawQuery != "":
		return nil, badRequest("parameters stand in the URL; send them in the body")
	case len(r.Header.Values("Authorization")) > 0:
		return nil, badRequest("there is an Authorization header; clients log in with a client_assertion alone")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &refusal{
			status: http.StatusRequestEntityTooLarge, code: "invalid_request", hint: "the body is too large", cause: err,
		}
	}
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: "invalid_request", hint: "the body broke off", cause: err}
	}
	return parseForm(string(body))
}

// parseForm parses a form (RFC 6749 section 3.2). A parameter may be sent once. A parameter without a value counts as
// missing.
func parseForm(body string) (form, error) {
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, badRequest("the body is no form")
	}
	f := form{}
	for name, list := range values {
		switch {
		case len(list) > 1:
			return nil, badRequest("a parameter is there twice")
		case !utf8.ValidString(list[0]) || strings.ContainsRune(list[0], 0):
			return nil, badRequest("a parameter is not valid UTF-8 or contains NUL")
		case list[0] != "":
			f[name] = list[0]
		}
	}
	return f, nil
}

// audience returns the requested audience (audience of RFC 8693, resource of RFC 8707).
func (f form) audience() (string, error) {
	audience, resource := f["audience"], f["resource"]
	switch {
	case audience != "" && resource != "" && audience != resource:
		return "", badTarget("audience and resource differ; a token is meant for one")
	case audience == "" && resource == "":
		return "", badTarget("neither audience nor resource is there")
	case audience == "":
		return resource, nil
	default:
		return audience, nil
	}
}

// scopes returns the requested scopes, or none if the parameter is missing.
func (f form) scopes() ([]string, error) {
	if f["scope"] == "" {
		return nil, nil
	}
	scopes := strings.Split(f["scope"], " ")
	for _, scope := range scopes {
		if !isScope(scope) {
			return nil, badScope("scope is no list of scopes")
		}
	}
	return scopes, nil
}

// enrolls reports whether a request is that of a workload with a token of another authority.
func (f form) enrolls() bool {
	return f["grant_type"] == tokenExchange && f["requested_token_type"] == identityTokenURN
}
