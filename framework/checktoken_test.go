package framework_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/internal/jose"
)

// A token is explained by the issuers that it names, each at its place in the configuration.
func TestCheckToken(t *testing.T) {
	t.Parallel()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	keys := writeFile(t, fmt.Sprintf(`{"keys":[%s]}`, jwk))
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://login.example", "sub": "alice", "aud": "api://shop", "iat": now, "exp": now + 600, "jti": "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign("JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	check := func(sections string) ([]framework.TokenReport, error) {
		dir, keyFile := state(t)
		config := fmt.Sprintf(
			"identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n",
			dir,
			keyFile,
		) + sections
		return newPayments(t, framework.WithConfigFile(writeFile(t, config))).CheckToken(t.Context(), token)
	}
	issuer := func(name, more string) string {
		return fmt.Sprintf("{issuer: %q, keys: {file: %q}, audiences: ['api://shop'], %s}", name, keys, more)
	}
	login := func(more string) string { return issuer("https://login.example", more) }
	cert, certKey := certificateFor(t)
	for name, test := range map[string]struct{ sections, want string }{
		"accepted": {
			"users: {issuers: [" + issuer("https://other.example", "") + ", " + login("types: [JWT]") + "]}",
			"users.issuers[1] true",
		},
		"refused": {"users: {issuers: [" + login("") + "]}", `users.issuers[0] false types: ["at+jwt", "JWT"]`},
		"as a workload's": {
			"servers: {payments: {carriers: [token], tls: TLS, issuers: [" +
				login("types: [JWT], subjects: ['spiffe://shop.example/*']") + "]}}",
			"servers.payments.issuers[0] false",
		},
		"a workload's in place of a user's": {
			"users: {issuers: [" + login("types: [JWT]") + "]}\n" +
				"servers: {payments: {carriers: [token], tls: TLS, issuers: [" +
				login("types: [JWT], principals: {claim: sub, ids: {alice: batch}}") + "]}}",
			"users.issuers[0] false servers.payments.issuers[0] true",
		},
		"of no issuer": {
			"users: {issuers: [" + issuer("https://other.example", "") + "]}",
			`users.issuers[0] false issuer: "https://login.example"`,
		},
	} {
		sections := strings.ReplaceAll(test.sections, "TLS", fmt.Sprintf("{cert: %q, key: %q}", cert, certKey))
		reports, err := check(sections)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, r := range reports {
			got = append(got, r.Place, fmt.Sprint(r.Accepted()))
			for _, c := range r.Checks {
				for _, remedy := range c.Remedies {
					got = append(got, remedy.Setting+":", remedy.Value)
				}
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, want %q", name, strings.Join(got, " "), test.want)
		}
	}
	if _, err := check(""); err == nil || !strings.Contains(err.Error(), "no issuer of tokens is configured") {
		t.Errorf("without issuers: %v", err)
	}
}
