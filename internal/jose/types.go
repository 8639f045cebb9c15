package jose

import (
	"slices"
	"strings"
)

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
	TypeEnrollment  = "parley-enrollment+jwt"     // a workload's proof of a new key to an issuer
	TypeKeySet      = "jwk-set+jwt"               // a key set signed by its root
	TypeDPoP        = "dpop+jwt"                  // a proof of possession of OAuth (RFC 9449)
	TypeLogout      = "logout+jwt"                // OpenID Connect Back-Channel Logout 1.0
	TypeEvent       = "secevent+jwt"              // RFC 8417
)

// NeverBearer reports whether tokens of a type must not be accepted as bearer tokens, which are good for many uses,
// whatever an issuer is configured to sign: proofs, which are good for one use, and statements about keys, sessions and
// transactions. All types of Parley are among them, those of later versions too.
// They are compared as [SameType] does.
func NeverBearer(typ string) bool {
	const own = "parley-"
	typ = bareType(typ)
	if len(typ) >= len(own) && strings.EqualFold(typ[:len(own)], own) {
		return true
	}
	return slices.ContainsFunc([]string{
		TypeIdentity, TypePossession, TypeAssertion, TypeKeySet, TypeTransaction, TypeDPoP, TypeLogout, TypeEvent,
	}, func(never string) bool { return strings.EqualFold(never, typ) })
}

// SameType reports whether two types are one: without regard to case, and to "application/" in front of a type without
// another slash (RFC 7515 section 4.1.9).
func SameType(a, b string) bool { return strings.EqualFold(bareType(a), bareType(b)) }

func bareType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) &&
		!strings.Contains(typ[len(prefix):], "/") {
		return typ[len(prefix):]
	}
	return typ
}
