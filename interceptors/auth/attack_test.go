package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/parley-rpc/parley/rpcerr"
)

// forger signs whatever it is told to with the key of orders, which payments trusts: only the checks of a token stand between
// what it makes and the handler.
type forger struct {
	testing.TB
	w   *world
	raw ed25519.PrivateKey
	kid string
}

func newForger(t testing.TB, w *world) *forger {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "keys", "shop.example", "orders.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	var key struct{ D string }
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(key.D)
	if err != nil {
		t.Fatal(err)
	}
	return &forger{t, w, ed25519.NewKeyFromSeed(seed), w.key("orders").Public().Thumbprint()}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const goodHeader = `{"alg":"EdDSA","kid":"KID","typ":"at+jwt"}`

// token signs a payload under a header in which KID stands for the key's thumbprint.
func (f *forger) token(header, payload string) string {
	return f.sign(b64(strings.ReplaceAll(header, "KID", f.kid)) + "." + b64(payload))
}

func (f *forger) sign(signed string) string {
	return signed + "." + b64(string(ed25519.Sign(f.raw, []byte(signed))))
}

// payload is that of an honest token, with more members in front of its own.
func (f *forger) payload(more string) string {
	text, err := json.Marshal(map[string]any{
		"iss": f.w.id("orders").String(), "sub": f.w.id("orders").String(), "aud": f.w.id("payments").String(),
		"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(), "jti": "1",
	})
	if err != nil {
		f.Fatal(err)
	}
	return "{" + more + string(text[1:])
}

func (f *forger) honest() string { return f.token(goodHeader, f.payload("")) }

// part replaces segment n of an honest token.
func (f *forger) part(n int, change func(string) string) string {
	parts := strings.Split(f.honest(), ".")
	parts[n] = change(parts[n])
	return strings.Join(parts, ".")
}

// mac is a token under HS256 with a secret that everybody knows.
func (f *forger) mac(secret []byte) string {
	signed := b64(`{"alg":"HS256","kid":"`+f.kid+`","typ":"at+jwt"}`) + "." + b64(f.payload(""))
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(signed))
	return signed + "." + b64(string(h.Sum(nil)))
}

// hostileTokens are the rows of the attack table that a single bearer token can be, by their number.
func hostileTokens() map[string]func(*forger) string {
	header := func(text string) func(*forger) string {
		return func(f *forger) string { return f.token(text, f.payload("")) }
	}
	more := func(text string) func(*forger) string {
		return func(f *forger) string { return f.token(goodHeader, f.payload(text)) }
	}
	whole := func(text string) func(*forger) string {
		return func(f *forger) string { return f.token(goodHeader, text) }
	}
	unsigned := func(alg string) func(*forger) string {
		return func(f *forger) string {
			return b64(`{"alg":"`+alg+`","kid":"`+f.kid+`","typ":"at+jwt"}`) + "." + b64(f.payload("")) + "."
		}
	}
	return map[string]func(*forger) string{
		"01 alg none":          unsigned("none"),
		"01 alg nOnE":          unsigned("nOnE"),
		"02 alg absent":        header(`{"kid":"KID","typ":"at+jwt"}`),
		"02 alg none, signed":  header(`{"alg":"none","kid":"KID","typ":"at+jwt"}`),
		"02 alg HS256, signed": header(`{"alg":"HS256","kid":"KID","typ":"at+jwt"}`),
		"02 alg ES256, signed": header(`{"alg":"ES256","kid":"KID","typ":"at+jwt"}`),
		"03 public key as MAC": func(f *forger) string { return f.mac(f.raw[32:]) },
		"04 alg PS256":         header(`{"alg":"PS256","kid":"KID","typ":"at+jwt"}`),
		"05 63-byte signature": func(f *forger) string { return f.part(2, func(s string) string { return s[:84] }) },
		"05 zero signature":    func(f *forger) string { return f.part(2, func(string) string { return strings.Repeat("A", 86) }) },
		"07 kid path":          header(`{"alg":"EdDSA","kid":"../../dev/null","typ":"at+jwt"}`),
		"07 kid SQL":           header(`{"alg":"EdDSA","kid":"' OR 1=1--","typ":"at+jwt"}`),
		"07 kid of 2 KiB":      header(`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 2048) + `","typ":"at+jwt"}`),
		"07 kid NUL":           header(`{"alg":"EdDSA","kid":"a\u0000","typ":"at+jwt"}`),
		"07 kid number":        header(`{"alg":"EdDSA","kid":7,"typ":"at+jwt"}`),
		"08 kid absent":        header(`{"alg":"EdDSA","typ":"at+jwt"}`),
		"09 kid of another": func(f *forger) string {
			return f.token(strings.ReplaceAll(goodHeader, "KID", f.w.key("mallory").Public().Thumbprint()), f.payload(""))
		},
		"10 jku":       header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","jku":"https://evil.example/jwks"}`),
		"10 jwk":       header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","jwk":{"kty":"OKP"}}`),
		"10 x5c":       header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","x5c":["AA"]}`),
		"11 crit":      header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","crit":["exp"]}`),
		"12 b64 false": header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","b64":false}`),
		"13 zip":       header(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","zip":"DEF"}`),
		"13 nested": func(f *forger) string {
			return f.token(`{"alg":"EdDSA","kid":"KID","typ":"at+jwt","cty":"JWT"}`, f.honest())
		},
		"14 JWE":            func(f *forger) string { return f.honest() + ".AAAA.AAAA" },
		"15 flattened JSON": func(f *forger) string { return `{"payload":"` + b64(f.payload("")) + `"}` },
		"17 alg twice":      header(`{"alg":"none","alg":"EdDSA","kid":"KID","typ":"at+jwt"}`),
		"17 kid twice":      header(`{"alg":"EdDSA","kid":"x","kid":"KID"}`),
		"18 aud twice":      more(`"aud":"evil",`),
		"18 exp twice":      more(`"exp":1,`),
		"18 twice below":    more(`"cnf":{"a":1,"a":2},`),
		"19 EXP beside exp": more(`"EXP":1,`),
		"20 bytes behind":   func(f *forger) string { return f.token(goodHeader, f.payload("")+"{}") },
		"21 null":           whole(`null`),
		"21 array":          func(f *forger) string { return f.token(goodHeader, "["+f.payload("")+"]") },
		"43 17 levels":      more(`"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `,`),
		"43 2,000 levels":   more(`"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `,`),
		"44 padding":        func(f *forger) string { return f.part(1, func(s string) string { return s + "=" }) },
		"44 other alphabet": func(f *forger) string { return f.part(2, func(string) string { return strings.Repeat("+/", 43) }) },
		"44 letter outside": func(f *forger) string { return f.part(0, func(s string) string { return s[:4] + "!" + s[4:] }) },
		"45 invalid UTF-8":  more("\"a\":\"\xff\","),
		"45 lone surrogate": more(`"a":"\ud800",`),
		"45 NUL":            more(`"a":"\u0000",`),
		"46 one segment":    func(f *forger) string { return strings.Split(f.honest(), ".")[1] },
		"46 two segments":   func(f *forger) string { s := f.honest(); return s[:strings.LastIndexByte(s, '.')] },
		"46 empty segment":  func(f *forger) string { return f.part(1, func(string) string { return "" }) },
		"48 signature of nobody": func(f *forger) string {
			return f.part(2, func(string) string { return strings.Repeat("B", 85) + "A" })
		},
	}
}

// attackTokenMode runs attacks in one world, unary and stream, and then once more for what a cache may have kept.
func attackTokenMode(t *testing.T, attacks map[string]func(*forger) string, after func(t *testing.T, w *world, token string)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		cc := foreigner(t, w, payments{
			quote: func(context.Context) error { t.Error("the handler ran"); return nil },
			watch: nil,
		})
		f := newForger(t, w)
		for name, attack := range attacks {
			token := attack(f)
			for range 2 {
				ctx := withBearer(t.Context(), token)
				if err := quote(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsInvalid {
					t.Errorf("%s: unary: %v", name, err)
				}
				if _, err := watch(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsInvalid {
					t.Errorf("%s: stream: %v", name, err)
				}
			}
			after(t, w, token)
		}
	})
}

func TestAttack01To48HostileTokens(t *testing.T) {
	attackTokenMode(t, hostileTokens(), func(*testing.T, *world, string) {})
}

// The log at its most talkative shows nothing that a reader could use: no token, no part of one, no proof.
func TestAttack70NoSecretsInLogs(t *testing.T) {
	attackTokenMode(t, hostileTokens(), func(t *testing.T, w *world, token string) {
		log := w.log.String()
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 16 && strings.Contains(log, part) {
				t.Errorf("the log shows %q", part)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		var secrets []string
		reply := func(typ string, change claims) func(evilCall) []string {
			return func(c evilCall) []string {
				proof := sign(c, c.w.key("payments"), typ, c.honest().with(change))
				secrets = append(secrets, c.token, c.nonce, proof)
				return []string{proof}
			}
		}
		cc := e.channel()
		for _, header := range []func(evilCall) []string{
			reply("parley-proof+jwt", nil), reply("at+jwt", nil), reply("parley-proof+jwt", claims{"nonce": "x"}), reply("parley-proof+jwt", claims{"exp": nil}),
		} {
			e.header = header
			_ = quote(t.Context(), cc)
			_, _ = watch(t.Context(), cc)
		}
		log := e.log.String()
		for _, secret := range secrets {
			for part := range strings.SplitSeq(secret, ".") {
				if len(part) > 16 && strings.Contains(log, part) {
					t.Errorf("the log shows %q", part)
				}
			}
		}
		if len(secrets) != 24 || !strings.Contains(log, "answer refused") {
			t.Errorf("the test saw %d secrets, and the log is %q", len(secrets), log)
		}
	})
}

// A token that is anywhere else than in the authorization is none.
func TestAttack41TokenInAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{})
		token := mint(t, w, "orders", nil)
		for _, key := range []string{"authorization-bin", "proxy-authorization", "x-authorization", "cookie", "parley-nonce", "workload-identity-token"} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), key, "Bearer "+token)
			if err := quote(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsMissing {
				t.Errorf("%s: unary: %v", key, err)
			}
			if _, err := watch(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsMissing {
				t.Errorf("%s: stream: %v", key, err)
			}
		}
	})
}

// More metadata than 32 KiB ends the call before anything looks at it.
func TestAttack42MetadataBeyondItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		called := false
		cc := foreigner(t, w, payments{quote: func(context.Context) error { called = true; return nil }})
		ctx := metadata.AppendToOutgoingContext(withBearer(t.Context(), mint(t, w, "orders", nil)), "x-padding", strings.Repeat("A", 33<<10))
		if err := quote(ctx, cc); err == nil || called {
			t.Errorf("the call went through: %v", err)
		}
	})
}

// A method that is not registered, or a path that is none, is no way in: who has proven nothing learns nothing of it.
func TestAttack67UnknownMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{})
		for _, method := range []string{"/shop.payments.v1.PaymentsService/GetQuote2", "/a.B/C", "//shop.payments.v1.PaymentsService/GetQuote", "/shop.payments.v1.PaymentsService/GetQuote/"} {
			for name, ctx := range map[string]context.Context{"nobody": t.Context(), "orders": withBearer(t.Context(), mint(t, w, "orders", nil))} {
				if err := cc.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
					t.Errorf("%s as %s: the call went through", method, name)
				}
			}
		}
	})
}
