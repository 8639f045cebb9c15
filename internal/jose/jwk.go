package jose

import (
	"slices"
	"strconv"
	"strings"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// fields are the members of a JSON Web Key that count. What RFC 7517 lets a key carry besides is ignored.
type fields struct {
	profile
	claims    *strictjson.Object
	algorithm Algorithm
	x, y, d   []byte // of an Ed25519 or ECDSA key
	n, e      []byte // of an RSA key
}

// profile limits the members of a key.
type profile struct {
	named      bool        // kid is a name that the publisher chose, and not the thumbprint
	uses       []string    // allowed values of use
	algorithms []Algorithm // allowed values of alg
}

// ownProfile is the profile of workload keys.
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
	claims, err := strictjson.Read(text)
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
	case RS256, PS256:
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
			return refuse(ReasonSecret, "the key holds secret material (member "+name+
				"); publish only its public half and replace the key, which is no longer secret")
		}
	}
	return nil
}

// agree compares the members that describe the key with the key itself.
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
