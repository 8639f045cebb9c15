package auth_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

const (
	bearerClaims     = `{"iss":"spiffe://shop.example/orders","sub":"spiffe://shop.example/orders","aud":"spiffe://shop.example/payments","iat":1893456000,"exp":1893459600,"jti":"7QX2","scope":"quotes.read"}`
	replyClaims      = `{"iss":"spiffe://shop.example/payments","sub":"spiffe://shop.example/payments","aud":"spiffe://shop.example/orders","nonce":"AAECAwQFBgcICQoLDA0ODw","ath":"ATH","iat":1893456000,"exp":1893456060}`
	callClaims       = `{"iss":"spiffe://shop.example/payments","sub":"spiffe://shop.example/payments","aud":"spiffe://shop.example/orders","nonce":"AAECAwQFBgcICQoLDA0ODw","ath":"ATH","mth":"/shop.payments.v1.PaymentsService/GetQuote","iat":1893456000,"exp":1893456060}`
	possessionClaims = `{"iss":"spiffe://shop.example/orders","sub":"spiffe://shop.example/orders","aud":"spiffe://shop.example/payments","ath":"ATH","mth":"/shop.payments.v1.PaymentsService/GetQuote","jti":"JTI","iat":1893456000,"exp":1893456030}`

	vectorNonce  = "AAECAwQFBgcICQoLDA0ODw"
	vectorMethod = "/shop.payments.v1.PaymentsService/GetQuote"
)

// vectorCase is a token and what becomes of it.
type vectorCase struct {
	Name string `json:"name"`
	vectorToken
	// Authorization is the value of the metadata key, of a bearer token.
	Authorization string `json:"authorization,omitempty"`
	// PerCall says that the client expects mth, in a server's proof.
	PerCall *bool  `json:"per_call,omitempty"`
	Result  string `json:"result"`
}

func TestVectorsBearer(t *testing.T) {
	inVectors(t, func(v *vectors) {
		var made []vectorCase
		for _, c := range []struct {
			name, key string
			change    change
			result    string
		}{
			{"good", "orders", change{}, accepted},
			{"aud is a list of one", "orders", change{`"aud":"spiffe://shop.example/payments"`, `"aud":["spiffe://shop.example/payments"]`}, accepted},
			{"a claim that nobody knows", "orders", change{`"jti"`, `"department":"sales","jti"`}, accepted},
			{"exp with a fraction", "orders", change{"1893459600", "1893459599.5"}, accepted},
			{"exp has passed, but not by more than the skew", "orders", change{`"iat":1893456000,"exp":1893459600`, `"iat":1893455000,"exp":1893455971`}, accepted},
			{"exp has passed", "orders", change{`"iat":1893456000,"exp":1893459600`, `"iat":1893455000,"exp":1893455970`}, "CREDENTIALS_EXPIRED"},
			{"nbf lies ahead", "orders", change{`"jti"`, `"nbf":1893456031,"jti"`}, "CREDENTIALS_NOT_YET_VALID"},
			{"a lifetime of more than an hour", "orders", change{"1893459600", "1893459601"}, "CREDENTIALS_INVALID"},
			{"aud is another server", "orders", change{`"aud":"spiffe://shop.example/payments"`, `"aud":"spiffe://shop.example/reports"`}, "CREDENTIALS_INVALID"},
			{"aud is a list of two", "orders", change{`"aud":"spiffe://shop.example/payments"`, `"aud":["spiffe://shop.example/payments","spiffe://shop.example/reports"]`}, "CREDENTIALS_INVALID"},
			{"no jti", "orders", change{`,"jti":"7QX2"`, ""}, "CREDENTIALS_INVALID"},
			{"two spaces between scopes", "orders", change{`quotes.read`, `quotes.read  quotes.write`}, "CREDENTIALS_INVALID"},
			{"exp is a string", "orders", change{`1893459600`, `"1893459600"`}, "CREDENTIALS_INVALID"},
			{"signed by another workload in the name of orders", "payments", change{}, "CREDENTIALS_INVALID"},
			{"signed by a key that nobody knows", "mallory", change{}, "CREDENTIALS_INVALID"},
		} {
			token := v.token(c.key, "at+jwt", c.change.in(v.t, bearerClaims))
			made = append(made, vectorCase{Name: c.name, vectorToken: token, Authorization: "Bearer " + token.Token, Result: c.result})
		}
		es256 := []vectorCase{{Name: "good, with ES256", vectorToken: v.token("reports", "at+jwt", strings.ReplaceAll(bearerClaims, "orders", "reports")), Result: accepted}}
		kept(v.t, "bearer.json", es256)
		es256[0].Authorization = "Bearer " + es256[0].Token
		honest, forged := made[0].vectorToken, made[0].forged()
		made = append(made, es256[0],
			vectorCase{Name: "the scheme in lower case", vectorToken: honest, Authorization: "bearer " + honest.Token, Result: accepted},
			vectorCase{Name: "two spaces", vectorToken: honest, Authorization: "Bearer  " + honest.Token, Result: "CREDENTIALS_INVALID"},
			vectorCase{Name: "another scheme", vectorToken: honest, Authorization: "DPoP " + honest.Token, Result: "CREDENTIALS_INVALID"},
			vectorCase{Name: "padding", vectorToken: honest, Authorization: "Bearer " + honest.Token + "==", Result: "CREDENTIALS_INVALID"},
			vectorCase{Name: "a signature that does not hold", vectorToken: forged, Authorization: "Bearer " + forged.Token, Result: "CREDENTIALS_INVALID"},
		)
		typ := v.token("orders", "JWT", bearerClaims)
		made = append(made, vectorCase{Name: "another typ", vectorToken: typ, Authorization: "Bearer " + typ.Token, Result: "CREDENTIALS_INVALID"})
		gate := v.identity("payments").Server(nil)
		for _, c := range made {
			_, err := auth.ReadPeer(v.t.Context(), gate, c.Authorization)
			if got := resultOf(err); got != c.Result {
				v.t.Errorf("%s: %s instead of %s", c.Name, got, c.Result)
			}
		}
		golden(v.t, "bearer.json", map[string]any{"now": vectorNow, "server": "spiffe://shop.example/payments", "cases": made})
	})
}

func TestVectorsServerProof(t *testing.T) {
	inVectors(t, func(v *vectors) {
		sent := v.token("orders", "at+jwt", bearerClaims)
		ath := hash([]byte(sent.Token))
		session, call := strings.Replace(replyClaims, "ATH", ath, 1), strings.Replace(callClaims, "ATH", ath, 1)
		var made []vectorCase
		for _, c := range []struct {
			name, key, claims string
			change            change
			perCall           bool
			result            string
		}{
			{"good, of a session", "payments", session, change{}, false, accepted},
			{"good, of a call", "payments", call, change{}, true, accepted},
			{"of a call, where one of a session will do", "payments", call, change{}, false, accepted},
			{"of a session, where one of a call is expected", "payments", session, change{}, true, "SERVER_PROOF_INVALID"},
			{"another nonce", "payments", session, change{vectorNonce, "DwAAAAAAAAAAAAAAAAAAAA"}, false, "SERVER_PROOF_INVALID"},
			{"the hash of another token", "payments", session, change{ath, hash(nil)}, false, "SERVER_PROOF_INVALID"},
			{"aud is another client", "payments", session, change{`"aud":"spiffe://shop.example/orders"`, `"aud":"spiffe://shop.example/reports"`}, false, "SERVER_PROOF_INVALID"},
			{"aud is a list", "payments", session, change{`"aud":"spiffe://shop.example/orders"`, `"aud":["spiffe://shop.example/orders"]`}, false, "SERVER_PROOF_INVALID"},
			{"another method", "payments", call, change{"GetQuote", "Charge"}, true, "SERVER_PROOF_INVALID"},
			{"another method, where one of a session will do", "payments", call, change{"GetQuote", "Charge"}, false, "SERVER_PROOF_INVALID"},
			{"a claim too many", "payments", session, change{`"iat"`, `"jti":"x","iat"`}, false, "SERVER_PROOF_INVALID"},
			{"exp had passed when the call was made", "payments", session, change{`"iat":1893456000,"exp":1893456060`, `"iat":1893455910,"exp":1893455970`}, false, "SERVER_PROOF_INVALID"},
			{"iat lies ahead", "payments", session, change{`"iat":1893456000,"exp":1893456060`, `"iat":1893456031,"exp":1893456060`}, false, "SERVER_PROOF_INVALID"},
			{"a lifetime of more than a minute", "payments", session, change{"1893456060", "1893456061"}, false, "SERVER_PROOF_INVALID"},
			{"signed by another workload in the name of payments", "orders", session, change{}, false, "SERVER_PROOF_INVALID"},
			{"signed by a key that nobody knows", "mallory", session, change{}, false, "SERVER_PROOF_INVALID"},
		} {
			made = append(made, vectorCase{Name: c.name, vectorToken: v.token(c.key, "parley-proof+jwt", c.change.in(v.t, c.claims)), PerCall: &c.perCall, Result: c.result})
		}
		no := false
		other := v.token("orders", "parley-proof+jwt", strings.ReplaceAll(session, "payments", "orders"))
		typ := v.token("payments", "parley-server+jwt", session)
		made = append(made,
			vectorCase{Name: "another workload than the expected one", vectorToken: other, PerCall: &no, Result: "SERVER_IDENTITY_MISMATCH"},
			vectorCase{Name: "another typ", vectorToken: typ, PerCall: &no, Result: "SERVER_PROOF_INVALID"},
			vectorCase{Name: "a signature that does not hold", vectorToken: made[0].forged(), PerCall: &no, Result: "SERVER_PROOF_INVALID"},
		)
		channel := v.client()
		for _, c := range made {
			level := policy.ProofSession
			if *c.PerCall {
				level = policy.ProofCall
			}
			if got := resultOf(auth.CheckReply(v.t.Context(), channel, metadata.Pairs("parley-proof", c.Token), sent.Token, vectorNonce, vectorMethod, level)); got != c.Result {
				v.t.Errorf("%s: %s instead of %s", c.Name, got, c.Result)
			}
		}
		gate := v.identity("payments").Server(nil)
		for n, method := range []string{"", vectorMethod} {
			header, err := auth.ProofFor(v.t.Context(), gate, sent.Token, vectorNonce, method)
			if err != nil || !slices.Equal(header.Get("parley-proof"), []string{made[n].Token}) {
				v.t.Errorf("the server answers %v, %v", header, err)
			}
		}
		golden(v.t, "serverproof.json", map[string]any{
			"now": vectorNow, "client": "spiffe://shop.example/orders", "server": "spiffe://shop.example/payments", "method": vectorMethod,
			"authorization": "Bearer " + sent.Token, "nonce": vectorNonce, "ath": ath, "cases": made,
		})
	})
}

func TestVectorsPossession(t *testing.T) {
	inVectors(t, func(v *vectors) {
		sent := v.token("orders", "at+jwt", bearerClaims)
		claims := strings.Replace(possessionClaims, "ATH", hash([]byte(sent.Token)), 1)
		var made []vectorCase
		for _, c := range []struct {
			name, key, id string
			change        change
			result        string
		}{
			{"good", "orders", "1", change{}, accepted},
			{"the same jti once more", "orders", "1", change{}, "PROOF_REPLAYED"},
			{"another jti", "orders", "2", change{}, accepted},
			{"a jti of 128 bytes", "orders", strings.Repeat("j", 128), change{}, accepted},
			{"a jti of 129 bytes", "orders", strings.Repeat("j", 129), change{}, "CREDENTIALS_INVALID"},
			{"the hash of another token", "orders", "3", change{hash([]byte(sent.Token)), hash(nil)}, "CREDENTIALS_INVALID"},
			{"another method", "orders", "4", change{"GetQuote", "Charge"}, "CREDENTIALS_INVALID"},
			{"another server", "orders", "5", change{`"aud":"spiffe://shop.example/payments"`, `"aud":"spiffe://shop.example/reports"`}, "CREDENTIALS_INVALID"},
			{"wth without an identity token", "orders", "6", change{`"jti"`, `"wth":"` + hash(nil) + `","jti"`}, "CREDENTIALS_INVALID"},
			{"exp has passed", "orders", "7", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893455940,"exp":1893455970`}, "CREDENTIALS_EXPIRED"},
			{"signed by another workload than the token names", "payments", "8", change{}, "CREDENTIALS_INVALID"},
		} {
			made = append(made, vectorCase{Name: c.name, vectorToken: v.token(c.key, "wpt+jwt", strings.Replace(c.change.in(v.t, claims), "JTI", c.id, 1)), Result: c.result})
		}
		gate := v.identity("payments").Server(nil)
		for _, c := range made {
			if got := resultOf(auth.CheckPossession(v.t.Context(), gate, sent.Token, vectorMethod, c.Token)); got != c.Result {
				v.t.Errorf("%s: %s instead of %s", c.Name, got, c.Result)
			}
		}
		golden(v.t, "possession.json", map[string]any{
			"now": vectorNow, "server": "spiffe://shop.example/payments", "method": vectorMethod, "authorization": "Bearer " + sent.Token, "cases": made,
		})
	})
}
