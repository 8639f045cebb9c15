package auth

import (
	"context"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
)

// receivedUser is the end user of a call, and the token that named the user, which stays in this package.
type receivedUser struct {
	user    principal.User
	key     string // of the metadata in which such a token goes on
	place   string // the key in which it came
	compact string
	token   *verify.Token
	rule    *userRule // that the token meets; nil for an issuer of the options
}

type receivedUserKey struct{}

// receivedUserFrom returns the user that came with the call, and nil where a handler has named another user since.
func receivedUserFrom(ctx context.Context) *receivedUser {
	u, _ := ctx.Value(receivedUserKey{}).(*receivedUser)
	if u == nil || ctx.Value(contextkey.User{}) != any(&u.user) {
		return nil
	}
	return u
}
