package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

const (
	login    = "https://login.example"
	payments = "spiffe://shop.example/payments"
)

func paymentsID(t testing.TB) principal.ID {
	t.Helper()
	id, err := principal.ParseID(payments)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newKey(t testing.TB) (*jose.PrivateKey, *keyset.Set) {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	set := keyset.Static([]byte(`{"keys":[` + string(jwk) + `]}`))
	t.Cleanup(func() { _ = set.Close() })
	return key, set
}

// sign signs honest claims of now with changes; nil takes a claim away.
func sign(t testing.TB, key *jose.PrivateKey, typ string, change map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": login, "sub": "alice", "aud": payments, "iat": now, "exp": now + 600, "jti": "7"}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign(typ, text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func examine(ctx context.Context, p *verify.Profile, compact string) (*verify.Token, error) {
	token, err := jose.Parse(compact, p.Types...)
	if err != nil {
		return nil, err
	}
	return verify.CheckToken(ctx, p, token, compact, nil)
}

// What a profile demands, claim by claim.
func TestCheckToken(t *testing.T) {
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, test := range map[string]struct {
		change  func() map[string]any
		profile func(*verify.Profile)
		says    string // "" for a good token
	}{
		"honest":              {nil, nil, ""},
		"another issuer":      {func() map[string]any { return map[string]any{"iss": "https://evil.example"} }, nil, "iss is not"},
		"no sub":              {func() map[string]any { return map[string]any{"sub": nil} }, nil, "sub is missing"},
		"for another server":  {func() map[string]any { return map[string]any{"aud": payments + "/x"} }, nil, "aud"},
		"for two":             {func() map[string]any { return map[string]any{"aud": []string{payments, "x"}} }, nil, "aud"},
		"for a list of one":   {func() map[string]any { return map[string]any{"aud": []string{payments}} }, nil, ""},
		"for nobody":          {func() map[string]any { return map[string]any{"aud": nil} }, nil, "aud"},
		"no jti":              {func() map[string]any { return map[string]any{"jti": nil} }, nil, "jti is missing"},
		"jti empty":           {func() map[string]any { return map[string]any{"jti": ""} }, nil, "jti is missing"},
		"jti a number":        {func() map[string]any { return map[string]any{"jti": 7} }, nil, "jti is missing"},
		"an hour and more":    {func() map[string]any { return map[string]any{"exp": in(time.Hour + time.Second)} }, nil, "too long"},
		"expired":             {func() map[string]any { return map[string]any{"iat": in(-time.Hour), "exp": in(-31 * time.Second)} }, nil, "exp"},
		"expired in the skew": {func() map[string]any { return map[string]any{"iat": in(-time.Minute), "exp": in(-29 * time.Second)} }, nil, ""},
		"not yet good":        {func() map[string]any { return map[string]any{"nbf": in(time.Minute)} }, nil, "lies ahead"},
		"two, where two may be": {
			func() map[string]any { return map[string]any{"aud": []string{payments, "x"}} },
			func(p *verify.Profile) { p.MaxAudiences = 2 }, "",
		},
		"a list, where a text must be": {
			func() map[string]any { return map[string]any{"aud": []string{payments}} },
			func(p *verify.Profile) { p.AudienceText = true }, "aud",
		},
		"no workload, where one must be": {
			nil, func(p *verify.Profile) { p.Subjects = []principal.Pattern{paymentsID(t)} }, "sub is no ID",
		},
		"another workload": {
			func() map[string]any { return map[string]any{"sub": "spiffe://shop.example/orders"} },
			func(p *verify.Profile) { p.Subjects = []principal.Pattern{paymentsID(t)} }, "may vouch for",
		},
		"without what is required": {nil, func(p *verify.Profile) { p.RequiredClaims = []string{"env"} }, "env is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				key, set := newKey(t)
				p := &verify.Profile{Name: login, Keys: verify.IssuerKeys(set)}
				p.Default(paymentsID(t))
				if test.profile != nil {
					test.profile(p)
				}
				var change map[string]any
				if test.change != nil {
					change = test.change()
				}
				got, err := examine(t.Context(), p, sign(t, key, "at+jwt", change))
				if test.says == "" {
					if err != nil || got.Issuer != login || got.KeyID != key.Public().KeyID() {
						t.Errorf("a good token: %v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want %q", err, test.says)
				}
			})
		})
	}
}

// A token without kid is checked with the one key that its issuer has, where the profile says so, and never by a guess.
func TestTokenWithoutKeyID(t *testing.T) {
	s := newSignatory(t)
	compact := s.sign(`{"alg":"EdDSA","typ":"at+jwt"}`, timely(`{"iss":"`+login+`","sub":"alice","aud":"`+payments+
		`","iat":NOW0,"exp":NOW60,"jti":"7"}`))
	if _, err := s.verdict(t, s.profile(profile.Profile{}), compact); !errors.Is(err, jose.ReasonHeader) {
		t.Errorf("the strict profile: %v", err)
	}
	token, err := s.verdict(t, s.profile(profile.Profile{NoKeyID: true}), compact)
	if err != nil || token.KeyID != kid {
		t.Errorf("with no_key_id: %v", err)
	}
	other, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := other.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]string{
		"two keys":    `{"keys":[` + s.jwk + `,` + string(jwk) + `]}`,
		"another key": `{"keys":[` + string(jwk) + `]}`,
	} {
		set := keyset.Static([]byte(keys))
		t.Cleanup(func() { _ = set.Close() })
		p := s.profile(profile.Profile{NoKeyID: true})
		p.Keys = verify.IssuerKeys(set)
		if _, err := s.verdict(t, p, compact); err == nil {
			t.Errorf("%s: it is good", name)
		}
	}
}

// A verifier checks a token once, remembers it, and forgets it with its key. Each issuer's tokens are of its own types.
func TestVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, set := newKey(t)
		other, others := newKey(t)
		profile := func(name string, keys *keyset.Set, typ string) *verify.Profile {
			p := &verify.Profile{Name: name, Keys: verify.IssuerKeys(keys), Profile: profile.Profile{Types: []string{typ}}}
			p.Default(paymentsID(t))
			return p
		}
		const sso = "https://sso.example"
		checked := 0
		v, err := verify.New(nil, []*verify.Profile{profile(login, set, "at+jwt"), profile(sso, others, "JWT")}, nil,
			verify.NewCache(func(time.Duration) {}), func(*verify.Token) error { checked++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		good := sign(t, key, "at+jwt", nil)
		for range 3 {
			if _, err := v.Verify(t.Context(), good, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if checked != 1 {
			t.Errorf("it was checked %d times", checked)
		}
		for name, token := range map[string]string{
			"by another issuer's key":    sign(t, other, "at+jwt", nil),
			"of another issuer's type":   sign(t, key, "JWT", nil),
			"of an issuer that is not":   sign(t, key, "at+jwt", map[string]any{"iss": "https://evil.example"}),
			"of no issuer":               sign(t, key, "at+jwt", map[string]any{"iss": nil}),
			"in another issuer's name":   sign(t, key, "JWT", map[string]any{"iss": sso}),
			"of a type that none states": sign(t, key, "logout+jwt", nil),
		} {
			if _, err := v.Verify(t.Context(), token, time.Now()); err == nil {
				t.Errorf("%s: it is good", name)
			}
		}
		set.Invalidate(key.Public().KeyID())
		if _, err := v.Verify(t.Context(), good, time.Now()); !errors.Is(err, keyset.ErrUnknownKey) {
			t.Errorf("after its key was revoked: %v", err)
		}
		expired := sign(t, other, "JWT", map[string]any{"iss": sso})
		time.Sleep(11 * time.Minute)
		if token, err := v.Verify(t.Context(), expired, time.Now()); !errors.Is(err, wire.ErrExpired) || token == nil {
			t.Errorf("after its end: %v, %v", token, err)
		}
	})
}

// A token whose audience is found by another claim, as that of Amazon Cognito by client_id, is refused where its aud
// names another service.
func TestAudienceBesideAnotherClaim(t *testing.T) {
	s := newSignatory(t)
	p := s.profile(profile.Profile{AudienceClaim: "client_id", AudienceText: true})
	p.Audiences = []string{"app", payments}
	for aud, accepted := range map[string]bool{
		``:                             true,
		`,"aud":"` + payments + `"`:    true,
		`,"aud":["` + payments + `"]`:  true,
		`,"aud":"https://ledger.shop"`: false,
		`,"aud":[]`:                    false,
		`,"aud":null`:                  false,
		`,"aud":{"app":"app"}`:         false,
	} {
		_, err := s.verdict(t, p, s.sign(`{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, timely(
			`{"iss":"`+login+`","sub":"alice","client_id":"app","iat":NOW0,"exp":NOW3600,"jti":"7"`+aud+`}`)))
		if (err == nil) != accepted {
			t.Errorf("%s: got %v, want accepted: %v", aud, err, accepted)
		}
	}
}

// A required claim that says nothing is missing. A refused claim is refused whatever it says.
func TestClaimsThatSayNothing(t *testing.T) {
	s := newSignatory(t)
	verdict := func(look profile.Profile, claims string) error {
		_, err := s.verdict(t, s.profile(look), s.sign(`{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, timely(
			`{"iss":"`+login+`","sub":"alice","aud":"`+payments+`","iat":NOW0,"exp":NOW3600,`+claims+`}`)))
		return err
	}
	for value, says := range map[string]bool{
		`null`: false, `false`: false, `""`: false, `{}`: false, `[]`: false,
		`true`: true, `0`: true, `"a"`: true, `["a"]`: true, `{"a":1}`: true,
	} {
		err := verdict(profile.Profile{RequiredClaims: []string{"tid"}}, `"tid":`+value)
		if (err == nil) != says {
			t.Errorf("tid %s is required: got %v, want accepted: %v", value, err, says)
		}
		refused := profile.Profile{RequiredClaims: []string{}, RefusedClaims: []string{"cid"}}
		if err := verdict(refused, `"cid":`+value); err == nil {
			t.Errorf("cid %s is refused, and accepted", value)
		}
	}
	if err := verdict(profile.Profile{
		RequiredClaims: []string{}, RequiredValues: map[string]string{"ver": "2.0"},
	}, `"ver":null`); err == nil {
		t.Error("a value is required, and null accepted")
	}
}

// What a token claims is read for the log only as far as the strict form goes: anyone can send one.
func TestClaimedIssuerIsStrict(t *testing.T) {
	s := newSignatory(t)
	const header = `{"alg":"EdDSA","kid":"k","typ":"x","x5t":"AA"}`
	for name, test := range map[string]struct {
		token string
		ok    bool
	}{
		"an issuer":        {s.sign(header, `{"iss":"a"}`), true},
		"no kid, no typ":   {s.sign(`{"alg":"EdDSA"}`, `{"iss":"a"}`), true},
		"64 members":       {s.sign(header, `{"iss":"a",`+many(63)+`}`), true},
		"65 members":       {s.sign(header, `{"iss":"a",`+many(64)+`}`), false},
		"65 inner members": {s.sign(header, `{"iss":"a","o":{`+many(65)+`}}`), false},
		"too long":         {s.sign(header, `{"iss":"a","o":"`+strings.Repeat("o", 8192)+`"}`), false},
		"alg none":         {s.sign(`{"alg":"none"}`, `{"iss":"a"}`), false},
		"no token":         {"a.b", false},
		"no issuer":        {s.sign(header, `{"sub":"a"}`), false},
	} {
		if issuer, ok := verify.ClaimedIssuer(test.token); ok != test.ok || ok && issuer != "a" {
			t.Errorf("%s: got %q, %v, want %v", name, issuer, ok, test.ok)
		}
	}
}
