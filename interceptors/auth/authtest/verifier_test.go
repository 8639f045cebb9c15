package authtest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/authtest"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// lapse is one thing that a careless verifier does not do.
type lapse string

// verifier is written by hand, step by step, so that each step can be left out.
type verifier struct {
	trust authtest.Trust
	keys  map[string]ed25519.PublicKey
	lapse lapse
}

func newVerifier(trust authtest.Trust, lapses ...lapse) *verifier {
	v := &verifier{trust: trust, keys: map[string]ed25519.PublicKey{}}
	if len(lapses) > 0 {
		v.lapse = lapses[0]
	}
	sets := [][]byte{trust.JWKS}
	if v.lapse == "one set for all issuers" {
		sets = append(sets, trust.OtherJWKS)
	}
	for _, set := range sets {
		var jwks struct{ Keys []struct{ Kid, X string } }
		if err := json.Unmarshal(set, &jwks); err != nil {
			panic(err)
		}
		for _, key := range jwks.Keys {
			v.keys[key.Kid], _ = base64.RawURLEncoding.DecodeString(key.X)
		}
	}
	return v
}

var errRefused = errors.New("refused")

func refuseIf(bad bool) error {
	if bad {
		return errRefused
	}
	return nil
}

func (v *verifier) check(_ context.Context, token string) error {
	if v.lapse == "panics on short input" {
		_ = token[10]
	}
	if len(token) > jose.MaxTokenLength && v.lapse != "reads everything" {
		return errRefused
	}
	if v.lapse == "reads everything" {
		token = token[:min(len(token), strings.LastIndexByte(token, '.')+87)]
	}
	if v.lapse == "trims space" {
		token = strings.TrimSpace(token)
	}
	if v.lapse == "takes JSON" && strings.HasPrefix(token, `{"protected"`) {
		var flat struct{ Protected, Payload, Signature string }
		if json.Unmarshal([]byte(token), &flat) == nil {
			token = flat.Protected + "." + flat.Payload + "." + flat.Signature
		}
	}
	parts := strings.Split(token, ".")
	if v.lapse == "overlooks further segments" && len(parts) > 3 {
		parts = parts[:3]
	}
	if len(parts) != 3 || slices.Contains(parts[:2], "") {
		return errRefused
	}
	var texts [3]string
	for n, part := range parts {
		text, err := v.decode(part)
		if err != nil {
			return err
		}
		texts[n] = text
	}
	header, err := v.header(texts[0])
	if err != nil {
		return err
	}
	if err := v.signature(header, parts[0]+"."+parts[1], texts[2]); err != nil {
		return err
	}
	return v.claims(texts[1])
}

func (v *verifier) decode(part string) (string, error) {
	encoding := base64.RawURLEncoding.Strict()
	if v.lapse == "decodes loosely" {
		encoding, part = base64.RawURLEncoding, strings.TrimRight(strings.NewReplacer("\r", "", "\n", "").Replace(part), "=")
	} else if strings.ContainsAny(part, "\r\n") {
		return "", errRefused
	}
	text, err := encoding.DecodeString(part)
	return string(text), err
}

type header struct {
	Alg, Kid, Typ string
	JWK           struct{ X string }
}

func (v *verifier) header(text string) (h header, err error) {
	loose := map[lapse]bool{"believes a key in the header": true, "overlooks header members": true, "takes the last of two header members": true}
	claims, err := strictjson.Read([]byte(text))
	switch {
	case loose[v.lapse]:
	case err != nil:
		return h, err
	case len(claims.Names()) != 3 || !claims.Has("alg") || !claims.Has("kid") || !claims.Has("typ"):
		return h, errRefused
	}
	if v.lapse == "overlooks header members" && err != nil {
		return h, err // it is strict otherwise
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return h, err
	}
	return h, refuseIf(h.Typ != v.trust.Type && v.lapse != "does not look at typ")
}

func (v *verifier) signature(h header, signed, signature string) error {
	key := v.keys[h.Kid]
	if v.lapse == "believes a key in the header" && h.JWK.X != "" {
		key, _ = base64.RawURLEncoding.DecodeString(h.JWK.X)
	}
	switch {
	case v.lapse == "accepts alg none" && strings.EqualFold(h.Alg, "none"):
		return nil
	case v.lapse == "takes the public key for a secret" && h.Alg == "HS256":
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(signed))
		return refuseIf(string(mac.Sum(nil)) != signature)
	case v.lapse == "takes any key" && key == nil:
		for _, other := range v.keys {
			key = other
		}
	}
	if key == nil || h.Alg != "EdDSA" && v.lapse != "does not compare alg with the key" {
		return errRefused
	}
	if v.lapse == "checks no signature" {
		return nil
	}
	return refuseIf(!ed25519.Verify(key, []byte(signed), []byte(signature)))
}

// claims checks the payload. A careless reader is one that makes strict JSON of what it reads.
func (v *verifier) claims(text string) error {
	switch v.lapse {
	case "reads JSON loosely", "takes the last of two claims":
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return err
		}
		text = remarshal(object)
	case "overlooks what follows the payload":
		var object json.RawMessage
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&object); err != nil {
			return err
		}
		text = string(object)
	case "is deaf to case in names":
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return err
		}
		for name, value := range object {
			delete(object, name)
			object[strings.ToLower(name)] = value
		}
		text = remarshal(object)
	}
	c, err := strictjson.Read([]byte(text))
	if err != nil {
		return err
	}
	return errors.Join(v.names(c), v.times(c))
}

func remarshal(object map[string]any) string {
	for name, value := range object {
		if _, deep := value.([]any); deep && name == "a" {
			delete(object, name) // what is too deep for a strict reader
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (v *verifier) names(c *strictjson.Object) error {
	iss, _ := c.String("iss")
	sub, _ := c.String("sub")
	if v.lapse == "trims the issuer" {
		iss = strings.TrimSuffix(iss, "/")
	}
	means := func(a string) bool {
		return a == v.trust.Audience || v.lapse == "compares the audience by its beginning" && strings.HasPrefix(a, v.trust.Audience)
	}
	audience, ok := c.Strings("aud")
	good := ok && len(audience) == 1 && means(audience[0])
	switch v.lapse {
	case "does not look at aud":
		good = true
	case "takes any of many audiences":
		good = ok && slices.ContainsFunc(audience, means)
	case "takes no audience for any":
		good = good || !c.Has("aud")
	}
	return errors.Join(refuseIf(!good),
		refuseIf(iss != v.trust.Issuer && v.lapse != "does not look at iss"),
		refuseIf(sub != v.trust.Subject && v.lapse != "does not look at sub"))
}

func (v *verifier) times(c *strictjson.Object) error {
	exp, there, err := c.NumericDate("exp")
	iat, issued, iatErr := c.NumericDate("iat")
	nbf, _, nbfErr := c.NumericDate("nbf")
	switch {
	case v.lapse == "demands no exp" && !there,
		v.lapse == "takes exp 0 for never" && err != nil && c.Has("exp"):
		return nil
	case err != nil || iatErr != nil || nbfErr != nil || !there || !issued:
		return errRefused
	}
	skew, now := v.trust.ClockSkew, time.Now()
	if v.lapse == "knows no skew" {
		skew = 0
	}
	return errors.Join(
		refuseIf(!now.Before(exp.Add(skew)) && v.lapse != "does not look at exp"),
		refuseIf(iat.After(now.Add(skew)) && v.lapse != "does not look at iat"),
		refuseIf(nbf.After(now.Add(skew)) && v.lapse != "does not look at nbf"),
		refuseIf(exp.Sub(iat) > v.trust.MaxLifetime && v.lapse != "takes any lifetime"))
}
