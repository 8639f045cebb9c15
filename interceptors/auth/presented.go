package auth

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
)

// presented are the credentials in the metadata of a call, which no handler gets to see. In connection mode most of them have no
// meaning.
type presented struct {
	any bool

	authorization []string
	nonce         []string
	possession    []string // proof of it
	identity      []string
	user          []string
	transaction   []string
}

// presented goes once through the metadata of a call. Package metadata copies it all, or searches it once more for every name
// that is not there.
func (g *Gate) presented(ctx context.Context) (p presented) {
	md, ok := ctx.Value(g.metadataKey).(metadata.MD)
	if !ok {
		md, _ = metadata.FromIncomingContext(ctx)
	}
	for name, values := range md {
		if place := p.place(name); place != nil {
			p.any = true
			if *place != nil {
				values = slices.Concat(*place, values)
			}
			*place = values
		}
	}
	return p
}

// place is where the values of a metadata key belong; nil for one that holds no credential.
func (p *presented) place(name string) *[]string {
	switch len(name) { // which passes over most names
	case len(authorizationKey), len(nonceKey), len(possessionKey), len(identityTokenKey), len(UserTokenKey), len(TransactionTokenKey):
	default:
		return nil
	}
	switch strings.ToLower(name) {
	case authorizationKey:
		return &p.authorization
	case nonceKey:
		return &p.nonce
	case possessionKey:
		return &p.possession
	case identityTokenKey:
		return &p.identity
	case UserTokenKey:
		return &p.user
	case TransactionTokenKey:
		return &p.transaction
	default:
		return nil
	}
}

// isCredential tells whether a metadata key holds a credential.
func isCredential(name string) bool {
	var p presented
	return p.place(name) != nil
}
