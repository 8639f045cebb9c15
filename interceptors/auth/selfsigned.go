package auth

import (
	"context"
	"slices"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// SelfSigned is a [tokens.Source] whose tokens a workload signs itself, for servers that trust its key.
// [Identity.SelfSignedTokens] makes one.
type SelfSigned struct {
	identity *workload
	scopes   []string
}

// SelfSignedTokens returns the source of tokens that this workload signs itself, each for 10 minutes and with the
// scopes given. Every call of Token signs, so put it behind [tokens.Keep].
func (i *workload) SelfSignedTokens(scopes ...string) *SelfSigned {
	return &SelfSigned{identity: i, scopes: slices.Clone(scopes)}
}

// Token signs a token for audience.
func (s *SelfSigned) Token(_ context.Context, audience principal.ID) (tokens.Token, error) {
	expires := time.Now().Add(selfSignedTokenLife)
	value, err := s.identity.Token(audience, s.scopes, selfSignedTokenLife)
	if err != nil {
		return tokens.Token{}, err
	}
	return tokens.Token{Value: value, Expires: expires}, nil
}

// String names the workload that signs.
func (s *SelfSigned) String() string { return "tokens signed by " + s.identity.self.String() }
