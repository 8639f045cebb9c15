package authtest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// Trust is what a verifier under test has to be told.
type Trust struct {
	// Issuer is the one issuer of tokens, as they name it in iss.
	Issuer string
	// JWKS are the issuer's public keys, as a JSON Web Key Set.
	JWKS []byte
	// Other is a second issuer, with keys of its own, for verifiers that trust several. Others leave it out.
	Other string
	// OtherJWKS are the keys of the second issuer.
	OtherJWKS []byte
	// Audience is the one that tokens must be meant for.
	Audience string
	// Subject is the one whom the issuers may vouch for: tokens that name anybody else are bad.
	Subject string
	// Type is the only typ of the header that is accepted.
	Type string
	// MaxLifetime is the longest exp - iat that is accepted.
	MaxLifetime time.Duration
	// ClockSkew is how far clocks may be off.
	ClockSkew time.Duration
}

// Issuer makes tokens, honest and hostile ones, by keys that everybody knows. It is safe for concurrent use.
type Issuer struct {
	trust                     Trust
	key, other, stranger      ed25519.PrivateKey
	kid, otherKid, strangeKid string
}

// NewIssuer returns the issuer.
func NewIssuer() *Issuer {
	i := &Issuer{trust: Trust{
		Issuer: "https://id.shop.example", Other: "https://id.other.example", Type: "at+jwt",
		Audience: "spiffe://shop.example/payments", Subject: "spiffe://shop.example/orders",
		MaxLifetime: time.Hour, ClockSkew: 30 * time.Second,
	}}
	i.key, i.kid, i.trust.JWKS = newKey('i')
	i.other, i.otherKid, i.trust.OtherJWKS = newKey('o')
	i.stranger, i.strangeKid, _ = newKey('s')
	return i
}

// newKey makes a key from a seed that is one letter, its name and its JWKS.
func newKey(seed byte) (key ed25519.PrivateKey, kid string, jwks []byte) {
	key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	members := `"kty":"OKP","crv":"Ed25519","x":"` + encode(string(key[ed25519.SeedSize:])) + `"`
	public, err := jose.ParsePublicKey([]byte("{" + members + "}"))
	if err != nil {
		panic("authtest: " + err.Error()) // the seeds are constants
	}
	kid = public.Thumbprint()
	return key, kid, []byte(`{"keys":[{"alg":"EdDSA","use":"sig","kid":"` + kid + `",` + members + `}]}`)
}

// Trust is what a verifier must know to accept the honest tokens of the issuer.
func (i *Issuer) Trust() Trust {
	trust := i.trust
	trust.JWKS, trust.OtherJWKS = bytes.Clone(trust.JWKS), bytes.Clone(trust.OtherJWKS)
	return trust
}

// Token signs an honest token for 10 minutes from now.
func (i *Issuer) Token() string { return i.sign(i.honestHeader(), i.claims(nil)) }

func (i *Issuer) honestHeader() string { return i.header("EdDSA", i.kid, i.trust.Type) }

func (i *Issuer) header(alg, kid, typ string) string {
	return `{"alg":"` + alg + `","kid":"` + kid + `","typ":"` + typ + `"}`
}

// claims is the text of honest claims. Change replaces some by what stands there as JSON; an empty text takes one out.
func (i *Issuer) claims(change map[string]string) string {
	said := map[string]string{
		"iss": jsonText(i.trust.Issuer), "sub": jsonText(i.trust.Subject), "aud": jsonText(i.trust.Audience),
		"iat": at(0), "exp": at(10 * time.Minute), "jti": `"1"`,
	}
	maps.Copy(said, change)
	var members []string
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if said[name] != "" {
			members = append(members, jsonText(name)+":"+said[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// at is a NumericDate from now on.
func at(after time.Duration) string { return number(time.Now().Add(after).Unix()) }

func number(n int64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func jsonText(text string) string {
	quoted, _ := json.Marshal(text) // a string is always JSON
	return string(quoted)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func (i *Issuer) sign(header, payload string) string { return signBy(i.key, header, payload) }

func signBy(key ed25519.PrivateKey, header, payload string) string {
	signed := encode(header) + "." + encode(payload)
	return signed + "." + encode(string(ed25519.Sign(key, []byte(signed))))
}
