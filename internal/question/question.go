// Package question reads a call about which an operator asks what a policy decides. Tokens are read as the
// configuration of the service says, and not verified.
package question

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Call is the call in question.
type Call struct {
	// Method is its full name.
	Method string
	// As is the ID of the calling workload, or its name in the trust domain of the server. It is "" for a caller without
	// an identity, or for one that Token names.
	As string
	// AsName is how messages name As: "--as".
	AsName string
	// Token is the caller's token. Without it, the caller has proven its ID by its connection.
	Token *Document
	// User is the token of the end user.
	User *Document
}

// Document is a token, or the claims of one as a JSON object.
type Document struct {
	// Name is how messages name it: "user.jwt".
	Name string
	// Text is its content. No message contains it.
	Text []byte
}

// RefusedError is why a server would not take a token.
type RefusedError struct{ error }

// Read reads a call. An error is a [RefusedError] if the server would not take a token, and a mistake in the question
// otherwise.
func (is *Issuers) Read(c Call, domain principal.TrustDomain) (policy.Call, error) {
	call := policy.Call{Method: c.Method}
	var err error
	if c.As != "" || c.Token != nil {
		call.Peer, err = is.peer(c, domain)
	}
	if err == nil && c.User != nil {
		call.User, err = is.user(c.User)
	}
	return call, err
}

// peer is the caller: proven by its connection, or by its token where there is one.
func (is *Issuers) peer(c Call, domain principal.TrustDomain) (*principal.Peer, error) {
	peer := &principal.Peer{Carrier: principal.CarrierConnection, Expires: time.Now().Add(time.Hour)}
	if c.Token != nil {
		var err error
		if peer, err = is.workload(c.Token); err != nil {
			return nil, err
		}
	}
	if c.As == "" {
		if peer.ID.IsZero() {
			return nil, fmt.Errorf("%s: sub is no ID of a workload; give a configuration with principals for its issuer, "+
				"or %s", c.Token.Name, c.AsName)
		}
		return peer, nil
	}
	pattern, err := domain.ParsePeer(c.As)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.AsName, err)
	}
	id, ok := pattern.(principal.ID)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %s is a pattern, and a caller is one workload", c.AsName, c.As)
	case !peer.ID.IsZero() && peer.ID != id:
		return nil, fmt.Errorf("%s: the token is that of %v and not of %v; leave one of the two out", c.AsName, peer.ID, id)
	}
	peer.ID = id
	return peer, nil
}

// claims reads the claims, whether they stand in a token or alone.
func (d *Document) claims() (*strictjson.Object, error) {
	text := bytes.TrimSpace(d.Text)
	if !bytes.HasPrefix(text, []byte("{")) {
		_, rest, _ := bytes.Cut(text, []byte("."))
		payload, _, ok := bytes.Cut(rest, []byte("."))
		if !ok {
			return nil, fmt.Errorf("%s holds no JWT, which has three parts with dots between them", d.Name)
		}
		var err error
		if text, err = base64.RawURLEncoding.AppendDecode(nil, payload); err != nil {
			return nil, fmt.Errorf("%s: the payload of the token: %w", d.Name, err)
		}
	}
	claims, err := strictjson.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: the claims of the token: %w", d.Name, err)
	}
	return claims, nil
}
