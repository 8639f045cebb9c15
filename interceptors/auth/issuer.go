package auth

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Issuer is somebody who vouches for others with tokens: its name, its keys, and what of its word counts. Fields that are not
// set have the stated defaults. An Issuer must not be changed once it was handed to an option.
type Issuer struct {
	// Name is what its tokens state as iss, byte for byte. Required, and unique within a server.
	Name string
	// Keys are the keys with which it signs. Required. A key counts for this issuer alone. [keyset.WithAlgorithms] says for which
	// algorithms.
	Keys *keyset.Set
	// Types are the token types (the JOSE header's typ) that are accepted. Those of proofs, which are good for one use, are a
	// mistake. Default: at+jwt (RFC 9068).
	Types []string
	// Audiences are those for whom a token may be meant; its aud must name one of them. Default: the server's own ID. An
	// empty list that is not nil is a mistake: a token that is good for anybody is never accepted.
	Audiences []string
	// Subjects are the workloads that it may vouch for. A token whose sub is no ID that matches one of them is refused.
	// Required where the tokens are those of workloads.
	Subjects []principal.Pattern
	// RequiredClaims must be there beside iss, sub, aud, exp and iat, which always must. Default: jti.
	RequiredClaims []string
	// MaxLifetime bounds exp - iat. Default: 1 hour.
	MaxLifetime time.Duration
	// MaxAudiences bounds how many audiences a token may name. Default: 1.
	MaxAudiences int
	// ClockSkew is how far its clock may be off, at most 5 minutes. Default: 30 seconds; negative means none.
	ClockSkew time.Duration

	transactions bool // its tokens are transaction tokens, and nothing else
}

// voucher is an Issuer that was checked and has its defaults, or, with trust instead of keys, the identity's own trust, in
// which every workload speaks for itself.
type voucher struct {
	name         string
	keys         *keyset.Set
	trust        func() (anchor, error)
	waiting      atomic.Int32 // calls that ask the trust for a key, and may wait
	types        []string
	audiences    []string
	subjects     []principal.Pattern
	required     []string
	maxLifetime  time.Duration
	maxAudiences int
	skew         time.Duration
	transactions bool
	flaw         error // of the key set
}

// voucher checks the issuer and gives it its defaults.
func (is Issuer) voucher(self principal.ID) (*voucher, error) {
	v := &voucher{
		name: is.Name, subjects: slices.Clone(is.Subjects),
		types: slices.Clone(is.Types), audiences: slices.Clone(is.Audiences), required: slices.Clone(is.RequiredClaims),
		maxLifetime: is.MaxLifetime, maxAudiences: is.MaxAudiences, skew: is.ClockSkew, transactions: is.transactions,
	}
	if is.Keys != nil {
		v.keys, v.flaw = is.Keys, is.Keys.Err()
	}
	if is.Types == nil {
		v.types = []string{jose.TypeAccess}
	}
	if is.Audiences == nil {
		v.audiences = []string{self.String()}
	}
	if is.RequiredClaims == nil {
		v.required = []string{wire.ClaimTokenID}
	}
	if v.maxLifetime == 0 {
		v.maxLifetime = maxTokenLifetime
	}
	if v.maxAudiences == 0 {
		v.maxAudiences = 1
	}
	switch {
	case v.skew == 0:
		v.skew = wire.ClockSkew
	case v.skew < 0:
		v.skew = 0
	}
	return v, errors.Join(v.mistakes(), v.flaw)
}

func (v *voucher) mistakes() error {
	var errs []error
	wrong := func(wrong bool, problem string) {
		if wrong {
			errs = append(errs, fmt.Errorf("auth: Issuer %s: %s", quote(v.name), problem))
		}
	}
	wrong(v.name == "", "it has no Name; state the iss of its tokens, byte for byte")
	wrong(v.keys == nil, "it has no Keys")
	wrong(len(v.types) == 0 || slices.Contains(v.types, ""), "Types is empty or holds an empty type; leave it out for at+jwt")
	wrong(!v.transactions && slices.ContainsFunc(v.types, jose.NeverBearer), "Types names a type of proof, identity or key set, which is no bearer token; leave it out for at+jwt")
	wrong(len(v.audiences) == 0 || slices.Contains(v.audiences, ""), "Audiences is empty or holds an empty name, and a token for anybody is never accepted; leave it out for the server's own ID")
	wrong(slices.Contains(v.required, ""), "RequiredClaims holds an empty name")
	wrong(v.maxLifetime < 0, "MaxLifetime is negative")
	wrong(v.maxAudiences < 0, "MaxAudiences is negative")
	wrong(v.skew > maxClockSkew, "ClockSkew is more than 5 minutes")
	for n, p := range v.subjects {
		wrong(!principal.IsPattern(p), fmt.Sprintf("subject %d is no ID; make it with ParseID, TrustDomain.ID or ParsePattern", n+1))
	}
	return errors.Join(errs...)
}
