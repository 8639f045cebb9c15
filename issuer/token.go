package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// answer is a successful answer (RFC 6749 section 5.1, RFC 8693 section 2.2.1).
type answer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type,omitempty"`
	Type        string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// fault is an error answer (RFC 6749 section 5.2).
type fault struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// serveToken is the token endpoint.
func (is *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), waitAtMost)
	defer cancel()
	var c caller
	var of wish
	var token made
	f, err := readForm(w, r)
	if err == nil {
		c, err = is.authenticate(ctx, f)
	}
	if err == nil {
		err = is.registered(c)
	}
	if err == nil {
		of, err = is.wishOf(ctx, c, f)
	}
	if err == nil {
		token, err = is.make(c, of)
	}
	if err != nil {
		is.refuse(w, r, c, refusalOf(err))
		return
	}
	a := answer{
		AccessToken: token.compact, Type: "Bearer", ExpiresIn: int64(token.life / time.Second),
		Scope: strings.Join(of.scopes, " "),
	}
	switch {
	case of.typ == jose.TypeIdentity:
		a.IssuedType, a.Type = identityTokenURN, "N_A"
	case of.typ == jose.TypeTransaction:
		a.IssuedType, a.Type = transactionTokenURN, "N_A" // it must not be sent as a bearer token
	case of.user:
		a.IssuedType = accessTokenURN
	}
	is.auditToken(r, c, of, token)
	writeJSON(w, http.StatusOK, a)
}

// registered returns the mistakes in the registration of a client. A registry may have registrations that were not
// checked with [Client.Check].
func (is *Issuer) registered(c caller) error {
	if err := errors.Join(c.Own.check("Own"), c.Users.check("Users"), checkClaims(c.Claims)); err != nil {
		return notGranted(err)
	}
	return nil
}

func (is *Issuer) refuse(w http.ResponseWriter, r *http.Request, c caller, why *refusal) {
	is.auditRefusal(r, c, why)
	if why.after > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((why.after+time.Second-1)/time.Second), 10))
	}
	writeJSON(w, why.status, fault{why.code, why.hint})
}

// writeJSON writes an answer that must not be cached.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client is gone
}
