package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// Profile is what the tokens of one issuer must look like. It has no defaults: [Profile.Default] gives it them. It must
// not be changed once it is in use.
type Profile struct {
	profile.Profile

	// Name is what its tokens state as iss, byte for byte. It is "" where every workload speaks for itself: iss and sub
	// are then the one ID that the key belongs to, and the form of the tokens is Parley's own.
	Name string
	// Keys are the keys with which it signs.
	Keys Keys
	// Audiences are those for whom a token may be meant; its aud must name one of them.
	Audiences []string
	// AnyAudience accepts tokens for whatever audience, and those without one. Audiences is then empty.
	AnyAudience bool
	// Subjects are the workloads that it may vouch for. Without any, and without Principals, its subjects are no
	// workloads, or those of Keys.
	Subjects []principal.Pattern
	// Principals says which workload a token names; nil: the one that its subject is.
	Principals *principal.Mapping
	// Shared lets its tokens name workloads that the server's own trust knows.
	Shared bool
	// Place is where a configuration file states it, or "".
	Place string
}

// Default sets what is not set: the audience self, and what the zero [profile.Profile] means.
func (p *Profile) Default(self principal.ID) {
	p.Profile = p.WithDefaults()
	if p.Audiences == nil && !p.AnyAudience {
		p.Audiences = []string{self.String()}
	}
}

// Check returns every mistake in what belongs to the issuer and not to the look of its tokens, joined. For the look
// there is [profile.Profile.Check].
func (p *Profile) Check() error {
	var errs []error
	wrong := func(wrong bool, problem string) {
		if wrong {
			errs = append(errs, stated.New(problem))
		}
	}
	wrong(p.Name == "", "it has no |Name|; state the iss of its tokens, byte for byte")
	wrong(p.namesNoTenant(), "its |Name| is for every tenant of Entra ID, and no token states it; "+
		"name the tenant by its ID in the place of common, organizations or consumers")
	wrong(p.Keys == nil, "it has no |Keys|")
	wrong(len(p.Audiences) == 0 && !p.AnyAudience || slices.Contains(p.Audiences, ""),
		"|Audiences| is empty or holds an empty name, "+
			"and a token for anybody is never accepted; leave it out for the server's own ID")
	for n, s := range p.Subjects {
		wrong(!principal.IsPattern(s),
			fmt.Sprintf("|Subjects|: subject %d is no ID; make it with ParseID, TrustDomain.ID or ParsePattern", n+1))
	}
	return errors.Join(errs...)
}

// namesNoTenant reports whether the name is one of those under which Entra ID documents the issuers of all tenants.
func (p *Profile) namesNoTenant() bool {
	if p.Provider() != profile.Entra && p.Provider() != profile.EntraV1 {
		return false
	}
	return slices.ContainsFunc(
		[]string{"common", "organizations", "consumers", "{tenantid}", "{tid}"},
		func(all string) bool {
			return strings.Contains(p.Name+"/", "/"+all+"/")
		},
	)
}

// vouchesForUsers reports whether the tokens of the issuer name no workloads.
func (p *Profile) vouchesForUsers() bool { return len(p.Subjects) == 0 && p.Principals == nil }

// skew is how far the clock of the issuer may be off.
func (p *Profile) skew() time.Duration { return max(p.ClockSkew, 0) }

// checkAlgorithm refuses a token that is signed with an algorithm that the issuer does not use.
func (p *Profile) checkAlgorithm(token *jose.Token) error {
	if p.Algorithms == nil || slices.ContainsFunc(p.Algorithms, func(name string) bool {
		algorithm, _ := jose.AlgorithmOf(name)
		return algorithm == token.Algorithm()
	}) {
		return nil
	}
	return fmt.Errorf("alg is %s, with which its issuer does not sign", token.Algorithm())
}

// Form is the form that tokens must have before anything in them is looked at.
func (p *Profile) Form() jose.Form {
	return jose.Form{
		Types: p.Types, TypeVariants: p.TypeVariants, Length: p.MaxLength, Members: p.MaxMembers,
		CaseVariants: p.CaseVariants, OtherHeaders: p.OtherHeaders, NoKeyID: p.NoKeyID,
	}
}

// Keys are the keys of a profile. What they answer changes only with their generation.
type Keys interface {
	// Find returns the keys that may have signed a token with this kid and alg, at least one and a few at most, and the ID
	// that they belong to where they are those of a workload. It may wait for a second, or a little more, when the kid is
	// unknown.
	Find(ctx context.Context, kid string, alg jose.Algorithm) (owner principal.ID, keys []*jose.PublicKey, err error)
	// Holds reports whether kid still names this very key of this owner.
	Holds(kid string, owner principal.ID, key *jose.PublicKey) bool
	// Generation counts the changes.
	Generation() uint64
}

// IssuerKeys are those of an issuer.
func IssuerKeys(set *keyset.Set) Keys { return issuerKeys{set} }

type issuerKeys struct{ set *keyset.Set }

func (k issuerKeys) Find(
	ctx context.Context, kid string, alg jose.Algorithm,
) (owner principal.ID, keys []*jose.PublicKey, err error) {
	keys, err = k.set.Await(ctx, kid, alg)
	return owner, keys, err
}

func (k issuerKeys) Holds(_ string, _ principal.ID, key *jose.PublicKey) bool {
	return k.set.Holds(key)
}

func (k issuerKeys) Generation() uint64 { return k.set.Generation() }

// WorkloadKeys are those of the workloads that trust knows, each for its own ID.
func WorkloadKeys(trust func() (Trust, error)) Keys { return &workloadKeys{trust: trust} }

type workloadKeys struct {
	trust   func() (Trust, error)
	waiting atomic.Int32 // calls that ask the trust for a key, and may wait
}

func (k *workloadKeys) Find(
	ctx context.Context, kid string, _ jose.Algorithm,
) (principal.ID, []*jose.PublicKey, error) {
	owner, key, err := k.find(ctx, kid)
	return owner, []*jose.PublicKey{key}, err
}

func (k *workloadKeys) find(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	trust, err := k.trust()
	if err != nil {
		return principal.ID{}, nil, err
	}
	// Unknown keys in many calls of one caller must not make the calls of all others wait for the next reading.
	if k.waiting.Add(1) > maxKeyWaits {
		k.waiting.Add(-1)
		return trust.Lookup(kid)
	}
	defer k.waiting.Add(-1)
	return trust.Await(ctx, kid)
}

func (k *workloadKeys) Holds(kid string, owner principal.ID, _ *jose.PublicKey) bool {
	trust, err := k.trust()
	return err == nil && trust.Holds(kid, owner)
}

func (k *workloadKeys) Generation() uint64 {
	if trust, err := k.trust(); err == nil {
		return trust.Generation()
	}
	return Never
}

// Never is a generation that no keys and no trust have, so that they must be asked.
const Never = ^uint64(0)
