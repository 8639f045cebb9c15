package istio

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	securityv1 "istio.io/api/security/v1beta1"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// readUsers is what a content states about users.
type readUsers struct {
	content []byte
	rules   []auth.UserRule
}

// UserRules returns the jwtRules of the RequestAuthentications in what [Files.Read] returned, as far as they count for
// the workload, for auth.Users. Package framework asks for them. Its error is that of [Files.Parse].
func (f *Files) UserRules(content []byte) ([]auth.UserRule, error) {
	if rules, ok := f.keptUsers(content); ok {
		return rules, nil
	}
	if _, _, err := f.Parse(content); err != nil {
		return nil, err
	}
	rules, _ := f.keptUsers(content)
	return rules, nil
}

// keepUsers spares UserRules to parse once more what was just parsed.
func (f *Files) keepUsers(content []byte, rules []auth.UserRule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users = &readUsers{bytes.Clone(content), rules}
}

func (f *Files) keptUsers(content []byte) ([]auth.UserRule, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == nil || !bytes.Equal(f.users.content, content) {
		return nil, false
	}
	return f.users.rules, true
}

// jwtRule is a rule of a RequestAuthentication and what it means here.
type jwtRule struct {
	object *object
	path   string // "spec.jwtRules[0]"
	words  []string
	means  auth.UserRule
}

// request reads a RequestAuthentication.
func (s *selection) request(o *object) {
	r := new(securityv1.RequestAuthentication)
	if d := (&decoder{object: o, left: maxValues}); !d.spec(r) {
		return
	}
	for i, ref := range targetsOf(r) {
		if problem := wrongTarget(ref); problem != "" {
			o.wrongAt(fmt.Sprintf("spec.targetRefs[%d]", i), "%s", problem)
		}
	}
	at := s.of(o, r)
	if at == nowhere {
		return
	}
	if len(r.GetTargetRefs()) > 0 && r.GetSelector() != nil {
		o.wrongAt("spec.targetRefs", "a policy has either targetRefs or a selector; take one of them out")
	}
	for i, stated := range r.GetJwtRules() {
		rule := jwtRule{object: o, path: fmt.Sprintf("spec.jwtRules[%d]", i), words: stated.GetSpaceDelimitedClaims()}
		if !rule.supported(stated) {
			continue
		}
		rule.means = rule.translate(s, stated)
		rule.checkKeys()
		s.words.add(stated.GetIssuer(), rule.words)
		s.written = append(s.written, written(rule.means)...)
		s.users[at-atWorkload] = append(s.users[at-atWorkload], rule)
	}
}

func (r *jwtRule) wrong(field, format string, args ...any) {
	r.object.wrongAt(r.path+field, format, args...)
}

// supported refuses by name what has no meaning here.
func (r *jwtRule) supported(stated *securityv1.JWTRule) bool {
	before := len(r.object.reader.mistakes.errs)
	if stated.GetIssuer() == "" {
		r.wrong("", "the issuer is missing; name it")
	}
	if len(stated.GetFromParams()) > 0 {
		r.wrong(".fromParams", "a gRPC call has no parameters; take it out")
	}
	if len(stated.GetFromCookies()) > 0 {
		r.wrong(".fromCookies", "a gRPC call has no cookies; take it out")
	}
	if stated.GetPresence() != securityv1.JWTRule_OPTIONAL {
		r.wrong(".presence", "it is not enforced here; demand the user in the policies of the methods, with auth.user, and "+
			"take it out")
	}
	if stated.GetJwks() != "" && stated.GetJwksUri() != "" {
		r.wrong(
			".jwksUri",
			"jwks is stated as well, and which of them counts in the mesh depends on the settings of istiod; "+
				"keep one of them",
		)
	}
	return len(r.object.reader.mistakes.errs) == before
}

// translate says what the rule means. Mistakes in names of headers are reported.
func (r *jwtRule) translate(s *selection, stated *securityv1.JWTRule) auth.UserRule {
	means := auth.UserRule{
		Place: r.object.placeOf(r.path), Subject: r.object.subject(),
		Issuer: stated.GetIssuer(), Audiences: audiences(stated.GetAudiences()),
		JWKS: stated.GetJwks(), JWKSURL: stated.GetJwksUri(),
		ForwardToken: stated.GetForwardOriginalToken(), PayloadHeader: lower(stated.GetOutputPayloadToHeader()),
		Profile: tokens(),
	}
	for _, h := range stated.GetFromHeaders() {
		means.Headers = append(means.Headers, auth.TokenHeader{Name: lower(h.GetName()), Prefix: h.GetPrefix()})
	}
	for _, h := range stated.GetOutputClaimToHeaders() {
		means.ClaimHeaders = append(means.ClaimHeaders, auth.ClaimHeader{
			Name: lower(h.GetHeader()), Claim: strings.Split(h.GetClaim(), "."),
		})
	}
	if timeout := stated.GetTimeout().AsDuration(); timeout != 0 && stated.GetJwks() == "" {
		means.FetchTimeout = min(max(timeout, minFetch), maxFetch)
		if means.FetchTimeout != timeout {
			s.note(r.object, r.path+".timeout", "a fetch of the keys has between %v and %v, here %v", minFetch, maxFetch,
				means.FetchTimeout)
		}
	}
	if err := means.Check(); err != nil {
		r.wrong("", "%v", err)
	}
	return means
}

// checkKeys reports keys that can never count.
func (r *jwtRule) checkKeys() {
	var keys *keyset.Set
	var field string
	switch m := r.means; {
	case m.JWKS != "":
		keys, field = keyset.Static([]byte(m.JWKS), keyset.WithUnstatedRSA()), ".jwks"
	case m.JWKSURL != "":
		keys, field = keyset.URL(m.JWKSURL), ".jwksUri"
	default:
		keys, field = keyset.Provider(m.Issuer), ".issuer"
	}
	if err := keys.Err(); err != nil {
		r.wrong(field, "%v", err)
	}
	_ = keys.Close() // which never fails, and nothing was read
}

func written(rule auth.UserRule) []string {
	var names []string
	for _, h := range rule.ClaimHeaders {
		names = append(names, h.Name)
	}
	if rule.PayloadHeader != "" {
		names = append(names, rule.PayloadHeader)
	}
	return names
}

// audiences are those that Envoy takes for the stated ones: it compares them without http:// or https:// at the
// beginning and one slash at the end.
func audiences(stated []string) []string {
	var all []string
	for _, audience := range stated {
		bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(audience, "http://"), "https://"), "/")
		for _, scheme := range []string{"", "http://", "https://"} {
			for _, end := range []string{"", "/"} {
				if text := scheme + bare + end; bare != "" && !slices.Contains(all, text) {
					all = append(all, text)
				}
			}
		}
		if !slices.Contains(all, audience) {
			all = append(all, audience)
		}
	}
	return all
}

// tokens is what Envoy accepts: its filter asks for a signature, iss, aud, exp and nbf, and lets clocks differ by a
// minute. What Parley never accepts stays refused, such as a token without exp.
func tokens() profile.Profile {
	return profile.Profile{
		Types:          []string{profile.Untyped, "JWT", "at+jwt", "JOSE", "id_token+jwt"},
		TypeVariants:   true,
		OtherHeaders:   true,
		NoKeyID:        true,
		CaseVariants:   true,
		NoIssuedAt:     true,
		MaxLength:      profile.MaxLength,
		MaxMembers:     profile.MaxMembers,
		MaxAudiences:   maxAudiences,
		MaxLifetime:    maxTokenLife,
		ClockSkew:      envoyClockSkew,
		RequiredClaims: []string{},
	}
}

// userRules are the rules of both points. Those that both state count once.
func (s *selection) userRules() []auth.UserRule {
	var rules []auth.UserRule
	for _, r := range slices.Concat(s.users[0], s.users[1]) {
		if !slices.ContainsFunc(rules, func(other auth.UserRule) bool { return sameRule(r.means, other) }) {
			rules = append(rules, r.means)
		}
	}
	return rules
}

// sameRule reports whether two rules mean the same, wherever they stand.
func sameRule(a, b auth.UserRule) bool {
	a.Place, a.Subject, b.Place, b.Subject = "", "", "", ""
	return reflect.DeepEqual(a, b)
}

// compareUsers reports rules of the two points that differ: a token must meet those of both in the mesh, and here one
// is enough. It also reports an issuer whose claims are words by one rule and not by another.
func (s *selection) compareUsers() {
	all := slices.Concat(s.users[0], s.users[1])
	for n, r := range all {
		for _, other := range all[:n] {
			if r.means.Issuer == other.means.Issuer && !slices.Equal(slices.Sorted(slices.Values(r.words)),
				slices.Sorted(slices.Values(other.words))) {
				r.wrong("", "the rule for the same issuer at %s states other spaceDelimitedClaims; state the same in both",
					other.means.Place)
			}
		}
	}
	if len(s.users[0]) == 0 || len(s.users[1]) == 0 {
		return
	}
	for point, rules := range s.users {
		for _, r := range rules {
			if !slices.ContainsFunc(s.users[1-point], func(other jwtRule) bool { return sameRule(r.means, other.means) }) {
				r.wrong(
					"",
					"workload and waypoint have different rules, and a token must meet those of both; state the same in both",
				)
			}
		}
	}
}

// isAboutUsers reports whether a condition asks about the end user.
func (s subject) isAboutUsers() bool {
	return s.attribute == attributeUser || s.attribute == attributeClaim
}

// hides reports whether users are unknown at a point, although another point knows them.
func (s *selection) hides(at where) bool {
	point := at - atWorkload
	return len(s.users[point]) == 0 && len(s.users[1-point]) > 0
}

// minFetch and maxFetch are what a fetch of keys may take, as [keyset.WithTimeout] has it.
const (
	minFetch = 10 * time.Millisecond
	maxFetch = time.Minute
)
