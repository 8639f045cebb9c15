package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// reference is what RFC 7515, RFC 7519 and the successor of RFC 8725 demand of an access token (RFC 9068), written to
// be read and not to be fast. It knows one issuer with Ed25519 keys, and judges as someone must who trusts it.
type reference struct {
	issuer, audience string
	keys             map[string]ed25519.PublicKey // by kid
	skew             time.Duration
}

// check returns why a token must be refused, and nil where the standards leave it to the profile.
func (r reference) check(compact string, now time.Time) error {
	segments := strings.Split(compact, ".")
	if len(segments) != 3 {
		return fmt.Errorf("%d segments", len(segments)) // RFC 7515 section 7.1
	}
	var decoded [3][]byte
	for n, segment := range segments {
		text, err := base64.RawURLEncoding.DecodeString(segment)
		if err != nil || base64.RawURLEncoding.EncodeToString(text) != segment || len(text) == 0 {
			return fmt.Errorf("segment %d is no base64url, or not the only way to write it", n) // RFC 7515 section 2
		}
		decoded[n] = text
	}
	header, err := uniqueObject(decoded[0])
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, name := range []string{"crit", "b64", "zip"} { // RFC 7515 section 4.1.11, RFC 7797: understood by nobody here
		if _, ok := header[name]; ok {
			return errors.New(name)
		}
	}
	if alg := header["alg"]; alg != "EdDSA" && alg != "Ed25519" {
		return errors.New("alg is not the key's") // RFC 8725 section 3.1
	}
	typ, _ := header["typ"].(string)
	if typ = strings.ToLower(typ); typ != "at+jwt" && typ != "application/at+jwt" {
		return errors.New("typ") // RFC 9068 section 4
	}
	kid, _ := header["kid"].(string)
	if key := r.keys[kid]; key == nil || !ed25519.Verify(key, []byte(segments[0]+"."+segments[1]), decoded[2]) {
		return errors.New("signature")
	}
	claims, err := uniqueObject(decoded[1])
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return r.checkClaims(claims, now)
}

func (r reference) checkClaims(claims map[string]any, now time.Time) error {
	if claims["iss"] != r.issuer {
		return errors.New("iss") // RFC 8725 section 3.8
	}
	if sub, _ := claims["sub"].(string); sub == "" {
		return errors.New("sub")
	}
	meant := claims["aud"] == r.audience // RFC 7519 section 4.1.3
	if list, ok := claims["aud"].([]any); ok {
		for _, audience := range list {
			meant = meant || audience == r.audience
		}
	}
	if !meant {
		return errors.New("aud")
	}
	skew := r.skew.Seconds()
	if exp, ok := claims["exp"].(float64); !ok || exp <= float64(now.Unix())-skew {
		return errors.New("exp") // RFC 7519 section 4.1.4
	}
	if iat, ok := claims["iat"].(float64); !ok || iat > float64(now.Unix())+skew+1 {
		return errors.New("iat")
	}
	if stated, ok := claims["nbf"]; ok {
		if nbf, isNumber := stated.(float64); !isNumber || nbf > float64(now.Unix())+skew+1 {
			return errors.New("nbf") // RFC 7519 section 4.1.5
		}
	}
	return nil
}

// uniqueObject reads a JSON object in UTF-8 whose members, at any depth, have names of their own (RFC 7515 section 4,
// RFC 7519 section 4, RFC 8725 section 3.7).
func uniqueObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("no UTF-8")
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	return object, uniqueNames(d)
}

// uniqueNames reads one value.
func uniqueNames(d *json.Decoder) error {
	start, err := d.Token()
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for n := 0; (start == json.Delim('{') || start == json.Delim('[')) && d.More(); n++ {
		if start == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string)
			if names[text] {
				return errors.New("a name twice")
			}
			names[text] = true
		}
		if err := uniqueNames(d); err != nil {
			return err
		}
	}
	if start == json.Delim('{') || start == json.Delim('[') {
		_, err = d.Token()
	}
	return err
}
