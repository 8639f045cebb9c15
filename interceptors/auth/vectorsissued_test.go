package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

const witnessClaims = `{"iss":"https://id.shop.example","sub":"spiffe://shop.example/payments","cnf":{"jwk":JWK},"iat":1893456000,"exp":1893457200}`

func (v *vectors) jwk(name string) string {
	v.t.Helper()
	text, err := v.keys[name].Public().MarshalJWK()
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text)
}

// issued is the identity of orders where trust rests on the issuer.
func (v *vectors) issued() *auth.Identity {
	v.t.Helper()
	text, err := v.keys["orders"].MarshalJWK()
	if err != nil {
		v.t.Fatal(err)
	}
	dir := v.t.TempDir()
	write(v.t, filepath.Join(dir, "orders.jwk"), string(text))
	own := strings.Replace(strings.Replace(witnessClaims, "JWK", v.jwk("orders"), 1), "payments", "orders", 1)
	write(v.t, filepath.Join(dir, "orders.jwt"), v.token("issuer", "wit+jwt", own).Token)
	keys := keyset.Static([]byte(jwksOf(v.t, v.keys["issuer"])))
	i := auth.Issued(v.id("orders"), tokens.File(filepath.Join(dir, "orders.jwt")),
		[]auth.IdentityIssuer{{Name: issuerName, Keys: keys, Domains: []principal.TrustDomain{v.domain}}},
		auth.WithKeyFile(filepath.Join(dir, "orders.jwk")), auth.WithLogger(logTo(v.log)))
	v.t.Cleanup(func() { _, _ = i.Close(), keys.Close() })
	ready(v.t, i)
	return i
}

// identityCase is a frame 1 with an identity token.
type identityCase struct {
	Name     string       `json:"name"`
	Identity *vectorToken `json:"identity"`
	Proof    vectorToken  `json:"proof"`
	Frame    string       `json:"frame"`
	Result   string       `json:"result"`
}

func TestVectorsIdentity(t *testing.T) {
	inVectors(t, func(v *vectors) {
		server, client := base64.RawURLEncoding.EncodeToString(exporterServer), base64.RawURLEncoding.EncodeToString(exporterClient)
		witness := strings.Replace(witnessClaims, "JWK", v.jwk("payments"), 1)
		var made []identityCase
		add := func(name string, identity *vectorToken, key, cth, result string) {
			claims, text := serverProofClaims, ""
			if cth != "" {
				claims = edited(v.t, claims, `"cb"`, `"cth":"`+cth+`","cb"`)
			}
			if identity != nil {
				text = identity.Token
			}
			proof := v.token(key, "parley-server+jwt", claims)
			made = append(made, identityCase{name, identity, proof, hex.EncodeToString(frameOf(serverHello, helloBody(text, proof.Token))), result})
		}
		for _, c := range []struct {
			name, key, typ, proof string
			change                change
			result                string
		}{
			{"good", "issuer", "wit+jwt", "payments", change{}, accepted},
			{"no iss", "issuer", "wit+jwt", "payments", change{`"iss":"https://id.shop.example",`, ""}, accepted},
			{"a lifetime of more than an hour", "issuer", "wit+jwt", "payments", change{"1893457200", "1893459601"}, "SERVER_PROOF_INVALID"},
			{"exp has passed, for which there is no skew", "issuer", "wit+jwt", "payments", change{`"iat":1893456000,"exp":1893457200`, `"iat":1893455000,"exp":1893456000`}, "SERVER_PROOF_INVALID"},
			{"another issuer", "issuer", "wit+jwt", "payments", change{"https://id.shop.example", "https://id.other.example"}, "SERVER_PROOF_INVALID"},
			{"aud", "issuer", "wit+jwt", "payments", change{`"cnf"`, `"aud":"spiffe://shop.example/orders","cnf"`}, "SERVER_PROOF_INVALID"},
			{"a trust domain that the issuer does not vouch for", "issuer", "wit+jwt", "payments", change{"spiffe://shop.example/payments", "spiffe://other.example/payments"}, "SERVER_PROOF_INVALID"},
			{"no alg in cnf.jwk", "issuer", "wit+jwt", "payments", change{`"alg":"EdDSA",`, ""}, "SERVER_PROOF_INVALID"},
			{"another typ", "issuer", "at+jwt", "payments", change{}, "SERVER_PROOF_INVALID"},
			{"signed by the workload itself", "payments", "wit+jwt", "payments", change{}, "SERVER_PROOF_INVALID"},
			{"the proof by another key than cnf.jwk", "issuer", "wit+jwt", "mallory", change{}, "SERVER_PROOF_INVALID"},
		} {
			identity := v.token(c.key, c.typ, c.change.in(v.t, witness))
			add(c.name, &identity, c.proof, hash([]byte(identity.Token)), c.result)
		}
		honest := made[0].Identity
		add("cth of another token", honest, "payments", hash(nil), "SERVER_PROOF_INVALID")
		add("no cth", honest, "payments", "", "SERVER_PROOF_INVALID")
		add("no identity token", nil, "payments", "", "SERVER_PROOF_INVALID")

		channel := v.issued().Channel([]principal.Pattern{v.id("payments")})
		for _, c := range made {
			frame, _ := hex.DecodeString(c.Frame)
			conn := halves{bytes.NewReader(append(frame, frameOf(verdictFrame, []byte{0})...)), new(bytes.Buffer)}
			if got := resultOf(auth.Greet(v.t.Context(), channel, conn, server, client)); got != c.Result {
				v.t.Errorf("%s: %s instead of %s", c.Name, got, c.Result)
			}
		}
		golden(v.t, "identity.json", map[string]any{
			"now": vectorNow, "issuer": issuerName, "issuer_key": "issuer", "trust_domain": "shop.example", "server": "spiffe://shop.example/payments",
			"exporter_server": hex.EncodeToString(exporterServer), "frame_1": made,
		})
	})
}

func TestVectorsKeySet(t *testing.T) {
	inVectors(t, func(v *vectors) {
		set := `{"root":` + v.jwk("root") + `,"keys":[` + v.jwk("issuer") + `],"iat":1893456000,"exp":1893542400}`
		var made []vectorCase
		for _, c := range []struct {
			name, key, typ string
			change         change
			result         string
		}{
			{"good", "root", "jwk-set+jwt", change{}, accepted},
			{"another claim", "root", "jwk-set+jwt", change{`"iat"`, `"iss":"x","iat"`}, accepted},
			{"a life of more than 24 hours", "root", "jwk-set+jwt", change{"1893542400", "1893542401"}, "refused"},
			{"exp has passed", "root", "jwk-set+jwt", change{`"iat":1893456000,"exp":1893542400`, `"iat":1893369600,"exp":1893455970`}, "refused"},
			{"iat lies ahead", "root", "jwk-set+jwt", change{`"iat":1893456000`, `"iat":1893456031`}, "refused"},
			{"no exp", "root", "jwk-set+jwt", change{`,"exp":1893542400`, ""}, "refused"},
			{"no keys", "root", "jwk-set+jwt", change{`"keys":[` + v.jwk("issuer") + `],`, ""}, "refused"},
			{"another typ", "root", "JWT", change{}, "refused"},
			{"signed by another key than the pinned one", "mallory", "jwk-set+jwt", change{}, "refused"},
			{"another key, which it brings along", "mallory", "jwk-set+jwt", change{v.jwk("root"), v.jwk("mallory")}, "refused"},
			{"the pinned key, with another in root", "root", "jwk-set+jwt", change{v.jwk("root"), v.jwk("mallory")}, "refused"},
		} {
			made = append(made, vectorCase{Name: c.name, vectorToken: v.token(c.key, c.typ, c.change.in(v.t, set)), Result: c.result})
		}
		made = append(made, vectorCase{Name: "a signature that does not hold", vectorToken: made[0].forged(), Result: "refused"})
		for _, c := range made {
			if got := v.readKeySet(c.Token); got != c.Result {
				v.t.Errorf("%s: %s instead of %s", c.Name, got, c.Result)
			}
		}
		golden(v.t, "keyset.json", map[string]any{"now": vectorNow, "pin": v.keys["root"].Public().Thumbprint(), "cases": made})
	})
}

// readKeySet reports whether a verifier that has pinned the root takes keys out of a signed set.
func (v *vectors) readKeySet(text string) string {
	path := filepath.Join(v.t.TempDir(), "keys.jwt")
	write(v.t, path, text)
	keys := keyset.File(path, keyset.WithPinnedRoot(v.keys["root"].Public().Thumbprint()), keyset.WithLogger(logTo(v.log)))
	defer func() { _ = keys.Close() }()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Millisecond)
	defer cancel()
	if keys.Ready(ctx) != nil {
		return "refused"
	}
	return accepted
}
