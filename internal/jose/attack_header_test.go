package jose_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestAttack01NoneAlgorithm(t *testing.T) {
	f := newForger(t)
	var attacks []attack
	for _, alg := range []string{"none", "nOnE", "NONE", "None"} {
		signed := b64(f.header(`{"alg":"`+alg+`","kid":KID,"typ":"at+jwt"}`)) + "." + b64(`{"sub":"a"}`)
		attacks = append(attacks,
			attack{alg + " without a signature", signed + ".", jose.ReasonSegments},
			attack{alg + " without a third segment", signed, jose.ReasonSegments},
			attack{alg + " with a signature", f.sign(signed), jose.ReasonAlgorithm})
	}
	f.refuses(t, attacks)
}

func TestAttack02AlgorithmIsNotTheKeys(t *testing.T) {
	f := newForger(t)
	attacks := []attack{
		{"absent", f.token(`{"kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
		{"absent, another in its place", f.token(`{"kid":KID,"typ":"at+jwt","x":"EdDSA"}`, `{}`), jose.ReasonHeader},
		{"a number", f.token(`{"alg":1,"kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
		{"null", f.token(`{"alg":null,"kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
	}
	for _, alg := range []string{"none", "HS256", "ES256", "ES256K", "Ed448", "eddsa", "ed25519", "EdDSA ", ""} {
		attacks = append(
			attacks,
			attack{"alg " + alg, f.token(`{"alg":"`+alg+`","kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonAlgorithm},
		)
	}
	for alg, length := range map[string]int{"ES384": 96, "RS256": 256, "PS256": 1024} {
		header := b64(f.header(`{"alg":"` + alg + `","kid":KID,"typ":"at+jwt"}`))
		attacks = append(
			attacks,
			attack{"alg " + alg, f.sign(header + "." + b64(`{}`)), jose.ReasonSignature}, // it is too short for that
			attack{
				"alg " + alg + " at its length",
				header + "." + b64(`{}`) + "." + b64(strings.Repeat("a", length)),
				jose.ReasonAlgorithm,
			},
		)
	}
	f.refuses(t, attacks)
}

func TestAttack03PublicKeyAsSharedSecret(t *testing.T) {
	f := newForger(t)
	mac := func(secret []byte) string {
		signed := b64(f.header(`{"alg":"HS256","kid":KID,"typ":"at+jwt"}`)) + "." + b64(`{}`)
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(signed))
		return signed + "." + b64(string(h.Sum(nil)))
	}
	jwk, err := f.public.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	f.refuses(t, []attack{
		{"raw key", mac(f.raw[32:]), jose.ReasonAlgorithm},
		{"JWK", mac(jwk), jose.ReasonAlgorithm},
	})
}

func TestAttack04OtherSchemeOfTheSameFamily(t *testing.T) {
	f := newForger(t)
	f.refuses(t, []attack{
		{"Ed25519ph", f.token(`{"alg":"Ed25519ph","kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonAlgorithm},
		{"Ed25519ctx", f.token(`{"alg":"Ed25519ctx","kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonAlgorithm},
	})
}

func TestAttack07KeyID(t *testing.T) {
	f := newForger(t)
	kid := func(literal string) string {
		return f.token(`{"alg":"EdDSA","kid":`+literal+`,"typ":"at+jwt"}`, `{}`)
	}
	f.refuses(t, []attack{
		{"path", kid(`"../../dev/null"`), jose.ReasonKeyID},
		{"SQL", kid(`"' OR 1=1--"`), jose.ReasonKeyID},
		{"empty", kid(`""`), jose.ReasonKeyID},
		{"129 characters", kid(`"` + strings.Repeat("k", 129) + `"`), jose.ReasonKeyID},
		{"10 KiB", kid(`"` + strings.Repeat("k", 10240) + `"`), jose.ReasonSize},
		{"2 KiB", kid(`"` + strings.Repeat("k", 2048) + `"`), jose.ReasonHeader},
		{"NUL", kid(`"a\u0000"`), jose.ReasonHeader},
		{"line end", kid(`"a\n"`), jose.ReasonKeyID},
		{"not ASCII", kid(`"ключ"`), jose.ReasonKeyID},
		{"number", kid(`7`), jose.ReasonHeader},
		{"array", kid(`["a"]`), jose.ReasonHeader},
		{"null", kid(`null`), jose.ReasonHeader},
		{"prefix of the thumbprint", kid(`"` + f.public.Thumbprint()[:42] + `"`), jose.ReasonKeyID},
	})
}

func TestAttack08KeyIDAbsent(t *testing.T) {
	f := newForger(t)
	f.refuses(t, []attack{{"absent", f.token(`{"alg":"EdDSA","typ":"at+jwt"}`, `{}`), jose.ReasonHeader}})
}

func TestAttack10To13ExtraHeaderMembers(t *testing.T) {
	f := newForger(t)
	var attacks []attack
	for _, extra := range []string{
		`"jku":"https://evil.example/jwks"`, `"x5u":"https://evil.example/chain"`, `"jwk":{"kty":"OKP"}`, `"x5c":["AA"]`, `"x5t":"AA"`,
		`"crit":["exp"]`, `"crit":[]`, `"crit":["b64"]`, `"b64":false`, `"b64":"x"`, `"b64":true`, `"zip":"DEF"`, `"cty":"JWT"`, `"":""`,
	} {
		attacks = append(
			attacks,
			attack{extra, f.token(`{"alg":"EdDSA","kid":KID,"typ":"at+jwt",`+extra+`}`, `{}`), jose.ReasonHeader},
		)
	}
	nested := f.token(goodHeader, f.token(goodHeader, `{}`))
	attacks = append(attacks,
		attack{"crit in place of typ", f.token(`{"alg":"EdDSA","kid":KID,"crit":"typ"}`, `{}`), jose.ReasonHeader},
		attack{"nested JWS", nested, jose.ReasonClaims})
	f.refuses(t, attacks)
}

func TestAttack17DuplicateHeaderMember(t *testing.T) {
	f := newForger(t)
	f.refuses(t, []attack{
		{"alg", f.token(`{"alg":"none","alg":"EdDSA","kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
		{"alg for typ", f.token(`{"alg":"none","alg":"EdDSA","kid":KID}`, `{}`), jose.ReasonHeader},
		{"kid for typ", f.token(`{"alg":"EdDSA","kid":"x","kid":KID}`, `{}`), jose.ReasonHeader},
		{"escaped", f.token(`{"alg":"EdDSA","kid":KID,"\u006bid":KID}`, `{}`), jose.ReasonHeader},
		{"other case", f.token(`{"alg":"EdDSA","kid":KID,"KID_":"x","typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
		{"other case in place", f.token(`{"Alg":"EdDSA","kid":KID,"typ":"at+jwt"}`, `{}`), jose.ReasonHeader},
		{"Kelvin sign", f.token(`{"alg":"EdDSA","kid":KID,"`+"\u212a"+`id":"x"}`, `{}`), jose.ReasonHeader},
	})
}

func TestAttack37WrongType(t *testing.T) {
	f := newForger(t)
	var attacks []attack
	for _, other := range []string{"JWT", "dpop+jwt", "logout+jwt", "wit+jwt", "AT+JWT", "application/at+jwt", "at+jwt ", "", "at+jwtx"} {
		attacks = append(
			attacks,
			attack{other, f.token(`{"alg":"EdDSA","kid":KID,"typ":"`+other+`"}`, `{}`), jose.ReasonType},
		)
	}
	attacks = append(attacks, attack{"absent", f.token(`{"alg":"EdDSA","kid":KID}`, `{}`), jose.ReasonHeader})
	f.refuses(t, attacks)
}

// The kid of another issuer's token may be what an issuer's key may be called; that of Parley's own may not.
func TestAttack07KeyIDOfAnotherIssuer(t *testing.T) {
	f := newForger(t)
	foreign := jose.Form{Types: []string{"at+jwt"}, OtherHeaders: true}
	for kid, good := range map[string]bool{
		"https://shop.vault.azure.net/keys/a/" + strings.Repeat("k", 200): true,
		"Schlüssel 1":            true,
		strings.Repeat("k", 512): true,
		strings.Repeat("k", 513): false,
		"a\nb":                   false,
		"\u202egpj":              false,
		"":                       false,
	} {
		header, err := json.Marshal(map[string]string{"alg": "EdDSA", "kid": kid, "typ": "at+jwt"})
		if err != nil {
			t.Fatal(err)
		}
		compact := f.token(string(header), `{"sub":"a"}`)
		token, err := jose.ParseForm(compact, foreign)
		if (err == nil) != good {
			t.Errorf("%.20q: %v", kid, err)
		}
		if _, err := jose.Parse(compact, "at+jwt"); !errors.Is(err, jose.ReasonKeyID) {
			t.Errorf("%.20q is taken for a kid of Parley: %v", kid, err)
		}
		if good && !errors.Is(token.Within(jose.Form{Types: []string{"at+jwt"}}), jose.ReasonKeyID) {
			t.Errorf("%.20q is within the own form", kid)
		}
	}
}

// Names of members are compared byte for byte: TYP is a member that nobody knows, and whoever wrote it is told so.
func TestHeaderNamesInAnotherCase(t *testing.T) {
	f := newForger(t)
	foreign := jose.Form{Types: []string{"JWT"}, OtherHeaders: true}
	const (
		told  = "; the member of that name in another case is another member"
		other = "jose: header: a member other than alg, kid and typ"
	)
	own := jose.Form{Types: []string{"JWT"}}
	for name, test := range map[string]struct {
		header string
		form   jose.Form
		want   string // "" where the token is read
	}{
		"TYP":              {`{"alg":"EdDSA","kid":KID,"TYP":"JWT"}`, foreign, "jose: header: typ is missing" + told},
		"Kid":              {`{"alg":"EdDSA","Kid":KID,"typ":"JWT"}`, foreign, "jose: header: kid is missing" + told},
		"Alg":              {`{"Alg":"EdDSA","kid":KID,"typ":"JWT"}`, foreign, "jose: header: alg is missing" + told},
		"no typ at all":    {`{"alg":"EdDSA","kid":KID}`, foreign, "jose: header: typ is missing"},
		"Typ, strictly":    {`{"alg":"EdDSA","kid":KID,"Typ":"JWT"}`, own, other + told},
		"x5t, strictly":    {`{"alg":"EdDSA","kid":KID,"x5t":"a"}`, own, other},
		"TYP, any type":    {`{"alg":"EdDSA","kid":KID,"TYP":"JWT"}`, jose.Widest(), ""},
		"TYP beside typ":   {`{"alg":"EdDSA","kid":KID,"typ":"JWT","TYP":"JOSE"}`, foreign, "jose: header: duplicate member"},
		"CRIT is as hard":  {`{"alg":"EdDSA","kid":KID,"typ":"JWT","CRIT":["exp"]}`, foreign, "jose: header: member crit"},
		"TYP in its place": {`{"alg":"EdDSA","kid":KID,"TYP":"JWT"}`, jose.Form{Types: []string{""}, OtherHeaders: true}, ""},
	} {
		token, err := jose.ParseForm(f.token(test.header, `{"sub":"a"}`), test.form)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if name == "TYP, any type" {
			want := "jose: typ: not allowed here" + told
			if err := token.Within(foreign); err == nil || err.Error() != want {
				t.Errorf("within the form: %v, want %q", err, want)
			}
		}
	}
}
