// Package issuerconfig reads what a configuration states of an issuer of tokens: the profile of its tokens, its keys,
// and the workloads that they stand for.
package issuerconfig

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/profile"
)

// Issuer is what a configuration states of an issuer, whether it vouches for workloads or for users.
type Issuer interface {
	proto.Message
	GetIssuer() string
	GetProvider() string
	GetAudiences() []string
	GetTypes() []string
	GetRequiredClaims() []string
	GetRequiredValues() map[string]string
	GetRefusedClaims() []string
	GetScopeClaims() []string
	GetMaxLifetime() *durationpb.Duration
	GetClockSkew() *durationpb.Duration
	GetMaxAudiences() uint32
	GetMaxLength() uint32
	GetMaxMembers() uint32
	GetAudienceClaim() string
	GetSubjectClaim() string
	GetTypeVariants() bool
	GetOtherHeaders() bool
	GetNoKeyId() bool
	GetNoIssuer() bool
	GetBareIssuer() bool
	GetCaseVariants() bool
	GetNoIssuedAt() bool
	GetAudienceText() bool
}

// Profile returns the profile of the stated provider, changed by the other fields. States reports whether the
// configuration has a value at a path; the value may be an empty list. Place is the path of the issuer, for errors.
func Profile(place string, stated Issuer, states func(path string) bool) (profile.Profile, error) {
	var look profile.Profile
	var errs []error
	if name := stated.GetProvider(); name != "" {
		var provider profile.Provider
		if err := provider.UnmarshalText([]byte(name)); err != nil {
			return look, fmt.Errorf("%s: %w", place, err)
		}
		look = profile.Of(provider)
		// Where the claims of the product are the default, those count as its own.
		look.RequiredClaims = look.WithDefaults().RequiredClaims
	}
	set := func(field string) bool {
		m := stated.ProtoReflect()
		return m.Has(m.Descriptor().Fields().ByTextName(field))
	}
	for field, to := range map[string]struct {
		list   *[]string
		stated []string
		adds   bool // to what the provider demands, which tells its access tokens from its ID tokens
	}{
		"types":           {list: &look.Types, stated: stated.GetTypes()},
		"required_claims": {list: &look.RequiredClaims, stated: stated.GetRequiredClaims(), adds: true},
		"refused_claims":  {list: &look.RefusedClaims, stated: stated.GetRefusedClaims(), adds: true},
		"scope_claims":    {list: &look.ScopeClaims, stated: stated.GetScopeClaims()},
	} {
		switch {
		case len(to.stated) > 0 && to.adds:
			*to.list = union(*to.list, to.stated)
		case len(to.stated) > 0:
			*to.list = to.stated
		case states(place + "." + field):
			*to.list = []string{} // none, where nil is the default
		}
	}
	for field, to := range map[string]struct {
		value  *bool
		stated bool
	}{
		"type_variants": {&look.TypeVariants, stated.GetTypeVariants()},
		"other_headers": {&look.OtherHeaders, stated.GetOtherHeaders()},
		"no_key_id":     {&look.NoKeyID, stated.GetNoKeyId()},
		"no_issuer":     {&look.NoIssuer, stated.GetNoIssuer()},
		"bare_issuer":   {&look.BareIssuer, stated.GetBareIssuer()},
		"case_variants": {&look.CaseVariants, stated.GetCaseVariants()},
		"no_issued_at":  {&look.NoIssuedAt, stated.GetNoIssuedAt()},
		"audience_text": {&look.AudienceText, stated.GetAudienceText()},
	} {
		if set(field) {
			*to.value = to.stated
		}
	}
	for field, to := range map[string]struct {
		value  *int
		stated uint32
	}{
		"max_length":    {&look.MaxLength, stated.GetMaxLength()},
		"max_members":   {&look.MaxMembers, stated.GetMaxMembers()},
		"max_audiences": {&look.MaxAudiences, stated.GetMaxAudiences()},
	} {
		if !set(field) {
			continue
		}
		if *to.value = int(to.stated); to.stated == 0 {
			errs = append(errs, fmt.Errorf("%s.%s: it must be at least 1; leave it out for the default", place, field))
		}
	}
	for field, to := range map[string]struct {
		value  *string
		stated string
	}{
		"audience_claim": {&look.AudienceClaim, stated.GetAudienceClaim()},
		"subject_claim":  {&look.SubjectClaim, stated.GetSubjectClaim()},
	} {
		if set(field) {
			*to.value = to.stated
		}
	}
	// As with the lists above, what the provider demands stays demanded beside further values, unless there are none.
	if len(stated.GetRequiredValues()) == 0 && states(place+".required_values") {
		look.RequiredValues = nil
	}
	for claim, value := range stated.GetRequiredValues() {
		if look.RequiredValues == nil {
			look.RequiredValues = map[string]string{}
		}
		look.RequiredValues[claim] = value
	}
	if set("max_lifetime") {
		if look.MaxLifetime = stated.GetMaxLifetime().AsDuration(); look.MaxLifetime == 0 {
			errs = append(errs, fmt.Errorf("%s.max_lifetime: no token lives for 0s; leave it out for the default", place))
		}
	}
	if set("clock_skew") {
		look.ClockSkew = skew(stated.GetClockSkew())
	}
	return look, errors.Join(errs...)
}

// MayBeEmpty returns the lists of an issuer for which [] has a meaning of its own.
func MayBeEmpty() []protoreflect.FullName {
	return []protoreflect.FullName{
		"parley.config.v1.UserIssuer.refused_claims",
		"parley.config.v1.UserIssuer.required_claims",
		"parley.config.v1.WorkloadIssuer.refused_claims",
		"parley.config.v1.WorkloadIssuer.required_claims",
	}
}

// union is a list with the elements of another that it lacks.
func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, element := range more {
		if !slices.Contains(list, element) {
			list = append(list, element)
		}
	}
	return list
}

// skew is the clock skew that is stated. None at all is stated as 0s, and in a profile as a negative one.
func skew(stated *durationpb.Duration) time.Duration {
	if stated.AsDuration() == 0 {
		return -1
	}
	return stated.AsDuration()
}

// Keys returns where the keys of an issuer are and which of them are used. The provider of the profile decides what is
// not stated, and the profile gets what is stated.
func Keys(stated *configv1.Keys, look *profile.Profile) *configv1.Keys {
	if len(stated.GetAlgorithms()) > 0 {
		look.Algorithms = stated.GetAlgorithms()
	}
	if len(stated.GetUses()) > 0 {
		look.KeyUses = stated.GetUses()
	}
	keys := new(configv1.Keys)
	if stated != nil {
		keys = proto.CloneOf(stated)
	}
	keys.Algorithms, keys.Uses = look.Algorithms, look.KeyUses
	return keys
}
