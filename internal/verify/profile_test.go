package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// signatory signs any header and any payload with the key of the issuer login, which is known by two names.
type signatory struct {
	raw  ed25519.PrivateKey
	jwk  string
	keys verify.Keys
	ref  reference
}

const kid = "2026-11"

func newSignatory(t testing.TB) *signatory {
	t.Helper()
	raw := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{'k'}, ed25519.SeedSize))
	public := raw.Public().(ed25519.PublicKey)
	jwk := `{"kty":"OKP","crv":"Ed25519","kid":"` + kid + `","x":"` + b64(string(public)) + `"}`
	set := keyset.Static([]byte(`{"keys":[` + jwk + `]}`))
	t.Cleanup(func() { _ = set.Close() })
	return &signatory{
		raw: raw, jwk: jwk, keys: verify.IssuerKeys(set),
		ref: reference{login, payments, map[string]ed25519.PublicKey{kid: public}, 30 * time.Second},
	}
}

var relative = regexp.MustCompile(`NOW(-?[0-9]{1,6})`)

// timely replaces each NOW with a number behind it by the second that lies as many seconds ahead.
func timely(text string) string {
	now := time.Now().Unix()
	return relative.ReplaceAllStringFunc(text, func(found string) string {
		after, _ := strconv.ParseInt(found[len("NOW"):], 10, 64) // the pattern is a number
		return strconv.FormatInt(now+after, 10)
	})
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func (s *signatory) sign(header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(string(ed25519.Sign(s.raw, []byte(signed))))
}

// profile is that of the issuer with some look.
func (s *signatory) profile(look profile.Profile) *verify.Profile {
	p := &verify.Profile{Profile: look, Name: login, Keys: s.keys, Audiences: []string{payments}}
	p.Profile = p.WithDefaults()
	return p
}

// verdict says what comes of a token.
func (s *signatory) verdict(t testing.TB, p *verify.Profile, compact string) (*verify.Token, error) {
	t.Helper()
	token, err := jose.ParseForm(compact, p.Form())
	if err != nil {
		return nil, err
	}
	return verify.CheckToken(t.Context(), p, token, compact, nil)
}

// random makes headers, payloads and profiles of what is likely to matter.
type random struct{ *rand.Rand }

func (r random) oneOf(texts ...string) string { return texts[r.IntN(len(texts))] }

// rarely is mostly the first text, and sometimes one of the others.
func (r random) rarely(honest string, others ...string) string {
	if r.IntN(12) > 0 {
		return honest
	}
	return r.oneOf(others...)
}

func (r random) header() string {
	members := []string{
		`"alg":` + r.rarely(`"EdDSA"`, `"none"`, `"Ed25519"`, `"ES256"`, `7`),
		`"kid":` + r.rarely(`"`+kid+`"`, `"other"`, `""`, `1`),
		`"typ":` + r.oneOf(
			`"at+jwt"`,
			`"at+jwt"`,
			`"JWT"`,
			`"AT+JWT"`,
			`"application/at+jwt"`,
			`"logout+jwt"`,
			`""`,
			`null`,
		),
	}
	members = append(
		members,
		r.rarely("", `"x5t":"AA"`, `"crit":["exp"]`, `"b64":false`, `"jku":"https://evil.example"`, `"cty":"JWT"`,
			`"JWK":{}`, `"pi.atm":7`, `"kid":"`+kid+`"`, `"KID":"x"`),
	)
	if r.IntN(8) == 0 {
		members[r.IntN(3)] = ""
	}
	return r.object(members)
}

func (r random) payload() string {
	at := func(after int64) string { return "NOW" + strconv.FormatInt(after, 10) }
	members := []string{
		`"iss":` + r.rarely(`"`+login+`"`, `"login.example"`, `"https://evil.example"`, `["`+login+`"]`, `null`),
		`"sub":` + r.rarely(`"alice"`, `""`, `7`, `"spiffe://shop.example/orders"`),
		`"aud":` + r.oneOf(
			`"`+payments+`"`,
			`"`+payments+`"`,
			`["`+payments+`"]`,
			`["x","`+payments+`"]`,
			`"x"`,
			`[]`,
			`{}`,
		),
		`"exp":` + r.rarely(at(600), at(-20), at(-60), at(7200), at(86400), `0`, `"`+at(60)+`"`, `1e99`, at(60)+".5"),
		`"iat":` + r.rarely(at(0), at(-60), at(20), at(3600), `null`, `"x"`),
		r.rarely(`"jti":"7"`, `"jti":""`, `"jti":7`, ``),
		r.rarely("", `"nbf":`+at(60), `"nbf":`+at(-60), `"nbf":"x"`, `"EXP":1`, `"Scope":"admin"`),
		r.rarely("", `"scope":"a b"`, `"scope":["a"]`, `"scope":7`, `"scope":"a  b"`, `"scp":["a","b c"]`),
		r.rarely("", `"nonce":"n"`, `"at_hash":"h"`, `"token_use":"access"`, `"client_id":"`+payments+`"`),
		r.rarely(
			"",
			`"a":{"b":1,"B":2}`,
			`"a":{"b":1,"b":2}`,
			`"a":{`+many(65)+`}`,
			`"a":{`+many(257)+`}`,
			`"a":"`+strings.Repeat("x", 9000)+`"`,
			`"a":`+strings.Repeat("[", 17)+strings.Repeat("]", 17),
			"\"a\":\"\xff\"",
			`"a":"\ud800"`,
		),
	}
	if r.IntN(8) == 0 {
		members[r.IntN(6)] = ""
	}
	return r.object(members) + r.rarely("", "x", "{}")
}

func many(n int) string {
	var members []string
	for i := range n {
		members = append(members, `"m`+strconv.Itoa(i)+`":0`)
	}
	return strings.Join(members, ",")
}

func (r random) object(members []string) string {
	members = slices.DeleteFunc(members, func(m string) bool { return m == "" })
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// pair makes two profiles, of which the second one opens more.
func pair(bits uint64) (narrow, wide profile.Profile) {
	// Two bits each: closed in both, open in the wide one, open in both.
	next := func() (inNarrow, inWide bool) {
		two := bits & 3
		bits >>= 2
		return two == 3, two > 0
	}
	yes := func(narrow, wide *bool) { *narrow, *wide = next() }
	yes(&narrow.TypeVariants, &wide.TypeVariants)
	yes(&narrow.OtherHeaders, &wide.OtherHeaders)
	yes(&narrow.NoKeyID, &wide.NoKeyID)
	yes(&narrow.BareIssuer, &wide.BareIssuer)
	yes(&narrow.NoIssuer, &wide.NoIssuer)
	yes(&narrow.CaseVariants, &wide.CaseVariants)
	yes(&narrow.NoIssuedAt, &wide.NoIssuedAt)
	narrow.AudienceText, wide.AudienceText = true, true
	if inNarrow, inWide := next(); inWide {
		narrow.AudienceText, wide.AudienceText = !inNarrow, false
	}
	open(next, &narrow.Types, &wide.Types, []string{"at+jwt"}, []string{"at+jwt", "JWT", profile.Untyped})
	open(next, &narrow.MaxLength, &wide.MaxLength, 8192, profile.MaxLength)
	open(next, &narrow.MaxMembers, &wide.MaxMembers, 64, profile.MaxMembers)
	open(next, &narrow.MaxLifetime, &wide.MaxLifetime, time.Hour, 24*time.Hour)
	open(next, &narrow.RequiredClaims, &wide.RequiredClaims, []string{"jti"}, []string{})
	open(next, &narrow.RefusedClaims, &wide.RefusedClaims, []string{"nonce", "at_hash"}, nil)
	open(next, &narrow.RequiredValues, &wide.RequiredValues, map[string]string{"token_use": "access"}, nil)
	open(next, &narrow.MaxAudiences, &wide.MaxAudiences, 1, 2)
	open(next, &narrow.ClockSkew, &wide.ClockSkew, -1, time.Minute)
	return narrow, wide
}

func open[T any](next func() (bool, bool), narrow, wide *T, closed, opened T) {
	*narrow, *wide = closed, closed
	inNarrow, inWide := next()
	if inNarrow {
		*narrow = opened
	}
	if inWide {
		*wide = opened
	}
}

// judge asks of one token what must hold of every one: the strict profile accepts nothing that the standards refuse,
// whoever opens more accepts more, and the explanation of a token says what becomes of it.
func (s *signatory) judge(t testing.TB, compact string, bits uint64) (accepted bool) {
	t.Helper()
	_, strictErr := s.verdict(t, s.profile(profile.Profile{}), compact)
	if err := s.ref.check(compact, time.Now()); strictErr == nil && err != nil {
		t.Fatalf("accepted, which the standards refuse for %v: %s", err, readable(compact))
	}
	narrow, wide := pair(bits)
	p, q := s.profile(narrow), s.profile(wide)
	byNarrow, narrowErr := s.verdict(t, p, compact)
	byWide, wideErr := s.verdict(t, q, compact)
	switch {
	case narrowErr == nil && wideErr != nil:
		t.Fatalf("%v\naccepts, and %v\nrefuses for %v: %s", narrow, wide, wideErr, readable(compact))
	case narrowErr == nil && (byNarrow.Subject != byWide.Subject || byNarrow.Issuer != byWide.Issuer):
		t.Fatalf("two principals: %s", readable(compact))
	}
	s.explained(t, p, compact, narrowErr)
	return narrowErr == nil || wideErr == nil
}

// explained compares an explanation with the verdict, and follows its advice.
func (s *signatory) explained(t testing.TB, p *verify.Profile, compact string, verdict error) {
	t.Helper()
	chosen, findings := verify.Explain(t.Context(), []*verify.Profile{p}, compact)
	better := *p
	curable := chosen != nil
	passed := true
	for _, f := range findings {
		if f.Err == nil || f.Check == "user" {
			continue
		}
		passed = false
		curable = curable && len(f.Remedies) > 0
		for _, remedy := range f.Remedies {
			remedy.Apply(&better)
		}
	}
	if passed != (verdict == nil) {
		t.Fatalf("explained as %v, and the verdict is %v: %s", findings, verdict, readable(compact))
	}
	if !curable {
		return
	}
	if _, err := s.verdict(t, &better, compact); err != nil {
		t.Fatalf("with every remedy of %v it is refused for %v: %s", findings, err, readable(compact))
	}
}

func readable(compact string) string {
	var parts []string
	for segment := range strings.SplitSeq(compact, ".") {
		text, _ := base64.RawURLEncoding.DecodeString(segment)
		parts = append(parts, strconv.Quote(string(text)))
	}
	return strings.Join(parts, " ")
}

func TestProfilesOfRandomTokens(t *testing.T) {
	s := newSignatory(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 14))}
	accepted := 0
	tokens := rounds.Of(1000)
	for range tokens {
		if s.judge(t, s.sign(r.header(), timely(r.payload())), r.Uint64()) {
			accepted++
		}
	}
	if accepted < tokens/100 {
		t.Errorf("only %d of %d were accepted, which shows nothing", accepted, tokens)
	}
}

// FuzzProfile asks the same of any header and payload, and of what any bytes after them make of a token.
func FuzzProfile(f *testing.F) {
	s := newSignatory(f)
	r := random{rand.New(rand.NewPCG(14, 14))}
	for range 40 {
		f.Add(r.header(), r.payload(), "", r.Uint64())
	}
	f.Add(`{"alg":"EdDSA","kid":"2026-11","typ":"at+jwt"}`, `{}`, "=", uint64(0))
	f.Fuzz(func(t *testing.T, header, payload, behind string, bits uint64) {
		if text, err := json.Marshal(header); err != nil || len(text) > 4096 {
			return
		}
		s.judge(t, s.sign(header, timely(payload))+behind, bits)
	})
}
