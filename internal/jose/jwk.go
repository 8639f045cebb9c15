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
	foreign    bool        // the key of another publisher, who chose its kid and wrote members as he likes
	uses       []string    // allowed values of use
	algorithms []Algorithm // allowed values of alg
	unstated   Algorithm   // that of an RSA key which does not say it, where two are allowed; "" for none
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
	longest, read := MaxKeyLength, strictjson.Read[[]byte]
	if p.foreign { // of whose inner objects none is used
		longest, read = maxSetKeyLength, strictjson.ReadShallow
	}
	if len(text) > longest {
		return nil, refuse(ReasonKey, "the key is longer than "+strconv.Itoa(longest)+" bytes")
	}
	claims, err := read(text)
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
		return "", &Error{Reason: ReasonSecret, Detail: "the key is a shared secret (kty oct)", remedy: choice(f.algorithms)}
	default:
		return "", f.unsupported("the key's kty and crv are missing or not supported")
	}
	if !slices.Contains(f.algorithms, alg) {
		return "", f.unsupported(alg.keys() + " keys are not supported here")
	}
	return alg, nil
}

// unsupported refuses a key of a kind that is not supported.
func (f *fields) unsupported(problem string) error {
	return &Error{Reason: ReasonKey, Detail: problem, remedy: choice(f.algorithms)}
}

// choice are the algorithms whose keys are supported.
type choice []Algorithm

func (c choice) String() string {
	kinds := make([]string, len(c))
	for n, alg := range c {
		kinds[n] = string(alg) + " (" + alg.keys() + ")"
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

// has reports whether the key has a member. In a key of another publisher one that is empty is none.
func (f *fields) has(name string) bool {
	if !f.foreign {
		return f.claims.Has(name)
	}
	value := f.claims.Lookup([]string{name})
	text, isText := value.String()
	_, _, filled := value.Element()
	return value.Exists() && (!isText || text != "") && (!value.IsList() || filled)
}

// secrets are the members that only a private or symmetric key has (RFC 7518 section 6, and priv of later key types).
// The names of some are too short to mean a secret in each key: in that of another publisher they do so with RSA.
func (f *fields) secrets() []string {
	all := []string{"d", "k", "priv", "p", "q", "dp", "dq", "qi", "oth"}
	if kty, _ := f.claims.String("kty"); f.foreign && kty != "RSA" {
		return all[:3]
	}
	return all
}

// checkPublic refuses a key with secret material.
func (f *fields) checkPublic() error {
	for _, name := range f.secrets() {
		if f.has(name) {
			return refuse(ReasonSecret, "the key holds secret material (member "+name+
				"); publish only its public half and replace the key, which is no longer secret")
		}
	}
	return nil
}

// agree compares the members that describe the key with the key itself.
func (f *fields) agree(key *PublicKey, operation string) error {
	if err := f.name(key); err != nil {
		return err
	}
	name, _ := f.claims.String("alg")
	if alg, _ := AlgorithmOf(name); f.has("alg") && alg != key.algorithm {
		return refuse(ReasonKey, "member alg is not "+string(key.algorithm))
	}
	if use, _ := f.claims.String("use"); f.has("use") && !slices.Contains(f.uses, use) {
		return refuse(ReasonKey, "member use is not "+strings.Join(f.uses, " or "))
	}
	if f.has("key_ops") {
		if operations, _ := f.claims.Strings("key_ops"); !slices.Contains(operations, operation) {
			return refuse(ReasonKey, "member key_ops does not have "+operation)
		}
	}
	return nil
}

// name checks the kid, and gives it to the key where the publisher chose it.
func (f *fields) name(key *PublicKey) error {
	kid, _ := f.claims.String("kid")
	switch {
	case !f.has("kid"):
		key.nameless = f.foreign
	case f.foreign && !UsableSetKeyID(kid):
		return refuse(ReasonKey, "member kid is no text, too long or not printable")
	case f.foreign:
		key.keyID = kid
	case kid != key.keyID:
		return refuse(ReasonKey, "member kid is not "+key.keyID)
	}
	return nil
}
