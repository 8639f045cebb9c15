package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	// UserTokenKey is the metadata key of an end user's access token. Its one value is the token alone.
	UserTokenKey = wire.UserTokenKey
	// TransactionTokenKey is the metadata key of a transaction token, as the draft of OAuth transaction tokens has it
	// (draft-ietf-oauth-transaction-tokens). Its one value is the token alone.
	TransactionTokenKey = wire.TransactionTokenKey
)

// WithUserIssuers accepts access tokens of end users, beside the credential of the workload that calls, in the metadata
// key parley-user-token. An issuer's Audiences are by default the server's own ID and its Subjects must be left out. A
// user whose sub is the ID of a workload is refused, so that no workload can pass for a user with its own token.
//
// A method that says nothing about users takes calls with and without one. A token that does not hold is refused
// everywhere.
func WithUserIssuers(issuers ...Issuer) ServerOption {
	return serverOption{"auth.WithUserIssuers(" + issuerNames(issuers) + ")", func(c *serverConfig) {
		c.userIssuers = append(c.userIssuers, issuers...)
	}}
}

// WithTransactionTokens accepts transaction tokens of the one service of the trust domain that makes them, in the
// metadata key txn-token (draft-ietf-oauth-transaction-tokens). They are of type txntoken+jwt, their aud is exactly the
// server's trust domain, they live at most 5 minutes, and they state iss, txn, sub, scope and req_wl. They are taken
// only beside a workload that has proven itself, because they prove no workload. Of the issuer only Name, Keys and, in
// its Profile, RequiredClaims, MaxLifetime, ClockSkew, Algorithms and KeyUses may be set.
func WithTransactionTokens(issuer Issuer) ServerOption {
	return serverOption{"auth.WithTransactionTokens(" + issuerNames([]Issuer{issuer}) + ")", func(c *serverConfig) {
		c.transactionIssuers = append(c.transactionIssuers, issuer)
	}}
}

func issuerNames(issuers []Issuer) string {
	names := make([]string, len(issuers))
	for i, issuer := range issuers {
		names[i] = issuer.Name
	}
	return quote.List(names)
}

// WithUserAuthorization accepts the access token of the end user in "authorization: Bearer", if the connection proves
// the caller. Gateways, meshes and mobile clients send it there. On other connections, and without this option,
// authorization has the token of the calling workload. The key parley-user-token is still read. A call with both is
// refused, because a call has one user. It requires [WithUserIssuers].
func WithUserAuthorization() ServerOption {
	return serverOption{"auth.WithUserAuthorization()", func(c *serverConfig) { c.userAuthorization = true }}
}

// makeUserVerifiers returns every mistake in the issuers of users.
func (g *Gate) makeUserVerifiers() error {
	var errs []error
	var err error
	if g.config.userAuthorization && len(g.config.userIssuers) == 0 && g.config.users == nil {
		errs = append(errs, stated.Within("auth", stated.New(
			"|WithUserAuthorization|: nobody vouches for users; name an issuer in |WithUserIssuers|")))
	}
	if len(g.config.userIssuers) > 0 {
		for _, issuer := range g.config.userIssuers {
			switch {
			case len(issuer.Subjects) > 0:
				errs = append(errs, issuer.mistake("it has |Subjects|, which are workloads, and vouches for users; leave them out"))
			case issuer.Principals != nil:
				errs = append(
					errs,
					issuer.mistake("it has |Principals|, which are workloads, and vouches for users; leave them out"),
				)
			}
		}
		g.static, err = g.newVerifier(nil, g.config.userIssuers, g.acceptUser)
		errs = append(errs, err)
	}
	g.userSet.Store(new(userSet))
	if g.config.users == nil {
		errs = append(errs, adoptUsers(g, nil, nil))
	} else {
		leave, err := g.config.users.join(g)
		g.stops = append(g.stops, leave)
		errs = append(errs, err)
	}
	if len(g.config.transactionIssuers) > 1 {
		errs = append(errs, errors.New("auth: WithTransactionTokens is there twice; a trust domain has one service "+
			"that makes transaction tokens, so keep one"))
	}
	if len(g.config.transactionIssuers) > 0 {
		issuer, err := transactionIssuer(g.config.transactionIssuers[0], g.identity.self.TrustDomain())
		errs = append(errs, err)
		g.transactions, err = g.newVerifier(nil, []Issuer{issuer}, acceptTransaction)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func transactionIssuer(issuer Issuer, domain principal.TrustDomain) (Issuer, error) {
	var err error
	stated := issuer.Profile
	mayDiffer := profile.Profile{
		RequiredClaims: stated.RequiredClaims,
		MaxLifetime:    stated.MaxLifetime,
		ClockSkew:      stated.ClockSkew,
		Algorithms:     stated.Algorithms,
		KeyUses:        stated.KeyUses,
	}
	switch {
	case issuer.Audiences != nil || issuer.Subjects != nil || !reflect.DeepEqual(stated, mayDiffer):
		err = issuer.mistake("it makes transaction tokens, of which only |Name|, |Keys|, |Profile.RequiredClaims|, " +
			"|Profile.MaxLifetime|, |Profile.ClockSkew|, |Profile.Algorithms| and |Profile.KeyUses| may be stated; " +
			"leave the rest out")
	case stated.MaxLifetime > maxTransactionLifetime:
		err = issuer.mistake("|Profile.MaxLifetime| of a transaction token is %v; it must be at most %v",
			stated.MaxLifetime, maxTransactionLifetime)
	}
	if stated.MaxLifetime == 0 {
		mayDiffer.MaxLifetime = maxTransactionLifetime
	}
	mayDiffer.RequiredClaims = slices.Concat(
		stated.RequiredClaims,
		[]string{wire.ClaimTransaction, wire.ClaimScope, wire.ClaimRequester},
	)
	issuer.transactions, issuer.Profile, issuer.Audiences = true, mayDiffer, []string{domain.String()}
	return issuer, err
}

// acceptUser makes a user of an access token that is not a workload's own.
func (g *Gate) acceptUser(t *verify.Token) error {
	if g.bearer.NamesWorkload(t) {
		return verify.ErrNamesWorkload
	}
	if err := verify.CheckUser(t); err != nil {
		return err
	}
	scopes, err := t.Scopes()
	t.User = &principal.User{
		Issuer:  t.Issuer,
		Subject: t.Subject,
		Scopes:  scopes,
		Claims:  principal.ClaimsOf(t.Claims),
		Expires: t.Expires,
	}
	return err
}

// acceptTransaction makes a user of a transaction token. Its sub may be a workload: some transactions begin inside.
func acceptTransaction(t *verify.Token) error {
	scopes, err := jose.Scopes(t.Claims)
	if err != nil {
		return err
	}
	txn, ok := t.Claims.String(wire.ClaimTransaction)
	if !ok {
		return errors.New("txn is no string")
	}
	requester, ok := t.Claims.String(wire.ClaimRequester)
	if !ok {
		return errors.New("req_wl is no string")
	}
	t.User = &principal.User{
		Issuer: t.Issuer, Subject: t.Subject, Scopes: scopes, Claims: principal.ClaimsOf(t.Claims), Expires: t.Expires,
		Transaction: txn, Requester: requester,
	}
	return nil
}

// authenticateUser reads the one token of an end user that a call may carry beside what its caller has proven.
func (g *Gate) authenticateUser(ctx context.Context, who *caller, has *receivedCredentials, now time.Time) error {
	found, err := g.userToken(has)
	plain := plainInfoOf(ctx)
	switch {
	case err == nil && found.received == nil:
		return nil
	case who.peer == nil && plain == nil:
		return nil
	case err != nil:
		return refuse(rpcerr.CredentialsInvalid, err)
	case found.received.key == TransactionTokenKey && who.peer == nil:
		return refuse(rpcerr.CredentialsMissing, errors.New("a transaction token proves no workload"))
	}
	if err := g.readUser(ctx, found, now); err != nil {
		return err
	}
	who.user, who.received = &found.received.user, found.received
	if plain != nil {
		plain.Known() // a user whose token is good is as little a stranger as a workload is
	}
	return nil
}

// foundUser is the token of a user where a call states it, who checks it, and what is wrong with it there.
type foundUser struct {
	received     *receivedUser
	values       []string
	by           userVerifiers // of an access token
	transactions *verify.Verifier
	places       []tokenPlace // by one of them, by the prefix of the token
}

// userToken finds the token of the user of a call, none where nobody is there to vouch for a user, or no user is named.
// The error says that there are several.
func (g *Gate) userToken(has *receivedCredentials) (found foundUser, err error) {
	add := func(f foundUser, key, place string) {
		switch {
		case len(f.values) == 0 || err != nil:
		case found.received != nil:
			err = fmt.Errorf("a token of a user in %s and another in %s; a call has one user", found.received.place, place)
		default:
			f.received = &receivedUser{key: key, place: place}
			found = f
		}
	}
	if set := has.users; set != nil {
		if len(set.own) > 0 || len(set.authorization)+len(set.headers) > 0 {
			add(foundUser{values: has.user, by: set.own}, UserTokenKey, UserTokenKey)
		}
		add(foundUser{values: has.userBearer, places: set.authorization}, UserTokenKey, wire.AuthorizationKey)
		for n, h := range set.headers {
			add(foundUser{values: has.inHeaders[n], places: h.places}, UserTokenKey, h.name)
		}
	}
	if g.transactions != nil {
		add(foundUser{values: has.transaction, transactions: g.transactions}, TransactionTokenKey, TransactionTokenKey)
	}
	return found, err
}

// plainInfoOf returns the information of a call that came over plain HTTP/2 with TLS, where tokens are accepted, and
// nil for any other call.
func plainInfoOf(ctx context.Context) *conn.PlainInfo {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, _ := p.AuthInfo.(*conn.PlainInfo)
	return info
}

func (g *Gate) places() tokenPlaces {
	return tokenPlaces{g.bearer, g.userSet.Load().own, g.transactions}
}

// readUser checks the one token of a user. Its error is a refusal.
func (g *Gate) readUser(ctx context.Context, found foundUser, now time.Time) (err error) {
	u, values, by := found.received, found.values, found.by
	switch {
	case found.places != nil:
		by, u.compact, err = placeOf(u.place, found.places, values)
	case len(values) != 1:
		err = fmt.Errorf("%d values of %s instead of one", len(values), u.place)
	default:
		u.compact = values[0]
	}
	if err != nil {
		return refuse(rpcerr.CredentialsInvalid, err)
	}
	var t *verify.Token
	if found.transactions != nil {
		t, err = found.transactions.Verify(ctx, u.compact, now)
	} else {
		t, u.rule, err = by.verify(ctx, u.compact, now)
	}
	if err != nil {
		return verify.CallerRefusal(g.places().misplacedUser(u.compact, u, err))
	}
	u.token, u.user = t, *t.User
	return nil
}
