package profile_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/profile"
)

// No profile accepts proofs, identities, key sets or logouts, in whatever spelling.
func TestTypesThatAreNoBearerTokens(t *testing.T) {
	for _, typ := range []string{
		"wit+jwt", "wpt+jwt", "jwk-set+jwt", "logout+jwt", "dpop+jwt", "parley-server+jwt", "txntoken+jwt", "secevent+jwt",
		"client-authentication+jwt", "WIT+JWT", "application/wit+jwt", "Application/Parley-Client+jwt", "PARLEY-",
	} {
		if err := (profile.Profile{Types: []string{"at+jwt", typ}}).Check(); err == nil {
			t.Errorf("%s may be a bearer token", typ)
		}
	}
	for _, typ := range []string{"JWT", "", "at+jwt", "JOSE", "application/at+jwt"} {
		if err := (profile.Profile{Types: []string{typ}}).Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for says, p := range map[string]profile.Profile{
		"Types is empty":              {Types: []string{}},
		"MaxLength is 24577":          {MaxLength: 24577},
		"MaxLength is -1":             {MaxLength: -1},
		"MaxMembers is 257":           {MaxMembers: 257},
		"MaxLifetime is negative":     {MaxLifetime: -1},
		"MaxAudiences is negative":    {MaxAudiences: -1},
		"ClockSkew is more than":      {ClockSkew: 5*time.Minute + 1},
		"RequiredClaims holds":        {RequiredClaims: []string{""}},
		"RefusedClaims holds":         {RefusedClaims: []string{""}},
		"ScopeClaims holds":           {ScopeClaims: []string{""}},
		"RequiredValues holds":        {RequiredValues: map[string]string{"": "x"}},
		`"HS256" is not supported`:    {Algorithms: []string{"HS256"}},
		`"oktaa" is not known; it is`: profile.Of("oktaa"),
	} {
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	all := profile.Profile{Types: []string{}, MaxLength: -1, ClockSkew: time.Hour}
	if err := all.Check(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not every mistake is named: %v", err)
	}
}

// Every product is known by its name, is free of mistakes, and opens something; nothing that one caller changes in a
// preset reaches another.
func TestProviders(t *testing.T) {
	if n := len(profile.Providers()); n != 16 {
		t.Errorf("%d products", n)
	}
	for _, name := range profile.Providers() {
		p := profile.Of(name)
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(p.Exceptions()) == 0 || p.Provider() != name ||
			!strings.HasPrefix(p.String(), string(name)+"; types: ") {
			t.Errorf("%s is %v", name, p)
		}
		for _, e := range p.Exceptions() {
			if e.Cost == "" || e.Value == "" {
				t.Errorf("%s: %v has no price or no value", name, e)
			}
		}
		p.Types[0] = "changed"
		if slices.Contains(profile.Of(name).Types, "changed") {
			t.Errorf("%s can be changed for all", name)
		}
		var read profile.Provider
		if err := read.UnmarshalText([]byte(name)); err != nil || read != name {
			t.Errorf("%s is read as %q, %v", name, read, err)
		}
	}
	var read profile.Provider
	if err := read.UnmarshalText([]byte("oktaa")); err == nil || !strings.Contains(err.Error(), "okta ") {
		t.Errorf("a product that is none: %v", err)
	}
}

// The zero profile opens nothing, and what narrows is no exception.
func TestStrict(t *testing.T) {
	for _, p := range []profile.Profile{
		{},
		{Types: []string{"at+jwt"}, MaxLifetime: time.Minute, ClockSkew: -1, MaxLength: 1000, AudienceText: true},
		{
			RefusedClaims: []string{"nonce"}, RequiredValues: map[string]string{"a": "b"},
			RequiredClaims: []string{"jti", "env"},
		},
		profile.Profile{}.WithDefaults(),
	} {
		if p.String() != "strict" || p.Exceptions() != nil {
			t.Errorf("%v", p)
		}
	}
	if profile.MaxLength != jose.MaxForeignLength || profile.MaxMembers != jose.MaxForeignMembers {
		t.Error("the bounds of package jose are others")
	}
}

// Whatever can be opened is named in docs/auth.md.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/auth.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range wideOpen().Exceptions() {
		if setting := strings.TrimPrefix(e.Setting, "keys."); !strings.Contains(string(text), "`"+setting+"`") {
			t.Errorf("docs/auth.md does not name %s", setting)
		}
	}
	for _, name := range profile.Providers() {
		if !strings.Contains(string(text), "`"+string(name)+"`") {
			t.Errorf("docs/auth.md does not name %s", name)
		}
	}
	if n := len(wideOpen().Exceptions()); n != 18 {
		t.Errorf("%d exceptions", n)
	}
}

func wideOpen() profile.Profile {
	return profile.Profile{
		Types: []string{""}, TypeVariants: true, OtherHeaders: true, NoKeyID: true, NoIssuer: true, BareIssuer: true,
		MaxLength: profile.MaxLength, MaxMembers: profile.MaxMembers, CaseVariants: true, MaxLifetime: time.Hour + 1,
		NoIssuedAt: true, RequiredClaims: []string{}, MaxAudiences: 2, AudienceClaim: "client_id", ClockSkew: time.Minute,
		KeyUses: []string{"enc"}, ScopeClaims: []string{"groups"}, SubjectClaim: "oid",
	}
}
