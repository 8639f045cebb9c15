package jose

import "slices"

// The types (the header's typ) of all tokens that Parley makes or reads. There is no other list.
const (
	TypeAccess      = "at+jwt"                    // a bearer token (RFC 9068)
	TypeTransaction = "txntoken+jwt"              // a user within a trust domain (draft-ietf-oauth-transaction-tokens)
	TypeIdentity    = "wit+jwt"                   // a workload's key (draft-ietf-wimse-workload-creds)
	TypePossession  = "wpt+jwt"                   // a proof of that key, for one request (draft-ietf-wimse-wpt)
	TypeServerProof = "parley-server+jwt"         // frame 1 of the handshake
	TypeClientProof = "parley-client+jwt"         // frame 2 of the handshake
	TypeReplyProof  = "parley-proof+jwt"          // a server's proof in token mode
	TypeAssertion   = "client-authentication+jwt" // a client's proof to an issuer (draft-ietf-oauth-rfc7523bis)
	TypeKeySet      = "jwk-set+jwt"               // a key set signed by its root
)

// neverBearer lists the types that no place may accept as a bearer token, whatever its configuration says: proofs, which are
// good for one use, and statements about keys and sessions, which say nothing about a call.
func neverBearer() []string {
	return []string{
		TypeIdentity, TypePossession, TypeServerProof, TypeClientProof, TypeReplyProof, TypeAssertion, TypeKeySet,
		"dpop+jwt",     // RFC 9449
		"logout+jwt",   // OpenID Connect Back-Channel Logout 1.0
		"secevent+jwt", // RFC 8417
	}
}

// MayBeBearer reports whether tokens of a type may be accepted as bearer tokens, which are good for many uses.
func MayBeBearer(typ string) bool { return typ != "" && !slices.Contains(neverBearer(), typ) }
