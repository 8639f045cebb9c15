package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The metadata of token mode and of end users.
const (
	// AuthorizationKey holds the caller's bearer token.
	AuthorizationKey = "authorization"
	// BearerScheme stands before it.
	BearerScheme = "Bearer"
	// UserTokenKey holds an end user's access token.
	UserTokenKey = "parley-user-token" //nolint:gosec // a name
	// TransactionTokenKey holds a transaction token (draft-ietf-oauth-transaction-tokens).
	TransactionTokenKey = "txn-token"
	// NonceKey holds what the caller wants to find in the server's proof.
	NonceKey = "parley-nonce"
	// ReplyProofKey holds the server's proof, in the header of the answer.
	ReplyProofKey = "parley-proof"
	// ReplyIdentityKey holds the server's workload identity token beside its proof.
	ReplyIdentityKey = "parley-identity"
	// PossessionKey holds the caller's proof that it holds its key (draft-ietf-wimse-wpt).
	PossessionKey = "workload-proof-token"
	// IdentityTokenKey holds the caller's workload identity token.
	IdentityTokenKey = "workload-identity-token"
)

// UsableNonce reports whether a nonce is 16 to 32 bytes in base64url.
func UsableNonce(nonce string) bool {
	var raw [maxNonceBytes]byte
	if n := base64.RawURLEncoding.DecodedLen(len(nonce)); n < minNonceBytes || n > maxNonceBytes ||
		strings.ContainsAny(nonce, "\r\n") {
		return false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(nonce))
	return err == nil && n >= minNonceBytes
}

// BearerToken cuts the scheme off, which is all that there may be beside the token (RFC 6750 section 2.1).
func BearerToken(values []string) (string, error) {
	if len(values) != 1 {
		return "", fmt.Errorf("%d authorization values instead of one", len(values))
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, BearerScheme) || token == "" {
		return "", errors.New("the authorization is not a scheme Bearer, one space and a token")
	}
	return token, nil
}

// IsCredential reports whether a metadata key holds a credential.
func IsCredential(name string) bool {
	switch strings.ToLower(name) {
	case AuthorizationKey, NonceKey, PossessionKey, IdentityTokenKey, UserTokenKey, TransactionTokenKey:
		return true
	default:
		return false
	}
}
