package auth_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// forger signs whatever it is told to with the key of a workload that is trusted: only the checks of a token stand
// between what it makes and the one who reads it.
type forger struct {
	testing.TB
	w    *world
	raw  ed25519.PrivateKey
	kid  string
	typ  string // "" is a header without typ
	says func() claims
	aud  string // the claim that stands in the place of aud; "" is aud itself
}

// newForger forges tokens of this type by the key of a service, over claims that are honest.
func newForger(t testing.TB, w *world, service, typ string, says func() claims) *forger {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "keys", "shop.example", service+".jwk"))
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
	return &forger{TB: t, w: w, raw: ed25519.NewKeyFromSeed(seed), kid: w.key(service).Public().Thumbprint(), typ: typ, says: says}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const goodHeader = `{"alg":"EdDSA","kid":"KID","typ":"TYP"}`

// token signs a payload under a header in which KID stands for the key's thumbprint and TYP for the type.
func (f *forger) token(header, payload string) string { return f.sign(f.unsigned(header, payload)) }

func (f *forger) unsigned(header, payload string) string {
	if f.typ == "" {
		header = strings.ReplaceAll(header, `,"typ":"TYP"`, "")
	}
	if f.aud != "" {
		payload = strings.ReplaceAll(payload, `"aud":`, `"`+f.aud+`":`)
	}
	return b64(strings.NewReplacer("KID", f.kid, "TYP", f.typ).Replace(header)) + "." + b64(payload)
}

func (f *forger) sign(signed string) string {
	return signed + "." + b64(string(ed25519.Sign(f.raw, []byte(signed))))
}

// payload is that of an honest token, with more members in front of its own.
func (f *forger) payload(more string) string { return "{" + more + f.says().text(f)[1:] }

func (f *forger) honest() string { return f.token(goodHeader, f.payload("")) }

// part replaces segment n of an honest token.
func (f *forger) part(n int, change func(string) string) string {
	parts := strings.Split(f.honest(), ".")
	parts[n] = change(parts[n])
	return strings.Join(parts, ".")
}

// mac is a token under HS256 with a secret that everybody knows.
func (f *forger) mac(secret []byte) string {
	signed := f.unsigned(`{"alg":"HS256","kid":"KID","typ":"TYP"}`, f.payload(""))
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(signed))
	return signed + "." + b64(string(h.Sum(nil)))
}

// forgery makes a hostile token.
type forgery = func(*forger) string

// hostileTokens are the rows of the attack table that a single token can be, by their number. All of them are as good
// as the forger can make them, but for what their name says.
func hostileTokens() map[string]forgery {
	all := hostileHeaders()
	for _, more := range []map[string]forgery{hostileForms(), hostileTexts(), hostileClaims()} {
		maps.Copy(all, more)
	}
	return all
}

func underHeader(text string) forgery {
	return func(f *forger) string { return f.token(text, f.payload("")) }
}

func hostileHeaders() map[string]forgery {
	unsigned := func(alg string) forgery {
		return func(f *forger) string {
			return f.unsigned(`{"alg":"`+alg+`","kid":"KID","typ":"TYP"}`, f.payload("")) + "."
		}
	}
	kid := func(literal string) forgery { return underHeader(`{"alg":"EdDSA","kid":` + literal + `,"typ":"TYP"}`) }
	alg := func(name string) forgery { return underHeader(`{"alg":"` + name + `","kid":"KID","typ":"TYP"}`) }
	typ := func(name string) forgery { return underHeader(`{"alg":"EdDSA","kid":"KID","typ":"` + name + `"}`) }
	more := func(member string) forgery {
		return underHeader(`{"alg":"EdDSA","kid":"KID","typ":"TYP",` + member + `}`)
	}
	return map[string]forgery{
		"01 alg none":          unsigned("none"),
		"01 alg nOnE":          unsigned("nOnE"),
		"01 alg NONE":          unsigned("NONE"),
		"02 alg absent":        underHeader(`{"kid":"KID","typ":"TYP"}`),
		"02 alg none, signed":  alg("none"),
		"02 alg HS256, signed": alg("HS256"),
		"02 alg ES256, signed": alg("ES256"),
		"03 public key as MAC": func(f *forger) string { return f.mac(f.raw[32:]) },
		"03 JWK as MAC": func(f *forger) string {
			return f.mac([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(f.raw[32:])) + `"}`))
		},
		"04 alg PS256":    alg("PS256"),
		"06 alg ES384":    alg("ES384"),
		"07 kid path":     kid(`"../../dev/null"`),
		"07 kid SQL":      kid(`"' OR 1=1--"`),
		"07 kid of 2 KiB": kid(`"` + strings.Repeat("k", 2048) + `"`),
		"07 kid NUL":      kid(`"a\u0000"`),
		"07 kid number":   kid(`7`),
		"08 kid absent":   underHeader(`{"alg":"EdDSA","typ":"TYP"}`),
		"09 kid of another": func(f *forger) string {
			return f.token(strings.ReplaceAll(goodHeader, "KID", f.w.key("mallory").Public().Thumbprint()), f.payload(""))
		},
		"10 jku":                more(`"jku":"https://evil.example/jwks"`),
		"10 x5u":                more(`"x5u":"https://evil.example/chain"`),
		"10 jwk":                more(`"jwk":{"kty":"OKP"}`),
		"10 x5c":                more(`"x5c":["AA"]`),
		"11 crit":               more(`"crit":["exp"]`),
		"11 crit empty":         more(`"crit":[]`),
		"11 crit names nothing": more(`"crit":["absent"]`),
		"12 b64 false":          more(`"b64":false`),
		"12 b64 false and crit": more(`"b64":false,"crit":["b64"]`),
		"12 b64 text":           more(`"b64":"x"`),
		"13 zip":                more(`"zip":"DEF"`),
		"13 nested": func(f *forger) string {
			return f.token(`{"alg":"EdDSA","kid":"KID","typ":"TYP","cty":"JWT"}`, f.honest())
		},
		"13 nested, unsaid":     func(f *forger) string { return f.token(goodHeader, f.honest()) },
		"17 alg twice":          underHeader(`{"alg":"none","alg":"EdDSA","kid":"KID","typ":"TYP"}`),
		"17 kid twice":          underHeader(`{"alg":"EdDSA","kid":"x","kid":"KID"}`),
		"17 kid twice, and typ": more(`"kid":"x"`),
		"37 typ JWT":            typ("JWT"),
		"37 typ of DPoP":        typ("dpop+jwt"),
		"37 typ of a logout":    typ("logout+jwt"),
		"37 typ of an identity": typ("wit+jwt"),
		"37 typ in other case":  func(f *forger) string { return typ(strings.ToUpper(f.typ))(f) },
		"38 proof of a caller":  typ("wpt+jwt"),
		"38 proof of nobody":    typ("parley-x+jwt"),
	}
}

func hostileForms() map[string]forgery {
	json := func(form string) forgery {
		return func(f *forger) string {
			s := strings.Split(f.honest(), ".")
			return strings.NewReplacer("H", s[0], "P", s[1], "S", s[2]).Replace(form)
		}
	}
	part := func(n int, change func(string) string) forgery {
		return func(f *forger) string { return f.part(n, change) }
	}
	with := func(text string) func(string) string { return func(string) string { return text } }
	return map[string]forgery{
		"05 63-byte signature":   part(2, func(s string) string { return s[:84] }),
		"05 65-byte signature":   part(2, func(s string) string { return s[:85] + "AA" }),
		"05 zero signature":      part(2, with(strings.Repeat("A", 86))),
		"14 JWE":                 func(f *forger) string { return f.honest() + ".AAAA.AAAA" },
		"15 flattened JSON":      json(`{"protected":"H","payload":"P","signature":"S"}`),
		"16 general JSON":        json(`{"payload":"P","signatures":[{"protected":"AA","signature":"AA"},{"protected":"H","signature":"S"}]}`),
		"44 padding":             part(1, func(s string) string { return s + "=" }),
		"44 other alphabet":      part(2, with(strings.Repeat("+/", 43))),
		"44 letter outside":      part(0, func(s string) string { return s[:4] + "!" + s[4:] }),
		"44 spare bits":          part(2, spareBits),
		"46 one segment":         func(f *forger) string { return strings.Split(f.honest(), ".")[1] },
		"46 two segments":        func(f *forger) string { s := f.honest(); return s[:strings.LastIndexByte(s, '.')] },
		"46 four segments":       func(f *forger) string { return f.honest() + ".AA" },
		"46 empty segment":       part(1, with("")),
		"48 signature of nobody": part(2, with(strings.Repeat("B", 85)+"A")),
	}
}

// spareBits writes the same 64 bytes in other letters: the last one has four bits that mean nothing.
func spareBits(signature string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(signature) - 1
	return signature[:last] + string(letters[strings.IndexByte(letters, signature[last])|1])
}

func hostileTexts() map[string]forgery {
	more := func(text string) forgery {
		return func(f *forger) string { return f.token(goodHeader, f.payload(text)) }
	}
	behind := func(text string) forgery {
		return func(f *forger) string { return f.token(goodHeader, f.payload("")+text) }
	}
	whole := func(text string) forgery {
		return func(f *forger) string { return f.token(goodHeader, text) }
	}
	return map[string]forgery{
		"18 aud twice":      more(`"aud":"evil","aud":"spiffe://shop.example/payments",`),
		"18 iss twice":      more(`"iss":"evil",`),
		"18 exp twice":      more(`"exp":1,`),
		"18 twice below":    more(`"cnf":{"a":1,"a":2},`),
		"19 EXP beside exp": more(`"EXP":1,`),
		"20 object behind":  behind(`{}`),
		"20 comma behind":   behind(`,`),
		"20 NUL behind":     behind("\x00"),
		"21 null":           whole(`null`),
		"21 blank":          whole(` `),
		"21 array":          func(f *forger) string { return f.token(goodHeader, "["+f.payload("")+"]") },
		"21 empty object":   whole(`{}`),
		"43 17 levels":      more(`"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `,`),
		"43 2,000 levels":   more(`"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `,`),
		"43 65 members":     more(`"a":{` + sixtyFiveMembers() + `},`),
		"45 invalid UTF-8":  more("\"a\":\"\xff\","),
		"45 lone surrogate": more(`"a":"\ud800",`),
		"45 NUL":            more(`"a":"\u0000",`),
	}
}

func sixtyFiveMembers() string {
	var members []string
	for n := range 65 {
		members = append(members, `"`+string(rune('A'+n/10))+string(rune('0'+n%10))+`":0`)
	}
	return strings.Join(members, ",")
}

func hostileClaims() map[string]forgery {
	says := func(change claims) forgery {
		return func(f *forger) string { return f.token(goodHeader, f.says().with(change).text(f)) }
	}
	exp := func(literal string) forgery { return says(claims{"exp": json.RawMessage(literal)}) }
	aud := func(value any) forgery { return says(claims{"aud": value}) }
	const us, them = "spiffe://shop.example/payments", "spiffe://shop.example/ledger"
	fifty := make([]string, 50)
	for n := range fifty {
		fifty[n] = us
	}
	return map[string]forgery{
		"19 EXP alone":                 says(claims{"exp": nil, "EXP": in(time.Minute)}),
		"22 exp missing":               says(claims{"exp": nil}),
		"22 iat missing":               says(claims{"iat": nil}),
		"23 exp 0":                     exp(`0`),
		"23 exp 0.5":                   exp(`0.5`),
		"24 exp in digits":             exp(`"1893456000"`),
		"24 exp in words":              exp(`"2030-01-01T00:00:00Z"`),
		"25 exp 1e18":                  exp(`1e18`),
		"25 exp in the year 10000":     exp(`253402300800`),
		"26 exp null":                  exp(`null`),
		"26 exp true":                  exp(`true`),
		"26 exp negative":              exp(`-1`),
		"26 exp 1e300":                 exp(`1e300`),
		"26 exp 2^63-1":                exp(`9223372036854775807`),
		"28 an hour and a second":      says(claims{"exp": in(time.Hour + time.Second)}),
		"32 aud with a slash behind":   aud(us + "/"),
		"32 aud in other case":         aud("spiffe://shop.example/PAYMENTS"),
		"32 aud that begins like it":   aud(us + "2"),
		"32 aud that ends like it":     aud("x" + us),
		"33 aud in an empty list":      aud([]string{}),
		"33 aud in a mixed list":       aud([]any{us, 1}),
		"33 aud in a list with null":   aud([]any{nil, us}),
		"33 aud in an object":          aud(map[string]string{"a": us}),
		"34 aud in a list of two":      aud([]string{us, them}),
		"34 aud in a list of 50":       aud(fifty),
		"35 iss missing":               says(claims{"iss": nil}),
		"35 iss with a slash behind":   func(f *forger) string { return says(claims{"iss": f.says()["iss"].(string) + "/"})(f) },
		"35 iss in other case":         func(f *forger) string { return says(claims{"iss": strings.ToUpper(f.says()["iss"].(string))})(f) },
		"35 iss in a list":             func(f *forger) string { return says(claims{"iss": []any{f.says()["iss"]}})(f) },
		"36 sub missing":               says(claims{"sub": nil}),
		"36 sub empty":                 says(claims{"sub": ""}),
		"36 sub of another":            says(claims{"sub": "spiffe://shop.example/mallory"}),
		"39 aud of another server":     aud(them),
		"39 aud of another, in a list": aud([]string{them}),
	}
}
