package providers_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"testing"
	"time"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// keyring makes keys that are new in each run. RSA keys take long to make, so all products share a few.
type keyring []*key

// strangerPlace is the place of the RSA key that no product publishes.
const strangerPlace = 3

func newKeyring(t *testing.T) keyring {
	t.Helper()
	var r keyring
	for range strangerPlace + 1 {
		signer, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		r = append(r, newKey(t, signer))
	}
	return r
}

// key is a key and a certificate of it, as products publish it beside the key.
type key struct {
	crypto.Signer
	certificate []byte
}

func newKey(t *testing.T, signer crypto.Signer) *key {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &key{signer, der}
}

// key returns a key of a kind: of RSA keys another one for each place among those of a set.
func (r keyring) key(t *testing.T, jwk map[string]any, place int) *key {
	t.Helper()
	if jwk["kty"] == "RSA" {
		return r[place]
	}
	curves := map[any]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	signer, err := ecdsa.GenerateKey(curves[jwk["crv"]], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newKey(t, signer)
}

// fill returns a JSON Web Key with its empty members filled from the key.
func fill(t *testing.T, jwk map[string]any, key *key) map[string]any {
	t.Helper()
	filled := make(map[string]any, len(jwk))
	for name, value := range jwk {
		filled[name] = value
		if text, ok := value.(string); ok && text == "" {
			filled[name] = member(t, name, key)
		}
		if list, ok := value.([]any); ok && len(list) == 1 && list[0] == "" {
			filled[name] = []string{base64.StdEncoding.EncodeToString(key.certificate)}
		}
	}
	return filled
}

// member is a member of a key, as RFC 7517 and RFC 7518 write it.
func member(t *testing.T, name string, key *key) string {
	t.Helper()
	switch name {
	case "x5t":
		sum := sha1.Sum(key.certificate)
		return b64(sum[:])
	case "x5t#S256":
		sum := sha256.Sum256(key.certificate)
		return b64(sum[:])
	default:
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if name == "n" {
			return b64(public.N.Bytes())
		}
		exponent := binary.BigEndian.AppendUint32(nil, uint32(public.E))
		return b64(exponent[1:])
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := (len(point) - 1) / 2
		if name == "x" {
			return b64(point[1 : 1+size])
		}
		return b64(point[1+size:])
	default:
		t.Fatalf("no key of the kind %T", public)
		return ""
	}
}

// compact signs a header and a payload, whatever they say, by an algorithm that need not be the key's.
func compact(t *testing.T, alg string, key *key, header, payload string) string {
	t.Helper()
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(signature(t, alg, key, []byte(signed)))
}

func signature(t *testing.T, alg string, key *key, signed []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(signed)
	var options crypto.SignerOpts = crypto.SHA256
	if alg == "PS256" {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	if private, ok := key.Signer.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		return raw
	}
	made, err := key.Sign(rand.Reader, sum[:], options)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func text(t *testing.T, value any) string {
	t.Helper()
	made, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(made)
}
