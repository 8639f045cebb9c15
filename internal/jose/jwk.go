package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"
	"strconv"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// fields are the members of a JSON Web Key that count. What RFC 7517 lets a key carry besides is ignored.
type fields struct {
	profile
	claims    *Claims
	algorithm Algorithm
	x, y, d   []byte // of an Ed25519 or ECDSA key
	n, e      []byte // of an RSA key
}

// profile is what a key may say about itself.
type profile struct {
	named      bool        // kid is a name that the publisher chose, and not the thumbprint
	uses       []string    // what use may be
	algorithms []Algorithm // what it may be for
}

// ownProfile is that of keys of workloads.
func ownProfile() profile { return profile{uses: []string{"sig"}, algorithms: ownAlgorithms()} }

func readJWK(text []byte) (*fields, error) {
	f, err := readMembers(text, ownProfile())
	if err != nil {
		return nil, err
	}
	return f, f.readNumbers()
}

func readMembers(text []byte, p profile) (*fields, error) {
	if len(text) > MaxKeyLength {
		return nil, refuse(ReasonKey, "the key is longer than 8192 bytes")
	}
	claims, err := ReadClaims(text)
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Detail: "the key is no strict JSON object", Cause: err}
	}
	return &fields{profile: p, claims: claims}, nil
}

func (f *fields) readNumbers() (err error) {
	if f.algorithm, err = f.decide(); err != nil {
		return err
	}
	switch f.algorithm {
	case EdDSA:
		f.x, err = f.coordinate("x")
	case ES256, ES384:
		if f.x, err = f.coordinate("x"); err == nil {
			f.y, err = f.coordinate("y")
		}
	default:
		err = f.readRSA()
	}
	return err
}

// decide returns the one algorithm that the key is for. Its type and curve decide, except with RSA.
func (f *fields) decide() (alg Algorithm, err error) {
	kty, _ := f.claims.String("kty")
	crv, _ := f.claims.String("crv")
	switch {
	case kty == "OKP" && crv == "Ed25519":
		alg = EdDSA
	case kty == "EC" && crv == "P-256":
		alg = ES256
	case kty == "EC" && crv == "P-384":
		alg = ES384
	case kty == "RSA":
		return f.rsaAlgorithm()
	case kty == "oct":
		return "", refuse(ReasonSecret, "the key is a shared secret (kty oct); "+f.remedy())
	default:
		return "", f.unsupported("the key's kty and crv are missing or not supported")
	}
	if !slices.Contains(f.algorithms, alg) {
		return "", f.unsupported(alg.keys() + " keys are not supported here")
	}
	return alg, nil
}

func (f *fields) unsupported(problem string) error { return refuse(ReasonKey, problem+"; "+f.remedy()) }

// remedy ends the refusal of a key of a kind that is not supported.
func (f *fields) remedy() string {
	var kinds []string
	for _, alg := range f.algorithms {
		kinds = append(kinds, string(alg)+" ("+alg.keys()+")")
	}
	return "use a key for " + strings.Join(kinds, " or ")
}

// The length of every number in an Ed25519 or P-256 key, and in a P-384 key.
const (
	coordinateLength     = 32
	coordinateLengthP384 = 48
)

// coordinate reads a number of an Ed25519 or ECDSA key, which has a fixed length.
func (f *fields) coordinate(name string) ([]byte, error) {
	decoded, err := f.decode(name)
	length := coordinateLength
	if f.algorithm == ES384 {
		length = coordinateLengthP384
	}
	if err == nil && len(decoded) != length {
		err = refuse(ReasonKey, "member "+name+" is not "+strconv.Itoa(length)+" bytes long")
	}
	return decoded, err
}

// decode reads a member that is base64url of one byte at least.
func (f *fields) decode(name string) ([]byte, error) {
	value, ok := f.claims.String(name)
	if !ok || value == "" {
		return nil, refuse(ReasonKey, "member "+name+" is missing, empty or no string")
	}
	decoded, err := decodeMember(value)
	if err != nil {
		return nil, refuse(ReasonKey, "member "+name+" is not strict base64url")
	}
	return decoded, nil
}

// checkPublic refuses every member that only a private or symmetric key has (RFC 7518 section 6,
// and priv of later key types).
func (f *fields) checkPublic() error {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if f.claims.Has(name) {
			return refuse(ReasonSecret, "the key holds secret material (member "+name+"); publish only its public half and replace the key, which is no longer secret")
		}
	}
	return nil
}

func (f *fields) publicKey() (*PublicKey, error) {
	raw, err := f.parse("")
	if err != nil {
		return nil, err
	}
	var key *PublicKey
	switch raw := raw.(type) {
	case ed25519.PublicKey:
		if !soundEd25519(raw) {
			return nil, refuse(ReasonKey, "the point is not on Ed25519, or of small order")
		}
		key, err = newEd25519(raw)
	case *ecdsa.PublicKey:
		key, err = newECDSA(f.algorithm, raw)
	case *rsa.PublicKey:
		key, err = newRSA(f.algorithm, raw)
	default:
		err = refuse(ReasonKey, "not a public key")
	}
	if err == nil {
		err = f.agree(key, "verify")
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

func (f *fields) privateKey() (*PrivateKey, error) {
	var err error
	if f.d, err = f.coordinate("d"); err != nil {
		return nil, err
	}
	raw, err := f.parse(`,"d":"` + encode(f.d) + `"`)
	if err != nil {
		return nil, err
	}
	var key *PrivateKey
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		key, err = newPrivateEd25519(raw)
	case *ecdsa.PrivateKey:
		key, err = newPrivateP256(raw)
	default:
		err = refuse(ReasonKey, "not a private key")
	}
	if err != nil {
		return nil, err
	}
	if derived, err := f.derive(); err != nil || derived != key.public.thumbprint {
		return nil, refuse(ReasonKey, "member d does not belong to the public key")
	}
	if err := f.agree(key.public, "sign"); err != nil {
		return nil, err
	}
	return key, nil
}

// derive returns the thumbprint of the public key that belongs to member d. Jwx takes the public half of a P-256 key on
// trust.
func (f *fields) derive() (string, error) {
	if f.y == nil {
		public, err := newEd25519(ed25519.PublicKey(ed25519.NewKeyFromSeed(f.d)[ed25519.SeedSize:]))
		if err != nil {
			return "", err
		}
		return public.thumbprint, nil
	}
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), f.d)
	if err != nil {
		return "", err
	}
	public, err := newECDSA(ES256, &raw.PublicKey)
	if err != nil {
		return "", err
	}
	return public.thumbprint, nil
}

// parse hands jwx the members that count, written anew, and returns the raw key.
func (f *fields) parse(secret string) (raw any, err error) {
	defer func() {
		if recover() != nil {
			raw, err = nil, refuse(ReasonKey, "the parser panicked")
		}
	}()
	var text string
	switch f.algorithm {
	case EdDSA:
		text = `"kty":"OKP","crv":"Ed25519","x":"` + encode(f.x) + `"`
	case ES256, ES384:
		text = `"kty":"EC","crv":"` + f.algorithm.keys() + `","x":"` + encode(f.x) + `","y":"` + encode(f.y) + `"`
	default:
		text = `"kty":"RSA","n":"` + encode(f.n) + `","e":"` + encode(f.e) + `"`
	}
	key, err := jwk.ParseKey([]byte("{" + text + secret + "}"))
	if err == nil {
		err = key.Raw(&raw)
	}
	if err != nil {
		return nil, refuse(ReasonKey, "the key's numbers do not fit together")
	}
	return raw, nil
}

// agree checks what the key says about itself against what it is.
func (f *fields) agree(key *PublicKey, operation string) error {
	keyID := key.thumbprint
	if f.named {
		if keyID, _ = f.claims.String("kid"); !usableKeyID(keyID) {
			return refuse(ReasonKey, "member kid is missing, empty, too long or not printable")
		}
		key.keyID = keyID
	}
	if kid, _ := f.claims.String("kid"); f.claims.Has("kid") && kid != keyID {
		return refuse(ReasonKey, "member kid is not "+keyID)
	}
	name, _ := f.claims.String("alg")
	if alg, _ := AlgorithmOf(name); f.claims.Has("alg") && alg != key.algorithm {
		return refuse(ReasonKey, "member alg is not "+string(key.algorithm))
	}
	if use, _ := f.claims.String("use"); f.claims.Has("use") && !slices.Contains(f.uses, use) {
		return refuse(ReasonKey, "member use is not "+strings.Join(f.uses, " or "))
	}
	if f.claims.Has("key_ops") {
		if operations, _ := f.claims.Strings("key_ops"); !slices.Contains(operations, operation) {
			return refuse(ReasonKey, "member key_ops does not have "+operation)
		}
	}
	return nil
}
