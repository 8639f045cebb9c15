package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// issuers are the issuers of tokens that a configuration names.
type issuers struct {
	configured       bool // there is a configuration
	workloads, users []*verify.Profile
}

// refusedError is why a server would not take a token.
type refusedError struct{ error }

// issuersOf reads the issuers of a configuration, without their keys.
func issuersOf(config configuration, domain principal.TrustDomain) (*issuers, error) {
	known := &issuers{configured: config.path != ""}
	var errs []error
	read := func(place string, stated issuerconfig.Issuer) *verify.Profile {
		look, err := issuerconfig.Profile(place, stated, config.states)
		errs = append(errs, err)
		return &verify.Profile{Profile: look.WithDefaults(), Name: stated.GetIssuer()}
	}
	for _, server := range slices.Sorted(maps.Keys(config.GetServers())) {
		for i, issuer := range config.GetServers()[server].GetIssuers() {
			place := fmt.Sprintf("servers.%s.issuers[%d]", server, i)
			p := read(place, issuer)
			p.Shared = issuer.GetShared()
			var err error
			p.Subjects, err = issuerconfig.Subjects(place+".subjects", domain, issuer.GetSubjects())
			errs = append(errs, err)
			named, err := issuerconfig.Principals(place+".principals", domain, issuer.GetPrincipals())
			if err == nil && named != nil {
				p.Principals, err = named.Compile()
				err = stated.At(place+".principals", err)
			}
			errs = append(errs, err)
			known.workloads = append(known.workloads, p)
		}
	}
	for i, stated := range config.GetUsers().GetIssuers() {
		known.users = append(known.users, read(fmt.Sprintf("users.issuers[%d]", i), stated))
	}
	if stated := config.GetUsers().GetTransactions(); stated != nil {
		known.users = append(known.users, read("users.transactions", stated))
	}
	return known, errors.Join(errs...)
}

// workload reads the caller whose token is in a file. The token is that of a configured issuer, or the workload has
// signed it itself. The ID is zero if the token names no workload.
func (is *issuers) workload(path string) (*principal.Peer, error) {
	claims, err := claimsOf(path)
	if err != nil {
		return nil, err
	}
	peer := &principal.Peer{
		Carrier: principal.CarrierToken, Expires: time.Now().Add(time.Hour), Claims: principal.ClaimsOf(claims),
	}
	t, err := verify.Unproven(is.workloads, claims)
	switch {
	case err != nil:
		return nil, refusedError{fmt.Errorf("%s: %w", path, err)}
	case t != nil:
		peer.ID, peer.Audiences = t.Workload, t.Audiences()
		peer.Scopes, err = t.Scopes()
		return peer, err
	}
	issuer, _ := claims.String("iss")
	subject, _ := claims.String("sub")
	if len(is.workloads) > 0 && issuer != "" && issuer != subject {
		return nil, refusedError{fmt.Errorf("%s: iss is %q, which is not among servers.<name>.issuers", path, issuer)}
	}
	peer.Scopes = scopesOf(claims)
	peer.Audiences, _ = claims.Strings("aud")
	peer.ID, _ = principal.ParseID(subject)
	return peer, nil
}

// user reads the end user whose token is in a file.
func (is *issuers) user(path string) (*principal.User, error) {
	claims, err := claimsOf(path)
	if err != nil {
		return nil, err
	}
	user := &principal.User{Claims: principal.ClaimsOf(claims)}
	t, err := verify.Unproven(slices.Concat(is.users, is.workloads), claims)
	switch {
	case err == nil && t != nil && !t.Workload.IsZero():
		err = verify.ErrNamesWorkload
		fallthrough
	case err != nil:
		return nil, refusedError{fmt.Errorf("%s: %w", path, err)}
	case t != nil:
		user.Issuer, user.Subject = t.Issuer, t.Subject
		user.Scopes, err = t.Scopes()
		return user, err
	}
	user.Issuer, _ = claims.String("iss")
	user.Subject, _ = claims.String("sub")
	if len(is.users) > 0 {
		return nil, refusedError{fmt.Errorf("%s: iss is %q, which is not among users.issuers", path, user.Issuer)}
	}
	user.Scopes = scopesOf(claims)
	return user, nil
}

// ofUsers are the issuers of users that the server accepts. Without a configuration it accepts the user of the call,
// and those whom the policy asks for.
func (is *issuers) ofUsers(method policy.Method, user *principal.User) []string {
	var names []string
	for _, p := range is.users {
		names = append(names, p.Name)
	}
	if is.configured {
		return names
	}
	names = append([]string{"an issuer of users"}, method.Auth.User.Issuers.Value...)
	if user != nil {
		names = append(names, user.Issuer)
	}
	return names
}

// claimsOf reads the claims of the token in a file.
func claimsOf(path string) (*strictjson.Object, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(bytes.TrimSpace(data)), ".")
	payload, _, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%s holds no JWT, which has three parts with dots between them", path)
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, fmt.Errorf("%s: the payload of the token: %w", path, err)
	}
	claims, err := strictjson.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: the claims of the token: %w", path, err)
	}
	return claims, nil
}

// scopesOf are the scopes of an access token (RFC 9068).
func scopesOf(claims *strictjson.Object) []string {
	text, _ := claims.String("scope")
	return strings.Fields(text)
}
