package keyset_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

const (
	p256x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"                      // of the key in RFC 7517 appendix A.1
	p384x = "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3" // of the base point
	p384y = "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f"
	p256y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
)

// modulus is an odd number of that many bits, as base64url.
func modulus(bits int) string {
	n := make([]byte, bits/8)
	n[0], n[len(n)-1] = 0x80, 1
	return base64.RawURLEncoding.EncodeToString(n)
}

// Every kind of bad key is skipped and named, and the good one beside it counts.
func TestBadKeysAreSkipped56(t *testing.T) {
	good, text := key(t)
	private, err := good.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		bad, says string
		named     string // "" stands for its place
		alarm     bool
	}{
		"unknown kty":          {`{"kty":"XYZ","kid":"bad"}`, "not supported", "bad", false},
		"ML-DSA":               {`{"kty":"AKP","alg":"ML-DSA-44","kid":"bad","pub":"AA"}`, "not supported", "bad", false},
		"Ed448":                {`{"kty":"OKP","crv":"Ed448","kid":"bad","x":"` + strings.Repeat("A", 76) + `"}`, "not supported", "bad", false},
		"X25519":               {`{"kty":"OKP","crv":"X25519","kid":"bad","x":"` + strings.Repeat("A", 43) + `"}`, "not supported", "bad", false},
		"short Ed25519":        {`{"kty":"OKP","crv":"Ed25519","kid":"bad","x":"AA"}`, "not 32 bytes", "bad", false},
		"long Ed25519":         {`{"kty":"OKP","crv":"Ed25519","kid":"bad","x":"` + strings.Repeat("A", 44) + `"}`, "not 32 bytes", "bad", false},
		"Ed25519 without x":    {`{"kty":"OKP","crv":"Ed25519","kid":"bad"}`, "member x", "bad", false},
		"small order Ed25519":  {`{"kty":"OKP","crv":"Ed25519","kid":"bad","x":"` + strings.Repeat("A", 43) + `"}`, "small order", "bad", false},
		"off-curve EC":         {`{"kty":"EC","crv":"P-256","kid":"bad","x":"` + p256x + `","y":"` + p256x + `"}`, "", "bad", false},
		"EC at infinity":       {`{"kty":"EC","crv":"P-256","kid":"bad","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, "", "bad", false},
		"P-521":                {`{"kty":"EC","crv":"P-521","kid":"bad","x":"AA","y":"AA"}`, "not supported", "bad", false},
		"RSA 1024":             {`{"kty":"RSA","alg":"RS256","kid":"bad","n":"` + modulus(1024) + `","e":"AQAB"}`, "2048 to 8192 bits", "bad", false},
		"RSA 16384":            {`{"kty":"RSA","alg":"RS256","kid":"bad","n":"` + modulus(16384) + `","e":"AQAB"}`, "2048 to 8192 bits", "bad", false},
		"RSA e=1":              {`{"kty":"RSA","alg":"RS256","kid":"bad","n":"` + modulus(2048) + `","e":"AQ"}`, "exponent", "bad", false},
		"RSA e=3":              {`{"kty":"RSA","alg":"PS256","kid":"bad","n":"` + modulus(2048) + `","e":"Aw"}`, "exponent", "bad", false},
		"RSA without alg":      {`{"kty":"RSA","kid":"bad","n":"` + modulus(2048) + `","e":"AQAB"}`, "does not say its alg", "bad", false},
		"RSA for encryption":   {`{"kty":"RSA","alg":"RSA-OAEP","use":"enc","kid":"bad","n":"` + modulus(2048) + `","e":"AQAB"}`, "RS256 or PS256", "bad", false},
		"P-384 for ES256":      {`{"kty":"EC","crv":"P-384","alg":"ES256","kid":"bad","x":"` + p384x + `","y":"` + p384y + `"}`, "alg", "bad", false},
		"off-curve P-384":      {`{"kty":"EC","crv":"P-384","kid":"bad","x":"` + p384x + `","y":"` + p384x + `"}`, "P-384", "bad", false},
		"oct":                  {`{"kty":"oct","kid":"bad","k":"c2VjcmV0"}`, "secret", "bad", true},
		"oct without k":        {`{"kty":"oct","kid":"bad"}`, "secret", "bad", true},
		"private Ed25519":      {strings.Replace(string(private), kidOf(good), "bad", 1), "secret", "bad", true},
		"private RSA":          {`{"kty":"RSA","kid":"bad","n":"AA","e":"AQAB","d":"AA"}`, "secret", "bad", true},
		"for encryption":       {`{"kty":"EC","crv":"P-256","kid":"bad","use":"enc","x":"` + p256x + `","y":"` + p256y + `"}`, "use", "bad", false},
		"for a SPIFFE bundle":  {`{"kty":"EC","crv":"P-256","kid":"bad","use":"jwt-svid","x":"` + p256x + `","y":"` + p256y + `"}`, "use", "bad", false},
		"only signs":           {`{"kty":"EC","crv":"P-256","kid":"bad","key_ops":["sign"],"x":"` + p256x + `","y":"` + p256y + `"}`, "key_ops", "bad", false},
		"alg of another key":   {`{"kty":"EC","crv":"P-256","kid":"bad","alg":"EdDSA","x":"` + p256x + `","y":"` + p256y + `"}`, "alg", "bad", false},
		"alg none":             {`{"kty":"EC","crv":"P-256","kid":"bad","alg":"none","x":"` + p256x + `","y":"` + p256y + `"}`, "alg", "bad", false},
		"no kid":               {`{"kty":"EC","crv":"P-256","x":"` + p256x + `","y":"` + p256y + `"}`, "kid", "", false},
		"empty kid":            {`{"kty":"EC","crv":"P-256","kid":"","x":"` + p256x + `","y":"` + p256y + `"}`, "kid", "", false},
		"kid is a number":      {`{"kty":"EC","crv":"P-256","kid":1,"x":"` + p256x + `","y":"` + p256y + `"}`, "kid", "", false},
		"kid is long":          {ec(`,"kid":"` + strings.Repeat("a", 513) + `"`), "kid", "", false},
		"kid with line breaks": {`{"kty":"EC","crv":"P-256","kid":"a\nb","x":"` + p256x + `","y":"` + p256y + `"}`, "kid", "", false},
		"kid twice inside":     {`{"kty":"EC","crv":"P-256","kid":"bad","kid":"bad2","x":"` + p256x + `","y":"` + p256y + `"}`, "strict", "", false},
		"kty twice inside":     {`{"kty":"EC","KTY":"oct","crv":"P-256","kid":"bad","x":"` + p256x + `","y":"` + p256y + `"}`, "strict", "", false},
		"null":                 {`null`, "strict", "", false},
		"a number":             {`1`, "strict", "", false},
		"a list":               {`[]`, "strict", "", false},
		"empty":                {`{}`, "not supported", "", false},
		"very long":            {ec(`,"kid":"bad","pad":"` + strings.Repeat("a", 33_000) + `"`), "32768", "bad", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := keyset.Static([]byte(jwks(test.bad, text)))
			if err := s.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			holds(t, s, "beside it", good)
			want := test.named
			if want == "" {
				want = "number 1"
			}
			skipped := s.State().Skipped
			if len(skipped) != 1 || skipped[0].Key != want || skipped[0].Alarm != test.alarm ||
				!strings.Contains(skipped[0].Err.Error(), test.says) {
				t.Errorf("skipped %+v, want %s with %q", skipped, want, test.says)
			}
		})
	}
}

// Keys of every kind verify, unless the algorithms were restricted. An RSA key that does not say its alg counts only
// then.
func TestAlgorithmsOfASet(t *testing.T) {
	set := jwks(
		`{"kty":"RSA","alg":"RS256","kid":"rs","n":"`+modulus(2048)+`","e":"AQAB"}`,
		`{"kty":"RSA","alg":"PS256","kid":"ps","n":"`+modulus(4096)+`","e":"AQAB"}`,
		`{"kty":"RSA","kid":"bare","n":"`+modulus(8192)+`","e":"AQAB"}`,
		`{"kty":"EC","crv":"P-256","kid":"small","x":"`+p256x+`","y":"`+p256y+`"}`,
		`{"kty":"EC","crv":"P-384","kid":"large","x":"`+p384x+`","y":"`+p384y+`"}`,
	)
	only := func(names ...string) []keyset.Option { return []keyset.Option{keyset.WithAlgorithms(names...)} }
	for _, c := range []struct {
		options []keyset.Option
		want    map[string]jose.Algorithm
	}{
		{nil, map[string]jose.Algorithm{"rs": jose.RS256, "ps": jose.PS256, "small": jose.ES256, "large": jose.ES384}},
		{only("RS256"), map[string]jose.Algorithm{"rs": jose.RS256, "bare": jose.RS256}},
		{only("PS256", "ES384"), map[string]jose.Algorithm{"ps": jose.PS256, "bare": jose.PS256, "large": jose.ES384}},
		{only("ES256", "EdDSA"), map[string]jose.Algorithm{"small": jose.ES256}},
	} {
		s := keyset.Static([]byte(set), c.options...)
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, kid := range []string{"rs", "ps", "bare", "small", "large"} {
			alg := jose.Algorithm("")
			if keys, err := s.Lookup(kid, c.want[kid]); err == nil {
				alg = keys[0].Algorithm()
			}
			if alg != c.want[kid] {
				t.Errorf("with %v: %s is for %q, want %q", c.options, kid, alg, c.want[kid])
			}
		}
	}
}

// What a publisher calls a key is its name; the key decides the algorithm.
func TestSetKeysVerify(t *testing.T) {
	k, text := key(t)
	set := jwks(
		strings.Replace(text, kidOf(k), "2026-11", 1),
		`{"kty":"EC","crv":"P-256","kid":"svid","use":"jwt-svid","x":"`+p256x+`","y":"`+p256y+`"}`,
	)
	s := keyset.Static([]byte(set), keyset.WithUses("sig", "jwt-svid"))
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for kid, alg := range map[string]jose.Algorithm{"2026-11": jose.EdDSA, "svid": jose.ES256} {
		found, err := s.Lookup(kid, alg)
		if err != nil || len(found) != 1 || found[0].KeyID() != kid || found[0].Algorithm() != alg || !s.Holds(found[0]) {
			t.Errorf("%s: %v, %v", kid, found, err)
		}
	}
	if _, err := s.Lookup(kidOf(k), jose.EdDSA); !errors.Is(err, keyset.ErrUnknownKey) {
		t.Errorf("by its thumbprint: %v", err)
	}
}

// An empty set counts only for those who said that it may.
func TestEmptySet55(t *testing.T) {
	s := keyset.Static([]byte(jwks()), keyset.WithAllowEmpty())
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup("any", jose.EdDSA); !errors.Is(err, keyset.ErrUnknownKey) {
		t.Error(err)
	}
	if err := keyset.Static([]byte(jwks())).Load(context.Background()); err == nil {
		t.Error("an empty set was taken")
	}
}
