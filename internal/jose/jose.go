// Package jose reads, checks, signs and makes JSON Web Tokens and JSON Web Keys for Parley, and nothing more than that:
// compact JWS (RFC 7515) whose header is exactly alg, kid and typ. It signs with EdDSA and ES256, and verifies these
// two and, by the keys of an issuer, ES384, RS256 and PS256.
//
// Reading is strict. A text that two parsers could read differently is refused before any of it is used: loose
// base64url, JSON that package strictjson refuses, a header algorithm that is not the key's. See RFC 8725.
//
//	token, err := jose.Parse(compact, "parley-server+jwt") // well-formed, nothing proven yet
//	key := keys[token.KeyID()]
//	claims, err := token.Verify(key)                       // signed by key
//
// The key decides the algorithm, of which it has one, and its name is its thumbprint (RFC 7638) unless it comes from an
// issuer's set. Whether the claims are acceptable (issuer, audience, times) is the caller's question.
//
// Package jwx parses single keys, signs and checks signatures below this package; no other package imports it.
package jose
