package auth

import (
	"context"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
)

// broughtUser is a user and the token that named it, which stays in this package.
type broughtUser struct {
	user    principal.User
	key     string // of the metadata in which such a token goes on
	place   string // the key in which it came
	compact string
	token   *verify.Token
}

type broughtKey struct{}

// broughtFrom returns the user of the call with the token, and nil where a handler has named another user since.
func broughtFrom(ctx context.Context) *broughtUser {
	u, _ := ctx.Value(broughtKey{}).(*broughtUser)
	if u == nil || ctx.Value(contextkey.User{}) != any(&u.user) {
		return nil
	}
	return u
}
