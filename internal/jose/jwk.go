package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// fields are the members of a JSON Web Key that count. What RFC 7517 lets a key carry besides is ignored.
type fields struct {
	claims   *Claims
	kty, crv string
	x, y, d  []byte
	uses     []string // what use may be
	named    bool     // kid is a name that the publisher chose
}

// remedy ends the refusal of a key whose kind is not supported.
const remedy = "use an Ed25519 key (kty OKP) or a P-256 key (kty EC)"

func readJWK(text []byte) (*fields, error) {
	f, err := readMembers(text)
	if err != nil {
		return nil, err
	}
	return f, f.readNumbers()
}

func readMembers(text []byte) (*fields, error) {
	if len(text) > MaxKeyLength {
		return nil, refuse(ReasonKey, "the key is longer than 8192 bytes")
	}
	claims, err := ReadClaims(text)
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Detail: "the key is no strict JSON object", Cause: err}
	}
	return &fields{claims: claims, uses: []string{"sig"}}, nil
}

func (f *fields) readNumbers() (err error) {
	f.kty, _ = f.claims.String("kty")
	f.crv, _ = f.claims.String("crv")
	switch {
	case f.kty == "OKP" && f.crv == "Ed25519":
		err = f.read("x", &f.x)
	case f.kty == "EC" && f.crv == "P-256":
		if err = f.read("x", &f.x); err == nil {
			err = f.read("y", &f.y)
		}
	case f.kty == "oct":
		err = refuse(ReasonSecret, "the key is a shared secret (kty oct); "+remedy)
	case f.kty == "RSA":
		err = refuse(ReasonKey, "RSA keys are not supported; "+remedy)
	default:
		err = refuse(ReasonKey, "the key's kty and crv are missing or not supported; "+remedy)
	}
	return err
}

// coordinateLength is the length of every number in an Ed25519 or P-256 key.
const coordinateLength = 32

func (f *fields) read(name string, to *[]byte) error {
	value, ok := f.claims.String(name)
	if !ok {
		return refuse(ReasonKey, "member "+name+" is missing or no string")
	}
	decoded, err := decodeMember(value)
	if err != nil {
		return refuse(ReasonKey, "member "+name+" is not strict base64url")
	}
	if len(decoded) != coordinateLength {
		return refuse(ReasonKey, "member "+name+" is not 32 bytes long")
	}
	*to = decoded
	return nil
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
		key, err = newP256(raw)
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
	if err := f.read("d", &f.d); err != nil {
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
	public, err := newP256(&raw.PublicKey)
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
	text := `{"kty":"` + f.kty + `","crv":"` + f.crv + `","x":"` + encode(f.x) + `"`
	if f.y != nil {
		text += `,"y":"` + encode(f.y) + `"`
	}
	key, err := jwk.ParseKey([]byte(text + secret + "}"))
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
	for _, member := range [][2]string{{"alg", string(key.algorithm)}, {"kid", keyID}} {
		name, want := member[0], member[1]
		if value, _ := f.claims.String(name); f.claims.Has(name) && value != want {
			return refuse(ReasonKey, "member "+name+" is not "+want)
		}
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
