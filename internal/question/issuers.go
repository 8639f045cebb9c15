package question

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Issuers are the issuers of tokens that a configuration names.
type Issuers struct {
	configured       bool // there is a configuration
	workloads, users []*verify.Profile
}

// Configured reads the issuers of a configuration, without their keys. States reports whether the configuration has a
// value at a path.
func Configured(
	config *configv1.Config, states func(path string) bool, domain principal.TrustDomain,
) (*Issuers, error) {
	known := &Issuers{configured: true}
	var errs []error
	read := func(place string, stated issuerconfig.Issuer) *verify.Profile {
		look, err := issuerconfig.Profile(place, stated, states)
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

// workload reads the caller whose token it is. The token is that of a configured issuer, or the workload has
// signed it itself. The ID is zero if the token names no workload.
func (is *Issuers) workload(d *Document) (*principal.Peer, error) {
	claims, err := d.claims()
	if err != nil {
		return nil, err
	}
	peer := &principal.Peer{
		Carrier: principal.CarrierToken, Expires: time.Now().Add(time.Hour), Claims: principal.ClaimsOf(claims),
	}
	t, err := verify.Unproven(is.workloads, claims)
	switch {
	case err != nil:
		return nil, RefusedError{fmt.Errorf("%s: %w", d.Name, err)}
	case t != nil:
		peer.ID, peer.Audiences = t.Workload, t.Audiences()
		peer.Scopes, err = t.Scopes()
		return peer, err
	}
	issuer, _ := claims.String("iss")
	subject, _ := claims.String("sub")
	if len(is.workloads) > 0 && issuer != "" && issuer != subject {
		return nil, RefusedError{fmt.Errorf("%s: iss is %q, which is not among servers.<name>.issuers", d.Name, issuer)}
	}
	peer.Scopes = scopesOf(claims)
	peer.Audiences, _ = claims.Strings("aud")
	peer.ID, _ = principal.ParseID(subject)
	return peer, nil
}

// user reads the end user whose token it is.
func (is *Issuers) user(d *Document) (*principal.User, error) {
	claims, err := d.claims()
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
		return nil, RefusedError{fmt.Errorf("%s: %w", d.Name, err)}
	case t != nil:
		user.Issuer, user.Subject = t.Issuer, t.Subject
		user.Scopes, err = t.Scopes()
		return user, err
	}
	user.Issuer, _ = claims.String("iss")
	user.Subject, _ = claims.String("sub")
	if len(is.users) > 0 {
		return nil, RefusedError{fmt.Errorf("%s: iss is %q, which is not among users.issuers", d.Name, user.Issuer)}
	}
	user.Scopes = scopesOf(claims)
	return user, nil
}

// OfUsers are the issuers of users that the server accepts. Without a configuration it accepts the user of the call,
// and those whom the policy asks for.
func (is *Issuers) OfUsers(method policy.Method, user *principal.User) []string {
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

// scopesOf are the scopes of an access token (RFC 9068).
func scopesOf(claims *strictjson.Object) []string {
	text, _ := claims.String("scope")
	return strings.Fields(text)
}
