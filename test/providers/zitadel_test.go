package providers_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	webClient = "shop-web" // the application that people log in to
	redirect  = "/auth/callback"
)

// startZitadel runs the example provider of ZITADEL's OpenID library, and returns its name.
func startZitadel(t *testing.T) string {
	t.Helper()
	listener, name := listen(t)
	client := storage.NativeClient(webClient, "http://127.0.0.1"+redirect)
	store := jwtStorage{
		storage.NewStorageWithClients(storage.NewUserStore(name), map[string]*storage.Client{webClient: client}),
	}
	serve(t, listener, exampleop.SetupServer(name, store, slog.New(slog.DiscardHandler), false))
	return name
}

// jwtStorage gives every client access tokens that are JWTs, as an operator sets it.
type jwtStorage struct{ *storage.Storage }

func (s jwtStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	return jwtClient{client}, err
}

func (s jwtStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := s.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{client}, err
}

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
