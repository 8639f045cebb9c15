package auth_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/contextkey"
)

// Handlers find what came beside the credentials and never those, whichever way they look, and however gRPC keeps
// metadata.
func TestNoWayToLookShowsACredential(t *testing.T) {
	t.Parallel()
	credentials := []string{"authorization", "Authorization", "parley-nonce", "workload-proof-token", "workload-identity-token", auth.UserTokenKey, auth.TransactionTokenKey}
	came := metadata.MD{"x-request-id": {"7"}, "grpc-previous-rpc-attempts": {"1"}}
	for _, name := range credentials {
		came[name] = []string{"secret"}
	}
	for _, known := range []bool{true, false} {
		ctx := auth.Admitted(metadata.NewIncomingContext(t.Context(), came), known)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				all, ok := metadata.FromIncomingContext(ctx)
				if !ok || len(all) != 2 || !slices.Equal(all["x-request-id"], came["x-request-id"]) {
					t.Errorf("key known %v: the metadata is %#v", known, all)
				}
			})
		}
		wg.Wait()
		for _, name := range credentials {
			if metadata.ValueFromIncomingContext(ctx, name) != nil || contextkey.Received(ctx, name) != nil || contextkey.Received(ctx, strings.ToLower(name)) != nil {
				t.Errorf("key known %v: %s is to be seen", known, name)
			}
		}
		if got := contextkey.Received(ctx, "grpc-previous-rpc-attempts"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("key known %v: the number of attempts is %q", known, got)
		}
	}
}
