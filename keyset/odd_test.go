package keyset_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

// ec is a P-256 key with further members.
func ec(rest string) string {
	return `{"kty":"EC","crv":"P-256","x":"` + p256x + `","y":"` + p256y + `"` + rest + `}`
}

// rsa is an RSA key of 2048 bits with further members, another one for each n.
func rsa(n int, rest string) string {
	return fmt.Sprintf(`{"kty":"RSA","n":"%s%05dAQ","e":"AQAB"%s}`, modulus(2048)[:335], n, rest)
}

// sig is an RSA key that signs with RS256, and has a kid unless that is "".
func sig(n int, kid string) string {
	if kid == "" {
		return rsa(n, `,"alg":"RS256"`)
	}
	return rsa(n, `,"use":"sig","alg":"RS256","kid":"`+kid+`"`)
}

// enc is an RSA key to encrypt with.
func enc(n int, kid string) string { return rsa(n, `,"use":"enc","alg":"RSA-OAEP","kid":"`+kid+`"`) }

// each makes many keys.
func each(count int, key func(n int, kid string) string) (keys, kids []string) {
	for n := range count {
		kid := fmt.Sprintf("%03d", n)
		keys, kids = append(keys, key(n, kid)), append(kids, kid)
	}
	return keys, kids
}

// Key sets are as their publishers write them. What is usable counts, and what is skipped is named.
func TestOddSets57(t *testing.T) {
	a, b := ec(`,"kid":"a"`), ec(`,"kid":"b"`)
	bad, _ := each(400, enc)
	many, kids := each(150, sig)
	azure := "https://shop.vault.azure.net/keys/" + strings.Repeat("signing-key-", 10) + "/0123456789abcdef01234567"
	longest := strings.Repeat("k", 512)
	x5c := `,"x5t":1,"x5u":"http://169.254.169.254/","x5c":["` + strings.Repeat("MIIB", 5000) + `"]`
	sole := []string{"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"} // the thumbprint of ec
	type one = []string
	for _, test := range []struct {
		name    string
		set     string
		keys    []string // kids
		skipped int
	}{
		{"hundreds of unusable keys", jwks(slices.Concat(bad[:200], one{a}, bad[200:])...), one{"a"}, 101},
		{"101 usable keys", jwks(many[:101]...), kids[:100], 1},
		{"150 usable keys", jwks(many...), kids[:100], 50},
		{"unusable keys do not count", jwks(slices.Concat(bad[:90], many[:100])...), kids[:100], 90},
		{"one key 150 times", jwks(slices.Repeat(one{a}, 150)...), one{"a"}, 0},
		{"a byte order mark", "\xEF\xBB\xBF" + jwks(a), one{"a"}, 0},

		{"the only key without kid", jwks(ec(``)), sole, 0},
		{"the only key with an empty kid", jwks(ec(`,"kid":""`)), sole, 0},
		{"the only key without kid, twice", jwks(ec(``), ec(`,"kid":null`)), sole, 0},
		{"the only good key without kid", jwks(bad[0], ec(``), bad[1]), sole, 2},
		{"a key without kid beside one with a kid", jwks(ec(``), sig(1, "a")), one{"a"}, 1},
		{"keys without kid beside one with a kid", jwks(ec(``), sig(1, ""), sig(2, ""), sig(3, "a")), one{"a"}, 3},
		{
			"many keys without kid",
			jwks(ec(``), sig(1, ""), sig(2, ""), sig(3, ""), sig(4, ""), sig(5, ""), b),
			one{"b"},
			6,
		},
		{"a kid of 178 bytes", jwks(ec(`,"kid":"` + azure + `"`)), one{azure}, 0},
		{"a kid of 512 bytes", jwks(ec(`,"kid":"` + longest + `"`)), one{longest}, 0},
		{"a kid with spaces and letters", jwks(ec(`,"kid":"Schlüssel 1 (\u00fc)"`)), one{"Schlüssel 1 (ü)"}, 0},

		{"use is empty", jwks(ec(`,"kid":"a","use":""`)), one{"a"}, 0},
		{"use, alg, key_ops are null", jwks(ec(`,"kid":"a","use":null,"alg":null,"key_ops":null`)), one{"a"}, 0},
		{"alg and key_ops are empty", jwks(ec(`,"kid":"a","alg":"","key_ops":[]`)), one{"a"}, 0},
		{"certificates, and links to them, EC", jwks(ec(`,"kid":"a"` + x5c)), one{"a"}, 0},
		{"certificates, and links to them, RSA", jwks(rsa(1, `,"alg":"RS256","kid":"b"`+x5c)), one{"b"}, 0},
		{"members of other key types", jwks(ec(`,"kid":"a","n":"","e":7,"oth":[{}],"p":"x","q":"y","qi":{}`)), one{"a"}, 0},
		{"private members, empty, EC", jwks(ec(`,"kid":"a","d":null,"k":""`)), one{"a"}, 0},
		{"private members, empty, RSA", jwks(rsa(1, `,"alg":"RS256","kid":"b","d":"","p":null,"oth":[]`)), one{"b"}, 0},
		{"n of an unknown kty", jwks(`{"kty":"NTRU","kid":"a","n":{"a":1,"a":2},"q":8192}`, b), one{"b"}, 1},
		{"names that repeat in a member of no use", jwks(ec(`,"kid":"a","meta":{"a":1,"a":2,"A":3}`)), one{"a"}, 0},

		{"an encryption key under a used kid, behind", jwks(sig(1, "a"), enc(2, "a")), one{"a"}, 1},
		{"an encryption key under a used kid, ahead", jwks(enc(2, "a"), sig(1, "a")), one{"a"}, 1},
		{"one key to sign and to encrypt", jwks(sig(1, "a"), enc(1, "a")), one{"a"}, 1},
		{"a broken key under a used kid", jwks(a, `{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"a"}`), one{"a"}, 1},
		{"a secret under a used kid", jwks(a, `{"kty":"oct","k":"AA","kid":"a"}`), one{"a"}, 1},
		{"two keys of one kid", jwks(sig(1, "a"), sig(2, "a")), one{"a", "a"}, 0},
		{"two types of one kid", jwks(sig(1, "a"), a), one{"a", "a"}, 0},
		{"one key for two algorithms", jwks(sig(1, "a"), rsa(1, `,"kid":"a","alg":"PS256"`)), one{"a", "a"}, 0},
		{
			"five keys of one kid and algorithm",
			jwks(sig(1, "a"), sig(2, "a"), sig(3, "a"), sig(4, "a"), sig(5, "a"), a),
			one{"a", "a", "a", "a", "a"},
			1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := keyset.Static([]byte(test.set))
			if err := s.Err(); err != nil {
				t.Fatal(err)
			}
			state := s.State()
			if !slices.Equal(state.Keys, test.keys) || len(state.Skipped) != test.skipped {
				t.Errorf("keys %q, want %q", state.Keys, test.keys)
				t.Errorf("skipped %d: %+.300v, want %d", len(state.Skipped), state.Skipped, test.skipped)
			}
		})
	}
}

// What is skipped is named, as far as that is of use; a secret among it always.
func TestSkippedKeysAreNamed(t *testing.T) {
	var bad []string
	for n := range 300 {
		bad = append(bad, fmt.Sprintf(`{"kty":"XYZ","kid":"x-%d"}`, n))
	}
	rest := []string{`{"kty":"oct","kid":"published","k":"AA"}`, ec(`,"kid":"good"`)}
	s := keyset.Static([]byte(jwks(slices.Concat(bad, rest)...)))
	skipped := s.State().Skipped
	alarms := slices.DeleteFunc(slices.Clone(skipped), func(one keyset.Skipped) bool { return !one.Alarm })
	if len(skipped) != 101 || skipped[1].Key != "x-1" || skipped[100].Key != "201 others" {
		t.Errorf("skipped %+v", skipped)
	}
	if len(alarms) != 1 || alarms[0].Key != "published" {
		t.Errorf("alarms %+v", alarms)
	}
}

// A token finds the keys that may have signed it, and no others.
func TestCandidates57(t *testing.T) {
	twins := jwks(sig(1, "a"), ec(`,"kid":"a"`), sig(2, "a"), rsa(1, `,"kid":"a","alg":"PS256"`), ec(`,"kid":"b"`))
	sole := jwks(ec(``))
	thumbprint := keyset.Static([]byte(sole)).State().Keys[0]
	for _, test := range []struct {
		name, set, kid string
		alg            jose.Algorithm
		want           []jose.Algorithm
	}{
		{"two of one algorithm", twins, "a", jose.RS256, []jose.Algorithm{jose.RS256, jose.RS256}},
		{"one of another algorithm", twins, "a", jose.ES256, []jose.Algorithm{jose.ES256}},
		{"the same key for another algorithm", twins, "a", jose.PS256, []jose.Algorithm{jose.PS256}},
		{"none of this algorithm", twins, "b", jose.RS256, []jose.Algorithm{jose.ES256}}, // which says why it is refused
		{"another kid", twins, "c", jose.ES256, nil},
		{"no kid, several keys 8", twins, "", jose.ES256, nil},
		{"no kid, two keys of one kid 8", jwks(ec(`,"kid":"a"`), sig(1, "a")), "", jose.ES256, nil},
		{"no kid, the only key has none", sole, "", jose.ES256, []jose.Algorithm{jose.ES256}},
		{"no kid, the only key has one", jwks(ec(`,"kid":"a"`)), "", jose.ES256, []jose.Algorithm{jose.ES256}},
		{"a kid, the only key has none", sole, "a", jose.ES256, nil},
		{"the thumbprint, the only key has no kid", sole, thumbprint, jose.ES256, []jose.Algorithm{jose.ES256}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := keyset.Static([]byte(test.set)).Lookup(test.kid, test.alg)
			var got []jose.Algorithm
			for _, key := range found {
				got = append(got, key.Algorithm())
			}
			if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

// Whatever a provider adds under a used kid, the key that was in force stays the very one that it was, so that the
// tokens and connections that rest on it stay good.
func TestGoodKeyStaysInForce57(t *testing.T) {
	for name, added := range map[string]string{
		"an encryption key":     enc(2, "a"),
		"a broken key":          `{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"a"}`,
		"a secret":              `{"kty":"oct","kid":"a","k":"AA"}`,
		"the same key":          rsa(1, `,"use":"sig","kid":"a","alg":"RS256","x5t":"AA"`),
		"another good key":      sig(2, "a"),
		"a key of another type": ec(`,"kid":"a"`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := sig(1, "a")
				e := &endpoint{answer: ok(jwks(good))}
				s := start(t, e, setup{})
				ready(t, s)
				before, err := s.Lookup("a", jose.RS256)
				if err != nil {
					t.Fatal(err)
				}
				for _, set := range []string{jwks(good, added), jwks(added, good)} {
					e.serve(set)
					time.Sleep(5 * time.Minute)
					synctest.Wait()
					after, err := s.Lookup("a", jose.RS256)
					if err != nil || !s.Holds(before[0]) || !slices.Contains(after, before[0]) {
						t.Errorf("the key is no longer in force: %v, %v, %+v", after, err, s.State())
					}
				}
				s.Invalidate("a")
				if s.Holds(before[0]) {
					t.Error("a revoked kid has a key")
				}
			})
		})
	}
}

// What moved for good on its own host is followed, with the bearer token, and nowhere else.
func TestMovedForGood54(t *testing.T) {
	_, text := key(t)
	for _, status := range []int{301, 308} {
		moved := address + "/v2"
		e := &endpoint{answer: func(r *http.Request) (*http.Response, error) {
			if r.URL.String() == address {
				return redirect(status, moved)(r)
			}
			return ok(jwks(text))(r)
		}}
		s := keyset.URL(address, keyset.WithRoundTripper(e))
		if err := s.Load(t.Context()); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		if want := []string{address, moved}; !slices.Equal(e.requests, want) {
			t.Errorf("%d: asked %v, want %v", status, e.requests, want)
		}
		e.answer = redirect(status, address) // to itself, again and again
		err := s.Load(t.Context())
		if err == nil || !strings.Contains(err.Error(), "redirect is not followed") || len(e.requests) != 2+3 {
			t.Errorf("%d: %v after %d requests", status, err, len(e.requests))
		}
	}
}

// The key sets of products, as they publish them.
func TestSetsOfProducts(t *testing.T) {
	for product, test := range map[string]struct {
		options []keyset.Option
		keys    int
		skipped []string // what is wrong with the others
	}{
		"keycloak":   {nil, 1, []string{"RS256 or PS256"}}, // one to encrypt
		"entra":      {[]keyset.Option{keyset.WithAlgorithms("RS256")}, 3, nil},
		"okta":       {nil, 2, nil},
		"cognito":    {nil, 2, nil},
		"kubernetes": {nil, 1, nil},
	} {
		t.Run(product, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + product + ".json")
			if err != nil {
				t.Fatal(err)
			}
			s := keyset.Static(text, test.options...)
			if err := s.Err(); err != nil {
				t.Fatal(err)
			}
			state := s.State()
			if len(state.Keys) != test.keys || len(state.Skipped) != len(test.skipped) {
				t.Fatalf("keys %q, skipped %v", state.Keys, state.Skipped)
			}
			for i, says := range test.skipped {
				if !strings.Contains(state.Skipped[i].Err.Error(), says) || state.Skipped[i].Alarm {
					t.Errorf("skipped %+v, want %q", state.Skipped[i], says)
				}
			}
			for _, kid := range state.Keys {
				found, err := s.Lookup(kid, jose.RS256)
				if err != nil || len(found) != 1 || found[0].Algorithm() != jose.RS256 {
					t.Errorf("%s: %v, %v", kid, found, err)
				}
			}
		})
	}
}

// A token without kid is told so, and not that a key of that kid is missing.
func TestATokenWithoutKidIsTold(t *testing.T) {
	_, one := key(t)
	_, two := key(t)
	s := keyset.Static([]byte(`{"keys":[` + one + `,` + two + `]}`))
	t.Cleanup(func() { _ = s.Close() })
	for kid, want := range map[string]string{
		"":  "keyset: the token has no kid, and the issuer has not exactly one key; let the issuer state a kid",
		"x": "keyset: the issuer has no key of that kid",
	} {
		_, err := s.Lookup(kid, jose.EdDSA)
		if !errors.Is(err, keyset.ErrUnknownKey) || err.Error() != want {
			t.Errorf("kid %q: %v, want %q", kid, err, want)
		}
	}
}

// A bad key costs no text that nobody is shown: an issuer's set may have 40,000 of them, and it is read each minute.
func TestBadKeysCostNoText(t *testing.T) {
	const many = 20_000
	good, text := key(t)
	bad := strings.Repeat(`{"kty":"AKP"},{"kty":"oct"},`, many/2)
	set := []byte(`{"keys":[` + bad + text + `]}`)
	var s *keyset.Set
	allocations := testing.AllocsPerRun(1, func() { s = keyset.Static(set) })
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup(kidOf(good), jose.EdDSA); err != nil {
		t.Error(err)
	}
	t.Logf("%.1f allocations for a bad key", allocations/many)
	if allocations/many > 14 {
		t.Errorf("a bad key costs %.1f allocations, want 14 at most", allocations/many)
	}
}

// An RSA key without alg counts where its algorithm is settled, beside keys for every other algorithm.
func TestUnstatedRSA(t *testing.T) {
	text := jwks(rsa(1, `,"kid":"bare"`), rsa(2, `,"kid":"pss","alg":"PS256"`), ec(`,"kid":"ec"`))
	for name, test := range map[string]struct {
		options []keyset.Option
		bare    jose.Algorithm
	}{
		"settled": {[]keyset.Option{keyset.WithUnstatedRSA()}, jose.RS256},
		"open":    {nil, ""},
		"settled otherwise": {
			[]keyset.Option{keyset.WithUnstatedRSA(), keyset.WithAlgorithms("PS256", "EdDSA", "ES256")}, jose.PS256,
		},
	} {
		s := keyset.Static([]byte(text), test.options...)
		var got jose.Algorithm
		found, err := s.Lookup("bare", jose.RS256)
		if err == nil {
			got = found[0].Algorithm()
		}
		if got != test.bare {
			t.Errorf("%s: the key is for %q (%v), want %q", name, got, err, test.bare)
		}
		if pss, err := s.Lookup("pss", jose.PS256); err != nil || pss[0].Algorithm() != jose.PS256 {
			t.Errorf("%s: %v, %v", name, pss, err)
		}
	}
}

// A fetch takes no longer than its timeout.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{
			0: 5 * time.Second, time.Second: time.Second, 8 * time.Second: 8 * time.Second,
		} {
			began, took := time.Now(), make(chan time.Duration, 1)
			e := &endpoint{answer: func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				select {
				case took <- time.Since(began):
				default:
				}
				return nil, r.Context().Err()
			}}
			options := []keyset.Option{keyset.WithRoundTripper(e)}
			if timeout != 0 {
				options = append(options, keyset.WithTimeout(timeout))
			}
			s := keyset.URL(address, options...)
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			if got := <-took; got != want {
				t.Errorf("WithTimeout(%v): a fetch took %v, want %v", timeout, got, want)
			}
			_ = s.Close()
		}
	})
}
