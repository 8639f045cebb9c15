package verify_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// A token without kid is verified with the only key of its issuer, and one with a long kid where the issuer's headers
// are its own matter. Neither is so for an issuer with the strict profile.
func TestOddKeyIDs08(t *testing.T) {
	s := newSignatory(t)
	x := b64(string(s.raw.Public().(ed25519.PublicKey))) //nolint:forcetypeassert // it is
	key := func(kid string) string { return `{"kty":"OKP","crv":"Ed25519","x":"` + x + `"` + kid + `}` }
	const another = `{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	thumbprint := keyset.Static([]byte(`{"keys":[` + key("") + `]}`)).State().Keys[0]
	long := "https://shop.vault.azure.net/keys/" + strings.Repeat("signing-key-", 10)
	nameless, foreign := profile.Profile{NoKeyID: true}, profile.Profile{OtherHeaders: true}
	for _, test := range []struct {
		name, set, kid string
		look           profile.Profile
		good           bool
	}{
		{"no kid, the only key has none", key(""), "", nameless, true},
		{"no kid, the only key has one", key(`,"kid":"a"`), "", nameless, true},
		{"no kid, several keys", key(`,"kid":"a"`) + "," + another, "", nameless, false},
		{"no kid, a key without beside one with a kid", key("") + "," + another, "", nameless, false},
		{"no kid, strict", key(""), "", profile.Profile{}, false},
		{"the thumbprint of the only key, strict", key(""), `,"kid":"` + thumbprint + `"`, profile.Profile{}, true},
		{"a kid that the only key does not have", key(""), `,"kid":"a"`, nameless, false},
		{"a long kid", key(`,"kid":"` + long + `"`), `,"kid":"` + long + `"`, foreign, true},
		{"a long kid, strict", key(`,"kid":"` + long + `"`), `,"kid":"` + long + `"`, profile.Profile{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := keyset.Static([]byte(`{"keys":[` + test.set + `]}`))
			if err := set.Err(); err != nil {
				t.Fatal(err)
			}
			p := s.profile(test.look)
			p.Keys = verify.IssuerKeys(set)
			names := `{"iss":"` + login + `","sub":"ann","aud":"` + payments + `"`
			payload := timely(names + `,"iat":NOW0,"exp":NOW60,"jti":"1"}`)
			token, err := s.verdict(t, p, s.sign(`{"alg":"EdDSA","typ":"at+jwt"`+test.kid+`}`, payload))
			if (err == nil) != test.good {
				t.Fatalf("got %v", err)
			}
			if test.good && !token.Validity().Holds("", token.Owner) {
				t.Error("its key does not vouch for it")
			}
		})
	}
}
