// Package jose reads, checks, signs and makes JSON Web Tokens and JSON Web Keys for Parley, and nothing more than that:
// compact JWS (RFC 7515) with EdDSA or ES256, whose header is exactly alg, kid and typ.
//
// Reading is strict. What two parsers could read differently is refused before anything is believed: loose base64url,
// duplicate members, bytes after the object, lone surrogates, a header algorithm that is not the key's. See RFC 8725.
//
//	token, err := jose.Parse(compact, "parley-server+jwt") // well-formed, nothing proven yet
//	key := keys[token.KeyID()]
//	claims, err := token.Verify(key)                       // signed by key
//
// The key decides the algorithm, and its name is always its thumbprint (RFC 7638). Whether the claims are acceptable
// (issuer, audience, times) is the caller's question.
//
// Package jwx parses single keys, signs and checks signatures below this package; no other package imports it.
package jose

// Algorithm is a signature algorithm by its JWA name.
type Algorithm string

// The algorithms that Parley signs with and accepts.
const (
	// EdDSA is Ed25519 (RFC 8037). New keys are of this kind.
	EdDSA Algorithm = "EdDSA"
	// ES256 is ECDSA with P-256 and SHA-256 (RFC 7518), for key services that have no Ed25519.
	ES256 Algorithm = "ES256"
)
