package framework_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/framework"
)

// signing is the key of an issuer that signs whatever it is told to.
type signing struct {
	private ed25519.PrivateKey
	file    string // with its key set
	two     string // with another key beside it, of P-256
}

func newSigning(t *testing.T) *signing {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := base64.RawURLEncoding.EncodeToString(public)
	one := `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"` + x + `"}`
	const other = `{"kty":"EC","crv":"P-256","kid":"b","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",` +
		`"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}` // of RFC 7517 appendix A.1
	return &signing{private, writeFile(t, `{"keys":[`+one+`]}`), writeFile(t, `{"keys":[`+one+`,`+other+`]}`)}
}

// token signs claims under a header; a member that is null there is left out.
func (s *signing) token(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	head := map[string]any{"alg": "EdDSA", "kid": "a", "typ": "at+jwt"}
	body := map[string]any{
		"iss": "https://login.example", "sub": "alice", "aud": "api://shop", "iat": now, "exp": now + 600, "jti": "1",
	}
	part := func(base, change map[string]any) string {
		maps.Copy(base, change)
		maps.DeleteFunc(base, func(_ string, value any) bool { return value == nil })
		text, err := json.Marshal(base)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(head, header) + "." + part(body, claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.private, []byte(signed)))
}

// Each remedy is tried: with it in the configuration the token passes. Where there is none, no setting helps.
func TestRemediesHelp(t *testing.T) {
	t.Parallel()
	type claims = map[string]any
	s := newSigning(t)
	cert, key := certificateFor(t)
	now := time.Now().Unix()
	mapped := map[string]string{"principals": "{claim: client_id, ids: {a: batch}, same: [sub, client_id]}"}
	service := claims{"sub": "a", "client_id": "a"}
	for name, test := range map[string]struct {
		issuer         map[string]string // the settings beside issuer, keys and audiences
		workload       bool
		header, claims claims
		remedies       string // "" for a token that no setting lets in
		cost           string // what one of them must say
	}{
		"issuer":        {nil, false, nil, claims{"iss": "https://x.example"}, `issuer: "https://x.example"`, ""},
		"audiences":     {nil, false, nil, claims{"aud": "api://x"}, `audiences: ["api://shop", "api://x"]`, ""},
		"max_audiences": {nil, false, nil, claims{"aud": []string{"api://shop", "b"}}, "max_audiences: 2", ""},
		"types":         {nil, false, claims{"typ": "JWT"}, nil, `types: ["at+jwt", "JWT"]`, ""},
		"no type":       {nil, false, claims{"typ": nil}, nil, `types: ["at+jwt", ""]`, ""},
		"type_variants": {nil, false, claims{"typ": "application/AT+JWT"}, nil, "type_variants: true", ""},
		"other_headers": {nil, false, claims{"x5t": "a"}, nil, "other_headers: true", ""},
		"no_key_id":     {nil, false, claims{"kid": nil}, nil, "no_key_id: true", ""},
		"max_length":    {nil, false, nil, claims{"o": strings.Repeat("o", 9000)}, "max_length: 13312", ""},
		"max_members":   {nil, false, nil, many(100), "max_members: 106", ""},
		"case_variants": {nil, false, nil, claims{"Role": "a", "role": "b"}, "case_variants: true", ""},
		"max_lifetime":  {nil, false, nil, claims{"iat": now, "exp": now + 7200}, "max_lifetime: 2h0m0s", ""},
		"no_issued_at":  {nil, false, nil, claims{"iat": nil}, "no_issued_at: true", ""},
		"clock_skew":    {nil, false, nil, claims{"nbf": now + 200}, "clock_skew: ", ""},
		"audience_text": {
			map[string]string{"audience_text": "true"},
			false, nil,
			claims{"aud": []string{"api://shop"}},
			"audience_text: false", "",
		},
		"required_claims": {nil, false, nil, claims{"jti": nil}, "required_claims: []", "cannot be told from another"},
		"one of two claims": {
			map[string]string{"required_claims": "[jti, 'https://shop.example/tier']"},
			false, nil, nil,
			"required_claims: [jti]", "may pass for access tokens, as nothing is demanded any more of https://shop.example/tier",
		},
		"a claim of the provider": {
			map[string]string{"provider": "entra", "algorithms": "[EdDSA]"},
			false,
			claims{"typ": "JWT"},
			claims{"tid": "t", "ver": "2.0"},
			"required_claims: []", "any more of tid, azp",
		},
		"a claim beside the provider's": {
			map[string]string{"provider": "okta", "required_claims": "[tier]"},
			false,
			claims{"typ": nil},
			claims{"cid": "c"},
			"required_claims: [jti, cid]", "any more of tier",
		},
		"a value of the provider": {
			map[string]string{"provider": "keycloak"},
			false,
			claims{"typ": "JWT"},
			claims{"typ": "ID"},
			"required_values: {}", "ID tokens",
		},
		"a value beside the provider's": {
			map[string]string{"provider": "keycloak", "required_values": "{hd: a}"},
			false,
			claims{"typ": "JWT"},
			claims{"typ": "Bearer", "hd": "b"},
			`required_values: {typ: "Bearer"}`, "any more of hd",
		},
		"one of two values": {
			map[string]string{"required_values": `{a: "1.0", "b c": 'x\*'}`},
			false, nil,
			claims{"a": "1.1", "b c": "x*"},
			`required_values: {"b c": "x\\*"}`, "any more of a",
		},
		"refused_claims": {
			map[string]string{"refused_claims": "[nonce, at_hash]"},
			false, nil,
			claims{"nonce": "n"},
			"refused_claims: [at_hash]", "any more of nonce",
		},
		"a refused claim of the provider": {
			map[string]string{"provider": "zitadel"},
			false,
			claims{"typ": "JWT"},
			claims{"nonce": "n"},
			"refused_claims: []", "any more of nonce, at_hash, c_hash",
		},
		"algorithms": {
			map[string]string{"algorithms": "[ES256]", "keys_file": fmt.Sprintf("%q", s.two)},
			false, nil, nil,
			"algorithms: [ES256, EdDSA]", "",
		},
		"algorithms of keys": {
			with(map[string]string{"subjects": "[till]"}, "keys", fmt.Sprintf("{file: %q, algorithms: [ES256]}", s.two)), true,
			nil,
			claims{"sub": "spiffe://shop.example/till"},
			"keys.algorithms: [ES256, EdDSA]", "",
		},
		"a workload's claim": {
			with(mapped, "required_claims", "[jti, tier]"), true, nil, service, "required_claims: [jti]",
			"tokens of users may pass for those of workloads",
		},
		"the own workload": {
			map[string]string{"subjects": "['spiffe://shop.example/*']"},
			true, nil,
			claims{"sub": "spiffe://shop.example/payments"},
			"shared: true", "any workload that it may name",
		},
		"what tells users": {
			map[string]string{
				"principals": "{claim: client_id, ids: {a: batch}}", "refused_claims": "[sub]", "subject_claim": "client_id",
			}, true, nil, claims{"client_id": "a"}, "", "",
		},
		"a value that tells users": {
			map[string]string{"principals": "{claim: client_id, ids: {a: batch}}", "required_values": "{gty: client}"},
			true,
			nil,
			claims{"client_id": "a", "gty": "password"},
			"", "",
		},
		"by another key": {nil, false, claims{"kid": "b"}, nil, "", ""},
		"expired":        {nil, false, nil, claims{"iat": now - 7200, "exp": now - 3600}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := s.token(t, test.header, test.claims)
			settings := map[string]string{
				"issuer": "https://login.example", "keys_file": fmt.Sprintf("%q", s.file), "audiences": "['api://shop']",
			}
			if test.workload {
				delete(settings, "keys_file")
				settings["keys"] = fmt.Sprintf("{file: %q}", s.file)
			}
			maps.Copy(settings, test.issuer)
			check := func() framework.TokenReport {
				var stated []string
				for _, name := range slices.Sorted(maps.Keys(settings)) {
					stated = append(stated, name+": "+settings[name])
				}
				issuer := "{" + strings.Join(stated, ", ") + "}"
				config := "users: {issuers: [" + issuer + "]}\n"
				if test.workload {
					config = fmt.Sprintf("servers: {payments: {carriers: [token], tls: {cert: %q, key: %q}, issuers: [%s]}}\n",
						cert, key, issuer)
				}
				dir, keyFile := state(t)
				config = fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile) + config
				reports, err := newPayments(t, framework.WithConfigFile(writeFile(t, config))).CheckToken(t.Context(), token)
				if err != nil || len(reports) != 1 {
					t.Fatalf("%d reports of %s: %v", len(reports), config, err)
				}
				return reports[0]
			}
			report := check()
			if report.Accepted() {
				t.Fatal("the token is accepted as it is")
			}
			var remedies, costs []string
			for _, c := range report.Checks {
				for _, remedy := range c.Remedies {
					remedies = append(remedies, remedy.Setting+": "+remedy.Value)
					costs = append(costs, remedy.Cost)
					if remedy.Setting == "keys.algorithms" {
						settings["keys"] = fmt.Sprintf("{file: %q, algorithms: %s}", s.two, remedy.Value)
						continue
					}
					settings[remedy.Setting] = remedy.Value
				}
			}
			if got := strings.Join(remedies, "; "); !strings.HasPrefix(got, test.remedies) ||
				(got == "") != (test.remedies == "") {
				t.Errorf("the remedies are %q, want %q", got, test.remedies)
			}
			if !strings.Contains(strings.Join(costs, "; "), test.cost) || slices.Contains(costs, "") {
				t.Errorf("the costs are %q, want %q", costs, test.cost)
			}
			if test.remedies == "" {
				return
			}
			for _, c := range check().Checks {
				if !c.Passed() {
					t.Errorf("with %v it still fails: %s: %s", remedies, c.Name, c.Problem)
				}
			}
		})
	}
}

// with is a map with one entry more.
func with(base map[string]string, name, value string) map[string]string {
	changed := maps.Clone(base)
	changed[name] = value
	return changed
}

// many are so many claims.
func many(count int) map[string]any {
	claims := map[string]any{}
	for n := range count {
		claims[fmt.Sprintf("c%d", n)] = n
	}
	return claims
}

// A report says what only the issuer can know: whether a value that workloads have is one that users lack.
func TestAReportNotesWhatTellsUsers(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	cert, key := certificateFor(t)
	token := s.token(t, nil, map[string]any{"client_id": "a", "acr": "1", "tier": "b"})
	const note = "only acr tells this workload's token from that of a user who came through its client"
	for name, test := range map[string]struct{ users, workloads, want string }{
		"a value alone":        {"", "required_values: {acr: '1'}", note},
		"a value, users apart": {"required_values: {acr: '2'}", "required_values: {acr: '1'}", ""},
		"a value that users refuse": {
			"refused_claims: [acr]", "required_values: {acr: '1'}", "",
		},
		"users listed":        {"required_claims: [jti]", "required_values: {acr: '1'}", note},
		"one value of theirs": {"required_values: {tier: b}", "required_values: {acr: '1', tier: b}", note},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			issuer := func(more string) string {
				return fmt.Sprintf(
					"{issuer: 'https://login.example', keys: {file: %q}, audiences: ['api://shop'], %s}",
					s.file,
					more,
				)
			}
			config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile) +
				fmt.Sprintf("servers: {payments: {carriers: [token], tls: {cert: %q, key: %q}, issuers: [%s]}}\n", cert, key,
					issuer("principals: {claim: client_id, ids: {a: batch}}, "+test.workloads))
			if test.users != "" {
				config += "users: {issuers: [" + issuer(test.users) + "]}\n"
			}
			reports, err := newPayments(t, framework.WithConfigFile(writeFile(t, config))).CheckToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			var notes string
			for _, r := range reports {
				if r.Place == "servers.payments.issuers[0]" {
					notes = strings.Join(r.Notes, "; ")
					if !r.Accepted() {
						t.Errorf("refused: %+v", r.Checks)
					}
				} else if r.Notes != nil {
					t.Errorf("%s has the notes %q", r.Place, r.Notes)
				}
			}
			if test.want == "" && notes != "" || !strings.HasPrefix(notes, test.want) {
				t.Errorf("the notes are %q, want %q", notes, test.want)
			}
		})
	}
}
