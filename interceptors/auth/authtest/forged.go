package authtest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Attacks are all attacks, in the order of their rows: what can be made from an honest token without a key, and what
// only the issuer could sign, which shows the checks behind that of the signature. They are made now, and their times
// count from now.
func (i *Issuer) Attacks() []Attack {
	all := slices.Concat(i.honest(), WithoutKey(i.Token()), i.headers(), i.keys(), i.texts(), i.times(), i.names())
	slices.SortStableFunc(all, func(a, b Attack) int { return a.Row - b.Row })
	return all
}

func (i *Issuer) honest() []Attack {
	return []Attack{
		{0, "honest", i.Token(), true},
		{0, "honest, with claims that mean nothing here", i.says("env", `{"a":[1,true,null,{"b":"ä"}]}`), true},
	}
}

// says is an honest token but for one claim.
func (i *Issuer) says(name, value string) string {
	return i.sign(i.honestHeader(), i.claims(map[string]string{name: value}))
}

// headers are attacks by the header, each well signed over it.
func (i *Issuer) headers() []Attack {
	under := func(row int, name, header string) Attack {
		return Attack{row, name, i.sign(header, i.claims(nil)), false}
	}
	more := func(row int, member string) Attack {
		return under(row, member, strings.TrimSuffix(i.honestHeader(), "}")+","+member+"}")
	}
	typ := func(row int, typ string) Attack { return under(row, "typ "+typ, i.header("EdDSA", i.kid, typ)) }
	alg := func(row int, alg string) Attack {
		return under(row, "alg "+alg+" before a good signature", i.header(alg, i.kid, i.trust.Type))
	}
	kid := func(name, literal string) Attack {
		return under(7, name, `{"alg":"EdDSA","kid":`+literal+`,"typ":"`+i.trust.Type+`"}`)
	}
	return []Attack{
		under(2, "alg absent", `{"kid":"`+i.kid+`","typ":"`+i.trust.Type+`"}`),
		alg(2, "none"), alg(2, "HS256"), alg(2, "ES256"), alg(2, "RS256"), alg(2, "eddsa"), alg(4, "PS256"), alg(6, "ES384"),
		kid("kid is a path", `"../../dev/null"`), kid("kid is SQL", `"' OR 1=1--"`), kid("kid of 2 KiB", jsonText(strings.Repeat("k", 2048))),
		kid("kid with NUL", `"a\u0000"`), kid("kid is a number", `7`), kid("kid is a list", `["`+i.kid+`"]`),
		under(8, "kid absent", `{"alg":"EdDSA","typ":"`+i.trust.Type+`"}`),
		more(10, `"jku":"https://evil.example/jwks"`), more(10, `"x5u":"https://evil.example/chain"`), more(10, `"x5c":["AA"]`),
		more(11, `"crit":["exp"]`), more(11, `"crit":[]`), more(12, `"b64":false`), more(12, `"b64":false,"crit":["b64"]`), more(12, `"b64":"x"`),
		more(13, `"zip":"DEF"`), more(13, `"cty":"JWT"`),
		{13, "a token in a token", i.sign(i.honestHeader(), i.Token()), false},
		under(17, "alg twice", `{"alg":"none","alg":"EdDSA","kid":"`+i.kid+`","typ":"`+i.trust.Type+`"}`),
		under(17, "kid twice", `{"alg":"EdDSA","kid":"x","kid":"`+i.kid+`","typ":"`+i.trust.Type+`"}`),
		typ(37, "JWT"), typ(37, "dpop+jwt"), typ(37, "logout+jwt"), typ(37, "wit+jwt"), typ(37, "AT+JWT"), typ(38, "wpt+jwt"), typ(38, "parley-server+jwt"),
		under(37, "typ absent", `{"alg":"EdDSA","kid":"`+i.kid+`"}`),
	}
}

// keys are attacks by a key that is not the issuer's.
func (i *Issuer) keys() []Attack {
	said := i.claims(nil)
	public := string(i.key[len(i.key)-32:])
	return []Attack{
		{3, "public key as the secret of a MAC", mac([]byte(public), i.kid, said), false},
		{3, "key set as the secret of a MAC", mac(i.trust.JWKS, i.kid, said), false},
		{9, "key of the other issuer", signBy(i.other, i.header("EdDSA", i.otherKid, i.trust.Type), said), false},
		{9, "key of the other issuer under the issuer's kid", signBy(i.other, i.honestHeader(), said), false},
		{9, "iss of the other issuer", i.says("iss", jsonText(i.trust.Other)), false},
		{9, "key of nobody", signBy(i.stranger, i.header("EdDSA", i.strangeKid, i.trust.Type), said), false},
		{10, "key of nobody, which the header brings", signBy(i.stranger, `{"alg":"EdDSA","kid":"`+i.strangeKid+`","typ":"`+i.trust.Type+
			`","jwk":{"kty":"OKP","crv":"Ed25519","x":"`+encode(string(i.stranger[len(i.stranger)-32:]))+`"}}`, said), false},
		{48, "payload of another signature", splice(i.Token(), i.says("jti", `"2"`)), false},
	}
}

// splice puts the payload of one token between header and signature of another.
func splice(token, payloadOf string) string {
	s, p := strings.Split(token, "."), strings.Split(payloadOf, ".")
	return s[0] + "." + p[1] + "." + s[2]
}

// texts are attacks by JSON that two readers read in two ways.
func (i *Issuer) texts() []Attack {
	said := i.claims(nil)
	text := func(row int, name, payload string) Attack {
		return Attack{row, name, i.sign(i.honestHeader(), payload), false}
	}
	more := func(row int, name, member string) Attack { return text(row, name, "{"+member+","+said[1:]) }
	levels := func(n int) string { return `"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) }
	var members []string
	for n := range 65 {
		members = append(members, `"m`+strconv.Itoa(n)+`":0`)
	}
	return []Attack{
		more(18, "aud twice, the bad one first", `"aud":"evil"`), more(18, "exp twice, the bad one first", `"exp":1`),
		text(18, "aud twice, the good one first", strings.TrimSuffix(said, "}")+`,"aud":"evil"}`),
		more(18, "aud twice, once in escapes", `"\u0061ud":"evil"`),
		more(18, "twice in an object below", `"cnf":{"a":1,"a":2}`),
		more(19, "EXP beside exp", `"EXP":1`), more(19, "Aud beside aud", `"Aud":"evil"`),
		{19, "EXP alone", i.sign(i.honestHeader(), i.claims(map[string]string{"exp": "", "EXP": at(time.Minute)})), false},
		{19, "Aud alone", i.sign(i.honestHeader(), i.claims(map[string]string{"aud": "", "Aud": jsonText(i.trust.Audience)})), false},
		text(20, "object behind", said+`{}`), text(20, "text behind", said+` x`), text(20, "NUL behind", said+"\x00"),
		text(21, "null", `null`), text(21, "list", "["+said+"]"), text(21, "string", jsonText(said)), text(21, "empty object", `{}`), text(21, "blank", ` `),
		text(21, "half an object", strings.TrimSuffix(said, "}")),
		more(43, "17 levels", levels(17)), more(43, "2,500 levels", levels(2500)), more(43, "65 members", strings.Join(members, ",")),
		more(45, "invalid UTF-8", "\"a\":\"\xff\""), more(45, "lone surrogate", `"a":"\ud800"`), more(45, "NUL in a text", `"a":"\u0000"`),
	}
}

// times are attacks by exp, nbf and iat.
func (i *Issuer) times() []Attack {
	exp := func(row int, name, literal string) Attack { return Attack{row, name, i.says("exp", literal), false} }
	life := func(row int, name string, iat, exp time.Duration, good bool) Attack {
		return Attack{row, name, i.sign(i.honestHeader(), i.claims(map[string]string{"iat": at(iat), "exp": at(exp)})), good}
	}
	skew := i.trust.ClockSkew
	return []Attack{
		exp(22, "exp missing", ""),
		{22, "iat missing", i.says("iat", ""), false},
		exp(23, "exp 0", `0`), exp(23, "exp 0.5", `0.5`),
		exp(24, "exp in digits", jsonText(at(time.Minute))), exp(24, "exp in words", jsonText(time.Now().Add(time.Minute).UTC().Format(time.RFC3339))),
		exp(25, "exp 1e18", `1e18`), exp(25, "exp in the year 10000", `253402300800`),
		exp(26, "exp null", `null`), exp(26, "exp true", `true`), exp(26, "exp negative", `-1`), exp(26, "exp 1e300", `1e300`), exp(26, "exp 2^63-1", `9223372036854775807`),
		{27, "exp with a fraction", i.says("exp", at(time.Minute)+".75"), true},
		life(28, "a life that is too long", 0, i.trust.MaxLifetime+time.Second, false),
		life(29, "expired within the skew", -time.Minute, -skew+10*time.Second, true),
		life(29, "expired", -2*time.Minute, -skew-2*time.Second, false),
		life(30, "iat ahead within the skew", skew-time.Second, 2*time.Minute, true),
		life(30, "iat an hour ahead", time.Hour, time.Hour+time.Minute, false),
		{30, "nbf an hour ahead", i.says("nbf", at(time.Hour)), false},
		{30, "nbf in words", i.says("nbf", `"soon"`), false},
	}
}

// names are attacks by iss, sub and aud.
func (i *Issuer) names() []Attack {
	aud := func(row int, name, literal string) Attack { return Attack{row, name, i.says("aud", literal), false} }
	iss := func(name, literal string) Attack { return Attack{35, name, i.says("iss", literal), false} }
	sub := func(name, literal string) Attack { return Attack{36, name, i.says("sub", literal), false} }
	us := jsonText(i.trust.Audience)
	return []Attack{
		{31, "aud in a list of one", i.says("aud", "["+us+"]"), true},
		aud(32, "aud with a slash behind", jsonText(i.trust.Audience+"/")), aud(32, "aud in other case", jsonText(strings.ToUpper(i.trust.Audience))),
		aud(32, "aud that begins like it", jsonText(i.trust.Audience+"2")), aud(32, "aud that is the end of it", jsonText("payments")),
		aud(33, "aud missing", ""), aud(33, "aud in an empty list", `[]`), aud(33, "aud in a mixed list", "["+us+",1]"),
		aud(33, "aud in a list with null", "[null,"+us+"]"), aud(33, "aud in an object", `{"a":`+us+`}`), aud(33, "aud empty", `""`),
		aud(34, "50 audiences", "["+strings.Repeat(`"spiffe://shop.example/ledger",`, 49)+us+"]"),
		iss("iss missing", ""), iss("iss with a slash behind", jsonText(i.trust.Issuer+"/")), iss("iss in other case", jsonText(strings.ToUpper(i.trust.Issuer))),
		iss("iss in a list", "["+jsonText(i.trust.Issuer)+"]"),
		sub("sub missing", ""), sub("sub empty", `""`), sub("sub of somebody else", `"spiffe://other.example/orders"`),
		{39, "aud of another server", i.says("aud", `"spiffe://shop.example/ledger"`), false},
	}
}
