package jose

import "strings"

// Algorithm is a signature algorithm by its JWA name.
type Algorithm string

// The algorithms that Parley accepts. It signs with the first two alone, and proofs of workloads are signed with no
// other: see [ParsePublicKey] and [ParseSetKey]. There is none with a shared secret, and RSA does not sign here because
// that takes 40 times as long as EdDSA.
const (
	// EdDSA is Ed25519 (RFC 8037). New keys are of this kind. RFC 9864 calls it Ed25519, and it is accepted by that
	// name too.
	EdDSA Algorithm = "EdDSA"
	// ES256 is ECDSA with P-256 and SHA-256 (RFC 7518), for key services that have no Ed25519.
	ES256 Algorithm = "ES256"
	// ES384 is ECDSA with P-384 and SHA-384 (RFC 7518).
	ES384 Algorithm = "ES384"
	// RS256 is RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518), with which most OpenID providers sign.
	RS256 Algorithm = "RS256"
	// PS256 is RSASSA-PSS with SHA-256 and a salt of 32 bytes (RFC 7518).
	PS256 Algorithm = "PS256"
)

// Algorithms lists every algorithm that is accepted.
func Algorithms() []Algorithm { return []Algorithm{EdDSA, ES256, ES384, RS256, PS256} }

// ownAlgorithms are the algorithms of workload keys.
func ownAlgorithms() []Algorithm { return []Algorithm{EdDSA, ES256} }

// fullName is the name of [EdDSA] over Ed25519 in RFC 9864, which says which curve is meant.
const fullName = "Ed25519"

// AlgorithmOf returns the algorithm of a JWA name. It reports false when that is none of [Algorithms].
func AlgorithmOf(name string) (Algorithm, bool) {
	alg := Algorithm(name)
	if name == fullName {
		alg = EdDSA
	}
	switch alg {
	case EdDSA, ES256, ES384, RS256, PS256:
		return alg, true
	default:
		return "", false
	}
}

// signatureLengths bounds the length of a signature in bytes. With RSA a signature is as long as the modulus of its
// key.
func (a Algorithm) signatureLengths() (least, most int) {
	switch a {
	case ES384:
		return 2 * coordinateLengthP384, 2 * coordinateLengthP384
	case RS256, PS256:
		return minModulusBits / 8, maxModulusBits / 8
	case EdDSA, ES256:
	}
	return signatureLength, signatureLength
}

// keys names the keys that an algorithm is for.
func (a Algorithm) keys() string {
	switch a {
	case EdDSA:
		return "Ed25519"
	case ES256:
		return "P-256"
	case ES384:
		return "P-384"
	case RS256, PS256:
	}
	return "RSA"
}

// list writes algorithms as a choice.
func list(algorithms []Algorithm) string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return strings.Join(names, " or ")
}
