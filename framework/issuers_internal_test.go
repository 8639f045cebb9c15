package framework

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// No claims required, which [] says, is not what is required by default.
func TestNoRequiredClaims(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(keys, []byte(`{"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for stated, want := range map[string][]string{
		"":                       nil,
		"required_claims: []":    {},
		"required_claims: [env]": {"env"},
	} {
		text := fmt.Sprintf(
			"users: {issuers: [{issuer: 'https://login.example', keys: {file: %q, allow_empty: true}, %s}]}",
			keys,
			stated,
		)
		app := &App{settings: settings{configFiles: []string{"payments.yaml"}}}
		content, err := app.read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		p := parts{file: &configFile{stated: content.stated}, logger: slog.New(slog.DiscardHandler)}
		issuer := content.config.GetUsers().GetIssuers()[0]
		read, err := p.readIssuer("users.issuers[0]", issuer, issuer.GetKeys())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(read.Profile.RequiredClaims, want) || (read.Profile.RequiredClaims == nil) != (want == nil) {
			t.Errorf("%q: got %#v, want %#v", stated, read.Profile.RequiredClaims, want)
		}
		for _, set := range p.keySets {
			if err := set.keys.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Further values that a token must have do not take the place of those that tell a product's access tokens from its ID
// tokens.
func TestRequiredValuesBesideAProvider(t *testing.T) {
	stated := &configv1.UserIssuer{
		Provider: new("keycloak"), RequiredValues: map[string]string{"azp": "shop-web"},
	}
	look, err := issuerconfig.Profile("users.issuers[0]", stated, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	if got := look.RequiredValues; len(got) != 2 || got["typ"] != "Bearer" || got["azp"] != "shop-web" {
		t.Errorf("the values %v are required, want that of azp and that of typ", got)
	}
}

// A further claim that a token must have or must not have does not open what the product demands: it adds to that, and
// only an empty list takes it away. A product that demands no jti does not get one by a further claim either.
func TestClaimsBesideAProvider(t *testing.T) {
	for stated, want := range map[string]struct{ required, refused []string }{
		"provider: okta, required_claims: [auth_time, cid]": {
			[]string{"jti", "cid", "auth_time"}, []string{"nonce", "at_hash", "c_hash"},
		},
		"provider: okta, refused_claims: [test]": {
			[]string{"jti", "cid"}, []string{"nonce", "at_hash", "c_hash", "test"},
		},
		"provider: ping, required_claims: [acr]": {
			[]string{"client_id", "acr"}, []string{"nonce", "at_hash", "c_hash"},
		},
		"provider: cognito, required_claims: [sub]":               {[]string{"jti", "sub"}, nil},
		"provider: dex, required_claims: [email]":                 {[]string{"email"}, nil},
		"provider: okta, required_claims: [], refused_claims: []": {[]string{}, []string{}},
		"required_claims: [env], refused_claims: [test]":          {[]string{"env"}, []string{"test"}},
	} {
		look, _, err := readStated(
			t, fmt.Sprintf("users: {issuers: [{issuer: 'https://login.example', %s}]}", stated), "users.issuers[0]",
		)
		if err != nil || !slices.Equal(look.RequiredClaims, want.required) ||
			!slices.Equal(look.RefusedClaims, want.refused) {
			t.Errorf("%s: the claims %v are required and %v refused, %v; want %v and %v",
				stated, look.RequiredClaims, look.RefusedClaims, err, want.required, want.refused)
		}
	}
}

// The file states a profile as code does: a product, and what is stated beside it instead.
func TestStatedProfile(t *testing.T) {
	okta := func(change func(*profile.Profile)) profile.Profile {
		look := profile.Of(profile.Okta)
		change(&look)
		return look
	}
	for stated, want := range map[string]profile.Profile{
		"":               {},
		"provider: okta": profile.Of(profile.Okta),
		"provider: okta, max_lifetime: 24h, required_claims: [], refused_claims: [], " +
			"types: ['', JWT]": okta(func(p *profile.Profile) {
			p.MaxLifetime, p.RequiredClaims, p.RefusedClaims, p.Types = 24*time.Hour, []string{}, []string{}, []string{"", "JWT"}
		}),
		"provider: okta, keys: {url: 'https://x.example', " +
			"algorithms: [ES256], uses: [sig, enc]}": okta(func(p *profile.Profile) {
			p.Algorithms, p.KeyUses = []string{"ES256"}, []string{"sig", "enc"}
		}),
		"provider: github-actions, other_headers: false": func() profile.Profile {
			look := profile.Of(profile.GitHubActions)
			look.OtherHeaders = false
			return look
		}(),
		"type_variants: true, no_key_id: true, no_issuer: true, bare_issuer: true, max_length: 16384, max_members: 128, " +
			"case_variants: true, no_issued_at: true, required_values: {a: b}, max_audiences: 3, audience_claim: client_id, " +
			"audience_text: true, clock_skew: 0s, scope_claims: [scp, roles], subject_claim: oid": {
			TypeVariants: true, NoKeyID: true, NoIssuer: true, BareIssuer: true, MaxLength: 16384, MaxMembers: 128,
			CaseVariants: true, NoIssuedAt: true, RequiredValues: map[string]string{"a": "b"}, MaxAudiences: 3,
			AudienceClaim: "client_id", AudienceText: true, ClockSkew: -1, ScopeClaims: []string{"scp", "roles"},
			SubjectClaim: "oid",
		},
	} {
		const server = "servers: {payments: {issuers: [{issuer: 'https://x.example', subjects: ['x'], %s}]}}"
		for section, place := range map[string]string{
			"users: {issuers: [{issuer: 'https://login.example', %s}]}": "users.issuers[0]",
			server: "servers.payments.issuers[0]",
		} {
			got, keys, err := readStated(t, fmt.Sprintf(section, stated), place)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q is read as %+v, %v, want %+v", place, stated, got, err, want)
			}
			if !slices.Equal(keys.GetAlgorithms(), want.Algorithms) || !slices.Equal(keys.GetUses(), want.KeyUses) {
				t.Errorf("%s: %q: the keys are %v", place, stated, keys)
			}
		}
	}
	for stated, says := range map[string]string{
		"provider: oktaa":  `users.issuers[0]: provider "oktaa" is not known; it is one of [auth0 cognito`,
		"max_length: 0":    "users.issuers[0].max_length: it must be at least 1",
		"max_audiences: 0": "users.issuers[0].max_audiences: it must be at least 1",
		"max_lifetime: 0s": "users.issuers[0].max_lifetime: no token lives for 0s",
	} {
		_, _, err := readStated(
			t,
			fmt.Sprintf("users: {issuers: [{issuer: 'https://login.example', %s}]}", stated),
			"users.issuers[0]",
		)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", stated, err, says)
		}
	}
}

// readStated reads the profile of the one issuer in a configuration, and what its keys must be like.
func readStated(t *testing.T, text, place string) (profile.Profile, *configv1.Keys, error) {
	t.Helper()
	app := &App{settings: settings{configFiles: []string{"payments.yaml"}}}
	content, err := app.read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var stated issuerconfig.Issuer
	var keys *configv1.Keys
	for _, issuer := range content.config.GetUsers().GetIssuers() {
		stated, keys = issuer, issuer.GetKeys()
	}
	for _, issuer := range content.config.GetServers()["payments"].GetIssuers() {
		stated, keys = issuer, issuer.GetKeys()
	}
	file := &configFile{stated: content.stated}
	look, err := issuerconfig.Profile(place, stated, file.states)
	return look, issuerconfig.Keys(keys, &look), err
}

// Issuers share the keys of one place only where everything about them is stated alike.
func TestSharedKeySets(t *testing.T) {
	p := parts{file: new(configFile), logger: slog.New(slog.DiscardHandler)}
	read := func(issuer string, stated *configv1.Keys) *keyset.Set {
		keys, _ := p.readKeys(
			"users.issuers[0]",
			issuer,
			stated,
		) // the providers cannot be reached, which does not matter
		t.Cleanup(func() { _ = keys.Close() })
		return keys
	}
	file, quoted := &configv1.Keys{
		File: new("/no/keys.json"),
		Uses: []string{"sig", "enc"},
	}, &configv1.Keys{
		File: new("/no/keys.json"),
		Uses: []string{"sig, enc"},
	}
	one := read("https://a.example", file)
	if read("https://b.example", &configv1.Keys{File: new("/no/keys.json"), Uses: []string{"sig", "enc"}}) != one {
		t.Error("two issuers with the same file do not share its keys")
	}
	if read("https://a.example", quoted) == one {
		t.Error("keys that are stated differently are shared, because they print alike")
	}
	provider := read("https://a.example", nil)
	if read("https://a.example", new(configv1.Keys)) != provider {
		t.Error("two uses of one provider do not share its keys")
	}
	if read("https://b.example", nil) == provider {
		t.Error("two providers share their keys")
	}
}
