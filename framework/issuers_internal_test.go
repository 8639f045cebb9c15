package framework

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/keyset"
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
	look, err := readProfile("users.issuers[0]", stated, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	if got := look.RequiredValues; len(got) != 2 || got["typ"] != "Bearer" || got["azp"] != "shop-web" {
		t.Errorf("the values %v are required, want that of azp and that of typ", got)
	}
}

// Issuers share the keys of one place only where everything about them is stated alike.
func TestSharedKeySets(t *testing.T) {
	p := parts{file: new(configFile), logger: slog.New(slog.DiscardHandler)}
	read := func(issuer string, stated *configv1.Keys) *keyset.Set {
		keys, _ := p.readKeys("users.issuers[0]", issuer, stated) // the providers cannot be reached, which does not matter
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
