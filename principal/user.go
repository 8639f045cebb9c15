package principal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/parley-rpc/parley/internal/contextkey"
)

// User is the end user on whose behalf a workload calls, as a verified token names him or her. It never stands in for
// the workload's own identity, which is the [Peer].
type User struct {
	// Issuer is who vouches for the user: the iss of the token, byte for byte.
	Issuer string
	// Subject is who it is: the sub of the token. Only together with the issuer it names one user.
	Subject string
	// Scopes are the scopes of the token. They must not be changed.
	Scopes []string
	// Claims are all claims of the token.
	Claims Claims
	// Expires is when the token ends.
	Expires time.Time
	// Transaction is the txn of a transaction token: the ID of the transaction, the same in all of its calls. It is
	// empty for an access token.
	Transaction string
	// Requester is the req_wl of a transaction token: the workload that asked for it. It is empty for an access token.
	Requester string
}

// Pseudonym stands for the user in logs: only a reader who knows the user can find the lines about him or her.
func (u *User) Pseudonym() string {
	sum := sha256.Sum256([]byte(u.Issuer + "\x00" + u.Subject))
	return hex.EncodeToString(sum[:8])
}

// UserFromContext returns the end user of the RPC that a handler, or an interceptor behind authentication, runs for. It
// reports false when the call names none.
func UserFromContext(ctx context.Context) (User, bool) {
	if u, ok := ctx.Value(contextkey.User{}).(*User); ok {
		return *u, true
	}
	return User{}, false
}

// ContextWithUser returns a context in which [UserFromContext] finds u, for tests of handlers. There is no token that
// could be forwarded.
func ContextWithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, contextkey.User{}, &u)
}
