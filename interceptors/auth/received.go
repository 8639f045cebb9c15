package auth

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/wire"
)

// receivedCredentials are the credentials in the metadata of a call, which no handler gets to see. In connection mode
// most of them have no meaning.
type receivedCredentials struct {
	any   bool
	users *userSet // who vouches for users while the call is admitted

	authorization []string
	nonce         []string
	possession    []string // proof of it
	identity      []string
	user          []string
	userBearer    []string   // the authorization of a call in which that is the user's
	inHeaders     [][]string // what stands where rules look for tokens of users
	transaction   []string
}

// received looks up the credentials of a call. Their names are in lower case, as HTTP/2 demands: what stands under
// another spelling was put there by an interceptor of this process. Package metadata itself would copy all that came
// with the call, or search it once more for every name that is not there.
func (g *Gate) received(ctx context.Context) (p receivedCredentials) {
	md, ok := ctx.Value(g.metadataKey).(metadata.MD)
	if !ok {
		md, _ = metadata.FromIncomingContext(ctx)
	}
	p.authorization, p.nonce = md[wire.AuthorizationKey], md[wire.NonceKey]
	p.possession, p.identity = md[wire.PossessionKey], md[wire.IdentityTokenKey]
	p.user, p.transaction = md[wire.UserTokenKey], md[TransactionTokenKey]
	p.users = g.userSet.Load()
	if len(p.users.headers)+len(p.users.written) > 0 {
		p.any = p.users.changesMetadata(md)
		for _, h := range p.users.headers {
			p.inHeaders = append(p.inHeaders, md[h.name])
		}
	}
	p.any = p.any || len(p.authorization)+len(p.nonce)+len(p.possession)+len(p.identity)+len(p.user)+len(p.transaction) > 0
	return p
}
