package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// rsaAlgorithm decides which algorithm an RSA key is for. Its numbers do not say, and with the wrong choice a
// signature of one scheme would be checked as one of the other, so the key or its user names the algorithm.
func (f *fields) rsaAlgorithm() (Algorithm, error) {
	possible := slices.DeleteFunc([]Algorithm{RS256, PS256}, func(a Algorithm) bool {
		return !slices.Contains(f.algorithms, a)
	})
	switch {
	case len(possible) == 0:
		return "", f.unsupported("RSA keys are not supported here")
	case f.has("alg"):
		alg, _ := f.claims.String("alg")
		if !slices.Contains(possible, Algorithm(alg)) {
			return "", refuse(ReasonKey, "member alg of an RSA key is not "+list(possible))
		}
		return Algorithm(alg), nil
	case slices.Contains(possible, f.unstated):
		return f.unstated, nil
	case len(possible) > 1:
		return "", refuse(ReasonKey, "an RSA key does not say its alg, which may be "+list(possible)+
			"; allow only one of them for this issuer")
	default:
		return possible[0], nil
	}
}

// readRSA reads modulus and exponent. Each has one form only (RFC 7518 section 6.3.1.1), without zero bytes ahead, so
// that a key has one thumbprint.
func (f *fields) readRSA() (err error) {
	if f.n, err = f.decode("n"); err != nil {
		return err
	}
	if f.e, err = f.decode("e"); err != nil {
		return err
	}
	if f.n[0] == 0 || f.e[0] == 0 {
		return refuse(ReasonKey, "member n or e begins with a zero byte")
	}
	if bits := new(big.Int).SetBytes(f.n).BitLen(); bits < minModulusBits || bits > maxModulusBits {
		return refuse(ReasonKey, "the RSA modulus does not have 2048 to 8192 bits")
	}
	e := new(big.Int).SetBytes(f.e)
	if !e.IsInt64() || e.Int64() < minExponent || e.Int64() > maxExponent || e.Bit(0) == 0 {
		return refuse(ReasonKey, "the RSA exponent is even, less than 65537 or more than 2147483647; it should be 65537")
	}
	return nil
}

func newRSA(alg Algorithm, raw *rsa.PublicKey) (*PublicKey, error) {
	// The library has the last word on an even modulus and, in FIPS mode, on one of an odd length. It would otherwise
	// refuse each token instead of the key.
	var digest [sha256.Size]byte
	err := rsa.VerifyPKCS1v15(raw, crypto.SHA256, digest[:], make([]byte, raw.Size()))
	if !errors.Is(err, rsa.ErrVerification) {
		return nil, &Error{Reason: ReasonKey, Detail: "the RSA key cannot be used", Cause: err}
	}
	members := `"e":"` + encode(big.NewInt(int64(raw.E)).Bytes()) + `","kty":"RSA","n":"` + encode(raw.N.Bytes()) + `"`
	return newPublicKey(alg, raw, members)
}

// pss verifies PS256. Jwx would take a salt of any length; RFC 7518 section 3.5 has one of the length of the hash.
type pss struct{}

func (pss) Algorithm() jwa.SignatureAlgorithm { return jwa.PS256 }

func (pss) Verify(signed, signature []byte, key any) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("not an RSA key")
	}
	digest := sha256.Sum256(signed)
	salted := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, salted)
}
